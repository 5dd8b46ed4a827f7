//! The options of `mfagate probe`: those of `grpc_health_probe`, in its notation too.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use data_encoding::BASE64_NOPAD;
use http::{HeaderName, HeaderValue};
use rustls::pki_types::ServerName;

use crate::config::value::MAX_DURATION;

/// The name of the command.
pub(super) const NAME: &str = "probe";

/// The options of `mfagate probe`. None has an environment variable: the environment of a probe in a container is that of `serve`.
#[derive(Debug, Args)]
pub struct Probe {
    /// The server to ask: `HOST:PORT`, or `:PORT` on this machine.
    #[arg(long, default_value = "127.0.0.1:50051", value_name = "HOST:PORT")]
    pub addr: ProbeAddress,

    /// The service to ask about. By default the empty name, which is the server as a whole.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    pub service: String,

    /// How long connecting may take, TLS and the start of HTTP/2 included. A connection that fails is tried again until then.
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = timeout)]
    pub connect_timeout: Duration,

    /// How long the call may take.
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = timeout)]
    pub rpc_timeout: Duration,

    /// A header to send, such as `authorization: Bearer …`. May be repeated.
    #[arg(long, value_name = "NAME: VALUE", value_parser = RpcHeaderParser)]
    pub rpc_header: Vec<RpcHeader>,

    /// The header `user-agent`, to which the name of the gRPC library is added.
    #[arg(long, default_value = "mfagate-probe", value_name = "NAME", value_parser = user_agent)]
    pub user_agent: HeaderValue,

    /// TLS.
    #[command(flatten)]
    pub tls: ProbeTls,

    /// Print the options, and how long connecting and the call took. Headers are printed without their values.
    #[arg(short, long, alias = "v")]
    pub verbose: bool,
}

/// The options of TLS. They may be given only if they are used.
#[derive(Debug, Args)]
pub struct ProbeTls {
    /// Use TLS.
    #[arg(long)]
    pub tls: bool,

    /// The authorities that the server's certificate is verified by, PEM. By default the system's.
    #[arg(long, value_name = "FILE", requires = "tls", conflicts_with = "tls_no_verify")]
    pub tls_ca_cert: Option<PathBuf>,

    /// The certificate chain to present to the server, PEM.
    #[arg(long, value_name = "FILE", requires_all = ["tls", "tls_client_key"])]
    pub tls_client_cert: Option<PathBuf>,

    /// The private key of that certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_client_cert")]
    pub tls_client_key: Option<PathBuf>,

    /// Accept any certificate of the server. Whoever answers may then read what is sent, `--rpc-header` included.
    #[arg(long, requires = "tls")]
    pub tls_no_verify: bool,

    /// The name that the server's certificate must have. By default the host of `--addr`.
    #[arg(long, value_name = "NAME", requires = "tls", conflicts_with = "tls_no_verify", value_parser = server_name)]
    pub tls_server_name: Option<ServerName<'static>>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeAddress {
    /// A name or an IP address, without the brackets of an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for ProbeAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.rsplit_once(':').and_then(|(host, port)| {
            let host = match host.strip_prefix('[') {
                Some(host) => host.strip_suffix(']').filter(|host| host.contains(':'))?,
                None if host.contains(':') => return None,
                None if host.is_empty() => "localhost",
                None => host,
            };
            server_name(host).ok()?;
            Some(Self { host: host.to_owned(), port: port.parse().ok()? })
        });
        parsed.ok_or_else(|| "must be HOST:PORT, or :PORT for this machine".to_owned())
    }
}

impl fmt::Display for ProbeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// The name that a certificate is verified for.
fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned()).map_err(|_| "must be a DNS name or an IP address".to_owned())
}

fn user_agent(text: &str) -> Result<HeaderValue, String> {
    text.parse().map_err(|_| "must be a header's value".to_owned())
}

/// A header of the call. `Debug` does not print its value, which may be a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcHeader {
    /// The name.
    pub name: HeaderName,
    /// The value.
    pub value: HeaderValue,
}

