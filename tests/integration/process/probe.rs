//! `mfagate probe`: the exit code and the text of every way in which a probe can end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use h2::server::handshake;
use http::HeaderMap;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Receiver};

use crate::support::certificate_authority::{CertificateAndKey, CertificateAuthority, payments};
use crate::support::loopback::{listen, reserve_port};
use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture};
use crate::support::process::{Exit, Process};
use crate::support::serve_harness::{AWS_CREDENTIALS, ServeHarness};

/// Runs `mfagate probe`, which prints to standard error only.
async fn probe(arguments: &[&str]) -> (Option<i32>, String) {
    let Exit { status, stdout, stderr } = Process::run(&[&["probe"], arguments].concat(), &[]).await;
    assert_eq!(stdout, "", "{arguments:?}");
    (status.code(), stderr)
}

/// Probes what must end with this code and begin with this text.
async fn probe_ends(arguments: &[&str], code: i32, text: &str) {
    let (exit, printed) = probe(arguments).await;
    assert!(exit == Some(code) && printed.starts_with(text), "{arguments:?} ended with {exit:?}: {printed}");
}

const SERVING: &str = "status: SERVING\n";

/// Does this with each connection, one after another, and returns the address.
fn serve<F: Future<Output = ()> + Send>(
    listener: TcpListener,
    handle: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> String {
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            handle(listener.accept().await.unwrap().0).await;
        }
    });
    address
}

/// The message of a response that says `SERVING`.
const SERVING_MESSAGE: &[u8] = b"\0\0\0\0\x02\x08\x01";

