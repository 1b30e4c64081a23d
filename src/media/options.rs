//! Conversion options: one declaration for command line, form, query, JSON and catalogue.

use crate::base::BitRate;

use super::request::{BitDepth, Carry, Format, Reencode, Request};

/// One option as users know it.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The word (`sample_rate`); the command line's flag has hyphens.
    pub name: &'static str,
    /// What it takes, for `--help`.
    pub values: &'static str,
    /// What it does, for `--help`.
    pub help: &'static str,
}

const fn option(name: &'static str, values: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { name, values, help }
}

/// Every option of the contract, `format` first.
pub const OPTIONS: [OptionSpec; 27] = [
    option("format", "FORMAT", "target format, as `audiomill formats` lists them"),
    option("preset", "NAME", "options under one name, as `audiomill formats` lists them"),
    option("bitrate", "8k…512k", "bits per second over all channels, lossy formats"),
    option("quality", "NUMBER", "the codec's own VBR scale (mp3, ogg) or effort (flac, opus)"),
    option("sample_rate", "HZ", "samples per second; the nearest the encoder has"),
    option("channels", "1|2|6|8|keep", "number of channels"),
    option("bit_depth", "16|24|32|32f", "depth of lossless samples"),
    option("stream", "NUMBER", "which audio stream, counted from 0"),
    option("start", "TIME", "where to start, in seconds or hh:mm:ss.mmm"),
    option("end", "TIME", "where to end"),
    option("duration", "TIME", "how much from the start on, instead of an end"),
    option("loudness", "LUFS|off", "loudness to reach (EBU R128), like -16; two passes"),
    option("tags", "keep|drop", "whether tags are carried over"),
    option("cover", "keep|drop", "whether the cover picture is carried over"),
    option("chapters", "keep|drop", "whether chapters are carried over"),
    option("title", "TEXT", "sets this tag, as do the following"),
    option("artist", "TEXT", "performer"),
    option("album", "TEXT", "album"),
    option("album_artist", "TEXT", "performer of the album"),
    option("composer", "TEXT", "composer"),
    option("genre", "TEXT", "genre"),
    option("date", "TEXT", "year, or year-month-day"),
    option("track", "TEXT", "number, or number/total"),
    option("disc", "TEXT", "number, or number/total"),
    option("comment", "TEXT", "comment"),
    option("reencode", "auto|always", "auto copies the sound where the codec may stay as it is"),
    option("threads", "NUMBER", "cores this conversion may work on at the most; 0 is all"),
];

/// Options under one name.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Preset {
    /// The word.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// One sentence.
    pub hint: &'static str,
    /// What it stands for; explicit options win.
    #[serde(serialize_with = "as_map")]
    pub options: &'static [(&'static str, &'static str)],
}

fn as_map<S: serde::Serializer>(
    options: &&'static [(&'static str, &'static str)],
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(options.iter().copied())
}

const fn preset(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    options: &'static [(&'static str, &'static str)],
) -> Preset {
    Preset { name, label, hint, options }
}

/// Every preset, in the order lists show them.
pub const PRESETS: [Preset; 6] = [
    preset(
        "voice",
        "Voice",
        "Speech, small and clear.",
        &[("format", "opus"), ("channels", "1"), ("bitrate", "32k")],
    ),
    preset(
        "music",
        "Music",
        "Plays everywhere, as good as MP3 gets.",
        &[("format", "mp3"), ("quality", "0")],
    ),
    preset(
        "podcast",
        "Podcast",
        "Plays everywhere, as loud as podcasts are.",
        &[("format", "mp3"), ("bitrate", "128k"), ("loudness", "-16")],
    ),
    preset(
        "audiobook",
        "Audiobook",
        "One voice, with chapters, for phones.",
        &[("format", "m4b"), ("channels", "1"), ("bitrate", "64k")],
    ),
    preset(
        "archive",
        "Archive",
        "Nothing is thrown away.",
        &[("format", "flac"), ("quality", "8")],
    ),
    preset(
        "transcribe",
        "Transcribe",
        "Just enough for speech recognition.",
        &[("format", "opus"), ("channels", "1"), ("bitrate", "16k")],
    ),
];

/// Longest text of a tag, in bytes.
const TAG_BYTES_MAX: usize = 4096;

