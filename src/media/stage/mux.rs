//! Packets in, a file out.

use ffmpeg_next::format::context::Output;
use ffmpeg_next::{Dictionary, Error, Packet};

use super::super::ffi::output::{self, PacketClock, StreamOrigin};
use super::super::io::{Sink, Watch, sink_io};
use super::super::plan::Plan;
use super::super::request::{Exactness, Format};
use super::encode::Encode;

/// One muxer whose header is written.
pub struct Mux {
    output: Output,
    clock: PacketClock,
}

/// A muxer before its header.
pub struct Prepared(Output);

/// Makes the plan's muxer on `sink`. Nothing is written yet.
///
/// # Errors
/// What libav says.
pub fn prepare(plan: &Plan, sink: Sink, watch: &Watch) -> Result<Prepared, Error> {
    // No name is given: a name that looks like a path would be opened by some muxers.
    let mut output =
        ffmpeg_next::format::output_to_stream(sink_io(sink, watch)?, None, Some(plan.muxer))?;
    if plan.exactness == Exactness::BitExact {
        output::set_bitexact(&mut output);
    }
    Ok(Prepared(output))
}

impl Prepared {
    /// Whether the encoder must leave its headers to the container.
    #[must_use]
    pub fn wants_global_header(&self) -> bool {
        output::wants_global_header(&self.0)
    }

    /// Adds the encoder's stream and writes the header.
    ///
    /// # Errors
    /// What libav says; the sink's own faults among them.
    pub fn start(
        self,
        plan: &Plan,
        encode: &Encode,
        origin: StreamOrigin<'_>,
        tags: &[(String, String)],
    ) -> Result<Mux, Error> {
        let mut output = self.0;
        let encoder_tag = match plan.exactness {
            Exactness::BitExact => format!("Lavc {}", plan.encoder),
            Exactness::Ordinary => {
                let (major, minor, micro) = super::super::ffi::version::codec_library();
                format!("Lavc{major}.{minor}.{micro} {}", plan.encoder)
            }
        };
        output::add_encoded_stream(&mut output, encode.encoder(), &encoder_tag, origin)?;
        for (key, value) in tags {
            output::set_tag(&mut output, key, value);
        }
        let mut options = Dictionary::new();
        if plan.format == Format::Aiff && !tags.is_empty() {
            options.set("write_id3v2", "1");
        }
        drop(output.write_header_with(options)?);
        Ok(Mux { output, clock: PacketClock::new(encode.encoder()) })
    }
}

impl Mux {
    /// Writes one packet.
    ///
    /// # Errors
    /// What libav says; the sink's own faults among them.
    pub fn push(&mut self, mut packet: Packet) -> Result<(), Error> {
        self.clock.prepare(&mut packet, &self.output);
        packet.write_interleaved(&mut self.output)
    }

    /// Writes what the container wants at its end. Only then is the file whole.
    ///
    /// # Errors
    /// What libav says; the sink's own faults among them.
    pub fn finish(mut self) -> Result<(), Error> {
        self.output.write_trailer()
    }
}
