//! The passkey operations, with an authenticator made here: each step, each exception.

use ciborium::value::Value as Cbor;
use cognito_emulator::demo;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::cognito::Cognito;

const POOL: &str = demo::POOL_ID;

/// What an authenticator and its browser say; each test changes what it is about.
struct Registration {
    id: Vec<u8>,
    challenge: String,
    kind: &'static str,
    origin: &'static str,
    relying_party: &'static str,
    flags: u8,
    format: &'static str,
    algorithm: i64,
}

impl Registration {
    fn of(options: &Value) -> Self {
        Self {
            id: vec![7; 16],
            challenge: options["challenge"].as_str().unwrap().to_owned(),
            kind: "webauthn.create",
            origin: "http://localhost:3000",
            relying_party: "localhost",
            // User present, user verified, credential included.
            flags: 0x45,
            format: "none",
            algorithm: -7,
        }
    }

    fn credential(&self) -> Value {
        let client_data = json!({ "type": self.kind, "challenge": self.challenge, "origin": self.origin });
        let party = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.relying_party.as_bytes());
        let mut data = party.as_ref().to_vec();
        data.push(self.flags);
        data.extend([0; 4 + 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let key = Cbor::Map(vec![(Cbor::from(1), Cbor::from(2)), (Cbor::from(3), Cbor::from(self.algorithm))]);
        ciborium::into_writer(&key, &mut data).unwrap();
        let authenticator_data = data.clone();
        let object = Cbor::Map(vec![
            (Cbor::from("fmt"), Cbor::from(self.format)),
            (Cbor::from("attStmt"), Cbor::Map(vec![])),
            (Cbor::from("authData"), Cbor::Bytes(data)),
        ]);
        let mut attestation = Vec::new();
        ciborium::into_writer(&object, &mut attestation).unwrap();
        json!({
            "id": BASE64URL_NOPAD.encode(&self.id),
            "rawId": BASE64URL_NOPAD.encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(client_data.to_string().as_bytes()),
                "attestationObject": BASE64URL_NOPAD.encode(&attestation),
                "authenticatorData": BASE64URL_NOPAD.encode(&authenticator_data),
                "publicKeyAlgorithm": self.algorithm,
                "transports": ["internal", "hybrid"],
            },
        })
    }
}

async fn start(cognito: &Cognito, token: &str) -> Value {
    let started = cognito.ok("StartWebAuthnRegistration", json!({ "AccessToken": token })).await;
    started["CredentialCreationOptions"].clone()
}

fn completion(token: &str, credential: &Value) -> Value {
    json!({ "AccessToken": token, "Credential": credential })
}

async fn register(cognito: &Cognito, token: &str, id: u8) {
    let mut registration = Registration::of(&start(cognito, token).await);
    registration.id = vec![id; 16];
    let body = completion(token, &registration.credential());
    assert_eq!(cognito.ok("CompleteWebAuthnRegistration", body).await, json!({}));
}

#[tokio::test]
async fn a_passkey_is_registered_listed_and_deleted() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let options = start(&cognito, &token).await;
    assert_eq!(options["rp"]["id"], "localhost");
    assert_eq!(options["user"]["name"], "testuser");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let credential = Registration::of(&options).credential();
    cognito.ok("CompleteWebAuthnRegistration", completion(&token, &credential)).await;

    let listed = cognito.sdk.list_web_authn_credentials().access_token(&token).send().await.unwrap();
    let [passkey] = listed.credentials() else {
        panic!("{listed:?}");
    };
    assert_eq!(passkey.credential_id(), credential["id"].as_str().unwrap());
    assert_eq!(passkey.relying_party_id(), "localhost");
    assert_eq!(passkey.authenticator_attachment(), Some("platform"));
    assert_eq!(passkey.authenticator_transports(), ["internal", "hybrid"]);
    let factors = cognito.ok("GetUserAuthFactors", json!({ "AccessToken": token })).await;
    assert_eq!(factors["ConfiguredUserAuthFactors"], json!(["PASSWORD", "WEB_AUTHN", "SOFTWARE_TOKEN"]));

    let delete = || {
        let delete = cognito.sdk.delete_web_authn_credential().access_token(&token);
        delete.credential_id(passkey.credential_id()).send()
    };
    delete().await.unwrap();
    assert_eq!(crate::cognito::refusal(delete().await).0, "ResourceNotFoundException");
    let listed = cognito.sdk.list_web_authn_credentials().access_token(&token).send().await.unwrap();
    assert_eq!(listed.credentials(), []);
}

#[tokio::test]
async fn each_flaw_of_a_registration_has_its_exception() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let options = start(&cognito, &token).await;
    let good = || Registration::of(&options);
    for (flaw, registration, code) in [
        (
            "another challenge",
            Registration { challenge: BASE64URL_NOPAD.encode(&[1; 32]), ..good() },
            "WebAuthnChallengeNotFoundException",
        ),
        ("an assertion", Registration { kind: "webauthn.get", ..good() }, "InvalidParameterException"),
        ("another origin", Registration { origin: "https://evil.test", ..good() }, "WebAuthnOriginNotAllowedException"),
        (
            "another relying party",
            Registration { relying_party: "evil.test", ..good() },
            "WebAuthnRelyingPartyMismatchException",
        ),
        ("no presence", Registration { flags: 0x44, ..good() }, "InvalidParameterException"),
        ("no verification", Registration { flags: 0x41, ..good() }, "InvalidParameterException"),
        ("no credential", Registration { flags: 0x05, ..good() }, "InvalidParameterException"),
        ("an attestation", Registration { format: "packed", ..good() }, "WebAuthnCredentialNotSupportedException"),
        (
            "an algorithm not offered",
            Registration { algorithm: -8, ..good() },
            "WebAuthnCredentialNotSupportedException",
        ),
    ] {
        let body = completion(&token, &registration.credential());
        let refused = cognito.refused("CompleteWebAuthnRegistration", body).await;
        assert_eq!(refused.0, code, "{flaw}: {}", refused.1);
    }
    cognito.ok("CompleteWebAuthnRegistration", completion(&token, &good().credential())).await;
    let again = completion(&token, &good().credential());
    let refused = cognito.refused("CompleteWebAuthnRegistration", again).await;
    assert_eq!(refused.0, "WebAuthnChallengeNotFoundException", "a challenge is used once");
}

