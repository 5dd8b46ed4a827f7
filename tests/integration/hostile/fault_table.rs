//! Every fault between mfagate and Cognito, met by every operation on fresh and reused connections: what the caller is told, and
//! when. `docs/faults.md` is rendered from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mfagate::api::Rpc;
use mfagate::api::v1::GetUserPoolMfaConfigRequest;
use mfagate::domain::{DeadlineLimits, Operation};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::support::faulty_proxy::{Fault, FaultyProxy};
use crate::support::loopback::unused_url;
use crate::support::rpc_call::{call_in_pool, unsigned_token};
use crate::support::test_cognito::TestCognito;
use crate::support::test_service::TestService;

use Code::{DeadlineExceeded, Internal, ResourceExhausted, Unavailable};

/// The time of a caller, or of an operation, that a fault uses up.
const SHORT: Duration = Duration::from_secs(1);
/// The time of one for which a fault is over sooner, also on a busy machine.
const LONG: Duration = Duration::from_secs(20);
/// How much later than its deadline a call may end on a busy machine.
const MARGIN: Duration = Duration::from_secs(3);

/// Services that start at a time, which takes more of the machine than to meet a fault.
const STARTS: usize = 4;
/// Calls at a time.
const CALLS: usize = 64;

/// A read, a change that may be repeated, and one that must not: they meet each fault on a fresh and on a reused connection, the
/// others on one of both.
const BOTH: [Rpc; 3] = [Rpc::AdminGetUser, Rpc::AdminSetUserMfaPreference, Rpc::AssociateSoftwareToken];

const UNREACHABLE: (Code, &str) = (Unavailable, "COGNITO_UNREACHABLE");
const UNREADABLE: (Code, &str) = (Internal, "COGNITO_ANSWER_UNREADABLE");
const UNAVAILABLE: (Code, &str) = (Unavailable, "COGNITO_UNAVAILABLE");
const EXCEEDED: (Code, &str) = (DeadlineExceeded, "DEADLINE_EXCEEDED");

/// Where a fault is.
#[derive(Clone, Debug)]
enum Place {
    /// No connection can be made to that URL.
    Connection(String),
    /// The listener is closed, and so is every connection.
    Refused,
    /// The connection, or what comes over it.
    Proxy(Fault),
}

/// A fault, and what a caller is told of it.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    place: Place,
    status: (Code, &'static str),
    /// Whether a change may have been made.
    unknown: bool,
}

/// What a call ended with: its code and reason, and `outcome`.
type Told = (Code, String, Option<String>);

