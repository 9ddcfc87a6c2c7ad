//! The only place where the study meets the rest of the library: training, reading a model,
//! attacking it, counting its predictions.

use super::{cell::Evaluation, folder::CellPredictions, suite::Scale};
use crate::{
    attack::{
        self, Access, Classifier,
        budget::{Budget, Norm},
    },
    conditions::{Condition, EvaluationPlan, evaluate},
    crop::Crop,
    data::{batch::Batch, crops::CropSet, folds::fold_of_each},
    device::{self, DeviceChoice},
    fit_arguments::FitArguments,
    logits::rows,
    network::onnx::OnnxClassifier,
    robustness::{self, Metrics},
};
use anyhow::anyhow;
use clap::{Args, FromArgMatches};
use parseye_vision::{
    evaluate::manifest::Sample,
    eye_state::{EyeState, STATES},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{path::Path, sync::atomic::AtomicBool};
use tch::Device;

/// One evaluation to be done.
#[derive(Clone, Debug)]
pub struct EvaluationJob<'a> {
    /// The model's file.
    pub model: &'a Path,
    /// The model that makes the examples, for a transfer attack.
    pub from: Option<&'a Path>,
    /// The evaluation.
    pub evaluation: &'a Evaluation,
    /// Whose people are held out, from 0.
    pub fold: usize,
}

/// Crops of one kind of perturbation, for the gallery.
#[derive(Clone, Debug)]
pub struct Perturbed {
    /// The standardised images.
    pub images: Vec<Vec<f32>>,
    /// Prediction for each.
    pub predictions: Vec<EyeState>,
}

/// Does the work of a study's cells.
pub trait Runner {
    /// Hash of the data.
    fn data_sha256(&self) -> &str;

    /// Rows of the manifest that are not in the test split.
    fn samples(&self) -> Vec<&Sample>;

    /// Trains by the command line of `train`, without the program's name.
    ///
    /// # Errors
    /// As training.
    fn train(&mut self, arguments: &[String], stop: &AtomicBool) -> anyhow::Result<()>;

    /// Measures a model on the people that its fold held out; the first condition is clean. With a
    /// model to make the examples, only clean and transfer conditions are given.
    ///
    /// # Errors
    /// When a model cannot be read or an attack fails.
    fn evaluate(&mut self, job: &EvaluationJob) -> anyhow::Result<CellPredictions>;

    /// Metrics with intervals bootstrapped by subject.
    ///
    /// # Errors
    /// When they cannot be counted.
    fn metrics(
        &self,
        samples: &[&Sample],
        logits: &[[f32; STATES]],
        temperature: f32,
        seed: u64,
    ) -> anyhow::Result<Metrics>;

    /// The first crop of each state that the fold held out, perturbed; unperturbed without an
    /// attack.
    ///
    /// # Errors
    /// As [`Runner::evaluate`].
    fn perturb(
        &mut self,
        model: &Path,
        fold: usize,
        scale: Scale,
        attack: Option<(&str, f64)>,
    ) -> anyhow::Result<Perturbed>;
}

/// The library itself.
#[derive(Debug)]
pub(crate) struct Library {
    crops: CropSet,
    device: Device,
}

impl Library {
    /// Reads the data once for all cells.
    ///
    /// # Errors
    /// Names the row or image that is wrong.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let crops = CropSet::read(&[data])?;
        // The device of a training without --device.
        let device = device::choose(DeviceChoice::Auto)?;
        Ok(Self { crops, device })
    }

    /// Checks that people can be split this way.
    ///
    /// # Errors
    /// When there are more folds than people.
    pub fn check(&self, scale: Scale) -> anyhow::Result<()> {
        fold_of_each(&self.crops, scale.folds, scale.seed)
            .map(|_| ())
            .map_err(|error| anyhow!("--folds: {error}"))
    }

    fn held_out(&self, folds: usize, fold: usize, seed: u64) -> anyhow::Result<Vec<&Crop>> {
        let fold_of = fold_of_each(&self.crops, folds, seed)?;
        let all = self.crops.train.iter().chain(&self.crops.val);
        let held_out = all.filter(|crop| fold_of.get(&crop.sample.subject) == Some(&fold));
        Ok(held_out.collect())
    }
}

/// `count` of the items, drawn by the seed, in their own order.
fn some<T>(mut items: Vec<T>, count: Option<usize>, seed: u64) -> Vec<T> {
    let Some(count) = count else { return items };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    while items.len() > count {
        items.remove(rng.random_range(0..items.len()));
    }
    items
}

/// Arguments of `train` as it would read them from the command line.
///
/// # Errors
/// The message of the command line's parser.
pub fn parse(arguments: &[String]) -> anyhow::Result<FitArguments> {
    let command = FitArguments::augment_args(clap::Command::new("train")).no_binary_name(true);
    let matches = command.try_get_matches_from(arguments);
    let matches = matches.map_err(|error| anyhow!("{}", error.render().to_string().trim_end()))?;
    Ok(FitArguments::from_arg_matches(&matches)?)
}

impl Runner for Library {
    fn data_sha256(&self) -> &str {
        &self.crops.sha256
    }

