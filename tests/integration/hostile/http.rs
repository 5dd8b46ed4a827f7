//! Hostile HTTP/2: whatever surrounds a message gets a clear status, and the connection and the process survive.

use std::io::ErrorKind;

use http::{HeaderValue, Method, Request, StatusCode};
use mfagate::api::Rpc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use super::service;
use crate::support::raw_h2::{
    RawClient, RawFrames, frame_with, framed, grpc_request, rpc_request, valid_body, valid_request,
};
use crate::support::refusal::refused;
use crate::support::test_service::TestService;

#[tokio::test]
async fn paths_that_are_not_rpcs_are_unimplemented() {
    let (_service, mut raw) = service().await;
    let path = Rpc::GetUserPoolMfaConfig.path();
    for path in [
        "/mfagate.v1.PoolConfigService/Nothing".to_owned(),
        "/mfagate.v1.PoolConfigService/".to_owned(),
        "/mfagate.v1.PoolConfigService".to_owned(),
        "/no.such.Service/Method".to_owned(),
        "/".to_owned(),
        format!("/{path}"),
        format!("{path}/"),
        path.replace('/', "//"),
        path.replacen("/Get", "/./Get", 1),
        path.replacen("/Get", "/x/../Get", 1),
        path.replacen("Get", "%47et", 1),
        path.to_lowercase(),
        path.to_uppercase(),
    ] {
        raw.refused(grpc_request(&path).body(()).unwrap(), valid_body(), Code::Unimplemented, "RPC_UNKNOWN").await;
    }
}

#[tokio::test]
async fn a_connect_request_is_not_allowed() {
    let (_service, mut raw) = service().await;
    let request = Request::builder().method(Method::CONNECT).uri("mfagate:80").body(()).unwrap();
    let answer = raw.call(request, valid_body()).await;
    assert_eq!(answer.http, StatusCode::METHOD_NOT_ALLOWED);
    refused::<()>(Err(answer.status()), Code::InvalidArgument, "REQUEST_MALFORMED");
    raw.still_serves().await;
}

#[tokio::test]
async fn a_content_type_that_is_not_grpc_is_unsupported() {
    let (_service, mut raw) = service().await;
    for content_type in [None, Some("text/plain"), Some("application/json"), Some("application/grpcx"), Some("")] {
        let (mut request, body) = valid_request();
        request.headers_mut().remove("content-type");
        if let Some(content_type) = content_type {
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
        }
        let answer = raw.call(request, body).await;
        assert_eq!(answer.http, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type:?}");
        refused::<()>(Err(answer.status()), Code::InvalidArgument, "REQUEST_MALFORMED");
        raw.still_serves().await;
    }
}

#[tokio::test]
async fn content_types_of_grpc_are_served() {
    let (_service, mut raw) = service().await;
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
        let (mut request, body) = valid_request();
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        let answer = raw.call(request, body).await;
        assert_eq!(answer.status().code(), Code::Ok, "{content_type}: {answer:?}");
    }
}

#[tokio::test]
async fn methods_other_than_post_are_not_allowed() {
    let (_service, mut raw) = service().await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let (mut request, body) = valid_request();
        *request.method_mut() = method.clone();
        let answer = raw.call(request, body).await;
        assert_eq!(answer.http, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        refused::<()>(Err(answer.status()), Code::InvalidArgument, "REQUEST_MALFORMED");
        raw.still_serves().await;
    }
}

#[tokio::test]
async fn invalid_timeouts_are_refused() {
    let (_service, mut raw) = service().await;
    for timeout in
        ["", "5", "S", "abc", "1x", "-5S", "+5S", "5 S", "1.5S", "999999999S", "99999999999999999999H", "0x5S"]
    {
        let (mut request, body) = valid_request();
        request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        raw.refused(request, body, Code::InvalidArgument, "REQUEST_MALFORMED").await;
    }
}

