//! An emulator of Amazon Cognito user pools for development and tests.
//!
//! It speaks Cognito's `x-amz-json-1.1` protocol over HTTP on loopback, so AWS SDKs and the AWS CLI use it through
//! their endpoint option. Operations that AWS wants signed must carry a `SigV4` signature, which is not verified.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use cognito_emulator::{Emulator, Options, demo};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let emulator = Emulator::start(listener, Options { demo: true, ..Options::default() }).await?;
//! println!("{} has the pool {}", emulator.url(), demo::POOL_ID);
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! The README lists the operations, the control endpoints under `/_embedded/` (faults, time, sent codes) and the known
//! differences from AWS.

mod backend;
mod connection;
mod control;
pub mod demo;
mod emulator;
mod fault;
mod guard;
mod issuer;
mod model;
mod operation;
mod password;
mod protocol;
mod random;
mod server;
mod signer;
mod state;
mod store;
mod token;
mod totp;
mod webauthn;

pub use crate::emulator::{Emulator, Options, StartError};
pub use crate::guard::CONTROL_HEADER;
pub use crate::issuer::Issuer;
pub use crate::protocol::Failure;
pub use crate::server::parse;
