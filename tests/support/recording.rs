//! Recordings made for a test, by the `ffmpeg` command: the referee, never the product.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `ffmpeg` quietly; it must succeed.
pub fn ffmpeg(arguments: &[&str]) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(arguments)
        .output()
        .expect("the ffmpeg command is installed (deploy/test sees to it)");
    assert!(
        output.status.success(),
        "ffmpeg {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Something with tones, noise and movement, so that encoders have work: `seconds` of stereo.
pub fn music(folder: &Path, name: &str, seconds: u32, more: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let source = format!(
        "aevalsrc=exprs=0.3*sin(440*2*PI*t)*(0.6+0.4*sin(3*t))+0.05*(random(0)-0.5)|\
         0.25*sin(554*2*PI*t+sin(5*t))+0.05*(random(1)-0.5):s=44100:d={seconds}"
    );
    let mut arguments = vec!["-f", "lavfi", "-i", &source];
    arguments.extend_from_slice(more);
    let target = path.to_str().expect("a UTF-8 path");
    arguments.push(target);
    ffmpeg(&arguments);
    path
}

/// A WAV file of `seconds` seconds, written without any tool: 16 bit, 44.1 kHz, stereo.
pub fn plain_wav(seconds: u32) -> Vec<u8> {
    let frames = seconds * 44_100;
    let data = frames * 4;
    let mut wav = Vec::with_capacity(44 + data as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + data).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    for word in [16_u32, 0x0002_0001, 44_100, 44_100 * 4, 0x0010_0004] {
        wav.extend_from_slice(&word.to_le_bytes());
    }
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&data.to_le_bytes());
    let mut noise = 0x1234_5678_u32;
    for frame in 0..frames {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let tone = (f64::from(frame) * 0.062).sin() * 9000.0;
        let hiss = f64::from(noise >> 20) - 2048.0;
        #[expect(clippy::cast_possible_truncation, reason = "within ±11048")]
        let sample = (tone + hiss) as i16;
        wav.extend_from_slice(&sample.to_le_bytes());
        wav.extend_from_slice(&(sample / 2).to_le_bytes());
    }
    wav
}

/// Samples per channel that come out when `ffmpeg` decodes a file.
pub fn decoded_samples(file: &Path) -> u64 {
    let channels = stream_entry(file, "channels").parse::<u64>().expect("a number of channels");
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:a:0", "-f", "s16le", "-"])
        .output()
        .expect("the ffmpeg command");
    output.stdout.len() as u64 / 2 / channels.max(1)
}

/// One entry of the first audio stream, as `ffprobe` prints it.
pub fn stream_entry(file: &Path, entry: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "a:0", "-show_entries"])
        .arg(format!("stream={entry}"))
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("the ffprobe command");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
