//! What grpcurl does with a command line of the documents, on a connection of a test.

use mfagate::api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;
use tonic::client::Grpc;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::support::reflection::list_services;

/// A command line of grpcurl.
#[derive(Debug, Default)]
pub(crate) struct Grpcurl {
    headers: Vec<(String, String)>,
    data: String,
    /// `list`, or the full name of a method.
    symbol: String,
}

impl Grpcurl {
    /// Reads a command line as a shell does: words, quotation marks, and variables.
    pub(crate) fn parse(script: &str, variables: &[(&str, &str)]) -> Self {
        let mut words = words(script, variables).into_iter();
        assert_eq!(words.next().as_deref(), Some("grpcurl"), "{script}");
        let mut command = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-plaintext" => {}
                "-protoset" => drop(words.next()),
                "-d" => command.data = words.next().unwrap(),
                "-H" => {
                    let header = words.next().unwrap();
                    let (name, value) = header.split_once(": ").unwrap();
                    command.headers.push((name.to_owned(), value.to_owned()));
                }
                _ => command.symbol = word,
            }
        }
        command
    }

    /// What grpcurl prints of the refusal, its details left out.
    pub(crate) async fn refusal(&self, channel: Channel) -> String {
        if self.symbol == "list" {
            let answer =
                ServerReflectionClient::new(channel).server_reflection_info(self.request(list_services())).await;
            let status = answer.unwrap_err();
            let (code, message) = (status.code(), status.message());
            return format!("Failed to list services: rpc error: code = {code:?} desc = {message}\n");
        }
        let request = serde_json::from_str(&self.data).unwrap();
        let status = self.send(channel, &request).await.unwrap_err();
        format!("ERROR:\n  Code: {:?}\n  Message: {}\n", status.code(), status.message())
    }

    async fn send(&self, channel: Channel, request: &Json) -> Result<(), Status> {
        call_json(channel, &format!("/{}", self.symbol), self.request(()), request).await
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            let name: AsciiMetadataKey = name.parse().unwrap();
            request.metadata_mut().insert(name, value.parse::<AsciiMetadataValue>().unwrap());
        }
        request
    }
}

/// Calls the RPC on `path` with the headers of `headers` and the message of this JSON, and drops the response.
pub(crate) async fn call_json(
    channel: Channel,
    path: &str,
    headers: Request<()>,
    message: &Json,
) -> Result<(), Status> {
    let descriptors = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let (service, name) = path.trim_start_matches('/').split_once('/').unwrap();
    let service = descriptors.get_service_by_name(service).unwrap();
    let method = service.methods().find(|method| method.name() == name).unwrap();
    let message = to_message(&method.input(), message);
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = ProstCodec::<DynamicMessage, ()>::default();
    let request = headers.map(|()| message);
    client.unary(request, path.parse().unwrap(), codec).await.map(drop)
}

/// The message of this JSON, whose names are those of the protos.
fn to_message(descriptor: &MessageDescriptor, json: &Json) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, value) in json.as_object().unwrap() {
        let field = descriptor.get_field_by_name(name).unwrap_or_else(|| panic!("{} has no {name}", descriptor.name()));
        let value = match value {
            Json::Array(values) => Value::List(values.iter().map(|value| to_value(&field, value)).collect()),
            value => to_value(&field, value),
        };
        message.set_field(&field, value);
    }
    message
}

fn to_value(field: &FieldDescriptor, json: &Json) -> Value {
    match field.kind() {
        Kind::Bool => Value::Bool(json.as_bool().unwrap()),
        Kind::Int32 => Value::I32(json.as_i64().unwrap().try_into().unwrap()),
        Kind::String => Value::String(json.as_str().unwrap().to_owned()),
        Kind::Enum(values) => Value::EnumNumber(values.get_value_by_name(json.as_str().unwrap()).unwrap().number()),
        Kind::Message(descriptor) if descriptor.full_name() == "google.protobuf.Struct" => {
            let texts = json.as_object().unwrap().iter().map(|(name, text)| (name.clone(), text.as_str().unwrap()));
            let fields = texts.map(|(name, text)| {
                (name, prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(text.to_owned())) })
            });
            let fields = prost_types::Struct { fields: fields.collect() };
            Value::Message(DynamicMessage::decode(descriptor, fields.encode_to_vec().as_slice()).unwrap())
        }
        Kind::Message(descriptor) => Value::Message(to_message(&descriptor, json)),
        other => panic!("{} is of the kind {other:?}", field.full_name()),
    }
}

/// The words of a command line, as a shell reads them.
fn words(script: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote, mut rest) = (None::<String>, None, script.chars().peekable());
    while let Some(letter) = rest.next() {
        match (quote, letter) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => match rest.next() {
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            (None | Some('"'), '$') => {
                let mut name = String::new();
                while let Some(letter) = rest.next_if(|letter| letter.is_ascii_uppercase() || *letter == '_') {
                    name.push(letter);
                }
                let value = variables.iter().find(|(variable, _)| *variable == name);
                word.get_or_insert_default().push_str(value.unwrap_or_else(|| panic!("no variable {name}")).1);
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn a_command_line_is_read_as_a_shell_reads_it() {
    let read = words("grpcurl -d '{\"a\": \"$B\"}' -H \"x: \\\"$B\\\"\" \\\n  a:1 b/C\n", &[("B", "c d")]);
    assert_eq!(read, ["grpcurl", "-d", "{\"a\": \"$B\"}", "-H", "x: \"c d\"", "a:1", "b/C"]);
}
