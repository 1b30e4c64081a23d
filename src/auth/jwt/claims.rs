//! What a token says, and whether it says it now.

use serde::{Deserialize, Deserializer};

/// Clocks of two machines differ by so much, in seconds.
const SKEW_SECONDS: f64 = 60.0;

/// The claims we read (RFC 7519; `type` and `common_name` are Cloudflare's). A claim given twice is
/// refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::auth) struct Claims {
    pub(in crate::auth) iss: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::auth) aud: Vec<String>,
    pub(in crate::auth) sub: Option<String>,
    pub(in crate::auth) exp: Option<f64>,
    pub(in crate::auth) nbf: Option<f64>,
    pub(in crate::auth) iat: Option<f64>,
    pub(in crate::auth) jti: Option<String>,
    pub(in crate::auth) email: Option<String>,
    pub(in crate::auth) email_verified: Option<bool>,
    #[serde(rename = "type")]
    pub(in crate::auth) kind: Option<String>,
    pub(in crate::auth) common_name: Option<String>,
    pub(in crate::auth) azp: Option<String>,
    pub(in crate::auth) scope: Option<String>,
    /// Of our own tokens: `access` or `refresh`.
    pub(in crate::auth) typ: Option<String>,
    /// Of our own tokens: those that descend from one sign-in.
    pub(in crate::auth) family: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

impl Claims {
    /// Whether the token is good at `now` (epoch milliseconds): it must end, must have begun, and not
    /// be made in the future.
    pub(super) fn hold_at(&self, now: i64) -> bool {
        // Exact: a time of this millennium has 41 bits.
        let now = now as f64 / 1000.0;
        let begun = |at: Option<f64>| at.is_none_or(|at| at <= now + SKEW_SECONDS);
        self.exp.is_some_and(|exp| exp > now - SKEW_SECONDS) && begun(self.nbf) && begun(self.iat)
    }

    /// Whether it is for one of these.
    pub(super) fn is_for(&self, audiences: &[String]) -> bool {
        self.aud.iter().any(|audience| audiences.contains(audience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_hold_with_a_minute_of_difference_between_clocks() {
        let now = 1_800_000_000;
        let claims = |exp, nbf, iat| Claims { exp, nbf, iat, ..Claims::default() };
        let at = |offset: i64| Some((now + offset) as f64);
        for (holds, exp, nbf, iat) in [
            (true, at(10), None, None),
            (true, at(-59), None, None),
            (false, at(-61), None, None),
            (true, at(10), at(59), at(59)),
            (false, at(10), at(61), None),
            (false, at(10), None, at(61)),
            (false, None, None, None),
            (false, Some(f64::NAN), None, None),
        ] {
            assert_eq!(claims(exp, nbf, iat).hold_at(now * 1000), holds, "{exp:?} {nbf:?} {iat:?}");
        }
    }

    #[test]
    fn an_audience_is_one_or_many_and_no_claim_comes_twice() {
        let read = |text: &str| serde_json::from_str::<Claims>(text);
        let ours = [String::from("a")];
        assert!(read(r#"{"aud": "a"}"#).is_ok_and(|claims| claims.is_for(&ours)));
        assert!(read(r#"{"aud": ["b", "a"]}"#).is_ok_and(|claims| claims.is_for(&ours)));
        assert!(read(r#"{"aud": []}"#).is_ok_and(|claims| !claims.is_for(&ours)));
        assert!(read("{}").is_ok_and(|claims| !claims.is_for(&ours)));
        assert!(read(r#"{"aud": "a", "aud": "b"}"#).is_err());
        assert!(read(r#"{"aud": 1}"#).is_err());
    }
}
