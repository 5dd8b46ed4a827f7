//! The handlers of `PoolConfigService`.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};

use crate::api::v1::pool_config_service_server::PoolConfigService;
use crate::api::v1::{
    ErrorReason, GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse, SetUserPoolMfaConfigRequest,
    SetUserPoolMfaConfigResponse,
};
use crate::domain::{Before, Call, PoolMfa};
use crate::error::Error;
use crate::request::Violations;
use crate::request::intent::HasIntent as _;
use crate::request::pool_config::PoolMfaConfig;
use crate::service::authorized_call::AuthorizedCall;
use crate::service::{Facade, name_pool};

#[tonic::async_trait]
impl PoolConfigService for Facade {
    async fn get_user_pool_mfa_config(
        &self,
        request: Request<GetUserPoolMfaConfigRequest>,
    ) -> Result<Response<GetUserPoolMfaConfigResponse>, Status> {
        let (_, call) = self.authorize(request).await?;
        let (pool, ()) = call.open(&self.cognito, Some(()))?;
        Ok(Response::new(pool.get_user_pool_mfa_config().await?))
    }

    async fn set_user_pool_mfa_config(
        &self,
        request: Request<SetUserPoolMfaConfigRequest>,
    ) -> Result<Response<SetUserPoolMfaConfigResponse>, Status> {
        let (request, mut call) = self.authorize_replacement(request).await?;
        let config = PoolMfaConfig::parse(call.violations(), request);
        let (pool, config) = call.open(&self.cognito, config)?;
        Ok(Response::new(pool.set_user_pool_mfa_config(config).await?))
    }
}

impl Facade {
    /// Authorizes the replacement of a pool's configuration by the difference to what is there, where the caller may read
    /// that, else by what the request says.
    ///
    /// An invalid request is not worth the read. If the pool could not be read, and the request alone is forbidden, the caller
    /// is told the former: a failure of Cognito or mfagate must not pass for a missing permission.
    async fn authorize_replacement(
        &self,
        request: Request<SetUserPoolMfaConfigRequest>,
    ) -> Result<(SetUserPoolMfaConfigRequest, AuthorizedCall), Error> {
        let call = request.extensions().get::<Arc<Call>>().cloned().unwrap_or_default();
        let message = request.into_inner();
        let mut intent = message.intent();
        name_pool(&intent);
        let read = self.read_before(&call, &message).await;
        if let Some(Ok(before)) = &read {
            intent.effect = PoolMfa::from(&message).effect(Some(before));
            intent.before = Some(Before::Pool(Box::new(before.clone())));
        }
        match (self.gate.authorize(&call, intent).await, read) {
            (Ok(grant), read) => {
                if let Some(Err(error)) = read {
                    tracing::info!(%error, "pool not read before the change, the request alone decided");
                }
                Ok((message, AuthorizedCall::new(grant, None, &call)))
            }
            (Err(denied), Some(Err(unread)))
                if denied.reason() == ErrorReason::CallerForbidden && !is_about_the_pool(unread.code()) =>
            {
                Err(unread)
            }
            (Err(denied), _) => Err(denied),
        }
    }

    /// The configuration that a request would replace. `None` if the caller may not read it, or the request is invalid.
    async fn read_before(&self, call: &Call, request: &SetUserPoolMfaConfigRequest) -> Option<Result<PoolMfa, Error>> {
        let permit = self.gate.grant_read_before(call, &request.user_pool_id)?.permit().ok()?;
        let mut violations = Violations::default();
        let _ = PoolMfaConfig::parse(&mut violations, request.clone());
        if !violations.is_empty() {
            return None;
        }
        let pool = self.cognito.pool(permit, call.deadline).with_priority(call.priority);
        let read = pool.get_user_pool_mfa_config().await;
        Some(read.map(|before| PoolMfa::from(&before)))
    }
}

/// Whether a read failed because of the pool: there is none, or Cognito refuses it in its state.
fn is_about_the_pool(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::FailedPrecondition | Code::InvalidArgument)
}
