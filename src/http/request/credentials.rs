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
    Credentials {
        api_key: text("x-api-key"),
        bearer: text(AUTHORIZATION.as_str()).and_then(|value| {
            let (kind, token) = value.split_once(' ')?;
            kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
        }),
        session: cookie(headers, session_cookie(scheme)),
        assertion: text("cf-access-jwt-assertion"),
        assertion_cookie: cookie(headers, "CF_Authorization"),
    }
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
    }
}
