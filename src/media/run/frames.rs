//! Source to frames that an encoder takes: the part that every driver shares.

use ffmpeg_next::{Error, frame};

use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::graph::shorten;
use super::super::io::Watch;
use super::super::plan::Plan;
use super::super::request::Exactness;
use super::super::stage::failed;
use super::super::stage::filter::Filter;
use super::reader::Reader;

/// The sound to be encoded, frame by frame.
pub struct Frames<'a> {
    plan: &'a Plan,
    watch: &'a Watch,
    reader: Reader<'a>,
    filter: Filter,
    decoded: frame::Audio,
    /// Rate of the frames that come out, in Hz.
    sample_rate: u32,
    /// How many samples come out at the most, as far as that is known.
    limit: Option<u64>,
    samples: u64,
    is_closed: bool,
}

impl<'a> Frames<'a> {
    /// Reads up to the first frame, which tells what the sound is like.
    ///
    /// # Errors
    /// As [`Reader::next`]; nothing that can be decoded; `option_unsupported` when the sound cannot
    /// be brought into the planned shape.
    pub fn open(plan: &'a Plan, watch: &'a Watch, mut reader: Reader<'a>) -> Result<Self, Failure> {
        let mut decoded = frame::Audio::empty();
        if !reader.next(&mut decoded)? {
            return Err(reader.nothing_came_out());
        }
        let cannot = |error: Error| {
            let message = format!("The resampler cannot be opened for this sound: {error}.");
            let otherwise = Failure::new(FailureCode::OptionUnsupported, Stage::Encoding, message);
            failed(error, otherwise, watch)
        };
        let mut filter = Filter::build(&decoded, plan).map_err(cannot)?;
        let sample_rate = filter
            .output_shape()
            .map(|shape| shape.sample_rate())
            .ok_or_else(|| cannot(Error::FilterNotFound))?;
        let is_exact = plan.exactness == Exactness::BitExact;
        let limit = filter.limit(sample_rate).filter(|_| !is_exact);
        let mut frames = Self {
            plan,
            watch,
            reader,
            filter,
            decoded,
            sample_rate,
            limit,
            samples: 0,
            is_closed: false,
        };
        frames.push()?;
        Ok(frames)
    }

    /// What makes frames of what is decoded.
    pub fn filter(&mut self) -> &mut Filter {
        &mut self.filter
    }

    /// What reads and decodes.
    #[must_use]
    pub fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    /// The next frame into `frame`; `Ok(false)` at the end.
    ///
    /// # Errors
    /// As [`Reader::next`]; a resampler that fails.
    pub fn next(&mut self, frame: &mut frame::Audio) -> Result<bool, Failure> {
        loop {
            if self.filter.pull(frame).map_err(|error| self.cannot_go_on(error))? {
                if let Some(limit) = self.limit {
                    let room = limit.saturating_sub(self.samples);
                    if room == 0 {
                        continue;
                    }
                    shorten(frame, room);
                }
                self.samples += frame.samples() as u64;
                return Ok(true);
            }
            if self.is_closed {
                return Ok(false);
            }
            if self.reader.next(&mut self.decoded)? {
                self.push()?;
            } else {
                self.close()?;
            }
        }
    }

    fn push(&mut self) -> Result<(), Failure> {
        self.filter.push(&mut self.decoded).map_err(|error| self.cannot_go_on(error))
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.filter.close().map_err(|error| self.cannot_go_on(error))?;
        self.is_closed = true;
        if self.plan.exactness == Exactness::Ordinary {
            self.limit = self.filter.final_limit(self.sample_rate);
        }
        Ok(())
    }

    fn cannot_go_on(&self, error: Error) -> Failure {
        let message = format!("Resampling failed: {error}.");
        failed(error, Failure::new(FailureCode::Internal, Stage::Encoding, message), self.watch)
    }
}
