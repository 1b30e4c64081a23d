//! What is too much is refused, left out or stopped, in words; no bomb takes long or much memory.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Server;
use crate::support::recording::{ffmpeg, music, plain_wav};

/// Far more than any of these takes on an idle machine (well under a second); far less than a bomb.
const PATIENCE: Duration = Duration::from_secs(15);

fn path_of(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// A header that lies: 16-bit PCM of these channels and this rate, which claims so many bytes.
fn wav_header(channels: u16, rate: u32, claimed: u32) -> Vec<u8> {
    let block = channels.wrapping_mul(2);
    let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0".to_vec();
    wav.extend_from_slice(&channels.to_le_bytes());
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&rate.wrapping_mul(u32::from(block)).to_le_bytes());
    wav.extend_from_slice(&block.to_le_bytes());
    wav.extend_from_slice(b"\x10\0data");
    wav.extend_from_slice(&claimed.to_le_bytes());
    wav.resize(wav.len() + 40_000, 0);
    wav
}

fn id3(frames: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frames.len()).expect("small");
    let length = [21, 14, 7, 0].map(|shift| (length >> shift & 0x7f) as u8);
    [&b"ID3\x04\0\0"[..], &length, frames].concat()
}

/// A picture of 30000 by 30000 points in 126 KB.
fn huge_png() -> Vec<u8> {
    let script = "import sys,zlib,struct\n\
        n=30000\n\
        def c(t,d): return struct.pack('>I',len(d))+t+d+struct.pack('>I',zlib.crc32(t+d))\n\
        z=zlib.compressobj(9)\n\
        rows=b''.join(z.compress(bytes(n//8+1)) for _ in range(n))+z.flush()\n\
        h=struct.pack('>IIBBBBB',n,n,1,0,0,0,0)\n\
        sys.stdout.buffer.write(b'\\x89PNG\\r\\n\\x1a\\n'+c(b'IHDR',h)+c(b'IDAT',rows)+c(b'IEND',b''))";
    let made = Command::new("/usr/bin/python3").args(["-c", script]).output().expect("python3");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

/// FLAC whose comments are these bytes.
fn flac_with(folder: &Path, comments: &[u8]) -> Vec<u8> {
    let plain = path_of(folder, "plain.flac");
    if !Path::new(&plain).exists() {
        music(folder, "plain.flac", 1, &["-bitexact", "-map_metadata", "-1"]);
    }
    let bytes = std::fs::read(plain).expect("read");
    let length = u32::try_from(comments.len()).expect("small").to_be_bytes();
    // Behind STREAMINFO, in place of the encoder's own.
    let own = u32::from_be_bytes([0, bytes[43], bytes[44], bytes[45]]) as usize;
    let block = [&[bytes[42], length[1], length[2], length[3]][..], comments].concat();
    [&bytes[..42], &block, &bytes[46 + own..]].concat()
}

fn comments(entries: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut count = 0_u32;
    let mut list = Vec::new();
    for entry in entries {
        count += 1;
        list.extend_from_slice(&u32::try_from(entry.len()).expect("small").to_le_bytes());
        list.extend_from_slice(&entry);
    }
    [&b"\x04\0\0\0test"[..], &count.to_le_bytes(), &list].concat()
}

/// Opus, and behind its end more of it with these comments.
fn chained_opus(folder: &Path, comments: &[u8]) -> Vec<u8> {
    let plain = std::fs::read(music(folder, "plain.opus", 1, &["-b:a", "64k"])).expect("read");
    let head = plain.windows(8).position(|window| window == b"OpusHead").expect("a head");
    let mut chained = plain.clone();
    chained.extend_from_slice(&ogg_page(2, 0, &plain[head..head + 19], true));
    let packet = [b"OpusTags", comments].concat();
    let parts: Vec<&[u8]> = packet.chunks(255 * 255).collect();
    for (at, part) in parts.iter().enumerate() {
        let number = u32::try_from(at).expect("small") + 1;
        let flags = u8::from(at > 0);
        chained.extend_from_slice(&ogg_page(flags, number, part, at + 1 == parts.len()));
    }
    chained
}

/// A page of a stream of its own, with its checksum (RFC 3533 section 6).
fn ogg_page(flags: u8, number: u32, body: &[u8], ends: bool) -> Vec<u8> {
    let mut lacing = vec![255; body.len() / 255];
    if ends {
        lacing.push(u8::try_from(body.len() % 255).expect("small"));
    }
    let mut page = [&b"OggS\0"[..], &[flags], &[0; 8], b"next", &number.to_le_bytes()].concat();
    page.extend_from_slice(&[0, 0, 0, 0, u8::try_from(lacing.len()).expect("a page")]);
    page.extend_from_slice(&lacing);
    page.extend_from_slice(body);
    let checksum = page.iter().fold(0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    page[22..26].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// Files that end a process in which they are read or encoded without care.
fn killers(folder: &Path) -> Vec<(&'static str, Vec<u8>, &'static str, End)> {
    let mut nested = Vec::new();
    for _ in 0..300 {
        nested = frame(b"CHAP", &[&b"a\0"[..], &[0; 16], &nested].concat());
    }
    let mp3 = std::fs::read(folder.join("a.mp3")).expect("read");
    let mut wild = wav_header(2, 44_100, 40_000);
    // Floating point, of which one sample is no number and one immensely loud.
    wild[20..22].copy_from_slice(&3_u16.to_le_bytes());
    wild[28..32].copy_from_slice(&(44_100_u32 * 8).to_le_bytes());
    wild[32..36].copy_from_slice(&[8, 0, 32, 0]);
    wild[10_044..10_048].copy_from_slice(&f32::NAN.to_le_bytes());
    wild[20_044..20_048].copy_from_slice(&1e9_f32.to_le_bytes());
    let mut surround = wav_header(6, 48_000, 12);
    surround.truncate(44 + 12);
    vec![
        ("nested.mp3", [id3(&nested), mp3].concat(), "wav", End::Done(Some("metadata_limited"))),
        ("wild.wav", wild.clone(), "mp3", End::Done(Some("wild_samples"))),
        ("wild.wav", wild, "m4a", End::Done(Some("wild_samples"))),
        ("surround.wav", surround, "alac", End::Failed("option_unsupported")),
    ]
}

fn frame(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).expect("small");
    let size = [21, 14, 7, 0].map(|shift| (size >> shift & 0x7f) as u8);
    [&id[..], &size, &[0, 0], body].concat()
}

/// What a bomb must end as.
#[derive(Clone, Copy)]
enum End {
    /// Done, with this warning if any.
    Done(Option<&'static str>),
    /// Failed with this code.
    Failed(&'static str),
}

#[test]
fn bombs_end_soon_and_take_little_memory() {
    use End::{Done, Failed};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let mp3 = std::fs::read(music(folder, "a.mp3", 1, &["-id3v2_version", "0"])).expect("read");
    let silence = path_of(folder, "silence.flac");
    ffmpeg(&["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", "600", &silence]);
    let chapters = path_of(folder, "chapters.txt");
    let mut list = String::from(";FFMETADATA1\n");
    for at in 0..20_000 {
        list.push_str(&format!("[CHAPTER]\nTIMEBASE=1/10000\nSTART={at}\nEND={}\n", at + 1));
    }
    std::fs::write(&chapters, list).expect("written");
    let many_chapters = path_of(folder, "chapters.mka");
    let plain = music(folder, "plain.wav", 2, &[]).display().to_string();
    ffmpeg(&["-i", &plain, "-i", &chapters, "-map_chapters", "1", &many_chapters]);
    let picture = huge_png();
    let apic = [&b"\x03image/png\0\x03\0"[..], &picture].concat();
    let size = u32::try_from(apic.len()).expect("small");
    let size = [21, 14, 7, 0].map(|shift| (size >> shift & 0x7f) as u8);
    let cover = id3(&[&b"APIC"[..], &size, &[0, 0], &apic].concat());
    let mut xing = std::fs::read(music(folder, "xing.mp3", 1, &[])).expect("read");
    let at = xing.windows(4).position(|window| window == b"Info").expect("an Info frame");
    xing[at + 8..at + 12].copy_from_slice(&1_000_000_000_u32.to_be_bytes());
    let frame =
        |at: u32| [&b"TXXX\0\0\0\x08\0\0\0"[..], format!("{at:05x}\0v").as_bytes()].concat();
    let many: Vec<u8> = (0..200_000).flat_map(frame).collect();
    let aac = std::fs::read(music(folder, "plain.aac", 1, &[])).expect("read");
    let many_comments = comments((0..1_000_000).map(|at: u32| format!("A=b{at}").into_bytes()));
    let chained = chained_opus(folder, &many_comments);
    let repeated = (0..3000).map(|_| [&b"COMMENT="[..], &[b'x'; 4096]].concat());
    let bombs: Vec<(&str, Vec<u8>, &str, End)> = vec![
        ("frames.mp3", [id3(&many), mp3.clone()].concat(), "wav", Done(Some("metadata_limited"))),
        ("comments.flac", flac_with(folder, &many_comments), "mp3", Done(Some("metadata_limited"))),
        ("repeated.flac", flac_with(folder, &comments(repeated)), "mp3", Done(None)),
        ("silence.flac", std::fs::read(silence).expect("read"), "wav", Failed("output_limit")),
        (
            "chapters.mka",
            std::fs::read(many_chapters).expect("read"),
            "m4a",
            Done(Some("metadata_limited")),
        ),
        ("cover.mp3", [cover, mp3].concat(), "m4a", Done(None)),
        ("channels.wav", wav_header(65_535, 44_100, 40_000), "mp3", Failed("limit_exceeded")),
        ("rate.wav", wav_header(2, 1, 40_000), "mp3", Failed("limit_exceeded")),
        ("claim.wav", wav_header(2, 44_100, 3_000_000_000), "mp3", Done(Some("ended_early"))),
        ("pipe.wav", wav_header(2, 44_100, u32::MAX), "mp3", Done(None)),
        (
            "frames.aac",
            [&aac[..], &id3(&many), &aac].concat(),
            "mp3",
            Done(Some("metadata_limited")),
        ),
        ("chained.opus", chained, "mp3", Failed("limit_exceeded")),
        ("xing.mp3", xing, "wav", Done(Some("ended_early"))),
    ];
    let bombs = [bombs, killers(folder)].concat();
    let server = Server::with(&[("WORKERS", "1"), ("MAX_OUTPUT_MB", "20")]);
    let client = server.client();
    for (name, bytes, target, end) in bombs {
        let started = Instant::now();
        let answer = client.upload(name, &bytes, &[("format", target)]);
        let id = answer.json()["job_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {}", answer.text()))
            .to_owned();
        let job = client.wait(&id)["job"].take();
        let took = started.elapsed();
        println!("{name}: {} bytes, {took:?}, {} {}", bytes.len(), job["status"], job["warnings"]);
        let codes: Vec<&str> = job["warnings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|w| w["code"].as_str())
            .collect();
        match end {
            Done(warning) => {
                assert_eq!(job["status"], "done", "{name}: {job}");
                assert_eq!(warning.into_iter().collect::<Vec<_>>(), codes, "{name}: {job}");
            }
            Failed(code) => {
                assert_eq!(job["error"]["code"], code, "{name}: {job}");
                assert_eq!(job["artifacts"], Value::Array(Vec::new()));
            }
        }
        assert!(took < PATIENCE, "{name}: {took:?}");
    }
    let stored: u64 = server.files().iter().filter(|file| file.contains("silence")).count() as u64;
    assert_eq!(stored, 0, "no half of a result is left: {:?}", server.files());
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("status");
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    let kilobytes: u64 =
        peak.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    println!("peak of the server: {kilobytes} kB");
    assert!(kilobytes < 300_000, "{peak}");
}

#[test]
fn every_limit_is_a_setting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let covers = path_of(folder, "cover.png");
    ffmpeg(&["-f", "lavfi", "-i", "testsrc=s=900x900", "-frames:v", "1", &covers]);
    let plain = music(folder, "plain.wav", 3, &[]).display().to_string();
    let chapters = path_of(folder, "chapters.txt");
    let list = ";FFMETADATA1\n[CHAPTER]\nSTART=0\nEND=1\ntitle=a\n[CHAPTER]\nSTART=1\nEND=2\n";
    std::fs::write(&chapters, list).expect("written");
    let tagged = path_of(folder, "tagged.mp3");
    let inputs = ["-i", &plain, "-i", &covers, "-i", &chapters, "-map", "0:a", "-map", "1:v"];
    let texts = ["-metadata", "title=A title", "-metadata", "artist=B", "-map_chapters", "2"];
    ffmpeg(&[&inputs[..], &texts, &["-id3v2_version", "3", &tagged]].concat());
    let streams = path_of(folder, "streams.mka");
    ffmpeg(&["-i", &plain, "-map", "0:a", "-map", "0:a", "-map", "0:a", &streams]);
    let read = |path: &str| std::fs::read(path).expect("read");
    let wav = plain_wav(3);
    let cases: &[(&str, &str, &[u8], &str, &str)] = &[
        ("MAX_DURATION_SECONDS", "2", &wav, "limit_exceeded", "0:02"),
        ("MAX_CHANNELS", "1", &wav, "limit_exceeded", "2 channels"),
        ("MAX_SAMPLE_RATE", "44099", &wav, "limit_exceeded", "44100"),
        ("MAX_OUTPUT_MB", "1", &plain_wav(10), "output_limit", "1.0 MB"),
        ("MAX_STREAMS", "2", &read(&streams), "corrupt_input", ""),
        ("MAX_TAGS", "1", &read(&tagged), "metadata_limited", "1 tag:"),
        ("MAX_TAGS_KB", "0", &read(&tagged), "metadata_limited", "tags:"),
        ("MAX_COVERS", "0", &read(&tagged), "metadata_limited", "1 picture:"),
        ("MAX_COVER_MB", "0", &read(&tagged), "metadata_limited", "1 picture:"),
        ("MAX_CHAPTERS", "1", &read(&tagged), "metadata_limited", "1 chapter:"),
    ];
    for (name, value, bytes, code, word) in cases {
        let server = Server::with(&[("WORKERS", "1"), (name, value)]);
        let client = server.client();
        // A target that keeps everything and copies nothing.
        let answer = client.upload(
            "in.bin",
            bytes,
            &[("format", if *name == "MAX_OUTPUT_MB" { "wav" } else { "m4a" })],
        );
        let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
        let job = client.wait(&id)["job"].take();
        let told = if *code == "metadata_limited" { &job["warnings"][0] } else { &job["error"] };
        assert_eq!(told["code"], *code, "{name}: {job}");
        assert!(told["message"].as_str().is_some_and(|said| said.contains(word)), "{name}: {told}");
    }
}
