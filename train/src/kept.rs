//! What a model knew before its training went on: data that it must not forget, mixed with the new ones, and how well
//! it reads both before and after.

use crate::{
    crop::Crop,
    data::{crops::CropSet, demo},
    fit_arguments::FitArguments,
    measure,
};
use parseye_vision::{classify::EyeStateModel, evaluate::metrics::Confusion, eye_state::EyeState};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The validation crops of both.
pub(crate) struct Kept {
    old_name: PathBuf,
    old: Vec<Crop>,
    own: Vec<Crop>,
}

impl Kept {
    /// Reads the old data and mixes them into `crops`: all of their training crops, and as many of their validation
    /// crops as the new data have, so that an epoch is chosen by both alike. Where none are given nothing is mixed, and
    /// drawn eyes show what is forgotten.
    ///
    /// # Errors
    /// When the old data cannot be read.
    pub(crate) fn read(arguments: &FitArguments, crops: &mut CropSet) -> anyhow::Result<Self> {
        let own = crops.val.clone();
        let Some(path) = &arguments.hardening.old_data else {
            let drawn = CropSet::read(&[demo::NAME])?;
            return Ok(Self {
                old_name: demo::NAME.into(),
                old: drawn.val,
                own,
            });
        };
        let old = CropSet::read(&[path])?;
        crops.train.extend(old.train);
        crops
            .val
            .extend(measure::spread(&old.val, own.len()).cloned());
        let mut hash = Sha256::new();
        hash.update(&crops.sha256);
        hash.update(&old.sha256);
        crops.sha256 = hex::encode(hash.finalize());
        Ok(Self {
            old_name: path.clone(),
            old: old.val,
            own,
        })
    }

    /// Prints how well both models read the new and the old validation crops.
    ///
    /// # Errors
    /// When a model cannot be run.
    pub(crate) fn compare(&self, before: &Path, after: &Path) -> anyhow::Result<()> {
        let models = [before, after].map(EyeStateModel::from_file);
        let [before, after] = models;
        let (before, after) = (before?, after?);
        for (name, crops) in [("new data", &self.own), ("old data", &self.old)] {
            let (before, after) = (confusion(&before, crops)?, confusion(&after, crops)?);
            let which = if name == "old data" {
                format!(" ({})", self.old_name.display())
            } else {
                String::new()
            };
            eprintln!(
                "{name}{which}, {} validation crops: accuracy {:.3} before, {:.3} after; macro {:.3} before, {:.3} after",
                crops.len(),
                before.accuracy(),
                after.accuracy(),
                before.macro_accuracy(),
                after.macro_accuracy()
            );
        }
        Ok(())
    }
}

fn confusion(model: &EyeStateModel, crops: &[Crop]) -> anyhow::Result<Confusion> {
    let mut classifier = model.classifier()?;
    let mut confusion = Confusion::default();
    for crop in crops {
        let probabilities = classifier.probabilities(&crop.standardised(model.side()))?;
        confusion.add(crop.sample.label, EyeState::most_likely(&probabilities));
    }
    Ok(confusion)
}
