//! Loudness by EBU R 128, judged by a meter that shares no code with libav.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use audiomill::base::CancelToken;
use audiomill::media::convert::measure;
use audiomill::media::cores::Cores;
use audiomill::media::loudness::adjusted_together;
use audiomill::media::{Conversion, Format, Limits, Progress, Request, Sink, Source, convert};
use serde_json::Value;

use crate::support::AUDIOMILL;
use crate::support::recording::{music, plain_wav};

fn run(arguments: &[&str]) -> Output {
    Command::new(AUDIOMILL).args(arguments).output().expect("audiomill runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Left and right of every sample.
fn samples_of(file: &Path) -> Vec<f32> {
    let decoded = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", file.to_str().expect("a path")])
        .args(["-f", "f32le", "-ac", "2", "-ar", "44100", "-"])
        .output()
        .expect("the ffmpeg command");
    decoded
        .stdout
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("4 bytes")))
        .collect()
}

/// Loudness by the ebur128 crate, which shares no code with libav: LUFS and true peak in dBTP.
fn loudness_of(file: &Path) -> (f64, f64) {
    measured(&samples_of(file))
}

fn measured(samples: &[f32]) -> (f64, f64) {
    let mut meter = ebur128::EbuR128::new(2, 44_100, ebur128::Mode::all()).expect("a meter");
    meter.add_frames_f32(samples).expect("measured");
    let peak = (0..2).map(|channel| meter.true_peak(channel).expect("a peak")).fold(0.0, f64::max);
    (meter.loudness_global().expect("a loudness"), 20.0 * peak.log10())
}

#[test]
fn loudness_reaches_its_target_or_says_why_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Without the hiss that a lossy codec throws away.
    let input = music(folder.path(), "in.wav", 8, &["-af", "lowpass=6000"]);
    let convert = |name: &str, target: &str, input: &Path| {
        let output = folder.path().join(name);
        let arguments = ["convert", "--force", "--loudness", target];
        let paths = [input, &output].map(|path| path.to_str().expect("a path"));
        let ran = run(&[&arguments[..], &paths].concat());
        assert!(ran.status.success(), "{name}: {}", stderr(&ran));
        (loudness_of(&output), stderr(&ran))
    };
    for (name, target) in [("a.flac", -16.0), ("a.mp3", -23.0), ("a.opus", -18.0)] {
        let ((reached, _), said) = convert(name, &target.to_string(), &input);
        assert!((reached - target).abs() < 0.1, "{name}: {reached} instead of {target}");
        assert!(!said.contains("LUFS"), "{said}");
    }
    // A click takes the room that the target would need.
    let click = folder.path().join("click.wav");
    let mut wav = plain_wav(4);
    wav[44 + 4000..44 + 4004].copy_from_slice(&[0, 0x60, 0, 0x60]);
    for byte in (44..wav.len()).step_by(2).filter(|at| !(4040..4050).contains(at)) {
        let quiet = i16::from_le_bytes([wav[byte], wav[byte + 1]]) / 8;
        wav[byte..byte + 2].copy_from_slice(&quiet.to_le_bytes());
    }
    std::fs::write(&click, &wav).expect("written");
    let ((reached, peak), said) = convert("b.flac", "-10", &click);
    assert!(reached < -10.5 && said.contains("would lift peaks above -1.5 dBTP"), "{said}");
    assert!((-1.7..=-1.4).contains(&peak), "{peak} dBTP");
    let silence = music(folder.path(), "silence.wav", 2, &["-af", "volume=0"]);
    let (_, said) = convert("c.flac", "-16", &silence);
    assert!(said.contains("silent"), "{said}");
    // A peak in the very last moment is seen.
    let late = music(
        folder.path(),
        "late.wav",
        5,
        // Behind the last tenth of a second that is whole.
        &["-t", "4.95", "-af", "volume=volume='if(gt(t,4.93),2.5,0.02)':eval=frame"],
    );
    let ((_, peak), said) = convert("d.flac", "-16", &late);
    assert!(said.contains("would lift peaks") && peak < 0.0, "{said} {peak}");
    let probe = run(&["probe", "--loudness", input.to_str().expect("a path")]);
    let probe: Value = serde_json::from_slice(&probe.stdout).expect("JSON");
    let measured = probe["loudness"]["integrated_lufs"].as_f64().expect("a loudness");
    assert!((measured - loudness_of(&input).0).abs() < 0.1, "{measured}");
}

#[test]
fn an_album_keeps_its_levels() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Quiet, loud, and so quiet that it is gated away.
    let tracks = ["volume=-14dB", "volume=-3dB", "volume=-50dB"].map(|volume| {
        let filter = format!("lowpass=6000,{volume}");
        music(folder.path(), &format!("{volume}.wav"), 8, &["-af", &filter])
    });
    let conversion = |target| Conversion {
        request: Request { loudness: Some(target), ..Request::new(Format::Wav) },
        adjustment: None,
        limits: Limits::default(),
        seat: Cores::new(1).join(),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    };
    let source = |file: &PathBuf| {
        let length = std::fs::metadata(file).expect("a file").len();
        Source::new(std::fs::File::open(file).expect("opened"), Some(length))
    };
    for target in [-23.0, -4.0] {
        let conversion = conversion(target);
        let measure = |file| measure(&conversion, &source(file)).expect("measured");
        let adjustments = adjusted_together(&tracks.each_ref().map(measure), target);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let (mut all, mut is_limited) = (Vec::new(), false);
        for (file, adjustment) in tracks.iter().zip(&adjustments) {
            let output = file.with_extension(format!("{target}.wav"));
            let sink = Sink::new(std::fs::File::create_new(&output).expect("opened"), 1 << 30);
            let conversion = Conversion { adjustment: Some(*adjustment), ..conversion.clone() };
            let done = convert(&conversion, source(file), sink, &mut |_, _| {}).expect("converted");
            assert_eq!(done.loudness, Some(*adjustment));
            let warned = done.warnings.iter().any(|warning| warning.code == "loudness_limited");
            assert_eq!(warned, adjustment.limited_by_peak);
            is_limited |= warned;
            before.push(loudness_of(file).0);
            after.push(loudness_of(&output).0);
            all.extend(samples_of(&output));
            let told = adjustment.output_lufs.expect("not silent");
            assert!((told - after[after.len() - 1]).abs() < 0.1, "{told} and {after:?}");
        }
        for (before, after) in before.iter().zip(&after) {
            let gain = after - before;
            assert!((gain - adjustments[0].gain_db).abs() < 0.05, "{gain}: {adjustments:?}");
        }
        let (whole, peak) = measured(&all);
        if target < -20.0 {
            assert!(!is_limited && (whole - target).abs() < 0.1, "{whole} instead of {target}");
        } else {
            assert!(is_limited && whole < target - 0.5, "{whole} though {target} is out of reach");
            assert!((-1.7..=-1.4).contains(&peak), "{peak} dBTP");
        }
    }
}
