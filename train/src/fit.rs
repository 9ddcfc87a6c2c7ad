//! The training loop: epochs of balanced, augmented batches; hardening; validation; choice of the
//! best epoch; a checkpoint after each.
//!
//! All randomness comes from the seed and the epoch's number, never from what ran before, so a run
//! that resumes gives the same weights as one that was never stopped.

use crate::{
    attack::{Attack, budget::Budget, fgsm::Fgsm},
    checkpoint::{self, Checkpoint, CheckpointError, RunState},
    data::{
        augment::Augmentation,
        batch::Batch,
        crops::{Crop, CropSet},
        sampling::BalancedSampler,
    },
    harden::{adversarial::half_attacked, epsilon::EpsilonRange},
    measure,
    network::{
        self,
        module::{Mode, Network, Precision},
    },
    optimiser::Sgd,
    progress::Progress,
    schedule::Schedule,
};
use parseye::{classify::StandardisedCrop, evaluate::metrics::Confusion, eye_state::EyeState};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};
use tch::{Device, Kind};

/// Everything that decides what a run comes to; kept in the checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitSettings {
    /// Architecture by name.
    pub architecture: String,
    /// Budget of adversarial training; none trains on clean pictures alone.
    pub fgsm_epsilon: Option<EpsilonRange>,
    /// Number of epochs.
    pub epochs: usize,
    /// Crops drawn for an epoch.
    pub epoch_crops: usize,
    /// Crops in a batch.
    pub batch_size: usize,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Course of the learning rate.
    pub schedule: Schedule,
    /// Nesterov momentum.
    pub momentum: f64,
    /// Pull of weights towards zero.
    pub weight_decay: f64,
    /// Variations of the crops.
    pub augmentation: Augmentation,
    /// Arithmetic of the convolutions.
    pub precision: Precision,
    /// Seed of all randomness.
    pub seed: u64,
    /// Threads; the order of sums, and with it the last bits, depends on it.
    pub threads: usize,
}

impl FitSettings {
    /// The command that trains this way, every setting spelt out, so that a changed default does
    /// not change what it means. DATA and OUT stand for the user's folders.
    pub fn command(&self) -> String {
        let hardening = self
            .fgsm_epsilon
            .map_or_else(String::new, |range| format!(" --fgsm-eps {range}"));
        format!(
            "train --data DATA --arch {}{hardening} --epochs {} --epoch-crops {} --batch-size {} \
             --learning-rate {} --schedule {} --momentum {} --weight-decay {} --precision {} \
             --seed {} --threads {} --out OUT",
            self.architecture,
            self.epochs,
            self.epoch_crops,
            self.batch_size,
            self.learning_rate,
            flag(self.schedule),
            self.momentum,
            self.weight_decay,
            flag(self.precision),
            self.seed,
            self.threads,
        )
    }
}

