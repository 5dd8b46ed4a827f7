//! The golden access table: what the real program with the example policies decides for every caller and every RPC.
//!
//! `UPDATE_GOLDEN=1 cargo test golden` rewrites it; review the difference as a change of access.

mod deployment;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use mfagate::api::{FILE_DESCRIPTOR_SET, Rpc};
use mfagate::authz::policy::Policies;
use mfagate::domain::{
    Caller, Effect, EndUserCredential, Factor, FactorConfiguration, MfaConfiguration, UserVerification,
};
use prost::Message as _;
use serde_json::Value;
use tonic::Status;
use tonic_types::StatusExt as _;

use self::deployment::{Connection, Deployment, callers};
use self::rows::Row;
use crate::authz::policy::example_policies;
use crate::support::rpc_call::operation;

const FILE: &str = "tests/integration/authz/golden/golden_access.txt";

const HEAD: &str = "\
# What examples/policies decide: every caller and every RPC, with what the request would do where that matters. Each cell
# is the response of `mfagate serve` to a call.
# eu and us are the pools eu-west-1_Shop01 and us-east-1_Shop01; lab is eu-central-1_Lab01, which is in no group.
# The auditor has a token of https://login.example.org, the false auditor one of another issuer that its mfagate trusts as
# well, and the untrusted the same token where it is not trusted; the anonymous caller has nothing, and the others a
# certificate for spiffe://example.org/ and their name.
# `deny early` is a denial before the body is read. Written by a test: UPDATE_GOLDEN=1 cargo test golden

";

/// The result of one call.
struct CallResult {
    id: String,
    result: Result<(), Status>,
}

/// Makes the calls of one caller: every row, then reflection. A request id names its cell.
async fn column(connection: Connection, rows: Arc<[Row]>, column: usize) -> Vec<CallResult> {
    let mut results = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let id = format!("golden-{column}-{number}");
        results.push(CallResult { result: row.send(&connection, &id).await, id });
    }
    let id = format!("golden-{column}-reflection");
    results.push(CallResult { result: connection.reflect(&id).await, id });
    results
}

/// The decision on a call, on which the caller's result and the audit log agree.
fn cell(result: &Result<(), Status>, record: &Value) -> &'static str {
    let reason = result.as_ref().err().and_then(|status| Some(status.get_error_details().error_info()?.reason.clone()));
    // Reflection has no effect, and is decided once.
    let early = record.get("effect").is_none() && record["rpc"] != "ServerReflection";
    match (reason.as_deref(), record["decision"].as_str()) {
        (Some("CALLER_UNAUTHENTICATED"), Some("unauthenticated")) => "unauthenticated",
        (Some("CALLER_FORBIDDEN"), Some("deny")) => {
            if early {
                "deny early"
            } else {
                "deny"
            }
        }
        (Some("CALLER_UNAUTHENTICATED" | "CALLER_FORBIDDEN"), _) | (_, Some("unauthenticated" | "deny") | None) => {
            panic!("returned {result:?} and recorded {record}")
        }
        (_, Some(_)) => {
            assert_eq!(record["decision"], "allow");
            "allow"
        }
    }
}

/// What the policies decide by themselves.
fn decided(policies: &Policies, caller: Option<&Caller>, row: &Row) -> &'static str {
    let Some(caller) = caller else { return "unauthenticated" };
    let in_reach = policies.precheck(caller, row.rpc);
    let decision = policies.decide(caller, row.rpc, row.pool, &row.effect());
    assert!(decision.errors.is_empty(), "{:?}", decision.errors);
    assert!(in_reach || !decision.allowed, "{} is denied {} early and would be allowed", caller.name, row.name());
    match (in_reach, decision.allowed) {
        (_, true) => "allow",
        (true, false) => "deny",
        (false, false) => "deny early",
    }
}

fn reflection_decided(policies: &Policies, caller: Option<&Caller>) -> &'static str {
    match caller {
        None => "unauthenticated",
        Some(caller) if policies.decide_reflection(caller).allowed => "allow",
        Some(_) => "deny",
    }
}

