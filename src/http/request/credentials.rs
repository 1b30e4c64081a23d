//! Credentials as headers carry them.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use super::super::response::headers::Scheme;
use crate::auth::Credentials;

/// The session cookie's name: over TLS the browser itself keeps it to this host and path.
#[must_use]
pub const fn session_cookie(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "audiomill_session",
        Scheme::Https => "__Host-audiomill_session",
    }
}

/// What the request brings along. A header given twice counts as its first value.
#[must_use]
pub fn credentials(headers: &HeaderMap, scheme: Scheme) -> Credentials<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // What is sent on purpose decides, also where it is nonsense: an empty one is a wrong one.
    let given = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    Credentials {
        api_key: given("x-api-key"),
        bearer: given(AUTHORIZATION.as_str()).and_then(|value| {
            let (kind, token) = value.split_once(' ').unwrap_or((value, ""));
            kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
        }),
        address: None,
        session: cookie(headers, session_cookie(scheme)),
        assertion: text("cf-access-jwt-assertion"),
        assertion_cookie: cookie(headers, "CF_Authorization"),
    }
}

/// Whether Cloudflare Access stands in front. Its header proves nothing here; it only explains.
#[must_use]
pub fn names_access(headers: &HeaderMap) -> bool {
    headers.contains_key("cf-access-authenticated-user-email")
        || headers.contains_key("cf-access-jwt-assertion")
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn keys_tokens_and_cookies_are_found() {
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, HeaderValue::from_static("bearer  abc")),
            (COOKIE, HeaderValue::from_static("x=1; audiomill_session=s; y=2")),
        ]);
        let found = credentials(&headers, Scheme::Http);
        assert_eq!((found.api_key, found.bearer, found.session), (None, Some("abc"), Some("s")));
        assert_eq!(credentials(&headers, Scheme::Https).session, None);
        for nonsense in ["Bearer", "bearer "] {
            let headers =
                HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(nonsense))]);
            assert_eq!(credentials(&headers, Scheme::Http).bearer, Some(""), "{nonsense}");
        }
        let name = http::HeaderName::from_static("x-api-key");
        let odd = HeaderValue::from_bytes(b"\xff").expect("a value");
        let headers = HeaderMap::from_iter([(name, odd)]);
        assert_eq!(credentials(&headers, Scheme::Http).api_key, Some(""));
    }
}
