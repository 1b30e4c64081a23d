//! What may become a job: options that can be met, content that is taken.

use serde_json::{Map, Value, json};

use super::error::JobsError;
use crate::media::options::parse;
use crate::media::plan::plan_options;
use crate::media::sniff::{Kind, sniff};
use crate::media::{Catalog, Request};

/// Which contents are taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedTypes {
    /// Sound, the common video containers, and what cannot be judged before decoding.
    AnySound,
    /// Only these MIME types (`audio/*` allowed) and extensions (`.wav`), as the content proves them.
    Only(Vec<String>),
}

/// Content that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Extension of our own table, for storing.
    pub extension: &'static str,
    /// Facts known so far, as JSON.
    pub source: String,
}

/// Options as they were given: names and values in order.
pub type OptionPairs = [(String, String)];

/// Checks options before (or after) the file has come.
///
/// # Errors
/// `Option` or `Unsupported`, naming the option and what would work.
pub fn check_options(pairs: &OptionPairs) -> Result<Request, JobsError> {
    let given = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = parse(None, given)?;
    plan_options(&request, Catalog::of_this_build().entry(request.format))?;
    Ok(request)
}

/// The options as the job object shows them: what was given, and the format always.
///
/// # Errors
/// As [`check_options`].
pub fn options_json(pairs: &OptionPairs) -> Result<Value, JobsError> {
    let request = check_options(pairs)?;
    let mut options = Map::new();
    options.insert(String::from("format"), request.format.as_str().into());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        options.insert(name.clone(), value.clone().into());
    }
    Ok(Value::Object(options))
}

/// The options of a stored job.
///
/// # Errors
/// `Internal` when the row holds something this build cannot read any more.
pub fn request_of(options: &str) -> Result<Request, JobsError> {
    let options: Map<String, Value> = serde_json::from_str(options)?;
    let pairs: Vec<(String, String)> = options
        .into_iter()
        .map(|(name, value)| {
            (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    check_options(&pairs)
}

/// Judges the beginning of a file.
///
/// # Errors
/// `NotAudio` or `NotAccepted`, naming what was found.
pub fn admit(head: &[u8], allowed: &AllowedTypes) -> Result<Admitted, JobsError> {
    let (mime_type, extension, source) = match sniff(head) {
        Kind::Media { mime_type, extension } => {
            (mime_type, extension, json!({ "container": extension }))
        }
        Kind::Other { name } => return Err(JobsError::NotAudio(name)),
        Kind::Playlist { name } => {
            return Err(JobsError::NotAccepted(format!(
                "This is {name}: it names other files and holds no sound itself. Send those files instead."
            )));
        }
        Kind::Unknown => ("application/octet-stream", "bin", json!({})),
    };
    if let AllowedTypes::Only(list) = allowed
        && !list.iter().any(|entry| matches(entry, mime_type, extension))
    {
        return Err(JobsError::NotAccepted(format!(
            "Files of type {mime_type} are not taken here; taken are {}.",
            list.join(", ")
        )));
    }
    Ok(Admitted { extension, source: source.to_string() })
}

fn matches(entry: &str, mime_type: &str, extension: &str) -> bool {
    if let Some(family) = entry.strip_suffix("/*") {
        return mime_type.split('/').next() == Some(family);
    }
    entry.trim_start_matches('.') == extension || entry == mime_type
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt ";

    #[test]
    fn content_decides_not_the_name() {
        assert_eq!(admit(WAV, &AllowedTypes::AnySound).map(|a| a.extension).ok(), Some("wav"));
        assert!(matches!(
            admit(b"\x89PNG\r\n\x1a\n", &AllowedTypes::AnySound),
            Err(JobsError::NotAudio(_))
        ));
        assert!(matches!(
            admit(b"#EXTM3U\n", &AllowedTypes::AnySound),
            Err(JobsError::NotAccepted(_))
        ));
        assert_eq!(
            admit(&[1, 200, 3, 0], &AllowedTypes::AnySound).map(|a| a.extension).ok(),
            Some("bin")
        );
    }

    #[test]
    fn a_list_takes_families_types_and_extensions() {
        for (entry, taken) in [
            ("audio/*", true),
            ("audio/wav", true),
            (".wav", true),
            ("wav", true),
            ("video/*", false),
        ] {
            let allowed = AllowedTypes::Only(vec![entry.to_owned()]);
            assert_eq!(admit(WAV, &allowed).is_ok(), taken, "{entry}");
            assert!(admit(&[1, 200, 3, 0], &allowed).is_err(), "what proves nothing is on no list");
        }
    }

    #[test]
    fn options_come_back_from_the_row_as_they_were_given() {
        let pairs = [("format", "opus"), ("bitrate", "96k"), ("tags", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let stored = options_json(&pairs).expect("options").to_string();
        assert_eq!(
            request_of(&stored).expect("a request"),
            check_options(&pairs).expect("a request")
        );
        assert_eq!(options_json(&[]).expect("options"), json!({ "format": "mp3" }));
    }
}
