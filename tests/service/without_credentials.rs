//! Behaviour of the binary where there are no AWS credentials.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use mfagate::proto::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::proto::v1::{AdminSetUserMfaPreferenceRequest, AdminSetUserMfaPreferenceResponse, GetUserRequest};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use crate::support::{POOL, TestService, USER, refused};

/// `mfagate serve` with an environment that holds no credentials. It ends when this is dropped.
pub(crate) struct Binary {
    process: Child,
    preferences: MfaPreferenceServiceClient<Channel>,
}

impl Drop for Binary {
    fn drop(&mut self) {
        // It may have ended by itself; the test is over either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Binary {
    pub(crate) async fn before(cognito_url: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_mfagate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", cognito_url])
            .env_clear()
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let (found, address) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut found = Some(found);
            // Read to the end, so that the log never blocks the process.
            for line in log.lines().map_while(Result::ok) {
                let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
                if let (Some(address), Some(found)) = (address, found.take_if(|_| address.is_some())) {
                    found.send(address.to_owned()).unwrap();
                }
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{}", address.await.unwrap())).unwrap();
        let preferences = MfaPreferenceServiceClient::new(endpoint.connect().await.unwrap());
        Self { process, preferences }
    }

    /// What an RPC of an administrator answers.
    pub(crate) async fn set_preference(&self) -> Result<Response<AdminSetUserMfaPreferenceResponse>, Status> {
        let request = AdminSetUserMfaPreferenceRequest {
            user_pool_id: POOL.to_owned(),
            username: USER.to_owned(),
            ..Default::default()
        };
        self.preferences.clone().admin_set_user_mfa_preference(request).await
    }
}

#[tokio::test]
async fn an_rpc_of_an_administrator_fails_as_mfagates_own_fault_and_sends_nothing() {
    let cognito = TestService::start().await;
    let binary = Binary::before(&cognito.cognito.url).await;
    let details = refused(binary.set_preference().await, Code::Internal, "FACADE_DISPATCH_FAILED");
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["fault"].as_str(), metadata["retryable"].as_str()), ("FACADE", "false"));
    assert_eq!(cognito.cognito.requests("AdminSetUserMFAPreference").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_rpc_of_the_signed_in_user_works() {
    let cognito = TestService::start().await;
    let binary = Binary::before(&cognito.cognito.url).await;
    let request = GetUserRequest { access_token: cognito.cognito.token(USER).await };
    let user = binary.preferences.clone().get_user(request).await.unwrap();
    assert_eq!(user.into_inner().username, USER);
}
