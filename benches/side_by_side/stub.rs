//! A stub in Cognito's place: responses of Cognito's shape over HTTP/1.1, for as little CPU as possible.

use std::time::SystemTime;

use prost::bytes::BytesMut;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Failure;
use crate::calls::USERNAME;
use crate::control::{Control, Event, say};

/// How many headers a request of the SDKs has at most.
const MAX_HEADERS: usize = 32;

/// The operation of a request, as far as the responses differ.
#[derive(Clone, Copy, Debug)]
enum Operation {
    AdminGetUser,
    Other,
}

/// Serves until the run ends.
pub(crate) async fn run() -> Result<(), Failure> {
    let _control = Control::start();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Control::report(&Event::Listening { address: listener.local_addr()? })?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async {
            if let Err(failure) = serve(stream).await {
                say(&format!("stub: {failure}"));
            }
        });
    }
}

async fn serve(mut stream: TcpStream) -> Result<(), Failure> {
    let mut received = BytesMut::with_capacity(16 * 1024);
    let mut responses = Responses::default();
    loop {
        while let Some((operation, length)) = request(&received)? {
            let _request = received.split_to(length);
            stream.write_all(responses.get(operation)).await?;
        }
        received.reserve(4096);
        match stream.read_buf(&mut received).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // A part that is ended does not take leave.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The first request in what was received, and its length; `None` until it is complete.
fn request(received: &[u8]) -> Result<Option<(Operation, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(received)? else {
        return Ok(None);
    };
    let (mut operation, mut body) = (Operation::Other, 0);
    for header in request.headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            body = str::from_utf8(header.value)?.parse()?;
        } else if header.name.eq_ignore_ascii_case("x-amz-target") {
            operation = match header.value.rsplit(|byte| *byte == b'.').next() {
                Some(b"AdminGetUser") => Operation::AdminGetUser,
                _ => Operation::Other,
            };
        }
    }
    Ok((received.len() >= head + body).then_some((operation, head + body)))
}

/// The responses, built anew when the time in their `Date` has passed.
#[derive(Default)]
struct Responses {
    second: u64,
    user: Vec<u8>,
    other: Vec<u8>,
}

impl Responses {
    fn get(&mut self, operation: Operation) -> &[u8] {
        let now = SystemTime::now();
        let second = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if second != self.second {
            let user = json!({
                "Username": USERNAME,
                "Enabled": true,
                "UserStatus": "CONFIRMED",
                "UserCreateDate": 1.750_000_000e9,
                "UserLastModifiedDate": 1.750_000_000e9,
                "UserAttributes": [
                    { "Name": "sub", "Value": USERNAME },
                    { "Name": "email", "Value": "user@example.org" },
                    { "Name": "email_verified", "Value": "true" },
                    { "Name": "phone_number", "Value": "+15555550100" },
                    { "Name": "phone_number_verified", "Value": "true" },
                ],
                "PreferredMfaSetting": "SOFTWARE_TOKEN_MFA",
                "UserMFASettingList": ["SMS_MFA", "SOFTWARE_TOKEN_MFA"],
            });
            let response = |body: String| response(now, &body);
            *self = Self { second, user: response(user.to_string()), other: response("{}".to_owned()) };
        }
        match operation {
            Operation::AdminGetUser => &self.user,
            Operation::Other => &self.other,
        }
    }
}

fn response(now: SystemTime, body: &str) -> Vec<u8> {
    let (date, length) = (httpdate::fmt_http_date(now), body.len());
    format!(
        "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {length}\r\n\
         Connection: keep-alive\r\nx-amzn-RequestId: 0d1f2e3c-4b5a-6978-8796-a5b4c3d2e1f0\r\n\r\n{body}"
    )
    .into_bytes()
}
