//! An emulator of Amazon Cognito user pools for development and tests.
//!
//! It speaks Cognito's `x-amz-json-1.1` protocol over HTTP on loopback, so AWS SDKs and the AWS CLI use it through their
//! endpoint option. Operations that AWS wants signed must carry a `SigV4` signature, which is not verified.
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
//! # Control endpoints
//! Tests reach through them what AWS reaches by other ways. They share the port of the operations; bodies are JSON.
//!
//! | request | effect |
//! |---|---|
//! | `PUT /_embedded/faults` | adds one fault or a list of them, and returns `{"ids": [...]}` |
//! | `GET /_embedded/faults` | lists the pending faults |
//! | `DELETE /_embedded/faults` | removes all faults, or the one of `?id=` |
//! | `POST /_embedded/token` | mints an access token: `{UserPoolId, Username, ClientId?, Scope?, ExpiresIn?}`; `ExpiresIn` is in seconds, and the token has expired if it is not positive |
//! | `GET /_embedded/totp?user_pool_id=&username=` | returns the current code of the user's authenticator app, verified or not, without using it up |
//! | `POST /_embedded/clock` | advances the emulator's clock: `{"advance_seconds": 180}` |
//! | `GET /_embedded/outbox` | lists the codes "sent" by SMS and e-mail; `?user_pool_id=` and `?username=` filter |
//! | `GET`, `DELETE /_embedded/requests` | lists the last requests with their bodies as received, or clears the list; `?operation=` filters |
//! | `POST /_embedded/user` | sets a status that no operation leads to: `{UserPoolId, Username, UserStatus}` |
//!
//! A fault is `{"kind": ...}` with these optional members: `operation`, `match` (members that the request must have; for
//! a request with an access token, `UserPoolId` and `Username` are those of the token), `count` (of requests), `delay_ms`
//! (before the response) and `perform` (whether the operation takes effect first). The kinds are `error` (`code`,
//! `message`, `status`), `throttling`, `latency`, `no_answer`, `reset`, `truncated_json`, `html` (a 503) and `replace`
//! (`body`). The header `x-mfagate-fault` carries a fault for its own request: such JSON, or just the name of an
//! exception.

mod backend;
mod connection;
mod control;
pub mod demo;
mod emulator;
mod fault;
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
pub use crate::protocol::Failure;
pub use crate::server::parse;
