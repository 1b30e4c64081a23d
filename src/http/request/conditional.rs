//! Which part of a file a request wants (RFC 9110, sections 13 and 14).

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: the client has it.
    NotModified,
    /// All of it.
    Whole,
    /// The bytes from `first` to `last`, both included.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// Bytes that are not there.
    Unsatisfiable,
}

/// What `headers` ask of a file with this strong `etag` and length.
///
/// A range under an `If-Range` that does not match is ignored: resuming would join two files. More
/// than one range is answered with the whole file, as is a range that does not parse.
#[must_use]
pub fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    if text(IF_NONE_MATCH).is_some_and(|list| any_matches(list, etag)) {
        return Wanted::NotModified;
    }
    let Some(range) = text(RANGE) else { return Wanted::Whole };
    if text(IF_RANGE).is_some_and(|validator| validator.trim() != etag) {
        return Wanted::Whole;
    }
    parse_range(range, length)
}

/// Whether a list of entity tags names this one; weak comparison, as `If-None-Match` wants it.
#[must_use]
pub fn any_matches(list: &str, etag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn parse_range(text: &str, length: u64) -> Wanted {
    let Some((first, last)) = text
        .split_once('=')
        .filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"))
        .map(|(_, ranges)| ranges)
        .filter(|ranges| !ranges.contains(','))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (first, last) {
        ("", suffix) => match number(suffix) {
            None => Wanted::Whole,
            Some(0) => Wanted::Unsatisfiable,
            Some(_) if length == 0 => Wanted::Unsatisfiable,
            Some(count) => Wanted::Part { first: length.saturating_sub(count), last: length - 1 },
        },
        (first, last) => {
            let Some(first) = number(first) else { return Wanted::Whole };
            let last = match last {
                "" => u64::MAX,
                text => match number(text) {
                    Some(last) if last >= first => last,
                    _ => return Wanted::Whole,
                },
            };
            if first >= length {
                Wanted::Unsatisfiable
            } else {
                Wanted::Part { first, last: last.min(length - 1) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_a_part_and_everything_odd_is_the_whole() {
        let part = |first, last| Wanted::Part { first, last };
        for (range, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-99", part(0, 99)),
            ("bytes=10-", part(10, 99)),
            ("bytes=-10", part(90, 99)),
            ("bytes=-1000", part(0, 99)),
            ("bytes=50-1000", part(50, 99)),
            ("bytes=99-99999999999999999999999", part(99, 99)),
            ("bytes=100-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=9-3", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("Bytes=0-1", part(0, 1)),
            ("items=0-1", Wanted::Whole),
        ] {
            assert_eq!(parse_range(range, 100), expected, "{range}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(parse_range("bytes=-5", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn validators_decide_before_ranges() {
        let headers = |pairs: &[(http::HeaderName, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value)))
                .collect()
        };
        let etag = "\"abc\"";
        let stale: HeaderMap = headers(&[(RANGE, "bytes=1-"), (IF_RANGE, "\"old\"")]);
        assert_eq!(wanted(&stale, etag, 10), Wanted::Whole);
        let fresh: HeaderMap = headers(&[(RANGE, "bytes=1-"), (IF_RANGE, "\"abc\"")]);
        assert_eq!(wanted(&fresh, etag, 10), Wanted::Part { first: 1, last: 9 });
        let weak: HeaderMap = headers(&[(RANGE, "bytes=1-"), (IF_RANGE, "W/\"abc\"")]);
        assert_eq!(wanted(&weak, etag, 10), Wanted::Whole, "If-Range compares strongly");
        let known: HeaderMap = headers(&[(IF_NONE_MATCH, "\"x\", W/\"abc\""), (RANGE, "bytes=1-")]);
        assert_eq!(wanted(&known, etag, 10), Wanted::NotModified);
    }
}
