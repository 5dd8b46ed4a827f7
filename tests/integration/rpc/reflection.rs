//! Reflection, in both versions: it lists every service, and describes what grpcurl needs to print a response.

use std::collections::BTreeSet;

use mfagate::api::Rpc;
use prost::Message as _;
use prost_types::FileDescriptorProto;

use crate::support::test_service::TestService;

const HEALTH: &str = "grpc.health.v1.Health";

/// The details that our errors carry.
const DETAILS: [&str; 6] = [
    "google.rpc.BadRequest",
    "google.rpc.ErrorInfo",
    "google.rpc.PreconditionFailure",
    "google.rpc.RequestInfo",
    "google.rpc.ResourceInfo",
    "google.rpc.RetryInfo",
];

macro_rules! version {
    ($version:ident) => {
        mod $version {
            use tonic_reflection::pb::$version::ServerReflectionRequest;
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;

            use super::*;

            async fn ask(service: &TestService, question: MessageRequest) -> MessageResponse {
                let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
                let mut client = ServerReflectionClient::new(service.channel());
                let answers = client.server_reflection_info(tokio_stream::once(request)).await;
                answers.unwrap().into_inner().message().await.unwrap().unwrap().message_response.unwrap()
            }

            async fn describes(service: &TestService, symbol: &str) -> FileDescriptorProto {
                match ask(service, MessageRequest::FileContainingSymbol(symbol.to_owned())).await {
                    MessageResponse::FileDescriptorResponse(files) => {
                        FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap()
                    }
                    other => panic!("{symbol}: {other:?}"),
                }
            }

            #[tokio::test]
            async fn every_service_is_listed() {
                let service = TestService::start().await;
                let MessageResponse::ListServicesResponse(list) =
                    ask(&service, MessageRequest::ListServices(String::new())).await
                else {
                    panic!("no list");
                };
                let listed: BTreeSet<String> = list.service.into_iter().map(|service| service.name).collect();
                let served = Rpc::ALL.into_iter().map(Rpc::service).chain([HEALTH]);
                for name in served {
                    assert!(listed.contains(name), "{name} is not in {listed:?}");
                }
            }

            #[tokio::test]
            async fn every_rpc_and_every_error_detail_is_described() {
                let service = TestService::start().await;
                for rpc in Rpc::ALL {
                    let file = describes(&service, rpc.service()).await;
                    let methods = file.service.iter().flat_map(|service| &service.method);
                    assert!(methods.into_iter().any(|method| method.name() == rpc.name()), "{rpc:?}");
                }
                for detail in DETAILS {
                    let file = describes(&service, detail).await;
                    assert_eq!(file.package(), "google.rpc");
                }
            }

            #[tokio::test]
            async fn an_unknown_symbol_is_not_found() {
                let service = TestService::start().await;
                let client = ServerReflectionClient::new(service.channel());
                let question = Some(MessageRequest::FileContainingSymbol("no.such.Symbol".to_owned()));
                let request = ServerReflectionRequest { host: String::new(), message_request: question };
                let answers = { client }.server_reflection_info(tokio_stream::once(request)).await.unwrap();
                let code = match answers.into_inner().message().await {
                    Err(status) => status.code() as i32,
                    Ok(answer) => match answer.unwrap().message_response.unwrap() {
                        MessageResponse::ErrorResponse(error) => error.error_code,
                        other => panic!("{other:?}"),
                    },
                };
                assert_eq!(code, tonic::Code::NotFound as i32);
            }
        }
    };
}

version!(v1);
version!(v1alpha);
