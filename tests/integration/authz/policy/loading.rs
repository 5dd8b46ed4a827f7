//! Loading a policy set: every problem is found and named, and only a set without problems is used.

use mfagate::api::Rpc;
use mfagate::domain::Effect;

use super::{POOL, PolicyDirectory, client, decide, workload};

use crate::support::disk::make_fifo;

const PERMIT: &str = "permit (principal, action, resource);";

#[test]
fn an_empty_directory_is_refused() {
    assert_eq!(PolicyDirectory::empty().faults(), ["policies: holds no policy, so nobody could call anything"]);
}

#[test]
fn a_directory_whose_files_contain_no_policy_is_refused() {
    let directory = PolicyDirectory::with("// nothing yet\n").and("permit.cedar.bak", PERMIT);
    assert_eq!(directory.faults(), ["policies: holds no policy, so nobody could call anything"]);
}

#[test]
fn an_emptied_file_beside_others_is_refused_and_so_is_one_of_zeros() {
    let directory = PolicyDirectory::with(PERMIT).and("guard.cedar", "").and("notes.cedar", "// later\n");
    let holds_none = "holds no policy; remove the file if that is meant";
    assert_eq!(
        directory.faults(),
        [format!("policies/guard.cedar: {holds_none}"), format!("policies/notes.cedar: {holds_none}"),]
    );
    let directory = PolicyDirectory::with(PERMIT).and("guard.cedar", &"\0".repeat(512));
    assert!(directory.faults()[0].starts_with("policies/guard.cedar:1: "), "{:?}", directory.faults());
}

