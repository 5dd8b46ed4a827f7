//! The gRPC server: middleware, services, health, reflection, graceful shutdown.

pub mod connection;
mod context;
mod drain;
mod layers;
mod response;
mod routes;
mod serve;
mod unary_body;

pub use serve::{ServeError, Service, serve};
