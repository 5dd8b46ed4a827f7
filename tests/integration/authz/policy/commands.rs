//! The policy commands' logic: the schema, explanations, and tables of expected decisions.

use std::fs;

use mfagate::authz::policy::{ContextArg, Policies, Query, QueryArgs, TableReport, explain, schema_text, test_table};
use mfagate::domain::{EndUserCredential, Factor};

use super::{PolicyDirectory, example_directory, example_policies};

fn context_args(context: &[&str]) -> Vec<ContextArg> {
    context.iter().map(|argument| argument.parse().unwrap()).collect()
}

fn query(policies: &Policies, caller: &str, action: &str, pool: &str, context: &[&str]) -> Query {
    let words = QueryArgs {
        caller: caller.to_owned(),
        action: action.to_owned(),
        pool: Some(pool.to_owned()),
        context: context_args(context),
        ..QueryArgs::default()
    };
    Query::parse(&words, policies).unwrap()
}

fn run_table(text: &str) -> Result<TableReport, String> {
    let directory = PolicyDirectory::empty();
    let file = directory.path().join("table.toml");
    fs::write(&file, text).unwrap();
    let root = format!("{}/", directory.path().display());
    let clean = |text: String| text.replace(&root, "");
    test_table(&example_policies(), &file)
        .map(|report| TableReport { mismatches: report.mismatches.into_iter().map(clean).collect(), ..report })
        .map_err(|error| error.to_string().replace(&root, ""))
}

#[test]
fn the_schema_is_printed_with_its_comments() {
    assert!(schema_text().contains("namespace Mfagate {"));
    assert!(schema_text().contains("// A caller of mfagate."));
}

#[test]
fn the_examples_decide_as_their_table_says() {
    let report = test_table(&example_policies(), &example_directory().join("decisions.toml")).unwrap();
    assert!(report.passed(), "{}", report.text());
    assert_eq!(report.text(), format!("{} decisions, 0 not as expected\n", report.expected));
}

#[test]
fn support_may_reset_totp_in_the_eu_pools() {
    let policies = example_policies();
    let ask = |pool| {
        query(&policies, "spiffe://example.org/support-tool", "AdminDeleteSoftwareToken", pool, &[]).ask(&policies)
    };
    assert!(ask("eu-west-1_Shop01").allowed && ask("eu-central-1_Lab01").allowed);
    assert!(!ask("us-east-1_Shop01").allowed && !ask("ap-south-1_eu").allowed && !ask("").allowed);
}

#[test]
fn support_never_turns_mfa_off_whatever_else_is_permitted() {
    // Even a careless permit for everything leaves the guard in place.
    let examples = example_directory();
    let mut directory = PolicyDirectory::with("permit (principal, action, resource);");
    for name in ["guards.cedar", "support.cedar"] {
        directory = directory.and(name, &fs::read_to_string(examples.join(name)).unwrap());
    }
    let policies = directory.and_entities(&fs::read_to_string(examples.join("entities.json")).unwrap()).load();
    let ask = |configuration: &str| {
        let context = format!("mfa_configuration={configuration}");
        let pool = "eu-west-1_Shop01";
        query(&policies, "spiffe://example.org/support-tool", "SetUserPoolMfaConfig", pool, &[&context]).ask(&policies)
    };
    assert_eq!((ask("OFF").allowed, ask("OFF").policy_ids), (false, vec!["never-switch-mfa-off".to_owned()]));
    assert!(ask("ON").allowed && ask("OPTIONAL").allowed);
}

#[test]
fn an_explanation_shows_the_policies_that_decided_with_text_and_place() {
    let policies = example_policies();
    let caller = "spiffe://example.org/support-tool";
    let allowed = explain(&policies, &query(&policies, caller, "AdminDeleteSoftwareToken", "eu-west-1_Shop01", &[]));
    assert!(allowed.starts_with("allow\n"), "{allowed}");
    for part in [
        "groups    [\"support\"]",
        "texts_changed=false weakens_mfa=true legacy=false for_signed_in_user=false by_session=false",
        "support-resets-totp-in-the-eu  (",
        "examples/policies/support.cedar:2)\n@id(\"support-resets-totp-in-the-eu\")\npermit (",
        "when { resource.region like \"eu-*\" };",
        policies.hash(),
    ] {
        assert!(allowed.contains(part), "no {part} in {allowed}");
    }
    let forbidden = explain(
        &policies,
        &query(&policies, caller, "SetUserPoolMfaConfig", "eu-west-1_Shop01", &["mfa_configuration=OFF"]),
    );
    assert!(
        forbidden.starts_with("deny\n") && forbidden.contains("Forbidden by:\n\nnever-switch-mfa-off"),
        "{forbidden}"
    );
}

