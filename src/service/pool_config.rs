//! This file answers the RPCs of `PoolConfigService`.

use tonic::{Request, Response, Status};

use crate::api::Rpc;
use crate::api::v1::pool_config_service_server::PoolConfigService;
use crate::api::v1::{
    GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse, SetUserPoolMfaConfigRequest,
    SetUserPoolMfaConfigResponse,
};
use crate::domain::{Effect, Intent};
use crate::request::Check;
use crate::request::pool_config::PoolMfaConfig;
use crate::service::{Facade, call_of, effect};

#[tonic::async_trait]
impl PoolConfigService for Facade {
    async fn get_user_pool_mfa_config(
        &self,
        request: Request<GetUserPoolMfaConfigRequest>,
    ) -> Result<Response<GetUserPoolMfaConfigResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let intent = Intent::new(Rpc::GetUserPoolMfaConfig, &request.user_pool_id, None, Effect::default());
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let permit = check.keep(decision.permit());
        let permit = check.finish(permit)?;

        let reply = self.cognito.on(permit, call.deadline).get_user_pool_mfa_config().await?;
        Ok(Response::new(reply))
    }

    async fn set_user_pool_mfa_config(
        &self,
        request: Request<SetUserPoolMfaConfigRequest>,
    ) -> Result<Response<SetUserPoolMfaConfigResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let intent =
            Intent::new(Rpc::SetUserPoolMfaConfig, &request.user_pool_id, None, effect::of_pool_config(&request));
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let permit = check.keep(decision.permit());
        let config = PoolMfaConfig::parse(&mut check, request);
        let (permit, config) = check.finish(permit.zip(config))?;

        let reply = self.cognito.on(permit, call.deadline).set_user_pool_mfa_config(config).await?;
        Ok(Response::new(reply))
    }
}
