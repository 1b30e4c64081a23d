//! One encoder's work.

use ffmpeg_next::Error;

use super::super::super::cores::Core;
use super::super::super::failure::{Failure, Stage};
use super::super::super::ffi::log::CaptureGuard;
use super::super::super::ffi::md5;
use super::super::super::plan::Lead;
use super::super::super::stage::demux::Demux;
use super::super::super::stage::encode::Encode;
use super::super::super::stage::stopped;
use super::super::frames::Frames;
use super::super::serial::cannot_encode;
use super::board::{Board, Work};
use super::{Segmented, caught};

/// What a lane works with.
pub struct Tools<'a> {
    /// Goes back when the lane is done.
    pub core: Option<Core>,
    /// The encoder that the muxer knows, for the first lane.
    pub encode: Option<Encode>,
    /// What the first lane reads, where lanes read for themselves.
    pub frames: Option<Frames<'a>>,
}

/// What a thread takes from one lane to the next.
#[derive(Default)]
pub struct Kept {
    encode: Option<Encode>,
    /// Some demuxers look for a place from where they stand, not from anywhere.
    demux: Option<Demux>,
}

impl Tools<'_> {
    /// For a lane that opens what it needs.
    pub fn of(core: Core) -> Self {
        Self { core: Some(core), encode: None, frames: None }
    }
}

/// What a lane reads for itself, and what was logged of it.
struct Source<'s, 'a> {
    frames: &'s mut Frames<'a>,
    /// Errors so far.
    logged: &'s dyn Fn() -> usize,
    /// How many of them do not count.
    pardoned: usize,
}

/// What all lanes have in common.
pub struct Common {
    /// How many samples of the range there are, where more come behind them.
    pub heard_until: Option<u64>,
    /// Whether an encoder can go on with another lane.
    pub keeps_encoder: bool,
    /// Whether all the sound is summed beside the encoders, whose own sums nobody reads.
    pub is_summed: bool,
}

impl<'a> Segmented<'a> {
    /// One lane's work.
    pub(super) fn lane(
        &self,
        board: &Board<Tools<'a>>,
        number: usize,
        tools: Tools<'a>,
        (common, kept): (&Common, &mut Kept),
    ) {
        let log = CaptureGuard::start();
        let _at_work = self.watch.progress.lane();
        let _spared = common.is_summed.then(md5::spare);
        let logged = || log.error_count(self.plan.component_besides_source());
        let mut pardoned = 0;
        let Tools { core, encode, frames } = tools;
        let encoded = caught(Stage::Encoding, || {
            let mut frames = match (self.apart, frames) {
                (Some(apart), None) => {
                    let opened = apart.open(board, number, kept.demux.take());
                    let is_over =
                        self.watch.cancel.is_stopped() || self.watch.source_fault.get().is_some();
                    // What fails in the middle may not fail where it comes by itself.
                    let opened = if is_over { opened? } else { opened.unwrap_or_default() };
                    let Some(frames) = opened else {
                        apart.given_up(board, number);
                        return Ok(());
                    };
                    // A decoder that starts in the middle may miss what came before.
                    pardoned = logged();
                    Some(frames)
                }
                (_, frames) => frames,
            };
            let encode = encode.or_else(|| kept.encode.take());
            let source = frames.as_mut().map(|frames| Source { frames, logged: &logged, pardoned });
            kept.encode = self.encode(board, number, (encode, source), common)?;
            kept.demux = frames.map(Frames::into_demux);
            Ok(())
        });
        if let Err(mut failure) = encoded {
            failure.detail = log.lines().iter().map(ToString::to_string).collect();
            board.fail(failure);
        }
        drop(core);
    }

    /// Gives back an encoder that can go on with another lane.
    fn encode(
        &self,
        board: &Board<Tools<'a>>,
        number: usize,
        (encode, mut source): (Option<Encode>, Option<Source<'_, 'a>>),
        common: &Common,
    ) -> Result<Option<Encode>, Failure> {
        let cannot = |error: Error| cannot_encode(self.plan, error, self.watch);
        let mut encode = match encode {
            Some(encode) => encode,
            None => {
                let mut encode = Encode::open(self.plan, self.feed).map_err(cannot)?;
                encode.heed(Lead::default(), common.heard_until);
                encode
            }
        };
        loop {
            let work = match (self.apart, &mut source) {
                (Some(apart), Some(Source { frames, logged, pardoned })) => {
                    apart.next(board, number, frames, &|| logged() - *pardoned)?
                }
                _ => board.work(number),
            };
            let batch = match work {
                Work::Stop => return Ok(None),
                Work::Encode(batch) => Some(batch),
                Work::Finish { is_last: false } if common.keeps_encoder => {
                    board.give(number, Vec::new(), true);
                    return Ok(Some(encode));
                }
                Work::Finish { .. } => None,
            };
            let mut packets = Vec::new();
            for frame in batch.iter().flat_map(|batch| batch.iter()) {
                if let Some(reason) = self.watch.cancel.reason() {
                    return Err(stopped(reason, Stage::Encoding));
                }
                encode.push(frame).map_err(cannot)?;
                while let Some(packet) = encode.pull().map_err(cannot)? {
                    packets.push(packet);
                }
            }
            if batch.is_none() {
                encode.close().map_err(cannot)?;
                while let Some(packet) = encode.pull().map_err(cannot)? {
                    packets.push(packet);
                }
            }
            board.give(number, packets, batch.is_none());
            if batch.is_none() {
                return Ok(None);
            }
        }
    }
}
