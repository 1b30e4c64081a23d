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
    /// `X-Real-IP` or `CF-Connecting-IP`. `None` behind a socket without a word.
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
        // A proxy that sets X-Real-IP passes on what a client says of CF-Connecting-IP.
        let named = nearest.or_else(|| {
            (!has_list)
                .then(|| single("x-real-ip").or_else(|| single("cf-connecting-ip")))
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

/// Whether what a browser says of a change's origin is right: from a page of ours, and of the origin
/// that it is sent to. Of several public origins that is the one whose host the request names; behind a
/// proxy that rewrites the host it may be any.
#[must_use]
pub fn is_from_here(headers: &HeaderMap, scheme: Scheme, public_origins: &[String]) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    let Some(origin) = text("origin") else { return true };
    let host = text("host").unwrap_or_default();
    let of_host = |origin: &str| {
        origin.split_once("://").is_some_and(|(_, named)| named.eq_ignore_ascii_case(host))
    };
    let named: Vec<&String> = public_origins.iter().filter(|public| of_host(public)).collect();
    if !named.is_empty() {
        return named.iter().any(|public| public.eq_ignore_ascii_case(origin));
    }
    let own = match scheme {
        Scheme::Http => format!("http://{host}"),
        Scheme::Https => format!("https://{host}"),
    };
    origin.eq_ignore_ascii_case(&own)
        || public_origins.iter().any(|public| public.eq_ignore_ascii_case(origin))
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
        let mut real = headers("cf-connecting-ip", "6.6.6.6");
        real.extend(headers("x-real-ip", "9.9.9.9"));
        assert_eq!(proxies.client(&real, NEAR), "9.9.9.9".parse().ok());
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
    fn a_change_comes_from_a_page_of_the_origin_it_is_sent_to() {
        let public = ["https://mill.example.org", "http://192.168.1.5:8000"].map(String::from);
        let from = |host, origin, site: &'static str| {
            let mut headers = headers("host", host);
            headers.extend(self::headers("origin", origin));
            if !site.is_empty() {
                headers.extend(self::headers("sec-fetch-site", site));
            }
            is_from_here(&headers, Scheme::Https, &public)
        };
        let (mill, lan) = ("https://mill.example.org", "http://192.168.1.5:8000");
        assert!(from("mill.example.org", mill, "same-origin") && from("192.168.1.5:8000", lan, ""));
        assert!(!from("mill.example.org", lan, "cross-site") && !from("mill.example.org", lan, ""));
        assert!(!from("mill.example.org", mill, "same-site"));
        assert!(!from("mill.example.org", mill, "none"), "nobody types a change into the address");
        assert!(!from("mill.example.org", "https://evil.example", "same-origin"));
        assert!(!from("mill.example.org", "null", ""));
        assert!(from("127.0.0.1:8000", mill, ""), "a proxy that rewrites the host");
        assert!(!from("127.0.0.1:8000", "http://127.0.0.1:8000", ""), "it came by https");
    }

    #[test]
    fn two_public_origins_each_have_their_scheme() {
        let origins = ["https://mill.example.org", "http://192.168.1.5:8000"].map(String::from);
        let scheme = |host| TrustedProxies::default().scheme(&headers("host", host), FAR, &origins);
        assert_eq!(scheme("mill.example.org"), Scheme::Https);
        assert_eq!(scheme("192.168.1.5:8000"), Scheme::Http);
    }
}
