//! The shape of the sound: lowest and highest sample of many short stretches, gathered from the
//! frames that pass through anyway.

use ffmpeg_next::format::Sample;
use ffmpeg_next::frame;
use serde_json::{Value, json};

/// Pixels that are kept at the most; when there are more, each becomes twice as long.
const PIXELS_MAX: usize = 4096;
/// Samples of a pixel at first.
const SAMPLES_PER_PIXEL_MIN: u32 = 64;

/// Lowest and highest sample over all channels, of stretches that are equally long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waveform {
    sample_rate: u32,
    samples_per_pixel: u32,
    pixels: Vec<Pixel>,
}

/// Of one stretch, full scale being -128 to 127.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pixel {
    lowest: i8,
    highest: i8,
}

impl Pixel {
    /// Nothing was heard there yet.
    const UNHEARD: Self = Self { lowest: i8::MAX, highest: i8::MIN };

    /// As it is shown.
    fn shown(self) -> Self {
        if self == Self::UNHEARD { Self::default() } else { self }
    }

    fn joined(self, other: Self) -> Self {
        Self { lowest: self.lowest.min(other.lowest), highest: self.highest.max(other.highest) }
    }
}

impl Waveform {
    /// Takes in the samples `from..to` of a frame, the first of which stands at `position` of the
    /// recording. The order is of no importance, nor whether samples come twice. Frames of another
    /// rate than the first are taken as if they had it.
    pub fn push(
        &mut self,
        frame: &frame::Audio,
        (mut from, to): (usize, usize),
        mut position: u64,
    ) {
        if self.samples_per_pixel == 0 {
            self.sample_rate = frame.rate();
            self.samples_per_pixel = SAMPLES_PER_PIXEL_MIN;
        }
        let end = to.min(frame.samples());
        while from < end {
            let at = self.pixel_at(position);
            let per_pixel = u64::from(self.samples_per_pixel);
            let room = usize::try_from(per_pixel - position % per_pixel).unwrap_or(usize::MAX);
            let to = end.min(from.saturating_add(room));
            self.pixels[at] = self.pixels[at].joined(extremes(frame, from, to));
            position += (to - from) as u64;
            from = to;
        }
    }

