//! Tags, covers and chapters from every container to every other, judged by mutagen and ffprobe.
//!
//! The table `metadata.md` beside this file is what comes out; `AUDIOMILL_WRITE_TABLES=1` writes it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::AUDIOMILL;
use crate::support::recording::{ffmpeg, music};

const SOURCES: [&str; 12] =
    ["mp3", "m4a", "opus", "flac", "wav", "ogg", "aiff", "aac", "wv", "tta", "mka", "webm"];
const TARGETS: [&str; 15] = [
    "mp3", "m4a", "opus", "flac", "wav", "ogg", "alac", "aiff", "m4b", "aac", "wv", "tta", "ac3",
    "mka", "webm",
];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tags.py");
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/metadata.md");

fn script(arguments: &[&str]) -> Vec<u8> {
    // Debian's own interpreter: the package is installed for it.
    let output = Command::new("/usr/bin/python3").arg(SCRIPT).args(arguments).output();
    let output = output.expect("python3 with mutagen");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&script(&["read", text(file)])).expect("JSON")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A file of this kind with every tag, two covers and three chapters, as far as it can hold them.
fn source(folder: &Path, kind: &str, covers: &[PathBuf; 2]) -> PathBuf {
    let file = folder.join(format!("source.{kind}"));
    let chapters = folder.join("chapters.txt");
    let mut list = String::from(";FFMETADATA1\n");
    for (start, title) in [(0, "Eins ü"), (1000, "Zwei"), (2000, "Drei")] {
        let end = start + 1000;
        let _ =
            write!(list, "[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n");
    }
    std::fs::write(&chapters, list).expect("written");
    let plain = music(folder, "plain.wav", 3, &[]);
    let mut arguments = vec!["-y", "-i", text(&plain)];
    if matches!(kind, "m4a" | "mka" | "webm") {
        arguments.extend_from_slice(&["-i", text(&chapters), "-map_chapters", "1"]);
    }
    let tags = [
        "title=Тест ünï 音",
        "artist=First; Second",
        "album=An album",
        "album_artist=The band",
        "track=3/12",
        "disc=1/2",
        "date=2021-05-04",
        "genre=Jazz",
        "comment=A comment",
        "lyrics=line one\nline two",
        "ISRC=USX9P0515551",
        "MUSICBRAINZ_ALBUMID=b7ffd2af-418f-4be2-bdd1-22f8b48613da",
        "MY_OWN=anything",
    ];
    if matches!(kind, "mka" | "webm") {
        tags.iter().for_each(|tag| arguments.extend_from_slice(&["-metadata", tag]));
        arguments.extend_from_slice(&["-c:a", "libopus"]);
    }
    if kind == "mka" {
        for (cover, mime_type) in covers.iter().zip(["image/jpeg", "image/png"]) {
            arguments.extend_from_slice(&["-attach", text(cover), "-metadata:s:t"]);
            arguments.push(if mime_type == "image/png" {
                "mimetype=image/png"
            } else {
                "mimetype=image/jpeg"
            });
        }
        // The last type would stand for both.
        arguments.extend_from_slice(&["-metadata:s:t:0", "mimetype=image/jpeg"]);
        arguments.extend_from_slice(&["-metadata:s:t:1", "mimetype=image/png"]);
    }
    arguments.push(text(&file));
    ffmpeg(&arguments);
    if !matches!(kind, "mka" | "webm") {
        let covers = covers.each_ref().map(|cover| text(cover));
        script(&["write", text(&file), covers[0], covers[1]]);
    }
    file
}

/// What a target cannot hold, and must say so when the source has it.
const NO_PLACE: [(&str, &str); 6] = [
    ("ac3", "tags"),
    ("ac3", "a cover"),
    ("ac3", "chapters"),
    ("webm", "a cover"),
    ("wv", "chapters"),
    ("tta", "chapters"),
];

/// What became of one thing on its way.
fn cell(before: &Value, after: &Value, has_no_place: bool) -> Result<String, String> {
    if before.is_null() || before.as_array().is_some_and(Vec::is_empty) {
        return Ok("–".into());
    }
    if before == after {
        return Ok("kept".into());
    }
    let joined = |value: &Value| {
        let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.collect::<Vec<_>>().join("; ")
    };
    if before[0].is_string() && !after.is_null() && joined(before) == joined(after) {
        return Ok("kept as one text".into());
    }
    let is_gone = after.is_null() || after.as_array().is_some_and(Vec::is_empty);
    if has_no_place && is_gone { Ok("no place".into()) } else { Err(after.to_string()) }
}

