//! The ids that tie the log, the audit record, traces and CloudTrail together.

use serde::Serialize;

/// The maximum length of an id, in characters.
const MAX_ID_LEN: usize = 128;

/// The id of a call: ours, or the caller's own if it is short and plain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// The id, unless it is longer than 128 characters or could not be logged as it is.
    pub fn parse(id: &str) -> Option<Self> {
        plain(id, b"-_.:=/+").then(|| Self(id.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The caller's own id of a call, as an extension of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerRequestId(pub RequestId);

/// The id that AWS gave a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AwsRequestId(String);

impl AwsRequestId {
    /// The id, unless it is not one of AWS, which has letters, digits and hyphens only.
    pub fn parse(id: &str) -> Option<Self> {
        plain(id, b"-").then(|| Self(id.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn plain(id: &str, others: &[u8]) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    (1..=MAX_ID_LEN).contains(&id.len()) && id.bytes().all(allowed)
}

/// The id of a trace (W3C Trace Context).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TraceId(String);

impl TraceId {
    /// The trace that a `traceparent` header names: `version-trace_id-parent_id-flags`, lower-case hexadecimal.
    ///
    /// Versions after 00 may have more fields; ff is not one, and ids of zeros are none.
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut fields = header.split('-');
        let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let hexadecimal = |field: &str, length: usize| {
            field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let zero = |field: &str| field.bytes().all(|byte| byte == b'0');
        let formed =
            hexadecimal(version, 2) && hexadecimal(trace, 32) && hexadecimal(parent, 16) && hexadecimal(flags, 2);
        let more = fields.next().is_some();
        (formed && version != "ff" && !(version == "00" && more) && !zero(trace) && !zero(parent))
            .then(|| Self(trace.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_taken_from_a_traceparent_of_the_w3c_only() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let of = |header: &str| TraceId::from_traceparent(header).map(|id| id.0);
        assert_eq!(of(&format!("00-{TRACE}-00f067aa0ba902b7-01")).as_deref(), Some(TRACE));
        assert_eq!(of(&format!("01-{TRACE}-00f067aa0ba902b7-01-more")).as_deref(), Some(TRACE));
        for header in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{}é-00f067aa0ba902b7-01", "a".repeat(30)),
        ] {
            assert_eq!(of(&header), None, "{header}");
        }
    }

    #[test]
    fn ids_that_could_hold_anything_are_not_taken() {
        assert!(RequestId::parse("7f3a-9.x:y=z/a+b_c").is_some());
        assert!(AwsRequestId::parse("4a1f3b52-0b1e-4b7e-9d5b-2f3c1f0a9b7d").is_some());
        for id in ["", "a b", "a\nb", "ä", "\"", &"a".repeat(129)] {
            assert_eq!(RequestId::parse(id), None, "{id:?}");
            assert_eq!(AwsRequestId::parse(id), None, "{id:?}");
        }
        assert_eq!(AwsRequestId::parse("eyJh.eyJi.c2ln"), None);
    }
}
