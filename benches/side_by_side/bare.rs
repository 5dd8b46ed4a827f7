//! The bare loop: the SDK with its defaults, no gRPC, no protection. All else is compared with it.

use aws_config::BehaviorVersion;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::SmsMfaSettingsType;

use crate::Failure;
use crate::calls::{CallKind, POOL, USERNAME};
use crate::control::Control;
use crate::traffic::Traffic;

/// Calls the Cognito of the environment.
pub(crate) async fn run(kind: CallKind, traffic: Traffic) -> Result<(), Failure> {
    let control = Control::start();
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    traffic.run(control, move |_| call(client.clone(), kind)).await
}

async fn call(client: Client, kind: CallKind) -> Result<(), Failure> {
    match kind {
        CallKind::Change => {
            let sms = SmsMfaSettingsType::builder().enabled(true).preferred_mfa(true).build();
            let call = client.admin_set_user_mfa_preference().user_pool_id(POOL).username(USERNAME);
            call.sms_mfa_settings(sms).send().await?;
        }
        CallKind::Read => {
            let user = client.admin_get_user().user_pool_id(POOL).username(USERNAME).send().await?;
            if user.username() != USERNAME {
                return Err("the response is not the stub's".into());
            }
        }
    }
    Ok(())
}