#[test]
fn what_a_file_says_of_itself_survives_every_pair() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let covers = ["jpg", "png"].map(|kind| folder.path().join(format!("cover.{kind}")));
    for cover in &covers {
        ffmpeg(&["-f", "lavfi", "-i", "testsrc=s=80x80", "-frames:v", "1", text(cover)]);
    }
    let mut rows: BTreeMap<(usize, usize), String> = BTreeMap::new();
    let mut lost = Vec::new();
    for (row, kind) in SOURCES.into_iter().enumerate() {
        let input = source(folder.path(), kind, &covers);
        let before = read(&input);
        for (column, target) in TARGETS.into_iter().enumerate() {
            let extension = if target == "alac" { "m4a" } else { target };
            let output = folder.path().join(format!("out.{extension}"));
            let ran = Command::new(AUDIOMILL)
                .args(["convert", "--force", "--format", target])
                .args([&input, &output])
                .output()
                .expect("audiomill runs");
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success(), "{kind} to {target}: {said}");
            let after = read(&output);
            let left_out = |what: &str| NO_PLACE.contains(&(target, what)) && said.contains(what);
            let names = before["tags"].as_object().expect("an object").keys();
            let mut cells: Vec<(&str, Result<String, String>)> = names
                .map(|name| {
                    let cell = cell(&before["tags"][name], &after["tags"][name], left_out("tags"));
                    (name.as_str(), cell)
                })
                .collect();
            let covers = cell(&before["covers"], &after["covers"], left_out("a cover"));
            cells.push(("covers", covers));
            let chapters = cell(&before["chapters"], &after["chapters"], left_out("chapters"));
            cells.push(("chapters", chapters));
            let mut summary: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for (name, cell) in cells {
                match cell {
                    Ok(outcome) if outcome == "–" || outcome == "kept" => {}
                    Ok(outcome) => summary.entry(outcome).or_default().push(name),
                    Err(after) => lost.push(format!("{kind} to {target}: {name} is {after}")),
                }
            }
            let summary = summary.iter().map(|(outcome, names)| {
                // The one container without tags has none at all.
                let tags = names.len() > 3;
                let names: Vec<_> = names
                    .iter()
                    .filter(|name| !tags || matches!(**name, "covers" | "chapters"))
                    .copied()
                    .chain(tags.then_some("tags"))
                    .collect();
                format!("{}: {outcome}", names.join(", "))
            });
            let summary = summary.collect::<Vec<_>>().join("; ");
            rows.insert((row, column), if summary.is_empty() { "kept".into() } else { summary });
        }
    }
    assert!(lost.is_empty(), "lost on the way:\n{}", lost.join("\n"));
    compare_table(&rows);
}

fn compare_table(rows: &BTreeMap<(usize, usize), String>) {
    let mut table = String::from(
        "# What becomes of tags, covers and chapters\n\n\
         Made by `tests/it/metadata.rs` from thirteen tags (title with Cyrillic and Chinese letters, two\n\
         artists, album, album artist, track 3/12, disc 1/2, date, genre, comment, lyrics, ISRC,\n\
         MusicBrainz release, one of an own name), a JPEG and a PNG cover and three chapters, as far as\n\
         the source can hold them. \"kept\" is all of it, covers byte by byte; \"no place\" is said in a\nwarning.\n\n| from, to |",
    );
    TARGETS.iter().for_each(|target| {
        let _ = write!(table, " {target} |");
    });
    let _ = write!(table, "\n|{}\n", "---|".repeat(TARGETS.len() + 1));
    for (row, kind) in SOURCES.into_iter().enumerate() {
        let cells: Vec<&str> =
            (0..TARGETS.len()).map(|column| rows[&(row, column)].as_str()).collect();
        let _ = writeln!(table, "| {kind} | {} |", cells.join(" | "));
    }
    if std::env::var_os("AUDIOMILL_WRITE_TABLES").is_some() {
        std::fs::write(TABLE, &table).expect("the table is written");
    }
    let known = std::fs::read_to_string(TABLE).unwrap_or_default();
    assert!(known == table, "{TABLE} is not what came out:\n{table}");
}