/// Why options were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// The target format is none of ours.
    #[error("There is no format \"{0}\"; the formats are {list}.", list = format_list())]
    FormatUnknown(String),
    /// No option has this name.
    #[error("There is no option \"{0}\"; the options are {list}.", list = option_list())]
    Unknown(String),
    /// The value does not parse.
    #[error("The value \"{value}\" of \"{name}\" is not one of {allowed}.")]
    Value {
        /// The option.
        name: &'static str,
        /// What was given, cut to a sane length.
        value: String,
        /// What would do.
        allowed: &'static str,
    },
    /// Given twice.
    #[error("The option \"{0}\" is given twice.")]
    Twice(&'static str),
    /// Options that say the same thing, or nothing together.
    #[error("{message}")]
    Conflict {
        /// The option at fault.
        name: &'static str,
        /// One sentence.
        message: String,
    },
}

impl OptionError {
    /// The stable word of the API.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FormatUnknown(_) => "format_unknown",
            Self::Unknown(_) => "option_unknown",
            Self::Value { .. } | Self::Twice(_) | Self::Conflict { .. } => "option_invalid",
        }
    }
}

/// Reads options given as name and value; an empty value is "not given". `named` is the format that
/// something else than an option has named, such as the name of the output.
///
/// # Errors
/// The first option that is unknown, given twice or malformed. Whether the target
/// format can take it is the plan's question.
pub fn parse<'a>(
    named: Option<Format>,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Request, OptionError> {
    let mut given: Vec<(&'static str, &str)> = Vec::new();
    for (name, value) in pairs {
        let option = OPTIONS
            .iter()
            .find(|option| option.name == name)
            .ok_or_else(|| OptionError::Unknown(shortened(name)))?;
        if value.is_empty() {
            continue;
        }
        if given.iter().any(|(known, _)| *known == option.name) {
            return Err(OptionError::Twice(option.name));
        }
        given.push((option.name, value));
    }
    let mut request = Request::new(named.unwrap_or(Format::Mp3));
    let mut duration = None;
    for (name, value) in with_preset(named, &given)? {
        match name {
            "duration" => {
                let seconds = seconds(value).filter(|seconds| *seconds > 0.0);
                duration = Some(seconds.ok_or_else(|| invalid("duration", value, TIMES))?);
            }
            "preset" => {}
            name => apply(&mut request, name, value)?,
        }
    }
    settle_range(&mut request, duration)?;
    Ok(request)
}

/// The options given, before them those of the preset that nothing given speaks against. How a
/// preset spends bits holds for its own format only.
fn with_preset<'a>(
    named: Option<Format>,
    given: &[(&'static str, &'a str)],
) -> Result<Vec<(&'static str, &'a str)>, OptionError> {
    let value =
        |name: &str| given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let Some(word) = value("preset") else { return Ok(given.to_vec()) };
    let preset = PRESETS.iter().find(|preset| preset.name == word);
    let preset = preset.ok_or_else(|| {
        invalid("preset", word, "voice, music, podcast, audiobook, archive, transcribe")
    })?;
    let format = value("format").or(named.map(Format::as_str));
    let own = preset.options.iter().find(|(name, _)| *name == "format").map(|(_, own)| *own);
    let is_own = format.is_none() || format == own;
    let spends = |name: &str| matches!(name, "bitrate" | "quality");
    let spends_otherwise = given.iter().any(|(name, _)| spends(name));
    let taken = preset.options.iter().copied().filter(|(name, _)| match *name {
        "format" => format.is_none(),
        name if spends(name) => is_own && !spends_otherwise,
        name => value(name).is_none(),
    });
    Ok(taken.chain(given.iter().copied()).collect())
}

/// What times look like.
const TIMES: &str = "a time like 90, 1:30 or 0:01:30.500";