fn rows(silent: &str) -> Vec<Row> {
    // A label of a name has 63 characters at most, so nothing is asked of a name server.
    let unknown_name = format!("https://{}.invalid", "a".repeat(64));
    let connection =
        |name, url: &str, status| Row { name, place: Place::Connection(url.to_owned()), status, unknown: false };
    let proxy = |name, fault, status| Row { name, place: Place::Proxy(fault), status, unknown: true };
    let cognito = |name, fault: Value, status| proxy(name, Fault::Cognito(fault), status);
    let refusal = |name, code: &str, status| Row {
        unknown: false,
        ..cognito(name, json!({ "kind": "error", "code": code, "perform": false }), status)
    };
    let error = |code: &str, status: u16| json!({ "kind": "error", "code": code, "status": status });
    vec![
        connection("the endpoint's name is not found", &unknown_name, UNREACHABLE),
        Row { name: "connections are refused", place: Place::Refused, status: UNREACHABLE, unknown: false },
        connection("connections are not accepted until the deadline", silent, EXCEEDED),
        proxy("nothing is read from the connection (black hole)", Fault::BlackHole, EXCEEDED),
        proxy("the peer is gone without a FIN (half-open)", Fault::HalfOpen, EXCEEDED),
        proxy("the response comes after the deadline", Fault::Late(SHORT * 10), EXCEEDED),
        proxy("the response drips", Fault::Drip(SHORT / 10), EXCEEDED),
        cognito("Cognito does not respond", json!({ "kind": "no_answer" }), EXCEEDED),
        proxy("FIN before the response", Fault::Close, UNREACHABLE),
        cognito("RST before the response", json!({ "kind": "reset" }), UNREACHABLE),
        proxy("RST in the body of the response", Fault::ResetInBody, UNREACHABLE),
        proxy("FIN before the end of the body: its length is too long", Fault::LengthTooLong, UNREACHABLE),
        proxy("the body goes on after its length", Fault::LengthTooShort, UNREADABLE),
        proxy("the body has no end", Fault::EndlessBody, UNREADABLE),
        cognito("the JSON breaks off", json!({ "kind": "truncated_json" }), UNREADABLE),
        cognito("HTTP 503 and a page, as from a load balancer", json!({ "kind": "html" }), UNAVAILABLE),
        cognito("`ServiceUnavailableException`, HTTP 503", error("ServiceUnavailableException", 503), UNAVAILABLE),
        cognito(
            "`InternalErrorException`, HTTP 500",
            error("InternalErrorException", 500),
            (Internal, "COGNITO_INTERNAL_ERROR"),
        ),
        Row {
            unknown: false,
            ..cognito(
                "`TooManyRequestsException`: a quota",
                json!({ "kind": "throttling" }),
                (ResourceExhausted, "RATE_LIMITED"),
            )
        },
        refusal("`LimitExceededException`", "LimitExceededException", (ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED")),
        refusal(
            "`AccessDeniedException`: mfagate's IAM policy",
            "AccessDeniedException",
            (Internal, "MFAGATE_ACCESS_DENIED"),
        ),
    ]
}

/// The operation behind an RPC.
fn behind(rpc: Rpc) -> Operation {
    let is_behind = |operation: &&Operation| operation.name().eq_ignore_ascii_case(rpc.name());
    *Operation::ALL.iter().find(is_behind).unwrap()
}

/// The column of an operation.
fn kind(operation: Operation) -> usize {
    usize::from(!operation.is_read()) + usize::from(!operation.is_idempotent())
}

/// Calls `rpc` with the fault, on a connection that is `reused` or not, and checks what the caller is told.
async fn meet(
    cognito_url: &str,
    starts: &Semaphore,
    row: &Row,
    region: usize,
    rpc: Rpc,
    reused: bool,
) -> Result<Told, String> {
    let pool = format!("us-faults-{region}_POOL");
    let token = unsigned_token(&pool);
    let proxy = match &row.place {
        Place::Connection(_) => None,
        Place::Refused if !reused => None,
        Place::Refused => Some(FaultyProxy::start(cognito_url, Fault::Close, reused).await),
        Place::Proxy(fault) => Some(FaultyProxy::start(cognito_url, fault.clone(), reused).await),
    };
    let url = match (&row.place, &proxy) {
        (_, Some(proxy)) => proxy.url.clone(),
        (Place::Connection(url), None) => url.clone(),
        (Place::Refused | Place::Proxy(_), None) => unused_url(),
    };
    let time = if row.status == EXCEEDED { SHORT } else { LONG };
    // A caller's deadline ends a change as one that may have been made, whatever it waits for.
    let (operation, caller) = if row.unknown { (LONG, time) } else { (time, LONG) };
    let deadlines = DeadlineLimits { default: caller, ..DeadlineLimits::default() };
    let starting = starts.acquire().await.unwrap();
    let service = TestService::with_times(&url, operation, deadlines).await;
    if let Some(proxy) = &proxy {
        let mut request = Request::new(GetUserPoolMfaConfigRequest { user_pool_id: pool.clone() });
        request.set_timeout(LONG);
        service.pool_configs().get_user_pool_mfa_config(request).await.map_err(|status| status.to_string())?;
        if let Place::Refused = row.place {
            proxy.refuse().await;
        }
    }
    drop(starting);
    let started = Instant::now();
    let answer = tokio::time::timeout(time + MARGIN, call_in_pool(&service, rpc, &pool, &token)).await;
    let answer = answer.map_err(|_| format!("nothing after {:?}", started.elapsed()))?;
    let told = told(&answer.err().ok_or("the call succeeded")?)?;
    let unknown = row.unknown && !rpc.is_read();
    let wanted = (row.status.0, row.status.1.to_owned(), unknown.then(|| "UNKNOWN".to_owned()));
    if told != wanted {
        return Err(format!("got {told:?}\n    wanted {wanted:?}"));
    }
    let tried = proxy.map_or(0, |proxy| proxy.requests() - 1);
    // A change that may have been made is read back once, which meets the same fault.
    let most = if behind(rpc).is_idempotent() { 3 + usize::from(unknown) } else { 1 };
    if tried > most { Err(format!("{tried} requests were sent")) } else { Ok(told) }
}

fn told(status: &Status) -> Result<Told, String> {
    let details = status.get_error_details();
    let info = details.error_info().ok_or_else(|| format!("no ErrorInfo in {status:?}"))?;
    Ok((status.code(), info.reason.clone(), info.metadata.get("outcome").cloned()))
}

/// A URL whose queue of connections is full and never emptied: the handshake of a further one is not answered.
async fn silent_url() -> (String, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(SHORT / 2, TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
    }
    // Never accepted from, and open as long as the tests run.
    Box::leak(Box::new(listener));
    (format!("http://{address}"), queued)
}

/// The rows of the document, once every operation has met every fault.
pub(crate) async fn rows_as_met() -> String {
    assert_eq!(Rpc::ALL.map(|rpc| behind(rpc).name()).into_iter().collect::<BTreeSet<_>>().len(), Operation::ALL.len());
    let cognito = TestCognito::start().await;
    let (silent, _queued) = silent_url().await;
    let rows = rows(&silent);
    let turns = Arc::new((Semaphore::new(STARTS), Semaphore::new(CALLS)));
    let mut calls = JoinSet::new();
    for (number, row) in rows.iter().enumerate() {
        for (position, rpc) in Rpc::ALL.into_iter().enumerate() {
            for reused in [false, true] {
                let wanted = BOTH.contains(&rpc) || reused == ((number + position) % 2 == 0);
                let possible = !reused || !matches!(row.place, Place::Connection(_));
                let only = !reused && matches!(row.place, Place::Connection(_));
                if !(wanted && possible || only) {
                    continue;
                }
                let (url, row, turns) = (cognito.url.clone(), row.clone(), Arc::clone(&turns));
                calls.spawn(async move {
                    let _turn = turns.1.acquire().await.unwrap();
                    let met = meet(&url, &turns.0, &row, number, rpc, reused).await;
                    let place = format!("{}, {}, {}", row.name, rpc.name(), if reused { "reused" } else { "fresh" });
                    met.map(|told| ((number, kind(behind(rpc))), told))
                        .map_err(|problem| format!("{place}:\n    {problem}"))
                });
            }
        }
    }
    let (met, wrong): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    let mut wrong: Vec<_> = wrong.into_iter().filter_map(Result::err).collect();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} calls:\n{}", wrong.len(), wrong.len() + met.len(), wrong.join("\n"));
    let met: BTreeMap<_, _> = met.into_iter().flatten().collect();
    let mut page = String::new();
    for (number, row) in rows.iter().enumerate() {
        let columns = [0, 1, 2].map(|kind| cell(&met[&(number, kind)]));
        writeln!(page, "| {} | {} |", row.name, columns.join(" | ")).unwrap();
    }
    page
}

fn cell((code, reason, outcome): &Told) -> String {
    let code = format!("{code:?}").chars().fold(String::new(), |name, letter| {
        let word = letter.is_uppercase() && !name.is_empty();
        name + if word { "_" } else { "" } + &letter.to_uppercase().to_string()
    });
    let outcome = outcome.as_ref().map_or_else(String::new, |outcome| format!(", `outcome` {outcome}"));
    format!("`{code}` `{reason}`{outcome}")
}
