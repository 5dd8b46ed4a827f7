//! How the running program identifies its caller: by certificate, by token, by both, and by tokens without an audience
//! or with a prefix.

use serde_json::{Value, json};
use tonic::Code;

use crate::support::certificate_authority::{CertificateAuthority, payments};
use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture, bearer, claims_for};
use crate::support::refusal::refused;
use crate::support::serve_harness::{ServeHarness, credential_problem, read_user};
use crate::support::test_cognito::{POOL, USER};

/// Both credentials are needed, and each contributes to the permission.
const BOTH: &str = r#"
@id("both")
permit (principal == Mfagate::Caller::"spiffe://example.com/payments", action, resource)
when { principal has certificate && principal has token && principal.scopes.contains("mfa/read") };
"#;

fn last_record(fixture: &PolicyFixture) -> Value {
    fixture.records().last().unwrap().clone()
}

#[tokio::test]
async fn policies_see_certificate_and_token_together() {
    let authority = CertificateAuthority::new("the authority");
    let client = authority.client(payments());
    let mut served = ServeHarness::with_tls(BOTH, &authority, Some(&client)).await;
    let token = |scope: &str| bearer(&served.fixture.token("batch", json!({ "scope": scope })));
    let (good, lacking) = (token("mfa/read mfa/write"), token("mfa/write"));

    assert_eq!(served.read(Some(&good), POOL).await.unwrap(), USER);
    let record = last_record(&served.fixture);
    let told = |key: &str| record[key].as_str().unwrap();
    assert_eq!((told("caller"), told("authenticated")), ("spiffe://example.com/payments", "both"));
    assert_eq!((told("token_caller"), told("decision")), ("batch", "allow"));

    let nobody = authority.channel(served.process.address().await, None).await.unwrap();
    for (channel, authorization, authenticated) in
        [(&served.channel, Some(&lacking), "both"), (&served.channel, None, "mtls"), (&nobody, Some(&good), "jwt")]
    {
        let answer = read_user(channel.clone(), authorization.map(String::as_str), POOL).await;
        refused(answer, Code::PermissionDenied, "CALLER_FORBIDDEN");
        assert_eq!(last_record(&served.fixture)["authenticated"], authenticated);
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_even_with_a_good_certificate_and_so_is_no_credential() {
    let authority = CertificateAuthority::new("the authority");
    let client = authority.client(payments());
    let mut served = ServeHarness::with_tls(ALLOW_ALL, &authority, Some(&client)).await;
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);
    let another = PolicyFixture::allow_all().token("batch", json!({}));
    let expired = served.fixture.token("batch", json!({ "exp": 1_000_000_000 }));
    for (token, kind) in [(another.as_str(), "not accepted"), (&expired, "expired"), ("a.b.c", "malformed")] {
        assert_eq!(credential_problem(served.read(Some(&bearer(token)), POOL).await), kind);
    }
    let nobody = authority.channel(served.process.address().await, None).await.unwrap();
    assert_eq!(credential_problem(read_user(nobody, None, POOL).await), "missing");
    assert_eq!(last_record(&served.fixture)["decision"], "unauthenticated");
    assert_eq!(served.cognito.requests("AdminGetUser").await.len(), 1);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_is_accepted_only_over_its_connections() {
    let authority = CertificateAuthority::new("the authority");
    let client = authority.client(payments());
    let mut served = ServeHarness::with_tls(ALLOW_ALL, &authority, Some(&client)).await;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &client.der);
    let thumbprint = data_encoding::BASE64URL_NOPAD.encode(hash.as_ref());
    let bound = bearer(&served.fixture.token("batch", json!({ "cnf": { "x5t#S256": thumbprint } })));
    let by_key = bearer(&served.fixture.token("batch", json!({ "cnf": { "jkt": thumbprint } })));
    assert_eq!(served.read(Some(&bound), POOL).await.unwrap(), USER);
    assert_eq!(credential_problem(served.read(Some(&by_key), POOL).await), "not accepted");
    let address = served.process.address().await;
    for other in [None, Some(authority.client(payments()))] {
        let channel = authority.channel(address, other.as_ref()).await.unwrap();
        assert_eq!(credential_problem(read_user(channel, Some(&bound), POOL).await), "not accepted");
    }
}

#[tokio::test]
async fn a_name_with_hidden_characters_is_refused() {
    let served = ServeHarness::with(ALLOW_ALL).await;
    for name in ["sup port", "support\u{200b}", "support\u{3164}", "sup\u{ad}port", "support\u{fe0f}", "support\t"] {
        assert_eq!(credential_problem(served.read_as(name, POOL).await), "not accepted", "{name:?}");
    }
    assert_eq!(served.read_as("supp\u{f6}rt", POOL).await.unwrap(), USER);
}

#[tokio::test]
async fn client_credentials_tokens_are_accepted_by_scope_and_name_their_client() {
    let fixture = PolicyFixture::with(r#"permit (principal == Mfagate::Caller::"client-1", action, resource);"#);
    let options =
        fixture.options_with(&[("--jwt-audience", "scope=mfagate/call"), ("--jwt-caller-claim", "client_id")]);
    let served = ServeHarness::with_options(fixture, options).await;
    // Like Cognito's own: `sub` is the client as well, and there is no `aud`.
    let token = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let more = json!({ "client_id": "client-1", "token_use": "access", "scope": "other/read mfagate/call" });
        let mut claims = claims_for("a-subject", more);
        let all = claims.as_object_mut().unwrap();
        all.remove("aud");
        change(all);
        bearer(&served.fixture.sign(&claims))
    };
    assert_eq!(served.read(Some(&token(&|_| {})), POOL).await.unwrap(), USER);
    assert_eq!(last_record(&served.fixture)["caller"], "client-1");

    let put = |key: &'static str, value: Value| {
        token(&move |all| {
            all.insert(key.to_owned(), value.clone());
        })
    };
    let without = |key: &'static str| {
        token(&move |all| {
            all.remove(key);
        })
    };
    for authorization in [
        put("scope", json!("other/read")),
        put("scope", json!("mfagate/caller xmfagate/call")),
        without("scope"),
        without("client_id"),
        put("client_id", json!("")),
        put("client_id", json!(["client-1"])),
        // An end user's token contains the client's id, too.
        put("username", json!("alice")),
    ] {
        assert_eq!(credential_problem(served.read(Some(&authorization), POOL).await), "not accepted");
    }
    let answer = served.read(Some(&put("client_id", json!("client-2"))), POOL).await;
    refused(answer, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(served.cognito.requests("AdminGetUser").await.len(), 1);
}

#[tokio::test]
async fn a_token_beyond_the_limit_is_refused_like_any_other_bad_one() {
    let served = ServeHarness::with(ALLOW_ALL).await;
    let padded = |length: usize| bearer(&served.fixture.token("support", json!({ "padding": "x".repeat(length) })));
    assert_eq!(served.read(Some(&padded(11 * 1024)), POOL).await.unwrap(), USER);
    for length in [13 * 1024, 20 * 1024] {
        assert_eq!(credential_problem(served.read(Some(&padded(length)), POOL).await), "malformed");
    }
}

#[tokio::test]
async fn a_prefix_keeps_a_token_from_naming_a_certificates_caller() {
    let fixture = PolicyFixture::with(
        r#"permit (principal == Mfagate::Caller::"desk.example.com", action, resource);
           permit (principal == Mfagate::Caller::"token:batch", action, resource);"#,
    );
    let options = fixture.options_with(&[("--jwt-caller-prefix", "token:")]);
    let served = ServeHarness::with_options(fixture, options).await;
    refused(served.read_as("desk.example.com", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(last_record(&served.fixture)["caller"], "token:desk.example.com");
    assert_eq!(served.read_as("batch", POOL).await.unwrap(), USER);
}
