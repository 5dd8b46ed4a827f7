//! Structures that a request may carry, and lists and maps of them, as the service model (botocore 1.44.5) has them.

use crate::model::shape::{Shape, list_of, map_of, optional, required, structure};
use crate::model::value::{
    ACR_LEVEL_KEY, ACR_VALUE, ADMIN_CREATE_USER_UNUSED_ACCOUNT_VALIDITY_DAYS, ADVANCED_SECURITY_ENABLED_MODE,
    ADVANCED_SECURITY_MODE, ALLOWED_FIRST_AUTH_FACTORS_LIST, ARN, ATTRIBUTE_DATA, ATTRIBUTE_NAME, ATTRIBUTE_VALUE,
    ATTRIBUTES_REQUIRE_VERIFICATION_BEFORE_UPDATE, BOOLEAN, CUSTOM_ATTRIBUTE_NAME, CUSTOM_EMAIL_SENDER_LAMBDA_VERSION,
    CUSTOM_SMS_SENDER_LAMBDA_VERSION, DEFAULT_EMAIL_OPTION, DELIVERY_MEDIUM, EMAIL_ADDRESS, EMAIL_INVITE_MESSAGE,
    EMAIL_MFA_MESSAGE, EMAIL_MFA_SUBJECT, EMAIL_SENDING_ACCOUNT, EMAIL_VERIFICATION_MESSAGE,
    EMAIL_VERIFICATION_MESSAGE_BY_LINK, EMAIL_VERIFICATION_SUBJECT, EMAIL_VERIFICATION_SUBJECT_BY_LINK, ENCRYPTION_KEY,
    ENCRYPTION_KEY_ARN, FEATURE, HEX_STRING, INBOUND_FEDERATION_LAMBDA_VERSION, ISSUER, O_AUTH_FLOWS, OPTIONAL_ARN,
    PASSWORD_HISTORY_SIZE, PASSWORD_POLICY_MIN_LENGTH, PRE_TOKEN_GENERATION_LAMBDA_VERSION, PRIORITY,
    RECOVERY_OPTION_NAME, REGION_CODE, RELYING_PARTY_ID, RETRY_GRACE_PERIOD_SECONDS, SCOPE_LIST, SES_CONFIGURATION_SET,
    SMS_INVITE_MESSAGE, SMS_VERIFICATION_MESSAGE, STATUS, STRING, TEMPORARY_PASSWORD_VALIDITY_DAYS, TIME_UNITS,
    USER_VERIFICATION, WEB_AUTHN_FACTOR_CONFIGURATION, WRAPPED_BOOLEAN,
};

pub(super) static MFA_OPTION: Shape =
    structure(&[optional("DeliveryMedium", &DELIVERY_MEDIUM), optional("AttributeName", &ATTRIBUTE_NAME)]);

pub(super) static MFA_OPTION_LIST: Shape = list_of(&MFA_OPTION);

pub(super) static SMS_MFA_SETTINGS: Shape =
    structure(&[optional("Enabled", &BOOLEAN), optional("PreferredMfa", &BOOLEAN)]);

pub(super) static SOFTWARE_TOKEN_MFA_SETTINGS: Shape =
    structure(&[optional("Enabled", &BOOLEAN), optional("PreferredMfa", &BOOLEAN)]);

pub(super) static EMAIL_MFA_SETTINGS: Shape =
    structure(&[optional("Enabled", &BOOLEAN), optional("PreferredMfa", &BOOLEAN)]);

pub(super) static WEB_AUTHN_MFA_SETTINGS: Shape = structure(&[optional("Enabled", &BOOLEAN)]);

pub(super) static EUMS_SMS_CONFIGURATION: Shape = structure(&[
    required("CallerArn", &ARN),
    optional("ExternalId", &STRING),
    optional("OriginationIdentity", &STRING),
    optional("ConfigurationSetName", &STRING),
    optional("InEntityId", &STRING),
    optional("InTemplateId", &STRING),
    optional("Region", &REGION_CODE),
]);

