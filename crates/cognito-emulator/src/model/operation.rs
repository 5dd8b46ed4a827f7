//! The table of operations: how each authenticates its caller and what its request may carry.

use crate::model::shape::{Member, optional, required};
use crate::model::structure::{
    ACCOUNT_RECOVERY_SETTING, ACR_CONFIGURATION, ADMIN_CREATE_USER_CONFIG, ANALYTICS_CONFIGURATION, ANALYTICS_METADATA,
    ATTRIBUTE_LIST, CONTEXT_DATA, DCR_CONFIGURATION, DEVICE_CONFIGURATION, EMAIL_CONFIGURATION, EMAIL_MFA_CONFIG,
    EMAIL_MFA_SETTINGS, ISSUER_CONFIGURATION, KEY_CONFIGURATION, LAMBDA_CONFIG, MFA_OPTION_LIST,
    REFRESH_TOKEN_ROTATION, SCHEMA_ATTRIBUTES_LIST, SMS_CONFIGURATION, SMS_MFA_CONFIG, SMS_MFA_SETTINGS,
    SOFTWARE_TOKEN_MFA_CONFIG, SOFTWARE_TOKEN_MFA_SETTINGS, TOKEN_VALIDITY_UNITS, USER_ATTRIBUTE_UPDATE_SETTINGS,
    USER_CONTEXT_DATA, USER_POOL_ADD_ONS, USER_POOL_POLICY, USERNAME_CONFIGURATION, VERIFICATION_MESSAGE_TEMPLATE,
    WEB_AUTHN_CONFIGURATION, WEB_AUTHN_MFA_SETTINGS,
};
use crate::model::value::{
    ACCESS_TOKEN_VALIDITY, ALIAS_ATTRIBUTES_LIST, AUTH_FLOW, AUTH_PARAMETERS, AUTH_SESSION_VALIDITY, BOOLEAN,
    CALLBACK_UR_LS_LIST, CHALLENGE_NAME, CHALLENGE_RESPONSES, CLIENT_ID, CLIENT_METADATA, CLIENT_NAME,
    CLIENT_PERMISSION_LIST, CLIENT_SECRET, DELETION_PROTECTION, DELIVERY_MEDIUM_LIST, DOCUMENT,
    EMAIL_VERIFICATION_MESSAGE, EMAIL_VERIFICATION_SUBJECT, EXPLICIT_AUTH_FLOWS_LIST, FORCE_ALIAS_CREATION,
    GENERATE_SECRET, ID_TOKEN_VALIDITY, LOGOUT_UR_LS_LIST, MESSAGE_ACTION, O_AUTH_FLOWS, PAGINATION_KEY, PASSWORD,
    POOL_PAGINATION_KEY, POOL_QUERY_LIMIT, PREVENT_USER_EXISTENCE_ERROR_TYPES, QUERY_LIMIT, REDIRECT_URL,
    REFRESH_TOKEN_VALIDITY, SCOPE_LIST, SEARCH_PAGINATION_TOKEN, SEARCHED_ATTRIBUTE_NAMES_LIST, SECRET_HASH, SESSION,
    SMS_VERIFICATION_MESSAGE, SOFTWARE_TOKEN_MFA_USER_CODE, STRING, SUPPORTED_IDENTITY_PROVIDERS_LIST, TOKEN_MODEL,
    USER_FILTER, USER_POOL_ID, USER_POOL_MFA, USER_POOL_NAME, USER_POOL_TAGS, USER_POOL_TIER, USERNAME,
    USERNAME_ATTRIBUTES_LIST, VERIFIED_ATTRIBUTES_LIST, WEB_AUTHN_CREDENTIALS_QUERY_LIMIT, WRAPPED_BOOLEAN,
};

/// How an operation authenticates its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// By a `SigV4` signature of IAM credentials.
    Signed,
    /// By an access token, a session or a client id in the body; a signature is not required.
    Unsigned,
}

/// One operation of Cognito's API.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The name on the wire, as in `X-Amz-Target`.
    pub(crate) name: &'static str,
    /// How it authenticates its caller.
    pub(crate) access: Access,
    /// What its request may carry.
    pub(crate) members: &'static [Member],
}

const fn signed(name: &'static str, members: &'static [Member]) -> Operation {
    Operation { name, access: Access::Signed, members }
}

const fn unsigned(name: &'static str, members: &'static [Member]) -> Operation {
    Operation { name, access: Access::Unsigned, members }
}

