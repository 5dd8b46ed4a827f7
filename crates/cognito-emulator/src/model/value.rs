//! Simple values that a request may carry, and lists and maps of them, as the service model (botocore 1.44.5) has them.

use crate::model::shape::{Shape, boolean, document, integer, list_of, map_of, one_of, text};

pub(super) static TOKEN_MODEL: Shape = text().matching(r"[A-Za-z0-9-_=.]+").sensitive();
pub(super) static DELIVERY_MEDIUM: Shape = one_of(&["SMS", "EMAIL"]);
pub(super) static ATTRIBUTE_NAME: Shape =
    text().at_least(1).at_most(32).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\t\n\r ]+");
pub(super) static USER_POOL_ID: Shape = text().at_least(1).at_most(55).matching(r"[\w-]+_[0-9a-zA-Z]+");
pub(super) static USERNAME: Shape =
    text().at_least(1).at_most(128).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+").sensitive();
pub(super) static BOOLEAN: Shape = boolean();
pub(super) static SMS_VERIFICATION_MESSAGE: Shape = text().at_least(6).at_most(140).matching(r".*\{####\}.*");
pub(super) static OPTIONAL_ARN: Shape = text()
    .at_least(0)
    .at_most(2048)
    .matching(r"(arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?)?");
pub(super) static STRING: Shape = text().at_least(0).at_most(131_072);
pub(super) static REGION_CODE: Shape = text().at_least(5).at_most(32);
pub(super) static ARN: Shape = text()
    .at_least(20)
    .at_most(2048)
    .matching(r"arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?");
pub(super) static EMAIL_MFA_MESSAGE: Shape = text()
    .at_least(6)
    .at_most(20000)
    .matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*");
pub(super) static EMAIL_MFA_SUBJECT: Shape = text().matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+");
pub(super) static USER_POOL_MFA: Shape = one_of(&["OFF", "ON", "OPTIONAL"]);
pub(super) static RELYING_PARTY_ID: Shape = text().at_least(1).at_most(127);
pub(super) static USER_VERIFICATION: Shape = one_of(&["required", "preferred"]);
pub(super) static WEB_AUTHN_FACTOR_CONFIGURATION: Shape =
    one_of(&["SINGLE_FACTOR", "MULTI_FACTOR_WITH_USER_VERIFICATION"]);
pub(super) static SESSION: Shape = text().at_least(20).at_most(4096).sensitive();
pub(super) static SOFTWARE_TOKEN_MFA_USER_CODE: Shape = text().at_least(6).at_most(6).matching(r"[0-9]+").sensitive();
pub(super) static DOCUMENT: Shape = document();
pub(super) static PAGINATION_KEY: Shape = text().at_least(1).at_most(131_072).matching(r"[\S]+");
pub(super) static WEB_AUTHN_CREDENTIALS_QUERY_LIMIT: Shape = integer().at_least(0).at_most(20);
pub(super) static USER_POOL_NAME: Shape = text().at_least(1).at_most(128).matching(r"[\w\s+=,.@-]+");
pub(super) static PASSWORD_POLICY_MIN_LENGTH: Shape = integer().at_least(6).at_most(99);
pub(super) static PASSWORD_HISTORY_SIZE: Shape = integer().at_least(0).at_most(24);
pub(super) static TEMPORARY_PASSWORD_VALIDITY_DAYS: Shape = integer().at_least(0).at_most(365);
pub(super) static AUTH_FACTOR: Shape = one_of(&["PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN", "SOFTWARE_TOKEN"]);
pub(super) static ALLOWED_FIRST_AUTH_FACTORS_LIST: Shape = list_of(&AUTH_FACTOR).at_least(1).at_most(5);
pub(super) static DELETION_PROTECTION: Shape = one_of(&["ACTIVE", "INACTIVE"]);
pub(super) static PRE_TOKEN_GENERATION_LAMBDA_VERSION: Shape = one_of(&["V1_0", "V2_0", "V3_0"]);
pub(super) static CUSTOM_SMS_SENDER_LAMBDA_VERSION: Shape = one_of(&["V1_0"]);
pub(super) static CUSTOM_EMAIL_SENDER_LAMBDA_VERSION: Shape = one_of(&["V1_0"]);
pub(super) static INBOUND_FEDERATION_LAMBDA_VERSION: Shape = one_of(&["V1_0"]);
pub(super) static VERIFIED_ATTRIBUTE: Shape = one_of(&["phone_number", "email"]);
pub(super) static VERIFIED_ATTRIBUTES_LIST: Shape = list_of(&VERIFIED_ATTRIBUTE);
pub(super) static ALIAS_ATTRIBUTE: Shape = one_of(&["phone_number", "email", "preferred_username"]);
pub(super) static ALIAS_ATTRIBUTES_LIST: Shape = list_of(&ALIAS_ATTRIBUTE);
pub(super) static USERNAME_ATTRIBUTE: Shape = one_of(&["phone_number", "email"]);
pub(super) static USERNAME_ATTRIBUTES_LIST: Shape = list_of(&USERNAME_ATTRIBUTE);
pub(super) static EMAIL_VERIFICATION_MESSAGE: Shape = text()
    .at_least(6)
    .at_most(20000)
    .matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*");
