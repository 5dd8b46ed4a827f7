//! Pools, clients and users: what leads to each state, searches, pages and aliases.

use aws_sdk_cognitoidentityprovider::types::UserStatusType;
use cognito_emulator::demo;
use serde_json::{Value, json};

use crate::cognito::{Cognito, PASSWORD, refusal};

const POOL: &str = demo::POOL_ID;

async fn pool(cognito: &Cognito, settings: Value) -> String {
    let created = cognito.ok("CreateUserPool", settings).await;
    created["UserPool"]["Id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_pool_is_created_described_listed_and_deleted() {
    let cognito = Cognito::start().await;
    let created = cognito.sdk.create_user_pool().pool_name("mine").send().await.unwrap();
    let id = created.user_pool().unwrap().id().unwrap();
    assert!(id.starts_with("us-west-2_"), "{id}");
    let described = cognito.sdk.describe_user_pool().user_pool_id(id).send().await.unwrap();
    let pool = described.user_pool().unwrap();
    assert_eq!(pool.name(), Some("mine"));
    assert_eq!(pool.mfa_configuration().unwrap().as_str(), "OFF");
    assert_eq!(pool.user_pool_tier().unwrap().as_str(), "ESSENTIALS");
    assert!(pool.arn().unwrap().ends_with(id));
    let listed = cognito.sdk.list_user_pools().max_results(10).send().await.unwrap();
    assert_eq!(listed.user_pools()[0].id(), Some(id));
    cognito.sdk.delete_user_pool().user_pool_id(id).send().await.unwrap();
    let gone = cognito.sdk.describe_user_pool().user_pool_id(id).send().await;
    assert_eq!(refusal(gone).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_protected_pool_is_not_deleted() {
    let cognito = Cognito::start().await;
    let id = pool(&cognito, json!({ "PoolName": "p", "DeletionProtection": "ACTIVE" })).await;
    let refused = cognito.refused("DeleteUserPool", json!({ "UserPoolId": id })).await;
    assert_eq!(refused.0, "InvalidParameterException");
}

#[tokio::test]
async fn pools_are_listed_in_pages_and_by_region() {
    let cognito = Cognito::start().await;
    for _ in 0..5 {
        cognito.plain_pool().await;
    }
    let elsewhere = cognito.in_region("eu-west-1");
    elsewhere.create_user_pool().pool_name("other").send().await.unwrap();
    let mut seen = Vec::new();
    let mut next = Value::Null;
    for expected in [2, 2, 1] {
        let page = cognito.ok("ListUserPools", json!({ "MaxResults": 2, "NextToken": next })).await;
        let pools = page["UserPools"].as_array().unwrap();
        assert_eq!(pools.len(), expected);
        seen.extend(pools.iter().map(|pool| pool["Id"].clone()));
        next = page["NextToken"].clone();
    }
    assert!(next.is_null());
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let refused = cognito.refused("ListUserPools", json!({ "MaxResults": 2, "NextToken": "x" })).await;
    assert_eq!(refused.0, "InvalidParameterException");
}

#[tokio::test]
async fn a_user_goes_through_its_states() {
    let cognito = Cognito::demo().await;
    let id = json!({ "UserPoolId": POOL, "Username": "jane" });
    let status = async || {
        let user = cognito.sdk.admin_get_user().user_pool_id(POOL).username("jane").send().await.unwrap();
        (user.user_status().unwrap().clone(), user.enabled())
    };
    let client_id = cognito.client(POOL).await;
    let sign_up = json!({
        "ClientId": client_id, "Username": "jane", "Password": PASSWORD,
        "UserAttributes": [{ "Name": "email", "Value": "jane@example.com" }],
    });
    let signed_up = cognito.ok("SignUp", sign_up.clone()).await;
    assert_eq!(signed_up["UserConfirmed"], false);
    assert_eq!(status().await, (UserStatusType::Unconfirmed, true));
    assert_eq!(cognito.refused("SignUp", sign_up).await.0, "UsernameExistsException");
    cognito.ok("AdminConfirmSignUp", id.clone()).await;
    assert_eq!(status().await, (UserStatusType::Confirmed, true));
    assert_eq!(cognito.refused("AdminConfirmSignUp", id.clone()).await.0, "NotAuthorizedException");
    let refused = cognito.refused("AdminResetUserPassword", id.clone()).await;
    assert_eq!(refused.0, "InvalidParameterException", "no verified address");
    let mut verified = id.clone();
    verified["UserAttributes"] = json!([{ "Name": "email_verified", "Value": "true" }]);
    cognito.ok("AdminUpdateUserAttributes", verified).await;
    cognito.ok("AdminResetUserPassword", id.clone()).await;
    assert_eq!(status().await, (UserStatusType::ResetRequired, true));
    let mut password = id.clone();
    password["Password"] = Value::from(PASSWORD);
    cognito.ok("AdminSetUserPassword", password.clone()).await;
    assert_eq!(status().await, (UserStatusType::ForceChangePassword, true));
    password["Permanent"] = Value::from(true);
    cognito.ok("AdminSetUserPassword", password.clone()).await;
    assert_eq!(status().await, (UserStatusType::Confirmed, true));
    cognito.ok("AdminDisableUser", id.clone()).await;
    assert_eq!(status().await, (UserStatusType::Confirmed, false));
    cognito.ok("AdminEnableUser", id.clone()).await;
    assert_eq!(status().await, (UserStatusType::Confirmed, true));
    let mut federated = id.clone();
    federated["UserStatus"] = Value::from("EXTERNAL_PROVIDER");
    cognito.control("POST", "user", &federated).await;
    assert_eq!(cognito.refused("AdminSetUserPassword", password).await.0, "NotAuthorizedException");
    cognito.ok("AdminDeleteUser", id.clone()).await;
    assert_eq!(cognito.refused("AdminGetUser", id).await.0, "UserNotFoundException");
}

#[tokio::test]
async fn every_admin_operation_on_a_user_needs_its_pool_and_its_user() {
    let cognito = Cognito::demo().await;
    for (operation, more) in [
        ("AdminSetUserSettings", json!({ "MFAOptions": [] })),
        ("AdminSetUserMFAPreference", json!({})),
        ("AdminDeleteSoftwareToken", json!({})),
        ("AdminGetUser", json!({})),
        ("AdminGetUserAuthFactors", json!({})),
        ("AdminSetUserPassword", json!({ "Password": PASSWORD })),
        ("AdminUpdateUserAttributes", json!({ "UserAttributes": [] })),
        ("AdminEnableUser", json!({})),
        ("AdminDisableUser", json!({})),
        ("AdminDeleteUser", json!({})),
        ("AdminResetUserPassword", json!({})),
        ("AdminUserGlobalSignOut", json!({})),
        ("AdminConfirmSignUp", json!({})),
    ] {
        for (pool_id, code) in [("us-west-2_none", "ResourceNotFoundException"), (POOL, "UserNotFoundException")] {
            let mut body = more.clone();
            body["UserPoolId"] = Value::from(pool_id);
            body["Username"] = Value::from("nobody");
            assert_eq!(cognito.refused(operation, body).await.0, code, "{operation}");
        }
    }
    for operation in ["DescribeUserPool", "DeleteUserPool", "GetUserPoolMfaConfig", "SetUserPoolMfaConfig", "ListUsers"]
    {
        let refused = cognito.refused(operation, json!({ "UserPoolId": "us-west-2_none" })).await;
        let text = "User pool us-west-2_none does not exist.";
        assert_eq!(refused, ("ResourceNotFoundException".to_owned(), text.to_owned()), "{operation}");
    }
}

#[tokio::test]
async fn a_user_is_found_by_name_sub_and_verified_alias() {
    let cognito = Cognito::start().await;
    let id = pool(&cognito, json!({ "PoolName": "p", "AliasAttributes": ["email", "preferred_username"] })).await;
    let attributes = [("email", "jane@example.com"), ("email_verified", "true"), ("preferred_username", "jj")];
    cognito.user(&id, "jane", &attributes).await;
    cognito.user(&id, "joe", &[("email", "joe@example.com"), ("phone_number", "+12065550199")]).await;
    let found = async |name: &str| {
        let user = cognito.call("AdminGetUser", &json!({ "UserPoolId": id, "Username": name })).await;
        user.json()["Username"].as_str().map(str::to_owned)
    };
    let jane = cognito.ok("AdminGetUser", json!({ "UserPoolId": id, "Username": "jane" })).await;
    let sub = jane["UserAttributes"][0]["Value"].as_str().unwrap();
    for name in ["jane", sub, "jane@example.com", "jj"] {
        assert_eq!(found(name).await.as_deref(), Some("jane"), "{name}");
    }
    // Not verified, and no alias of this pool.
    for name in ["joe@example.com", "+12065550199", "JANE"] {
        assert_eq!(found(name).await, None, "{name}");
    }
}

#[tokio::test]
async fn a_pool_can_name_its_users_by_their_address_and_ignore_case() {
    let cognito = Cognito::start().await;
    let id = pool(
        &cognito,
        json!({
            "PoolName": "p",
            "UsernameAttributes": ["email"],
            "UsernameConfiguration": { "CaseSensitive": false },
        }),
    )
    .await;
    let create = json!({ "UserPoolId": id, "Username": "jane@example.com" });
    let created = cognito.ok("AdminCreateUser", create.clone()).await;
    let username = created["User"]["Username"].as_str().unwrap().to_owned();
    assert_eq!(username.len(), 36, "the username is the sub");
    let read = json!({ "UserPoolId": id, "Username": "Jane@Example.com" });
    let user = cognito.ok("AdminGetUser", read).await;
    assert_eq!(user["Username"].as_str(), Some(username.as_str()));
    assert_eq!(cognito.refused("AdminCreateUser", create).await.0, "UsernameExistsException");
    let number = json!({ "UserPoolId": id, "Username": "+12065550199" });
    let refused = cognito.refused("AdminCreateUser", number).await;
    assert_eq!(refused.1, "Username should be an email.");
}

#[tokio::test]
async fn attributes_are_known_and_well_formed() {
    let cognito = Cognito::start().await;
    let schema = json!([{ "Name": "level", "AttributeDataType": "String", "Mutable": true }]);
    let id = pool(&cognito, json!({ "PoolName": "p", "Schema": schema })).await;
    cognito.user(&id, "jane", &[("custom:level", "5"), ("name", "Jane")]).await;
    let described = cognito.ok("DescribeUserPool", json!({ "UserPoolId": id })).await;
    assert_eq!(described["UserPool"]["SchemaAttributes"][0]["Name"], "custom:level");
    for (name, value) in [
        ("phone_number", "2065550100"),
        ("email", "nowhere"),
        ("email_verified", "yes"),
        ("custom:other", "x"),
        ("nonsense", "x"),
        ("sub", "x"),
    ] {
        let body = json!({
            "UserPoolId": id, "Username": "jane", "UserAttributes": [{ "Name": name, "Value": value }],
        });
        let refused = cognito.refused("AdminUpdateUserAttributes", body).await;
        assert_eq!(refused.0, "InvalidParameterException", "{name}");
    }
}

#[tokio::test]
async fn a_new_address_is_not_verified_and_an_empty_one_is_removed() {
    let cognito = Cognito::demo().await;
    let update = |value: &str| {
        json!({
            "UserPoolId": POOL, "Username": "testuser",
            "UserAttributes": [{ "Name": "phone_number", "Value": value }],
        })
    };
    let phone = async || {
        let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "testuser" })).await;
        let attributes = user["UserAttributes"].as_array().unwrap().clone();
        let value = |name: &str| {
            let attribute = attributes.iter().find(|attribute| attribute["Name"] == name);
            attribute.map(|attribute| attribute["Value"].as_str().unwrap().to_owned())
        };
        (value("phone_number"), value("phone_number_verified"))
    };
    assert_eq!(phone().await.1.as_deref(), Some("true"));
    cognito.ok("AdminUpdateUserAttributes", update("+12065550111")).await;
    assert_eq!(phone().await, (Some("+12065550111".to_owned()), Some("false".to_owned())));
    cognito.ok("AdminUpdateUserAttributes", update("")).await;
    assert_eq!(phone().await.0, None);
}

