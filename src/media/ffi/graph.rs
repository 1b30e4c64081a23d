//! A filter graph of one audio source and one audio sink.
//!
//! ffmpeg-next lets a `filter::Context` outlive its graph (zmwangx/rust-ffmpeg#281), so none
//! leaves this file: source and sink are looked up by name for each call.

use std::ffi::CString;
use std::ptr;

use ffmpeg_next::ffi::{
    AVChannelLayout, AVChannelOrder, AVSampleFormat, av_buffersink_get_ch_layout,
    av_buffersink_get_format, av_buffersink_get_sample_rate, av_channel_layout_compare,
    av_channel_layout_copy, av_channel_layout_describe, av_channel_layout_uninit,
    av_get_bytes_per_sample, av_get_sample_fmt_name, av_opt_set, avfilter_link,
};
use ffmpeg_next::filter::Graph;
use ffmpeg_next::{Error, Rational, filter, frame};

use super::dictionary;

/// Shape of the samples of a frame: format, rate and layout.
pub struct Shape {
    format: AVSampleFormat,
    sample_rate: i32,
    layout: AVChannelLayout,
}

// SAFETY: the layout's map, if any, is a heap allocation owned by this value alone.
unsafe impl Send for Shape {}
// SAFETY: through a shared reference it is only read.
unsafe impl Sync for Shape {}

impl Shape {
    /// The shape of a decoded frame.
    #[must_use]
    pub fn of_frame(frame: &frame::Audio) -> Self {
        let mut shape = Self::empty();
        // SAFETY: `frame` is alive; the format of an audio frame is an AVSampleFormat, compared by
        // value below and never used as an index; the layout is copied.
        unsafe {
            let raw = frame.as_ptr();
            shape.format = ffmpeg_next::format::Sample::from(sample_format((*raw).format)).into();
            shape.sample_rate = (*raw).sample_rate;
            av_channel_layout_copy(&raw mut shape.layout, &raw const (*raw).ch_layout);
        }
        shape
    }

    /// Samples per second and channel.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        u32::try_from(self.sample_rate).unwrap_or(0)
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> u32 {
        u32::try_from(self.layout.nb_channels).unwrap_or(0)
    }

    /// Bytes of one sample of all channels.
    #[must_use]
    pub fn bytes_per_sample(&self) -> usize {
        // SAFETY: takes any format.
        let bytes = unsafe { av_get_bytes_per_sample(self.format) };
        usize::try_from(bytes).unwrap_or(0) * self.channels() as usize
    }

    /// The same with floating point samples, each channel for itself.
    #[must_use]
    pub fn in_planar_float(&self) -> Self {
        let mut shape = Self::empty();
        shape.format = AVSampleFormat::AV_SAMPLE_FMT_FLTP;
        shape.sample_rate = self.sample_rate;
        // SAFETY: both layouts are valid; libav copies. Without memory the copy is empty, which
        // encoders refuse.
        unsafe { av_channel_layout_copy(&raw mut shape.layout, &raw const self.layout) };
        shape
    }

    pub(super) fn format(&self) -> AVSampleFormat {
        self.format
    }

    pub(super) fn layout(&self) -> *const AVChannelLayout {
        &raw const self.layout
    }

    /// The name of the sample format (`s16`, `fltp`).
    #[must_use]
    pub fn format_name(&self) -> String {
        // SAFETY: takes any format; returns null or a static string.
        unsafe {
            let name = av_get_sample_fmt_name(self.format);
            if name.is_null() { String::from("none") } else { c_text(name) }
        }
    }

    /// How a filter argument says the layout: its name, or `None` where it has no order.
    #[must_use]
    pub fn layout_name(&self) -> Option<String> {
        if self.layout.order == AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            return None;
        }
        let mut buffer = [0_u8; 256];
        // SAFETY: the layout is valid, the buffer's true size is given.
        let code = unsafe {
            av_channel_layout_describe(
                &raw const self.layout,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        };
        let length = buffer.iter().position(|&byte| byte == 0)?;
        (code > 0).then(|| String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn empty() -> Self {
        Self {
            format: AVSampleFormat::AV_SAMPLE_FMT_NONE,
            sample_rate: 0,
            // SAFETY: all-zero bytes are libav's own empty layout.
            layout: unsafe { std::mem::zeroed() },
        }
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        // SAFETY: both layouts are valid.
        let same_layout = unsafe {
            av_channel_layout_compare(&raw const self.layout, &raw const other.layout) == 0
        };
        self.format == other.format && self.sample_rate == other.sample_rate && same_layout
    }
}

impl Drop for Shape {
    fn drop(&mut self) {
        // SAFETY: the layout is ours and not used again.
        unsafe { av_channel_layout_uninit(&raw mut self.layout) };
    }
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} Hz {}",
            self.format_name(),
            self.sample_rate,
            self.layout_name().unwrap_or_default()
        )
    }
}