/// The effect that a record shows.
fn recorded_effect(record: &Value) -> Effect {
    let effect = &record["effect"];
    let text = |name: &str| effect.get(name).map(|text| text.as_str().unwrap().to_owned());
    let flag = |name: &str| effect[name].as_bool().unwrap();
    let factor = |name: &Value| {
        let all = [Factor::SmsMfa, Factor::SoftwareTokenMfa, Factor::EmailOtp, Factor::WebAuthn];
        all.into_iter().find(|factor| *name == factor.name()).unwrap()
    };
    let factors = |name: &str| effect[name].as_array().unwrap().iter().map(factor).collect();
    Effect {
        factors_enabled: factors("factors_enabled"),
        factors_disabled: factors("factors_disabled"),
        preferred: effect.get("preferred").map(factor),
        mfa_configuration: effect.get("mfa_configuration").map(|name| match name.as_str().unwrap() {
            "ON" => MfaConfiguration::On,
            "OPTIONAL" => MfaConfiguration::Optional,
            "OFF" => MfaConfiguration::Off,
            other => panic!("{other}"),
        }),
        sms_role_arn: text("sms_role_arn"),
        relying_party_id: text("relying_party_id"),
        user_verification: effect
            .get("user_verification")
            .map(|name| UserVerification::ALL.into_iter().find(|value| *name == value.name()).unwrap()),
        factor_configuration: effect
            .get("factor_configuration")
            .map(|name| FactorConfiguration::ALL.into_iter().find(|value| *name == value.name()).unwrap()),
        texts_changed: flag("texts_changed"),
        text_hashes: BTreeMap::new(),
        weakens_mfa: flag("weakens_mfa"),
        legacy: flag("legacy"),
        end_user: match (flag("for_signed_in_user"), flag("by_session")) {
            (false, false) => None,
            (true, by_session) => {
                Some(if by_session { EndUserCredential::Session } else { EndUserCredential::AccessToken })
            }
            (false, true) => panic!("a session without an end user: {record}"),
        },
    }
}

/// Checks that a record shows the call, and its effect if it was decided with one.
fn assert_shows(record: &Value, row: &Row) {
    assert_eq!(record["rpc"], row.rpc.name(), "{record}");
    if record.get("effect").is_some() {
        assert_eq!(record["user_pool_id"], row.pool, "{record}");
        assert_eq!(recorded_effect(record), row.effect(), "{record}");
    }
}

/// How often each Cognito operation was called.
async fn cognito_calls(deployment: &Deployment) -> BTreeMap<&'static str, usize> {
    let mut called = BTreeMap::new();
    for operation in Rpc::ALL.map(operation) {
        let requests = deployment.cognito().requests(operation).await.len();
        if requests > 0 {
            called.insert(operation, requests);
        }
    }
    called
}

