//! Queries and URL-encoded forms.

use percent_encoding::percent_decode_str;

use super::super::error::Problem;

/// Names and values, decoded, in order.
#[must_use]
pub fn parse(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// The first value of `name`.
#[must_use]
pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Rows of a list where its address says nothing, and the most it may ask for.
const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 500;

/// How many rows of `list` an address asks for, and older than which.
///
/// # Errors
/// `query_invalid`.
pub fn limit_and_before(query: &str, list: &str) -> Result<(u32, Option<i64>), Problem> {
    let (mut limit, mut before) = (LIMIT_DEFAULT, None);
    for (name, value) in parse(query) {
        let wrong = |allowed: &str| {
            Problem::new("query_invalid", format!("\"{name}\" in the address takes {allowed}."))
        };
        match name.as_str() {
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=LIMIT_MAX).contains(number));
                limit = number.ok_or_else(|| wrong("1 to 500"))?;
            }
            "before" => before = Some(value.parse().map_err(|_| wrong("a number"))?),
            _ => {
                let detail = format!("There is no \"{name}\"; {list} limit and before.");
                return Err(Problem::new("query_invalid", detail));
            }
        }
    }
    Ok((limit, before))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether an address is a place on this site and nothing else: `/…`, not `//…` or `/\…`, and
/// without characters that browsers drop or turn around.
#[must_use]
pub fn is_local_path(address: &str) -> bool {
    address.starts_with('/')
        && !matches!(address.as_bytes().get(1), Some(b'/' | b'\\'))
        && !address.chars().any(|c| c.is_control() || c == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let pairs = parse("a=1+2&b=%C3%A4&c&&a=3");
        assert_eq!(value(&pairs, "a"), Some("1 2"));
        assert_eq!(value(&pairs, "b"), Some("ä"));
        assert_eq!(value(&pairs, "c"), Some(""));
        assert_eq!(value(&pairs, "d"), None);
    }

    #[test]
    fn only_places_on_this_site_are_local() {
        for local in ["/", "/upload?x=1", "/upload/jobs/1#a"] {
            assert!(is_local_path(local), "{local}");
        }
        for foreign in ["", "upload", "//evil", "/\\evil", "/\t/evil", "https:evil", "/a\\b", "/\n"]
        {
            assert!(!is_local_path(foreign), "{foreign:?}");
        }
    }
}
