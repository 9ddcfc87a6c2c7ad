//! The training loop: epochs of balanced, augmented batches; hardening; validation; choice of the
//! epoch to keep; a checkpoint after each.
//!
//! All randomness comes from the seed and the epoch's number, never from what ran before, so a run
//! that resumes gives the same weights as one that was never stopped.

pub mod checkpoint;
mod epoch;
mod epoch_row;
mod lid_loss;
pub mod settings;
mod targets;
mod validate;

pub use epoch_row::EpochRow;
pub use settings::{FitSettings, Fold, KeptEpoch, Teacher};

use crate::{
    attack::Classifier,
    corruption::CorruptionError,
    data::{crops::CropSet, lids, sampling::BalancedSampler},
    harden::constraint,
    network::{ArchitectureError, TensorError},
    progress::Progress,
};
use checkpoint::{Checkpoint, CheckpointError, RunState};
use epoch::{Epoch, TrainState};
use std::{collections::BTreeMap, path::Path, sync::atomic::AtomicBool};
use tch::{Device, Tensor};
use validate::Validation;

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// There is no such network.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The threads that augment crops cannot be started.
    #[error("{threads} threads cannot be started ({reason}); give fewer --threads")]
    Threads {
        /// Number of threads.
        threads: usize,
        /// The system's message.
        reason: String,
    },
    /// The history of the run cannot be written.
    #[error("{0}; free some space, then --resume")]
    Metrics(String),
    /// The loss is no number any more.
    #[error("the loss is not a number in epoch {epoch}, batch {batch}; give a lower --learning-rate (it was {learning_rate}); the checkpoint of epoch {} is kept", epoch - 1)]
    NotANumber {
        /// From 1.
        epoch: usize,
        /// From 1.
        batch: usize,
        /// Rate at the start.
        learning_rate: f64,
    },
    /// The checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Single-step training has learnt robustness to its own attack only.
    #[error(
        "catastrophic overfitting in epoch {epoch}: the network is correct under FGSM for {:.0} % of {n} validation crops and under PGD for {:.0} %; train with --attack n-fgsm or pgd-3, or a smaller --fgsm-eps; the checkpoint of the epoch is kept",
        100.0 * fgsm, 100.0 * pgd
    )]
    CatastrophicOverfitting {
        /// From 1.
        epoch: usize,
        /// Accuracy under FGSM.
        fgsm: f64,
        /// Accuracy under PGD within the same budget.
        pgd: f64,
        /// Number of crops.
        n: usize,
    },
    /// A run is resumed with other arguments than it was begun with.
    #[error(
        "cannot resume: {what} was {begun} when the run began and is {now} now; give the same, or start afresh in another --out"
    )]
    OtherRun {
        /// Name of the setting.
        what: String,
        /// Its value in the checkpoint.
        begun: String,
        /// Its value now.
        now: String,
    },
    /// The tensors of the base are not those of the network.
    #[error("the base cannot be gone on with: {0}; please report this with the model at hand")]
    Initial(#[from] TensorError),
    /// A model that takes part reads images of another size.
    #[error(
        "'{name}' reads {side}x{side} images and the network in training {needed}x{needed}; give a model of the same size or another --arch"
    )]
    OtherSize {
        /// The model.
        name: String,
        /// Its side in pixels.
        side: usize,
        /// The side of the network in training.
        needed: usize,
    },
    /// A crop cannot be transformed.
    #[error(transparent)]
    Corruption(#[from] CorruptionError),
    /// libtorch failed, commonly for want of memory.
    #[error("libtorch failed; give a smaller --batch-size if memory ran out")]
    Torch(#[from] tch::TchError),
    /// The user stopped the run.
    #[error("stopped; the checkpoint of the last whole epoch is kept, go on with --resume")]
    Stopped,
}

/// Data, models, device and folder of a run.
#[derive(Clone, Copy)]
pub struct FitContext<'a> {
    /// Labelled crops.
    pub crops: &'a CropSet,
    /// The base model of added examples, where they need one.
    pub base: Option<&'a dyn Classifier>,
    /// The model whose predictions are learnt, where one is.
    pub teacher: Option<&'a dyn Classifier>,
    /// Tensors that the network begins with in place of random ones, where a training goes on.
    pub initial: Option<&'a BTreeMap<String, Tensor>>,
    /// Where to compute.
    pub device: Device,
    /// Folder of the checkpoint.
    pub folder: &'a Path,
    /// Set to stop at the next batch.
    pub stop: &'a AtomicBool,
}

