//! The ascent of Auto-PGD (Croce and Hein 2020, "Reliable evaluation of adversarial robustness with
//! an ensemble of diverse parameter-free attacks", algorithm 1): momentum, and steps that are
//! halved at checkpoints where they no longer pay. [`super::apgd`] and [`super::apgd_targeted`]
//! choose the objective.

use super::{
    Classifier,
    budget::Budget,
    gradient::of_loss,
    loss::{Objective, errs},
    strongest::{per_image, positions, select},
};
use crate::data::batch::Batch;
use tch::{Kind, Tensor};

/// Share of the new step; the rest is the last move (section 3, alpha).
const MOMENTUM: f64 = 0.75;

/// First step in epsilons: the diameter of the ball (section 3.1).
const FIRST_STEP: f64 = 2.0;

/// The step is halved where the loss rose in less than this share of the steps (section 3.1, rho).
const RISES_WANTED: f64 = 0.75;

/// Checkpoints in percent of the iterations: the first interval, by how much each is shorter than
/// the one before, and the shortest (section 3.1).
const FIRST_INTERVAL: u32 = 22;
const SHORTENING: u32 = 3;
const SHORTEST_INTERVAL: u32 = 6;

/// Iterations after which the step is reconsidered: ceil(p_j n) with p_1 = 0.22 and
/// p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06).
fn checkpoints(iterations: u32) -> Vec<u32> {
    let (mut percent, mut interval) = (0, FIRST_INTERVAL);
    let mut checkpoints = Vec::new();
    while percent + interval <= 100 {
        percent += interval;
        checkpoints.push((percent * iterations).div_ceil(100));
        interval = interval.saturating_sub(SHORTENING).max(SHORTEST_INTERVAL);
    }
    // With few iterations several checkpoints fall on the same one.
    checkpoints.dedup();
    checkpoints
}

/// Climbs from `start` f32 `[N,1,32,32]` and returns for each image the first point at which it
/// errs, else the one of highest objective. An image that errs is not worked on any more. One
/// forward and backward pass an iteration.
pub(super) fn climb(
    target: &dyn Classifier,
    batch: &Batch,
    start: &Tensor,
    budget: Budget,
    iterations: u32,
    objective: &Objective,
) -> Result<Tensor, tch::TchError> {
    let mut found = start.copy();
    let Some(mut climber) = Climber::begin(target, batch, start, budget, objective, &mut found)?
    else {
        return Ok(found);
    };
    let checkpoints = checkpoints(iterations);
    let mut last_checkpoint = 0;
    for iteration in 1..=iterations {
        climber.advance(budget, if iteration == 1 { 1.0 } else { MOMENTUM });
        let last = iteration == iterations;
        if !climber.evaluate_here(target, last, &mut found)? {
            return Ok(found);
        }
        if checkpoints.contains(&iteration) {
            climber.reconsider(f64::from(iteration - last_checkpoint));
            last_checkpoint = iteration;
        }
    }
    let _ = found.index_copy_(0, &climber.rows, &climber.best.images);
    Ok(found)
}

/// A point for each image, with its objective `[n]` and gradient.
struct Place {
    images: Tensor,
    gradient: Tensor,
    value: Tensor,
}

impl Place {
    fn copy(&self) -> Self {
        Self {
            images: self.images.copy(),
            gradient: self.gradient.copy(),
            value: self.value.copy(),
        }
    }

    fn select(&self, rows: &Tensor) -> Self {
        Self {
            images: self.images.index_select(0, rows),
            gradient: self.gradient.index_select(0, rows),
            value: self.value.index_select(0, rows),
        }
    }

    /// The `other` place where `mask` bool `[n]` is set.
    fn replaced(&self, mask: &Tensor, other: &Self) -> Self {
        let images = per_image(mask);
        Self {
            images: other.images.where_self(&images, &self.images),
            gradient: other.gradient.where_self(&images, &self.gradient),
            value: other.value.where_self(mask, &self.value),
        }
    }
}

/// The images that do not err yet.
struct Climber {
    /// Their positions in the batch of the caller.
    rows: Tensor,
    batch: Batch,
    objective: Objective,
    here: Place,
    best: Place,
    /// The images before the last step.
    before: Tensor,
    /// Length of the next step, `[n,1,1,1]`.
    step: Tensor,
    /// Steps since the last checkpoint that raised the objective, `[n]`.
    rises: Tensor,
    /// Highest objective at the last checkpoint, `[n]`.
    best_at_checkpoint: Tensor,
    /// Whether the step was halved at the last checkpoint, `[n]`; set at first, so that the first
    /// checkpoint decides by the rises alone.
    halved: Tensor,
}