/// A choice as the command line names it.
fn flag(choice: impl clap::ValueEnum) -> String {
    choice
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// What an epoch came to: a row of metrics.csv.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EpochRow {
    /// From 1.
    pub epoch: usize,
    /// Learning rate at its end.
    pub learning_rate: f64,
    /// Mean cross-entropy over its batches, as trained on.
    pub loss: f64,
    /// Share of its (augmented, attacked) crops answered rightly.
    pub accuracy: f64,
    /// Crops trained on in a second.
    pub images_per_second: f64,
    /// Clean validation accuracy.
    pub val_accuracy: f64,
    /// Clean validation accuracy, mean over the states.
    pub val_macro_accuracy: f64,
    /// Validation accuracy, mean over the states, under FGSM at the largest epsilon trained
    /// against; empty for a clean training.
    pub val_fgsm_macro_accuracy: Option<f64>,
    /// What epochs are compared by: the mean of the columns `val_*` that are there. Plain accuracy
    /// counts beside the macro one, or balanced batches would reward calling the rare state too often.
    pub score: f64,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A setting is wrong.
    #[error("{0}")]
    Setting(String),
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
    /// libtorch failed, commonly for want of memory.
    #[error("libtorch failed; give a smaller --batch-size if memory ran out")]
    Torch(#[from] tch::TchError),
    /// The user stopped the run.
    #[error("stopped; the checkpoint of the last whole epoch is kept, go on with --resume")]
    Stopped,
}

/// Trains a network, or goes on with the run in `folder` when `resume` is set, and returns the
/// finished run's checkpoint. `report` is called after each epoch with the history so far.
///
/// # Errors
/// See [`FitError`]; the last whole epoch's checkpoint is always kept.
pub fn fit(
    settings: &FitSettings,
    crops: &CropSet,
    device: Device,
    folder: &Path,
    resume: bool,
    stop: &AtomicBool,
    mut report: impl FnMut(&[EpochRow]) -> Result<(), FitError>,
) -> Result<Checkpoint, FitError> {
    let spec = network::by_name(&settings.architecture).map_err(FitError::Setting)?;
    let network = Network::new(&spec, settings.precision, device, settings.seed)?;
    let mut optimiser = Sgd::new(&network, settings.momentum, settings.weight_decay);
    let mut run = Checkpoint {
        state: RunState {
            settings: settings.clone(),
            data_sha256: crops.sha256.clone(),
            history: Vec::new(),
            best_epoch: 0,
        },
        network: checkpoint::copies(network.tensors()),
        velocity: checkpoint::copies(optimiser.velocity()),
        best: checkpoint::copies(network.tensors()),
    };
    if resume {
        let saved = Checkpoint::load(folder)?;
        same_run(&run.state, &saved.state)?;
        let damaged = |reason: String| CheckpointError {
            path: folder.join(checkpoint::FILE),
            reason,
            remedy: "start afresh without --resume in another --out",
        };
        network.load(&saved.network).map_err(damaged)?;
        optimiser.load(&saved.velocity).map_err(damaged)?;
        run = saved;
    }
    let val: Vec<(StandardisedCrop, EyeState)> = crops
        .val
        .iter()
        .map(|crop| (crop.standardised(), crop.sample.label))
        .collect();
    let sampler = BalancedSampler::new(&crops.train);
    let steps = settings.epoch_crops.div_ceil(settings.batch_size);
    let first = run.state.history.len() + 1;
    let mut progress = Progress::new(settings.epochs, steps, first - 1);
    for epoch in first..=settings.epochs {
        let mut row = one_epoch(
            settings,
            &network,
            &mut optimiser,
            &crops.train,
            &sampler,
            epoch,
            stop,
            &mut progress,
        )?;
        validate(settings, &network, &val, &mut row)?;
        let best = run
            .state
            .history
            .iter()
            .map(|row| row.score)
            .fold(f64::NEG_INFINITY, f64::max);
        if row.score > best {
            run.state.best_epoch = epoch;
            run.best = checkpoint::copies(network.tensors());
        }
        run.state.history.push(row);
        run.network = checkpoint::copies(network.tensors());
        run.velocity = checkpoint::copies(optimiser.velocity());
        run.save(folder)?;
        report(&run.state.history)?;
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

#[allow(clippy::too_many_arguments)]
fn one_epoch(
    settings: &FitSettings,
    network: &Network,
    optimiser: &mut Sgd,
    crops: &[Crop],
    sampler: &BalancedSampler,
    epoch: usize,
    stop: &AtomicBool,
    progress: &mut Progress,
) -> Result<EpochRow, FitError> {
    let begun = std::time::Instant::now();
    let mut rng = epoch_rng(settings.seed, epoch);
    let drawn = sampler.draw(settings.epoch_crops, &mut rng);
    let steps = drawn.len().div_ceil(settings.batch_size);
    let (mut loss_sum, mut right, mut rate) = (0.0, 0_i64, 0.0);
    for (step, chosen) in drawn.chunks(settings.batch_size).enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(FitError::Stopped);
        }
        let done = (epoch - 1) as f64 + step as f64 / steps as f64;
        rate = settings
            .schedule
            .rate(settings.learning_rate, done / settings.epochs as f64);
        let first = step * settings.batch_size;
        let batch = Batch::new(
            &varied(settings, crops, chosen, epoch, first),
            network.device(),
        )?;
        let images = match settings.fgsm_epsilon {
            None => batch.images.shallow_clone(),
            Some(range) => {
                let budget = Budget::linf(range.draw(&mut rng));
                half_attacked(network, &batch, &Fgsm, budget, rng.random())?
            }
        };
        let logits = network.forward(&images, Mode::Train);
        let loss = logits.cross_entropy_for_logits(&batch.labels);
        optimiser.step(network, &loss, rate);
        let value = loss.f_double_value(&[])?;
        if !value.is_finite() {
            return Err(FitError::NotANumber {
                epoch,
                batch: step + 1,
                learning_rate: settings.learning_rate,
            });
        }
        let hits = logits
            .argmax(1, false)
            .eq_tensor(&batch.labels)
            .sum(Kind::Int64);
        right += hits.f_int64_value(&[])?;
        loss_sum += value * chosen.len() as f64;
        let seen = (first + chosen.len()) as f64;
        progress.step(
            epoch,
            loss_sum / seen,
            right as f64 / seen,
            seen / begun.elapsed().as_secs_f64(),
        );
    }
    let seen = drawn.len() as f64;
    Ok(EpochRow {
        epoch,
        learning_rate: rate,
        loss: loss_sum / seen,
        accuracy: right as f64 / seen,
        images_per_second: seen / begun.elapsed().as_secs_f64(),
        val_accuracy: 0.0,
        val_macro_accuracy: 0.0,
        val_fgsm_macro_accuracy: None,
        score: 0.0,
    })
}

fn validate(
    settings: &FitSettings,
    network: &Network,
    val: &[(StandardisedCrop, EyeState)],
    row: &mut EpochRow,
) -> Result<(), FitError> {
    let clean: Confusion = measure::confusion(network, val, None)?;
    row.val_accuracy = clean.accuracy();
    row.val_macro_accuracy = clean.macro_accuracy();
    row.score = (row.val_accuracy + row.val_macro_accuracy) / 2.0;
    if let Some(range) = settings.fgsm_epsilon {
        let attack: (&dyn Attack, Budget) = (&Fgsm, Budget::linf(range.high));
        let attacked = measure::confusion(network, val, Some(attack))?.macro_accuracy();
        row.val_fgsm_macro_accuracy = Some(attacked);
        row.score = (row.val_accuracy + row.val_macro_accuracy + attacked) / 3.0;
    }
    Ok(())
}

/// The generator of an epoch: independent of the epochs before it.
fn epoch_rng(seed: u64, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    rng
}

/// Streams of single crops start far beyond those of epochs.
const CROP_STREAMS: u64 = 1 << 32;

/// Variations of the chosen crops, made by all threads; each crop has a generator of its own, so
/// the result does not depend on how they were shared out.
fn varied(
    settings: &FitSettings,
    crops: &[Crop],
    chosen: &[usize],
    epoch: usize,
    first: usize,
) -> Vec<(StandardisedCrop, EyeState)> {
    let vary = |position: usize, index: usize| {
        let number = (epoch * settings.epoch_crops + first + position) as u64;
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        rng.set_stream(CROP_STREAMS + number);
        let crop = &crops[index];
        (
            settings.augmentation.apply(crop, &mut rng),
            crop.sample.label,
        )
    };
    let share = chosen.len().div_ceil(settings.threads.max(1)).max(1);
    let mut made: Vec<Vec<(StandardisedCrop, EyeState)>> = Vec::new();
    made.resize_with(chosen.len().div_ceil(share), Vec::new);
    std::thread::scope(|scope| {
        for (part, (indices, out)) in chosen.chunks(share).zip(&mut made).enumerate() {
            let vary = &vary;
            scope.spawn(move || {
                let of = indices.iter().enumerate();
                out.extend(of.map(|(i, index)| vary(part * share + i, *index)));
            });
        }
    });
    made.into_iter().flatten().collect()
}
