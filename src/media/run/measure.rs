//! One pass over the sound that only measures its loudness.

use ffmpeg_next::frame;

use super::super::failure::{Failure, FailureCode, Stage};
use super::super::io::Watch;
use super::super::limits::Limits;
use super::super::loudness::Measured;
use super::super::plan::Plan;
use super::super::stage::demux::Demux;
use super::super::stage::failed;
use super::super::stage::filter::Meter;
use super::reader::Reader;

/// Measures what the plan's conversion will encode: the range, mixed and resampled as planned.
/// Blocks until done; cancel is seen at every packet.
///
/// # Errors
/// As the conversion itself would fail.
pub fn run(plan: &Plan, limits: &Limits, watch: &Watch, demux: Demux) -> Result<Measured, Failure> {
    let cannot = |error| {
        let message = format!("The loudness cannot be measured: {error}.");
        failed(error, Failure::new(FailureCode::Internal, Stage::Decoding, message), watch)
    };
    let mut reader = Reader::open(plan, limits, watch, demux)?;
    let mut meter: Option<Meter> = None;
    let mut decoded = frame::Audio::empty();
    while reader.next(&mut decoded)? {
        let meter = match &mut meter {
            Some(meter) => meter,
            empty => empty.insert(Meter::build(&decoded, plan).map_err(cannot)?),
        };
        meter.push(&mut decoded).map_err(cannot)?;
    }
    let Some(meter) = meter else { return Err(reader.nothing_came_out()) };
    meter.finish().map_err(cannot)
}
