//! Whole requests of every RPC as messages of the descriptors, for tests that take apart what is on the wire.

use mfagate::api::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AdminGetUserRequest,
    AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, AssociateSoftwareTokenRequest,
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, EmailMfaConfiguration, EmailMfaSettings,
    EumsSmsConfiguration, GetUserAuthFactorsRequest, GetUserPoolMfaConfigRequest, GetUserRequest,
    ListWebAuthnCredentialsRequest, MfaFactor, MfaOption, SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest,
    SetUserSettingsRequest, SmsConfiguration, SmsMfaConfiguration, SmsMfaSettings, SoftwareTokenMfaConfiguration,
    SoftwareTokenMfaSettings, StartWebAuthnRegistrationRequest, UserPoolMfaType, VerifySoftwareTokenRequest,
    WebAuthnMfaSettings, associate_software_token_request as associate, verify_software_token_request as verify,
};
use mfagate::api::{FILE_DESCRIPTOR_SET, Rpc};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor};
use serde_json::{Value, json};

use crate::support::pool_config::{self, stated};
use crate::support::rpc_call::any_credential;
use crate::support::test_cognito::{POOL, USER};

/// The descriptors of the API.
pub(crate) fn descriptors() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

/// The request message of an RPC.
pub(crate) fn input(descriptors: &DescriptorPool, rpc: Rpc) -> MessageDescriptor {
    let service = descriptors.get_service_by_name(rpc.service()).unwrap();
    service.methods().find(|method| method.name() == rpc.name()).unwrap().input()
}

/// Whether the fields of a message are ours. Those of a passkey's document are not.
pub(crate) fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name() == "mfagate.v1"
}

/// A field's name in Cognito.
pub(crate) fn member(field: &FieldDescriptor) -> String {
    match field.name() {
        "sms_mfa_settings" => "SMSMfaSettings".to_owned(),
        "mfa_options" => "MFAOptions".to_owned(),
        name => name
            .split('_')
            .flat_map(|word| {
                let (first, rest) = word.split_at(1);
                [first.to_uppercase(), rest.to_owned()]
            })
            .collect(),
    }
}

/// A response of Cognito that satisfies every RPC, about a user without a software token who prefers SMS messages.
pub(crate) fn any_response() -> Value {
    json!({
        "Username": USER,
        "UserAttributes": [],
        "PreferredMfaSetting": "SMS_MFA",
        "Status": "SUCCESS",
        "SecretCode": "MFRGGZDFMZTWQ2LK",
        "CredentialCreationOptions": { "challenge": "c" },
        "Credentials": [],
    })
}

/// Valid requests of an RPC that together have every field, and differ in what they ask for.
pub(crate) fn whole_requests(descriptors: &DescriptorPool, rpc: Rpc, token: &str) -> Vec<DynamicMessage> {
    let input = input(descriptors, rpc);
    let decoded = encoded_requests(rpc, token).into_iter();
    decoded.map(|bytes| DynamicMessage::decode(input.clone(), bytes.as_slice()).unwrap()).collect()
}

fn encoded_requests(rpc: Rpc, token: &str) -> Vec<Vec<u8>> {
    let (user_pool_id, username, access_token) = (POOL.to_owned(), USER.to_owned(), token.to_owned());
    let session = || "s".repeat(20);
    let options = [(vec![MfaOption { delivery_medium: 2, attribute_name: "phone_number".to_owned() }], false)];
    let options = options.into_iter().chain([(Vec::new(), true)]);
    match rpc {
        Rpc::AdminSetUserMfaPreference => {
            let request = |(sms, software_token, email, web_authn)| AdminSetUserMfaPreferenceRequest {
                user_pool_id: user_pool_id.clone(),
                username: username.clone(),
                sms_mfa_settings: sms,
                software_token_mfa_settings: software_token,
                email_mfa_settings: email,
                web_authn_mfa_settings: web_authn,
            };
            preferences().map(|settings| request(settings).encode_to_vec()).into()
        }
        Rpc::SetUserMfaPreference => {
            let request = |(sms, software_token, email, web_authn)| SetUserMfaPreferenceRequest {
                access_token: access_token.clone(),
                sms_mfa_settings: sms,
                software_token_mfa_settings: software_token,
                email_mfa_settings: email,
                web_authn_mfa_settings: web_authn,
            };
            preferences().map(|settings| request(settings).encode_to_vec()).into()
        }
        Rpc::AdminGetUserAuthFactors => {
            vec![AdminGetUserAuthFactorsRequest { user_pool_id, username }.encode_to_vec()]
        }
        Rpc::GetUserAuthFactors => vec![GetUserAuthFactorsRequest { access_token }.encode_to_vec()],
        Rpc::AdminGetUser => vec![AdminGetUserRequest { user_pool_id, username }.encode_to_vec()],
        Rpc::GetUser => vec![GetUserRequest { access_token }.encode_to_vec()],
        Rpc::AdminSetUserSettings => options
            .map(|(mfa_options, clear_mfa_options)| {
                let (user_pool_id, username) = (user_pool_id.clone(), username.clone());
                AdminSetUserSettingsRequest { user_pool_id, username, mfa_options, clear_mfa_options }.encode_to_vec()
            })
            .collect(),
        Rpc::SetUserSettings => options
            .map(|(mfa_options, clear_mfa_options)| {
                let access_token = access_token.clone();
                SetUserSettingsRequest { access_token, mfa_options, clear_mfa_options }.encode_to_vec()
            })
            .collect(),
        Rpc::AssociateSoftwareToken => {
            let request = |credential, user_pool_id| AssociateSoftwareTokenRequest {
                credential: Some(credential),
                user_pool_id,
                issuer: Some("issuer".to_owned()),
                account_name: Some("account".to_owned()),
                allow_reenrolment: true,
            };
            vec![
                request(associate::Credential::AccessToken(access_token), String::new()).encode_to_vec(),
                request(associate::Credential::Session(session()), user_pool_id).encode_to_vec(),
            ]
        }
        Rpc::VerifySoftwareToken => {
            let request = |credential, user_pool_id| VerifySoftwareTokenRequest {
                credential: Some(credential),
                user_pool_id,
                user_code: "123456".to_owned(),
                friendly_device_name: Some("device".to_owned()),
            };
            vec![
                request(verify::Credential::AccessToken(access_token), String::new()).encode_to_vec(),
                request(verify::Credential::Session(session()), user_pool_id).encode_to_vec(),
            ]
        }
        Rpc::AdminDeleteSoftwareToken => {
            vec![AdminDeleteSoftwareTokenRequest { user_pool_id, username }.encode_to_vec()]
        }
        Rpc::StartWebAuthnRegistration => vec![StartWebAuthnRegistrationRequest { access_token }.encode_to_vec()],
        Rpc::CompleteWebAuthnRegistration => {
            let credential = Some(any_credential());
            vec![CompleteWebAuthnRegistrationRequest { access_token, credential }.encode_to_vec()]
        }
        Rpc::ListWebAuthnCredentials => {
            let (next_token, max_results) = (Some("next".to_owned()), Some(7));
            vec![ListWebAuthnCredentialsRequest { access_token, next_token, max_results }.encode_to_vec()]
        }
        Rpc::DeleteWebAuthnCredential => {
            let credential_id = "credential".to_owned();
            vec![DeleteWebAuthnCredentialRequest { access_token, credential_id }.encode_to_vec()]
        }
        Rpc::GetUserPoolMfaConfig => vec![GetUserPoolMfaConfigRequest { user_pool_id }.encode_to_vec()],
        Rpc::SetUserPoolMfaConfig => pool_configs().iter().map(prost::Message::encode_to_vec).collect(),
    }
}

