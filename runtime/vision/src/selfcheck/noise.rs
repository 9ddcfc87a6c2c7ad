//! Random noise like the camera's on a crop: draws, and the SNR at which they change one prediction of
//! ten.
//!
//! The draws are the crop as a noisier camera would deliver it: noise on the gray levels, then
//! standardised again. How noisy the camera is comes from [`super::camera_snr`].

use super::Missing;
use crate::{classify::StandardisedCrop, snr::epsilon_of_db};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The standard normal distribution, drawn by the method of Box and Muller (1958).
#[derive(Clone, Copy, Debug)]
pub struct Normal;

impl Normal {
    /// Draws one number.
    pub fn draw(self, rng: &mut impl Rng) -> f64 {
        // 1 - u is above 0, where the logarithm ends.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    }
}

/// Largest correlation of neighbours that three taps can make sensibly; averaged noise of webcams
/// stays below.
const MOST_CORRELATED: f64 = 0.6;

/// Shape of the camera's noise on a crop, whatever its size: correlation of neighbours, and sigma of each
/// pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseShape {
    /// Outer tap of the separable filter `[tap, 1, tap]` that makes neighbours of white noise as
    /// correlated as the camera's.
    tap: f64,
    /// Sigma of each pixel over the root mean square of all, row by row.
    relative: Vec<f64>,
}

impl NoiseShape {
    /// Creates noise that is independent from pixel to pixel and of the same size everywhere, for crops of `side`
    /// rows and columns.
    pub fn white(side: usize) -> Self {
        Self {
            tap: 0.0,
            relative: vec![1.0; side * side],
        }
    }

    /// Creates noise with the given correlation of neighbouring pixels, 0 to 1 (held at 0.6), and a variance for
    /// each pixel of a crop, row by row, of which only the proportions matter.
    pub fn new(neighbours: f64, variances: impl Iterator<Item = f64>) -> Self {
        let rho = neighbours.clamp(0.0, MOST_CORRELATED);
        // The filter's correlation is 2 tap / (1 + 2 tap^2); the smaller root.
        let tap = if rho > 0.0 {
            (1.0 - (1.0 - 2.0 * rho * rho).max(0.0).sqrt()) / (2.0 * rho)
        } else {
            0.0
        };
        let variances: Vec<f64> = variances.map(|v| v.max(0.0)).collect();
        let mean = variances.iter().sum::<f64>() / variances.len() as f64;
        let relative = if mean > 0.0 {
            variances.iter().map(|v| (v / mean).sqrt()).collect()
        } else {
            vec![1.0; variances.len()]
        };
        Self { tap, relative }
    }

    fn pixels(&self) -> usize {
        self.relative.len()
    }

    /// The filter along both axes, scaled so that white noise keeps its variance.
    fn filter(&self, values: &[f64]) -> Vec<f64> {
        if self.tap == 0.0 {
            return values.to_vec();
        }
        let scale = 1.0 / (1.0 + 2.0 * self.tap * self.tap);
        let pixels = self.pixels();
        let side = pixels.isqrt();
        let mut rows = vec![0.0; pixels];
        let mut both = vec![0.0; pixels];
        // The crop's edge wraps around: the filter is then exactly its own transpose, and no
        // pixel's variance differs.
        for (index, value) in rows.iter_mut().enumerate() {
            let (row, column) = (index / side * side, index % side);
            let next = row + (column + 1) % side;
            let last = row + (column + side - 1) % side;
            *value = values[index] + self.tap * (values[next] + values[last]);
        }
        for (index, value) in both.iter_mut().enumerate() {
            let below = (index + side) % pixels;
            let above = (index + pixels - side) % pixels;
            *value = scale * (rows[index] + self.tap * (rows[below] + rows[above]));
        }
        both
    }

    /// Draws noise of root mean square 1 on average; the same seed and stream give the same.
    pub fn draw(&self, seed: u64, stream: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let white: Vec<f64> = (0..self.pixels()).map(|_| Normal.draw(&mut rng)).collect();
        let mut noise = self.filter(&white);
        for (value, relative) in noise.iter_mut().zip(&self.relative) {
            *value *= relative;
        }
        noise
    }

    /// Standard deviation of `sum_i weight_i noise_i` for noise of root mean square 1: by how much
    /// this noise moves the output of a linear model.
    pub fn response(&self, weights: &[f64]) -> f64 {
        let scaled: Vec<f64> = weights
            .iter()
            .zip(&self.relative)
            .map(|(weight, relative)| weight * relative)
            .collect();
        let filtered = self.filter(&scaled);
        filtered.iter().map(|v| v * v).sum::<f64>().sqrt()
    }
}