/// The same frame's format as the closed enum of this libav; unknown numbers become `NONE`.
fn sample_format(number: i32) -> AVSampleFormat {
    const KNOWN: [AVSampleFormat; 12] = [
        AVSampleFormat::AV_SAMPLE_FMT_U8,
        AVSampleFormat::AV_SAMPLE_FMT_S16,
        AVSampleFormat::AV_SAMPLE_FMT_S32,
        AVSampleFormat::AV_SAMPLE_FMT_FLT,
        AVSampleFormat::AV_SAMPLE_FMT_DBL,
        AVSampleFormat::AV_SAMPLE_FMT_U8P,
        AVSampleFormat::AV_SAMPLE_FMT_S16P,
        AVSampleFormat::AV_SAMPLE_FMT_S32P,
        AVSampleFormat::AV_SAMPLE_FMT_FLTP,
        AVSampleFormat::AV_SAMPLE_FMT_DBLP,
        AVSampleFormat::AV_SAMPLE_FMT_S64,
        AVSampleFormat::AV_SAMPLE_FMT_S64P,
    ];
    KNOWN
        .into_iter()
        .find(|&format| format as i32 == number)
        .unwrap_or(AVSampleFormat::AV_SAMPLE_FMT_NONE)
}

/// What a graph does to the sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// Samples of the source that come out, counted from the first one handed in: the first, and
    /// the first after them.
    pub samples: Option<(u64, Option<u64>)>,
    /// Gain in dB, applied in double precision.
    pub gain_db: Option<f64>,
    /// Whether samples that lose bits are dithered (triangular).
    pub dither: bool,
    /// Argument text of `aformat`; empty where anything is welcome.
    pub format: String,
    /// Samples in that format that are cut off at the start.
    pub dropped: u64,
    /// Whether the sound is measured, in the end, by EBU R 128.
    pub is_measured: bool,
}

/// `abuffer → atrim → volume → aformat → atrim → ebur128 → abuffersink`, configured; what the chain does not
/// ask for is left out.
pub struct AudioGraph {
    graph: Graph,
}

impl AudioGraph {
    /// Builds the graph for frames of `shape`. Runs with one thread.
    ///
    /// # Errors
    /// What libav says; an impossible conversion is `InvalidData` or EINVAL.
    pub fn build(shape: &Shape, chain: &Chain) -> Result<Self, Error> {
        let mut graph = Graph::new();
        // SAFETY: the graph is ours and not configured yet.
        unsafe {
            (*graph.as_mut_ptr()).nb_threads = 1;
            if chain.dither {
                // For the resampler that libavfilter puts in by itself.
                let code = av_opt_set(
                    graph.as_mut_ptr().cast(),
                    c"aresample_swr_opts".as_ptr(),
                    c"dither_method=triangular".as_ptr(),
                    0,
                );
                if code < 0 {
                    return Err(Error::from(code));
                }
            }
        }
        let rate = shape.sample_rate;
        let layout = match shape.layout_name() {
            Some(name) => format!("channel_layout={name}"),
            None => format!("channels={}", shape.channels()),
        };
        let arguments = format!(
            "time_base=1/{rate}:sample_rate={rate}:sample_fmt={}:{layout}",
            shape.format_name()
        );
        let mut last = add(&mut graph, "abuffer", "in", &arguments)?;
        let mut append = |kind: &str, arguments: &str| {
            let filter = add(&mut graph, kind, kind, arguments)?;
            link(last, filter)?;
            last = filter;
            Ok::<(), Error>(())
        };
        if let Some((start, end)) = chain.samples {
            let end = end.map(|end| format!(":end_sample={end}")).unwrap_or_default();
            append("atrim", &format!("start_sample={start}{end}"))?;
            append("asetpts", "PTS-STARTPTS")?;
        }
        if let Some(gain) = chain.gain_db {
            append("volume", &format!("volume={gain:.6}dB:precision=double"))?;
        }
        if !chain.format.is_empty() {
            append("aformat", &chain.format)?;
        }
        if chain.dropped > 0 {
            append("atrim", &format!("start_sample={}", chain.dropped))?;
            append("asetpts", "PTS-STARTPTS")?;
        }
        if chain.is_measured {
            append("ebur128", "metadata=1:peak=true:framelog=verbose")?;
        }
        let sink = add_sink(&mut graph)?;
        link(last, sink)?;
        graph.validate()?;
        Ok(Self { graph })
    }

    /// Makes the sink cut frames of exactly `samples` samples; the last one may be shorter.
    pub fn set_frame_size(&mut self, samples: u32) {
        if let Some(mut sink) = self.graph.get("out") {
            sink.sink().set_frame_size(samples);
        }
    }

    /// Hands `frame` over; it is empty afterwards, unless it lies behind the last sample wanted.
    ///
    /// # Errors
    /// What libav says.
    pub fn push(&mut self, frame: &mut frame::Audio) -> Result<(), Error> {
        match self.source(|source| source.source().add(frame)) {
            Err(Error::Eof) => Ok(()),
            result => result,
        }
    }

    /// Says that no frame follows.
    ///
    /// # Errors
    /// What libav says.
    pub fn close(&mut self) -> Result<(), Error> {
        self.source(|source| source.source().flush())
    }

