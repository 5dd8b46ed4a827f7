//! Redaction in debug texts: of every field with `debug_redact`, and every field whose name says that it needs it.

use mfagate::api::{FILE_DESCRIPTOR_SET, v1};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

/// Fields that are secret, or personal, wherever they occur.
const SECRET_NAMES: &[&str] = &[
    "access_token",
    "session",
    "user_code",
    "secret_code",
    "otpauth_uri",
    "username",
    "account_name",
    "friendly_device_name",
    "friendly_credential_name",
    "external_id",
    "credential",
    "credential_id",
    "credential_creation_options",
    "next_token",
];

fn messages() -> Vec<MessageDescriptor> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    pool.all_messages().filter(|message| message.package_name() == "mfagate.v1").collect()
}

fn is_redacted(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

#[test]
fn every_field_that_is_secret_by_its_name_is_declared_secret() {
    let fields: Vec<FieldDescriptor> =
        messages().iter().flat_map(|message| message.fields().collect::<Vec<_>>()).collect();
    for name in SECRET_NAMES {
        assert!(fields.iter().any(|field| field.name() == *name), "no field is named {name} any more");
    }
    for field in fields {
        assert_eq!(is_redacted(&field), SECRET_NAMES.contains(&field.name()), "{}", field.full_name());
    }
}

/// A message with every field set: the secret ones to a canary, the others to open text. Of a oneof, the `choice`th
/// field is set.
fn filled(message: &MessageDescriptor, choice: usize, secret: bool) -> DynamicMessage {
    let mut filled = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let chosen = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()).is_none_or(|oneof| {
            oneof.fields().nth(choice % oneof.fields().count()).is_some_and(|chosen| chosen == field)
        });
        if chosen {
            filled.set_field(&field, value(&field, choice, secret || is_redacted(&field)));
        }
    }
    filled
}

fn value(field: &FieldDescriptor, choice: usize, secret: bool) -> Value {
    let text = || Value::String(if secret { "canary" } else { "open" }.to_owned());
    let one = match field.kind() {
        Kind::String => text(),
        Kind::Bool => Value::Bool(true),
        Kind::Enum(_) => Value::EnumNumber(2),
        Kind::Int32 => Value::I32(1),
        Kind::Message(inner) if inner.full_name() == "google.protobuf.Struct" => {
            let mut leaf =
                DynamicMessage::new(inner.parent_pool().get_message_by_name("google.protobuf.Value").unwrap());
            leaf.set_field_by_name("string_value", text());
            let mut document = DynamicMessage::new(inner);
            let fields = [(MapKey::String("canary".to_owned()), Value::Message(leaf))];
            document.set_field_by_name("fields", Value::Map(fields.into()));
            Value::Message(document)
        }
        Kind::Message(inner) if inner.package_name() == "mfagate.v1" => Value::Message(filled(&inner, choice, secret)),
        Kind::Message(inner) => Value::Message(DynamicMessage::new(inner)),
        kind => panic!("{} is of a kind that is new here: {kind:?}", field.full_name()),
    };
    if field.is_list() { Value::List(vec![one]) } else { one }
}

fn printed<M: Message + Default + std::fmt::Debug>(bytes: &[u8]) -> String {
    let message = M::decode(bytes).unwrap();
    format!("{message:?}\n{message:#?}")
}

macro_rules! printers {
    ($($message:ident)*) => {
        const PRINTERS: &[(&str, fn(&[u8]) -> String)] = &[$((stringify!($message), printed::<v1::$message>)),*];
    };
}

printers! {
    AdminDeleteSoftwareTokenRequest AdminDeleteSoftwareTokenResponse
    AdminGetUserAuthFactorsRequest AdminGetUserAuthFactorsResponse
    AdminGetUserRequest AdminGetUserResponse
    AdminSetUserMfaPreferenceRequest AdminSetUserMfaPreferenceResponse
    AdminSetUserSettingsRequest AdminSetUserSettingsResponse
    AssociateSoftwareTokenRequest AssociateSoftwareTokenResponse
    CompleteWebAuthnRegistrationRequest CompleteWebAuthnRegistrationResponse
    ContactAttribute
    DeleteWebAuthnCredentialRequest DeleteWebAuthnCredentialResponse
    EmailMfaConfiguration EmailMfaSettings EumsSmsConfiguration
    GetUserAuthFactorsRequest GetUserAuthFactorsResponse
    GetUserPoolMfaConfigRequest GetUserPoolMfaConfigResponse
    GetUserRequest GetUserResponse
    ListWebAuthnCredentialsRequest ListWebAuthnCredentialsResponse
    MfaOption
    SetUserMfaPreferenceRequest SetUserMfaPreferenceResponse
    SetUserPoolMfaConfigRequest SetUserPoolMfaConfigResponse
    SetUserSettingsRequest SetUserSettingsResponse
    SmsConfiguration SmsMfaConfiguration SmsMfaSettings
    SoftwareTokenMfaConfiguration SoftwareTokenMfaSettings
    StartWebAuthnRegistrationRequest StartWebAuthnRegistrationResponse
    VerifySoftwareTokenRequest VerifySoftwareTokenResponse
    WebAuthnConfiguration WebAuthnCredential WebAuthnMfaSettings
}

#[test]
fn no_message_prints_a_field_that_is_declared_secret() {
    let messages = messages();
    let mut names: Vec<&str> = messages.iter().map(MessageDescriptor::name).collect();
    names.sort_unstable();
    assert_eq!(PRINTERS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for message in &messages {
        let (_, print) = PRINTERS.iter().find(|(name, _)| *name == message.name()).unwrap();
        for choice in 0..2 {
            let filled = filled(message, choice, false);
            let printed = print(&filled.encode_to_vec());
            assert!(!printed.contains("canary"), "{printed}");
            // The message really was printed.
            assert_eq!(printed.contains("open"), filled.to_string().contains("open"), "{printed}");
        }
    }
}

#[test]
fn the_parts_of_a_request_with_a_credential_print_nothing_of_it() {
    use mfagate::domain::text::{AccessToken, Session, Text, UserCode, Username};
    use mfagate::request::credential::{UserCredential, WireCredential};
    let access_token: AccessToken = Text::parse("canary".to_owned()).unwrap();
    let session: Session = Text::parse("canary-session-of-twenty".to_owned()).unwrap();
    let code: UserCode = Text::parse("123456".to_owned()).unwrap();
    let username: Username = Text::parse("canary".to_owned()).unwrap();
    let printed = format!(
        "{access_token:?} {session:?} {code:?} {username:?} {:?} {:?} {:?} {:?}",
        UserCredential::AccessToken(access_token.clone()),
        UserCredential::Session(session.clone()),
        WireCredential::AccessToken("canary".to_owned()),
        WireCredential::Session("canary".to_owned()),
    );
    assert!(!printed.contains("canary") && !printed.contains("123456"), "{printed}");
}