/// Answers one call on each connection with this gRPC status and message, and passes its headers on.
fn answering(listener: TcpListener, status: &'static str, message: &'static [u8]) -> (String, Receiver<HeaderMap>) {
    let (headers, received) = mpsc::channel(8);
    let address = serve(listener, move |stream| {
        let headers = headers.clone();
        async move {
            let mut connection = handshake(stream).await.unwrap();
            let Some(Ok((request, mut respond))) = connection.accept().await else { return };
            // Most tests do not want them.
            let _: Result<(), _> = headers.send(request.headers().clone()).await;
            let response = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut body = respond.send_response(response, false).unwrap();
            body.send_data(message.into(), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            body.send_trailers(trailers).unwrap();
            while connection.accept().await.is_some() {}
        }
    });
    (address, received)
}

#[tokio::test]
async fn a_server_that_serves_is_serving_in_every_notation() {
    let mut process = Process::dev(&[], &[]).await;
    let address = process.address().await;
    let addr = &address.to_string();
    let (go, two_dashes) = (format!("-addr={addr}"), format!("--addr={addr}"));
    let local = format!("-addr=:{}", address.port());
    let cases: &[&[&str]] = &[
        &["--addr", addr],
        &["-addr", addr, "-tls=false", "--tls=0"],
        &[&go],
        &[&two_dashes, "--service", "audit"],
        &[&local, "-service=mfagate.v1.PoolConfigService", "-connect-timeout=1m30s", "-rpc-timeout", "1.5s"],
        // As with Go's flags, the last wins.
        &["-addr=127.0.0.1:1", &go, "-service=unknown", "-service="],
    ];
    for arguments in cases {
        assert_eq!(probe(arguments).await, (Some(0), SERVING.to_owned()), "{arguments:?}");
    }
    process.terminate().await;
}

#[tokio::test]
async fn a_probe_does_not_use_the_environment_of_serve() {
    let mut process = Process::dev(&[], &[]).await;
    let addr = process.address().await.to_string();
    let environment =
        [("LOG_SENSITIVE_BODIES", "1"), ("MFAGATE_LISTEN", "127.0.0.1:1"), ("MFAGATE_TLS_CLIENT_CA", "/missing")];
    let exit = Process::run(&["probe", "--addr", &addr], &environment).await;
    assert_eq!((exit.status.code(), exit.stderr.as_str()), (Some(0), SERVING));
    process.terminate().await;
}

#[tokio::test]
async fn verbose_says_what_is_done_and_no_header_value() {
    let mut process = Process::dev(&[], &[]).await;
    let addr = process.address().await.to_string();
    let (code, printed) = probe(&["--addr", &addr, "-v", "--rpc-header", "authorization: Bearer canary"]).await;
    assert_eq!(code, Some(0), "{printed}");
    let said =
        ["parsed options:\n", "> headers: authorization\n", "connection established (took ", "time elapsed: connect="];
    assert!(said.iter().all(|text| printed.contains(text)) && printed.ends_with(SERVING), "{printed}");
    assert!(!printed.contains("canary"), "{printed}");
    process.terminate().await;
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_not_serving() {
    let fixture = PolicyFixture::allow_all();
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    let mut process = Process::serve(&fixture, "http://127.0.0.1:1", &environment).await;
    process.wait_for_log("not ready missing=no AWS credentials").await;
    let addr = process.address().await.to_string();
    probe_ends(&["--addr", &addr], 4, "service unhealthy (responded with \"NOT_SERVING\")\n").await;
    probe_ends(&["--addr", &addr, "--service", "audit"], 0, SERVING).await;
}

#[tokio::test]
async fn an_unknown_service_is_a_failed_call() {
    let mut process = Process::dev(&[], &[]).await;
    let addr = process.address().await.to_string();
    let text = "error: health rpc failed: rpc error: code = NotFound desc = service not registered\n";
    probe_ends(&["--addr", &addr, "--service", "unknown"], 3, text).await;
    process.terminate().await;
}

#[tokio::test]
async fn other_statuses_of_other_servers_are_told_apart() {
    let (addr, _) = answering(listen().await, "0", b"\0\0\0\0\x02\x08\x03");
    probe_ends(&["--addr", &addr], 4, "service unhealthy (responded with \"SERVICE_UNKNOWN\")\n").await;
    let (addr, _) = answering(listen().await, "0", b"\0\0\0\0\0");
    probe_ends(&["--addr", &addr], 4, "service unhealthy (responded with \"UNKNOWN\")\n").await;
    let (addr, _) = answering(listen().await, "12", b"");
    probe_ends(&["--addr", &addr], 3, "error: this server does not implement the grpc health protocol").await;
    let (addr, _) = answering(listen().await, "4", b"");
    probe_ends(&["--addr", &addr], 3, "timeout: health rpc did not complete within 1s\n").await;
    let (addr, _) = answering(listen().await, "7", b"");
    probe_ends(&["--addr", &addr], 3, "error: health rpc failed: rpc error: code = PermissionDenied desc = ").await;
}

#[tokio::test]
async fn headers_are_sent_as_given() {
    let (addr, mut received) = answering(listen().await, "0", SERVING_MESSAGE);
    let headers = [
        "--rpc-header=Authorization: Bearer token",
        "-rpc-header",
        "a:b",
        "-rpc-header=a: c:d",
        "-rpc-header=e-bin: f",
    ];
    let arguments = [&["--addr", &addr, "--user-agent", "prober"], &headers[..]].concat();
    probe_ends(&arguments, 0, SERVING).await;
    let headers = received.recv().await.unwrap();
    let values = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(values("authorization"), ["Bearer token"]);
    assert_eq!(values("a"), ["b", "c:d"]);
    assert_eq!(values("e-bin"), ["Zg"]);
    assert!(values("user-agent")[0].starts_with("prober tonic/"), "{headers:?}");
    assert_eq!(values("grpc-timeout").len(), 1);
}

#[tokio::test]
async fn without_a_listener_no_connection_is_made() {
    let reserved = reserve_port();
    let addr = reserved.local_addr().unwrap().to_string();
    let text = format!("timeout: failed to connect service \"{addr}\" within 300ms: Connection refused");
    probe_ends(&["--addr", &addr, "--connect-timeout", "300ms"], 2, &text).await;
}

#[tokio::test]
async fn a_server_that_starts_before_time_is_up_is_found() {
    let reserved = reserve_port();
    let addr = reserved.local_addr().unwrap().to_string();
    let probing = tokio::spawn(async move { probe(&["--addr", &addr, "--connect-timeout", "1m"]).await });
    // It was refused at least once.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _serving = answering(reserved.listen(8).unwrap(), "0", SERVING_MESSAGE);
    assert_eq!(probing.await.unwrap(), (Some(0), SERVING.to_owned()));
}

#[tokio::test]
async fn a_listener_that_never_speaks_is_no_connection() {
    let silent = listen().await;
    let addr = silent.local_addr().unwrap().to_string();
    let text = format!("timeout: failed to connect service \"{addr}\" within 200ms\n");
    for tls in [&[][..], &["-tls", "-tls-no-verify"]] {
        let start = Instant::now();
        probe_ends(&[&["--addr", &addr, "--connect-timeout", "200ms"], tls].concat(), 2, &text).await;
        assert!(start.elapsed() >= Duration::from_millis(200));
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_http2_is_no_connection() {
    let addr = serve(listen().await, |mut stream| async move {
        let _ = stream.read(&mut [0; 64]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let text =
        format!("timeout: failed to connect service \"{addr}\" within 200ms: the server does not speak HTTP/2\n");
    probe_ends(&["--addr", &addr, "--connect-timeout", "200ms"], 2, &text).await;

    let addr = serve(listen().await, |stream| async move { drop(stream) });
    let text = format!("timeout: failed to connect service \"{addr}\" within 200ms: ");
    probe_ends(&["--addr", &addr, "--connect-timeout", "200ms"], 2, &text).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_call_that_timed_out() {
    let addr = serve(listen().await, |stream| async move {
        let mut connection = handshake(stream).await.unwrap();
        let mut held = Vec::new();
        while let Some(Ok(call)) = connection.accept().await {
            held.push(call);
        }
    });
    probe_ends(&["--addr", &addr, "--rpc-timeout", "200ms"], 3, "timeout: health rpc did not complete within 200ms\n")
        .await;
}

#[tokio::test]
async fn a_connection_that_ends_during_the_call_is_a_failed_call() {
    let addr = serve(listen().await, |stream| async move {
        let mut connection = handshake(stream).await.unwrap();
        drop(connection.accept().await);
    });
    probe_ends(&["--addr", &addr], 3, "error: health rpc failed: rpc error: code = ").await;
}

/// Certificates in files.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of a new file.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn client(&self, name: &str, client: &CertificateAndKey) -> [String; 2] {
        [
            format!("--tls-client-cert={}", self.write(&format!("{name}.pem"), &client.certificate)),
            format!("--tls-client-key={}", self.write(&format!("{name}.key"), &client.key)),
        ]
    }
}

/// A `serve` over TLS for `localhost`, which takes clients without a certificate as well.
async fn tls_service(authority: &CertificateAuthority) -> (ServeHarness, String) {
    let mut served = ServeHarness::with_tls(ALLOW_ALL, authority, None).await;
    let port = served.process.address().await.port();
    (served, format!("--addr=localhost:{port}"))
}

#[tokio::test]
async fn over_tls_the_server_must_have_a_certificate_of_the_authority_and_the_name() {
    let (authority, files) = (CertificateAuthority::new("servers"), Files::new());
    let (served, addr) = tls_service(&authority).await;
    let ca = &format!("--tls-ca-cert={}", files.write("ca.pem", &authority.certificate));
    let other = CertificateAuthority::new("others");
    let other = &format!("--tls-ca-cert={}", files.write("other.pem", &other.certificate));
    let ip = &addr.replace("localhost", "127.0.0.1");
    let (addr, short) = (addr.as_str(), "--connect-timeout=300ms");

    probe_ends(&[addr, "--tls", ca], 0, SERVING).await;
    probe_ends(&[ip, "-tls", ca, "-tls-server-name=localhost"], 0, SERVING).await;
    probe_ends(&[ip, "-tls=true", "-tls-no-verify=true"], 0, SERVING).await;
    for (arguments, cause) in [
        (&[addr, "--tls", other][..], "invalid peer certificate: UnknownIssuer"),
        // The system's authorities.
        (&[addr, "--tls"], "invalid peer certificate: UnknownIssuer"),
        (&[ip, "--tls", ca], "invalid peer certificate: certificate not valid for name \"127.0.0.1\""),
        (&[addr, "--tls", ca, "--tls-server-name=mfagate"], "invalid peer certificate: certificate not valid for name"),
        // Plaintext, of which the server makes nothing.
        (&[addr], ""),
    ] {
        let (code, printed) = probe(&[arguments, &[short]].concat()).await;
        assert_eq!(code, Some(2), "{arguments:?} {printed}");
        assert!(printed.starts_with("timeout: failed to connect service \"") && printed.contains(cause), "{printed}");
    }
    served.process.terminate().await;
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_is_probed_with_one() {
    let (authority, files, fixture) = (CertificateAuthority::new("ours"), Files::new(), PolicyFixture::allow_all());
    fixture.write_tls(&authority.server(), &authority.certificate);
    let without_tokens = [("--jwt-issuer", ""), ("--jwt-audience", ""), ("--jwks-file", "")];
    let options = [fixture.options_with(&without_tokens), fixture.tls_options()].concat();
    let mut process = Process::serve_with(&options, "http://127.0.0.1:1", AWS_CREDENTIALS).await;
    let port = process.address().await.port();
    let addr = format!("--addr=localhost:{port}");
    let ca = format!("--tls-ca-cert={}", files.write("ca.pem", &authority.certificate));
    let common = [addr.as_str(), "--tls", &ca, "--connect-timeout=500ms"];

    let [certificate, key] = &files.client("client", &authority.client(payments()));
    probe_ends(&[&common[..], &[certificate, key]].concat(), 0, SERVING).await;
    // In TLS 1.3 the handshake has succeeded for the client when it is refused. The alert may be lost: the server closes the connection,
    // and the client writes on it.
    let stranger = CertificateAuthority::new("others").client(payments());
    let [stranger, stranger_key] = &files.client("stranger", &stranger);
    let text = &format!("timeout: failed to connect service \"localhost:{port}\" within 500ms: ");
    probe_ends(&common, 2, text).await;
    probe_ends(&[&common[..], &[stranger, stranger_key]].concat(), 2, text).await;
    // Before any connection.
    let [_, other_key] = &files.client("another", &authority.client(payments()));
    let text = "failed to initialize tls credentials. error=";
    probe_ends(&[&common[..], &[certificate, other_key]].concat(), 1, text).await;
    process.terminate().await;
}

#[tokio::test]
async fn a_server_without_http2_in_its_handshake_is_no_connection() {
    let (authority, files) = (CertificateAuthority::new("servers"), Files::new());
    let server = authority.server();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der], PrivateKeyDer::try_from(server.key_der).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let addr = serve(listen().await, move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let _ = acceptor.accept(stream).await;
        }
    });
    let ca = format!("--tls-ca-cert={}", files.write("ca.pem", &authority.certificate));
    let options = [&format!("--addr={addr}"), "--tls", &ca, "--tls-server-name=localhost", "--connect-timeout=200ms"];
    let (code, printed) = probe(&options).await;
    assert!(code == Some(2) && printed.contains("the server does not offer HTTP/2 (ALPN)"), "{code:?} {printed}");
}

#[tokio::test]
async fn bad_arguments_have_the_exit_code_of_grpc_health_probe() {
    let files = Files::new();
    let empty = &format!("--tls-ca-cert={}", files.write("empty.pem", ""));
    let cases: &[(&[&str], &str)] = &[
        (&["--bogus"], "unexpected argument '--bogus'"),
        (&["-bogus"], "unexpected argument"),
        (&["-alts"], "unexpected argument"),
        (&["extra"], "unexpected argument 'extra'"),
        (&["-addr="], "must be HOST:PORT"),
        (&["-addr"], "a value is required for '--addr <HOST:PORT>'"),
        (&["--addr=localhost"], "must be HOST:PORT, or :PORT for this machine"),
        (&["--addr=unix:/run/mfagate.sock"], "must be HOST:PORT"),
        (&["-connect-timeout=0s"], "must be longer than zero"),
        (&["-rpc-timeout=-1s"], "must be numbers with ms, s, m or h"),
        (&["--rpc-timeout", "2h"], "must be an hour at most"),
        (&["-tls=maybe"], "unexpected argument"),
        (&["-tls-no-verify"], "--tls"),
        (&["-tls-ca-cert=ca.pem"], "--tls"),
        (&["-tls-server-name=localhost"], "--tls"),
        (&["-tls-client-cert=a", "-tls-client-key=b"], "--tls"),
        (&["-tls", "-tls-client-cert=a"], "--tls-client-key <FILE>"),
        (&["-tls", "-tls-client-key=a"], "--tls-client-cert <FILE>"),
        (&["-tls", "-tls-no-verify", "-tls-ca-cert=a"], "cannot be used with"),
        (&["-tls", "-tls-no-verify", "-tls-server-name=a"], "cannot be used with"),
        (&["-tls", "-tls-ca-cert=/missing.pem"], "failed to initialize tls credentials. error=/missing.pem: "),
        (&["-tls", empty], "no certificate in it"),
        (&["-rpc-header=canary"], "must be 'name: value'"),
        (&["-rpc-header=a: canary\u{1}"], "the value is not one of a header"),
    ];
    for (arguments, text) in cases {
        let (code, printed) = probe(arguments).await;
        let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == Some(1) && words.contains(text), "{arguments:?} ended with {code:?}: {printed}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}

#[tokio::test]
async fn help_and_version_are_no_errors_and_other_commands_keep_their_exit_codes() {
    for (arguments, code, text) in [
        (&["probe", "--help"][..], 0, "Usage: mfagate probe"),
        (&["probe", "-version"], 0, env!("CARGO_PKG_VERSION")),
        (&["help", "probe"], 0, "Usage: mfagate probe"),
        (&["--version"], 0, env!("CARGO_PKG_VERSION")),
        (&["--bogus"], 2, ""),
        (&["serve", "--bogus"], 2, ""),
        (&["dev", "-listen=127.0.0.1:0"], 2, ""),
        (&["prob"], 2, ""),
    ] {
        let exit = Process::run(arguments, &[]).await;
        assert!(exit.status.code() == Some(code) && exit.stdout.contains(text), "{arguments:?} {exit:?}");
        assert_eq!(exit.stderr.is_empty(), code == 0, "{exit:?}");
    }
}
