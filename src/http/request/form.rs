//! Queries and URL-encoded forms.

use percent_encoding::percent_decode_str;

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