#[tokio::test]
async fn a_timeout_that_is_there_twice_is_refused_even_if_both_agree() {
    let (_service, mut raw) = service().await;
    let (mut request, body) = valid_request();
    for _ in 0..2 {
        request.headers_mut().append("grpc-timeout", "5S".parse().unwrap());
    }
    raw.refused(request, body, Code::InvalidArgument, "REQUEST_MALFORMED").await;
}

#[tokio::test]
async fn a_timeout_that_is_not_text_is_refused() {
    let (_service, mut raw) = service().await;
    let (mut request, body) = valid_request();
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_bytes(b"5\xc3\xa9").unwrap());
    raw.refused(request, body, Code::InvalidArgument, "REQUEST_MALFORMED").await;
}

#[tokio::test]
async fn the_longest_timeouts_are_served() {
    let (_service, mut raw) = service().await;
    for timeout in ["99999999H", "99999999M", "99999999S", "99999999m", "99999999u"] {
        let (mut request, body) = valid_request();
        request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        let answer = raw.call(request, body).await;
        assert_eq!(answer.status().code(), Code::Ok, "{timeout}: {answer:?}");
    }
}

#[tokio::test]
async fn request_ids_that_are_unsafe_in_a_log_are_replaced() {
    let (_service, mut raw) = service().await;
    let long = "a".repeat(129);
    let hostile: &[&[u8]] = &[
        b"",
        b"a b",
        b"a\tb",
        b"a\"b",
        b"a%0Ab",
        b"[31mred",
        b"a\\nb",
        "é".as_bytes(),
        b"\xff\xfe",
        long.as_bytes(),
        &[b'a'; 10_000],
        b"{\"a\":1}",
        b"<script>",
    ];
    for id in hostile {
        let (mut request, _) = valid_request();
        request.headers_mut().insert("x-request-id", HeaderValue::from_bytes(id).unwrap());
        let answer = raw.call(request, framed(b"")).await;
        let details = refused::<()>(Err(answer.status()), Code::InvalidArgument, "REQUEST_INVALID");
        let answered = answer.headers["x-request-id"].to_str().unwrap();
        assert_eq!(details.request_info().unwrap().request_id, answered);
        assert!(answered.len() == 32 && answered.bytes().all(|byte| byte.is_ascii_hexdigit()), "{answered}");
        raw.still_serves().await;
    }
}

#[tokio::test]
async fn headers_that_http_forbids_are_never_served() {
    let service = TestService::start().await;
    let path = (":path", Rpc::GetUserPoolMfaConfig.path());
    let pseudo = [(":method", "POST"), (":scheme", "http"), path, (":authority", "mfagate")];
    let grpc = ("content-type", "application/grpc");
    let with = |extra: &[(&'static str, &'static str)]| [&pseudo[..], &[grpc], extra].concat();
    let hostile = [
        with(&[("x-request-id", "a\nb")]),
        with(&[("x-request-id", "a\r\nset-cookie: b")]),
        with(&[("x-request-id", "a\0b")]),
        with(&[("x-request-id", "\x1b[31mred")]),
        with(&[("X-Request-Id", "upper")]),
        with(&[("x request id", "space")]),
        with(&[("connection", "keep-alive")]),
        with(&[path]),
    ];
    for headers in hostile {
        let mut frames = RawFrames::connect(service.address).await;
        frames.send_headers(1, &headers).await;
        // A reset, or the end of a connection whose header compression cannot be followed any more.
        assert_ne!(frames.read_of_stream(1).await, Some(RawFrames::HEADERS), "{headers:?}");
        RawClient::connect(service.address).await.still_serves().await;
    }
}

#[tokio::test]
async fn headers_written_by_hand_are_served() {
    let service = TestService::start().await;
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", Rpc::GetUserPoolMfaConfig.path()),
        (":authority", "mfagate"),
        ("content-type", "application/grpc"),
    ];
    let mut frames = RawFrames::connect(service.address).await;
    frames.send_headers(1, &headers).await;
    frames.send_data(1, &valid_body()).await;
    assert_eq!(frames.read_of_stream(1).await, Some(RawFrames::HEADERS));
}