    fn samples(&self) -> Vec<&Sample> {
        let all = self.crops.train.iter().chain(&self.crops.val);
        all.map(|crop| &crop.sample).collect()
    }

    fn train(&mut self, arguments: &[String], stop: &AtomicBool) -> anyhow::Result<()> {
        crate::run::train(&parse(arguments)?, stop)
    }

    fn evaluate(&mut self, job: &EvaluationJob) -> anyhow::Result<CellPredictions> {
        let Evaluation {
            folds,
            seed,
            at_most,
            norm,
            ..
        } = *job.evaluation;
        let crops = some(self.held_out(folds, job.fold, seed)?, at_most, seed);
        let model = OnnxClassifier::read(job.model, self.device)?;
        let from = job
            .from
            .map(|path| OnnxClassifier::read(path, self.device))
            .transpose()?;
        let plan = EvaluationPlan {
            attacks: job.evaluation.attacks.clone(),
            snrs_db: job.evaluation.snrs_db.clone(),
            noise_snrs_db: job.evaluation.noise_snrs_db.clone(),
            norm,
            seed,
            corruptions: false,
        };
        let from_classifier = from.as_ref().map(|from| from as &dyn Classifier);
        let predictions = evaluate(&model, &crops, &plan, from_classifier, &mut |condition| {
            eprintln!("  {condition}")
        })?;
        Ok(CellPredictions {
            paths: crops
                .iter()
                .map(|crop| crop.sample.path.to_string_lossy().into_owned())
                .collect(),
            temperature: model.card().temperature,
            conditions: predictions
                .into_iter()
                .filter(|predictions| is_reported(&predictions.condition, job.from.is_some()))
                .map(|predictions| (predictions.condition, predictions.logits))
                .collect(),
        })
    }

    fn metrics(
        &self,
        samples: &[&Sample],
        logits: &[[f32; STATES]],
        temperature: f32,
        seed: u64,
    ) -> anyhow::Result<Metrics> {
        Ok(robustness::metrics(samples, logits, temperature, seed))
    }

    fn perturb(
        &mut self,
        model: &Path,
        fold: usize,
        scale: Scale,
        attack: Option<(&str, f64)>,
    ) -> anyhow::Result<Perturbed> {
        let crops = self.held_out(scale.folds, fold, scale.seed)?;
        // One crop of each state, in the order of the states.
        let chosen = EyeState::ALL
            .iter()
            .filter_map(|state| crops.iter().find(|c| c.sample.label == *state));
        let model = OnnxClassifier::read(model, self.device)?;
        let side = model.side();
        let chosen: Vec<_> = chosen
            .map(|crop| (crop.standardised(side), crop.sample.label))
            .collect();
        let batch = Batch::new(&chosen, self.device)?;
        let images = match attack {
            None => batch.images.shallow_clone(),
            Some((name, snr_db)) => {
                let attack = attack::by_name(name)?;
                let norm = attack.access().norm(Norm::Linf);
                attack.perturb(&model, &batch, Budget::of_snr(norm, snr_db), scale.seed)?
            }
        };
        let logits = rows(&tch::no_grad(|| model.logits(&images)))?;
        let values: Vec<f32> = Vec::try_from(images.f_contiguous()?.f_flatten(0, -1)?)?;
        Ok(Perturbed {
            images: values
                .chunks_exact(side * side)
                .map(<[f32]>::to_vec)
                .collect(),
            predictions: logits.iter().map(EyeState::most_likely).collect(),
        })
    }
}

/// Whether a condition is to be kept of an evaluation: of a transfer evaluation only clean and
/// transfer, so that no white-box metric is ever taken for a transfer one.
pub(crate) fn is_reported(condition: &Condition, is_transfer: bool) -> bool {
    !is_transfer || matches!(condition.access, None | Some(Access::Transfer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fit_arguments::FileHashes,
        study::{cell::Work, suite::Suite},
    };
    use strum::VariantArray;

    #[test]
    fn the_arguments_of_every_cell_are_those_of_a_training() {
        for &suite in Suite::VARIANTS {
            let scale = Scale {
                folds: 3,
                quick: true,
                seed: 7,
            };
            for cell in suite.cells(scale) {
                let Work::Train { arguments, base } = &cell.work else {
                    continue;
                };
                let mut whole = arguments.clone();
                whole.extend(["--data", "d", "--out", "o"].map(str::to_owned));
                let fgsm = base.is_some() && cell.group.contains("fgsm");
                if base.is_some() {
                    whole.extend(["--base", "m.onnx"].map(str::to_owned));
                }
                let parsed = parse(&whole).unwrap();
                let files = FileHashes {
                    base: base.as_ref().map(|_| "hash".into()),
                    ..FileHashes::default()
                };
                let settings = parsed.resolve(Device::Cpu, files);
                let settings = settings.unwrap();
                assert_eq!(settings.seed, 7, "{}", cell.group);
                assert_eq!(settings.fold.unwrap().index, cell.fold, "{}", cell.group);
                let added = settings.added.and_then(|added| added.base_sha256);
                assert_eq!(added.is_some(), fgsm, "{}", cell.group);
            }
        }
    }
}
