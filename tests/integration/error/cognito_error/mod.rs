//! Every row of the table of Cognito's errors, raised behind a real RPC and read by a real client.
//!
//! The expectations are those of Cognito's documentation and of `error_reason.proto`, not of the code under test.

mod message;
mod modelled;
mod response;
mod unmodelled;

use std::collections::BTreeMap;

use mfagate::api::Rpc;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::refusal::{check_pushback, other_details};
use crate::support::rpc_call::{call, operation};
use crate::support::test_cognito::{TestCognito, USER};
use crate::support::test_service::TestService;

use Code::Unknown;

/// Part of every text that Cognito returns here; no caller may see it.
const MARKER: &str = "Upstream-Marker";

/// What Cognito returns to an RPC's operation, and what the caller of the RPC receives.
#[derive(Clone, Debug)]
struct Row {
    rpc: Rpc,
    cognito_code: &'static str,
    http_status: u16,
    text: &'static str,
    code: Code,
    reason: &'static str,
    fault: &'static str,
    detail: Option<&'static str>,
    retryable: bool,
    metadata: Option<(&'static str, &'static str)>,
}

fn row(rpc: Rpc, cognito_code: &'static str) -> Row {
    Row {
        rpc,
        cognito_code,
        http_status: 400,
        text: "",
        code: Unknown,
        reason: "",
        fault: "",
        detail: None,
        retryable: false,
        metadata: None,
    }
}

impl Row {
    fn saying(self, text: &'static str) -> Self {
        Self { text, ..self }
    }

    fn http(self, http_status: u16) -> Self {
        Self { http_status, ..self }
    }

    fn is(self, code: Code, reason: &'static str, fault: &'static str) -> Self {
        Self { code, reason, fault, ..self }
    }

    fn with(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    fn naming(self, key: &'static str, value: &'static str) -> Self {
        Self { metadata: Some((key, value)), ..self }
    }

    fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }

    /// What is wrong with the status, if anything is.
    fn compare(&self, status: &Status) -> Result<(), String> {
        let details = status.get_error_details();
        let info = details.error_info().ok_or("no ErrorInfo")?;
        let mut metadata: BTreeMap<&str, &str> =
            info.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let id = metadata.remove("aws_request_id").unwrap_or_default();
        let message = metadata.remove("cognito_message");
        let mut expected = BTreeMap::from([
            ("fault", self.fault),
            ("retryable", if self.retryable { "true" } else { "false" }),
            ("operation", operation(self.rpc)),
            ("cognito_code", self.cognito_code),
        ]);
        // Neither says that nothing was done.
        let unknown = ["COGNITO_INTERNAL_ERROR", "COGNITO_UNAVAILABLE"].contains(&self.reason) && !self.rpc.is_read();
        expected.extend(unknown.then_some(("outcome", "UNKNOWN")));
        expected.extend(self.metadata);
        let got = (status.code(), info.reason.as_str(), metadata, other_details(status));
        let wanted = (self.code, self.reason, expected, self.detail.into_iter().collect());
        if got != wanted {
            return Err(format!("got    {got:?}\n    wanted {wanted:?}"));
        }
        check_pushback(status);
        if id.is_empty() {
            return Err("no aws_request_id".to_owned());
        }
        let unrecognised = self.reason == "INVALID_PARAMETER" && self.cognito_code == "InvalidParameterException";
        if message.is_some() != unrecognised {
            return Err(format!("cognito_message is {message:?}"));
        }
        Ok(())
    }
}

/// Raises each row's error and compares the status; names every row that is wrong.
async fn check(rows: &[Row]) {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let mut wrong = Vec::new();
    for row in rows {
        inject(&service.cognito, row).await;
        let answer = call(&service, row.rpc, &token).await;
        service.cognito.clear_faults().await;
        let problem = match answer {
            Ok(()) => Err("the call succeeded".to_owned()),
            Err(status) => row.compare(&status).and_then(|()| match marker_count(&status) {
                0 => Ok(()),
                // In the message, in its copy among the details, and in `cognito_message`.
                3 if row.reason == "INVALID_PARAMETER" => Ok(()),
                _ => Err(format!("Cognito's text came through: {status:?}")),
            }),
        };
        if let Err(problem) = problem {
            wrong.push(format!("{} {} {:?}\n    {problem}", row.rpc.name(), row.cognito_code, row.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

async fn inject(cognito: &TestCognito, row: &Row) {
    let text = if row.text.is_empty() { MARKER.to_owned() } else { format!("{} {MARKER}", row.text) };
    cognito
        .inject_fault(json!({
            "kind": "error",
            "operation": operation(row.rpc),
            "code": row.cognito_code,
            "status": row.http_status,
            "message": text,
        }))
        .await;
}

/// How often the marker occurs in a status: in its text, its details and its headers.
fn marker_count(status: &Status) -> usize {
    let whole = format!("{}\n{}\n{:?}", status.message(), String::from_utf8_lossy(status.details()), status.metadata());
    whole.to_lowercase().matches(&MARKER.to_lowercase()).count()
}