#[tokio::test]
async fn t15_a_credential_without_what_level_3_requires_is_not_valid() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let options = start(&cognito, &token).await;
    let good = Registration::of(&options).credential();
    let not_valid = ("InvalidParameterException".to_owned(), "Credential data is not valid".to_owned());
    let other = cognito.token(POOL, "newuser").await;
    let refused = cognito.refused("CompleteWebAuthnRegistration", completion(&other, &json!({ "id": "AAAA" }))).await;
    assert_eq!(refused, not_valid, "also without a challenge");
    for name in ["authenticatorData", "publicKeyAlgorithm", "transports", "clientDataJSON", "attestationObject"] {
        let mut credential = good.clone();
        credential["response"].as_object_mut().unwrap().remove(name);
        let refused = cognito.refused("CompleteWebAuthnRegistration", completion(&token, &credential)).await;
        assert_eq!(refused, not_valid, "without {name}");
    }
    for transports in [json!(["internal", "pigeon"]), json!([""]), json!([5]), json!("internal")] {
        let mut credential = good.clone();
        credential["response"]["transports"] = transports;
        let refused = cognito.refused("CompleteWebAuthnRegistration", completion(&token, &credential)).await;
        assert_eq!(refused, not_valid, "{}", credential["response"]["transports"]);
    }
    cognito.ok("CompleteWebAuthnRegistration", completion(&token, &good)).await;
}

#[tokio::test]
async fn a_malformed_document_is_an_invalid_parameter() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let options = start(&cognito, &token).await;
    let good = Registration::of(&options).credential();
    for pointer in ["/id", "/response/clientDataJSON", "/response/attestationObject"] {
        for flaw in [json!("###"), json!("AAAA"), json!(5), Value::Null] {
            let mut credential = good.clone();
            *credential.pointer_mut(pointer).unwrap() = flaw.clone();
            let body = completion(&token, &credential);
            let refused = cognito.refused("CompleteWebAuthnRegistration", body).await;
            assert_eq!(refused.0, "InvalidParameterException", "{pointer} {flaw}");
        }
    }
    for credential in [json!("text"), json!([]), json!({})] {
        let body = completion(&token, &credential);
        let refused = cognito.refused("CompleteWebAuthnRegistration", body).await;
        assert_eq!(refused.0, "InvalidParameterException", "{credential}");
    }
}

#[tokio::test]
async fn a_challenge_expires_and_belongs_to_one_app_client() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let credential = Registration::of(&start(&cognito, &token).await).credential();
    let other = json!({ "UserPoolId": POOL, "Username": "testuser", "ClientId": "another" });
    let other = cognito.minted(other).await;
    let refused = cognito.refused("CompleteWebAuthnRegistration", completion(&other, &credential)).await;
    assert_eq!(refused.0, "WebAuthnClientMismatchException");
    cognito.advance(180).await;
    let refused = cognito.refused("CompleteWebAuthnRegistration", completion(&token, &credential)).await;
    assert_eq!(refused.0, "WebAuthnChallengeNotFoundException");
}

#[tokio::test]
async fn a_pool_has_to_allow_passkeys_and_name_a_relying_party() {
    let cognito = Cognito::start().await;
    let without = cognito.plain_pool().await;
    let created = cognito
        .ok(
            "CreateUserPool",
            json!({
                "PoolName": "p",
                "Policies": { "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"] } },
            }),
        )
        .await;
    let unnamed = created["UserPool"]["Id"].as_str().unwrap().to_owned();
    for (pool_id, code) in
        [(without, "WebAuthnNotEnabledException"), (unnamed, "WebAuthnConfigurationMissingException")]
    {
        cognito.user(&pool_id, "jane", &[]).await;
        let token = cognito.token(&pool_id, "jane").await;
        let body = json!({ "AccessToken": token });
        assert_eq!(cognito.refused("StartWebAuthnRegistration", body).await.0, code);
    }
}

#[tokio::test]
async fn a_user_has_twenty_passkeys_at_most_listed_in_pages() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    for id in 1..=20 {
        register(&cognito, &token, id).await;
    }
    let body = json!({ "AccessToken": token });
    let refused = cognito.refused("StartWebAuthnRegistration", body.clone()).await;
    assert_eq!(refused.0, "LimitExceededException");

    let mut listed = Vec::new();
    let mut next = Value::Null;
    for expected in [8, 8, 4] {
        let page = json!({ "AccessToken": token, "MaxResults": 8, "NextToken": next });
        let page = cognito.ok("ListWebAuthnCredentials", page).await;
        let credentials = page["Credentials"].as_array().unwrap();
        assert_eq!(credentials.len(), expected);
        listed.extend(credentials.iter().map(|passkey| passkey["CredentialId"].clone()));
        next = page["NextToken"].clone();
    }
    assert!(next.is_null());
    listed.dedup();
    assert_eq!(listed.len(), 20);
    let page = json!({ "AccessToken": token, "NextToken": "unknown" });
    assert_eq!(cognito.refused("ListWebAuthnCredentials", page).await.0, "InvalidParameterException");
}
