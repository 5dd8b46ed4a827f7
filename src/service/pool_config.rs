//! This file answers the RPCs of `PoolConfigService`.

use tonic::{Request, Response, Status};

use crate::proto::Rpc;
use crate::proto::v1::pool_config_service_server::PoolConfigService;
use crate::proto::v1::{
    GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse, SetUserPoolMfaConfigRequest,
    SetUserPoolMfaConfigResponse,
};
use crate::request::Check;
use crate::request::pool_config::PoolMfaConfig;
use crate::service::{Facade, deadline};

#[tonic::async_trait]
impl PoolConfigService for Facade {
    async fn get_user_pool_mfa_config(
        &self,
        request: Request<GetUserPoolMfaConfigRequest>,
    ) -> Result<Response<GetUserPoolMfaConfigResponse>, Status> {
        let deadline = deadline(&request);
        let request = request.into_inner();
        let decision = self.gate.authorize(Rpc::GetUserPoolMfaConfig, &request.user_pool_id)?;

        let mut check = Check::default();
        let permit = check.keep(decision.permit());
        let permit = check.finish(permit)?;

        let reply = self.cognito.on(permit, deadline).get_user_pool_mfa_config().await?;
        Ok(Response::new(reply))
    }

    async fn set_user_pool_mfa_config(
        &self,
        request: Request<SetUserPoolMfaConfigRequest>,
    ) -> Result<Response<SetUserPoolMfaConfigResponse>, Status> {
        let deadline = deadline(&request);
        let request = request.into_inner();
        let decision = self.gate.authorize(Rpc::SetUserPoolMfaConfig, &request.user_pool_id)?;

        let mut check = Check::default();
        let permit = check.keep(decision.permit());
        let config = PoolMfaConfig::parse(&mut check, request);
        let (permit, config) = check.finish(permit.zip(config))?;

        let reply = self.cognito.on(permit, deadline).set_user_pool_mfa_config(config).await?;
        Ok(Response::new(reply))
    }
}
