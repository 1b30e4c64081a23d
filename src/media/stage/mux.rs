//! Packets in, a file out.

use ffmpeg_next::format::context::Output;
use ffmpeg_next::{Dictionary, Error, Packet, Rational};

use super::super::ffi::output::{self, PacketClock, StreamOrigin};
use super::super::insert::Insertion;
use super::super::io::{Sink, Watch, sink_io};
use super::super::metadata::{Metadata, ape, comments, id3, ilst};
use super::super::plan::Plan;
use super::super::request::{Exactness, Format};
use super::super::wrap::{chunks, flac, moov, ogg, xing};
use super::encode::Encode;

/// Where the packets come from that will be pushed.
#[derive(Clone, Copy)]
pub enum Packets<'a> {
    /// From this encoder; the source gives the length and what stands beside its packets.
    Encoded(&'a Encode, StreamOrigin<'a>),
    /// From this source, as they are.
    Copied {
        /// Their stream.
        origin: StreamOrigin<'a>,
        /// Samples that a decoder drops at the start.
        priming: u32,
        /// Their time base: one sample.
        sample_time: Rational,
    },
}

/// One muxer whose header is written.
pub struct Mux {
    output: Output,
    clock: PacketClock,
    ending: Ending,
}

/// A muxer before its header.
pub struct Prepared {
    output: Output,
    /// Bytes of ours before or among libav's.
    inserted: u64,
    ending: Ending,
}

/// What is left to do on the file once libav has let go of it.
enum Ending {
    /// Nothing.
    None,
    /// These bytes behind everything.
    Append(Vec<u8>),
    /// A chunk of this name with these bytes.
    Chunk([u8; 4], Vec<u8>),
    /// The index comes to the front, with this item list in it.
    Index(Vec<u8>),
    /// These comments come into the place kept for them.
    OggComments(Vec<(String, String)>),
    /// libav's comments go, behind so many bytes of ours.
    FlacComments(u64),
    /// The muxer's word on the encoder's delay goes, behind so many bytes of ours.
    ForgottenEncoder(u64),
}

/// How outputs name their maker.
const SOFTWARE: &str = concat!("audiomill ", env!("CARGO_PKG_VERSION"));

/// Makes the plan's muxer on `sink`. Nothing is written yet.
///
/// # Errors
/// What libav says.
pub fn prepare(
    plan: &Plan,
    sink: &Sink,
    metadata: &Metadata,
    watch: &Watch,
) -> Result<Prepared, Error> {
    let (insertion, ending) = around(plan, metadata)?;
    // No name is given: a name that looks like a path would be opened by some muxers.
    let inserted = insertion.bytes.len() as u64;
    let io = sink_io(sink, insertion, watch)?;
    let mut output = ffmpeg_next::format::output_to_stream(io, None, Some(plan.muxer))?;
    // Without it libav writes an APE tag of its own, with its name in it, before ours.
    let has_ape_tag = matches!(plan.format, Format::Wv | Format::Tta);
    if plan.exactness == Exactness::BitExact || has_ape_tag {
        output::set_bitexact(&mut output);
    }
    Ok(Prepared { output, inserted, ending })
}

/// What of the metadata goes around libav's bytes instead of through its muxer.
fn around(plan: &Plan, metadata: &Metadata) -> Result<(Insertion, Ending), Error> {
    if plan.exactness == Exactness::BitExact {
        return Ok((Insertion::default(), Ending::None));
    }
    let made = |bytes: Result<Vec<u8>, String>| {
        bytes.map_err(|error| {
            tracing::warn!(%error, "tags cannot be encoded");
            Error::InvalidData
        })
    };
    let nowhere = Insertion::default();
    Ok(match plan.format {
        Format::Mp3 | Format::Aac => {
            (Insertion { at: 0, bytes: made(id3::tag(metadata))? }, Ending::None)
        }
        Format::Flac => {
            let comments = comments::vorbis(metadata);
            let pictures: Vec<_> =
                metadata.pictures.iter().map(|picture| picture.to_flac_block()).collect();
            let bytes = flac::blocks(SOFTWARE, &comments, &pictures);
            let ending = Ending::FlacComments(bytes.len() as u64);
            (Insertion { at: flac::BEHIND_STREAMINFO, bytes }, ending)
        }
        Format::Opus | Format::Ogg => {
            let comments =
                [comments::vorbis(metadata), comments::picture_comments(metadata)].concat();
            (nowhere, Ending::OggComments(comments))
        }
        Format::Wav => (nowhere, Ending::Chunk(*b"id3 ", made(id3::tag(metadata))?)),
        Format::Aiff => (nowhere, Ending::Chunk(*b"ID3 ", made(id3::tag(metadata))?)),
        Format::Wv | Format::Tta => (nowhere, Ending::Append(made(ape::tag(metadata))?)),
        Format::M4a | Format::Alac | Format::M4b => {
            let media = if plan.format == Format::M4b {
                ilst::Media::Audiobook
            } else {
                ilst::Media::Music
            };
            (nowhere, Ending::Index(made(ilst::atom(metadata, media, Some(SOFTWARE)))?))
        }
        Format::Mka | Format::Webm | Format::Ac3 => (nowhere, Ending::None),
    })
}

