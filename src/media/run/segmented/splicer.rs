//! Joins what the lanes give, and writes it.

use ffmpeg_next::Packet;

use super::super::super::failure::{Failure, FailureCode, Stage};
use super::super::super::ffi::log::CaptureGuard;
use super::super::super::io::Watch;
use super::super::super::splice::{Finder, Misfit, Overlap, Splice, Verdict};
use super::super::super::stage::failed;
use super::super::super::stage::mux::Mux;
use super::board::{Board, Coded, Next, Pair};
use super::caught;

/// Joins what the lanes give.
pub struct Splicer<'a, T> {
    pub watch: &'a Watch,
    pub board: &'a Board<T>,
    pub splice: Splice,
    pub mux: Mux,
    /// Where in the source the sound starts.
    pub start_seconds: f64,
    pub sample_rate: u32,
    pub joined: Joined,
}

/// What was joined.
#[derive(Default)]
pub struct Joined {
    /// Bytes of the packets.
    pub bytes: u64,
    /// Samples per channel in them.
    pub samples: u64,
    /// Where pieces meet, in samples.
    pub seams: Vec<u64>,
    /// Whether there was a place where they might have met.
    pub has_tried: bool,
    /// Whether the last one is among them.
    pub is_whole: bool,
    /// Set when they do not fit together.
    pub misfit: Option<Misfit>,
}

impl<T> Splicer<'_, T> {
    /// Works until the last packet is written, or until all is to stop.
    pub fn carry_out(mut self) -> Self {
        let log = CaptureGuard::start();
        let joined =
            caught(Stage::Writing, || match std::mem::replace(&mut self.splice, Splice::Plain) {
                Splice::Overlapping(mut finder) => self.join_overlapping(&mut finder),
                passing => {
                    self.splice = passing;
                    self.join()
                }
            });
        if let Err(mut failure) = joined {
            failure.detail = log.lines().iter().map(ToString::to_string).collect();
            self.board.fail(failure);
        }
        self
    }

    /// Every packet of every lane.
    fn join(&mut self) -> Result<(), Failure> {
        let mut lane = 0;
        loop {
            let packets = match self.board.coded(lane) {
                Coded::Stop => return Ok(()),
                Coded::End => {
                    self.joined.is_whole = true;
                    return Ok(());
                }
                Coded::NextLane(next) => {
                    lane = next;
                    self.joined.seams.push(self.joined.samples);
                    continue;
                }
                Coded::Packets(packets) => packets,
            };
            for packet in packets {
                match self.splice.pass(packet) {
                    Ok(Some(packet)) => self.write(packet)?,
                    Ok(None) => {}
                    Err(misfit) => {
                        self.joined.misfit = Some(misfit);
                        let stop = Failure::new(FailureCode::Internal, Stage::Encoding, misfit.0);
                        return Err(stop);
                    }
                }
            }
        }
    }

    /// Packets of a lane up to a seam, then those of the next. Where there is no seam the lane goes
    /// on and the next one was for nothing.
    fn join_overlapping(&mut self, finder: &mut Finder) -> Result<(), Failure> {
        let mut lane = 0;
        let mut next_lane = 0;
        let mut overlap = Overlap::default();
        loop {
            let Pair::News(news) = self.board.pair(lane) else { return Ok(()) };
            overlap.before.extend(news.packets);
            let Some(next) = news.next else {
                for packet in overlap.before.drain(..) {
                    self.write(packet)?;
                }
                if news.is_done {
                    self.joined.is_whole = true;
                    return Ok(());
                }
                continue;
            };
            if next.lane != next_lane {
                next_lane = next.lane;
                finder.begin();
                self.joined.has_tried = true;
            }
            let Next { border, packets, sound, .. } = next;
            overlap.after.extend(packets);
            overlap.sound.extend(sound);
            self.write_until(border, &mut overlap.before)?;
            match finder.find(&mut overlap) {
                Verdict::Seam(kept, dropped) if self.board.hand_over(lane, next_lane) => {
                    for packet in overlap.before.drain(..).take(kept) {
                        self.write(packet)?;
                    }
                    overlap.before = overlap.after.split_off(dropped);
                    (overlap.after, overlap.sound) = Default::default();
                    let seam = overlap.before.first().and_then(Packet::pts).unwrap_or(0);
                    self.joined.seams.push(u64::try_from(seam).unwrap_or(0));
                    lane = next_lane;
                }
                Verdict::Wait if !news.is_done => {}
                // The sound ends with this lane, there is no seam, or nobody to go on behind it.
                Verdict::Wait | Verdict::Never | Verdict::Seam(..) => {
                    self.board.drop_lane(next_lane);
                    (overlap.after, overlap.sound) = Default::default();
                }
            }
        }
    }

    /// Writes the packets that start before `border`.
    fn write_until(&mut self, border: i64, packets: &mut Vec<Packet>) -> Result<(), Failure> {
        let is_before = |packet: &Packet| packet.pts().is_none_or(|pts| pts < border);
        let count = packets.partition_point(is_before);
        packets.drain(..count).try_for_each(|packet| self.write(packet))
    }

    fn write(&mut self, packet: Packet) -> Result<(), Failure> {
        self.watch.progress.encoded();
        self.joined.bytes += packet.size() as u64;
        self.joined.samples += u64::try_from(packet.duration()).unwrap_or(0);
        self.mux.push(packet).map_err(|error| {
            let message = format!("The output cannot be made: {error}.");
            let otherwise = Failure::new(FailureCode::Internal, Stage::Writing, message);
            failed(error, otherwise, self.watch)
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a position for people")]
        let seconds = self.joined.samples as f64 / f64::from(self.sample_rate.max(1));
        self.watch.progress.written(self.start_seconds + seconds);
        Ok(())
    }
}
