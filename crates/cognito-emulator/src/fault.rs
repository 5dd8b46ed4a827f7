//! Faults on demand: what goes wrong, for which requests, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::token;

/// The header that carries a fault for its own request.
pub(crate) const HEADER: &str = "x-embedded-fault";

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Only the delay: the operation is then performed as usual.
    Latency,
    /// An exception.
    Error {
        code: String,
        #[serde(default)]
        message: Option<String>,
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// `TooManyRequestsException`, as AWS sends it when a quota is exhausted.
    Throttling,
    /// No response, for as long as the client waits.
    NoAnswer,
    /// A TCP reset instead of a response.
    Reset,
    /// HTTP 200 and JSON that breaks off.
    TruncatedJson,
    /// HTTP 503 and a page, as from a proxy.
    Html,
    /// HTTP 200 and this JSON.
    Replace { body: Value },
}

/// A fault and the requests that it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// The operation, every one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// How many requests it is for, unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    /// Members that the request must have with these values.
    #[serde(default, rename = "match", skip_serializing_if = "Map::is_empty")]
    matching: Map<String, Value>,
    /// Whether the operation takes effect before the fault.
    #[serde(default)]
    pub(crate) perform: bool,
    #[serde(default)]
    delay_ms: u64,
    #[serde(flatten)]
    pub(crate) kind: Kind,
}

const fn bad_request() -> u16 {
    400
}

impl Fault {
    /// Parses a [`HEADER`]: JSON as in the control endpoint, or just the name of an exception.
    pub(crate) fn from_header(value: &str) -> Result<Self, serde_json::Error> {
        let value = value.trim();
        if value.starts_with('{') {
            return serde_json::from_str(value);
        }
        Ok(Self {
            operation: None,
            count: None,
            matching: Map::new(),
            perform: false,
            delay_ms: 0,
            kind: Kind::Error { code: value.to_owned(), message: None, status: bad_request() },
        })
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    fn is_for(&self, operation: &str, body: &Value) -> bool {
        self.operation.as_deref().is_none_or(|own| own == operation)
            && self.matching.iter().all(|(name, value)| member(body, name).as_ref() == Some(value))
    }
}

/// A member of the body. Pool and user of a request with an access token are those that the token claims.
fn member(body: &Value, name: &str) -> Option<Value> {
    if let Some(value) = body.get(name) {
        return Some(value.clone());
    }
    let (pool_id, username) = token::unverified_user(body.get("AccessToken")?.as_str()?)?;
    match name {
        "UserPoolId" => Some(Value::from(pool_id)),
        "Username" => Some(Value::from(username)),
        _ => None,
    }
}

/// The pending faults, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    next_id: u64,
    pending: Vec<(u64, Fault)>,
}

impl Faults {
    /// Adds a fault and returns its id.
    pub(crate) fn put(&mut self, fault: Fault) -> u64 {
        self.next_id += 1;
        self.pending.push((self.next_id, fault));
        self.next_id
    }

    /// Removes the fault of this id, or all of them.
    pub(crate) fn remove(&mut self, id: Option<u64>) {
        self.pending.retain(|(own, _)| id.is_some_and(|id| id != *own));
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = (u64, &Fault)> {
        self.pending.iter().map(|(id, fault)| (*id, fault))
    }

    /// Takes the first fault for this request, which uses up one of its count.
    pub(crate) fn take(&mut self, operation: &str, body: &Value) -> Option<Fault> {
        let position = self.pending.iter().position(|(_, fault)| fault.is_for(operation, body))?;
        let (_, fault) = self.pending.get_mut(position)?;
        let taken = fault.clone();
        if let Some(count) = &mut fault.count {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.pending.remove(position);
            }
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(json: Value) -> Fault {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_fault_is_used_up_after_its_count_and_only_on_its_requests() {
        let mut faults = Faults::default();
        faults.put(fault(json!({
            "operation": "AdminGetUser", "count": 2, "match": { "Username": "jane" }, "kind": "reset",
        })));
        let jane = json!({ "Username": "jane" });
        assert!(faults.take("AdminGetUser", &json!({ "Username": "joe" })).is_none());
        assert!(faults.take("AdminDeleteUser", &jane).is_none());
        assert_eq!(faults.take("AdminGetUser", &jane).unwrap().kind, Kind::Reset);
        assert!(faults.take("AdminGetUser", &jane).is_some());
        assert!(faults.take("AdminGetUser", &jane).is_none());
    }

    #[test]
    fn a_fault_is_removed_by_its_id_or_with_all_others() {
        let mut faults = Faults::default();
        let first = faults.put(fault(json!({ "kind": "html" })));
        faults.put(fault(json!({ "kind": "reset" })));
        faults.remove(Some(first));
        assert_eq!(faults.pending().map(|(id, _)| id).collect::<Vec<_>>(), [2]);
        faults.remove(None);
        assert_eq!(faults.pending().count(), 0);
    }

    #[test]
    fn a_header_is_an_exceptions_name_or_a_fault() {
        let named = Fault::from_header("ForbiddenException").unwrap();
        assert!(matches!(named.kind, Kind::Error { ref code, status: 400, .. } if code == "ForbiddenException"));
        let written = Fault::from_header(r#"{"kind":"html","delay_ms":5}"#).unwrap();
        assert_eq!((written.kind.clone(), written.delay()), (Kind::Html, Duration::from_millis(5)));
        assert!(Fault::from_header("{").is_err());
    }
}
