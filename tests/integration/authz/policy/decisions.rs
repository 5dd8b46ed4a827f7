//! Policy decisions: deny by default, forbid over permit, and names that try to be something else.

use std::collections::BTreeSet;

use mfagate::api::Rpc;
use mfagate::domain::{Effect, EndUserCredential, Factor, FactorConfiguration, MfaConfiguration, UserVerification};
use proptest::prelude::*;

use super::{POOL, PolicyDirectory, client, decide, workload};

const GROUPS: &str = r#"[
  {"uid": {"type": "Mfagate::CallerGroup", "id": "staff"}},
  {"uid": {"type": "Mfagate::CallerGroup", "id": "support"}, "parents": [{"type": "Mfagate::CallerGroup", "id": "staff"}]},
  {"uid": {"type": "Mfagate::Caller", "id": "support-tool"}, "parents": [{"type": "Mfagate::CallerGroup", "id": "support"}]},
  {"uid": {"type": "Mfagate::UserPoolGroup", "id": "shops"}},
  {"uid": {"type": "Mfagate::UserPoolGroup", "id": "eu-shops"}, "parents": [{"type": "Mfagate::UserPoolGroup", "id": "shops"}]},
  {"uid": {"type": "Mfagate::UserPool", "id": "eu-west-1_Shop01"}, "parents": [{"type": "Mfagate::UserPoolGroup", "id": "eu-shops"}]}
]"#;