/// Makes every call and renders the decisions. Policies, results, records and calls to Cognito must agree.
async fn table() -> String {
    let (policies, callers, rows) = (example_policies(), callers(), Arc::<[Row]>::from(Row::all()));
    let mut deployment = Deployment::start().await;
    let mut calling = Vec::new();
    for (number, caller) in callers.iter().enumerate() {
        let connection = deployment.connect(caller).await;
        calling.push(tokio::spawn(column(connection, Arc::clone(&rows), number)));
    }
    let mut columns = Vec::new();
    for column in calling {
        columns.push(column.await.unwrap());
    }
    let called = cognito_calls(&deployment).await;
    let decisions = deployment.stop().await;
    assert_eq!(decisions.len(), columns.iter().map(Vec::len).sum::<usize>(), "as many decisions as calls");

    let (mut cells, mut allowed) = (Vec::new(), BTreeMap::new());
    for (caller, column) in callers.iter().zip(&columns) {
        let identity = caller.identity.as_ref();
        let mut decided_cells = Vec::new();
        for (number, CallResult { id, result }) in column.iter().enumerate() {
            let [record] = decisions[id].as_slice() else { panic!("not one decision: {:?}", decisions[id]) };
            let cell = cell(result, record);
            let row = rows.get(number);
            let at = format!("{}, {}", caller.name, row.map_or_else(String::new, Row::name));
            assert_eq!(record["caller"].as_str(), identity.map(|identity| identity.name.as_str()), "{at}");
            match row {
                None => assert_eq!(cell, reflection_decided(&policies, identity), "{at}"),
                Some(row) => {
                    assert_eq!(cell, decided(&policies, identity, row), "{at}");
                    assert_shows(record, row);
                }
            }
            if row.is_some_and(|row| is_read_before(&policies, identity, row, cell)) {
                *allowed.entry(operation(Rpc::GetUserPoolMfaConfig)).or_insert(0) += 1;
            }
            if let ("allow", Some(operation)) = (cell, row.and_then(Row::operation)) {
                *allowed.entry(operation).or_insert(0) += 1;
            }
            decided_cells.push(cell);
        }
        cells.push(decided_cells);
    }
    assert_eq!(called, allowed, "Cognito was called for what was allowed");

    let names = rows.iter().map(Row::name).chain(["ReadReflection".to_owned()]);
    let mut lines = vec![line("", callers.iter().map(|caller| caller.name))];
    lines.extend(names.enumerate().map(|(row, name)| line(&name, cells.iter().map(|column| column[row]))));
    format!("{HEAD}{}\n", lines.join("\n"))
}

/// Whether Cognito is asked what is there before the decision: where a pool's configuration would be replaced, the request is
/// valid, and the caller may read the pool.
fn is_read_before(policies: &Policies, caller: Option<&Caller>, row: &Row, cell: &str) -> bool {
    let read = Rpc::GetUserPoolMfaConfig;
    row.rpc == Rpc::SetUserPoolMfaConfig
        && row.operation().is_some()
        && matches!(cell, "allow" | "deny")
        && caller.is_some_and(|caller| policies.decide(caller, read, row.pool, &Effect::default()).allowed)
}

fn line<'a>(name: &str, cells: impl Iterator<Item = &'a str>) -> String {
    let cells = cells.fold(String::new(), |cells, cell| cells + &format!("{cell:<18}"));
    format!("{name:<52}{cells}").trim_end().to_owned()
}

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_golden_access_table_is_what_the_examples_decide() {
    let table = table().await;
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(file(), &table).unwrap();
    }
    let golden = fs::read_to_string(file()).unwrap_or_default();
    let changes: Vec<_> = golden
        .lines()
        .map(|line| ('-', line))
        .filter(|(_, line)| !table.lines().any(|other| other == *line))
        .chain(table.lines().map(|line| ('+', line)).filter(|(_, line)| !golden.lines().any(|other| other == *line)))
        .map(|(sign, line)| format!("{sign} {line}\n"))
        .collect();
    assert!(
        golden == table,
        "access has changed; if it should, run UPDATE_GOLDEN=1 cargo test golden and have {FILE} reviewed:\n{}",
        changes.concat()
    );
}

/// Counted from the descriptors that reflection serves, and not from the table under test.
#[test]
fn the_golden_access_table_has_every_rpc_of_the_protos_and_nothing_else() {
    let descriptors = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut served: BTreeSet<_> = descriptors
        .file
        .iter()
        .filter(|file| file.package() == "mfagate.v1")
        .flat_map(|file| &file.service)
        .flat_map(|service| service.method.iter().map(|method| method.name().to_owned()))
        .collect();
    assert_eq!(served.len(), Rpc::ALL.len());
    served.insert("ReadReflection".to_owned());
    let golden = fs::read_to_string(file()).unwrap();
    let rows = golden.lines().skip_while(|line| !line.is_empty()).skip(2);
    let covered: BTreeSet<_> = rows.filter_map(|row| row.split([',', ' ']).next()).map(ToOwned::to_owned).collect();
    assert_eq!(covered, served);
}
