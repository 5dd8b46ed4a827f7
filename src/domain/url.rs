//! The URLs of HTTP servers: what is safe for secrets, and what is on loopback.

use http::Uri;

/// A URL, and whether its host is on loopback. A user part is rejected: it could hide the host, and bring a password into the
/// log.
pub(crate) fn parse(text: &str) -> Result<(Uri, bool), String> {
    let uri: Uri = text.parse().map_err(|_| "must be a URL".to_owned())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("must begin with http:// or https://".to_owned());
    }
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    // A user part before the host, or anything but a port behind it, could make another host look like this one.
    let behind = authority.strip_prefix(host);
    let is_port = |text: &str| text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let plain = behind.is_some_and(|text| text.is_empty() || is_port(text));
    if !plain || host.is_empty() {
        return Err("must have a host, and besides it at most a port".to_owned());
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let ip = bracketed.unwrap_or(host).parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    Ok((uri, loopback))
}

/// A URL that secrets and keys may go over: `https`, or `http` on loopback, where nobody can change or read it in transit.
pub(crate) fn parse_secure(text: &str) -> Result<Uri, String> {
    let (uri, loopback) = parse(text)?;
    if loopback || uri.scheme_str() == Some("https") {
        Ok(uri)
    } else {
        Err("must be https, since http is for loopback only".to_owned())
    }
}
