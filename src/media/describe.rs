//! The catalogue as the API and the page see it.

use serde::Serialize;

use super::catalog::{Catalog, Coding, FormatEntry, Scale};
use super::request::{BitDepth, Format};
use crate::base::BitRate;

/// One format.
#[derive(Debug, Serialize)]
pub struct FormatView {
    /// The word of the options.
    pub format: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Whether this build writes it.
    pub available: bool,
    /// Why not, if not.
    pub missing: Option<String>,
    /// libav's encoder.
    pub encoder: &'static str,
    /// Container in one word.
    pub container: &'static str,
    /// Extension of outputs, without a point.
    pub extension: &'static str,
    /// MIME type of outputs.
    pub mime_type: &'static str,
    /// Place in lists, from 1.
    pub rank: usize,
    /// `lossy` or `lossless`.
    pub group: &'static str,
    /// Half a sentence on its reach.
    pub summary: &'static str,
    /// By how many samples an output is longer than its source, at least and at most, where the
    /// container cannot say where the sound starts and ends.
    pub longer_by_samples: [u32; 2],
    /// Named choices, the standard one being the default.
    pub qualities: Vec<QualityView>,
    /// Options this format takes.
    pub options: Vec<OptionView>,
}

/// One named choice.
#[derive(Debug, Serialize)]
pub struct QualityView {
    /// `small`, `standard`, `best` or `lossless`.
    pub id: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// The options it stands for.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Size of a minute of stereo at 44.1 kHz.
    pub bytes_per_minute: u64,
}

/// One option a format takes.
#[derive(Debug, Default, Serialize)]
pub struct OptionView {
    /// The word of the options.
    pub name: &'static str,
    /// `choice`, `number`, `time` or `text`.
    pub kind: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// One sentence.
    pub hint: String,
    /// What may be chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueView>,
    /// Lowest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i32>,
    /// Highest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i32>,
    /// Distance of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<i32>,
    /// Unit of the number or choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// What is taken when nothing is said.
    pub default: Option<String>,
}

/// One value of a choice.
#[derive(Debug, Serialize)]
pub struct ValueView {
    /// The word of the options.
    pub value: String,
    /// Name for people.
    pub label: String,
}

/// PCM of a minute of stereo at 44.1 kHz and 16 bits.
const PCM_BYTES_PER_MINUTE: u64 = 44_100 * 2 * 2 * 60;

/// Every format of the catalogue, in its order.
#[must_use]
pub fn describe(catalog: &Catalog) -> Vec<FormatView> {
    catalog.entries().iter().enumerate().map(|(place, entry)| view(place + 1, entry)).collect()
}

fn view(rank: usize, entry: &FormatEntry) -> FormatView {
    let spec = entry.spec;
    FormatView {
        format: entry.format.as_str(),
        label: spec.label,
        available: entry.encoder.is_some(),
        missing: entry.missing(),
        encoder: spec.encoder,
        container: spec.container,
        extension: spec.extension,
        mime_type: spec.mime_type,
        rank,
        group: match spec.coding {
            Coding::Lossy { .. } | Coding::Quality { .. } => "lossy",
            Coding::Lossless { .. } => "lossless",
        },
        summary: spec.summary,
        longer_by_samples: match entry.format {
            // A frame of 1024 before, and the last one filled up (ISO/IEC 14496-3).
            Format::Aac => [1024, 2047],
            // The last frame of 1536 filled up (ATSC A/52).
            Format::Ac3 => [0, 1535],
            _ => [0, 0],
        },
        qualities: qualities(&spec.coding),
        options: options(entry),
    }
}

const NAMES: [(&str, &str); 3] = [("small", "Small"), ("standard", "Standard"), ("best", "Best")];