#[test]
fn an_explanation_of_a_denial_tells_a_near_miss_from_none() {
    let policies = example_policies();
    let caller = "spiffe://example.org/support-tool";
    let near = explain(&policies, &query(&policies, caller, "AdminDeleteSoftwareToken", "us-east-1_Shop01", &[]));
    assert!(near.contains("on other pools or conditions:\n\nsupport-resets-totp-in-the-eu"), "{near}");
    let none = explain(&policies, &query(&policies, caller, "AdminSetUserMfaPreference", "eu-west-1_Shop01", &[]));
    assert!(none.contains("no policy permits this caller this action"), "{none}");
}

#[test]
fn an_explanation_shows_a_policy_that_failed_and_escapes_names() {
    let policies = PolicyDirectory::with(
        "@id(\"o\") permit (principal, action, resource) when { 9223372036854775807 + 1 == 0 || context.legacy };",
    )
    .load();
    let text = explain(&policies, &query(&policies, "a\u{1b}[31m\nallow", "GetUser", "eu-west-1_a", &[]));
    assert!(text.starts_with("deny\n") && text.contains("could not be evaluated"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.lines().skip(1).any(|line| line.starts_with("allow")), "{text}");
}

#[test]
fn every_invalid_argument_of_a_query_is_named() {
    let policies = example_policies();
    let refuse = |words: QueryArgs| Query::parse(&words, &policies).unwrap_err().to_string();
    let words = |action: &str, pool: Option<&str>| QueryArgs {
        caller: "a".to_owned(),
        action: action.to_owned(),
        pool: pool.map(ToOwned::to_owned),
        ..QueryArgs::default()
    };
    assert!(refuse(words("Read", Some("p"))).contains("\"Read\" is no permission"));
    assert!(refuse(words("GetUser", None)).contains("is on a pool, which is missing"));
    assert!(refuse(words("ReadReflection", Some("p"))).contains("is on no pool"));
    let context = context_args(&["preferred=TOTP", "factors_enabled=SMS_MFA,X", "mfa_configuration=off"]);
    let error = refuse(QueryArgs { caller: String::new(), context, ..words("GetUser", Some("p")) });
    for part in
        ["the caller has no name", "\"TOTP\" is no factor", "\"X\" is no factor", "\"off\" is no MFA configuration"]
    {
        assert!(error.contains(part), "no {part} in {error}");
    }
    let context = context_args(&["legacy", "weakens_mfa=yes", "wekens_mfa=true", "legacy=true", "legacy=true"]);
    let error = refuse(QueryArgs { context, ..words("GetUser", Some("p")) });
    for part in ["\"legacy\" must be key=value", "must be true or false", "\"wekens_mfa\" is not in", "is given twice"]
    {
        assert!(error.contains(part), "no {part} in {error}");
    }
}

#[test]
fn a_query_can_be_about_a_caller_with_a_certificate_and_a_token() {
    let policies = PolicyDirectory::with(
        r#"permit (principal, action, resource) when { principal has token && principal.token == "alice" };"#,
    )
    .load();
    let ask = |caller: &str, token: Option<&str>| {
        let words = QueryArgs {
            caller: caller.to_owned(),
            token: token.map(ToOwned::to_owned),
            action: "GetUser".to_owned(),
            pool: Some("eu-west-1_a".to_owned()),
            ..QueryArgs::default()
        };
        Query::parse(&words, &policies).map(|query| query.ask(&policies).allowed).map_err(|e| e.to_string())
    };
    assert_eq!(ask("spiffe://example.org/desk", Some("alice")), Ok(true));
    assert_eq!(ask("spiffe://example.org/desk", Some("bob")), Ok(false));
    assert_eq!(ask("spiffe://example.org/desk", None), Ok(false));
    assert_eq!(ask("alice", None), Ok(true));
    assert!(ask("bob", Some("alice")).unwrap_err().contains("has no certificate"));
}

#[test]
fn an_action_implies_what_its_context_leaves_out() {
    let policies = example_policies();
    let effect = |action: &str, context: &[&str]| query(&policies, "a", action, "eu-west-1_a", context).effect;
    assert!(effect("SetUserSettings", &[]).legacy && effect("SetUserSettings", &[]).end_user.is_some());
    assert!(!effect("SetUserSettings", &["legacy=false"]).legacy);
    assert_eq!(effect("VerifySoftwareToken", &["by_session=true"]).end_user, Some(EndUserCredential::Session));
    assert_eq!(effect("VerifySoftwareToken", &[]).end_user, Some(EndUserCredential::AccessToken));
    assert!(effect("DeleteWebAuthnCredential", &[]).weakens_mfa);
    assert!(effect("AdminSetUserMfaPreference", &["factors_disabled=SMS_MFA"]).weakens_mfa);
    assert!(effect("SetUserPoolMfaConfig", &["mfa_configuration=OPTIONAL"]).weakens_mfa);
    assert!(effect("SetUserPoolMfaConfig", &[]).weakens_mfa);
    // A pool's configuration is replaced as a whole.
    let on = ["mfa_configuration=ON", "factors_enabled=SMS_MFA,SOFTWARE_TOKEN_MFA,EMAIL_OTP"];
    assert_eq!(effect("SetUserPoolMfaConfig", &on).factors_disabled, [Factor::WebAuthn].into());
    assert!(effect("SetUserPoolMfaConfig", &on).weakens_mfa);
    assert!(!effect("SetUserPoolMfaConfig", &[on[0], on[1], "factors_disabled="]).weakens_mfa);
    assert!(effect("SetUserPoolMfaConfig", &["mfa_configuration=OFF", "factors_disabled="]).weakens_mfa);
}

#[test]
fn a_table_reports_every_decision_that_differs() {
    let row = |title: &str, pool: &str, rest: &str| {
        format!(
            "[[decision]]\ntitle = \"{title}\"\ncaller = \"spiffe://example.org/support-tool\"\n\
             action = \"AdminDeleteSoftwareToken\"\npool = \"{pool}\"\n{rest}\n"
        )
    };
    let table = [
        row("right", "eu-west-1_a", "expect = \"allow\""),
        row("wrong", "us-east-1_a", "expect = \"allow\""),
        row("by another", "eu-west-1_a", "expect = \"allow\"\npolicies = [\"platform-runs-the-pools\"]"),
        row("wrong again", "eu-west-1_a", "expect = \"deny\""),
    ]
    .concat();
    let report = run_table(&table).unwrap();
    assert!(!report.passed());
    assert_eq!(
        report.text(),
        "table.toml:7: wrong: expected allow, but it is deny by no policy\n\
         table.toml:13: by another: allow as expected, but by support-resets-totp-in-the-eu and not platform-runs-the-pools\n\
         table.toml:20: wrong again: expected deny, but it is allow by support-resets-totp-in-the-eu\n\
         4 decisions, 3 not as expected\n"
    );
}

#[test]
fn a_table_that_is_empty_or_malformed_is_refused() {
    assert_eq!(run_table("# later\n").unwrap_err(), "table.toml: expects no decision, so it tests nothing");
    assert!(run_table("[[decision]]\ntitle = \"t\"\n").unwrap_err().starts_with("table.toml:1: "));
    let row = "[[decision]]\ntitle = \"t\"\ncaller = \"a\"\naction = \"GetUser\"\npool = \"p\"\nexpect = \"allow\"\n";
    assert!(run_table(row).is_ok());
    for (from, to) in
        [("title", "titel"), ("\"allow\"", "\"yes\""), ("GetUser", "GetUsers"), ("pool = \"p\"", "context = { x = 1 }")]
    {
        let error = run_table(&row.replace(from, to)).unwrap_err();
        assert!(error.starts_with("table.toml:"), "{error}");
    }
}
