//! Keeps the strongest perturbation found for each image of a batch.

use super::{Classifier, gradient::cross_entropy, loss::errs};
use crate::data::batch::Batch;
use tch::Tensor;

/// The images of a batch at some positions; copies.
pub(super) fn select(batch: &Batch, rows: &Tensor) -> Batch {
    let of = |tensor: &Tensor| tensor.index_select(0, rows);
    Batch {
        images: of(&batch.images),
        labels: of(&batch.labels),
        lowest: of(&batch.lowest),
        highest: of(&batch.highest),
    }
}

/// Positions i64 `[n]` at which a mask bool `[N]` is set.
pub(super) fn positions(mask: &Tensor) -> Tensor {
    mask.nonzero().squeeze_dim(1)
}

/// A mask `[N]` in the shape that images are chosen by.
pub(super) fn per_image(mask: &Tensor) -> Tensor {
    mask.reshape([-1, 1, 1, 1])
}

/// Of every image the strongest version yet: one that errs before one that does not, and among
/// equals the one of higher cross-entropy. Begins with the images themselves, so an attack that
/// keeps its finds here never helps the classifier.
pub(super) struct Strongest<'a> {
    target: &'a dyn Classifier,
    batch: &'a Batch,
    /// f32 `[N,1,32,32]`.
    pub(super) images: Tensor,
    errs: Tensor,
    loss: Tensor,
}

impl<'a> Strongest<'a> {
    /// The images unperturbed: one forward pass.
    pub(super) fn new(target: &'a dyn Classifier, batch: &'a Batch) -> Self {
        let logits = tch::no_grad(|| target.logits(&batch.images));
        Self {
            target,
            batch,
            images: batch.images.copy(),
            errs: errs(&logits, &batch.labels),
            loss: cross_entropy(&logits, &batch.labels),
        }
    }

    /// Positions of the images that are still classified correctly.
    pub(super) fn still_correct(&self) -> Tensor {
        positions(&self.errs.logical_not())
    }

    /// Offers versions of the images at positions `rows`; one forward pass.
    pub(super) fn offer(&mut self, rows: &Tensor, images: &Tensor) {
        let logits = tch::no_grad(|| self.target.logits(images));
        self.offer_with_logits(rows, images, &logits);
    }

    /// Offers versions whose logits are known.
    pub(super) fn offer_with_logits(&mut self, rows: &Tensor, images: &Tensor, logits: &Tensor) {
        let labels = self.batch.labels.index_select(0, rows);
        let (new_errs, new_loss) = (errs(logits, &labels), cross_entropy(logits, &labels));
        let (old_errs, old_loss) = (
            self.errs.index_select(0, rows),
            self.loss.index_select(0, rows),
        );
        let first_error = new_errs.logical_and(&old_errs.logical_not());
        let higher = new_errs
            .eq_tensor(&old_errs)
            .logical_and(&new_loss.gt_tensor(&old_loss));
        let better = positions(&first_error.logical_or(&higher));
        let taken = rows.index_select(0, &better);
        let of = |tensor: &Tensor| tensor.index_select(0, &better);
        let _ = self.images.index_copy_(0, &taken, &of(images));
        let _ = self.errs.index_copy_(0, &taken, &of(&new_errs));
        let _ = self.loss.index_copy_(0, &taken, &of(&new_loss));
    }
}
