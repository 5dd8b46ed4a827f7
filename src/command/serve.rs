//! This file is `mfagate serve`: the service with mfagate's own credentials.

use tokio::net::TcpListener;

use crate::access::Gate;
use crate::cognito::{Cognito, Credentials};
use crate::command::{CommandError, signal};
use crate::config::{Common, Serve};
use crate::server;
use crate::service::Facade;

/// Serves until SIGINT or SIGTERM.
pub async fn serve(options: Serve) -> Result<(), CommandError> {
    let Serve { listen, cognito_endpoint, common } = options;
    let Common { operation_timeout, drain_timeout } = common;
    let (end, at_once) = signal::ends().map_err(CommandError::Signal)?;

    let endpoint = cognito_endpoint.into_endpoint();
    tracing::info!(?endpoint, "cognito endpoint");
    let cognito = Cognito::new(endpoint, Credentials::from_environment().await, operation_timeout);
    let listener = TcpListener::bind(listen.0).await.map_err(|error| CommandError::Listen(listen.0, error))?;
    tokio::select! {
        served = server::serve(listener, Facade::new(Gate::Open, cognito), drain_timeout, end) => {
            served.map_err(CommandError::Serve)
        }
        () = at_once => Ok(()),
    }
}
