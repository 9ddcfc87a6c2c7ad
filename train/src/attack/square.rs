//! Square attack (Andriushchenko et al. 2020, "Square Attack: a query-efficient black-box
//! adversarial attack via random search"): random squares, kept where they lower the margin. It
//! sees logits only and never a gradient, so a network cannot hide from it by masking its gradient.

use super::{
    Access, Attack, Classifier,
    budget::{Budget, Norm, pixels},
    loss::margin,
    random::Draws,
    strongest::{per_image, positions, select},
};
use crate::data::batch::Batch;
use tch::{Device, Kind, Tensor};

/// Queries of the standard attack (in `AutoAttack`, Croce and Hein 2020).
pub(crate) const QUERIES: u32 = 5_000;

/// Share of the image that the first squares cover (as in `AutoAttack`).
const FIRST_SHARE: f64 = 0.8;

/// Queries of 10,000 after which the share is halved; other numbers of queries stretch the schedule
/// (section 5).
const HALVINGS: [u64; 9] = [10, 50, 200, 500, 1_000, 2_000, 4_000, 6_000, 8_000];
const SCHEDULE_LENGTH: u64 = 10_000;

/// Smallest window of the L2 attack: its two halves need a pixel each and a middle.
const SMALLEST_L2_WINDOW: i64 = 3;

/// Windows along a side that the L2 attack's first perturbation consists of (section 4.3).
const L2_TILES: i64 = 5;

/// Keeps ratios finite where a window is unperturbed.
const TINY: f64 = 1e-12;

/// Random search over squares. Each query computes the logits of the images that are still classified
/// correctly; within one query all of them share the place of the square, each has a sign of its own.
#[derive(Clone, Debug)]
pub struct Square {
    name: String,
    queries: u32,
}

impl Square {
    /// At most `queries` for each image, at least one; [`QUERIES`] are the standard.
    pub fn new(queries: u32) -> Self {
        let queries = queries.max(1);
        let name = if queries == QUERIES {
            "square".into()
        } else {
            format!("square-{queries}")
        };
        Self { name, queries }
    }
}

impl Default for Square {
    fn default() -> Self {
        Self::new(QUERIES)
    }
}

impl Attack for Square {
    fn name(&self) -> &str {
        &self.name
    }

    fn access(&self) -> Access {
        Access::BlackBox
    }

    fn perturb(
        &self,
        target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        tch::no_grad(|| self.search(target, batch, budget, &mut Draws::new(seed, 0)))
    }
}

/// The images that do not err yet, with the best perturbed version of each.
struct StillCorrect {
    /// Their positions in the batch of the caller.
    rows: Tensor,
    batch: Batch,
    best: Tensor,
    margin: Tensor,
}

impl StillCorrect {
    /// Takes over what lowers the margin, hands all that is new to `found` and forgets the images
    /// that err.
    fn evaluate(&mut self, target: &dyn Classifier, tried: &Tensor, found: &mut Tensor) {
        let margin = margin(&target.logits(tried), &self.batch.labels);
        let better = margin.lt_tensor(&self.margin);
        self.best = tried.where_self(&per_image(&better), &self.best);
        self.margin = margin.where_self(&better, &self.margin);
        let errs = self.margin.lt(0.0);
        if positions(&errs).size()[0] > 0 {
            self.latest(found);
            self.keep(&positions(&errs.logical_not()));
        }
    }

    fn latest(&self, found: &mut Tensor) {
        let _ = found.index_copy_(0, &self.rows, &self.best);
    }

    fn keep(&mut self, left: &Tensor) {
        let of = |tensor: &Tensor| tensor.index_select(0, left);
        self.rows = of(&self.rows);
        self.batch = select(&self.batch, left);
        self.best = of(&self.best);
        self.margin = of(&self.margin);
    }
}

