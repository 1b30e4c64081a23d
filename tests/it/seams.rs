//! Where pieces of a lossy recording meet nobody hears it, and no decoder has anything to say.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;

use audiomill::media::bits::mpeg::Frame;
use audiomill::media::options::parse;
use audiomill::media::quality::{Comparison, compare, converted};
use audiomill::media::{Format, Source};

use crate::support::recording::music;

const SECONDS: u32 = 40;
/// The encoder of AAC takes 12 s to settle: shorter pieces do not pay.
const LONG_SECONDS: u32 = 110;
/// What may be noisier than on one core on average, and how many bytes it may have more or less.
const MEAN_DB: f64 = 0.1;
/// The same for AAC, whose encoders are never quite alike: of one or two seams there is no average.
const MEAN_DB_OF_FEW: f64 = 0.3;
const GROWTH: f64 = 0.002;
const GROWTH_OF_AAC: f64 = 0.005;
/// Frames as far from those of one core are nothing that stands out.
const SLIGHT_DB: f64 = 1.0;

fn compared(source: &Path, format: Format, options: &[(&str, &str)]) -> Comparison {
    let file = std::fs::File::open(source).expect("opened");
    let length = file.metadata().expect("a file").len();
    let request = parse(Some(format), options.iter().copied()).expect("options");
    let compared = compare(&Source::new(file, Some(length)), &request, 4);
    compared.unwrap_or_else(|failure| panic!("{options:?}: {failure:?}"))
}

/// The measures of a lossy result; how many seams it has.
fn judged(told: &str, compared: &Comparison) -> usize {
    let Comparison { at_seams, elsewhere, bytes, .. } = compared;
    println!("{told}: {} seams, {at_seams:?}, {elsewhere:?}", compared.segmented.seams.len());
    assert_eq!(compared.complaints, Vec::<String>::new(), "{told}");
    assert_eq!(compared.decoded.0, compared.decoded.1, "{told}: samples");
    assert!(at_seams.worst_db <= elsewhere.worst_db.max(SLIGHT_DB), "{told}: {at_seams:?}");
    let growth = bytes.0 as f64 / bytes.1 as f64 - 1.0;
    let is_aac = compared.serial.plan.encoder == "aac";
    let (mean_db, most) = if is_aac { (MEAN_DB_OF_FEW, GROWTH_OF_AAC) } else { (MEAN_DB, GROWTH) };
    assert!(at_seams.mean_db <= mean_db, "{told}: {at_seams:?}");
    assert!(growth.abs() < most, "{told}: {growth:+.4} of the size");
    compared.segmented.seams.len()
}

/// Matroska, which is read in one, and WAV, of which each core reads a part.
const IN_ONE: &str = "in.mka";
const IN_PARTS: &str = "in.wav";

/// Judges conversions of one recording that `options` of the command change.
fn all_judged(name: &str, seconds: u32, options: &[&str], cases: &[(Format, &[(&str, &str)])]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = [&["-c:a", "pcm_s16le"], options].concat();
    let source = music(folder.path(), name, seconds, &options);
    for (format, options) in cases {
        let told = format!("{} {options:?}", format.as_str());
        let seams = judged(&told, &compared(&source, *format, options));
        assert!(seams > 0, "{told}: encoded in one");
    }
}

#[test]
fn pieces_of_mp3_meet_unheard() {
    all_judged(
        IN_ONE,
        SECONDS,
        &[],
        &[
            (Format::Mp3, &[("bitrate", "192k")]),
            (Format::Mp3, &[("bitrate", "320k")]),
            (Format::Mp3, &[("bitrate", "64k"), ("channels", "1")]),
            (Format::Mp3, &[("quality", "2")]),
            (Format::Mp3, &[("bitrate", "48k"), ("sample_rate", "22050")]),
            (Format::Mp3, &[("quality", "5"), ("sample_rate", "24000"), ("channels", "1")]),
            (Format::Mp3, &[("bitrate", "16k"), ("sample_rate", "8000")]),
            (Format::Mp3, &[("bitrate", "160k"), ("start", "3.3"), ("end", "38.21")]),
        ],
    );
}