/// Returns the crop as a camera with this noise would deliver it: `noise` of root mean square 1 on average,
/// added at a perturbation SNR, cut off at black and white, and standardised again.
pub fn noisy(crop: &StandardisedCrop, noise: &[f64], snr_db: f64) -> StandardisedCrop {
    let size = epsilon_of_db(snr_db);
    let pixels = crop.values.iter().zip(noise);
    let gray: Vec<f32> = pixels
        .map(|(value, noise)| {
            let moved = f64::from(*value) + size * noise;
            (crop.mean + crop.contrast * moved as f32).clamp(0.0, 255.0)
        })
        .collect();
    StandardisedCrop::new(&gray)
}

/// Rate of changed predictions that defines the noise flip SNR: one draw of ten.
pub(super) const FLIP_RATE: f64 = 0.1;

/// Lowest and highest SNR tried, in dB. Below, an image is noise; above, no rounding in f32 is
/// reached by less.
const LOWEST_DB: i32 = -10;
/// See [`LOWEST_DB`].
const HIGHEST_DB: i32 = 70;

/// First steps of the search in dB, until it has a level on either side.
const FIRST_STEP_DB: i32 = 4;

/// Tail of the binomial distribution at [`FLIP_RATE`] that ends a level before its draws are used up:
/// with more flips than that, or with fewer. Small, for it is tested after every draw; a level
/// without any flip ends after 38 draws.
const TURNED_TAIL: f64 = 0.01;
const QUIET_TAIL: f64 = 0.02;

/// Searches the SNR at which [`FLIP_RATE`] of the draws change the state, on a lattice of whole
/// decibels, by bisection; a level that is clear from a few draws gets no more.
///
/// Without a network, and so tested without one: [`RateSearch::next_trial`] says what to try,
/// [`RateSearch::record`] takes what came of it, until there is a result.
#[derive(Clone, Debug)]
pub(super) struct RateSearch {
    level: i32,
    draws: u32,
    flips: u32,
    most_draws: u32,
    total: u32,
    /// Lowest level known to be quiet, highest known to be turned.
    quiet: Option<i32>,
    turned: Option<i32>,
    result: Option<Result<f64, Missing>>,
}

impl RateSearch {
    /// Starts near `guess_db`, with at most `most_draws` draws a level.
    pub(super) fn new(guess_db: f64, most_draws: u32) -> Self {
        Self {
            level: (guess_db.round() as i32).clamp(LOWEST_DB, HIGHEST_DB),
            draws: 0,
            flips: 0,
            most_draws: most_draws.max(1),
            total: 0,
            quiet: None,
            turned: None,
            result: None,
        }
    }

    /// SNR in dB and number of the draw to try next; `None` when there is a result.
    pub(super) fn next_trial(&self) -> Option<(f64, u64)> {
        self.result
            .is_none()
            .then(|| (f64::from(self.level), u64::from(self.draws)))
    }

    /// Takes whether the trial changed the state.
    pub(super) fn record(&mut self, flipped: bool) {
        self.draws += 1;
        self.total += 1;
        self.flips += u32::from(flipped);
        let Some(turned) = decide(self.flips, self.draws, self.most_draws) else {
            return;
        };
        if turned {
            self.turned = Some(self.level);
        } else {
            self.quiet = Some(self.level);
        }
        (self.draws, self.flips) = (0, 0);
        match (self.turned, self.quiet) {
            // Bisected down to neighbours on the lattice: the rate is crossed in between.
            (Some(turned), Some(quiet)) if quiet - turned <= 1 => {
                self.result = Some(Ok(f64::from(turned) + 0.5));
            }
            (Some(turned), Some(quiet)) => self.level = turned + (quiet - turned) / 2,
            (Some(turned), None) if turned >= HIGHEST_DB => {
                self.result = Some(Ok(f64::from(HIGHEST_DB)));
            }
            (Some(turned), None) => self.level = (turned + FIRST_STEP_DB).min(HIGHEST_DB),
            (None, Some(quiet)) if quiet <= LOWEST_DB => {
                self.result = Some(Err(Missing::NeverFlips));
            }
            (None, Some(quiet)) => self.level = (quiet - FIRST_STEP_DB).max(LOWEST_DB),
            (None, None) => {}
        }
    }

    /// The noise flip SNR in dB, to half a decibel besides the draws' own chance;
    /// [`Missing::NeverFlips`] where it is below [`LOWEST_DB`]. `None` while looking.
    pub(super) fn result(&self) -> Option<Result<f64, Missing>> {
        self.result
    }
}