    /// Takes the next converted frame into `frame`: `Ok(true)`; `Ok(false)` when the graph wants
    /// more first or has ended.
    ///
    /// # Errors
    /// What libav says.
    pub fn pull(&mut self, frame: &mut frame::Audio) -> Result<bool, Error> {
        let mut sink = self.graph.get("out").ok_or(Error::FilterNotFound)?;
        match sink.sink().frame(frame) {
            Ok(()) => Ok(true),
            Err(Error::Eof | Error::Other { errno: ffmpeg_next::error::EAGAIN }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Shape of the frames that come out.
    #[must_use]
    pub fn output_shape(&mut self) -> Option<Shape> {
        let sink = self.graph.get("out")?;
        let mut shape = Shape::empty();
        // SAFETY: the sink belongs to the configured graph borrowed here; the layout is copied.
        unsafe {
            let raw = sink.as_ptr();
            shape.format = sample_format(av_buffersink_get_format(raw));
            shape.sample_rate = av_buffersink_get_sample_rate(raw);
            av_buffersink_get_ch_layout(raw, &raw mut shape.layout);
        }
        Some(shape)
    }

    /// Time base of the frames that come out.
    #[must_use]
    pub fn output_time_base(&mut self) -> Option<Rational> {
        self.graph.get("out").map(|mut sink| sink.sink().time_base())
    }

    fn source<T>(
        &mut self,
        act: impl FnOnce(&mut filter::Context) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut source = self.graph.get("in").ok_or(Error::FilterNotFound)?;
        act(&mut source)
    }
}

type RawFilter = *mut ffmpeg_next::ffi::AVFilterContext;

fn add(graph: &mut Graph, kind: &str, name: &str, arguments: &str) -> Result<RawFilter, Error> {
    // ffmpeg-next panics on a NUL in these; none of our own texts has one, a layout name of a
    // hostile file might.
    if CString::new(arguments).is_err() {
        return Err(Error::InvalidData);
    }
    let kind = filter::find(kind).ok_or(Error::FilterNotFound)?;
    let mut context = graph.add(&kind, name, arguments)?;
    // SAFETY: the pointer is used by `link` only, while the graph is alive and unconfigured.
    Ok(unsafe { context.as_mut_ptr() })
}

fn add_sink(graph: &mut Graph) -> Result<RawFilter, Error> {
    let sink = add(graph, "abuffersink", "out", "")?;
    // SAFETY: the sink was just made; the option is libav's own, set before configuration. Without
    // it layouts that have no name are refused.
    let code = unsafe {
        ffmpeg_next::ffi::av_opt_set_int(
            sink.cast(),
            c"all_channel_counts".as_ptr(),
            1,
            ffmpeg_next::ffi::AV_OPT_SEARCH_CHILDREN,
        )
    };
    if code < 0 { Err(Error::from(code)) } else { Ok(sink) }
}

fn link(from: RawFilter, to: RawFilter) -> Result<(), Error> {
    // SAFETY: both belong to one live, unconfigured graph; each filter used here has pad 0.
    let code = unsafe { avfilter_link(from, 0, to, 0) };
    if code < 0 { Err(Error::from(code)) } else { Ok(()) }
}

/// Cuts a frame down to its first `samples` samples; a frame that has fewer stays.
pub fn shorten(frame: &mut frame::Audio, samples: u64) {
    if let Ok(samples) = i32::try_from(samples)
        && u64::from(samples.unsigned_abs()) < frame.samples() as u64
    {
        // SAFETY: the frame is ours, and fewer samples than its buffers hold are always there.
        unsafe { (*frame.as_mut_ptr()).nb_samples = samples };
    }
}

/// What the meter says with a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metered {
    /// Of everything up to here, in LUFS.
    pub integrated: f64,
    /// Of everything up to here, in LU.
    pub range: f64,
    /// The highest amplitude up to here.
    pub true_peak: f64,
    /// Of the last 400 ms, in LUFS.
    pub momentary: f64,
    /// Of the last 3 s, in LUFS.
    pub short_term: f64,
}

/// What the meter says with a frame, every 100 ms; `None` on frames it says nothing on.
#[must_use]
pub fn metered(frame: &frame::Audio) -> Option<Metered> {
    // SAFETY: the dictionary belongs to the frame, which nobody changes while it is borrowed.
    let entries = unsafe { dictionary::entries((*frame.as_ptr()).metadata) };
    let number = |name: &str| {
        let found = entries.iter().find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.parse::<f64>().ok())
    };
    Some(Metered {
        integrated: number("lavfi.r128.I")?,
        range: number("lavfi.r128.LRA")?,
        true_peak: number("lavfi.r128.true_peak")?,
        momentary: number("lavfi.r128.M")?,
        short_term: number("lavfi.r128.S")?,
    })
}

/// # Safety
/// `text` is a NUL-terminated string that lives for the call.
unsafe fn c_text(text: *const std::ffi::c_char) -> String {
    debug_assert!(!ptr::eq(text, ptr::null()));
    // SAFETY: the caller's contract.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
