//! The values of options that are addresses, URLs or durations.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};

use crate::cognito::Endpoint;
use crate::domain::url;
use crate::quota::StoreUrl;

/// An address on loopback. Others do not parse, so an open gate is never reachable from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(pub SocketAddr);

impl FromStr for Loopback {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: SocketAddr = text.parse().map_err(|_| "must be an IP address and a port".to_owned())?;
        if address.ip().is_loopback() {
            Ok(Self(address))
        } else {
            Err("must be on loopback, since callers are not authorized".to_owned())
        }
    }
}

/// An `http` or `https` URL whose host is on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopbackUrl(String);

impl LoopbackUrl {
    /// The endpoint at this URL.
    pub fn into_endpoint(self) -> Endpoint {
        Endpoint::Url(self.0)
    }
}

impl FromStr for LoopbackUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (_, loopback) = url::parse(text)?;
        if loopback {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be on loopback, since callers are not authorized".to_owned())
        }
    }
}

/// The URL of a server in place of AWS, to which access tokens and credentials may be sent: `https`, or `http` on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsUrl(String);

impl AwsUrl {
    /// The endpoint at this URL.
    pub fn into_endpoint(self) -> Endpoint {
        Endpoint::Url(self.0)
    }
}

impl FromStr for AwsUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        url::parse_secure(text).map(|_| Self(text.to_owned()))
    }
}

/// Reads the URL of a quota store. clap's own errors repeat the value, which may hold a password.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreUrlParser;

impl TypedValueParser for StoreUrlParser {
    type Value = StoreUrl;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<StoreUrl, clap::Error> {
        let url = value.to_str().unwrap_or_default().parse();
        url.map_err(|error: String| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("invalid value for '--quota-store <URL>': {error}\n"))
                .with_cmd(command)
        })
    }
}

/// The largest number of workers: more threads than any machine has CPUs for would only take memory.
const MAX_WORKERS: usize = 1024;

/// A number of workers, from 1.
pub(super) fn workers(text: &str) -> Result<NonZero<usize>, String> {
    number(text, 1..=MAX_WORKERS)
}

/// The largest number of operations in flight: more connections than a process has ports for to one address cannot be.
const MAX_OPERATIONS: usize = 32_768;

/// A number of operations, from 1.
pub(super) fn operations(text: &str) -> Result<NonZero<usize>, String> {
    number(text, 1..=MAX_OPERATIONS)
}

/// The largest number of tokens that are remembered: at 4 KiB each, what a process of this kind may take in memory.
const MAX_CACHE_SIZE: usize = 65_536;

/// A number of tokens, which may be 0.
pub(super) fn cache_size(text: &str) -> Result<usize, String> {
    number(text, 0..=MAX_CACHE_SIZE)
}

/// A number in the range, in digits only.
fn number<T: TryFrom<usize>>(text: &str, range: RangeInclusive<usize>) -> Result<T, String> {
    // Rust reads a sign too.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_plain && range.contains(number));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("must be a number from {} to {}", range.start(), range.end()))
}

/// The longest duration: no call and no shutdown takes longer, and much longer ones are beyond the clock.
pub(super) const MAX_DURATION: Duration = Duration::from_hours(1);

/// As [`duration`], and it may be zero: `0s`.
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    if ["0ms", "0s", "0m"].contains(&text) { Ok(Duration::ZERO) } else { duration(text) }
}

/// A number with a unit: `500ms`, `5s` or `2m`; never zero, and an hour at most.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let number: u64 = text
        .strip_suffix(unit)
        .unwrap_or_default()
        .parse()
        .map_err(|_| "must be a number and ms, s or m".to_owned())?;
    let duration = match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    };
    let duration =
        duration.filter(|duration| !duration.is_zero()).ok_or_else(|| "must be a number and ms, s or m".to_owned())?;
    if duration > MAX_DURATION { Err("must be an hour at most".to_owned()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_of_both_families_is_an_address() {
        for text in ["127.0.0.1:0", "127.0.0.1:65535", "127.255.255.254:1", "[::1]:50051"] {
            assert_eq!(text.parse(), Ok(Loopback(text.parse().unwrap())));
        }
    }

    #[test]
    fn other_addresses_are_not_loopback() {
        for text in ["0.0.0.0:1", "128.0.0.1:1", "10.1.2.3:1", "[::]:1", "[::2]:1", "[::ffff:127.0.0.1]:1"] {
            let error = text.parse::<Loopback>().unwrap_err();
            assert!(error.starts_with("must be on loopback"), "{text}: {error}");
        }
    }

    #[test]
    fn urls_on_loopback_are_kept_as_they_are() {
        for text in ["http://127.0.0.1", "https://127.9.9.9:1/path?query", "http://[::1]:1", "http://localhost:1/"] {
            assert_eq!(text.parse(), Ok(LoopbackUrl(text.to_owned())));
            assert_eq!(text.parse::<LoopbackUrl>().unwrap().into_endpoint(), Endpoint::Url(text.to_owned()));
        }
    }

    #[test]
    fn urls_elsewhere_are_refused() {
        for text in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.",
            "http://127.1",
            "http://017700000001",
            "http://a@localhost",
            "http://localhost@example.com",
            "http://localhost:80@example.com",
            "http://[::1].example.com",
            "http://[::1]12",
            "http://[[::1]]",
            "http://]127.0.0.1[",
            "ftp://127.0.0.1",
            "127.0.0.1:1",
            "//127.0.0.1",
            "",
        ] {
            assert!(text.parse::<LoopbackUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("3m"), Ok(Duration::from_mins(3)));
        assert_eq!(duration("60m"), Ok(Duration::from_hours(1)));
        assert!(duration("61m").is_err() && duration("3601s").is_err());
        assert_eq!((delay("0s"), delay("5s")), (Ok(Duration::ZERO), Ok(Duration::from_secs(5))));
        assert!(delay("0").is_err() && delay("61m").is_err());
        let overflow = format!("{}m", u64::MAX);
        for text in ["", "0s", "0ms", "5", "s", "1h", "1.5s", "1s2", "1 s", "-1s", "+1s", "1S", "٣s", &overflow] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
