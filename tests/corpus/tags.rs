//! Tags, covers and chapters of the corpus, compared by an independent reader (mutagen; ffprobe for
//! what mutagen passes by).

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{convert_to, manifest};
use crate::support::corpus;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/corpus_tags.py");

/// What each file becomes: two that hold everything, and one of the others by turns.
const ALWAYS: [&str; 2] = ["flac", "m4a"];
const BY_TURNS: [&str; 5] = ["mp3", "opus", "wav", "wv", "mka"];

/// Differences that are as they should be: the file's name, the beginning of the difference, why.
const RIGHT: &[(&str, &str, &str)] = &[
    ("sample_with_id3.aac", "covers", "no picture: ten bytes of something"),
    ("image.mp3", "cover kinds", "MP4 and Matroska know no kind"),
    ("image.ogg", "cover kinds", "MP4 and Matroska know no kind"),
    ("bear-id3.mp3", "cover kinds", "MP4 and Matroska know no kind"),
    ("has-tags.m4a", "cover kinds", "Matroska knows no kind"),
    ("sonnet-3-chapters.m4b", "chapters", "WavPack has no chapters, and a word says so"),
    ("chapters.mp3", "chapters", "WavPack has no chapters, and a word says so"),
    ("sample_with_chapters.mkv", "chapters", "WavPack has no chapters, and a word says so"),
    ("truncated.mkv", "chapters", "WavPack has no chapters, and a word says so"),
    ("apev2-lyricsv2.mp3", "lost\tdate\t[\"0000\"]", "no date"),
    ("apev2-lyricsv2.mp3", "lost\treplaygain", "lofty does not find APEv2 before Lyrics3"),
    ("mpc_sv7.mpc", "changed\tartist", "three tags that disagree"),
    ("silence-44-s.tta", "changed\tartist", "lofty does not know TTA, libav stops at the first"),
    ("bear_with_vorbis_comments_invalid_mutf8.flac", "changed\t", "not UTF-8: a guess, and a word"),
    ("invalid-utf8-title.mp3", "", "not UTF-8: a guess, and a word"),
    ("sample.mp4", "changed\tlocation", "the file holds two places"),
    ("taglib-sharp-sample.wma", "lost\trating", "a rating of no common form"),
];

#[test]
fn what_the_files_say_of_themselves_comes_along() {
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut list = String::new();
    let rows = manifest(&corpus).into_iter().filter(|row| row.expected != "error");
    for (place, row) in rows.enumerate() {
        let input = corpus.join(&row.path);
        let other = BY_TURNS[place % BY_TURNS.len()];
        for target in ALWAYS.into_iter().chain([other]) {
            let output = folder.path().join(format!("{place}.{target}"));
            let (code, _) = convert_to(&input, &output, &[]);
            // What does not convert is the other test's matter.
            if code == Some(0) {
                let _ = writeln!(list, "{}\t{}", input.display(), output.display());
                pairs.push((row.path.clone(), target.to_owned()));
            }
        }
    }
    let differences = compared(&list);
    let mut wrong = Vec::new();
    for line in differences.lines() {
        let (number, difference) = line.split_once('\t').expect("a numbered difference");
        let (path, target) = &pairs[number.parse::<usize>().expect("a number")];
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_right = |(file, beginning, _): &&(&str, &str, &str)| {
            (file.is_empty() || *file == name) && difference.starts_with(beginning)
        };
        if !RIGHT.iter().any(|known| is_right(&known)) {
            wrong.push(format!("{path} to {target}: {difference}"));
        }
    }
    println!("{} outputs compared, {} differences that are wrong", pairs.len(), wrong.len());
    assert!(pairs.len() > 300 && wrong.is_empty(), "{}", wrong.join("\n"));
}

fn compared(list: &str) -> String {
    let mut script = Command::new("/usr/bin/python3")
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 with mutagen");
    let mut stdin = script.stdin.take().expect("its input");
    stdin.write_all(list.as_bytes()).expect("written");
    drop(stdin);
    let output = script.wait_with_output().expect("its output");
    assert!(output.status.success(), "the script failed");
    String::from_utf8(output.stdout).expect("UTF-8")
}
