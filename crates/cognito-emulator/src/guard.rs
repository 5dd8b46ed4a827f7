//! Keeps web pages out: a browser on this machine reaches loopback for every page that it shows.
//!
//! A page of another origin can send requests, and one whose name resolves to 127.0.0.1 (DNS rebinding) can read the
//! responses as well. AWS SDKs, the AWS CLI and curl send none of what is refused here.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Response, Uri, header};
use axum::middleware::Next;

use crate::protocol::Failure;

/// The header that every request to a control endpoint must have, with any value.
///
/// A page cannot send it without a preflight, which the emulator refuses.
pub const CONTROL_HEADER: &str = "x-embedded-control";

/// Refuses what is not addressed to loopback by name, or comes from a page of another origin.
pub(crate) async fn from_this_machine(request: Request, next: Next) -> Response<Body> {
    match check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => refuse(why),
    }
}

/// Refuses a request without the [`CONTROL_HEADER`].
pub(crate) async fn with_control_header(request: Request, next: Next) -> Response<Body> {
    if request.headers().contains_key(CONTROL_HEADER) {
        return next.run(request).await;
    }
    refuse("control endpoints need the header X-Embedded-Control, so that no web page can call them")
}

fn refuse(why: &str) -> Response<Body> {
    let mut failure = Failure::new("ForbiddenException", why);
    failure.status = 403;
    failure.into_response()
}

fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err("the request needs one Host");
    };
    let host = host.to_str().unwrap_or_default();
    if !is_loopback(host) || uri.authority().is_some_and(|authority| !is_loopback(authority.as_str())) {
        return Err("the Host must be localhost or a loopback address");
    }
    let own = format!("http://{host}");
    if headers.get_all(header::ORIGIN).iter().any(|origin| !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes())) {
        return Err("the Origin is a web page, which must not call the emulator");
    }
    // What browsers add to requests without an Origin, such as those for images and frames.
    if headers.get_all("sec-fetch-site").iter().any(|site| site != "none" && site != "same-origin") {
        return Err("the request comes from a web page, which must not call the emulator");
    }
    Ok(())
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    !authority.as_str().contains('@')
        && (host.eq_ignore_ascii_case("localhost")
            || address.parse().is_ok_and(|address: IpAddr| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_a_name_or_an_address_of_this_machine() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9229", "127.255.255.254:1", "[::1]", "[::1]:9229"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9229",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "0.0.0.0",
            "10.0.0.1:9229",
            "[::]",
            "[::ffff:10.0.0.1]",
            "localhost, evil.example",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
