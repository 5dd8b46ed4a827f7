//! The RPC handlers without a network and without a Cognito, and the fields of a request that they refuse.

use std::time::Duration;

use mfagate::authz::Gate;
use mfagate::cognito::{Cognito, Credentials, Endpoint};
use mfagate::error;
use mfagate::service::Facade;
use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::support::refusal::violated_fields;

/// The handlers, and a runtime for them.
pub(crate) struct HandlerHarness {
    pub(crate) facade: Facade,
    runtime: Runtime,
}

impl HandlerHarness {
    /// Nothing is ever sent: every operation is out of time.
    pub(crate) fn new() -> Self {
        let nowhere = Endpoint::Url("http://127.0.0.1:9".to_owned());
        let cognito = Cognito::new(nowhere, Credentials::for_development(), Duration::ZERO);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { facade: Facade::new(Gate::AllowAll, cognito), runtime }
    }

    /// The paths of the refused fields, sorted; none if the request would be sent to Cognito.
    pub(crate) fn refused_fields<T: std::fmt::Debug>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Vec<String> {
        let status = self.runtime.block_on(call).unwrap_err();
        let status = error::render(&status.into_http::<String>(), "").unwrap();
        let details = status.get_error_details();
        let reason = details.error_info().unwrap().reason.as_str();
        let mut fields = violated_fields(&details);
        match (status.code(), reason) {
            (Code::InvalidArgument, "REQUEST_INVALID") => names_the_first_field(&status, &details),
            // A token that names no pool is well formed; Cognito would refuse it.
            (Code::DeadlineExceeded, "NO_TIME_LEFT") | (Code::Unauthenticated, "USER_TOKEN_REJECTED") => {
                assert!(fields.is_empty(), "{status:?}");
            }
            _ => panic!("neither refused nor sent on: {status:?}"),
        }
        fields.sort();
        let count = fields.len();
        fields.dedup();
        assert_eq!(fields.len(), count, "a field is named twice in {fields:?}");
        fields
    }
}

/// Checks that the message alone names the first field and what it must be, as a sentence, and counts the others.
fn names_the_first_field(status: &Status, details: &ErrorDetails) {
    let violations = &details.bad_request().unwrap().field_violations;
    let described = |description: &str| description.starts_with("must ") || description.starts_with("is required");
    // The last one can be a count of those that are not listed.
    for violation in violations.iter().filter(|violation| !violation.field.is_empty()) {
        assert!(described(&violation.description) && !violation.description.ends_with('.'), "{violation:?}");
    }
    // A violation of the whole message has no field.
    let first = format!("{} {}", violations[0].field, violations[0].description);
    let first = format!("invalid request: {}", first.trim_start());
    let others = status.message().strip_prefix(&first).unwrap_or_else(|| panic!("{status:?}"));
    let counted = others.is_empty() || others.starts_with(" (and ") && others.ends_with(" more)");
    assert!(counted && others.is_empty() == (violations.len() == 1), "{status:?}");
}