pub(super) static EMAIL_VERIFICATION_SUBJECT: Shape =
    text().at_least(1).at_most(140).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+");
pub(super) static EMAIL_VERIFICATION_MESSAGE_BY_LINK: Shape = text()
    .at_least(6)
    .at_most(20000)
    .matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{##[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*##\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*");
pub(super) static EMAIL_VERIFICATION_SUBJECT_BY_LINK: Shape =
    text().at_least(1).at_most(140).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+");
pub(super) static DEFAULT_EMAIL_OPTION: Shape = one_of(&["CONFIRM_WITH_LINK", "CONFIRM_WITH_CODE"]);
pub(super) static ATTRIBUTES_REQUIRE_VERIFICATION_BEFORE_UPDATE: Shape = list_of(&VERIFIED_ATTRIBUTE);
pub(super) static EMAIL_ADDRESS: Shape = text().matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+@[\p{L}\p{M}\p{S}\p{N}\p{P}]+");
pub(super) static EMAIL_SENDING_ACCOUNT: Shape = one_of(&["COGNITO_DEFAULT", "DEVELOPER"]);
pub(super) static SES_CONFIGURATION_SET: Shape = text().at_least(1).at_most(64).matching(r"^[a-zA-Z0-9_-]+$");
pub(super) static TAG_KEYS: Shape = text().at_least(1).at_most(128);
pub(super) static TAG_VALUE: Shape = text().at_least(0).at_most(256);
pub(super) static USER_POOL_TAGS: Shape = map_of(&TAG_KEYS, &TAG_VALUE);
pub(super) static ADMIN_CREATE_USER_UNUSED_ACCOUNT_VALIDITY_DAYS: Shape = integer().at_least(0).at_most(365);
pub(super) static SMS_INVITE_MESSAGE: Shape = text().at_least(6).at_most(140).matching(r"(?s).*");
pub(super) static EMAIL_INVITE_MESSAGE: Shape =
    text().at_least(6).at_most(20000).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*");
pub(super) static CUSTOM_ATTRIBUTE_NAME: Shape =
    text().at_least(1).at_most(20).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+");
pub(super) static ATTRIBUTE_DATA: Shape = one_of(&["String", "Number", "DateTime", "Boolean"]);
pub(super) static ADVANCED_SECURITY_MODE: Shape = one_of(&["OFF", "AUDIT", "ENFORCED"]);
pub(super) static ADVANCED_SECURITY_ENABLED_MODE: Shape = one_of(&["AUDIT", "ENFORCED"]);
pub(super) static STATUS: Shape = one_of(&["Enabled", "Disabled"]);
pub(super) static O_AUTH_FLOW: Shape = one_of(&["code", "implicit", "client_credentials"]);
pub(super) static O_AUTH_FLOWS: Shape = list_of(&O_AUTH_FLOW).at_least(0).at_most(3);
pub(super) static SCOPE: Shape = text().at_least(1).at_most(256).matching(r"[\x21\x23-\x5B\x5D-\x7E]+");
pub(super) static SCOPE_LIST: Shape = list_of(&SCOPE).at_most(50);
pub(super) static WRAPPED_BOOLEAN: Shape = boolean();
pub(super) static PRIORITY: Shape = integer().at_least(1).at_most(2);
pub(super) static RECOVERY_OPTION_NAME: Shape = one_of(&["verified_email", "verified_phone_number", "admin_only"]);
pub(super) static USER_POOL_TIER: Shape = one_of(&["LITE", "ESSENTIALS", "PLUS"]);
pub(super) static ENCRYPTION_KEY: Shape = one_of(&["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KEY"]);
pub(super) static ENCRYPTION_KEY_ARN: Shape = text()
    .at_least(20)
    .at_most(2048)
    .matching(r"arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?");
pub(super) static ISSUER: Shape = one_of(&["ORIGINAL", "UPDATED"]);
pub(super) static ACR_LEVEL_KEY: Shape = text().matching(r"Level[1-4]");
pub(super) static ACR_VALUE: Shape = text().at_least(1).at_most(64).matching(r"[\x21\x23-\x5B\x5D-\x7E]+");
pub(super) static POOL_PAGINATION_KEY: Shape = text().at_least(1).matching(r"[\S]+");
pub(super) static POOL_QUERY_LIMIT: Shape = integer().at_least(1).at_most(60);
pub(super) static CLIENT_NAME: Shape = text().at_least(1).at_most(128).matching(r"[\w\s+=,.@-]+");
pub(super) static GENERATE_SECRET: Shape = boolean();
pub(super) static CLIENT_SECRET: Shape = text().at_least(24).at_most(64).matching(r"[\w+]+").sensitive();
pub(super) static REFRESH_TOKEN_VALIDITY: Shape = integer().at_least(0).at_most(315_360_000);
pub(super) static ACCESS_TOKEN_VALIDITY: Shape = integer().at_least(1).at_most(86400);
pub(super) static ID_TOKEN_VALIDITY: Shape = integer().at_least(1).at_most(86400);
pub(super) static TIME_UNITS: Shape = one_of(&["seconds", "minutes", "hours", "days"]);
pub(super) static CLIENT_PERMISSION: Shape = text().at_least(1).at_most(2048);
pub(super) static CLIENT_PERMISSION_LIST: Shape = list_of(&CLIENT_PERMISSION);
pub(super) static EXPLICIT_AUTH_FLOWS: Shape = one_of(&[
    "ADMIN_NO_SRP_AUTH",
    "CUSTOM_AUTH_FLOW_ONLY",
    "USER_PASSWORD_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_CUSTOM_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ALLOW_USER_AUTH",
    "ALLOW_TOKEN_EXCHANGE_DELEGATION",
    "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
]);
pub(super) static EXPLICIT_AUTH_FLOWS_LIST: Shape = list_of(&EXPLICIT_AUTH_FLOWS);
pub(super) static PROVIDER_NAME: Shape = text().at_least(1).at_most(32).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\p{Z}]+");
pub(super) static SUPPORTED_IDENTITY_PROVIDERS_LIST: Shape = list_of(&PROVIDER_NAME);
pub(super) static REDIRECT_URL: Shape = text().at_least(1).at_most(1024).matching(r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+");
pub(super) static CALLBACK_UR_LS_LIST: Shape = list_of(&REDIRECT_URL).at_least(0).at_most(100);
pub(super) static LOGOUT_UR_LS_LIST: Shape = list_of(&REDIRECT_URL).at_least(0).at_most(100);
pub(super) static HEX_STRING: Shape = text().matching(r"^[0-9a-fA-F]+$");
pub(super) static PREVENT_USER_EXISTENCE_ERROR_TYPES: Shape = one_of(&["LEGACY", "ENABLED"]);
pub(super) static AUTH_SESSION_VALIDITY: Shape = integer().at_least(3).at_most(15);
pub(super) static FEATURE: Shape = one_of(&["ENABLED", "DISABLED"]);
pub(super) static RETRY_GRACE_PERIOD_SECONDS: Shape = integer().at_least(0).at_most(60);
pub(super) static ATTRIBUTE_VALUE: Shape = text().at_most(2048).sensitive();
pub(super) static PASSWORD: Shape = text().at_most(256).matching(r"[\S]+").sensitive();
pub(super) static FORCE_ALIAS_CREATION: Shape = boolean();
pub(super) static MESSAGE_ACTION: Shape = one_of(&["RESEND", "SUPPRESS"]);
pub(super) static DELIVERY_MEDIUM_LIST: Shape = list_of(&DELIVERY_MEDIUM);
pub(super) static CLIENT_METADATA: Shape = map_of(&STRING, &STRING);
pub(super) static SEARCHED_ATTRIBUTE_NAMES_LIST: Shape = list_of(&ATTRIBUTE_NAME);
pub(super) static QUERY_LIMIT: Shape = integer().at_least(0).at_most(60);
pub(super) static SEARCH_PAGINATION_TOKEN: Shape = text().at_least(1).matching(r"[\S]+");
pub(super) static USER_FILTER: Shape = text().at_most(256);
pub(super) static AUTH_FLOW: Shape = one_of(&[
    "USER_SRP_AUTH",
    "REFRESH_TOKEN_AUTH",
    "REFRESH_TOKEN",
    "CUSTOM_AUTH",
    "ADMIN_NO_SRP_AUTH",
    "USER_PASSWORD_AUTH",
    "ADMIN_USER_PASSWORD_AUTH",
    "USER_AUTH",
]);
pub(super) static AUTH_PARAMETERS: Shape = map_of(&STRING, &STRING).sensitive();
pub(super) static CLIENT_ID: Shape = text().at_least(1).at_most(128).matching(r"[\w+]+").sensitive();
pub(super) static CHALLENGE_NAME: Shape = one_of(&[
    "SMS_MFA",
    "EMAIL_OTP",
    "SOFTWARE_TOKEN_MFA",
    "SELECT_MFA_TYPE",
    "MFA_SETUP",
    "PASSWORD_VERIFIER",
    "CUSTOM_CHALLENGE",
    "SELECT_CHALLENGE",
    "DEVICE_SRP_AUTH",
    "DEVICE_PASSWORD_VERIFIER",
    "ADMIN_NO_SRP_AUTH",
    "NEW_PASSWORD_REQUIRED",
    "SMS_OTP",
    "PASSWORD",
    "WEB_AUTHN",
    "PASSWORD_SRP",
]);
pub(super) static CHALLENGE_RESPONSES: Shape = map_of(&STRING, &STRING).sensitive();
pub(super) static SECRET_HASH: Shape = text().at_least(1).at_most(128).matching(r"[\w+=/]+").sensitive();