/// Trains a network, or goes on with the run in the folder when `resume` is set, and returns the
/// finished run's checkpoint. `report` is called after each epoch with the run so far.
///
/// # Errors
/// See [`FitError`]; the last whole epoch's checkpoint is always kept.
pub fn fit(
    settings: &FitSettings,
    context: FitContext<'_>,
    resume: bool,
    mut report: impl FnMut(&RunState) -> Result<(), FitError>,
) -> Result<Checkpoint, FitError> {
    let crops = context.crops;
    let mut train_state = TrainState::new(settings, context.device)?;
    if let Some(initial) = context.initial {
        train_state.begin_with(initial)?;
    }
    let side = train_state.network.spec().side;
    for model in [context.base, context.teacher].into_iter().flatten() {
        if model.side() != side {
            return Err(FitError::OtherSize {
                name: model.name().into(),
                side: model.side(),
                needed: side,
            });
        }
    }
    let mut run = Checkpoint {
        state: RunState {
            settings: settings.clone(),
            data_sha256: crops.sha256.clone(),
            history: Vec::new(),
            best_epoch: 0,
            frame_deviations: Vec::new(),
        },
        network: checkpoint::copies(train_state.network.tensors()),
        velocity: checkpoint::copies(train_state.optimiser.velocity()),
        average: checkpoint::copies(train_state.evaluated().tensors()),
        best: checkpoint::copies(train_state.network.tensors()),
    };
    if resume {
        let saved = Checkpoint::load(context.folder)?;
        same_run(&run.state, &saved.state)?;
        train_state.load(&saved).map_err(|error| CheckpointError {
            path: context.folder.join(checkpoint::FILE),
            reason: error.to_string(),
            remedy: "start afresh without --resume in another --out",
        })?;
        run = saved;
    }
    let workers = epoch::workers(settings.threads)?;
    let validation = Validation::new(&crops.val, side, settings.keep);
    let sampler = BalancedSampler::new(&crops.train, settings.people_weight);
    let lids = match settings.openness_weight > 0.0 {
        true => lids::targets(&crops.train),
        false => Vec::new(),
    };
    let steps = settings.epoch_crops.div_ceil(settings.batch_size);
    let first = run.state.history.len() + 1;
    let mut progress = Progress::new(settings.epochs, steps, first - 1);
    for number in first..=settings.epochs {
        let epoch = Epoch {
            settings,
            context,
            sampler: &sampler,
            lids: &lids,
            number,
        };
        let mut row = epoch.train(&mut train_state, &workers, &mut progress)?;
        validation.fill(settings, train_state.evaluated(), &mut row)?;
        let deviations = constraint::deviations(train_state.evaluated());
        row.mean_frame_deviation = deviations
            .iter()
            .map(|(_, deviation)| deviation)
            .sum::<f64>()
            / deviations.len().max(1) as f64;
        let best = run
            .state
            .history
            .iter()
            .map(|row| row.score)
            .fold(f64::NEG_INFINITY, f64::max);
        if row.score > best || settings.keep == KeptEpoch::Last {
            run.state.best_epoch = number;
            run.best = checkpoint::copies(train_state.evaluated().tensors());
        }
        let overfitting = validation.overfitting(&row);
        run.state.frame_deviations.push(deviations);
        run.state.history.push(row);
        run.network = checkpoint::copies(train_state.network.tensors());
        run.velocity = checkpoint::copies(train_state.optimiser.velocity());
        run.average = checkpoint::copies(train_state.evaluated().tensors());
        run.save(context.folder)?;
        report(&run.state)?;
        if let Some(overfitting) = overfitting {
            return Err(overfitting);
        }
    }
    progress.finish();
    Ok(run)
}

/// Fails on the first setting in which two runs differ.
fn same_run(now: &RunState, begun: &RunState) -> Result<(), FitError> {
    let other = |what: &str, begun: &dyn std::fmt::Display, now: &dyn std::fmt::Display| {
        FitError::OtherRun {
            what: what.into(),
            begun: begun.to_string(),
            now: now.to_string(),
        }
    };
    if now.data_sha256 != begun.data_sha256 {
        return Err(other(
            "the data's hash",
            &begun.data_sha256,
            &now.data_sha256,
        ));
    }
    let as_json = |state: &RunState| serde_json::to_value(&state.settings).unwrap_or_default();
    let (now, begun) = (as_json(now), as_json(begun));
    for (name, value) in now.as_object().into_iter().flatten() {
        let before = begun.get(name).unwrap_or(&serde_json::Value::Null);
        if before != value {
            return Err(other(name, before, value));
        }
    }
    Ok(())
}