pub(super) static SMS_CONFIGURATION: Shape = structure(&[
    optional("SnsCallerArn", &OPTIONAL_ARN),
    optional("ExternalId", &STRING),
    optional("SnsRegion", &REGION_CODE),
    optional("EumsSms", &EUMS_SMS_CONFIGURATION),
]);

pub(super) static SMS_MFA_CONFIG: Shape = structure(&[
    optional("SmsAuthenticationMessage", &SMS_VERIFICATION_MESSAGE),
    optional("SmsConfiguration", &SMS_CONFIGURATION),
]);

pub(super) static SOFTWARE_TOKEN_MFA_CONFIG: Shape = structure(&[optional("Enabled", &BOOLEAN)]);

pub(super) static EMAIL_MFA_CONFIG: Shape =
    structure(&[optional("Message", &EMAIL_MFA_MESSAGE), optional("Subject", &EMAIL_MFA_SUBJECT)]);

pub(super) static WEB_AUTHN_CONFIGURATION: Shape = structure(&[
    optional("RelyingPartyId", &RELYING_PARTY_ID),
    optional("UserVerification", &USER_VERIFICATION),
    optional("FactorConfiguration", &WEB_AUTHN_FACTOR_CONFIGURATION),
]);

pub(super) static PASSWORD_POLICY: Shape = structure(&[
    optional("MinimumLength", &PASSWORD_POLICY_MIN_LENGTH),
    optional("RequireUppercase", &BOOLEAN),
    optional("RequireLowercase", &BOOLEAN),
    optional("RequireNumbers", &BOOLEAN),
    optional("RequireSymbols", &BOOLEAN),
    optional("PasswordHistorySize", &PASSWORD_HISTORY_SIZE),
    optional("TemporaryPasswordValidityDays", &TEMPORARY_PASSWORD_VALIDITY_DAYS),
]);

pub(super) static SIGN_IN_POLICY: Shape =
    structure(&[optional("AllowedFirstAuthFactors", &ALLOWED_FIRST_AUTH_FACTORS_LIST)]);

pub(super) static USER_POOL_POLICY: Shape =
    structure(&[optional("PasswordPolicy", &PASSWORD_POLICY), optional("SignInPolicy", &SIGN_IN_POLICY)]);

pub(super) static PRE_TOKEN_GENERATION_VERSION_CONFIG: Shape =
    structure(&[required("LambdaVersion", &PRE_TOKEN_GENERATION_LAMBDA_VERSION), required("LambdaArn", &ARN)]);

pub(super) static CUSTOM_SMS_LAMBDA_VERSION_CONFIG: Shape =
    structure(&[required("LambdaVersion", &CUSTOM_SMS_SENDER_LAMBDA_VERSION), required("LambdaArn", &ARN)]);

pub(super) static CUSTOM_EMAIL_LAMBDA_VERSION_CONFIG: Shape =
    structure(&[required("LambdaVersion", &CUSTOM_EMAIL_SENDER_LAMBDA_VERSION), required("LambdaArn", &ARN)]);

pub(super) static INBOUND_FEDERATION_LAMBDA: Shape =
    structure(&[required("LambdaVersion", &INBOUND_FEDERATION_LAMBDA_VERSION), required("LambdaArn", &ARN)]);

pub(super) static LAMBDA_CONFIG: Shape = structure(&[
    optional("PreSignUp", &ARN),
    optional("CustomMessage", &ARN),
    optional("PostConfirmation", &ARN),
    optional("PreAuthentication", &ARN),
    optional("PostAuthentication", &ARN),
    optional("DefineAuthChallenge", &ARN),
    optional("CreateAuthChallenge", &ARN),
    optional("VerifyAuthChallengeResponse", &ARN),
    optional("PreTokenGeneration", &ARN),
    optional("UserMigration", &ARN),
    optional("PreTokenGenerationConfig", &PRE_TOKEN_GENERATION_VERSION_CONFIG),
    optional("CustomSMSSender", &CUSTOM_SMS_LAMBDA_VERSION_CONFIG),
    optional("CustomEmailSender", &CUSTOM_EMAIL_LAMBDA_VERSION_CONFIG),
    optional("KMSKeyID", &ARN),
    optional("InboundFederation", &INBOUND_FEDERATION_LAMBDA),
]);

