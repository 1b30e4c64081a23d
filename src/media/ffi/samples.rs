//! Samples of a frame, changed in place.

use ffmpeg_next::ffi::{av_frame_make_writable, av_frame_ref, av_frame_unref};
use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type;
use ffmpeg_next::{Error, frame};

/// Full scale of 16-bit samples.
const FULL_SCALE: f32 = 32768.0;

/// Full scale is 1; LAME's assertions end the process at 100 000 and at what is no number.
const LOUDEST: f32 = 1000.0;

/// Replaces what is no number by silence and keeps the rest within a thousand times full scale, in
/// frames of floating point samples; how many samples that were.
///
/// # Errors
/// No memory for a copy of the frame.
pub fn tame(frame: &mut frame::Audio) -> Result<u64, Error> {
    if !matches!(frame.format(), Sample::F32(_)) {
        return Ok(0);
    }
    let (planes, length) = (frame.planes(), bytes_of_a_plane(frame));
    let is_wild = |bytes: &[u8]| {
        let (samples, _) = bytes.as_chunks::<4>();
        samples.iter().any(|bytes| !tamed(*bytes).1)
    };
    if !(0..planes).any(|plane| is_wild(&frame.data(plane)[..length])) {
        return Ok(0);
    }
    // SAFETY: the frame is borrowed mutably; libav gives it buffers of its own or an error.
    let code = unsafe { av_frame_make_writable(frame.as_mut_ptr()) };
    if code < 0 {
        return Err(Error::from(code));
    }
    let mut count = 0;
    for plane in 0..planes {
        let (samples, _) = frame.data_mut(plane)[..length].as_chunks_mut::<4>();
        for bytes in samples {
            let (level, is_tame) = tamed(*bytes);
            if !is_tame {
                *bytes = level.to_ne_bytes();
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The frame's interleaved 16-bit samples as floating point ones, each channel for itself.
///
/// # Errors
/// EINVAL for other samples; no memory.
pub fn in_planar_float(frame: &frame::Audio) -> Result<frame::Audio, Error> {
    if frame.format() != Sample::I16(Type::Packed) {
        return Err(Error::Other { errno: libc::EINVAL });
    }
    let (count, channels) = (frame.samples(), usize::from(frame.channels()));
    let format = Sample::F32(Type::Planar);
    let mut wide = frame::Audio::new(format, count, frame.channel_layout());
    wide.set_rate(frame.rate());
    wide.set_pts(frame.pts());
    let (narrow, _) = frame.data(0)[..count * channels * 2].as_chunks::<2>();
    for channel in 0..channels {
        let (samples, _) = wide.data_mut(channel)[..count * 4].as_chunks_mut::<4>();
        let own = narrow.iter().skip(channel).step_by(channels);
        for (sample, bytes) in samples.iter_mut().zip(own) {
            *sample = (f32::from(i16::from_ne_bytes(*bytes)) / FULL_SCALE).to_ne_bytes();
        }
    }
    Ok(wide)
}

/// Makes `part` the `count` samples of a frame from sample `from` on, over the same buffers.
///
/// # Errors
/// No memory; EINVAL when the frame has fewer.
pub fn take_part(
    part: &mut frame::Audio,
    frame: &frame::Audio,
    from: usize,
    count: usize,
) -> Result<(), Error> {
    let (Ok(samples), Ok(first)) = (i32::try_from(count), i64::try_from(from)) else {
        return Err(Error::Other { errno: libc::EINVAL });
    };
    if from + count > frame.samples() {
        return Err(Error::Other { errno: libc::EINVAL });
    }
    let channels = if frame.is_planar() { 1 } else { usize::from(frame.channels()) };
    let offset = from * channels * frame.format().bytes();
    let planes = frame.planes();
    // SAFETY: both frames are alive; libav makes the one another reference to the other's buffers.
    // Every plane holds as many samples as the frame says, so that the moved pointers stay inside.
    unsafe {
        let raw = part.as_mut_ptr();
        av_frame_unref(raw);
        let code = av_frame_ref(raw, frame.as_ptr());
        if code < 0 {
            return Err(Error::from(code));
        }
        let own = &raw mut (*raw).data;
        let has_more_planes = (*raw).extended_data != own.cast();
        for plane in 0..planes {
            if has_more_planes {
                let data = (*raw).extended_data.add(plane);
                *data = (*data).add(offset);
            }
            if let Some(data) = (*own).get_mut(plane) {
                *data = (*data).add(offset);
            }
        }
        (*raw).nb_samples = samples;
    }
    part.set_pts(frame.pts().map(|pts| pts.saturating_add(first)));
    Ok(())
}

/// The level as an encoder may have it, and whether it is the same.
fn tamed(bytes: [u8; 4]) -> (f32, bool) {
    let level = f32::from_ne_bytes(bytes);
    if level.abs() <= LOUDEST {
        (level, true)
    } else if level.is_finite() {
        (level.clamp(-LOUDEST, LOUDEST), false)
    } else {
        (0.0, false)
    }
}

/// Bytes of samples in each plane, without the padding behind them.
fn bytes_of_a_plane(frame: &frame::Audio) -> usize {
    let channels = if frame.is_planar() { 1 } else { usize::from(frame.channels()) };
    frame.samples() * frame.format().bytes() * channels
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::ChannelLayout;

    use super::*;

    #[test]
    fn a_part_of_a_frame_is_what_stands_there() {
        for (kind, layout) in [
            (Type::Planar, ChannelLayout::STEREO),
            (Type::Packed, ChannelLayout::STEREO),
            (Type::Planar, ChannelLayout::HEXADECAGONAL),
        ] {
            let mut frame = frame::Audio::new(Sample::I16(kind), 8, layout);
            frame.set_pts(Some(100));
            for plane in 0..frame.planes() {
                let length = bytes_of_a_plane(&frame);
                let bytes = (0..length).map(|at| u8::try_from(at + plane).unwrap_or(0));
                let bytes: Vec<u8> = bytes.collect();
                frame.data_mut(plane)[..length].copy_from_slice(&bytes);
            }
            let mut part = frame::Audio::empty();
            for _ in 0..2 {
                take_part(&mut part, &frame, 3, 4).expect("in it");
            }
            assert_eq!((part.samples(), part.pts()), (4, Some(103)));
            let step = bytes_of_a_plane(&frame) / 8;
            for plane in 0..frame.planes() {
                let expected = &frame.data(plane)[3 * step..7 * step];
                assert_eq!(&part.data(plane)[..4 * step], expected, "{kind:?} {plane}");
            }
            assert!(take_part(&mut part, &frame, 5, 4).is_err());
        }
    }

    #[test]
    fn what_is_no_number_becomes_silence_and_the_rest_stays() {
        for kind in [Type::Planar, Type::Packed] {
            let mut frame = frame::Audio::new(Sample::F32(kind), 8, ChannelLayout::STEREO);
            let planes = frame.planes();
            let levels = [0.5, f32::NAN, f32::INFINITY, -1e8, -0.25, 3.0, 0.0, -0.5];
            let put = |frame: &mut frame::Audio, plane: usize| {
                for (at, level) in levels.into_iter().enumerate() {
                    frame.data_mut(plane)[at * 4..at * 4 + 4].copy_from_slice(&level.to_ne_bytes());
                }
            };
            for plane in 0..planes {
                let length = bytes_of_a_plane(&frame);
                frame.data_mut(plane)[..length].fill(0);
                put(&mut frame, plane);
            }
            assert_eq!(tame(&mut frame), Ok(3 * planes as u64));
            assert_eq!(tame(&mut frame), Ok(0));
            let (samples, _) = frame.data(0)[..32].as_chunks::<4>();
            let read: Vec<f32> = samples.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect();
            assert_eq!(read, [0.5, 0.0, 0.0, -1000.0, -0.25, 3.0, 0.0, -0.5]);
        }
        let mut whole = frame::Audio::new(Sample::I16(Type::Packed), 8, ChannelLayout::STEREO);
        assert_eq!(tame(&mut whole), Ok(0));
    }
}
