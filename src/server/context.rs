//! The context of a call from its first moment: request id, deadline, and the span it is logged in.

use std::future::{Ready, ready};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use tower_http::request_id::{MakeRequestId, RequestId};
use tracing::{Span, field};

use crate::api::Rpc;
use crate::api::v1::ErrorReason;
use crate::domain::{self, CallerRequestId, Deadline, DeadlineLimits, Priority};
use crate::error::{Error, rejection};

/// The header of the request id: in a request the caller's own, in a response ours.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Generates our request id: 128 random bits. A caller's own may be that of many calls, or chosen to look like another's.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewRequestId;

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _request: &Request<B>) -> Option<RequestId> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).ok()?;
        HeaderValue::from_str(&data_encoding::HEXLOWER.encode(&random)).ok().map(RequestId::new)
    }
}

/// The header that says how urgent a call is.
const PRIORITY: &str = "x-mfagate-priority";

/// The mark of a request with a header that says nothing, and why that is refused. A caller whose `grpc-timeout` is not understood waits
/// for less time than it would be served for; one whose priority is not would find out under load.
#[derive(Clone, Copy, Debug)]
struct Malformed(&'static str);

/// Adds the deadline and the priority, and takes the caller's own request id off the headers, to make way for ours. One that could not be logged
/// as it is is dropped.
pub(super) fn prepare<B>(mut request: Request<B>, limits: DeadlineLimits) -> Request<B> {
    let mut timeouts = request.headers().get_all("grpc-timeout").iter();
    let timeout = match (timeouts.next(), timeouts.next()) {
        (None, _) => Some(None),
        (Some(timeout), None) => grpc_timeout(timeout).map(Some),
        (Some(_), Some(_)) => None,
    };
    match timeout {
        Some(timeout) => {
            request.extensions_mut().insert(limits.deadline(timeout));
        }
        None => drop(request.extensions_mut().insert(Malformed("grpc-timeout is malformed, or there twice"))),
    }
    let mut priorities = request.headers().get_all(PRIORITY).iter();
    match (priorities.next().map(|priority| Priority::parse(priority.as_bytes())), priorities.next()) {
        (None, _) => {}
        (Some(Some(priority)), None) => drop(request.extensions_mut().insert(priority)),
        _ => drop(
            request
                .extensions_mut()
                .insert(Malformed("x-mfagate-priority is neither interactive nor bulk, or there twice")),
        ),
    }
    let id = request.headers_mut().remove(REQUEST_ID);
    if let Some(id) = id.as_ref().and_then(|id| id.to_str().ok()).and_then(domain::RequestId::parse) {
        request.extensions_mut().insert(CallerRequestId(id));
    }
    request
}

/// Rejects a call whose timeout or priority is malformed or there twice, and a call without time at once: on the first poll, before
/// tonic's timer ends it as CANCELLED.
pub(super) fn check_deadline<B>(request: Request<B>) -> Ready<Result<Request<B>, Response<tonic::body::Body>>> {
    let deadline: Deadline = request.extensions().get().copied().unwrap_or_default();
    ready(if let Some(Malformed(why)) = request.extensions().get() {
        Err(rejection(Error::new(ErrorReason::RequestMalformed).cause(*why)))
    } else if deadline.is_spent() {
        let error = Error::new(ErrorReason::NoTimeLeft).cause("no time left when the call arrived");
        Err(rejection(error))
    } else {
        Ok(request)
    })
}

/// The value of a `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2). tonic ignores anything
/// else.
fn grpc_timeout(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?;
    let unit = value.chars().last().filter(char::is_ascii)?;
    let digits = value.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(number * 60 * 60)),
        'M' => Some(Duration::from_secs(number * 60)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        'u' => Some(Duration::from_micros(number)),
        'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The span of a call. The caller and the pool are added when they are known. A path that is none of ours is not
/// logged: a caller could write anything into it. At ERROR, so that no level of the log takes the context from what it shows.
pub(super) fn span<B>(request: &Request<B>) -> Span {
    let rpc = match request.uri().path() {
        path if path.starts_with("/grpc.health.") => "Health",
        path if path.starts_with("/grpc.reflection.") => "ServerReflection",
        path => Rpc::from_path(path).map_or("unknown", Rpc::name),
    };
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    let caller_id = request.extensions().get::<CallerRequestId>().map(|CallerRequestId(id)| id.as_str());
    tracing::error_span!(
        "call",
        rpc,
        request_id = id,
        caller_request_id = caller_id,
        caller = field::Empty,
        user_pool_id = field::Empty
    )
}

/// Logs the response; the cause of a failure is logged where it is known.
pub(super) fn log_response<B>(_response: &Response<B>, latency: Duration, _span: &Span) {
    tracing::debug!(?latency, "response sent");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(value: &str) -> Option<Duration> {
        grpc_timeout(&HeaderValue::from_bytes(value.as_bytes()).unwrap())
    }

    #[test]
    fn every_unit_of_a_timeout_is_read() {
        let rows = [
            ("2H", Duration::from_hours(2)),
            ("3M", Duration::from_mins(3)),
            ("4S", Duration::from_secs(4)),
            ("5m", Duration::from_millis(5)),
            ("6u", Duration::from_micros(6)),
            ("7n", Duration::from_nanos(7)),
            ("0n", Duration::ZERO),
            ("00000001S", Duration::from_secs(1)),
            ("99999999H", Duration::from_hours(99_999_999)),
        ];
        for (value, expected) in rows {
            assert_eq!(timeout(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_none() {
        for value in
            ["", "S", "5", "5s", "5h", "5x", "-5S", "+5S", "5 S", " 5S", "5S ", "1.5S", "100000000S", "5é", "٣S"]
        {
            assert_eq!(timeout(value), None, "{value:?}");
        }
        assert_eq!(grpc_timeout(&HeaderValue::from_bytes(b"5\xff").unwrap()), None);
    }

    #[test]
    fn a_deadline_has_a_default_and_a_maximum() {
        let limits = DeadlineLimits { default: Duration::from_secs(100), max: Duration::from_secs(1000) };
        for (timeout, expected) in [(None, 100), (Some("50S"), 50), (Some("99999999H"), 1000)] {
            let request = timeout
                .into_iter()
                .fold(Request::builder(), |request, timeout| request.header("grpc-timeout", timeout));
            let prepared = prepare(request.body(()).unwrap(), limits);
            let left = prepared.extensions().get::<Deadline>().unwrap().left(Duration::MAX).as_secs_f64();
            assert!(left <= f64::from(expected) && left > f64::from(expected) - 40.0, "{timeout:?}: {left}");
        }
    }

    #[test]
    fn request_ids_are_kept_up_to_128_plain_characters() {
        let id = |text: &str| {
            let request = Request::builder().header(REQUEST_ID, text.as_bytes()).body(()).unwrap();
            let prepared = prepare(request, DeadlineLimits::default());
            assert!(!prepared.headers().contains_key(REQUEST_ID));
            prepared.extensions().get::<CallerRequestId>().is_some_and(|CallerRequestId(kept)| kept.as_str() == text)
        };
        assert!(id("a") && id("1-b_C.d:e=f/g+h") && id(&"a".repeat(128)));
        for text in ["", "a b", "a,b", "a\"b", "a;b", "a\tb", "é", "a%b", "{a}", &"a".repeat(129)] {
            assert!(!id(text), "{text:?}");
        }
    }

    #[test]
    fn made_request_ids_differ() {
        let made = || NewRequestId.make_request_id(&Request::new(())).unwrap().header_value().clone();
        assert_ne!(made(), made());
        assert!(domain::RequestId::parse(made().to_str().unwrap()).is_some());
    }
}