    /// Forgets what was heard behind the pixel that holds the sample at `position`.
    pub fn forget_behind(&mut self, position: u64) {
        let kept = position / u64::from(self.samples_per_pixel.max(1)) + 1;
        self.pixels.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Which pixel holds a sample; there is one afterwards.
    fn pixel_at(&mut self, mut position: u64) -> usize {
        loop {
            let at = position / u64::from(self.samples_per_pixel);
            match usize::try_from(at) {
                Ok(at) if at < PIXELS_MAX => {
                    let count = self.pixels.len().max(at + 1);
                    self.pixels.resize(count, Pixel::UNHEARD);
                    return at;
                }
                _ => {
                    self.pixels = joined(&self.pixels, 2);
                    match self.samples_per_pixel.checked_mul(2) {
                        Some(doubled) => self.samples_per_pixel = doubled,
                        // Centuries: all that is beyond stands in one pixel.
                        None => position = 0,
                    }
                }
            }
        }
    }

    /// Whether there is nothing to be seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The same in at most `points` pixels; of a recording that is to become `seconds` long, in as
    /// many as it has of those.
    #[must_use]
    pub fn scaled(&self, points: usize, seconds: Option<f64>) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` clamps")]
        let whole = seconds.map_or(0, |seconds| {
            let samples = seconds * f64::from(self.sample_rate);
            (samples / f64::from(self.samples_per_pixel.max(1))).ceil() as usize
        });
        let by = whole.max(self.pixels.len()).div_ceil(points.max(1)).max(1);
        Self {
            samples_per_pixel: self
                .samples_per_pixel
                .saturating_mul(u32::try_from(by).unwrap_or(u32::MAX)),
            pixels: joined(&self.pixels, by),
            ..self.clone()
        }
    }

    /// In the format of audiowaveform
    /// (<https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md>), version 2, 8 bits,
    /// one channel that holds all.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let data: Vec<i8> = self.shown().flat_map(|pixel| [pixel.lowest, pixel.highest]).collect();
        json!({
            "version": 2,
            "channels": 1,
            "sample_rate": self.sample_rate,
            "samples_per_pixel": self.samples_per_pixel,
            "bits": 8,
            "length": self.pixels.len(),
            "data": data,
        })
    }

    /// The same as bytes: audiowaveform's binary format, version 2.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        const BITS_8: u32 = 1;
        let length = u32::try_from(self.pixels.len()).unwrap_or(u32::MAX);
        let numbers = [2, BITS_8, self.sample_rate, self.samples_per_pixel, length, 1];
        let header = numbers.iter().flat_map(|number: &u32| number.to_le_bytes());
        let data = self
            .shown()
            .flat_map(|pixel| [pixel.lowest.to_le_bytes()[0], pixel.highest.to_le_bytes()[0]]);
        header.chain(data).collect()
    }

    /// What [`Self::to_bytes`] has written; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, data) = bytes.split_at_checked(24)?;
        let number = |at: usize| header[at..at + 4].try_into().ok().map(u32::from_le_bytes);
        let is_ours = (number(0)?, number(4)?, number(20)?) == (2, 1, 1);
        let length = usize::try_from(number(16)?).ok()?;
        let pixels = data
            .chunks_exact(2)
            .map(|pair| Pixel { lowest: pair[0].cast_signed(), highest: pair[1].cast_signed() });
        (is_ours && data.len() == length * 2).then(|| Self {
            sample_rate: number(8).unwrap_or_default(),
            samples_per_pixel: number(12).unwrap_or_default(),
            pixels: pixels.collect(),
        })
    }

    /// A picture of it, `width` by `height` points: grey on nothing.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn to_png(&self, width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
        const GREY: u8 = 0x80;
        let columns = self.columns(width);
        let middle = f64::from(height) / 2.0;
        let mut points = vec![0; width as usize * height as usize * 2];
        for (x, pixel) in columns.into_iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let row = |level: i8| {
                let at = middle - f64::from(level) / 128.0 * middle;
                at.clamp(0.0, f64::from(height.saturating_sub(1))) as usize
            };
            for y in row(pixel.highest)..=row(pixel.lowest) {
                let at = (y * width as usize + x) * 2;
                points[at..at + 2].copy_from_slice(&[GREY, u8::MAX]);
            }
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::GrayscaleAlpha);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&points)?;
        writer.finish()?;
        Ok(file)
    }

    fn shown(&self) -> impl Iterator<Item = Pixel> {
        self.pixels.iter().map(|pixel| pixel.shown())
    }

    /// One pixel for each column of a picture.
    fn columns(&self, width: u32) -> Vec<Pixel> {
        let count = self.pixels.len();
        (0..width as usize)
            .map(|x| {
                let from = x * count / width as usize;
                let to = ((x + 1) * count / width as usize).max(from + 1).min(count);
                let stretch = self.pixels.get(from..to).unwrap_or_default();
                stretch.iter().copied().reduce(Pixel::joined).unwrap_or_default().shown()
            })
            .collect()
    }
}

fn joined(pixels: &[Pixel], by: usize) -> Vec<Pixel> {
    let join = |stretch: &[Pixel]| stretch.iter().copied().reduce(Pixel::joined);
    pixels.chunks(by).filter_map(join).collect()
}

/// Over all channels of the samples `from` up to `to`.
fn extremes(frame: &frame::Audio, from: usize, to: usize) -> Pixel {
    let channels = usize::from(frame.channels());
    let (planes, per_sample) = if frame.is_planar() { (frame.planes(), 1) } else { (1, channels) };
    let mut lowest = f32::INFINITY;
    let mut highest = f32::NEG_INFINITY;
    for plane in 0..planes {
        let bytes = frame.format().bytes() * per_sample;
        let Some(data) = frame.data(plane).get(from * bytes..to * bytes) else { continue };
        let (low, high) = match frame.format() {
            Sample::U8(_) => {
                let (low, high) = levels(data, |[byte]: [u8; 1]| byte);
                ((f32::from(low) - 128.0) / 128.0, (f32::from(high) - 128.0) / 128.0)
            }
            Sample::I16(_) => {
                let (low, high) = levels(data, i16::from_ne_bytes);
                (f32::from(low) / 32_768.0, f32::from(high) / 32_768.0)
            }
            #[expect(clippy::cast_precision_loss, reason = "eight bits are kept")]
            Sample::I32(_) => {
                let (low, high) = levels(data, i32::from_ne_bytes);
                (low as f32 / 2_147_483_648.0, high as f32 / 2_147_483_648.0)
            }
            #[expect(clippy::cast_precision_loss, reason = "eight bits are kept")]
            Sample::I64(_) => {
                let (low, high) = levels(data, i64::from_ne_bytes);
                (low as f32 / 9.223_372e18, high as f32 / 9.223_372e18)
            }
            Sample::F32(_) => levels(data, f32::from_ne_bytes),
            #[expect(clippy::cast_possible_truncation, reason = "eight bits are kept")]
            Sample::F64(_) => {
                let (low, high) = levels(data, f64::from_ne_bytes);
                (low as f32, high as f32)
            }
            Sample::None => (0.0, 0.0),
        };
        lowest = lowest.min(low);
        highest = highest.max(high);
    }
    #[expect(clippy::cast_possible_truncation, reason = "`as` clamps, and takes 0 for no number")]
    let level = |value: f32| (value * 128.0).floor() as i8;
    Pixel { lowest: level(lowest), highest: level(highest) }
}

/// Lowest and highest of the samples; compared in their own type, many at once. What is no number
/// is neither.
fn levels<const N: usize, T: Copy + PartialOrd + Default>(
    data: &[u8],
    read: impl Fn([u8; N]) -> T,
) -> (T, T) {
    let (samples, _) = data.as_chunks::<N>();
    let first = samples.first().map_or_else(T::default, |bytes| read(*bytes));
    samples.iter().fold((first, first), |(low, high), bytes| {
        let value = read(*bytes);
        (if value < low { value } else { low }, if value > high { value } else { high })
    })
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::ChannelLayout;
    use ffmpeg_next::format::sample::Type;

    use super::*;

    /// A frame whose left channel rises from `from` by 1/32768 a sample, the right one being its
    /// opposite.
    fn ramp(format: Sample, from: usize, samples: usize) -> frame::Audio {
        let mut frame = frame::Audio::new(format, samples, ChannelLayout::STEREO);
        frame.set_rate(8000);
        for at in 0..samples {
            let value = i16::try_from((from + at) % 32_768).expect("small");
            let levels = [value, -value];
            match format {
                Sample::I16(_) => {
                    for (channel, level) in levels.into_iter().enumerate() {
                        let place = (at * 2 + channel) * 2;
                        frame.data_mut(0)[place..place + 2].copy_from_slice(&level.to_ne_bytes());
                    }
                }
                _ => {
                    for (channel, level) in levels.into_iter().enumerate() {
                        let level = f32::from(level) / 32_768.0;
                        let data = frame.data_mut(channel);
                        data[at * 4..at * 4 + 4].copy_from_slice(&level.to_ne_bytes());
                    }
                }
            }
        }
        frame
    }

    fn waveform(format: Sample, frames: &[usize]) -> Waveform {
        let mut waveform = Waveform::default();
        let mut from = 0;
        for samples in frames {
            waveform.push(&ramp(format, from, *samples), (0, *samples), from as u64);
            from += samples;
        }
        waveform
    }

    #[test]
    fn every_stretch_keeps_its_lowest_and_highest_sample_however_frames_are_cut() {
        let whole = waveform(Sample::I16(Type::Packed), &[6400]);
        assert_eq!(whole, waveform(Sample::I16(Type::Packed), &[100, 1, 64, 6235]));
        assert_eq!(whole, waveform(Sample::F32(Type::Planar), &[1000, 5400]));
        assert_eq!((whole.pixels.len(), whole.samples_per_pixel), (100, 64));
        // 64 samples in, the level is 64/32768: a quarter of a step of eight bits.
        assert_eq!(whole.pixels[0], Pixel { lowest: -1, highest: 0 });
        assert_eq!(whole.pixels[99], Pixel { lowest: -25, highest: 24 });
    }

    #[test]
    fn parts_come_in_any_order_and_what_is_not_heard_yet_is_shown_as_silence() {
        let format = Sample::I16(Type::Packed);
        let mut waveform = Waveform::default();
        waveform.push(&ramp(format, 3200, 3200), (0, 3200), 3200);
        assert_eq!(waveform.to_json()["data"][0], 0);
        assert_eq!(waveform.to_json()["data"][199], 24);
        waveform.push(&ramp(format, 0, 4000), (0, 4000), 0);
        assert_eq!(waveform, self::waveform(format, &[6400]));
    }

    #[test]
    fn a_long_recording_has_longer_stretches_not_more() {
        let long = waveform(Sample::I16(Type::Packed), &[32_000; 20]);
        assert_eq!(long.samples_per_pixel, 256);
        assert_eq!(long.pixels.len(), 640_000 / 256);
        let scaled = long.scaled(480, None);
        assert!(scaled.pixels.len() <= 480 && scaled.pixels.len() > 240);
        assert_eq!(scaled.samples_per_pixel, 256 * 6);
        // Half of it is there: half of the points.
        let half = long.scaled(480, Some(160.0));
        assert!((200..=240).contains(&half.pixels.len()), "{}", half.pixels.len());
        let read = Waveform::from_bytes(&long.to_bytes()).expect("what was written");
        assert_eq!(read.to_json(), long.to_json());
        assert_eq!(Waveform::from_bytes(b"something else of some length"), None);
    }

    #[test]
    fn json_and_picture_are_what_they_are_called() {
        let waveform = waveform(Sample::I16(Type::Packed), &[6400]);
        let json = waveform.scaled(10, None).to_json();
        assert_eq!(json["length"], 10);
        assert_eq!(json["data"].as_array().map(Vec::len), Some(20));
        assert_eq!(json["data"][19], 24);
        let picture = waveform.to_png(200, 40).expect("a picture");
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(Waveform::default().to_png(1, 1).is_ok());
    }
}
