//! Tokens that are refused, and why.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{HeaderMap, HeaderValue, header};
use mfagate::authn::token::{MAX_TOKEN_BYTES, Rejection, TokenError};
use mfagate::reload::Reload;
use serde_json::{Value, json};

use super::{NOW, Service, authorization, claims, claims_with, refused};
use crate::support::jwks_server::{JwksReply, JwksServer};
use crate::support::token_issuer::{SigningKey, jwks, signing_input};

#[tokio::test]
async fn the_scheme_is_bearer_in_any_case_and_nothing_else() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims());
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert!(service.verifier.verify(&authorization(&format!("{scheme} {token}"))).await.is_ok(), "{scheme}");
    }
    for value in [token.clone(), format!("Basic {token}"), format!("Bearer{token}"), "Bearer".into(), String::new()] {
        let answer = service.verifier.verify(&authorization(&value)).await;
        assert!(matches!(answer, Err(TokenError::Malformed(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn two_authorization_headers_are_malformed_even_if_both_are_valid() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let mut headers = authorization(&format!("Bearer {}", key.token(&claims())));
    headers.append(header::AUTHORIZATION, headers[header::AUTHORIZATION].clone());
    let answer = service.verifier.verify(&headers).await;
    assert_eq!(answer, Err(TokenError::Malformed("there are several authorization headers")));
}

#[tokio::test]
async fn what_is_not_a_signed_jwt_is_malformed() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims());
    let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    for text in [
        "",
        ".",
        "..",
        "abc",
        "a.b",
        &format!("{token}.x"),
        &format!(" {token}"),
        &token.replacen('.', "=.", 1),
        &format!("{}.{}.{}", encoded("{}"), encoded("{}"), encoded("")),
        &format!("{}.{}.{}", encoded("[]"), encoded("{}"), encoded("")),
        &format!("{}.{}.{}", encoded("{\"alg\":7,\"kid\":\"k\"}"), encoded("{}"), encoded("")),
        &format!("{}.{}.{}", encoded(&"[".repeat(4000)), encoded("{}"), encoded("")),
        &key.token(&json!(["sub"])),
        &key.token(&json!("sub")),
    ] {
        let answer = service.verifier.verify(&authorization(&format!("Bearer {text}"))).await;
        assert!(matches!(answer, Err(TokenError::Malformed(_))), "{text}: {answer:?}");
    }
    assert_eq!(service.verify(&format!("{token}=")).await, refused(Rejection::Signature));
    let binary = HeaderValue::from_bytes(b"Bearer \xFF\xFE").unwrap();
    let answer = service.verifier.verify(&HeaderMap::from_iter([(header::AUTHORIZATION, binary)])).await;
    assert!(matches!(answer, Err(TokenError::Malformed(_))), "{answer:?}");
}

#[tokio::test]
async fn a_token_beyond_the_limit_is_refused_before_it_is_decoded() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let padded = |length: usize| key.token(&claims_with(&json!({ "padding": "x".repeat(length) })));
    let largest = padded(11_000);
    assert!(largest.len() <= MAX_TOKEN_BYTES && service.verify(&largest).await.is_ok());
    for size in [16 * 1024, 1024 * 1024] {
        assert_eq!(service.verify(&padded(size)).await, Err(TokenError::Malformed("it is too large")));
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let key = SigningKey::rsa("k");
    let service = Service::start(&[&key]).await;
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = signing_input(&json!({ "alg": algorithm, "kid": "k" }), &claims());
        assert_eq!(service.verify(&format!("{unsigned}.")).await, refused(Rejection::Algorithm), "{algorithm}");
        let signature = key.token(&claims()).rsplit_once('.').unwrap().1.to_owned();
        assert_eq!(
            service.verify(&format!("{unsigned}.{signature}")).await,
            refused(Rejection::Algorithm),
            "{algorithm}"
        );
    }
    let stripped = key.token(&claims()).rsplit_once('.').unwrap().0.to_owned();
    assert_eq!(service.verify(&format!("{stripped}.")).await, refused(Rejection::Signature));
}

#[tokio::test]
async fn the_public_key_is_never_used_as_an_hmac_secret() {
    for key in [SigningKey::rsa("k"), SigningKey::p256("k"), SigningKey::ed25519("k")] {
        let service = Service::start(&[&key]).await;
        let (der, bare) = (key.public_der(), key.public_bytes());
        let pem = |label: &str, bytes: &[u8]| {
            let lines =
                BASE64.encode(bytes).as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
            format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n").into_bytes()
        };
        let secrets =
            [pem("PUBLIC KEY", &der), pem("RSA PUBLIC KEY", &bare), key.jwk().to_string().into_bytes(), der, bare];
        for secret in secrets {
            let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
            // With the right name the algorithm is refused, with a wrong one the signature is.
            for (algorithm, cause) in [("HS256", Rejection::Algorithm), (key.algorithm(), Rejection::Signature)] {
                let signed = signing_input(&json!({ "alg": algorithm, "kid": "k" }), &claims());
                let signature = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
                let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()));
                assert_eq!(service.verify(&token).await, refused(cause), "{algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn the_algorithm_must_fit_the_key() {
    let (rsa, p256, ed25519) = (SigningKey::rsa("r"), SigningKey::p256("p"), SigningKey::ed25519("e"));
    let service = Service::start(&[&rsa, &p256, &ed25519]).await;
    for (key, algorithm) in [(&rsa, "ES256"), (&rsa, "EdDSA"), (&p256, "RS256"), (&p256, "EdDSA"), (&ed25519, "ES256")]
    {
        let token = key.token_with(&json!({ "alg": algorithm, "kid": key.id }), &claims());
        assert_eq!(service.verify(&token).await, refused(Rejection::KeyOfAnotherAlgorithm), "{algorithm}");
    }
    for algorithm in ["RS384", "RS512", "PS512", "ES384", "HS512", "rs256", "RSA-OAEP"] {
        let token = rsa.token_with(&json!({ "alg": algorithm, "kid": "r" }), &claims());
        assert_eq!(service.verify(&token).await, refused(Rejection::Algorithm), "{algorithm}");
    }
}

#[tokio::test]
async fn a_key_with_a_declared_algorithm_is_used_for_no_other() {
    let key = SigningKey::rsa("k");
    let mut jwk = key.jwk();
    jwk["alg"] = json!("PS256");
    let service = Service::start(&[]).await;
    service.server.reply_with(JwksReply::Body(json!({ "keys": [jwk] }).to_string()));
    assert_eq!(service.verifier.reload().await.unwrap(), Reload::Replaced);
    let pss = key.token_with(&json!({ "alg": "PS256", "kid": "k" }), &claims());
    assert!(service.verify(&pss).await.is_ok());
    assert_eq!(service.verify(&key.token(&claims())).await, refused(Rejection::KeyOfAnotherAlgorithm));
}

#[tokio::test]
async fn a_token_signed_by_another_key_is_refused_whatever_key_it_carries() {
    let (key, attacker) = (SigningKey::rsa("k"), SigningKey::rsa("k"));
    let service = Service::start(&[&key]).await;
    assert_eq!(service.verify(&attacker.token(&claims())).await, refused(Rejection::Signature));
    let theirs = JwksServer::start(JwksReply::Body(jwks(&[&attacker]))).await;
    let header = json!({ "alg": "RS256", "kid": "k", "jwk": attacker.jwk(), "jku": theirs.url(), "x5u": theirs.url() });
    assert_eq!(service.verify(&attacker.token_with(&header, &claims())).await, refused(Rejection::Signature));
    assert_eq!(theirs.requested_paths(), [""; 0], "a token's own key set is never fetched");

    let good = key.token(&claims());
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let forged = BASE64URL_NOPAD.encode(claims_with(&json!({ "sub": "admin" })).to_string().as_bytes());
    assert_eq!(service.verify(&format!("{header}.{forged}.{signature}")).await, refused(Rejection::Signature));
}

#[tokio::test]
async fn the_caller_is_told_of_expiry_only_if_the_token_was_valid_before() {
    let (key, attacker) = (SigningKey::ed25519("k"), SigningKey::ed25519("k"));
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims());
    assert!(service.verify(&token).await.is_ok());
    service.clock.advance(3600 + 29);
    assert!(service.verify(&token).await.is_ok());
    service.clock.advance(1);
    assert_eq!(service.verify(&token).await, Err(TokenError::Expired));
    assert_eq!(service.verify(&attacker.token(&claims())).await, refused(Rejection::Signature));
    let of_another_issuer = key.token(&claims_with(&json!({ "iss": "https://other.example" })));
    assert_eq!(service.verify(&of_another_issuer).await, refused(Rejection::Issuer));
}

#[tokio::test]
async fn tokens_for_another_audience_or_a_later_time_are_refused() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    for (changes, cause) in [
        (json!({ "iss": "https://issuer.example/other" }), Rejection::Issuer),
        (json!({ "aud": "other" }), Rejection::Audience),
        (json!({ "aud": ["other", "another"] }), Rejection::Audience),
        (json!({ "nbf": NOW + 31 }), Rejection::NotYetValid),
        (json!({ "exp": null }), Rejection::Claim("exp".to_owned())),
        (json!({ "sub": "" }), Rejection::Claim("sub".to_owned())),
    ] {
        assert_eq!(service.verify(&key.token(&claims_with(&changes))).await, refused(cause), "{changes}");
    }
    assert!(service.verify(&key.token(&claims_with(&json!({ "aud": ["other", "mfagate"] })))).await.is_ok());
}

#[tokio::test]
async fn tokens_of_other_kinds_and_with_extensions_are_refused() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let with = |extra: &Value| {
        let mut header = json!({ "alg": "EdDSA", "kid": "k" });
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        key.token_with(&header, &claims())
    };
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert!(service.verify(&with(&json!({ "typ": typ }))).await.is_ok(), "{typ}");
    }
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", ""] {
        let answer = service.verify(&with(&json!({ "typ": typ }))).await;
        assert_eq!(answer, refused(Rejection::Header("typ is not that of an access token")), "{typ}");
    }
    for crit in [json!(["b64"]), json!([]), json!("exp")] {
        let answer = service.verify(&with(&json!({ "crit": crit, "b64": false }))).await;
        assert_eq!(answer, refused(Rejection::Header("crit requires extensions")));
    }
}

#[tokio::test]
async fn a_key_id_is_required() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    for header in [json!({ "alg": "EdDSA" }), json!({ "alg": "EdDSA", "kid": "" })] {
        assert_eq!(service.verify(&key.token_with(&header, &claims())).await, refused(Rejection::NoKeyId));
    }
    assert_eq!(service.server.requested_paths().len(), 1, "what names no key is worth no fetch");
}
