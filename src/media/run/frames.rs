//! Source to frames that an encoder takes: the part that every driver shares.

use std::collections::VecDeque;

use ffmpeg_next::{Error, Rational, Rescale, frame};

use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::graph::shorten;
use super::super::ffi::samples;
use super::super::io::Watch;
use super::super::plan::{Lead, Plan};
use super::super::request::Exactness;
use super::super::stage::demux::Demux;
use super::super::stage::failed;
use super::super::stage::filter::{Filter, Start};
use super::part::Part;
use super::reader::{Read, Reader};

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
    /// Timestamp of the recording's first frame.
    origin: i64,
    /// Whether the source's clock and the count of samples have always said the same.
    is_steady: bool,
    /// Where frames stand that were read a short while ago: timestamps and bytes.
    places: VecDeque<(i64, u64)>,
    /// Whether frames are shown to who draws the sound.
    is_shown: bool,
    is_closed: bool,
}

/// What has come out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Samples per channel that are heard.
    pub samples: u64,
    /// Samples, over all channels, that were no numbers or far beyond full scale: a lossy encoder
    /// gets something else in their place.
    pub tamed: u64,
    /// What was read of the source for it.
    pub read: Read,
    /// Errors that the decoder has logged, where it works on another thread than the conversion's own.
    pub complaints: usize,
}

/// Frames whose places are remembered: more than what comes out in between is made of.
const PLACES: usize = 1024;
/// Seconds in which a decoder forgets that it did not start at the recording's start.
const FORGOTTEN_SECONDS: f64 = 2.0;

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
        let origin = decoded.pts().unwrap_or(0);
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
            origin,
            is_steady: true,
            places: VecDeque::new(),
            is_shown: true,
            is_closed: false,
        };
        frames.push()?;
        Ok(frames)
    }

    /// Reads up to where a part starts; `None` when the source does not lead there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_part(
        plan: &'a Plan,
        watch: &'a Watch,
        mut reader: Reader<'a>,
        part: &Part,
    ) -> Result<Option<Self>, Failure> {
        let (from, dropped) = part.before();
        #[expect(clippy::cast_precision_loss, reason = "a place to look for")]
        let seconds = from as f64 / f64::from(part.rates.0.max(1)) - FORGOTTEN_SECONDS;
        let mut decoded = frame::Audio::empty();
        if reader.seek(seconds.max(0.0)).is_err() || !reader.next(&mut decoded)? {
            return Ok(None);
        }
        let first = decoded.pts().and_then(|pts| u64::try_from(pts.checked_sub(part.origin)?).ok());
        let Some(first) = first.filter(|&first| first <= from && decoded.rate() == part.rates.0)
        else {
            return Ok(None);
        };
        let start = Start { first, from, dropped };
        let Ok(mut filter) = Filter::build_part(&decoded, plan, start) else { return Ok(None) };
        let Some(filter_time_base) = filter.output_time_base() else { return Ok(None) };
        let mut frames = Self {
            plan,
            watch,
            reader,
            limit: filter.limit(part.rates.1),
            filter,
            decoded,
            sample_rate: part.rates.1,
            filter_time_base,
            lead: Lead::default(),
            heard_until: None,
            samples: part.border,
            position: i64::try_from(part.border).unwrap_or(i64::MAX),
            tamed: 0,
            origin: part.origin,
            is_steady: true,
            places: VecDeque::new(),
            is_shown: false,
            is_closed: false,
        };
        while frames.filter.samples_in() + frames.decoded.samples() as u64 <= from {
            frames.push()?;
            if !frames.reader.next(&mut frames.decoded)? {
                return Ok(None);
            }
        }
        let end = frames.filter.samples_in() + frames.decoded.samples() as u64;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 samples")]
        frames.reader.pardon(end as f64 / f64::from(part.rates.0.max(1)));
        frames.places.clear();
        frames.push()?;
        Ok(Some(frames))
    }

    /// Leaves it to the caller to show the frames to who draws the sound.
    pub fn hide(&mut self) {
        self.is_shown = false;
    }

    /// What has read the source.
    #[must_use]
    pub fn into_demux(self) -> Demux {
        self.reader.into_demux()
    }

    /// What has come out.
    #[must_use]
    pub fn summary(&self) -> Heard {
        Heard { samples: self.heard(), tamed: self.tamed, read: self.reader.read(), complaints: 0 }
    }

    /// Where the next frame starts, in samples of what comes out.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Rate of the source's first frame, in Hz.
    #[must_use]
    pub fn source_rate(&self) -> u32 {
        self.filter.source_rate()
    }

    /// Timestamp of the recording's first frame, in samples of the source.
    #[must_use]
    pub fn origin(&self) -> i64 {
        self.origin
    }

    /// Whether all went as if the source were whole and of one piece: its clock agrees with the count of
    /// its samples, every packet could be decoded, nothing had to be changed for the encoder.
    #[must_use]
    pub fn is_regular(&self) -> bool {
        let read = self.reader.read();
        let is_whole = read.damaged_packets == 0 && !read.broken_off;
        is_whole && self.is_steady && self.tamed == 0 && !self.filter.is_adapted()
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
    fn heard(&self) -> u64 {
        let lead_in = self.lead.encoded.map_or(0, |_| self.lead.before);
        let heard = self.samples.saturating_sub(lead_in);
        self.heard_until.map_or(heard, |end| heard.min(end))
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
        if !self.is_shown {
            return Ok(());
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
        let lead_in = self.lead.encoded.map_or(0, |_| self.lead.before);
        let before = self.samples - frame.samples() as u64 + heard.0 as u64;
        self.watch.progress.heard(frame, heard, before.saturating_sub(lead_in));
        Ok(())
    }

    /// Where in the file the first frame stands that was read: its timestamp, and the byte.
    #[must_use]
    pub fn mark(&self) -> Option<(i64, u64)> {
        self.places.front().copied()
    }

    /// At which byte a frame stands that was read a short while ago.
    #[must_use]
    pub fn stands(&self, timestamp: i64) -> Option<u64> {
        let place = self.places.iter().rev().find(|place| place.0 == timestamp);
        place.map(|place| place.1)
    }

    fn push(&mut self) -> Result<(), Failure> {
        if let Some(place) = self.decoded.pts().zip(self.reader.byte()) {
            if self.places.len() == PLACES {
                self.places.pop_front();
            }
            self.places.push_back(place);
        }
        let pts =
            self.decoded.pts().and_then(|pts| u64::try_from(pts.checked_sub(self.origin)?).ok());
        self.is_steady &= pts == Some(self.filter.samples_in());
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
