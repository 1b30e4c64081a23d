//! From where a request came: over which scheme, by which host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::HeaderMap;
use http::header::HOST;
use ipnet::IpNet;

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

/// Proxies whose word about the client counts.
#[derive(Clone, Debug)]
pub struct TrustedProxies(Vec<IpNet>);

impl Default for TrustedProxies {
    /// Those on this machine.
    fn default() -> Self {
        let loopback = [
            IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ];
        Self(loopback.to_vec())
    }
}

impl TrustedProxies {
    /// Proxies at these addresses and in these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether `peer` speaks for others. A unix socket is a matter of file permissions, so it does.
    #[must_use]
    pub fn trust(&self, peer: Peer) -> bool {
        match peer {
            Peer::Address(address) => self.hold(address),
            Peer::UnixSocket => true,
        }
    }

    fn hold(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address: that of the peer, or what a trusted proxy says of it, which is the
    /// rightmost entry of `X-Forwarded-For` that is not itself a proxy here; where there is none,
    /// `CF-Connecting-IP` or `X-Real-IP`. `None` behind a socket without a word.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, peer: Peer) -> Option<IpAddr> {
        let own = match peer {
            Peer::Address(address) => Some(address.to_canonical()),
            Peer::UnixSocket => None,
        };
        if !self.trust(peer) {
            return own;
        }
        // Bytes, not text: what a client put before the proxy's own entry must not hide that one.
        let parse = |entry: &[u8]| {
            let entry = std::str::from_utf8(entry).ok()?;
            entry.trim().parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
        };
        let forwarded = headers.get_all("x-forwarded-for").iter().rev();
        let nearest = forwarded
            .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','))
            .map_while(parse)
            .find(|address| !self.hold(*address));
        let single = |name: &str| parse(headers.get(name)?.as_bytes());
        let has_list = headers.contains_key("x-forwarded-for");
        let named = nearest.or_else(|| {
            (!has_list)
                .then(|| single("cf-connecting-ip").or_else(|| single("x-real-ip")))
                .flatten()
        });
        named.or(own)
    }

    /// The scheme the browser used: the proxy's word when it is trusted, else what is configured.
    #[must_use]
    pub fn scheme(&self, headers: &HeaderMap, peer: Peer, public_origins: &[String]) -> Scheme {
        let forwarded = headers.get("x-forwarded-proto").filter(|_| self.trust(peer));
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
}

/// Whether something has passed the request on: it says so, whoever it is.
#[must_use]
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    const MARKS: [&str; 9] = [
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "cf-connecting-ip",
        "cf-ray",
        "cdn-loop",
    ];
    MARKS.into_iter().any(|name| headers.contains_key(name))
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
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    const NEAR: Peer = Peer::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const FAR: Peer = Peer::Address(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9)));

    #[test]
    fn the_client_is_who_the_nearest_proxy_names() {
        let proxies = TrustedProxies::default();
        let of = |name, value, peer| {
            proxies.client(&headers(name, value), peer).map(|ip| ip.to_string())
        };
        let by_list = |list, peer| of("x-forwarded-for", list, peer);
        assert_eq!(by_list("6.6.6.6, 9.9.9.9, 127.0.0.1", NEAR).as_deref(), Some("9.9.9.9"));
        let hidden = HeaderMap::from_iter([(
            HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_bytes(b"\xff, 9.9.9.9").expect("a value"),
        )]);
        assert_eq!(proxies.client(&hidden, NEAR), "9.9.9.9".parse().ok());
        assert_eq!(by_list("9.9.9.9", FAR).as_deref(), Some("192.168.1.9"));
        assert_eq!(by_list("6.6.6.6, nonsense", NEAR).as_deref(), Some("127.0.0.1"));
        assert_eq!(by_list("::ffff:9.9.9.9", Peer::UnixSocket).as_deref(), Some("9.9.9.9"));
        assert_eq!(by_list("127.0.0.1", Peer::UnixSocket), None);
        assert_eq!(of("cf-connecting-ip", "9.9.9.9", NEAR).as_deref(), Some("9.9.9.9"));
        assert_eq!(of("x-real-ip", "9.9.9.9", FAR).as_deref(), Some("192.168.1.9"));
        let mut both = headers("cf-connecting-ip", "6.6.6.6");
        both.extend(headers("x-forwarded-for", "9.9.9.9"));
        assert_eq!(proxies.client(&both, NEAR), "9.9.9.9".parse().ok());
    }

    #[test]
    fn only_a_trusted_proxy_may_speak_for_the_browser() {
        let secure = headers("x-forwarded-proto", "https");
        let scheme = |proxies: &TrustedProxies, peer| proxies.scheme(&secure, peer, &[]);
        assert_eq!(scheme(&TrustedProxies::default(), NEAR), Scheme::Https);
        assert_eq!(scheme(&TrustedProxies::default(), FAR), Scheme::Http);
        let network = TrustedProxies::new(vec!["192.168.1.0/24".parse().expect("a network")]);
        assert_eq!(scheme(&network, FAR), Scheme::Https);
        assert_eq!(scheme(&network, NEAR), Scheme::Http);
    }

    #[test]
    fn two_public_origins_each_have_their_scheme() {
        let origins = ["https://mill.example.org", "http://192.168.1.5:8000"].map(String::from);
        let scheme = |host| TrustedProxies::default().scheme(&headers("host", host), FAR, &origins);
        assert_eq!(scheme("mill.example.org"), Scheme::Https);
        assert_eq!(scheme("192.168.1.5:8000"), Scheme::Http);
    }
}