#[tokio::test]
async fn a_second_request_id_is_ignored() {
    let (_service, mut raw) = service().await;
    let (mut request, _) = valid_request();
    request.headers_mut().insert("x-request-id", "good".parse().unwrap());
    request.headers_mut().append("x-request-id", "b a d".parse().unwrap());
    let answer = raw.call(request, framed(b"")).await;
    let ids: Vec<_> = answer.headers.get_all("x-request-id").iter().collect();
    let [ours] = ids.as_slice() else { panic!("{ids:?}") };
    assert!(ours.len() == 32 && **ours != "good", "{ours:?}");
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused_on_their_stream_only() {
    let (_service, mut raw) = service().await;
    let (mut request, body) = valid_request();
    request.headers_mut().insert("x-huge", "a".repeat(40_000).parse().unwrap());
    let answer = raw.call(request, body).await;
    assert_eq!(answer.http, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    raw.still_serves().await;
}

#[tokio::test]
async fn a_thousand_headers_are_refused_on_their_stream_only() {
    let (_service, mut raw) = service().await;
    let (mut request, body) = valid_request();
    for number in 0..1_000 {
        let name = http::HeaderName::from_bytes(format!("x-many-{number}").as_bytes()).unwrap();
        request.headers_mut().insert(name, "value".parse().unwrap());
    }
    let answer = raw.call(request, body).await;
    assert_eq!(answer.http, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    raw.still_serves().await;
}

#[tokio::test]
async fn binary_metadata_that_is_not_base64_is_ignored() {
    let (_service, mut raw) = service().await;
    let (mut request, body) = valid_request();
    request.headers_mut().insert("x-anything-bin", "!!!".parse().unwrap());
    assert_eq!(raw.call(request, body).await.status().code(), Code::Ok);
}

#[tokio::test]
async fn a_stream_that_the_caller_resets_leaves_the_connection_alone() {
    let service = TestService::start().await;
    let stream = TcpStream::connect(service.address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    let (response, mut body) = send.send_request(rpc_request(Rpc::AdminGetUser), false).unwrap();
    body.send_data(frame_with(0, 100, b"\x0a\x01a"), false).unwrap();
    body.send_reset(h2::Reason::CANCEL);
    response.await.unwrap_err();

    let mut send = send.ready().await.unwrap();
    let (request, valid) = valid_request();
    let (response, mut body) = send.send_request(request, false).unwrap();
    body.send_data(valid, true).unwrap();
    assert_eq!(response.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_flood_of_resets_ends_that_connection_only() {
    let service = TestService::start().await;
    let stream = TcpStream::connect(service.address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    for _ in 0..5_000 {
        let Ok(ready) = send.clone().ready().await else { break };
        send = ready;
        let Ok((_, mut body)) = send.send_request(rpc_request(Rpc::AdminGetUser), false) else { break };
        body.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }
    drop(send);
    // Either the server said GOAWAY, or it kept up with all of them.
    let _: Result<(), h2::Error> = connection.await.unwrap();
    RawClient::connect(service.address).await.still_serves().await;
}

#[tokio::test]
async fn streams_beyond_the_concurrency_limit_wait_for_their_turn() {
    let (_service, raw) = service().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..600 {
        let mut raw = raw.clone();
        calls.spawn(async move { raw.call(valid_request().0, valid_body()).await.status().code() });
    }
    let codes = calls.join_all().await;
    assert_eq!(codes, vec![Code::Ok; 600]);
}

#[tokio::test]
async fn http_1_is_rejected_and_the_next_caller_is_served() {
    let service = TestService::start().await;
    for bytes in [
        &b"POST /mfagate.v1.PoolConfigService/GetUserPoolMfaConfig HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"[..],
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        RawClient::connect(service.address).await.still_serves().await;
    }
}
