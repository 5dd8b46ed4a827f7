//! The golden access table: what the example policies decide for every caller and every RPC.
//!
//! `UPDATE_GOLDEN=1 cargo test golden` writes it anew; review the difference as a change of access.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use mfagate::access::policy::Policies;
use mfagate::access::{Caller, Effect, EndUserProof, Factor};
use mfagate::proto::{FILE_DESCRIPTOR_SET, Rpc};
use mfagate::request::pool_config::MfaConfiguration;
use prost::Message as _;

use super::{client, example_policies, workload};

const FILE: &str = "tests/service/golden_access.txt";

const HEAD: &str = "\
# What examples/policies decide: every caller and every RPC, with what the request would do where that matters.
# eu and us are the pools eu-west-1_Shop01 and us-east-1_Shop01; lab is eu-central-1_Lab01, which is in no group.
# The auditor has a token of https://login.example.org, the false auditor one of another issuer; the others but the
# anonymous caller have a certificate for spiffe://example.org/ and their name.
# `deny early` is a denial before the body is read. Written by a test: UPDATE_GOLDEN=1 cargo test golden

";

/// The callers of the examples, one that nobody knows, and one that proved nothing.
fn callers() -> Vec<(&'static str, Option<Caller>)> {
    let workload = |name: &str| Some(workload(&format!("spiffe://example.org/{name}")));
    let auditor = |issuer: &str| Some(client("3k9audit0client", issuer, &["mfagate/audit"], &[]));
    vec![
        ("account-settings", workload("account-settings")),
        ("support-tool", workload("support-tool")),
        ("onboarding-job", workload("onboarding-job")),
        ("platform-console", workload("platform-console")),
        ("security-console", workload("security-console")),
        ("engineer/alice", workload("engineer/alice")),
        ("auditor", auditor("https://login.example.org")),
        ("false auditor", auditor("https://login.example.net")),
        ("unknown", workload("unheard-of")),
        ("anonymous", None),
    ]
}

const POOLS: [(&str, &str); 3] =
    [("eu", "eu-west-1_Shop01"), ("us", "us-east-1_Shop01"), ("lab", "eu-central-1_Lab01")];

/// What requests of the RPC can do that a policy may care about. Matched in full, so that a new RPC must have its rows.
fn variants(rpc: Rpc) -> Vec<(&'static str, Effect)> {
    let factors = |factors: &[Factor]| factors.iter().copied().collect::<BTreeSet<_>>();
    let nothing = Effect::default();
    let user = Effect { end_user: Some(EndUserProof::AccessToken), ..nothing.clone() };
    let enables = |of: &Effect| {
        let enabled = factors(&[Factor::SoftwareTokenMfa]);
        ("enables TOTP", Effect { factors_enabled: enabled, preferred: Some(Factor::SoftwareTokenMfa), ..of.clone() })
    };
    let disables = |of: &Effect| {
        let disabled = factors(&[Factor::SoftwareTokenMfa]);
        ("disables TOTP", Effect { factors_disabled: disabled, weakens_mfa: true, ..of.clone() })
    };
    let pool =
        |name, mfa_configuration, weakens_mfa| (name, Effect { mfa_configuration, weakens_mfa, ..Effect::default() });
    match rpc {
        Rpc::AdminGetUser | Rpc::AdminGetUserAuthFactors | Rpc::GetUserPoolMfaConfig => vec![("", nothing)],
        Rpc::GetUser
        | Rpc::GetUserAuthFactors
        | Rpc::ListWebAuthnCredentials
        | Rpc::StartWebAuthnRegistration
        | Rpc::CompleteWebAuthnRegistration
        | Rpc::VerifySoftwareToken => vec![("", user)],
        Rpc::AdminSetUserMfaPreference => vec![enables(&nothing), disables(&nothing)],
        Rpc::SetUserMfaPreference => vec![enables(&user), disables(&user)],
        Rpc::AdminDeleteSoftwareToken => vec![("", Effect { weakens_mfa: true, ..nothing })],
        Rpc::DeleteWebAuthnCredential => vec![("", Effect { weakens_mfa: true, ..user })],
        Rpc::AdminSetUserSettings => vec![("", Effect { legacy: true, ..nothing })],
        Rpc::SetUserSettings => vec![("", Effect { legacy: true, ..user })],
        Rpc::AssociateSoftwareToken => {
            vec![("first", user.clone()), ("again", Effect { weakens_mfa: true, ..user })]
        }
        Rpc::SetUserPoolMfaConfig => vec![
            pool("ON", Some(MfaConfiguration::On), false),
            pool("OPTIONAL", Some(MfaConfiguration::Optional), true),
            pool("OFF", Some(MfaConfiguration::Off), true),
            pool("not stated", None, false),
        ],
    }
}

fn decided(policies: &Policies, caller: Option<&Caller>, rpc: Rpc, pool: &str, effect: &Effect) -> &'static str {
    let Some(caller) = caller else { return "unauthenticated" };
    let (in_reach, verdict) = (policies.may_ever(caller, rpc), policies.decide(caller, rpc, pool, effect));
    assert!(verdict.errors.is_empty(), "{:?}", verdict.errors);
    assert!(in_reach || !verdict.allowed, "{} is denied early to {} and would be allowed", rpc.name(), caller.name);
    match (in_reach, verdict.allowed) {
        (_, true) => "allow",
        (true, false) => "deny",
        (false, false) => "deny early",
    }
}

fn table() -> String {
    let policies = example_policies();
    let callers = callers();
    let mut lines = Vec::new();
    let mut row = |name: String, cells: Vec<&str>| {
        let cells = cells.into_iter().fold(String::new(), |cells, cell| cells + &format!("{cell:<18}"));
        lines.push(format!("{name:<52}{cells}"));
    };
    row(String::new(), callers.iter().map(|(name, _)| *name).collect());
    for rpc in Rpc::ALL {
        for (variant, effect) in variants(rpc) {
            for (short, pool) in POOLS {
                let name = [rpc.name(), variant, short].into_iter().filter(|part| !part.is_empty());
                let cells = callers.iter().map(|(_, who)| decided(&policies, who.as_ref(), rpc, pool, &effect));
                row(name.collect::<Vec<_>>().join(", "), cells.collect());
            }
        }
    }
    let reflection = callers.iter().map(|(_, caller)| match caller {
        None => "unauthenticated",
        Some(caller) if policies.decide_reflection(caller).allowed => "allow",
        Some(_) => "deny",
    });
    row("ReadReflection".to_owned(), reflection.collect());
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    format!("{HEAD}{}\n", lines.join("\n"))
}

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

#[test]
fn the_golden_access_table_is_what_the_examples_decide() {
    let table = table();
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

/// Counted from the descriptors that reflection serves, and not from the table that the proof is of.
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