#[test]
fn groups_that_nest_too_deep_are_refused_before_anything_is_computed_of_them() {
    let chain = |length: usize| {
        let uid = |level: usize| format!(r#"{{ "type": "Mfagate::CallerGroup", "id": "g{level}" }}"#);
        let entity = |level: usize| {
            let parent = if level == 0 { String::new() } else { uid(level - 1) };
            format!(r#"{{ "uid": {}, "parents": [{parent}] }}"#, uid(level))
        };
        let json = format!("[{}]", (0..length).map(entity).collect::<Vec<_>>().join(",\n"));
        PolicyDirectory::with(PERMIT).and_entities(&json)
    };
    chain(33).load();
    for length in [34, 20_000] {
        let faults = chain(length).faults();
        assert!(faults.len() == 1 && faults[0].contains("nests groups deeper than 32 levels"), "{faults:?}");
    }
}

/// Loads on a thread with the stack of a worker of the runtime, on which an overflow would end the process.
fn faults_on_small_stack(condition: &str) -> Vec<String> {
    let directory = PolicyDirectory::with(&format!("\npermit (principal, action, resource) when {{ {condition} }};"));
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let load = move || directory.try_load().err().map_or_else(Vec::new, |_| directory.faults());
    thread.spawn(load).unwrap().join().unwrap()
}

#[test]
fn deep_nesting_is_refused_before_a_parser_sees_it() {
    for levels in [150, 585, 100_000] {
        for (open, close) in [("(", ")"), ("[", "]"), ("{a: ", "}"), ("(if true then ", " else false)")] {
            let condition = format!("{}true{}", open.repeat(levels), close.repeat(levels));
            let expected = "policies/policies.cedar:2: nests brackets deeper than 32 levels";
            assert_eq!(faults_on_small_stack(&condition), [expected], "{levels} {open}");
        }
    }
    let within = format!("{}true{}", "(".repeat(31), ")".repeat(31));
    assert_eq!(faults_on_small_stack(&within), [""; 0]);
}

#[test]
fn long_chains_are_refused_before_they_deny_everybody() {
    for operator in [" && ", " || "] {
        for length in [130, 20_000] {
            let faults = faults_on_small_stack(&vec!["principal.scopes.contains(\"a\")"; length].join(operator));
            assert!(faults.len() == 1 && faults[0].contains("nests expressions deeper than 128"), "{faults:?}");
        }
    }
    let faults = faults_on_small_stack(&format!("{}true", "!".repeat(20_000)));
    assert!(faults[0].contains("nests expressions"), "{faults:?}");
    let faults = faults_on_small_stack(&format!("{}true", "if context.legacy then true else ".repeat(20_000)));
    assert!(faults[0].contains("nests expressions"), "{faults:?}");
}

#[test]
fn a_long_chain_that_is_loaded_can_be_decided_by() {
    let chain = [r#"principal.scopes.contains("a")"#; 16].join(" && ");
    let policies = PolicyDirectory::with(&format!("permit (principal, action, resource) when {{ {chain} }};")).load();
    let asked = move || decide(&policies, &client("a", "issuer", &["a"], &[]), Rpc::GetUser, POOL);
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let decision = thread.spawn(asked).unwrap().join().unwrap();
    assert!(decision.allowed && decision.errors.is_empty(), "{decision:?}");
}

#[test]
fn a_missing_directory_is_refused() {
    let directory = PolicyDirectory::empty();
    std::fs::remove_dir(directory.path()).unwrap();
    assert!(directory.faults()[0].starts_with("policies: cannot be read: "), "{:?}", directory.faults());
}

#[test]
fn what_is_not_a_regular_file_is_refused_without_waiting() {
    let directory = PolicyDirectory::with(PERMIT);
    let fifo = directory.path().join("fifo.cedar");
    make_fifo(&fifo);
    std::fs::create_dir(directory.path().join("folder.cedar")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", directory.path().join("zero.cedar")).unwrap();
    let names = ["fifo", "folder", "zero"];
    let expected = names.map(|name| format!("policies/{name}.cedar: cannot be read: it is not a regular file"));
    assert_eq!(directory.faults(), expected);
}

#[test]
fn a_file_beyond_the_size_limit_is_refused() {
    let directory = PolicyDirectory::with(PERMIT).and("large.cedar", &"// ".repeat(2 * 1024 * 1024));
    assert_eq!(directory.faults(), ["policies/large.cedar: cannot be read: it is larger than 4 MiB"]);
}

#[test]
fn every_problem_is_named_with_its_file_and_line() {
    let directory = PolicyDirectory::empty()
        .and("a.cedar", "permit (principal, action, resource);\n\npermit (principal, action resource);\n")
        .and("b.cedar", "\n\nforbid (principal, action == Mfagate::Action::\"AdminGetUsers\", resource);\n")
        .and("c.cedar", "forbid (principal, action, resource)\nwhen {\n  context.weakens\n};\n")
        .and_entities("[\n  {\"uid\": 1}\n]");
    let faults = directory.faults();
    for place in ["policies/a.cedar:3: ", "policies/b.cedar:3: ", "policies/c.cedar:3: ", "entities.json:2: "] {
        assert!(faults.iter().any(|fault| fault.starts_with(place)), "no {place} in {faults:#?}");
    }
    assert!(faults.iter().any(|fault| fault.contains("AdminGetUsers")), "{faults:#?}");
}

#[test]
fn a_mistake_that_all_actions_share_is_named_once() {
    let directory = PolicyDirectory::with("forbid (principal, action, resource) when { context.weakens };");
    assert_eq!(directory.faults().len(), 1, "{:#?}", directory.faults());
}

/// Each of these is a guard with a typing mistake, which would guard nothing.
#[test]
fn policies_that_break_the_schema_are_refused() {
    let conditions = [
        ("an unknown factor", r#"context.factors_disabled.contains(Mfagate::Factor::"SOFTWARE_TOKEN")"#),
        ("a factor as a text", r#"context.factors_disabled.contains("SOFTWARE_TOKEN_MFA")"#),
        (
            "an unknown configuration",
            r#"context has mfa_configuration && context.mfa_configuration == Mfagate::MfaConfiguration::"off""#,
        ),
        ("an optional member taken for granted", r#"context.mfa_configuration == Mfagate::MfaConfiguration::"OFF""#),
        ("an optional attribute taken for granted", r#"principal.trust_domain == "example.org""#),
        ("a comparison across types", r#"principal.scopes == "mfagate/audit""#),
        ("what can never be", "resource is Mfagate::Service && resource is Mfagate::UserPool"),
        ("a condition that is none", "context.factors_enabled"),
    ];
    for (what, condition) in conditions {
        let policy = format!(
            "forbid (principal, action == Mfagate::Action::\"SetUserPoolMfaConfig\", resource) when {{ {condition} }};"
        );
        let refused = PolicyDirectory::with(&format!("{PERMIT}\n{policy}")).try_load().is_err();
        assert!(refused, "{what} was accepted");
    }
}

#[test]
fn scopes_that_break_the_schema_are_refused() {
    for scope in [
        r#"principal, action == Mfagate::Action::"DeleteEverything", resource"#,
        r#"principal, action in Mfagate::Action::"Reads", resource"#,
        r#"principal, action == Action::"AdminGetUser", resource"#,
        r#"principal == User::"alice", action, resource"#,
        r#"principal in Mfagate::UserPoolGroup::"shop", action, resource"#,
        r#"principal, action == Mfagate::Action::"AdminGetUser", resource is Mfagate::Service"#,
        r#"principal, action == Mfagate::Action::"ReadReflection", resource == Mfagate::Service::"other""#,
        "principal == ?principal, action, resource",
    ] {
        let directory = PolicyDirectory::with(&format!("{PERMIT}\npermit ({scope});"));
        assert!(directory.try_load().is_err(), "{scope} was accepted");
    }
}

#[test]
fn characters_that_hide_what_a_policy_says_are_refused() {
    let directory = PolicyDirectory::with(
        "permit (principal, action, resource) when { principal.scopes.contains(\"user\u{202e}nimda\") };",
    );
    assert!(directory.faults()[0].starts_with("policies/policies.cedar:1: "), "{:?}", directory.faults());
}

#[test]
fn a_group_that_a_policy_names_must_be_in_the_entities_file() {
    let policies = r#"
        @id("all") permit (principal, action, resource);
        @id("guard") forbid (principal in Mfagate::CallerGroup::"suport", action, resource)
        unless { resource in Mfagate::UserPoolGroup::"shop" };
    "#;
    let faults = PolicyDirectory::with(policies)
        .and_entities(r#"[{"uid": {"type": "Mfagate::CallerGroup", "id": "support"}}]"#)
        .faults();
    assert_eq!(
        faults,
        [
            r#"policies/policies.cedar:3: for policy `guard`, Mfagate::CallerGroup::"suport" is not listed in the entities file"#,
            r#"policies/policies.cedar:3: for policy `guard`, Mfagate::UserPoolGroup::"shop" is not listed in the entities file"#,
        ]
    );
}

#[test]
fn a_pool_that_a_policy_names_must_be_a_pool_id() {
    let faults = PolicyDirectory::with(
        r#"@id("guard") forbid (principal, action, resource == Mfagate::UserPool::"eu-west-1Shop01");"#,
    )
    .faults();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains(r#"Mfagate::UserPool::"eu-west-1Shop01" is not a user pool id"#), "{faults:#?}");
}

#[test]
fn ids_come_from_the_annotation_or_the_position() {
    let directory = PolicyDirectory::empty()
        .and(
            "one.cedar",
            "permit (principal, action, resource);\n@id(\"second\")\npermit (principal, action, resource);",
        )
        .and("two.cedar", PERMIT);
    let decision = decide(&directory.load(), &workload("a"), Rpc::GetUser, POOL);
    assert_eq!(decision.policy_ids, ["one.cedar#1", "second", "two.cedar#1"]);
}

#[test]
fn ids_that_are_taken_or_empty_are_refused() {
    let directory = PolicyDirectory::empty()
        .and("one.cedar", "@id(\"two.cedar#1\") permit (principal, action, resource);\n@id(\"\")\npermit (principal, action, resource);")
        .and("two.cedar", "\npermit (principal, action, resource);");
    assert_eq!(
        directory
            .faults()
            .iter()
            .map(|fault| fault.split(" by the policy").next().unwrap().to_owned())
            .collect::<Vec<_>>(),
        ["policies/one.cedar:2: @id is empty", "policies/two.cedar:2: the id \"two.cedar#1\" is taken"]
    );
}

#[test]
fn every_problem_in_the_entities_file_is_named() {
    let group = r#"{"uid": {"type": "Mfagate::CallerGroup", "id": "support"}}"#;
    for (rows, fault) in [
        (
            r#"{"uid": {"type": "Mfagate::Caller", "id": "a"}, "attrs": {"scopes": ["admin"]}}"#,
            "has attributes, which only a call can have",
        ),
        (
            r#"{"uid": {"type": "Mfagate::Caller", "id": "a"}, "parents": [{"type": "Mfagate::CallerGroup", "id": "suport"}]}"#,
            "which is not listed",
        ),
        (
            r#"{"uid": {"type": "Mfagate::Caller", "id": "a"}, "parents": [{"type": "Mfagate::Caller", "id": "a"}]}"#,
            "cannot be in",
        ),
        (
            r#"{"uid": {"type": "Mfagate::UserPool", "id": "eu-west-1_a"}, "parents": [{"type": "Mfagate::CallerGroup", "id": "support"}]}"#,
            "cannot be in",
        ),
        (r#"{"uid": {"type": "Mfagate::UserPool", "id": "eu-west-1"}}"#, "is not a user pool id"),
        (r#"{"uid": {"type": "Mfagate::Factor", "id": "SMS_MFA"}}"#, "cannot be listed"),
        (r#"{"uid": {"type": "Mfagate::Action", "id": "Read"}}"#, "cannot be listed"),
        (r#"{"uid": {"type": "Mfagate::CallerGroup", "id": "support"}}"#, "is listed twice"),
        (r#"{"uid": {"type": "Mfagate::Caller", "id": "a"}, "parent": []}"#, "unknown field `parent`"),
        (
            r#"{"uid": {"type": "Mfagate::CallerGroup", "id": "x"}, "parents": [{"type": "Mfagate::CallerGroup", "id": "x"}]}"#,
            "cycle",
        ),
    ] {
        let faults = PolicyDirectory::with(PERMIT).and_entities(&format!("[{group}, {rows}]")).faults();
        assert!(faults.len() == 1 && faults[0].contains(fault), "{rows} gave {faults:#?}");
    }
}

#[test]
fn a_missing_entities_file_is_refused() {
    let directory = PolicyDirectory::with(PERMIT);
    let missing = directory.path().join("entities.json");
    let error = mfagate::authz::policy::Policies::load(&directory.path(), Some(&missing)).unwrap_err();
    assert!(error.to_string().contains("entities.json: cannot be read"), "{error}");
}

#[test]
fn the_hash_depends_on_the_contents_and_not_on_the_location() {
    let entities = r#"[{"uid": {"type": "Mfagate::CallerGroup", "id": "support"}}]"#;
    let load = |text: &str, entities: Option<&str>| {
        let directory = PolicyDirectory::with(text);
        let directory = entities.into_iter().fold(directory, PolicyDirectory::and_entities);
        directory.load().hash().to_string()
    };
    let hash = load(PERMIT, None);
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert_eq!(hash, load(PERMIT, None));
    assert_ne!(hash, load(&format!("{PERMIT}\n"), None));
    assert_ne!(hash, load(PERMIT, Some(entities)));
    assert_ne!(load(PERMIT, Some("[]")), load(PERMIT, Some("[ ]")));
    let (split, whole) = (
        PolicyDirectory::empty().and("a.cedar", PERMIT).and("b.cedar", PERMIT).load(),
        PolicyDirectory::empty().and("a.cedar", &format!("{PERMIT}{PERMIT}")).load(),
    );
    assert_ne!(split.hash(), whole.hash());
    // Ids come from file names, and are recorded.
    let renamed = PolicyDirectory::empty().and("renamed.cedar", PERMIT).load();
    assert_ne!(renamed.hash().as_ref(), hash);
}

#[test]
fn a_thousand_policies_are_loaded_and_evaluated() {
    let policy = |number| {
        format!(
            "@id(\"p{number}\") permit (principal == Mfagate::Caller::\"c{number}\", action, resource) \
             unless {{ context.legacy }};\n"
        )
    };
    let policies: Vec<_> = (0..1000).map(policy).collect();
    let policies = policies.concat();
    let policies = PolicyDirectory::with(&policies).load();
    assert_eq!(policies.count(), 1000);
    for (caller, expected) in [("c0", Some("p0")), ("c999", Some("p999")), ("c1000", None)] {
        let decision = policies.decide(&workload(caller), Rpc::GetUser, POOL, &Effect::default());
        assert_eq!(decision.policy_ids.first().map(String::as_str), expected);
        assert_eq!(
            (decision.allowed, policies.precheck(&workload(caller), Rpc::GetUser)),
            (expected.is_some(), expected.is_some())
        );
    }
}