impl FromStr for RpcHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or_else(|| "must be 'name: value'".to_owned())?;
        let name: HeaderName = name.parse().map_err(|_| "the name is not one of a header".to_owned())?;
        let value = value.trim_start();
        // In gRPC these are bytes, and are sent in base64.
        let is_binary = name.as_str().ends_with("-bin");
        let value = if is_binary { BASE64_NOPAD.encode(value.as_bytes()) } else { value.to_owned() };
        let mut value = HeaderValue::from_str(&value).map_err(|_| "the value is not one of a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

/// Reads a header. clap's own errors repeat the value, and what a kubelet's probe prints is kept as an event.
#[derive(Clone, Copy, Debug)]
struct RpcHeaderParser;

impl TypedValueParser for RpcHeaderParser {
    type Value = RpcHeader;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<RpcHeader, clap::Error> {
        value.to_str().unwrap_or_default().parse().map_err(|error: String| {
            let message = format!("invalid value for '--rpc-header <NAME: VALUE>': {error}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// A duration as Go writes it: `1s`, `1.5s` or `1m30s`; never zero, and an hour at most.
fn timeout(text: &str) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|next| !is_of_number(next)).unwrap_or(rest.len()));
        let (unit, next) = after.split_at(after.find(is_of_number).unwrap_or(after.len()));
        let part = seconds_of(unit).zip(number.parse::<f64>().ok());
        let part = part.and_then(|(seconds, number)| Duration::try_from_secs_f64(seconds * number).ok());
        let sum = part.and_then(|part| total.checked_add(part));
        total = sum.ok_or_else(|| "must be numbers with ms, s, m or h, such as 1m30s".to_owned())?;
        rest = next;
    }
    if total.is_zero() {
        Err("must be longer than zero, such as 500ms or 1m30s".to_owned())
    } else if total > MAX_DURATION {
        Err("must be an hour at most".to_owned())
    } else {
        Ok(total)
    }
}

fn is_of_number(character: char) -> bool {
    character.is_ascii_digit() || character == '.'
}

fn seconds_of(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    }
}

/// The arguments with every option of this command as clap reads it: Go's flags may have one dash, and a value where they are on or
/// off (`-tls=true`).
pub(super) fn from_go(command: &Command, arguments: Vec<OsString>) -> Vec<OsString> {
    arguments.into_iter().filter_map(|argument| option_from_go(command, argument)).collect()
}

/// `None` if the option is switched off, which all are that can be.
fn option_from_go(command: &Command, argument: OsString) -> Option<OsString> {
    let Some(text) = argument.to_str().and_then(|text| text.strip_prefix("--").or_else(|| text.strip_prefix('-')))
    else {
        return Some(argument);
    };
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let is_named = |option: &&Arg| {
        option.get_long() == Some(name) || option.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    };
    let Some(option) = command.get_arguments().find(is_named) else { return Some(argument) };
    match value.filter(|_| !option.get_action().takes_values()) {
        None => Some(format!("--{text}").into()),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Some(format!("--{name}").into()),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => None,
        Some(_) => Some(argument),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, host, shown) in [
            ("127.0.0.1:50051", "127.0.0.1", "127.0.0.1:50051"),
            ("localhost:50051", "localhost", "localhost:50051"),
            ("my_mfagate.default.svc:50051", "my_mfagate.default.svc", "my_mfagate.default.svc:50051"),
            (":50051", "localhost", "localhost:50051"),
            ("[::1]:50051", "::1", "[::1]:50051"),
        ] {
            let address: ProbeAddress = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, 50051));
            assert_eq!(address.to_string(), shown);
        }
        for text in [
            "",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "::1:50051",
            "[127.0.0.1]:1",
            "[::1]",
            "unix:/run/mfagate.sock",
            "dns:///localhost:1",
            "http://localhost:1",
            "a b:1",
            "user@host:1",
        ] {
            assert!(text.parse::<ProbeAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_gos() {
        for (text, milliseconds) in [
            ("1s", 1_000),
            ("300ms", 300),
            ("1.5s", 1_500),
            (".5s", 500),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("2000us", 2),
            ("2000µs", 2),
            ("1000000ns", 1),
        ] {
            assert_eq!(timeout(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "0", "0s", "1", "s", "-1s", "+1s", "1 s", "1d", "1s1", "..s", "1e3s", "1h1s", "99999999999999999999h"]
        {
            assert!(timeout(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_header_has_a_name_and_a_value_that_is_not_printed() {
        let header: RpcHeader = "Authorization:  Bearer canary".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.as_bytes()), ("authorization", &b"Bearer canary"[..]));
        assert!(!format!("{header:?}").contains("canary"));
        let binary: RpcHeader = "trace-bin: ab".parse().unwrap();
        assert_eq!(binary.value.as_bytes(), b"YWI");
        for text in ["", "authorization", ": value", "a b: value", "name: a\nb"] {
            assert!(text.parse::<RpcHeader>().is_err(), "{text}");
        }
    }

    #[test]
    fn flags_of_go_are_options() {
        let command = Probe::augment_args(Command::new(NAME));
        let given = [
            "probe",
            "-addr=:1",
            "--addr=:2",
            "-addr",
            ":3",
            "-tls",
            "-tls=true",
            "-tls-no-verify=F",
            "--tls=false",
            "-tls=maybe",
            "-v",
            "-v=1",
            "-x",
            "-",
            "--",
            "value=1",
            "-rpc-header=a: -tls=b",
        ];
        let read = from_go(&command, given.iter().map(OsString::from).collect());
        let expected = [
            "probe",
            "--addr=:1",
            "--addr=:2",
            "--addr",
            ":3",
            "--tls",
            "--tls",
            "-tls=maybe",
            "--v",
            "--v",
            "-x",
            "-",
            "--",
            "value=1",
            "--rpc-header=a: -tls=b",
        ];
        assert_eq!(read, expected);
    }
}
