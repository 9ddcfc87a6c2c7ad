//! Where a picture has changed: a coarse grid of mean gray levels. Somebody who appears changes it, so that a
//! search begins there, and a room in which nothing moves costs next to nothing.
//!
//! What is done about a change is left to [`super::search`].

use super::Roi;
use image::GrayImage;

/// Least side of a cell in pixels: half of the smallest face.
const CELL: f32 = 24.0;

/// Most cells along a side.
const MOST_CELLS: f32 = 96.0;

/// Samples along each side of a cell.
const SAMPLES: usize = 4;

/// Least and greatest change of a cell's gray level that counts. In between it is five standard deviations of what
/// changes from frame to frame in half of all cells: noise. A camera that moves changes all, and must not hide
/// what changes most.
const LEAST_CHANGE: f32 = 6.0;
const GREATEST_CHANGE: f32 = 24.0;
const DEVIATIONS: f32 = 5.0;

/// Standard deviations in a median absolute deviation of a normal distribution.
const PER_MEDIAN: f32 = 1.4826;

/// Standard deviation of a pixel's noise over that of a cell's change between two frames: the mean of
/// [`SAMPLES`] squared pixels, twice.
const PER_CELL: f32 = SAMPLES as f32 * std::f32::consts::FRAC_1_SQRT_2;

/// The gray levels of a picture's cells, and when each changed.
#[derive(Clone, Debug)]
pub(super) struct ChangeGrid {
    size: (u32, u32),
    cell: f32,
    columns: usize,
    /// Each cell's level when it last changed.
    reference: Vec<f32>,
    /// Its level in the last frame.
    last: Vec<f32>,
    /// Number of the frame in which it last changed.
    changed: Vec<u64>,
    frame: u64,
    noise: f32,
    extent: f32,
}

impl ChangeGrid {
    /// Creates the grid of images of one size, all of which is new.
    pub(super) fn new(size: (u32, u32)) -> Self {
        let [width, height] = [size.0 as f32, size.1 as f32];
        let cell = (width.max(height) / MOST_CELLS).max(CELL);
        let [columns, rows] = [width, height].map(|length| (length / cell).ceil() as usize);
        let cells = columns * rows;
        Self {
            size,
            cell,
            columns,
            reference: vec![f32::INFINITY; cells],
            last: vec![f32::INFINITY; cells],
            changed: vec![0; cells],
            frame: 0,
            noise: f32::INFINITY,
            extent: width.max(height),
        }
    }

    /// Returns the size of the images.
    pub(super) const fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Returns the number of the last frame, from 1.
    pub(super) const fn frame(&self) -> u64 {
        self.frame
    }

    /// Returns the standard deviation in gray levels of a pixel's change between the last two frames in those
    /// cells that change least, over the square root of 2: the camera's noise while most of the picture stands
    /// still; infinite before two frames were seen.
    pub(super) const fn noise(&self) -> f32 {
        self.noise
    }

    /// Returns the side in pixels of a square of all that changed when last anything did, wherever it was; that of
    /// the image before.
    pub(super) const fn extent(&self) -> f32 {
        self.extent
    }

    /// Takes the next image, which must be of the grid's size.
    pub(super) fn observe(&mut self, luma: &GrayImage) {
        self.frame += 1;
        let mut now = std::mem::take(&mut self.last);
        let mut changes: Vec<f32> = Vec::with_capacity(now.len());
        for (index, level) in now.iter_mut().enumerate() {
            let mean = self.mean(luma, index);
            changes.push((mean - *level).abs());
            *level = mean;
        }
        let middle = changes.len() / 2;
        let median = match changes.is_empty() {
            true => 0.0,
            false => *changes.select_nth_unstable_by(middle, f32::total_cmp).1,
        };
        let deviation = PER_MEDIAN * median;
        self.noise = PER_CELL * deviation;
        let least = (DEVIATIONS * deviation).clamp(LEAST_CHANGE, GREATEST_CHANGE);
        let mut cells = 0;
        for ((level, reference), changed) in
            now.iter().zip(&mut self.reference).zip(&mut self.changed)
        {
            if (level - *reference).abs() > least {
                *reference = *level;
                *changed = self.frame;
                cells += 1;
            }
        }
        if cells > 0 {
            self.extent = self.cell * (cells as f32).sqrt();
        }
        self.last = now;
    }

