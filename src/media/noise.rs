//! Noise to signal, frame by frame, over the bands of hearing.
//!
//! Owns: the measure. Never: what is done about it.
//! Used by: `splice`, `quality`.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Samples of a frame.
const WINDOW: usize = 2048;
/// Samples per channel from one frame to the next.
pub const HOP: usize = WINDOW / 2;
/// Upper edges of the critical bands in Hz (Zwicker, 1961), and of what is above them.
const BARK_HZ: [f32; 25] = [
    100.0, 200.0, 300.0, 400.0, 510.0, 630.0, 770.0, 920.0, 1080.0, 1270.0, 1480.0, 1720.0, 2000.0,
    2320.0, 2700.0, 3150.0, 3700.0, 4400.0, 5300.0, 6400.0, 7700.0, 9500.0, 12000.0, 15500.0,
    24000.0,
];
/// Energy per line below which nobody hears anything: 96 dB below a full-scale sine.
const SILENCE: f64 = 2.5e-10;

/// Measures two results beside one source.
pub struct Noise {
    channels: usize,
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// The first line behind each band.
    edges: Vec<usize>,
    /// The hop before: source and results, interleaved.
    before: Option<[Vec<f32>; 3]>,
}

impl Noise {
    /// For sound of this rate in Hz.
    #[must_use]
    pub fn new(sample_rate: u32, channels: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (step, rate) = (std::f32::consts::TAU / WINDOW as f32, sample_rate as f32);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let window = (0..WINDOW).map(|at| 0.5 - 0.5 * (at as f32 * step).cos()).collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "lines of a spectrum"
        )]
        let edge = |hz: f32| ((hz / rate * WINDOW as f32) as usize).min(WINDOW / 2 + 1);
        Self {
            channels,
            transform: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window,
            edges: BARK_HZ.into_iter().map(edge).collect(),
            before: None,
        }
    }

    /// Forgets the hop before.
    pub fn begin(&mut self) {
        self.before = None;
    }

    /// Channels of the sound.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Mean over the bands of noise to signal in dB, of both results, in the frame of this hop and
    /// the one before; `None` for the very first.
    pub fn of(&mut self, hops: &[Vec<f32>; 3]) -> Option<[f64; 2]> {
        let before = self.before.replace(hops.clone())?;
        let mut energies = [const { Vec::new() }; 3];
        for (part, energies) in energies.iter_mut().enumerate() {
            *energies = vec![0.0; self.edges.len()];
            for channel in 0..self.channels {
                self.add_energies(&before, hops, part, channel, energies);
            }
        }
        let [signal, many, one] = energies;
        let mut lines = 0;
        let floors: Vec<f64> = self
            .edges
            .iter()
            .map(|&edge| {
                #[expect(clippy::cast_precision_loss, reason = "lines of a spectrum")]
                let floor = SILENCE * (edge - lines) as f64;
                lines = edge;
                floor
            })
            .collect();
        let mean = |noise: &[f64]| {
            let bands = noise.iter().zip(&signal).zip(&floors);
            let bands = bands.filter(|(_, floor)| **floor > 0.0);
            let db = bands.clone().map(|((noise, signal), floor)| {
                10.0 * ((noise + floor) / (signal + floor)).log10()
            });
            #[expect(clippy::cast_precision_loss, reason = "some 25 bands")]
            let mean = db.sum::<f64>() / bands.count().max(1) as f64;
            mean
        };
        Some([mean(&many), mean(&one)])
    }

    /// Energy in each band: of the source (part 0), or of what a result differs from it by.
    fn add_energies(
        &self,
        before: &[Vec<f32>; 3],
        hops: &[Vec<f32>; 3],
        part: usize,
        channel: usize,
        energies: &mut [f64],
    ) {
        let sample = |sound: &[Vec<f32>; 3], at: usize| {
            let at = at * self.channels + channel;
            if part == 0 { sound[0][at] } else { sound[part][at] - sound[0][at] }
        };
        let mut frame: Vec<f32> = (0..HOP)
            .map(|at| sample(before, at))
            .chain((0..HOP).map(|at| sample(hops, at)))
            .zip(&self.window)
            .map(|(sample, weight)| sample * weight)
            .collect();
        let mut lines = vec![Complex::default(); WINDOW / 2 + 1];
        // Only wrong lengths are refused.
        if self.transform.process(&mut frame, &mut lines).is_err() {
            return;
        }
        let mut first = 0;
        for (&edge, energy) in self.edges.iter().zip(energies) {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let scale = (16.0 / (WINDOW * WINDOW) as f32) as f64;
            *energy +=
                lines[first..edge].iter().map(|line| f64::from(line.norm_sqr())).sum::<f64>()
                    * scale;
            first = edge;
        }
    }
}