/// The frames of an MP3 file behind its tag, and what its last byte is.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    if let Some(header) = bytes.strip_prefix(b"ID3") {
        // Four times seven bits.
        let length = header[3..7].iter().fold(0, |length, byte| length << 7 | usize::from(*byte));
        bytes = &bytes[10 + length..];
    }
    let mut frames = Vec::new();
    while let Some(header) = bytes.first_chunk() {
        let frame = Frame::of(*header).unwrap_or_else(|| panic!("frame {}", frames.len()));
        let (one, rest) = bytes.split_at(frame.bytes);
        frames.push(one);
        bytes = rest;
    }
    frames
}

/// What the first frame says of the others: how many there are, their bytes, where the hundredths of
/// the sound are, the samples at the start and the end that are not heard.
fn told(first: &[u8]) -> (u32, u32, Vec<u8>, [u8; 3]) {
    let is_tag = |word: &[u8]| word == b"Xing" || word == b"Info";
    let tag = &first[first.windows(4).position(is_tag).expect("a tag")..];
    let number = |at: usize| u32::from_be_bytes(tag[at..at + 4].try_into().expect("four"));
    assert_eq!(number(4) & 7, 7, "frames, bytes and places");
    (number(8), number(12), tag[16..116].to_vec(), tag[141..144].try_into().expect("three"))
}

#[test]
fn joined_mp3_says_of_itself_what_one_encoder_would() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases: [&[(&str, &str)]; 4] = [
        &[("bitrate", "192k")],
        &[("bitrate", "56k"), ("sample_rate", "24000")],
        &[("quality", "2")],
        &[("quality", "6"), ("channels", "1")],
    ];
    let names = [IN_ONE, IN_PARTS];
    for (name, options) in names.into_iter().flat_map(|name| cases.map(|case| (name, case))) {
        let source = music(folder.path(), name, SECONDS, &["-c:a", "pcm_s16le"]);
        let made = |cores: usize| {
            let file = std::fs::File::open(&source).expect("opened");
            let length = file.metadata().expect("a file").len();
            let request = parse(Some(Format::Mp3), options.iter().copied()).expect("options");
            let source = Source::new(file, Some(length));
            let (done, mut file) = converted(&source, &request, cores).expect("done");
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0)).expect("at its start");
            file.read_to_end(&mut bytes).expect("read");
            (done, bytes)
        };
        let ((done, bytes), (_, serial)) = (made(4), made(1));
        assert!(done.segments() > 1, "{name}, {options:?}");
        let (ours, theirs) = (frames(&bytes), frames(&serial));
        let (first, others) = ours.split_first().expect("frames");
        assert_eq!(ours.len(), theirs.len(), "{options:?}");
        let (count, size, places, silent) = told(first);
        assert_eq!(count as usize, others.len(), "{options:?}");
        let whole: usize = ours.iter().map(|frame| frame.len()).sum();
        assert_eq!(size as usize, whole, "{options:?}");
        assert!(places.is_sorted() && places[99] > 240, "{options:?}: {places:?}");
        assert_eq!(silent, told(theirs[0]).3, "{options:?}: delay and padding");
        if options[0].0 == "bitrate" {
            let index = |frame: &&[u8]| frame[2] >> 4;
            assert!(others.iter().all(|frame| index(frame) == index(&others[0])), "{options:?}");
        }
        let file = folder.path().join("joined.mp3");
        std::fs::write(&file, &bytes).expect("written");
        let output = Command::new("mp3val").arg(&file).output().expect("mp3val is installed");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_complaint =
            |line: &&str| line.contains("WARNING") && !line.contains("No supported tags");
        assert_eq!(said.lines().filter(is_complaint).collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(said.contains("Analyzing file"), "{said}");
    }
}