fn qualities(coding: &Coding) -> Vec<QualityView> {
    let named = |place: usize, name: &str, value: serde_json::Value, kbit: u32| QualityView {
        id: NAMES[place].0,
        label: NAMES[place].1,
        options: serde_json::Map::from_iter([(name.to_owned(), value)]),
        bytes_per_minute: u64::from(kbit) * 1000 / 8 * 60,
    };
    match coding {
        Coding::Lossy { stereo_kbit, .. } => (0..3)
            .map(|place| {
                let kbit = stereo_kbit[place];
                named(place, "bitrate", BitRate::kbit(kbit).to_string().into(), kbit)
            })
            .collect(),
        Coding::Quality { steps, about_kbit, .. } => (0..3)
            .map(|place| named(place, "quality", steps[place].into(), about_kbit[place]))
            .collect(),
        Coding::Lossless { percent_of_pcm, .. } => vec![QualityView {
            id: "lossless",
            label: "Lossless",
            options: serde_json::Map::new(),
            bytes_per_minute: PCM_BYTES_PER_MINUTE * u64::from(*percent_of_pcm) / 100,
        }],
    }
}

fn options(entry: &FormatEntry) -> Vec<OptionView> {
    let mut options = match &entry.spec.coding {
        Coding::Lossy { stereo_kbit, vbr, effort } => vec![
            bitrates(entry.format, stereo_kbit[1]),
            OptionView {
                hint: vbr.map_or_else(
                    || String::from("Effort; higher is slower and no larger."),
                    |_| String::from("Variable bitrate; 0 is best. Instead of a bitrate."),
                ),
                ..scale(vbr.or(*effort), "Quality", None)
            },
        ],
        Coding::Quality { scale: range, steps, .. } => vec![OptionView {
            hint: String::from("Variable bitrate; higher is better."),
            ..scale(Some(*range), "Quality", Some(steps[1]))
        }],
        Coding::Lossless { depths, effort, .. } => vec![
            OptionView {
                hint: String::from("Effort; higher is slower and a little smaller."),
                ..scale(*effort, "Effort", None)
            },
            depths_view(depths),
        ],
    };
    options.retain(|option| option.kind == "choice" || option.max.is_some());
    options.push(rates(entry));
    options.push(channels(entry));
    options.extend(range());
    options.push(loudness());
    if entry.spec.holds.covers {
        options.push(carried("cover", "Cover", "The cover picture."));
    }
    if entry.spec.holds.chapters {
        options.push(carried("chapters", "Chapters", "Chapters with their titles."));
    }
    if entry.spec.holds.tags {
        options.push(carried("tags", "Tags", "Title, artist and the like."));
        options.extend(texts());
    }
    options
}

fn carried(name: &'static str, label: &'static str, hint: &str) -> OptionView {
    OptionView {
        name,
        kind: "choice",
        label,
        hint: hint.to_owned(),
        values: vec![value("keep", "Keep"), value("drop", "Leave out")],
        default: Some(String::from("keep")),
        ..OptionView::default()
    }
}

fn loudness() -> OptionView {
    OptionView {
        name: "loudness",
        kind: "choice",
        label: "Loudness",
        hint: String::from("Brings the recording to a loudness, by one gain for all of it."),
        values: vec![
            value("off", "Leave as it is"),
            value("-14", "-14 LUFS, as streaming services play"),
            value("-16", "-16 LUFS, for podcasts"),
            value("-18", "-18 LUFS, as ReplayGain"),
            value("-23", "-23 LUFS, for broadcast (EBU R128)"),
        ],
        unit: Some("LUFS"),
        default: Some(String::from("off")),
        ..OptionView::default()
    }
}

fn range() -> [OptionView; 3] {
    let time = |name, label, hint: &str| OptionView {
        name,
        kind: "time",
        label,
        hint: hint.to_owned(),
        ..OptionView::default()
    };
    [
        time("start", "Start", "Where to start, like 1:30 or 0:01:30.500."),
        time("end", "End", "Where to end."),
        time("duration", "Length", "How much from the start on, instead of an end."),
    ]
}

fn texts() -> impl Iterator<Item = OptionView> {
    const LABELS: [(&str, &str); 10] = [
        ("title", "Title"),
        ("artist", "Artist"),
        ("album", "Album"),
        ("album_artist", "Album artist"),
        ("composer", "Composer"),
        ("genre", "Genre"),
        ("date", "Date"),
        ("track", "Track"),
        ("disc", "Disc"),
        ("comment", "Comment"),
    ];
    LABELS.into_iter().map(|(name, label)| OptionView {
        name,
        kind: "text",
        label,
        hint: String::from("Instead of what the source says."),
        ..OptionView::default()
    })
}

