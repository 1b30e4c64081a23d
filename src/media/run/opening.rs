//! Encoder and muxer for frames that are about to come.

use ffmpeg_next::Error;

use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::output::StreamOrigin;
use super::super::io::{Sink, Watch};
use super::super::metadata::Metadata;
use super::super::plan::Plan;
use super::super::request::Exactness;
use super::super::stage::encode::{Encode, Feed};
use super::super::stage::failed;
use super::super::stage::mux::{self, Mux, Packets};
use super::frames::Frames;

/// Everything behind the frames.
pub struct Opened {
    /// What the encoder was opened for; others like it can be.
    pub feed: Feed,
    /// The encoder that the muxer knows.
    pub encode: Encode,
    /// The muxer, its header written.
    pub mux: Mux,
}

/// Opens encoder and muxer. The order is fixed: graph from the first decoded frame, encoder from
/// what the graph gives, the graph's frame size from the encoder, the muxer's header last.
///
/// # Errors
/// `option_unsupported`, a sink that fails, stopped.
pub fn open(
    plan: &Plan,
    watch: &Watch,
    frames: &mut Frames<'_>,
    sink: &Sink,
    metadata: &Metadata,
) -> Result<Opened, Failure> {
    let cannot = |what: &str, error: Error| {
        let message = format!("{what} cannot be opened for this sound: {error}.");
        let otherwise = Failure::new(FailureCode::OptionUnsupported, Stage::Encoding, message);
        failed(error, otherwise, watch)
    };
    let prepared = mux::prepare(plan, sink, metadata, watch)
        .map_err(|error| cannot("The container", error))?;
    let filter = frames.filter();
    let Some(shape) = filter.output_shape() else {
        return Err(cannot("The resampler", Error::FilterNotFound));
    };
    // The command forgets the source's bits in any conversion; a lossless target needs them.
    let keeps_bits =
        filter.is_transparent() || (plan.is_lossless() && plan.exactness == Exactness::Ordinary);
    let feed = Feed {
        shape,
        source_bits: if keeps_bits { frames.reader().bits_per_raw_sample() } else { 0 },
        global_header: prepared.wants_global_header(),
    };
    let mut encode = Encode::open(plan, &feed)
        .map_err(|error| cannot(&format!("The encoder \"{}\"", plan.encoder), error))?;
    encode.heed(frames.lead(), frames.heard_until());
    if let Some(samples) = encode.frame_size() {
        frames.filter().set_frame_size(samples);
    }
    let origin = StreamOrigin { input: frames.reader().demux().input(), index: plan.stream };
    let mux = prepared
        .start(plan, Packets::Encoded(&encode, origin), metadata)
        .map_err(|error| cannot("The container", error))?;
    watch.progress.enter(Stage::Encoding);
    Ok(Opened { feed, encode, mux })
}