#[test]
fn pieces_of_opus_meet_unheard() {
    all_judged(
        IN_ONE,
        SECONDS,
        &[],
        &[
            (Format::Opus, &[("bitrate", "128k")]),
            (Format::Opus, &[("bitrate", "64k"), ("channels", "1")]),
            (Format::Webm, &[("bitrate", "160k"), ("start", "3.3"), ("end", "38.21")]),
        ],
    );
}

#[test]
fn pieces_of_vorbis_meet_unheard() {
    all_judged(
        IN_ONE,
        SECONDS,
        &[],
        &[
            (Format::Ogg, &[("quality", "5")]),
            (Format::Ogg, &[("bitrate", "96k"), ("channels", "1")]),
            (Format::Ogg, &[("quality", "3"), ("start", "3.3"), ("end", "38.21")]),
        ],
    );
}

#[test]
fn pieces_of_surround_and_of_silence_meet_unheard() {
    let surround = "pan=5.1|c0=c0|c1=c1|c2=c0|c3=c1|c4=c0|c5=c1";
    all_judged(
        IN_ONE,
        SECONDS,
        &["-af", surround],
        &[(Format::Opus, &[("bitrate", "320k")]), (Format::Ogg, &[("quality", "3")])],
    );
    all_judged(
        IN_ONE,
        SECONDS,
        &["-af", "volume=0"],
        &[
            (Format::Mp3, &[("quality", "4")]),
            (Format::Mp3, &[("bitrate", "128k")]),
            (Format::Ogg, &[("quality", "4")]),
            (Format::Opus, &[("bitrate", "128k")]),
        ],
    );
}

#[test]
fn parts_that_are_read_apart_meet_unheard() {
    all_judged(
        IN_PARTS,
        SECONDS,
        &["-c:a", "pcm_f32le"],
        &[
            (Format::Mp3, &[("bitrate", "192k")]),
            (Format::Mp3, &[("quality", "2"), ("channels", "1")]),
            (Format::Mp3, &[("bitrate", "48k"), ("sample_rate", "22050")]),
            (Format::Opus, &[("bitrate", "128k")]),
            (Format::Ogg, &[("quality", "5"), ("loudness", "-18")]),
        ],
    );
}

#[test]
fn pieces_of_aac_meet_unheard() {
    all_judged(
        IN_ONE,
        LONG_SECONDS,
        &[],
        &[
            (Format::M4a, &[("bitrate", "160k")]),
            (Format::M4a, &[("bitrate", "64k"), ("channels", "1"), ("end", "105.4321")]),
        ],
    );
}

#[test]
fn what_cannot_be_joined_is_encoded_in_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stereo = music(folder.path(), "stereo.wav", LONG_SECONDS, &[]);
    let surround = "pan=5.1|c0=c0|c1=c1|c2=c0|c3=c1|c4=c0|c5=c1";
    let surround = music(folder.path(), "5.1.wav", 30, &["-af", surround]);
    let low = music(folder.path(), "low.wav", 30, &["-ar", "16000"]);
    let float = music(folder.path(), "float.wav", 30, &["-c:a", "pcm_f32le"]);
    type Case<'a> = (&'a Path, Format, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 6] = [
        (&stereo, Format::Opus, &[("bitrate", "48k")], "bitrate"),
        (&low, Format::Opus, &[("bitrate", "96k"), ("sample_rate", "16000")], "sample_rate"),
        (&surround, Format::Opus, &[("bitrate", "128k")], "bitrate"),
        (&surround, Format::M4a, &[], "channels"),
        (&float, Format::M4a, &[], "memory"),
        (&stereo, Format::Ac3, &[], "codec"),
    ];
    for (source, format, options, because) in cases {
        let file = std::fs::File::open(source).expect("opened");
        let length = file.metadata().expect("a file").len();
        let request = parse(Some(format), options.iter().copied()).expect("options");
        let (done, _) = converted(&Source::new(file, Some(length)), &request, 4).expect("done");
        let told = (done.segments(), done.serial_because);
        assert_eq!(told, (1, Some(because)), "{} {options:?}", format.as_str());
    }
}