impl Square {
    fn search(
        &self,
        target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        draws: &mut Draws,
    ) -> Result<Tensor, tch::TchError> {
        let mut found = batch.images.copy();
        let all = Tensor::arange(batch.len(), (Kind::Int64, batch.images.device()));
        let mut still_correct = StillCorrect {
            margin: margin(&target.logits(&batch.images), &batch.labels),
            best: batch.images.copy(),
            batch: select(batch, &all),
            rows: all,
        };
        still_correct.keep(&positions(&still_correct.margin.ge(0.0)));
        for query in 0..self.queries {
            if still_correct.batch.is_empty() {
                return Ok(found);
            }
            let perturbation = match (query, budget.norm) {
                (0, Norm::Linf) => stripes(&still_correct.batch, budget, draws)?,
                (0, Norm::L2) => tiles(&still_correct.batch, draws)?,
                (_, Norm::Linf) => {
                    let share = share(query, self.queries);
                    with_square(&still_correct, share, budget, draws)?
                }
                (_, Norm::L2) => {
                    let share = share(query, self.queries);
                    with_windows(&still_correct, share, budget, draws)?
                }
            };
            let perturbation = match budget.norm {
                Norm::Linf => budget.project(&perturbation),
                // The whole budget is used again after every move.
                Norm::L2 => budget.steepest(&perturbation) * budget.epsilon,
            };
            let tried = still_correct
                .batch
                .clip(&(&still_correct.batch.images + perturbation));
            still_correct.evaluate(target, &tried, &mut found);
        }
        still_correct.latest(&mut found);
        Ok(found)
    }
}

/// Share of the image that a square covers at a query, from 0, of so many in all.
fn share(query: u32, queries: u32) -> f64 {
    let scheduled = u64::from(query) * SCHEDULE_LENGTH / u64::from(queries);
    let halvings = HALVINGS.iter().filter(|after| scheduled > **after).count();
    FIRST_SHARE / f64::from(1_u32 << halvings)
}

/// Rows and columns of a batch's images.
fn side_of_images(batch: &Batch) -> i64 {
    batch.images.size().last().copied().unwrap_or(0)
}

/// Side of a square that covers so much of an image, in pixels.
fn side_of(share: f64, image_side: i64) -> i64 {
    let side = share.sqrt() * image_side as f64;
    (side.round() as i64).clamp(1, image_side)
}

/// The L-inf attack's start: vertical stripes of one pixel, each up or down by epsilon.
fn stripes(batch: &Batch, budget: Budget, draws: &mut Draws) -> Result<Tensor, tch::TchError> {
    let device = batch.images.device();
    let signs = draws.signs(&[batch.len(), 1, 1, side_of_images(batch)], device)?;
    Ok((signs * budget.epsilon).expand_as(&batch.images))
}

/// The best perturbation with a square that is up or down by twice epsilon; the projection after it
/// leaves epsilon.
fn with_square(
    still_correct: &StillCorrect,
    share: f64,
    budget: Budget,
    draws: &mut Draws,
) -> Result<Tensor, tch::TchError> {
    let image_side = side_of_images(&still_correct.batch);
    let side = side_of(share, image_side);
    let corner = corner(side, image_side, draws);
    let perturbation = &still_correct.best - &still_correct.batch.images;
    let signs = draws.signs(&[still_correct.batch.len(), 1, 1, 1], perturbation.device())?;
    let mut square = window(&perturbation, corner, side);
    square += signs * (2.0 * budget.epsilon);
    Ok(perturbation)
}

/// The L2 attack's start: a chessboard of [`bump`]s, each with a random sign.
fn tiles(batch: &Batch, draws: &mut Draws) -> Result<Tensor, tch::TchError> {
    let image_side = side_of_images(batch);
    let side = image_side / L2_TILES;
    let margin = (image_side - side * L2_TILES) / 2;
    let perturbation = batch.images.zeros_like();
    for row in 0..L2_TILES {
        for column in 0..L2_TILES {
            let corner = (margin + row * side, margin + column * side);
            let signs = draws.signs(&[batch.len(), 1, 1, 1], perturbation.device())?;
            let mut tile = window(&perturbation, corner, side);
            tile += bump(side, perturbation.device(), draws)? * signs;
        }
    }
    Ok(perturbation)
}

/// The best perturbation with one window emptied and its norm, with what of the budget was unused,
/// moved to a new bump in another (algorithm 3).
fn with_windows(
    still_correct: &StillCorrect,
    share: f64,
    budget: Budget,
    draws: &mut Draws,
) -> Result<Tensor, tch::TchError> {
    let image_side = side_of_images(&still_correct.batch);
    // An odd side has a middle.
    let side = side_of(share, image_side).clamp(SMALLEST_L2_WINDOW, image_side - 1) | 1;
    let mut place = || corner(side, image_side, draws);
    let (filled, emptied) = (place(), place());
    let perturbation = &still_correct.best - &still_correct.batch.images;
    let device = perturbation.device();
    let energy =
        |of: &Tensor| (of * of).sum_dim_intlist([1_i64, 2, 3].as_slice(), true, Kind::Float);
    let old = window(&perturbation, filled, side).copy();
    // The budget that is left for the two windows: the whole less the energy outside of them.
    let outside = perturbation.copy();
    let _ = window(&outside, filled, side).zero_();
    let _ = window(&outside, emptied, side).zero_();
    let unused = pixels(&still_correct.batch.images) * budget.epsilon.powi(2) - energy(&outside);
    let signs = draws.signs(&[still_correct.batch.len(), 1, 1, 1], device)?;
    let new = bump(side, device, draws)? * signs + &old / (energy(&old).sqrt() + TINY);
    let new = &new / (energy(&new).sqrt() + TINY) * unused.clamp_min(0.0).sqrt();
    let _ = window(&perturbation, emptied, side).zero_();
    window(&perturbation, filled, side).copy_(&new);
    Ok(perturbation)
}