type Preference =
    (Option<SmsMfaSettings>, Option<SoftwareTokenMfaSettings>, Option<EmailMfaSettings>, Option<WebAuthnMfaSettings>);

/// Every factor enabled and SMS preferred, every factor disabled, and one of them alone.
fn preferences() -> [Preference; 3] {
    let (on, off) = (Some(true), Some(false));
    [
        (
            Some(SmsMfaSettings { enabled: on, preferred_mfa: on }),
            Some(SoftwareTokenMfaSettings { enabled: on, preferred_mfa: off }),
            Some(EmailMfaSettings { enabled: on, preferred_mfa: off }),
            Some(WebAuthnMfaSettings { enabled: on }),
        ),
        (
            Some(SmsMfaSettings { enabled: off, preferred_mfa: off }),
            Some(SoftwareTokenMfaSettings { enabled: off, preferred_mfa: off }),
            Some(EmailMfaSettings { enabled: off, preferred_mfa: off }),
            Some(WebAuthnMfaSettings { enabled: off }),
        ),
        (None, Some(SoftwareTokenMfaSettings { enabled: on, preferred_mfa: off }), None, None),
    ]
}

/// Every factor with SMS by Amazon SNS and by AWS End User Messaging, software tokens alone, passkeys alone, and nothing.
fn pool_configs() -> [SetUserPoolMfaConfigRequest; 5] {
    let text = |text: &str| Some(text.to_owned());
    let sns = SmsConfiguration {
        sns_caller_arn: text("arn:aws:iam::123456789012:role/sms"),
        external_id: text("external"),
        sns_region: text("us-west-2"),
        eums_sms: None,
    };
    let eums = SmsConfiguration {
        sns_caller_arn: None,
        external_id: None,
        sns_region: None,
        eums_sms: Some(EumsSmsConfiguration {
            caller_arn: "arn:aws:iam::123456789012:role/eums".to_owned(),
            external_id: text("external"),
            origination_identity: text("+12065550100"),
            configuration_set_name: text("set"),
            in_entity_id: text("entity"),
            in_template_id: text("template"),
            region: text("us-west-2"),
        }),
    };
    let only = |mode: UserPoolMfaType| SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: mode.into(),
        ..Default::default()
    };
    let every_factor = |sms, enabled, mode| SetUserPoolMfaConfigRequest {
        sms_mfa_configuration: Some(SmsMfaConfiguration {
            sms_authentication_message: text("Code {####}"),
            sms_configuration: Some(sms),
        }),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(enabled) }),
        email_mfa_configuration: Some(EmailMfaConfiguration { message: text("Code {####}"), subject: text("Code") }),
        web_authn_configuration: Some(pool_config::web_authn()),
        ..only(mode)
    };
    [
        every_factor(sns, true, UserPoolMfaType::On),
        every_factor(eums, false, UserPoolMfaType::Optional),
        stated(SetUserPoolMfaConfigRequest {
            software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
            ..only(UserPoolMfaType::Optional)
        }),
        SetUserPoolMfaConfigRequest {
            web_authn_configuration: Some(pool_config::web_authn()),
            ..only(UserPoolMfaType::Off)
        },
        SetUserPoolMfaConfigRequest {
            unconfigured_factors: vec![MfaFactor::WebAuthn.into()],
            ..only(UserPoolMfaType::Off)
        },
    ]
}