pub(super) static VERIFICATION_MESSAGE_TEMPLATE: Shape = structure(&[
    optional("SmsMessage", &SMS_VERIFICATION_MESSAGE),
    optional("EmailMessage", &EMAIL_VERIFICATION_MESSAGE),
    optional("EmailSubject", &EMAIL_VERIFICATION_SUBJECT),
    optional("EmailMessageByLink", &EMAIL_VERIFICATION_MESSAGE_BY_LINK),
    optional("EmailSubjectByLink", &EMAIL_VERIFICATION_SUBJECT_BY_LINK),
    optional("DefaultEmailOption", &DEFAULT_EMAIL_OPTION),
]);

pub(super) static USER_ATTRIBUTE_UPDATE_SETTINGS: Shape =
    structure(&[optional("AttributesRequireVerificationBeforeUpdate", &ATTRIBUTES_REQUIRE_VERIFICATION_BEFORE_UPDATE)]);

pub(super) static DEVICE_CONFIGURATION: Shape = structure(&[
    optional("ChallengeRequiredOnNewDevice", &BOOLEAN),
    optional("DeviceOnlyRememberedOnUserPrompt", &BOOLEAN),
]);

pub(super) static EMAIL_CONFIGURATION: Shape = structure(&[
    optional("SourceArn", &ARN),
    optional("ReplyToEmailAddress", &EMAIL_ADDRESS),
    optional("EmailSendingAccount", &EMAIL_SENDING_ACCOUNT),
    optional("From", &STRING),
    optional("ConfigurationSet", &SES_CONFIGURATION_SET),
]);

pub(super) static MESSAGE_TEMPLATE: Shape = structure(&[
    optional("SMSMessage", &SMS_INVITE_MESSAGE),
    optional("EmailMessage", &EMAIL_INVITE_MESSAGE),
    optional("EmailSubject", &EMAIL_VERIFICATION_SUBJECT),
]);

pub(super) static ADMIN_CREATE_USER_CONFIG: Shape = structure(&[
    optional("AllowAdminCreateUserOnly", &BOOLEAN),
    optional("UnusedAccountValidityDays", &ADMIN_CREATE_USER_UNUSED_ACCOUNT_VALIDITY_DAYS),
    optional("InviteMessageTemplate", &MESSAGE_TEMPLATE),
]);

pub(super) static NUMBER_ATTRIBUTE_CONSTRAINTS: Shape =
    structure(&[optional("MinValue", &STRING), optional("MaxValue", &STRING)]);

pub(super) static STRING_ATTRIBUTE_CONSTRAINTS: Shape =
    structure(&[optional("MinLength", &STRING), optional("MaxLength", &STRING)]);

pub(super) static SCHEMA_ATTRIBUTE: Shape = structure(&[
    optional("Name", &CUSTOM_ATTRIBUTE_NAME),
    optional("AttributeDataType", &ATTRIBUTE_DATA),
    optional("DeveloperOnlyAttribute", &BOOLEAN),
    optional("Mutable", &BOOLEAN),
    optional("Required", &BOOLEAN),
    optional("NumberAttributeConstraints", &NUMBER_ATTRIBUTE_CONSTRAINTS),
    optional("StringAttributeConstraints", &STRING_ATTRIBUTE_CONSTRAINTS),
]);

pub(super) static SCHEMA_ATTRIBUTES_LIST: Shape = list_of(&SCHEMA_ATTRIBUTE).at_least(1).at_most(50);

pub(super) static ADVANCED_SECURITY_ADDITIONAL_FLOWS: Shape =
    structure(&[optional("CustomAuthMode", &ADVANCED_SECURITY_ENABLED_MODE)]);