/// `end` and `duration` say the same thing; a range that ends before it starts is none.
fn settle_range(request: &mut Request, duration: Option<f64>) -> Result<(), OptionError> {
    let range = &mut request.range;
    if let Some(duration) = duration {
        if range.end_seconds.is_some() {
            return Err(OptionError::Conflict {
                name: "duration",
                message: String::from("\"end\" and \"duration\" say the same thing: give one."),
            });
        }
        range.end_seconds = Some(range.start_seconds + duration);
    }
    match range.end_seconds {
        Some(end) if end <= range.start_seconds => Err(OptionError::Conflict {
            name: "end",
            message: format!(
                "\"end\" ({end} s) is not after \"start\" ({} s).",
                range.start_seconds
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Reads seconds, `mm:ss` or `hh:mm:ss`, each with a fraction if need be.
fn seconds(text: &str) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = whole.split(':').collect();
    if !digits(fraction) || parts.len() > 3 || !parts.iter().all(|part| digits(part)) {
        return None;
    }
    let mut total = 0.0;
    for (place, part) in parts.iter().enumerate() {
        let value: u32 = part.parse().ok()?;
        // Only the first part may be 60 or more: 90:00 is an hour and a half, 1:90 is a slip.
        if place > 0 && value >= 60 {
            return None;
        }
        total = total * 60.0 + f64::from(value);
    }
    Some(total + format!("0.{fraction}").parse::<f64>().ok()?)
}

fn invalid(name: &'static str, value: &str, allowed: &'static str) -> OptionError {
    OptionError::Value { name, value: shortened(value), allowed }
}

fn apply(request: &mut Request, name: &'static str, value: &str) -> Result<(), OptionError> {
    let invalid = |allowed| invalid(name, value, allowed);
    match name {
        "format" => {
            request.format =
                Format::parse(value).ok_or_else(|| OptionError::FormatUnknown(shortened(value)))?;
        }
        "bitrate" => {
            let rate = BitRate::parse(value).ok_or_else(|| invalid("8k to 512k, like 192k"))?;
            request.bitrate = Some(rate);
        }
        "quality" => {
            let quality = number(value, -1, 12).ok_or_else(|| invalid("-1 to 12"))?;
            request.quality = Some(quality);
        }
        "sample_rate" => {
            let rate = number(value, 4_000, 768_000).ok_or_else(|| invalid("4000 to 768000 Hz"))?;
            request.sample_rate = Some(rate);
        }
        "channels" => {
            request.channels = match value {
                "keep" => None,
                "1" => Some(1),
                "2" => Some(2),
                "6" => Some(6),
                "8" => Some(8),
                _ => return Err(invalid("1, 2, 6, 8 or keep")),
            };
        }
        "bit_depth" => {
            let depth = BitDepth::parse(value).ok_or_else(|| invalid("16, 24, 32 or 32f"))?;
            request.bit_depth = Some(depth);
        }
        "stream" => {
            request.stream = Some(number(value, 0_usize, 63).ok_or_else(|| invalid("0 to 63"))?);
        }
        "loudness" => {
            const ALLOWED: &str = "-40 to -5 LUFS, or off";
            request.loudness = match value {
                "off" => None,
                value => Some(number(value, -40.0, -5.0).ok_or_else(|| invalid(ALLOWED))?),
            };
        }
        "threads" => {
            request.threads =
                match number(value, 0_usize, 1024).ok_or_else(|| invalid("0 to 1024"))? {
                    0 => usize::MAX,
                    threads => threads,
                };
        }
        "reencode" => {
            request.reencode = match value {
                "auto" => Reencode::Auto,
                "always" => Reencode::Always,
                _ => return Err(invalid("auto or always")),
            };
        }
        "tags" | "cover" | "chapters" => {
            let carry = match value {
                "keep" => Carry::Keep,
                "drop" => Carry::Drop,
                _ => return Err(invalid("keep or drop")),
            };
            match name {
                "tags" => request.tags = carry,
                "cover" => request.cover = carry,
                _ => request.chapters = carry,
            }
        }
        "start" => {
            request.range.start_seconds = seconds(value).ok_or_else(|| invalid(TIMES))?;
        }
        "end" => {
            request.range.end_seconds = Some(seconds(value).ok_or_else(|| invalid(TIMES))?);
        }
        "title" | "artist" | "album" | "album_artist" | "composer" | "genre" | "date" | "track"
        | "disc" | "comment" => {
            if value.len() > TAG_BYTES_MAX || value.contains(|c: char| c.is_control() && c != '\n')
            {
                return Err(invalid("at most 4096 bytes of text without control characters"));
            }
            request.overrides.push((name, value.to_owned()));
        }
        // OPTIONS and this match are compared by a test.
        _ => return Err(OptionError::Unknown(name.to_owned())),
    }
    Ok(())
}

fn number<T: std::str::FromStr + PartialOrd>(text: &str, least: T, most: T) -> Option<T> {
    text.parse().ok().filter(|value| (&least..=&most).contains(&value))
}

/// What a message repeats of a user's text.
fn shortened(text: &str) -> String {
    let mut shown: String =
        text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

fn format_list() -> String {
    Format::ALL.map(Format::as_str).join(", ")
}

fn option_list() -> String {
    let names: Vec<_> = OPTIONS.iter().map(|option| option.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::request::Range;
    use super::*;

    fn parsed(pairs: &[(&str, &str)]) -> Result<Request, OptionError> {
        parse(None, pairs.iter().copied())
    }

    #[test]
    fn a_preset_stands_for_its_options_and_explicit_ones_win() {
        let preset = |named, pairs: &[(&str, &str)]| {
            let request = parse(named, pairs.iter().copied()).expect("a request");
            (request.format, request.bitrate, request.channels)
        };
        let voice = [("preset", "voice")];
        assert_eq!(preset(None, &voice), (Format::Opus, Some(BitRate::kbit(32)), Some(1)));
        // Its bitrate is Opus' own.
        assert_eq!(preset(Some(Format::Mp3), &voice), (Format::Mp3, None, Some(1)));
        assert_eq!(
            preset(None, &[("preset", "voice"), ("channels", "2"), ("bitrate", "64k")]),
            (Format::Opus, Some(BitRate::kbit(64)), Some(2))
        );
        let music = parsed(&[("bitrate", "128k"), ("preset", "music")]).expect("a request");
        assert_eq!((music.quality, music.bitrate), (None, Some(BitRate::kbit(128))));
        for preset in &PRESETS {
            let request = parsed(&[("preset", preset.name)]).expect(preset.name);
            let entry = crate::media::Catalog::of_this_build().entry(request.format);
            assert_eq!(
                crate::media::plan::plan_options(&request, entry),
                Ok(()),
                "{}",
                preset.name
            );
        }
        assert!(parsed(&[("preset", "loud")]).is_err());
    }

    #[test]
    fn options_become_a_request() {
        let request =
            parsed(&[("format", "opus"), ("bitrate", "96k"), ("channels", "keep"), ("tags", "")]);
        assert_eq!(
            request,
            Ok(Request { bitrate: Some(BitRate::kbit(96)), ..Request::new(Format::Opus) })
        );
    }

    #[test]
    fn every_option_of_the_table_is_read() {
        for option in &OPTIONS {
            let refused = parsed(&[(option.name, "\u{1}")]);
            let is_read =
                matches!(refused, Err(OptionError::Value { .. } | OptionError::FormatUnknown(_)));
            assert!(is_read, "{}: {refused:?}", option.name);
        }
    }

    #[test]
    fn times_are_seconds_or_clock_times() {
        let range = |pairs: &[(&str, &str)]| parsed(pairs).map(|request| request.range);
        let whole = Range::default();
        assert_eq!(range(&[("start", "0")]), Ok(whole));
        assert_eq!(
            range(&[("start", "1:30.5"), ("end", "0:02:00")]),
            Ok(Range { start_seconds: 90.5, end_seconds: Some(120.0) })
        );
        assert_eq!(
            range(&[("duration", "2.25"), ("start", "100")]),
            Ok(Range { start_seconds: 100.0, end_seconds: Some(102.25) })
        );
        for wrong in ["-1", "1:60", "1:2:3:4", "abc", "1.", ".5", "1e3", "0x1", "1:", "99999999999"]
        {
            let code = range(&[("start", wrong)]).map_err(|error| error.code());
            assert_eq!(code, Err("option_invalid"), "{wrong}");
        }
        let said = |pairs: &[(&str, &str)]| parsed(pairs).map_err(|error| error.to_string());
        assert!(said(&[("end", "3"), ("duration", "2")]).is_err_and(|e| e.contains("give one")));
        assert!(said(&[("start", "5"), ("end", "5")]).is_err_and(|e| e.contains("not after")));
        assert!(said(&[("duration", "0")]).is_err());
    }

    #[test]
    fn wrong_options_are_refused_in_words() {
        let unknown = parsed(&[("bitrat", "192k")]).map_err(|error| error.to_string());
        assert!(unknown.is_err_and(|text| text.starts_with("There is no option \"bitrat\"")));
        assert_eq!(parsed(&[("format", "xyz")]), Err(OptionError::FormatUnknown("xyz".into())));
        assert_eq!(
            parsed(&[("bitrate", "1k"), ("bitrate", "2k")]).map_err(|error| error.code()),
            Err("option_invalid")
        );
        assert_eq!(parsed(&[("tags", "keep"), ("tags", "drop")]), Err(OptionError::Twice("tags")));
    }
}
