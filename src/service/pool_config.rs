//! The handlers of `PoolConfigService`.

use tonic::{Request, Response, Status};

use crate::api::v1::pool_config_service_server::PoolConfigService;
use crate::api::v1::{
    GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse, SetUserPoolMfaConfigRequest,
    SetUserPoolMfaConfigResponse,
};
use crate::request::pool_config::PoolMfaConfig;
use crate::service::Facade;

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
        let (request, mut call) = self.authorize(request).await?;
        let config = PoolMfaConfig::parse(call.violations(), request);
        let (pool, config) = call.open(&self.cognito, config)?;
        Ok(Response::new(pool.set_user_pool_mfa_config(config).await?))
    }
}