pub(super) static USER_POOL_ADD_ONS: Shape = structure(&[
    required("AdvancedSecurityMode", &ADVANCED_SECURITY_MODE),
    optional("AdvancedSecurityAdditionalFlows", &ADVANCED_SECURITY_ADDITIONAL_FLOWS),
]);

pub(super) static DCR_CONFIGURATION: Shape = structure(&[
    optional("EnableStatus", &STATUS),
    optional("OpenDcrEnabled", &BOOLEAN),
    optional("AuthenticatedGrantTypes", &O_AUTH_FLOWS),
    optional("OpenDcrGrantTypes", &O_AUTH_FLOWS),
    optional("AllowedScopes", &SCOPE_LIST),
]);

pub(super) static USERNAME_CONFIGURATION: Shape = structure(&[required("CaseSensitive", &WRAPPED_BOOLEAN)]);

pub(super) static RECOVERY_OPTION: Shape =
    structure(&[required("Priority", &PRIORITY), required("Name", &RECOVERY_OPTION_NAME)]);

pub(super) static RECOVERY_MECHANISMS: Shape = list_of(&RECOVERY_OPTION).at_least(1).at_most(2);

pub(super) static ACCOUNT_RECOVERY_SETTING: Shape = structure(&[optional("RecoveryMechanisms", &RECOVERY_MECHANISMS)]);

pub(super) static KEY_CONFIGURATION: Shape =
    structure(&[optional("KeyType", &ENCRYPTION_KEY), optional("KmsKeyArn", &ENCRYPTION_KEY_ARN)]);

pub(super) static ISSUER_CONFIGURATION: Shape = structure(&[optional("Type", &ISSUER)]);

pub(super) static ACR_LEVEL_CONFIG: Shape = structure(&[required("AcrValue", &ACR_VALUE)]);

pub(super) static ACR_CONFIGURATION: Shape = map_of(&ACR_LEVEL_KEY, &ACR_LEVEL_CONFIG).at_least(0).at_most(4);

pub(super) static TOKEN_VALIDITY_UNITS: Shape = structure(&[
    optional("AccessToken", &TIME_UNITS),
    optional("IdToken", &TIME_UNITS),
    optional("RefreshToken", &TIME_UNITS),
]);

pub(super) static ANALYTICS_CONFIGURATION: Shape = structure(&[
    optional("ApplicationId", &HEX_STRING),
    optional("ApplicationArn", &ARN),
    optional("RoleArn", &ARN),
    optional("ExternalId", &STRING),
    optional("UserDataShared", &BOOLEAN),
]);

pub(super) static REFRESH_TOKEN_ROTATION: Shape =
    structure(&[required("Feature", &FEATURE), optional("RetryGracePeriodSeconds", &RETRY_GRACE_PERIOD_SECONDS)]);

pub(super) static ATTRIBUTE: Shape =
    structure(&[required("Name", &ATTRIBUTE_NAME), optional("Value", &ATTRIBUTE_VALUE)]);

pub(super) static ATTRIBUTE_LIST: Shape = list_of(&ATTRIBUTE);

pub(super) static ANALYTICS_METADATA: Shape = structure(&[optional("AnalyticsEndpointId", &STRING)]);

pub(super) static USER_CONTEXT_DATA: Shape =
    structure(&[optional("IpAddress", &STRING), optional("EncodedData", &STRING)]).sensitive();

pub(super) static HTTP_HEADER: Shape = structure(&[optional("headerName", &STRING), optional("headerValue", &STRING)]);

pub(super) static HTTP_HEADER_LIST: Shape = list_of(&HTTP_HEADER);

pub(super) static CONTEXT_DATA: Shape = structure(&[
    required("IpAddress", &STRING),
    required("ServerName", &STRING),
    required("ServerPath", &STRING),
    required("HttpHeaders", &HTTP_HEADER_LIST),
    optional("EncodedData", &STRING),
]);
