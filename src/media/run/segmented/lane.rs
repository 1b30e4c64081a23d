//! One encoder's work.

use ffmpeg_next::Error;

use super::super::super::cores::Core;
use super::super::super::failure::{Failure, Stage};
use super::super::super::ffi::log::CaptureGuard;
use super::super::super::ffi::md5;
use super::super::super::plan::Lead;
use super::super::super::splice::Misfit;
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
        let complaints = || log.error_count(self.plan.encoder);
        let mut pardoned = complaints();
        let Tools { core, encode, frames } = tools;
        let encoded = caught(Stage::Encoding, || {
            let mut frames = match (self.apart, frames) {
                (Some(apart), None) => {
                    let found = apart.open(board.border(number), kept.demux.take())?;
                    let Some(frames) = found else {
                        board.misfit(Misfit("the recording does not lead to where a part starts"));
                        return Ok(());
                    };
                    // A decoder that starts in the middle may miss what came before.
                    pardoned = complaints();
                    Some(frames)
                }
                (_, frames) => frames,
            };
            let encode = encode.or_else(|| kept.encode.take());
            kept.encode = self.encode(board, number, (encode, &mut frames), common)?;
            kept.demux = frames.map(Frames::into_demux);
            if self.apart.is_some() && complaints() > pardoned {
                board.misfit(Misfit("the decoder complains"));
            }
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
        (encode, frames): (Option<Encode>, &mut Option<Frames<'a>>),
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
            let work = match (self.apart, &mut *frames) {
                (Some(apart), Some(frames)) => apart.next(board, number, frames)?,
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
