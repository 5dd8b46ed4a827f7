//! `mfagate dev`: the service, an embedded Cognito with a demo pool, and commands to paste.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use cognito_emulator::{CONTROL_HEADER, Emulator, Issuer, Options, demo};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::cognito::{Credentials, Endpoint};
use crate::command::ready_file::{Demo, Ready, ReadyFile};
use crate::command::{CommandError, open_files, print, signal};
use crate::config::{Dev, EmbeddedIssuer, Settings};
use crate::quota::Quotas;
use crate::server::connection::ConnectionLife;
use crate::server::{self, Service};

/// The pool and the user of the sample request that AWS documents for `AdminSetUserMFAPreference`.
const DEMO_POOL: &str = "us-west-2_EXAMPLE";
const DEMO_USER: &str = "testuser";

/// Serves until SIGINT or SIGTERM. Everything listens on loopback: the options allow nothing else.
pub async fn dev(options: Dev) -> Result<(), CommandError> {
    let Dev { listen, embedded_listen, cognito_endpoint, embedded_issuer, data, ready_file, common } = options;
    let settings = common.settings(Quotas::unlimited(), Duration::ZERO);
    open_files::raise_limit();
    let (end, at_once) = signal::shutdown_signals().map_err(CommandError::Signal)?;

    let ready_file = ready_file.map(ReadyFile::claim).transpose()?;
    let listener = bind(listen.0).await?;
    let address = listener.local_addr().map_err(|error| CommandError::Listen(listen.0, error))?;
    let (embedded, endpoint) = if let Some(url) = cognito_endpoint {
        (None, url.into_endpoint())
    } else {
        let listener = bind(embedded_listen.0).await?;
        let issuer = match embedded_issuer {
            EmbeddedIssuer::Aws => Issuer::Aws,
            EmbeddedIssuer::Embedded => Issuer::Embedded,
        };
        let options = Options { data, demo: true, issuer };
        let embedded = Emulator::start(listener, options).await.map_err(CommandError::Embedded)?;
        let endpoint = Endpoint::Url(embedded.url());
        (Some(embedded), endpoint)
    };
    let cognito = settings.cognito(endpoint.clone(), Credentials::for_development());
    let cognito = if embedded.is_some() { cognito } else { cognito.with_optional_request_ids() };
    let mutations = cognito.mutations().clone();
    let Settings { deadlines, life, limits, drain, workers, .. } = settings;
    // Nobody authenticates here.
    let life = ConnectionLife { unauthenticated_idle: life.idle, ..life };
    let limits = limits.without_strangers();
    let service = Service { deadlines, life, limits, ..Service::open(cognito, drain) };
    let serving = async {
        let mut serving = pin!(server::serve_with_workers(listener, service, workers, end));
        tokio::select! {
            ended = &mut serving => ended,
            () = at_once => {
                mutations.abandon().await;
                Ok(())
            }
        }
    };

    // The token needs the embedded Cognito's signing key, which is still being generated: gRPC is served meanwhile.
    let greeting = async {
        let token = if let Some(embedded) = &embedded {
            let token = demo_token(&embedded.url()).await?;
            print_banner(address, &embedded.url(), &token)?;
            Some(token)
        } else {
            print_banner_without_emulator(address, &endpoint)?;
            None
        };
        let Some(file) = &ready_file else {
            return Ok(());
        };
        let cognito = match &endpoint {
            Endpoint::Aws => None,
            Endpoint::Url(url) => Some(url.as_str()),
        };
        file.write(&Ready { grpc: address.to_string(), cognito, demo: token.as_deref().map(demo_of) })
    };
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        greeted = greeting => {
            greeted?;
            None
        }
    };
    let ended = if let Some(ended) = ended { ended } else { serving.await };
    if let Some(embedded) = embedded {
        embedded.shutdown().await;
    }
    ended.map_err(CommandError::Serve)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|error| CommandError::Listen(address, error))
}

