//! The sound that encoders were given, to hold what they made of it against.

use ffmpeg_next::format::Sample;
use ffmpeg_next::frame;

use super::seam::Batch;

/// Of 16-bit samples.
const FULL_SCALE: f32 = 32768.0;

/// So many values of the sound from `pts` on, interleaved; `None` when it is not all there.
pub fn heard(sound: &[Batch], pts: i64, count: usize) -> Option<Vec<f32>> {
    let ends = |frame: &frame::Audio| Some(frame.pts()? + i64::try_from(frame.samples()).ok()?);
    let frames = sound.iter().flat_map(|batch| batch.iter());
    let mut frames = frames.skip_while(|frame| ends(frame).is_none_or(|end| end <= pts)).peekable();
    let first = frames.peek()?;
    let skipped = usize::try_from(pts.checked_sub(first.pts()?)?).ok()?;
    let skipped = skipped * usize::from(first.channels());
    let mut samples = Vec::new();
    for frame in frames {
        interleave(frame, &mut samples);
        if samples.len() >= skipped + count {
            return Some(samples[skipped..skipped + count].to_vec());
        }
    }
    None
}

/// Adds a frame's samples, all channels of one after those of the one before.
pub fn interleave(frame: &frame::Audio, samples: &mut Vec<f32>) {
    let channels = usize::from(frame.channels());
    let bytes = frame.format().bytes();
    let level = |plane: usize, at: usize| {
        let value = frame.data(plane).get(at * bytes..(at + 1) * bytes).unwrap_or_default();
        match (frame.format(), value) {
            (Sample::I16(_), &[low, high]) => {
                f32::from(i16::from_ne_bytes([low, high])) / FULL_SCALE
            }
            (Sample::F32(_), &[a, b, c, d]) => f32::from_ne_bytes([a, b, c, d]),
            _ => 0.0,
        }
    };
    for at in 0..frame.samples() {
        for channel in 0..channels {
            samples.push(match frame.is_planar() {
                true => level(channel, at),
                false => level(0, at * channels + channel),
            });
        }
    }
}