/// The operation of this name, `None` if it is not emulated.
pub(crate) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// Every emulated operation.
pub(crate) static OPERATIONS: &[Operation] = &[
    signed(
        "AdminConfirmSignUp",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("Username", &USERNAME),
            optional("ClientMetadata", &CLIENT_METADATA),
        ],
    ),
    signed(
        "AdminCreateUser",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("Username", &USERNAME),
            optional("UserAttributes", &ATTRIBUTE_LIST),
            optional("ValidationData", &ATTRIBUTE_LIST),
            optional("TemporaryPassword", &PASSWORD),
            optional("ForceAliasCreation", &FORCE_ALIAS_CREATION),
            optional("MessageAction", &MESSAGE_ACTION),
            optional("DesiredDeliveryMediums", &DELIVERY_MEDIUM_LIST),
            optional("ClientMetadata", &CLIENT_METADATA),
        ],
    ),
    signed("AdminDeleteSoftwareToken", &[required("UserPoolId", &USER_POOL_ID), required("Username", &USERNAME)]),
    signed("AdminDeleteUser", &[required("UserPoolId", &USER_POOL_ID), required("Username", &USERNAME)]),
    signed("AdminDisableUser", &[required("UserPoolId", &USER_POOL_ID), required("Username", &USERNAME)]),
    signed("AdminEnableUser", &[required("UserPoolId", &USER_POOL_ID), required("Username", &USERNAME)]),
    signed("AdminGetUser", &[required("UserPoolId", &USER_POOL_ID), required("Username", &USERNAME)]),
    signed("AdminGetUserAuthFactors", &[required("UserPoolId", &USER_POOL_ID), required("Username", &USERNAME)]),
    signed(
        "AdminInitiateAuth",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("ClientId", &CLIENT_ID),
            required("AuthFlow", &AUTH_FLOW),
            optional("AuthParameters", &AUTH_PARAMETERS),
            optional("ClientMetadata", &CLIENT_METADATA),
            optional("AnalyticsMetadata", &ANALYTICS_METADATA),
            optional("ContextData", &CONTEXT_DATA),
            optional("Session", &SESSION),
        ],
    ),
    signed(
        "AdminResetUserPassword",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("Username", &USERNAME),
            optional("ClientMetadata", &CLIENT_METADATA),
        ],
    ),
    signed(
        "AdminRespondToAuthChallenge",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("ClientId", &CLIENT_ID),
            required("ChallengeName", &CHALLENGE_NAME),
            optional("ChallengeResponses", &CHALLENGE_RESPONSES),
            optional("Session", &SESSION),
            optional("AnalyticsMetadata", &ANALYTICS_METADATA),
            optional("ContextData", &CONTEXT_DATA),
            optional("ClientMetadata", &CLIENT_METADATA),
        ],
    ),
    signed(
        "AdminSetUserMFAPreference",
        &[
            optional("SMSMfaSettings", &SMS_MFA_SETTINGS),
            optional("SoftwareTokenMfaSettings", &SOFTWARE_TOKEN_MFA_SETTINGS),
            optional("EmailMfaSettings", &EMAIL_MFA_SETTINGS),
            optional("WebAuthnMfaSettings", &WEB_AUTHN_MFA_SETTINGS),
            required("Username", &USERNAME),
            required("UserPoolId", &USER_POOL_ID),
        ],
    ),
    signed(
        "AdminSetUserPassword",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("Username", &USERNAME),
            required("Password", &PASSWORD),
            optional("Permanent", &BOOLEAN),
        ],
    ),
    signed(
        "AdminSetUserSettings",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("Username", &USERNAME),
            required("MFAOptions", &MFA_OPTION_LIST),
        ],
    ),
    signed(
        "AdminUpdateUserAttributes",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("Username", &USERNAME),
            required("UserAttributes", &ATTRIBUTE_LIST),
            optional("ClientMetadata", &CLIENT_METADATA),
        ],
    ),
    signed("AdminUserGlobalSignOut", &[required("UserPoolId", &USER_POOL_ID), required("Username", &USERNAME)]),
    unsigned("AssociateSoftwareToken", &[optional("AccessToken", &TOKEN_MODEL), optional("Session", &SESSION)]),
    unsigned(
        "CompleteWebAuthnRegistration",
        &[required("AccessToken", &TOKEN_MODEL), required("Credential", &DOCUMENT)],
    ),
    signed(
        "CreateUserPool",
        &[
            required("PoolName", &USER_POOL_NAME),
            optional("Policies", &USER_POOL_POLICY),
            optional("DeletionProtection", &DELETION_PROTECTION),
            optional("LambdaConfig", &LAMBDA_CONFIG),
            optional("AutoVerifiedAttributes", &VERIFIED_ATTRIBUTES_LIST),
            optional("AliasAttributes", &ALIAS_ATTRIBUTES_LIST),
            optional("UsernameAttributes", &USERNAME_ATTRIBUTES_LIST),
            optional("SmsVerificationMessage", &SMS_VERIFICATION_MESSAGE),
            optional("EmailVerificationMessage", &EMAIL_VERIFICATION_MESSAGE),
            optional("EmailVerificationSubject", &EMAIL_VERIFICATION_SUBJECT),
            optional("VerificationMessageTemplate", &VERIFICATION_MESSAGE_TEMPLATE),
            optional("SmsAuthenticationMessage", &SMS_VERIFICATION_MESSAGE),
            optional("MfaConfiguration", &USER_POOL_MFA),
            optional("UserAttributeUpdateSettings", &USER_ATTRIBUTE_UPDATE_SETTINGS),
            optional("DeviceConfiguration", &DEVICE_CONFIGURATION),
            optional("EmailConfiguration", &EMAIL_CONFIGURATION),
            optional("SmsConfiguration", &SMS_CONFIGURATION),
            optional("UserPoolTags", &USER_POOL_TAGS),
            optional("AdminCreateUserConfig", &ADMIN_CREATE_USER_CONFIG),
            optional("Schema", &SCHEMA_ATTRIBUTES_LIST),
            optional("UserPoolAddOns", &USER_POOL_ADD_ONS),
            optional("DcrConfiguration", &DCR_CONFIGURATION),
            optional("UsernameConfiguration", &USERNAME_CONFIGURATION),
            optional("AccountRecoverySetting", &ACCOUNT_RECOVERY_SETTING),
            optional("UserPoolTier", &USER_POOL_TIER),
            optional("KeyConfiguration", &KEY_CONFIGURATION),
            optional("IssuerConfiguration", &ISSUER_CONFIGURATION),
            optional("AcrConfiguration", &ACR_CONFIGURATION),
        ],
    ),
    signed(
        "CreateUserPoolClient",
        &[
            required("UserPoolId", &USER_POOL_ID),
            required("ClientName", &CLIENT_NAME),
            optional("GenerateSecret", &GENERATE_SECRET),
            optional("ClientSecret", &CLIENT_SECRET),
            optional("RefreshTokenValidity", &REFRESH_TOKEN_VALIDITY),
            optional("AccessTokenValidity", &ACCESS_TOKEN_VALIDITY),
            optional("IdTokenValidity", &ID_TOKEN_VALIDITY),
            optional("TokenValidityUnits", &TOKEN_VALIDITY_UNITS),
            optional("ReadAttributes", &CLIENT_PERMISSION_LIST),
            optional("WriteAttributes", &CLIENT_PERMISSION_LIST),
            optional("ExplicitAuthFlows", &EXPLICIT_AUTH_FLOWS_LIST),
            optional("SupportedIdentityProviders", &SUPPORTED_IDENTITY_PROVIDERS_LIST),
            optional("CallbackURLs", &CALLBACK_UR_LS_LIST),
            optional("LogoutURLs", &LOGOUT_UR_LS_LIST),
            optional("DefaultRedirectURI", &REDIRECT_URL),
            optional("AllowedOAuthFlows", &O_AUTH_FLOWS),
            optional("AllowedOAuthScopes", &SCOPE_LIST),
            optional("AllowedOAuthFlowsUserPoolClient", &BOOLEAN),
            optional("AnalyticsConfiguration", &ANALYTICS_CONFIGURATION),
            optional("PreventUserExistenceErrors", &PREVENT_USER_EXISTENCE_ERROR_TYPES),
            optional("EnableTokenRevocation", &WRAPPED_BOOLEAN),
            optional("EnablePropagateAdditionalUserContextData", &WRAPPED_BOOLEAN),
            optional("AuthSessionValidity", &AUTH_SESSION_VALIDITY),
            optional("RefreshTokenRotation", &REFRESH_TOKEN_ROTATION),
        ],
    ),
    signed("DeleteUserPool", &[required("UserPoolId", &USER_POOL_ID)]),
    unsigned("DeleteWebAuthnCredential", &[required("AccessToken", &TOKEN_MODEL), required("CredentialId", &STRING)]),
    signed("DescribeUserPool", &[required("UserPoolId", &USER_POOL_ID)]),
    unsigned("GetUser", &[required("AccessToken", &TOKEN_MODEL)]),
    unsigned("GetUserAuthFactors", &[required("AccessToken", &TOKEN_MODEL)]),
    signed("GetUserPoolMfaConfig", &[required("UserPoolId", &USER_POOL_ID)]),
    unsigned("GlobalSignOut", &[required("AccessToken", &TOKEN_MODEL)]),
    unsigned(
        "InitiateAuth",
        &[
            required("AuthFlow", &AUTH_FLOW),
            optional("AuthParameters", &AUTH_PARAMETERS),
            optional("ClientMetadata", &CLIENT_METADATA),
            required("ClientId", &CLIENT_ID),
            optional("AnalyticsMetadata", &ANALYTICS_METADATA),
            optional("UserContextData", &USER_CONTEXT_DATA),
            optional("Session", &SESSION),
        ],
    ),
    signed("ListUserPools", &[optional("NextToken", &POOL_PAGINATION_KEY), required("MaxResults", &POOL_QUERY_LIMIT)]),
    signed(
        "ListUsers",
        &[
            required("UserPoolId", &USER_POOL_ID),
            optional("AttributesToGet", &SEARCHED_ATTRIBUTE_NAMES_LIST),
            optional("Limit", &QUERY_LIMIT),
            optional("PaginationToken", &SEARCH_PAGINATION_TOKEN),
            optional("Filter", &USER_FILTER),
        ],
    ),
    unsigned(
        "ListWebAuthnCredentials",
        &[
            required("AccessToken", &TOKEN_MODEL),
            optional("NextToken", &PAGINATION_KEY),
            optional("MaxResults", &WEB_AUTHN_CREDENTIALS_QUERY_LIMIT),
        ],
    ),
    unsigned(
        "RespondToAuthChallenge",
        &[
            required("ClientId", &CLIENT_ID),
            required("ChallengeName", &CHALLENGE_NAME),
            optional("Session", &SESSION),
            optional("ChallengeResponses", &CHALLENGE_RESPONSES),
            optional("AnalyticsMetadata", &ANALYTICS_METADATA),
            optional("UserContextData", &USER_CONTEXT_DATA),
            optional("ClientMetadata", &CLIENT_METADATA),
        ],
    ),
    unsigned(
        "SetUserMFAPreference",
        &[
            optional("SMSMfaSettings", &SMS_MFA_SETTINGS),
            optional("SoftwareTokenMfaSettings", &SOFTWARE_TOKEN_MFA_SETTINGS),
            optional("EmailMfaSettings", &EMAIL_MFA_SETTINGS),
            optional("WebAuthnMfaSettings", &WEB_AUTHN_MFA_SETTINGS),
            required("AccessToken", &TOKEN_MODEL),
        ],
    ),
    signed(
        "SetUserPoolMfaConfig",
        &[
            required("UserPoolId", &USER_POOL_ID),
            optional("SmsMfaConfiguration", &SMS_MFA_CONFIG),
            optional("SoftwareTokenMfaConfiguration", &SOFTWARE_TOKEN_MFA_CONFIG),
            optional("EmailMfaConfiguration", &EMAIL_MFA_CONFIG),
            optional("MfaConfiguration", &USER_POOL_MFA),
            optional("WebAuthnConfiguration", &WEB_AUTHN_CONFIGURATION),
        ],
    ),
    unsigned("SetUserSettings", &[required("AccessToken", &TOKEN_MODEL), required("MFAOptions", &MFA_OPTION_LIST)]),
    unsigned(
        "SignUp",
        &[
            required("ClientId", &CLIENT_ID),
            optional("SecretHash", &SECRET_HASH),
            required("Username", &USERNAME),
            optional("Password", &PASSWORD),
            optional("UserAttributes", &ATTRIBUTE_LIST),
            optional("ValidationData", &ATTRIBUTE_LIST),
            optional("AnalyticsMetadata", &ANALYTICS_METADATA),
            optional("UserContextData", &USER_CONTEXT_DATA),
            optional("ClientMetadata", &CLIENT_METADATA),
        ],
    ),
    unsigned("StartWebAuthnRegistration", &[required("AccessToken", &TOKEN_MODEL)]),
    unsigned(
        "VerifySoftwareToken",
        &[
            optional("AccessToken", &TOKEN_MODEL),
            optional("Session", &SESSION),
            required("UserCode", &SOFTWARE_TOKEN_MFA_USER_CODE),
            optional("FriendlyDeviceName", &STRING),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_readme_lists_every_operation_and_no_other() {
        let readme = include_str!("../../README.md");
        let section = readme.split("\n## ").find(|section| section.starts_with("Operations\n")).unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ")).skip(1);
        let listed: BTreeSet<&str> = rows.flat_map(|(_, names)| names.split('`').skip(1).step_by(2)).collect();
        let known: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        assert_eq!(listed, known);
        assert!(readme.contains(&format!("the [{} above](#operations)", known.len())));
    }
}