/// Whether so many flips mean a rate of at least [`FLIP_RATE`]; `None` while more draws are needed.
fn decide(flips: u32, draws: u32, most_draws: u32) -> Option<bool> {
    if draws >= most_draws {
        return Some(f64::from(flips) >= FLIP_RATE * f64::from(draws));
    }
    // Tails of the binomial distribution at exactly the rate in question.
    let mut probability = (1.0 - FLIP_RATE).powi(draws as i32);
    let (mut below, mut up_to) = (0.0, probability);
    for k in 1..=flips {
        below = up_to;
        probability *= f64::from(draws - k + 1) / f64::from(k) * FLIP_RATE / (1.0 - FLIP_RATE);
        up_to += probability;
    }
    if flips > 0 && 1.0 - below < TURNED_TAIL {
        Some(true)
    } else if up_to < QUIET_TAIL {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classify::input::USUAL_SIDE as SIDE, snr::perturbation_snr_db};
    use proptest::prelude::*;

    const PIXELS: usize = SIDE * SIDE;

    fn crop() -> StandardisedCrop {
        StandardisedCrop::new(&std::array::from_fn::<_, PIXELS, _>(|i| {
            128.0 + 30.0 * ((i % SIDE) as f32 / 5.0).sin()
        }))
    }

    #[test]
    fn the_shape_has_the_correlation_and_size_that_was_asked_for() {
        for rho in [0.0, 0.1, 0.3, 0.5] {
            let shape = NoiseShape::new(rho, std::iter::repeat_n(2.0, PIXELS));
            let (mut squares, mut right, mut down) = (0.0, 0.0, 0.0);
            for stream in 0..40 {
                let noise = shape.draw(5, stream);
                for i in 0..PIXELS {
                    squares += noise[i] * noise[i];
                    right += noise[i] * noise[i / SIDE * SIDE + (i + 1) % SIDE];
                    down += noise[i] * noise[(i + SIDE) % PIXELS];
                }
            }
            let n = 40.0 * PIXELS as f64;
            assert!((squares / n - 1.0).abs() < 0.03, "{rho}");
            assert!((right / squares - rho).abs() < 0.03, "{rho}");
            assert!((down / squares - rho).abs() < 0.03, "{rho}");
        }
    }

    #[test]
    fn bright_pixels_get_the_noise_of_bright_pixels() {
        let shape = NoiseShape::new(0.0, (0..PIXELS).map(|i| if i < 512 { 1.0 } else { 3.0 }));
        let (mut dark, mut bright) = (0.0, 0.0);
        for stream in 0..40 {
            let noise = shape.draw(6, stream);
            dark += noise[..512].iter().map(|v| v * v).sum::<f64>();
            bright += noise[512..].iter().map(|v| v * v).sum::<f64>();
        }
        assert!((bright / dark - 3.0).abs() < 0.2);
    }

    #[test]
    fn a_linear_output_moves_as_said() {
        let shape = NoiseShape::new(0.4, (0..PIXELS).map(|i| 1.0 + (i % 7) as f64));
        let weights: Vec<f64> = (0..PIXELS).map(|i| ((i / 40) as f64).sin()).collect();
        let n = 4000;
        let mut squares = 0.0;
        for stream in 0..n {
            let noise = shape.draw(7, stream);
            let moved: f64 = noise.iter().zip(&weights).map(|(n, w)| n * w).sum();
            squares += moved * moved;
        }
        let measured = (squares / n as f64).sqrt();
        assert!((shape.response(&weights) / measured - 1.0).abs() < 0.05);
    }

    fn search(threshold: f64, slope: f64, guess: f64, seed: u64) -> RateSearch {
        // The rate falls with the SNR like a normal distribution's tail.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut search = RateSearch::new(guess, 200);
        while let Some((db, _)) = search.next_trial() {
            let z = 1.2816 * 10_f64.powf((db - threshold) / 20.0 * slope);
            search.record(Normal.draw(&mut rng) > z);
        }
        search
    }

    #[test]
    fn what_never_or_always_flips_says_so() {
        let mut never = RateSearch::new(20.0, 50);
        while never.next_trial().is_some() {
            never.record(false);
        }
        assert_eq!(never.result(), Some(Err(Missing::NeverFlips)));
        let mut always = RateSearch::new(20.0, 50);
        while always.next_trial().is_some() {
            always.record(true);
        }
        assert_eq!(always.result(), Some(Ok(f64::from(HIGHEST_DB))));
    }

    proptest! {
        #[test]
        fn the_search_finds_the_level_from_any_guess(threshold in -5.0_f64..50.0, guess in -20.0_f64..80.0, seed in 0_u64..50) {
            let search = search(threshold, 1.0, guess, seed);
            let found = search.result().unwrap().unwrap();
            prop_assert!((found - threshold).abs() < 4.0, "{found} for {threshold}");
            prop_assert!(search.total < 3000);
        }

        #[test]
        fn noise_has_the_snr_that_was_asked_for(snr in 0.0_f64..50.0, seed in 0_u64..100) {
            let crop = crop();
            let noise = NoiseShape::white(SIDE).draw(seed, 0);
            let noisy = noisy(&crop, &noise, snr);
            // The energy of 1024 draws scatters by 0.2 dB. In gray levels, for standardising scales the noise as well.
            let clean: Vec<f32> = crop.values.iter().map(|v| v * crop.contrast).collect();
            let moved: Vec<f32> = noisy.values.iter().zip(&crop.values)
                .map(|(n, c)| n * noisy.contrast + noisy.mean - (c * crop.contrast + crop.mean)).collect();
            prop_assert!((perturbation_snr_db(&clean, &moved) - snr).abs() < 0.9);
        }
    }
}