#[test]
fn what_no_policy_permits_is_denied() {
    let policies = PolicyDirectory::with(r#"permit (principal == Mfagate::Caller::"a", action, resource);"#).load();
    let decision = decide(&policies, &workload("b"), Rpc::GetUser, POOL);
    assert!(!decision.allowed);
    assert_eq!((decision.policy_ids.len(), decision.errors.len()), (0, 0));
    assert_eq!(decision.policy_set_hash, *policies.hash());
}

#[test]
fn forbids_by_themselves_permit_nothing() {
    let policies =
        PolicyDirectory::with(r#"forbid (principal, action in Mfagate::Action::"Legacy", resource);"#).load();
    for rpc in Rpc::ALL {
        assert!(!decide(&policies, &workload("a"), rpc, POOL).allowed, "{}", rpc.name());
        assert!(!policies.precheck(&workload("a"), rpc), "{}", rpc.name());
    }
}

#[test]
fn a_forbid_overrides_every_permit() {
    let policies = PolicyDirectory::with(
        r#"
        @id("all") permit (principal, action, resource);
        @id("reads") permit (principal, action in Mfagate::Action::"Read", resource);
        @id("guard") forbid (principal, action == Mfagate::Action::"GetUser", resource);
        "#,
    )
    .load();
    let decision = decide(&policies, &workload("a"), Rpc::GetUser, POOL);
    assert!(!decision.allowed);
    assert_eq!(decision.policy_ids, ["guard"]);
    let decision = decide(&policies, &workload("a"), Rpc::AdminGetUser, POOL);
    assert!(decision.allowed);
    assert_eq!(decision.policy_ids, ["all", "reads"]);
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies_the_call() {
    for failing in ["forbid", "permit"] {
        let policies = PolicyDirectory::with(&format!(
            r#"
            @id("all") permit (principal, action, resource);
            @id("overflow") {failing} (principal, action == Mfagate::Action::"GetUser", resource)
            when {{ 9223372036854775807 + 1 == 0 || context.legacy }};
            "#
        ))
        .load();
        let decision = decide(&policies, &workload("a"), Rpc::GetUser, POOL);
        assert!(!decision.allowed, "a failing {failing} was passed over");
        assert_eq!((decision.policy_ids.len(), decision.errors.len()), (0, 1));
        assert!(decision.errors[0].contains("overflow"), "{:?}", decision.errors);
        assert!(decide(&policies, &workload("a"), Rpc::AdminGetUser, POOL).allowed, "the fault is contained");
    }
}

#[test]
fn groups_are_transitive() {
    let policies = PolicyDirectory::with(
        r#"permit (principal in Mfagate::CallerGroup::"staff", action, resource in Mfagate::UserPoolGroup::"shops");"#,
    )
    .and_entities(GROUPS)
    .load();
    let tool = workload("support-tool");
    assert!(decide(&policies, &tool, Rpc::GetUser, POOL).allowed);
    assert!(!decide(&policies, &tool, Rpc::GetUser, "us-east-1_Shop01").allowed);
    assert!(!decide(&policies, &workload("support-tool2"), Rpc::GetUser, POOL).allowed);
    assert!(policies.precheck(&tool, Rpc::GetUser));
    assert!(!policies.precheck(&workload("support-tool2"), Rpc::GetUser));
}

#[test]
fn a_caller_is_in_itself() {
    let policies = PolicyDirectory::with(r#"permit (principal in Mfagate::Caller::"a", action, resource);"#).load();
    assert!(decide(&policies, &workload("a"), Rpc::GetUser, POOL).allowed);
    assert!(policies.precheck(&workload("a"), Rpc::GetUser));
    assert!(!policies.precheck(&workload("b"), Rpc::GetUser));
}

#[test]
fn conditions_can_test_whether_one_group_is_in_another() {
    let policies = PolicyDirectory::with(
        r#"permit (principal, action, resource)
        when { Mfagate::CallerGroup::"support" in Mfagate::CallerGroup::"staff" && principal in Mfagate::CallerGroup::"support" };"#,
    )
    .and_entities(GROUPS)
    .load();
    assert!(decide(&policies, &workload("support-tool"), Rpc::GetUser, POOL).allowed);
    assert!(!decide(&policies, &workload("other"), Rpc::GetUser, POOL).allowed);
}

#[test]
fn conditions_can_test_whether_an_action_is_in_a_group() {
    let policies = r#"permit (principal, action == Mfagate::Action::"GetUser", resource)
        when { Mfagate::Action::"GetUser" in Mfagate::Action::"Read" && Mfagate::Action::"AdminGetUser" in Mfagate::Action::"Admin"
               && !(Mfagate::Action::"GetUser" in Mfagate::Action::"Admin") };"#;
    for policies in [PolicyDirectory::with(policies), PolicyDirectory::with(policies).and_entities(GROUPS)] {
        let decision = decide(&policies.load(), &workload("a"), Rpc::GetUser, POOL);
        assert!(decision.allowed, "{decision:?}");
    }
}

#[test]
fn conditions_can_name_the_caller_and_the_pool() {
    let policies = PolicyDirectory::with(
        r#"permit (principal, action, resource)
        when { principal == Mfagate::Caller::"support-tool" && resource == Mfagate::UserPool::"eu-west-1_Shop01"
               && resource.region == "eu-west-1" && !principal.scopes.contains("x") };"#,
    )
    .and_entities(GROUPS)
    .load();
    let decision = decide(&policies, &workload("support-tool"), Rpc::GetUser, POOL);
    assert!(decision.allowed, "{decision:?}");
}

#[test]
fn a_group_in_a_token_is_an_attribute_and_no_membership() {
    let policies = PolicyDirectory::with(
        r#"
        @id("members") permit (principal in Mfagate::CallerGroup::"support", action, resource);
        @id("claimed") permit (principal, action == Mfagate::Action::"GetUser", resource)
        when { principal.groups.contains("support") };
        "#,
    )
    .and_entities(GROUPS)
    .load();
    let claims = client("somebody", "https://issuer.example", &[], &["support"]);
    assert_eq!(decide(&policies, &claims, Rpc::GetUser, POOL).policy_ids, ["claimed"]);
    assert!(!decide(&policies, &claims, Rpc::AdminGetUser, POOL).allowed);
    assert!(!policies.precheck(&claims, Rpc::AdminGetUser));
}

#[test]
fn policies_see_what_a_credential_proves_and_nothing_else() {
    let policies = PolicyDirectory::with(
        r#"
        @id("domain") permit (principal, action, resource)
        when { principal has trust_domain && principal.trust_domain == "example.org" };
        @id("certificate") permit (principal, action, resource)
        when { principal has certificate && principal.certificate == "spiffe://example.org/a" };
        @id("token") permit (principal, action, resource)
        when { principal has token && principal.token == "b" };
        @id("issuer") permit (principal, action, resource)
        when { principal has issuer && principal.issuer == "https://issuer.example" };
        @id("scope") permit (principal, action, resource) when { principal.scopes.contains("read") };
        "#,
    )
    .load();
    let workload = workload("spiffe://example.org/a");
    let client = client("b", "https://issuer.example", &["read"], &[]);
    let both = mfagate::domain::Caller { token: client.token.clone(), ..workload.clone() };
    let ids = |caller| decide(&policies, caller, Rpc::GetUser, POOL).policy_ids;
    assert_eq!(ids(&workload), ["certificate", "domain"]);
    assert_eq!(ids(&client), ["issuer", "scope", "token"]);
    assert_eq!(ids(&both), ["certificate", "domain", "issuer", "scope", "token"]);
}

#[test]
fn every_member_of_the_context_describes_what_the_request_would_do() {
    let condition = |id: &str, condition: &str| {
        format!("@id({id:?}) permit (principal, action, resource) when {{ {condition} }};\n")
    };
    let policies = PolicyDirectory::with(
        &[
            condition("enabled", r#"context.factors_enabled.contains(Mfagate::Factor::"EMAIL_OTP")"#),
            condition("disabled", r#"context.factors_disabled.contains(Mfagate::Factor::"WEB_AUTHN")"#),
            condition("preferred", r#"context has preferred && context.preferred == Mfagate::Factor::"SMS_MFA""#),
            condition("configuration", r#"context has mfa_configuration && context.mfa_configuration == Mfagate::MfaConfiguration::"OPTIONAL""#),
            condition("weakens", "context.weakens_mfa"),
            condition("legacy", "context.legacy"),
            condition("role", "context has sms_role_arn && context.sms_role_arn like \"arn:aws:iam::*\""),
            condition("account", "context has sms_role_account && context.sms_role_account == \"111122223333\""),
            condition("domain", "context has relying_party_id && context.relying_party_id == \"evil.example\""),
            condition(
                "verification",
                "context has user_verification && context.user_verification == Mfagate::UserVerification::\"PREFERRED\"",
            ),
            condition(
                "alone",
                "context has factor_configuration && \
                 context.factor_configuration == Mfagate::FactorConfiguration::\"SINGLE_FACTOR\"",
            ),
            condition("texts", "context.texts_changed"),
            condition("user", "context.for_signed_in_user"),
            condition("session", "context.by_session"),
        ]
        .concat(),
    )
    .load();
    let nothing = Effect::default();
    let effects = [
        ("enabled", Effect { factors_enabled: BTreeSet::from([Factor::EmailOtp]), ..nothing.clone() }),
        ("disabled", Effect { factors_disabled: BTreeSet::from([Factor::WebAuthn]), ..nothing.clone() }),
        ("preferred", Effect { preferred: Some(Factor::SmsMfa), ..nothing.clone() }),
        ("configuration", Effect { mfa_configuration: Some(MfaConfiguration::Optional), ..nothing.clone() }),
        ("domain", Effect { relying_party_id: Some("evil.example".to_owned()), ..nothing.clone() }),
        ("verification", Effect { user_verification: Some(UserVerification::Preferred), ..nothing.clone() }),
        ("alone", Effect { factor_configuration: Some(FactorConfiguration::SingleFactor), ..nothing.clone() }),
        ("texts", Effect { texts_changed: true, ..nothing.clone() }),
        ("weakens", Effect { weakens_mfa: true, ..nothing.clone() }),
        ("legacy", Effect { legacy: true, ..nothing.clone() }),
        ("user", Effect { end_user: Some(EndUserCredential::AccessToken), ..nothing.clone() }),
    ];
    let ids = |effect: &Effect| policies.decide(&workload("a"), Rpc::GetUser, POOL, effect).policy_ids;
    assert_eq!(ids(&nothing), Vec::<String>::new());
    for (id, effect) in effects {
        assert_eq!(ids(&effect), [id]);
    }
    let of_an_account =
        Effect { sms_role_arn: Some("arn:aws:iam::111122223333:role/sms".to_owned()), ..nothing.clone() };
    assert_eq!(ids(&of_an_account), ["account", "role"]);
    let by_session = Effect { end_user: Some(EndUserCredential::Session), ..nothing };
    assert_eq!(ids(&by_session), ["session", "user"]);
}

#[test]
fn names_are_compared_literally_and_never_parsed_as_cedar() {
    let admin = r#"permit (principal == Mfagate::Caller::"admin", action, resource);"#;
    let policies = PolicyDirectory::with(admin).load();
    assert!(decide(&policies, &workload("admin"), Rpc::GetUser, POOL).allowed);
    let padded = format!("admin{}", "\u{200b}".repeat(3));
    for name in [
        r#"x" || principal == Mfagate::Caller::"admin"#,
        r#"admin""#,
        r#"\"admin\""#,
        r#"Mfagate::Caller::"admin""#,
        "ADMIN",
        "admin ",
        " admin",
        "admin\0",
        "admin\n",
        "аdmin",
        "ad\\u{6d}in",
        "admi\u{0}n",
        &padded,
        "*",
        "",
    ] {
        assert!(!decide(&policies, &workload(name), Rpc::GetUser, POOL).allowed, "{name:?} passed for admin");
        assert!(!policies.precheck(&workload(name), Rpc::GetUser), "{name:?} passed for admin");
    }
}

#[test]
fn names_with_quotes_and_other_scripts_can_be_permitted() {
    let name = "o'brien \"the tool\" \\ 名前";
    let policies = PolicyDirectory::with(r#"permit (principal in Mfagate::CallerGroup::"g", action, resource);"#)
        .and_entities(
            &serde_json::json!([
                {"uid": {"type": "Mfagate::CallerGroup", "id": "g"}},
                {"uid": {"type": "Mfagate::Caller", "id": name}, "parents": [{"type": "Mfagate::CallerGroup", "id": "g"}]},
            ])
            .to_string(),
        )
        .load();
    assert!(decide(&policies, &workload(name), Rpc::GetUser, POOL).allowed);
    assert!(!decide(&policies, &workload("o'brien"), Rpc::GetUser, POOL).allowed);
}

#[test]
fn pool_ids_of_any_length_and_form_get_a_decision() {
    let policies = PolicyDirectory::with(
        r#"permit (principal, action, resource is Mfagate::UserPool) when { resource.region like "eu-*" };"#,
    )
    .load();
    let huge = format!("us-east-1_{}", "x".repeat(4 << 20));
    let (hidden, wild) = ("us-east-1_\" like \"eu-*", "*_a");
    for pool in ["", "eu-west-1", "_", "us-east-1_eu-west-1", "us-east-1\0eu-_a", hidden, wild, &huge] {
        let decision = decide(&policies, &workload("a"), Rpc::GetUser, pool);
        assert!(!decision.allowed && decision.errors.is_empty(), "{} bytes passed for the EU", pool.len());
    }
    assert!(decide(&policies, &workload("a"), Rpc::GetUser, "eu-west-1_a").allowed);
}

#[test]
fn a_call_without_a_pool_can_be_distinguished() {
    let policies = PolicyDirectory::with(
        r#"permit (principal, action, resource);
        @id("no-pool") forbid (principal, action, resource == Mfagate::UserPool::"");"#,
    )
    .load();
    assert_eq!(decide(&policies, &workload("a"), Rpc::GetUser, "").policy_ids, ["no-pool"]);
    assert!(decide(&policies, &workload("a"), Rpc::GetUser, POOL).allowed);
}

#[test]
fn reflection_is_an_action_of_its_own() {
    let policies = PolicyDirectory::with(
        r#"
        permit (principal == Mfagate::Caller::"engineer", action == Mfagate::Action::"ReadReflection", resource);
        permit (principal == Mfagate::Caller::"job", action in [Mfagate::Action::"Read", Mfagate::Action::"Write"], resource);
        "#,
    )
    .load();
    let (engineer, job) = (workload("engineer"), workload("job"));
    assert!(policies.decide_reflection(&engineer).allowed);
    assert!(!policies.decide_reflection(&job).allowed);
    for rpc in Rpc::ALL {
        assert!(!policies.precheck(&engineer, rpc), "{}", rpc.name());
        assert!(decide(&policies, &job, rpc, POOL).allowed, "{}", rpc.name());
    }
}

/// Scopes of permits, of which any mixture makes a policy set.
const SCOPES: [&str; 12] = [
    "principal, action, resource",
    r#"principal is Mfagate::Caller, action == Mfagate::Action::"GetUser", resource"#,
    r#"principal == Mfagate::Caller::"support-tool", action, resource"#,
    r#"principal == Mfagate::Caller::"a", action in Mfagate::Action::"Write", resource"#,
    r#"principal in Mfagate::Caller::"a", action in [Mfagate::Action::"Legacy", Mfagate::Action::"GetUser"], resource"#,
    r#"principal in Mfagate::CallerGroup::"support", action in Mfagate::Action::"Read", resource"#,
    r#"principal is Mfagate::Caller in Mfagate::CallerGroup::"staff", action in Mfagate::Action::"Admin", resource"#,
    r#"principal in Mfagate::CallerGroup::"staff", action, resource == Mfagate::Service::"mfagate""#,
    r#"principal in Mfagate::CallerGroup::"staff", action, resource is Mfagate::UserPool in Mfagate::UserPoolGroup::"shops""#,
    r#"principal, action in Mfagate::Action::"ForSignedInUser", resource in Mfagate::UserPoolGroup::"eu-shops""#,
    r#"principal, action == Mfagate::Action::"ReadReflection", resource"#,
    r#"principal == Mfagate::Caller::"a", action, resource == Mfagate::UserPool::"eu-west-1_Shop01""#,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `precheck` answers before the body is read, so a false one that a decision would contradict is an outage.
    #[test]
    fn every_allowed_call_passes_the_precheck(
        chosen in proptest::sample::subsequence(SCOPES.to_vec(), 1..4),
        legacy in any::<bool>(),
    ) {
        let policies: Vec<_> =
            chosen.iter().map(|scope| format!("permit ({scope}) unless {{ context.legacy }};\n")).collect();
        let policies = PolicyDirectory::with(&policies.concat()).and_entities(GROUPS).load();
        let effect = Effect { legacy, ..Effect::default() };
        for rpc in Rpc::ALL {
            for caller in ["support-tool", "a", "b", "support", "staff"].map(workload) {
                for pool in [POOL, "us-east-1_Shop01", ""] {
                    let allowed = policies.decide(&caller, rpc, pool, &effect).allowed;
                    prop_assert!(!allowed || policies.precheck(&caller, rpc), "{} for {}", rpc.name(), caller.name);
                }
            }
        }
    }
}