#[tokio::test]
async fn users_are_searched_and_listed_in_pages() {
    let cognito = Cognito::start().await;
    let id = cognito.plain_pool().await;
    for name in ["jane", "janet", "joe"] {
        cognito.user(&id, name, &[("email", &format!("{name}@example.com"))]).await;
    }
    cognito.ok("AdminDisableUser", json!({ "UserPoolId": id, "Username": "joe" })).await;
    let found = async |filter: &str| {
        let listed = cognito.ok("ListUsers", json!({ "UserPoolId": id, "Filter": filter })).await;
        let users = listed["Users"].as_array().unwrap().clone();
        let mut names: Vec<_> = users.iter().map(|user| user["Username"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(found(r#"username ^= "jan""#).await, ["jane", "janet"]);
    assert_eq!(found(r#"email = "joe@example.com""#).await, ["joe"]);
    assert_eq!(found(r#"status = "Disabled""#).await, ["joe"]);
    assert_eq!(found(r#"cognito:user_status = "confirmed""#).await, ["jane", "janet", "joe"]);
    assert_eq!(found("").await.len(), 3);
    let refused = cognito.refused("ListUsers", json!({ "UserPoolId": id, "Filter": "jane" })).await;
    assert_eq!(refused.0, "InvalidParameterException");

    let first = cognito.sdk.list_users().user_pool_id(&id).limit(2).attributes_to_get("email");
    let first = first.send().await.unwrap();
    assert_eq!(first.users().len(), 2);
    assert!(first.users().iter().all(|user| user.attributes().len() == 1));
    let rest = cognito.sdk.list_users().user_pool_id(&id).pagination_token(first.pagination_token().unwrap());
    let rest = rest.send().await.unwrap();
    assert_eq!((rest.users().len(), rest.pagination_token()), (1, None));
}

#[tokio::test]
async fn passwords_follow_the_pools_policy() {
    let cognito = Cognito::demo().await;
    let body = json!({ "UserPoolId": POOL, "Username": "testuser", "Password": "short" });
    let refused = cognito.refused("AdminSetUserPassword", body).await;
    assert_eq!(
        refused,
        (
            "InvalidPasswordException".to_owned(),
            "Password did not conform with policy: Password not long enough".to_owned()
        )
    );
}

#[tokio::test]
async fn the_demo_pool_is_as_documented() {
    let cognito = Cognito::demo().await;
    let config = cognito.ok("GetUserPoolMfaConfig", json!({ "UserPoolId": POOL })).await;
    assert_eq!(config["MfaConfiguration"], "OPTIONAL");
    assert_eq!(config["SoftwareTokenMfaConfiguration"], json!({ "Enabled": true }));
    assert_eq!(config["WebAuthnConfiguration"]["RelyingPartyId"], "localhost");
    // Its own configuration, sent back, is accepted.
    let mut same = config.clone();
    same["UserPoolId"] = Value::from(POOL);
    assert_eq!(cognito.ok("SetUserPoolMfaConfig", same).await, config);
    let factors = |username: &str| json!({ "UserPoolId": POOL, "Username": username });
    let enrolled = cognito.ok("AdminGetUserAuthFactors", factors("testuser")).await;
    assert_eq!(enrolled["ConfiguredUserAuthFactors"], json!(["PASSWORD", "SOFTWARE_TOKEN"]));
    let new = cognito.ok("AdminGetUserAuthFactors", factors("newuser")).await;
    assert_eq!(new["ConfiguredUserAuthFactors"], json!(["PASSWORD"]));
}

#[tokio::test]
async fn t14_a_user_who_can_sign_in_with_an_email_code_needs_no_password_and_is_confirmed() {
    let cognito = Cognito::start().await;
    for (factors, status, with_temporary) in [
        (json!(["PASSWORD", "EMAIL_OTP"]), "CONFIRMED", "FORCE_CHANGE_PASSWORD"),
        (json!(["PASSWORD"]), "FORCE_CHANGE_PASSWORD", "FORCE_CHANGE_PASSWORD"),
    ] {
        let policies = json!({ "SignInPolicy": { "AllowedFirstAuthFactors": factors } });
        let created = cognito.ok("CreateUserPool", json!({ "PoolName": "p", "Policies": policies })).await;
        let pool_id = created["UserPool"]["Id"].clone();
        let user = json!({ "UserPoolId": pool_id, "Username": "jane" });
        assert_eq!(cognito.ok("AdminCreateUser", user).await["User"]["UserStatus"], status, "{factors}");
        let user = json!({ "UserPoolId": pool_id, "Username": "joe", "TemporaryPassword": "Correct-Horse1" });
        assert_eq!(cognito.ok("AdminCreateUser", user).await["User"]["UserStatus"], with_temporary, "{factors}");
    }
}
