//! What Cognito receives against what is recorded, and what is on record in the end.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use http::Method;
use serde_json::Value;

use crate::process::chaos::NOT_READY;
use crate::process::chaos::reloading::OF_VERSION;
use crate::process::chaos::scene::Scene;
use crate::support::percentiles::Percentiles;
use crate::support::process::{Process, command_line};

/// What nearly all checks of health take less than.
const HEALTHY: Duration = Duration::from_secs(1);

/// The pause between two looks at what Cognito has received: far less than it takes to receive as much as it keeps.
const LOOKS: Duration = Duration::from_millis(200);

/// How often a change may be sent.
const TRIES: usize = 3;

/// The requests that the embedded Cognito keeps.
const KEPT_REQUESTS: usize = 512;

/// The changes that were allowed on record.
struct Decided {
    /// How often, by user.
    users: HashMap<String, usize>,
    /// The hashes of texts.
    texts: HashSet<String>,
}

/// What Cognito has received.
#[derive(Default)]
pub(super) struct Received {
    pub(super) ids: HashSet<String>,
    /// How often a change of a user was.
    pub(super) users: HashMap<String, usize>,
    pub(super) texts: HashSet<String>,
}

/// What the records are of.
#[derive(Debug, Default)]
struct Recorded {
    decisions: usize,
    /// Decisions that could not be recorded.
    lost: usize,
    /// Strangers that were counted together.
    refused: usize,
    /// The ids of changes by their callers, and the codes of their outcomes.
    outcomes: HashMap<String, String>,
    users: HashSet<String>,
    texts: HashSet<String>,
}

impl Scene {
    /// Compares what Cognito receives with what is recorded, until it is told to stop, and once more then. Returns what
    /// was received.
    pub(super) async fn audit(self: Arc<Self>) -> Received {
        let mut received = Received::default();
        loop {
            let last = self.stopped();
            // Before the records: what is received later has a record, too, but not yet in what was read.
            let requests = self.cognito.call(Method::GET, "/_embedded/requests", Value::Null).await;
            let requests = requests["Requests"].as_array().unwrap().iter();
            let fresh: Vec<_> = requests.filter(|request| received.is_new(request)).collect();
            if fresh.len() >= KEPT_REQUESTS {
                self.wrong("Cognito has forgotten requests before they were looked at".to_owned());
            }
            let decided = Decided::of(&self.audit_lines());
            for request in fresh {
                if let Err(problem) = received.add(request, &decided) {
                    self.wrong(problem);
                }
            }
            if last {
                return received;
            }
            tokio::time::sleep(LOOKS).await;
        }
    }

    /// Ends the process, and checks what it leaves behind.
    pub(super) async fn end(self, received: &Received) -> String {
        let reloads = *self.reloads.borrow();
        let probed = Percentiles::of(self.probed.into_inner().unwrap());
        assert!(probed.at(99) < HEALTHY, "checks of health {probed}");
        let exit = self.process.terminate().await;
        let missing: Vec<_> = exit.stderr.lines().filter(|line| line.contains(NOT_READY)).collect();
        assert!(missing.iter().all(|line| line.ends_with("missing=the audit log cannot be written")), "{missing:#?}");

        let files: Vec<_> = (1..=reloads).map(|number| format!("audit.jsonl.{number}")).collect();
        let files = files.into_iter().chain(["audit.jsonl".to_owned()]);
        let texts: Vec<_> = files.map(|file| (self.fixture.path(&file), self.fixture.read(&file))).collect();
        let options = ["--audit-chain-key-file".to_owned(), self.fixture.path("chain.key")];
        let paths = texts.iter().map(|(path, _)| path.clone());
        let options: Vec<_> = options.into_iter().chain(paths).collect();
        let verified = Process::run(&command_line(&["audit", "verify"], &options), &[]).await;
        assert!(verified.status.success(), "{verified:?}");

        let lines: Vec<_> = texts.iter().flat_map(|(_, text)| text.lines().map(str::to_owned)).collect();
        let recorded = Recorded::of(&lines);
        let calls = self.calls.into_inner().unwrap();
        for call in calls.iter().filter(|call| call.role.is_change() && call.reason == "OK") {
            assert_eq!(recorded.outcomes.get(&call.id).map(String::as_str), Some("OK"), "{call:?}");
        }
        // And whatever became of the others is on record, too.
        let unrecorded: Vec<_> = received.users.keys().filter(|user| !recorded.users.contains(*user)).collect();
        assert!(unrecorded.is_empty() && received.texts.is_subset(&recorded.texts), "{unrecorded:?}");
        let ended = |reasons: &[&str]| calls.iter().filter(|call| reasons.contains(&&*call.reason)).count();
        assert!(recorded.lost >= ended(&["AUDIT_UNAVAILABLE"]), "{recorded:?}");
        // Each call is recorded or counted, unless its time was up before that.
        let all = calls.len() + reloads * OF_VERSION;
        let counted = recorded.decisions + recorded.lost + recorded.refused;
        let late = ended(&["DEADLINE_EXCEEDED", "NO_TIME_LEFT"]) + reloads * OF_VERSION;
        assert!(
            counted <= all && counted + late >= all,
            "{all} calls, {late} maybe late: {counted} recorded or counted"
        );
        format!(
            "{all} calls: {} decisions recorded, {} lost, {} counted together; {} outcomes; {} requests of Cognito; checks of health \
             {probed}; {}",
            recorded.decisions,
            recorded.lost,
            recorded.refused,
            recorded.outcomes.len(),
            received.ids.len(),
            verified.stdout.lines().last().unwrap_or_default()
        )
    }