fn demo_of(access_token: &str) -> Demo<'_> {
    Demo {
        region: "us-west-2",
        user_pool_id: DEMO_POOL,
        client_id: demo::CLIENT_ID,
        username: DEMO_USER,
        password: demo::PASSWORD,
        access_token,
    }
}

#[derive(Deserialize)]
struct TokenResponse {
    #[serde(rename = "AccessToken")]
    access_token: String,
}

/// An access token for the demo user, from the embedded Cognito's control endpoint.
async fn demo_token(url: &str) -> Result<String, CommandError> {
    let failed = |error: &dyn std::fmt::Display| CommandError::DemoToken(error.to_string());
    let body = serde_json::json!({ "UserPoolId": DEMO_POOL, "Username": DEMO_USER }).to_string();
    let request = Request::post(format!("{url}/_embedded/token")).header(CONTROL_HEADER, "1");
    let request = request.body(Full::<tonic::codegen::Bytes>::from(body));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.map_err(|error| failed(&error))?).await.map_err(|error| failed(&error))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
    if !status.is_success() {
        return Err(failed(&format!("HTTP status {status}")));
    }
    let issued: TokenResponse = serde_json::from_slice(&body).map_err(|error| failed(&error))?;
    Ok(issued.access_token)
}

fn print_banner(address: SocketAddr, endpoint: &str, token: &str) -> Result<(), CommandError> {
    let totp = format!("{endpoint}/_embedded/totp?user_pool_id={DEMO_POOL}&username={DEMO_USER}");
    let text = format!(
        r#"
mfagate dev: everything is on loopback, every call is allowed, nothing here is real.

gRPC                {address}
embedded Cognito    {endpoint}      (for boto3 and the AWS CLI: --endpoint-url, any credentials)
demo pool           {DEMO_POOL}, users {DEMO_USER} (phone, e-mail and TOTP verified), newuser (no factor) and
                    diego@example.com (TOTP turned on)
authenticator app   curl -s -H 'X-Embedded-Control: 1' '{totp}'
back to the start   curl -s -H 'X-Embedded-Control: 1' -X POST {endpoint}/_embedded/reset

export COGNITO={endpoint}
export TOKEN={token}

A fresh token, after an hour, a sign-out or a reset:

export TOKEN=$(curl -s -H 'X-Embedded-Control: 1' -X POST "$COGNITO/_embedded/token?format=text")

Set {DEMO_USER}'s MFA preference, the sample request of the AWS documentation, and read it back:

grpcurl -plaintext -d '{{"user_pool_id": "{DEMO_POOL}", "username": "{DEMO_USER}", "sms_mfa_settings": {{"enabled": true, "preferred_mfa": true}}, "software_token_mfa_settings": {{"enabled": true, "preferred_mfa": false}}}}' {address} mfagate.v1.MfaPreferenceService/AdminSetUserMfaPreference

grpcurl -plaintext -d '{{"user_pool_id": "{DEMO_POOL}", "username": "{DEMO_USER}"}}' {address} mfagate.v1.MfaPreferenceService/AdminGetUser

As the signed-in user:

grpcurl -plaintext -d "{{\"access_token\": \"$TOKEN\"}}" {address} mfagate.v1.MfaPreferenceService/GetUserAuthFactors

What there is:

grpcurl -plaintext {address} list

Ctrl-C ends it.
"#
    );
    print(&text)
}

fn print_banner_without_emulator(address: SocketAddr, endpoint: &Endpoint) -> Result<(), CommandError> {
    let endpoint = match endpoint {
        Endpoint::Aws => "AWS",
        Endpoint::Url(url) => url,
    };
    print(&format!(
        "\nmfagate dev: on loopback, every call is allowed.\n\ngRPC       {address}\nCognito    {endpoint}\n\ngrpcurl -plaintext {address} list\n"
    ))
}
