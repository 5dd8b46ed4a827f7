//! `mfagate probe`: asks a server for its health. Exit codes and output are those of `grpc_health_probe`.

mod connection;
mod error;
mod server_preface;
mod tls;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Instant;

use tokio::time;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::Probe;

pub use error::ProbeError;

/// Succeeds if the server is serving, and says the result either way.
pub async fn probe(options: Probe) -> Result<(), ProbeError> {
    if options.verbose {
        say(parsed(&options));
    }
    let result = check(&options).await;
    match &result {
        Ok(()) => say(format_args!("status: {}", ServingStatus::Serving.as_str_name())),
        Err(error) => say(error),
    }
    result
}

/// Everything goes to standard error, as with `grpc_health_probe`. If that fails, there is nowhere else to say it.
fn say(line: impl Display) {
    let _: io::Result<()> = writeln!(io::stderr(), "{line}");
}

/// The options, without the values of headers.
fn parsed(options: &Probe) -> String {
    let Probe { addr, service, connect_timeout, rpc_timeout, rpc_header, user_agent: _, tls, verbose: _ } = options;
    let headers = rpc_header.iter().map(|header| header.name.as_str()).collect::<Vec<_>>().join(", ");
    format!(
        "parsed options:\n> addr={addr} service={service} conn_timeout={connect_timeout:?} rpc_timeout={rpc_timeout:?}\n\
         > headers: {headers}\n> tls={} no-verify={} ca-cert={:?} client-cert={:?} client-key={:?} server-name={:?}",
        tls.tls, tls.tls_no_verify, tls.tls_ca_cert, tls.tls_client_cert, tls.tls_client_key, tls.tls_server_name
    )
}

async fn check(options: &Probe) -> Result<(), ProbeError> {
    let tls = options.tls.tls.then(|| tls::Tls::load(options)).transpose()?;
    if options.verbose {
        say("establishing connection");
    }
    let start = Instant::now();
    let channel = connection::connect(options, tls.as_ref()).await?;
    let connect = start.elapsed();
    if options.verbose {
        say(format_args!("connection established (took {connect:?})"));
    }

    let mut request = Request::new(HealthCheckRequest { service: options.service.clone() });
    let headers = request.metadata_mut().as_mut();
    for header in &options.rpc_header {
        headers.append(header.name.clone(), header.value.clone());
    }
    request.set_timeout(options.rpc_timeout);
    let start = Instant::now();
    let response = time::timeout(options.rpc_timeout, HealthClient::new(channel).check(request)).await;
    let response = response.map_err(|_| ProbeError::RpcTimeout(options.rpc_timeout))?;
    let response = response.map_err(|status| ProbeError::of(&status, options.rpc_timeout))?.into_inner();
    let rpc = start.elapsed();

    let status = response.status();
    if status != ServingStatus::Serving {
        return Err(ProbeError::Unhealthy(status));
    }
    if options.verbose {
        say(format_args!("time elapsed: connect={connect:?} rpc={rpc:?}"));
    }
    Ok(())
}