/// Upper left corner (row, column) of a square drawn evenly from those in the image.
fn corner(side: i64, image_side: i64, draws: &mut Draws) -> (i64, i64) {
    let last = image_side - side;
    (draws.up_to(last), draws.up_to(last))
}

/// A square of images; shares their memory.
fn window(images: &Tensor, (row, column): (i64, i64), side: i64) -> Tensor {
    images.narrow(2, row, side).narrow(3, column, side)
}

/// A bump up beside a bump down, `[1,1,side,side]` of norm 1 (section 4.3): each rises towards its
/// middle in rings that add up 1 / r^2, what the gradients of networks are found to look like. Lies
/// on its side half of the time.
fn bump(side: i64, device: Device, draws: &mut Draws) -> Result<Tensor, tch::TchError> {
    let (upper, side) = ((side / 2) as usize, side as usize);
    let mut values = half_bump(upper, side);
    values.extend(half_bump(side - upper, side).iter().map(|value| -value));
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut values {
        *value /= norm;
    }
    let (side, lies) = (side as i64, draws.coin());
    let bump = Tensor::f_from_slice(&values)?
        .f_reshape([1, 1, side, side])?
        .f_to_device(device)?;
    Ok(if lies { bump.transpose(2, 3) } else { bump })
}

/// One bump of norm 1 with `height` rows of `width` pixels, row by row: nested rectangles around
/// the middle, the r-th of which adds 1 / r^2.
fn half_bump(height: usize, width: usize) -> Vec<f32> {
    let mut values = vec![0.0_f32; height * width];
    let (middle_row, middle_column) = (height / 2, width / 2);
    for ring in 0..=middle_row.max(middle_column) {
        let weight = 1.0 / ((ring + 1) as f32).powi(2);
        for row in middle_row.saturating_sub(ring)..(middle_row + ring + 1).min(height) {
            for column in middle_column.saturating_sub(ring)..(middle_column + ring + 1).min(width)
            {
                values[row * width + column] += weight;
            }
        }
    }
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_shrink_as_published() {
        // Of 10,000 queries, and of half as many the same at half the query.
        let of = |query: u32| FIRST_SHARE / share(query, 10_000);
        assert_eq!([of(10), of(11), of(50), of(51)], [1.0, 2.0, 2.0, 4.0]);
        assert_eq!([of(201), of(501), of(1_001)], [8.0, 16.0, 32.0]);
        assert_eq!([of(2_001), of(4_001)], [64.0, 128.0]);
        assert_eq!([of(6_001), of(8_001), of(9_999)], [256.0, 512.0, 512.0]);
        assert_eq!(share(501, 5_000), share(1_002, 10_000));
        // 0.8 * 1024 = 819.2, whose root is 28.6.
        assert_eq!((side_of(0.8, 32), side_of(0.8 / 512.0, 32)), (29, 1));
    }

    #[test]
    fn a_bump_by_hand() {
        // Rows 1, columns 3: ring 1 adds 1 to the middle, ring 2 adds 1/4 to all.
        let norm = (1.25_f32.powi(2) + 2.0 * 0.25_f32.powi(2)).sqrt();
        let expected = [0.25 / norm, 1.25 / norm, 0.25 / norm];
        for (value, expected) in half_bump(1, 3).iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_bump_has_norm_one_and_two_signs() {
        for side in [3, 5, 6, 31] {
            let bump = bump(side, Device::Cpu, &mut Draws::new(1, 0)).unwrap();
            let norm = (&bump * &bump).sum(Kind::Double).double_value(&[]).sqrt();
            assert!((norm - 1.0).abs() < 1e-5);
            assert!(bump.max().double_value(&[]) > 0.0 && bump.min().double_value(&[]) < 0.0);
        }
    }
}