    /// Tells whether any cell whose centre lies in an upright or quarter-turned square has changed after the frame
    /// of a number; cells in `except` do not count.
    pub(super) fn has_changed(&self, square: &Roi, after: u64, except: Option<&Roi>) -> bool {
        let range = |axis: usize, count: usize| {
            let cells = |edge: f32| ((square.centre[axis] + edge) / self.cell).max(0.0) as usize;
            let reach = square.side / 2.0;
            cells(-reach).min(count)..(cells(reach) + 1).min(count)
        };
        let rows = self.changed.len().checked_div(self.columns).unwrap_or(0);
        range(1, rows).any(|row| {
            range(0, self.columns).any(|column| {
                self.changed[row * self.columns + column] > after
                    && !except.is_some_and(|square| self.lies_in(column, row, square))
            })
        })
    }

    fn lies_in(&self, column: usize, row: usize, square: &Roi) -> bool {
        let centre = [column, row].map(|index| (index as f32 + 0.5) * self.cell);
        [0, 1]
            .iter()
            .all(|axis| (centre[*axis] - square.centre[*axis]).abs() <= square.side / 2.0)
    }

    fn mean(&self, luma: &GrayImage, index: usize) -> f32 {
        let (column, row) = (index % self.columns, index / self.columns);
        let at = |cell: usize, sample: usize, length: u32| {
            let position = (cell as f32 + (sample as f32 + 0.5) / SAMPLES as f32) * self.cell;
            (position as u32).min(length.saturating_sub(1))
        };
        let (width, pixels) = (luma.width() as usize, luma.as_raw());
        let mut sum = 0_u32;
        for b in 0..SAMPLES {
            let line = at(row, b, luma.height()) as usize * width;
            for a in 0..SAMPLES {
                let level = pixels.get(line + at(column, a, luma.width()) as usize);
                sum += u32::from(level.copied().unwrap_or(0));
            }
        }
        sum as f32 / (SAMPLES * SAMPLES) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const SIZE: (u32, u32) = (640, 480);

    /// A wall with a spot and noise of this amplitude.
    fn wall(spot: Option<[i32; 2]>, noise: f32, seed: u64) -> GrayImage {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let in_spot = spot
                .is_some_and(|[cx, cy]| (x as i32 - cx).abs() < 24 && (y as i32 - cy).abs() < 24);
            let level = 90.0 + 50.0 * f32::from(in_spot) + noise * chance.random_range(-1.0..1.0);
            Luma([level.round() as u8])
        })
    }

    fn square(x: f32, y: f32, side: f32) -> Roi {
        Roi {
            centre: [x, y],
            side,
            angle: 0.0,
        }
    }

    #[test]
    fn only_where_something_appeared_has_the_picture_changed() {
        for noise in [0.0, 12.0] {
            let mut grid = ChangeGrid::new(SIZE);
            grid.observe(&wall(None, noise, 0));
            assert!(
                grid.has_changed(&square(320.0, 240.0, 100.0), 0, None),
                "all is new"
            );
            for frame in 1..10 {
                grid.observe(&wall(None, noise, frame));
            }
            let before = grid.frame();
            assert!(
                !grid.has_changed(&square(320.0, 240.0, 700.0), 1, None),
                "{noise}"
            );
            grid.observe(&wall(Some([500, 100]), noise, 10));
            assert!(grid.has_changed(&square(480.0, 120.0, 120.0), before, None));
            assert!(!grid.has_changed(&square(160.0, 240.0, 320.0), before, None));
            let spot = square(500.0, 100.0, 100.0);
            assert!(!grid.has_changed(&square(320.0, 240.0, 700.0), before, Some(&spot)));
        }
    }

    #[test]
    fn the_noise_of_a_resting_picture_is_measured() {
        let mut grid = ChangeGrid::new(SIZE);
        for frame in 0..5 {
            grid.observe(&wall(None, 12.0, frame));
        }
        // Uniform noise of amplitude 12 has a standard deviation of 6.9.
        assert!((grid.noise() - 6.9).abs() < 1.0, "{}", grid.noise());
    }

    #[test]
    fn an_empty_picture_has_no_cells() {
        let mut grid = ChangeGrid::new((0, 0));
        grid.observe(&GrayImage::new(0, 0));
        assert!(!grid.has_changed(&square(0.0, 0.0, 100.0), 0, None));
    }
}