fn value(value: impl ToString, label: impl ToString) -> ValueView {
    ValueView { value: value.to_string(), label: label.to_string() }
}

fn bitrates(format: Format, standard_kbit: u32) -> OptionView {
    let steps: &[u32] = match format {
        Format::Mp3 => &[32, 48, 64, 96, 128, 160, 192, 224, 256, 320],
        _ => &[16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 448, 512],
    };
    OptionView {
        name: "bitrate",
        kind: "choice",
        label: "Bitrate",
        hint: String::from("Over all channels."),
        values: steps
            .iter()
            .map(|kbit| value(format!("{kbit}k"), format!("{kbit} kbit/s")))
            .collect(),
        unit: Some("kbit/s"),
        default: Some(format!("{standard_kbit}k")),
        ..OptionView::default()
    }
}

fn scale(range: Option<Scale>, label: &'static str, default: Option<i32>) -> OptionView {
    OptionView {
        name: "quality",
        kind: "number",
        label,
        min: range.map(|range| range.least),
        max: range.map(|range| range.most),
        step: Some(1),
        default: default.map(|number| number.to_string()),
        ..OptionView::default()
    }
}

fn depths_view(depths: &[BitDepth]) -> OptionView {
    let mut values = vec![value("", "Keep")];
    values.extend(depths.iter().map(|depth| {
        let word = depth.as_str();
        let label = match depth {
            BitDepth::Float32 => String::from("32 bit floating point"),
            BitDepth::Int16 | BitDepth::Int24 | BitDepth::Int32 => format!("{word} bit"),
        };
        value(word, label)
    }));
    OptionView {
        name: "bit_depth",
        kind: "choice",
        label: "Bit depth",
        hint: String::from("Of each sample."),
        values,
        default: Some(String::new()),
        ..OptionView::default()
    }
}

fn rates(entry: &FormatEntry) -> OptionView {
    const USUAL: [u32; 8] = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
    let known = entry.encoder.as_ref().map_or(&[][..], |lists| &lists.sample_rates[..]);
    let mut values = vec![value("", "Keep")];
    values.extend(
        USUAL
            .iter()
            .filter(|rate| known.is_empty() || known.contains(rate))
            .map(|rate| value(rate, format!("{} kHz", f64::from(*rate) / 1000.0))),
    );
    OptionView {
        name: "sample_rate",
        kind: "choice",
        label: "Sample rate",
        hint: String::from("Samples per second."),
        values,
        unit: Some("Hz"),
        default: Some(String::new()),
        ..OptionView::default()
    }
}

fn channels(entry: &FormatEntry) -> OptionView {
    let takes = |count: u32| {
        let request = super::Request { channels: Some(count), ..super::Request::new(entry.format) };
        super::plan::plan_options(&request, entry).is_ok()
    };
    let mut values = vec![value("keep", "Keep")];
    for (count, label) in [(1, "Mono"), (2, "Stereo"), (6, "5.1"), (8, "7.1")] {
        if takes(count) {
            values.push(value(count, label));
        }
    }
    OptionView {
        name: "channels",
        kind: "choice",
        label: "Channels",
        hint: String::from("Mono halves the size of speech."),
        values,
        default: Some(String::from("keep")),
        ..OptionView::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::parse;
    use super::*;

    #[test]
    fn everything_the_catalogue_offers_is_taken() {
        let catalog = Catalog::of_this_build();
        for (view, entry) in describe(catalog).iter().zip(catalog.entries()) {
            let offered = view.options.iter().flat_map(|option| {
                let numbers = option.min.into_iter().chain(option.max).map(|n| n.to_string());
                option
                    .values
                    .iter()
                    .map(|v| v.value.clone())
                    .chain(numbers)
                    .map(|v| (option.name, v))
            });
            for (name, value) in offered {
                let request = parse(Some(entry.format), [(name, value.as_str())]);
                let request = request.unwrap_or_else(|error| panic!("{name}={value}: {error}"));
                let checked = super::super::plan::plan_options(&request, entry);
                assert_eq!(checked, Ok(()), "{} {name}={value}", view.format);
            }
        }
    }
}
