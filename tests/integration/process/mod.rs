//! The program as an operator sees it: options, start, reload, shutdown, log.

mod application_log;
mod call_log;
mod chaos;
mod check;
mod kills;
mod options;
mod probe;
mod proxy;
mod readiness;
mod reload;
mod restarts;
mod role;
mod serving;
mod shutdown;
mod soak;
pub(crate) mod without_credentials;
mod workers;