impl Prepared {
    /// Whether the encoder must leave its headers to the container.
    #[must_use]
    pub fn wants_global_header(&self) -> bool {
        output::wants_global_header(&self.output)
    }

    /// Adds the stream of `packets` and writes the header.
    ///
    /// # Errors
    /// What libav says; the sink's own faults among them.
    pub fn start(
        self,
        plan: &Plan,
        packets: Packets<'_>,
        metadata: &Metadata,
    ) -> Result<Mux, Error> {
        let Self { mut output, inserted, mut ending } = self;
        let time_base = match packets {
            Packets::Encoded(encode, origin) => {
                let encoder = encode.encoder();
                output::add_encoded_stream(&mut output, encoder, &encoder_tag(plan), origin)?;
                output::hide_more(&mut output, encode.hidden());
                encode.time_base()
            }
            Packets::Copied { origin, priming, sample_time } => {
                output::add_copied_stream(&mut output, origin, priming, sample_time)?;
                if plan.format == Format::Mp3 && priming == 0 {
                    ending = Ending::ForgottenEncoder(inserted);
                }
                sample_time
            }
        };
        let mut options = Dictionary::new();
        if plan.exactness == Exactness::Ordinary {
            describe(&mut output, plan.format, metadata)?;
            if let Ending::OggComments(comments) = &ending
                && let Some(text) = ogg::kept_place(comments)
            {
                output::set_tag(&mut output, ogg::KEPT, &text);
            }
            match plan.format {
                // Ours stands in front of it.
                Format::Mp3 => options.set("id3v2_version", "0"),
                // The edit list cuts to the sample.
                Format::M4a | Format::M4b | Format::Alac => {
                    options.set("movie_timescale", &time_base.denominator().to_string());
                }
                // Beyond 4 GiB a RIFF header cannot count.
                Format::Wav => options.set("rf64", "auto"),
                Format::Opus
                | Format::Ogg
                | Format::Flac
                | Format::Aiff
                | Format::Aac
                | Format::Wv
                | Format::Tta
                | Format::Ac3
                | Format::Mka
                | Format::Webm => {}
            }
        }
        drop(output.write_header_with(options)?);
        Ok(Mux { output, clock: PacketClock::new(time_base), ending })
    }
}

fn encoder_tag(plan: &Plan) -> String {
    match plan.exactness {
        Exactness::BitExact => format!("Lavc {}", plan.encoder),
        Exactness::Ordinary => {
            let (major, minor, micro) = super::super::ffi::version::codec_library();
            format!("Lavc{major}.{minor}.{micro} {}", plan.encoder)
        }
    }
}

/// What libav's muxer itself says of the sound.
fn describe(output: &mut Output, format: Format, metadata: &Metadata) -> Result<(), Error> {
    let list = match format {
        Format::Wav | Format::Mka | Format::Webm => comments::generic(metadata),
        Format::Mp3
        | Format::Aac
        | Format::Opus
        | Format::Ogg
        | Format::Flac
        | Format::M4a
        | Format::M4b
        | Format::Alac
        | Format::Aiff
        | Format::Wv
        | Format::Tta
        | Format::Ac3 => Vec::new(),
    };
    for (name, text) in &list {
        output::set_tag(output, name, text);
    }
    if matches!(format, Format::M4a | Format::M4b | Format::Alac | Format::Mka | Format::Webm) {
        #[expect(clippy::cast_possible_truncation, reason = "`as` clamps")]
        let milliseconds = |seconds: f64| (seconds * 1000.0).round() as i64;
        let chapters = metadata.chapters.iter().map(|chapter| {
            let times = [chapter.start_seconds, chapter.end_seconds].map(milliseconds);
            (times[0], times[1], chapter.title.as_str())
        });
        output::add_chapters(output, chapters)?;
    }
    if format == Format::Mka {
        let mut names = Vec::new();
        for (place, picture) in metadata.pictures.iter().enumerate() {
            let mut name = picture.file_name();
            if names.contains(&name) {
                name = format!("{place}-{name}");
            }
            output::attach(output, &name, &picture.mime_type, &picture.bytes)?;
            names.push(name);
        }
    }
    Ok(())
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
    pub fn finish(self, sink: &Sink, watch: &Watch) -> Result<(), Error> {
        let Self { mut output, ending, .. } = self;
        output.write_trailer()?;
        // libav's last bytes leave its buffer here.
        drop(output);
        let finished = sink.with(watch, |place| match &ending {
            Ending::None => Ok(()),
            Ending::Append(bytes) if bytes.is_empty() => Ok(()),
            Ending::Append(bytes) => chunks::append(place, bytes),
            Ending::Chunk(_, bytes) if bytes.is_empty() => Ok(()),
            Ending::Chunk(name, bytes) => chunks::append_chunk(place, name, bytes),
            Ending::Index(item_list) => moov::bring_forward(place, item_list),
            Ending::OggComments(comments) if comments.is_empty() => Ok(()),
            Ending::OggComments(comments) => ogg::write_comments(place, comments),
            Ending::ForgottenEncoder(inserted) => xing::forget_encoder(place, *inserted),
            Ending::FlacComments(inserted) => flac::forget_comments(place, *inserted),
        });
        finished.map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            Error::Other { errno }
        })
    }
}