    /// The whole lines of all files, some of them twice if the log is rotated meanwhile. A line that was cut is none.
    fn audit_lines(&self) -> Vec<String> {
        // The latest first: it may be renamed while others are read.
        let read = |file: &str| fs::read_to_string(self.fixture.path(file)).ok();
        let mut texts = vec![read("audit.jsonl")];
        while let Some(text) = read(&format!("audit.jsonl.{}", texts.len())) {
            texts.push(Some(text));
        }
        texts.iter().flatten().flat_map(|text| text.lines()).map(str::to_owned).collect()
    }
}

impl Decided {
    fn of(lines: &[String]) -> Self {
        let (mut users, mut texts, mut seen) = (HashMap::<_, usize>::new(), HashSet::new(), HashSet::new());
        // Most are of reads: not worth parsing.
        for line in lines.iter().filter(|line| line.contains("\"allow\"") && line.contains("Set")) {
            let Ok(record) = serde_json::from_str::<Value>(line) else { continue };
            let id = record["request_id"].as_str().unwrap_or_default().to_owned();
            if record["kind"] != "decision" || record["decision"] != "allow" || !seen.insert(id) {
                continue;
            }
            if let Some(user) = record["username"].as_str() {
                *users.entry(user.to_owned()).or_default() += 1;
            }
            if let Some(text) = record["effect"]["texts_sha256"]["sms_authentication_message"].as_str() {
                texts.insert(text.to_owned());
            }
        }
        Self { users, texts }
    }
}

impl Received {
    fn is_new(&mut self, request: &Value) -> bool {
        self.ids.insert(request["RequestId"].as_str().unwrap().to_owned())
    }

    /// Adds a request, which must have been recorded if it is a change.
    fn add(&mut self, request: &Value, decided: &Decided) -> Result<(), String> {
        let body = &request["Body"];
        let is_decided = match request["Operation"].as_str() {
            Some("AdminSetUserMFAPreference") => {
                let user = body["Username"].as_str().unwrap();
                let received = self.users.entry(user.to_owned()).or_default();
                *received += 1;
                *received <= TRIES * decided.users.get(user).copied().unwrap_or_default()
            }
            Some("SetUserPoolMfaConfig") => {
                let text = sha256(body["SmsMfaConfiguration"]["SmsAuthenticationMessage"].as_str().unwrap());
                self.texts.insert(text.clone());
                decided.texts.contains(&text)
            }
            _ => true,
        };
        if is_decided { Ok(()) } else { Err(format!("{body} was sent without a decision on record")) }
    }
}

impl Recorded {
    fn of(lines: &[String]) -> Self {
        let (mut recorded, mut seen) = (Self::default(), HashSet::new());
        // A record that was cut is none.
        for record in lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
            let number = |field: &str| usize::try_from(record[field].as_u64().unwrap()).unwrap();
            let kind = text("kind");
            if kind == "decision" || kind == "mutation" {
                assert!(seen.insert((kind.clone(), text("request_id"))), "recorded twice: {record}");
            }
            match &*kind {
                "decision" => recorded.decisions += 1,
                "gap" => recorded.lost += number("decisions_lost"),
                "refusals" => recorded.refused += number("refused"),
                _ => {
                    recorded
                        .outcomes
                        .insert(text("caller_request_id"), record["outcome"]["code"].as_str().unwrap().to_owned());
                    recorded.users.insert(text("username"));
                    let sms = &record["effect"]["texts_sha256"]["sms_authentication_message"];
                    recorded.texts.insert(sms.as_str().unwrap_or_default().to_owned());
                }
            }
        }
        recorded
    }
}

/// How a text is recorded.
fn sha256(text: &str) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