impl Climber {
    /// Evaluates the start; nothing where every image errs there already.
    fn begin(
        target: &dyn Classifier,
        batch: &Batch,
        start: &Tensor,
        budget: Budget,
        objective: &Objective,
        found: &mut Tensor,
    ) -> Result<Option<Self>, tch::TchError> {
        let device = start.device();
        let count = batch.len();
        let all = Tensor::arange(count, (Kind::Int64, device));
        let value = Tensor::full([count], f64::NEG_INFINITY, (Kind::Float, device));
        let here = Place {
            images: start.copy(),
            gradient: start.zeros_like(),
            value: value.copy(),
        };
        let mut climber = Self {
            batch: select(batch, &all),
            objective: objective.select(&all),
            best: here.copy(),
            before: start.copy(),
            step: Tensor::full(
                [count, 1, 1, 1],
                FIRST_STEP * budget.epsilon,
                (Kind::Float, device),
            ),
            rises: Tensor::zeros([count], (Kind::Float, device)),
            best_at_checkpoint: value,
            halved: Tensor::ones([count], (Kind::Bool, device)),
            here,
            rows: all,
        };
        if count == 0 || !climber.evaluate_here(target, false, found)? {
            return Ok(None);
        }
        // Coming to the start is no step.
        let _ = climber.rises.zero_();
        climber.best_at_checkpoint = climber.best.value.copy();
        Ok(Some(climber))
    }

    /// One step, with a share of the last move (algorithm 1, lines 6 and 7).
    fn advance(&mut self, budget: Budget, momentum: f64) {
        let onto_budget = |images: Tensor| {
            let perturbation = budget.project(&(images - &self.batch.images));
            self.batch.clip(&(&self.batch.images + perturbation))
        };
        let here = &self.here.images;
        let straight = onto_budget(here + budget.steepest(&self.here.gradient) * &self.step);
        let moved = (straight - here) * momentum + (here - &self.before) * (1.0 - momentum);
        let next = onto_budget(here + moved);
        self.before = std::mem::replace(&mut self.here.images, next);
    }

    /// Evaluates where the images are, hands those that err to `found` and forgets them. False
    /// when none is left. The last look needs no gradient.
    fn evaluate_here(
        &mut self,
        target: &dyn Classifier,
        last: bool,
        found: &mut Tensor,
    ) -> Result<bool, tch::TchError> {
        let labels = &self.batch.labels;
        let (logits, gradient) = if last {
            let logits = tch::no_grad(|| target.logits(&self.here.images));
            (logits, self.here.gradient.shallow_clone())
        } else {
            of_loss(target, &self.here.images, |logits| {
                self.objective.of(logits, labels)
            })?
        };
        let value = self.objective.of(&logits, labels);
        self.rises += value.gt_tensor(&self.here.value).to_kind(Kind::Float);
        self.here.value = value;
        self.here.gradient = gradient;
        let higher = self.here.value.gt_tensor(&self.best.value);
        self.best = self.best.replaced(&higher, &self.here);
        let errs = errs(&logits, labels);
        let done = positions(&errs);
        if done.size()[0] == 0 {
            return Ok(true);
        }
        let _ = found.index_copy_(
            0,
            &self.rows.index_select(0, &done),
            &self.here.images.index_select(0, &done),
        );
        let left = positions(&errs.logical_not());
        if left.size()[0] == 0 {
            return Ok(false);
        }
        self.keep(&left);
        Ok(true)
    }

    /// Forgets the images at all other positions.
    fn keep(&mut self, left: &Tensor) {
        let of = |tensor: &Tensor| tensor.index_select(0, left);
        self.rows = of(&self.rows);
        self.batch = select(&self.batch, left);
        self.objective = self.objective.select(left);
        self.here = self.here.select(left);
        self.best = self.best.select(left);
        self.before = of(&self.before);
        self.step = of(&self.step);
        self.rises = of(&self.rises);
        self.best_at_checkpoint = of(&self.best_at_checkpoint);
        self.halved = of(&self.halved);
    }

    /// Halves the step and goes back to the best point where, in the `steps` since the last
    /// checkpoint, the objective rose too seldom (condition 1), or where neither the step nor the
    /// best point changed (condition 2).
    fn reconsider(&mut self, steps: f64) {
        let seldom = self.rises.lt(RISES_WANTED * steps);
        let stuck = self
            .best_at_checkpoint
            .ge_tensor(&self.best.value)
            .logical_and(&self.halved.logical_not());
        let halve = seldom.logical_or(&stuck);
        self.step = (&self.step * 0.5).where_self(&per_image(&halve), &self.step);
        self.here = self.here.replaced(&halve, &self.best);
        self.best_at_checkpoint = self.best.value.copy();
        self.halved = halve;
        let _ = self.rises.zero_();
    }
}

#[cfg(test)]
mod tests {
    use super::checkpoints;

    #[test]
    fn the_published_checkpoints() {
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(10), [3, 5, 6, 7, 8, 9, 10]);
        assert_eq!(checkpoints(1), [1]);
    }
}
