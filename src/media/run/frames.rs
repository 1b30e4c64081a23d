//! Source to frames that an encoder takes: the part that every driver shares.

use ffmpeg_next::{Error, Rational, Rescale, frame};

use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::graph::shorten;
use super::super::ffi::samples;
use super::super::io::Watch;
use super::super::plan::{Lead, Plan};
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
    filter_time_base: Rational,
    /// How many samples come out at the most, as far as that is known.
    limit: Option<u64>,
    /// What comes out with the range, for the encoder alone.
    lead: Lead,
    /// How many samples of the range there are, where more come behind them.
    heard_until: Option<u64>,
    /// Samples that have come out.
    samples: u64,
    /// Where the next frame starts: at 0 the range does.
    position: i64,
    /// Samples, over all channels, that were no numbers or far beyond full scale.
    tamed: u64,
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
        let filter_time_base =
            filter.output_time_base().ok_or_else(|| cannot(Error::FilterNotFound))?;
        let (limit, lead, heard_until) = match plan.exactness {
            Exactness::Ordinary => {
                (filter.limit(sample_rate), filter.lead(), filter.heard_until(sample_rate))
            }
            Exactness::BitExact => Default::default(),
        };
        let lead_in = lead.encoded.map_or(0, |_| lead.before);
        let mut frames = Self {
            plan,
            watch,
            reader,
            filter,
            decoded,
            sample_rate,
            filter_time_base,
            limit,
            lead,
            heard_until,
            samples: 0,
            position: -i64::try_from(lead_in).unwrap_or(0),
            tamed: 0,
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

    /// What comes out with the range, for the encoder alone.
    #[must_use]
    pub fn lead(&self) -> Lead {
        self.lead
    }

    /// How many samples of the range there are if the source is as long as that, where more come out
    /// behind them.
    #[must_use]
    pub fn heard_until(&self) -> Option<u64> {
        self.heard_until
    }

    /// Samples per channel that have come out and are heard.
    #[must_use]
    pub fn heard(&self) -> u64 {
        let lead_in = self.lead.encoded.map_or(0, |_| self.lead.before);
        let heard = self.samples.saturating_sub(lead_in);
        self.heard_until.map_or(heard, |end| heard.min(end))
    }

    /// Samples, over all channels, that were no numbers or far beyond full scale: a lossy encoder
    /// gets something else in their place.
    #[must_use]
    pub fn tamed(&self) -> u64 {
        self.tamed
    }

    /// The next frame into `frame`, timed in samples; `Ok(false)` at the end.
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
                self.finish(frame)?;
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

    /// Times a frame, tames it and shows it to who draws the sound.
    fn finish(&mut self, frame: &mut frame::Audio) -> Result<(), Failure> {
        // A source's clock may jump or start late; what is heard does not.
        let sample_time = Rational(1, i32::try_from(self.sample_rate.max(1)).unwrap_or(1));
        let pts = frame.pts().filter(|_| self.plan.exactness == Exactness::BitExact);
        let pts = pts.map_or(self.position, |pts| pts.rescale(self.filter_time_base, sample_time));
        frame.set_pts(Some(pts));
        self.position = pts.saturating_add(i64::try_from(frame.samples()).unwrap_or(0));
        self.samples += frame.samples() as u64;
        if !self.plan.is_lossless() {
            self.tamed += samples::tame(frame).map_err(|error| self.cannot_go_on(error))?;
        }
        let at = |place: i64| {
            let place = usize::try_from(place.saturating_sub(pts)).unwrap_or(0);
            place.min(frame.samples())
        };
        let end = self.heard_until.map_or(i64::MAX, |end| i64::try_from(end).unwrap_or(i64::MAX));
        let heard = match self.plan.exactness {
            Exactness::Ordinary => (at(0), at(end)),
            Exactness::BitExact => (0, frame.samples()),
        };
        self.watch.progress.heard(frame, heard);
        Ok(())
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
