//! The strongest of several attacks for each image: the nearest to the truth that an evaluation
//! by attacks can come.

use super::{
    Access, Attack, Classifier,
    apgd::ApgdCe,
    apgd_targeted::ApgdTargeted,
    budget::Budget,
    pgd::{KeptPoint, Pgd},
    square::{self, Square},
    strongest::{Strongest, select},
};
use crate::data::batch::Batch;
use tch::Tensor;

/// Steps and restarts of PGD within [`Worst::standard`]: the usual twenty steps, from the image
/// itself and four random starts.
const PGD_STEPS: u32 = 20;
const PGD_RESTARTS: u32 = 5;

/// Runs attacks one after the other, each on the images that are still classified correctly, and
/// keeps of every image the version that errs, else the one of highest cross-entropy. Images
/// that err unattacked count as broken and are not touched.
pub(crate) struct Worst {
    name: String,
    attacks: Vec<Box<dyn Attack>>,
}

impl Worst {
    /// APGD-CE, APGD-T, PGD with restarts and Square with `queries` queries; the dearest last, when
    /// few images are left.
    pub fn standard(queries: u32) -> Self {
        let name = if queries == square::QUERIES {
            "worst".into()
        } else {
            format!("worst-{queries}")
        };
        Self::of(
            name,
            vec![
                Box::new(ApgdCe::default()),
                Box::new(ApgdTargeted::default()),
                Box::new(Pgd::new(PGD_STEPS, PGD_RESTARTS, KeptPoint::Best)),
                Box::new(Square::new(queries)),
            ],
        )
    }

    /// The strongest of the given attacks, in the given order.
    pub fn of(name: String, attacks: Vec<Box<dyn Attack>>) -> Self {
        Self { name, attacks }
    }
}

impl Attack for Worst {
    fn name(&self) -> &str {
        &self.name
    }

    /// The most that any of its attacks knows.
    fn access(&self) -> Access {
        let knows = |access: Access| self.attacks.iter().any(|attack| attack.access() == access);
        [Access::WhiteBox, Access::BlackBox, Access::Transfer]
            .into_iter()
            .find(|access| knows(*access))
            .unwrap_or(Access::Random)
    }

    fn perturb(
        &self,
        target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let mut strongest = Strongest::new(target, batch);
        for attack in &self.attacks {
            let still_correct = strongest.still_correct();
            if still_correct.size()[0] == 0 {
                break;
            }
            let part = select(batch, &still_correct);
            let found = attack.perturb(target, &part, budget, seed)?;
            strongest.offer(&still_correct, &found);
        }
        Ok(strongest.images)
    }
}
