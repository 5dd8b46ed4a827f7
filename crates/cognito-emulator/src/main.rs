//! The program: an emulator from its options until SIGINT or SIGTERM.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cognito_emulator::{Emulator, Issuer, Options, demo};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// An emulator of Amazon Cognito user pools for development and tests.
#[derive(Debug, Parser)]
#[command(name = "cognito-emulator", version)]
struct Arguments {
    /// The address to listen on, which must be on loopback. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR", value_parser = loopback)]
    listen: SocketAddr,

    /// Keep the state in this file across restarts. Without it, the state is lost at shutdown.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// Create a demo pool with an app client and two users.
    #[arg(long)]
    demo: bool,

    /// Who tokens say that they are from: AWS, or this emulator.
    #[arg(long, default_value = "aws", value_name = "aws|embedded", value_parser = issuer)]
    issuer: Issuer,
}

fn issuer(text: &str) -> Result<Issuer, &'static str> {
    match text {
        "aws" => Ok(Issuer::Aws),
        "embedded" => Ok(Issuer::Embedded),
        _ => Err("must be aws or embedded"),
    }
}

fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr = text.parse().map_err(|_| "must be an IP address and a port")?;
    if address.ip().is_loopback() { Ok(address) } else { Err("must be on loopback, since callers are not authorized") }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "exiting");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { listen, data, demo, issuer } = arguments;
    // Before the address is printed, so that whoever has read it can end the program in good order.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let emulator = Emulator::start(listener, Options { data, demo, issuer }).await?;
    print_banner(&emulator.url(), demo)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("shutdown requested");
    emulator.shutdown().await;
    Ok(())
}

fn print_banner(url: &str, demo: bool) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "listening on {url}")?;
    if demo {
        let users = [demo::USERNAME, demo::NEW_USERNAME].join(" and ");
        writeln!(
            output,
            "demo pool {}, client {}, users {users}, password {}",
            demo::POOL_ID,
            demo::CLIENT_ID,
            demo::PASSWORD
        )?;
    }
    output.flush()
}
