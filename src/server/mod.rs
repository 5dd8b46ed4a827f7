//! The gRPC server: middleware, services, health, reflection, graceful shutdown.

mod body_budget;
pub mod connection;
mod context;
mod drain;
mod error;
mod health;
mod late;
mod layers;
mod limits;
mod readiness;
mod response;
mod routes;
mod serve;
mod share;
mod unary_body;
mod worker;

pub use drain::DrainTimes;
pub use error::ServeError;
pub use limits::{BodyLimits, ServerLimits, WatchLimits};
pub use serve::{Service, serve, serve_with_workers};
