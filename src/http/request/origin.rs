//! From where a request came: over which scheme, by which host.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;

use super::super::error::Problem;
use super::super::response::headers::Scheme;

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP peer.
    Address(IpAddr),
    /// A process on this machine.
    UnixSocket,
}

impl Peer {
    /// Whether its forwarding headers count: a proxy on this machine.
    #[must_use]
    pub fn is_trusted(self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::UnixSocket => true,
        }
    }
}

/// The client's address: that of the peer, or what a trusted proxy says of it, which is the rightmost
/// entry of `X-Forwarded-For` that is not itself a proxy here. `None` behind a socket without a word.
#[must_use]
pub fn client(headers: &HeaderMap, peer: Peer) -> Option<IpAddr> {
    let own = match peer {
        Peer::Address(address) => Some(address.to_canonical()),
        Peer::UnixSocket => None,
    };
    if !peer.is_trusted() {
        return own;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().rev();
    forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','))
        .map_while(|entry| entry.trim().parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
        .find(|address| !address.is_loopback())
        .or(own)
}

/// The scheme the browser used: the proxy's word when it is trusted, else what is configured.
#[must_use]
pub fn scheme(headers: &HeaderMap, peer: Peer, public_origins: &[String]) -> Scheme {
    let forwarded = headers.get("x-forwarded-proto").filter(|_| peer.is_trusted());
    if let Some(value) = forwarded.and_then(|value| value.to_str().ok()) {
        return if value.trim().eq_ignore_ascii_case("https") {
            Scheme::Https
        } else {
            Scheme::Http
        };
    }
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_public_tls = public_origins
        .iter()
        .filter_map(|origin| origin.strip_prefix("https://"))
        .any(|authority| authority.eq_ignore_ascii_case(host));
    if is_public_tls { Scheme::Https } else { Scheme::Http }
}

/// Refuses a request without exactly one `Host` (RFC 9112, section 3.2); HTTP/2 names the host in
/// its target.
///
/// # Errors
/// `bad_request`, closing the connection.
pub fn check_host(headers: &HeaderMap, target: &http::Uri) -> Result<(), Problem> {
    let named = headers.get_all(HOST).iter().count();
    if named == 1 || (named == 0 && target.authority().is_some()) {
        return Ok(());
    }
    Err(Problem::new("bad_request", "A request names its host exactly once.").closing())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_client_is_who_the_nearest_proxy_names() {
        let with = |forwarded: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_static(forwarded),
            )])
        };
        let near = Peer::Address(IpAddr::from([127, 0, 0, 1]));
        let far = Peer::Address(IpAddr::from([192, 168, 1, 9]));
        let of = |forwarded, peer| client(&with(forwarded), peer).map(|ip| ip.to_string());
        assert_eq!(of("6.6.6.6, 9.9.9.9, 127.0.0.1", near).as_deref(), Some("9.9.9.9"));
        assert_eq!(of("9.9.9.9", far).as_deref(), Some("192.168.1.9"));
        assert_eq!(of("6.6.6.6, nonsense", near).as_deref(), Some("127.0.0.1"));
        assert_eq!(of("::ffff:9.9.9.9", Peer::UnixSocket).as_deref(), Some("9.9.9.9"));
        assert_eq!(of("127.0.0.1", Peer::UnixSocket), None);
    }

    #[test]
    fn only_a_proxy_on_this_machine_may_speak_for_the_browser() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-proto"),
            HeaderValue::from_static("https"),
        )]);
        let near = Peer::Address(IpAddr::from([127, 0, 0, 1]));
        let far = Peer::Address(IpAddr::from([192, 168, 1, 9]));
        assert_eq!(scheme(&headers, near, &[]), Scheme::Https);
        assert_eq!(scheme(&headers, far, &[]), Scheme::Http);
    }
}
