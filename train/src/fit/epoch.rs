//! One epoch: batches are drawn, augmented, attacked and trained on.

use super::{
    EpochRow, FitContext, FitError, FitSettings, checkpoint::Checkpoint, lid_loss::LidBatch,
    targets,
};
use crate::{
    corruption::{self, CorruptionError},
    crop::Crop,
    data::{augment::Augmentation, batch::Batch, lids::LidTarget, sampling::BalancedSampler},
    harden::{
        adversarial::Adversarial,
        constraint,
        loss::{Loss, divergence},
        weight_perturbation::at_worst_weights,
    },
    network::{
        TensorError,
        constraint::Constraint,
        module::{Mode, Network},
    },
    optimiser::{self, Sgd},
    progress::Progress,
};
use parseye_vision::{classify::StandardisedCrop, eye_state::EyeState};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};
use std::{collections::BTreeMap, sync::atomic::Ordering, time::Instant};
use tch::{Device, Kind, Reduction, Tensor};

/// State of a run that changes from step to step.
pub struct TrainState {
    /// The network as the optimiser moves it.
    pub network: Network,
    /// The optimiser.
    pub optimiser: Sgd,
    /// The moving average of the network's tensors, where one is kept.
    average: Option<Network>,
}

impl TrainState {
    /// A fresh network and an optimiser at rest.
    pub fn new(settings: &FitSettings, device: Device) -> Result<Self, FitError> {
        let spec = settings.network()?;
        let fresh = || Network::new(&spec, settings.precision, device, settings.seed);
        let network = fresh()?;
        let average = if settings.weight_average > 0.0 {
            Some(fresh()?)
        } else {
            None
        };
        Ok(Self {
            optimiser: Sgd::new(&network, settings.momentum, settings.weight_decay),
            network,
            average,
        })
    }

    /// Begins with these tensors in place of random ones.
    pub fn begin_with(&self, tensors: &BTreeMap<String, Tensor>) -> Result<(), TensorError> {
        self.network.load(tensors)?;
        match &self.average {
            Some(average) => average.load(tensors),
            None => Ok(()),
        }
    }

    /// Overwrites the state with that of a checkpoint.
    pub fn load(&mut self, saved: &Checkpoint) -> Result<(), TensorError> {
        self.network.load(&saved.network)?;
        self.optimiser.load(&saved.velocity)?;
        match &self.average {
            Some(average) => average.load(&saved.average),
            None => Ok(()),
        }
    }

    /// The network that is validated and kept.
    pub fn evaluated(&self) -> &Network {
        self.average.as_ref().unwrap_or(&self.network)
    }

    /// Moves the average towards the network. While few steps are done it follows faster, or it
    /// would remember the random start (as TensorFlow's ExponentialMovingAverage does).
    fn update_average(&self, decay: f64, steps_done: usize) {
        let Some(average) = &self.average else {
            return;
        };
        let steps = steps_done as f64;
        let decay = decay.min((1.0 + steps) / (10.0 + steps));
        tch::no_grad(|| {
            for (name, mean) in average.tensors() {
                if let Some(now) = self.network.tensors().get(name) {
                    let mut mean = mean.shallow_clone();
                    let step = (now - &mean) * (1.0 - decay);
                    mean += step;
                }
            }
        });
    }
}

/// One epoch of a run.
pub(crate) struct Epoch<'a> {
    /// Settings of the run.
    pub settings: &'a FitSettings,
    /// Data, models and device of the run.
    pub context: FitContext<'a>,
    /// Draws the crops.
    pub sampler: &'a BalancedSampler,
    /// What each training crop teaches of the lids; empty where the network says nothing of them.
    pub lids: &'a [LidTarget],
    /// From 1.
    pub number: usize,
}

/// Images ready to be trained on.
struct Minibatch {
    batch: Batch,
    /// The batch's images, attacked or with added examples.
    images: Tensor,
    /// The training target: labels i64 `[N]`, or probabilities f32 `[N,4]`.
    target: Tensor,
    /// What the images teach of the lids, where the network says anything of them.
    lids: Option<LidBatch>,
}

impl Epoch<'_> {
    /// Trains for the epoch; the validation columns of the row are left empty.
    pub fn train(
        &self,
        train_state: &mut TrainState,
        workers: &ThreadPool,
        progress: &mut Progress,
    ) -> Result<EpochRow, FitError> {
        let begun = Instant::now();
        let settings = self.settings;
        let side = train_state.network.spec().side;
        let mut rng = epoch_rng(settings.seed, self.number);
        let dropout_seed = rng.random::<u32>();
        if settings.dropout > 0.0 {
            // Dropout draws from libtorch's own generator, which is one for the whole process.
            tch::manual_seed(dropout_seed.into());
        }
        let drawn = self.sampler.draw(settings.epoch_crops, &mut rng);
        let steps = drawn.len().div_ceil(settings.batch_size);
        let (mut loss_sum, mut correct, mut rate) = (0.0, 0_i64, 0.0);
        for (step, chosen) in drawn.chunks(settings.batch_size).enumerate() {
            if self.context.stop.load(Ordering::Relaxed) {
                return Err(FitError::Stopped);
            }
            let done = (self.number - 1) as f64 + step as f64 / steps as f64;
            rate = settings
                .schedule
                .rate(settings.learning_rate, done / settings.epochs as f64);
            let first = step * settings.batch_size;
            let crops = self.augmented(workers, side, chosen, first)?;
            let minibatch = self.minibatch(&train_state.network, chosen, &crops, &mut rng)?;
            let (loss, logits) = self.optimise(train_state, &minibatch, rate)?;
            if settings.constraint != Constraint::None {
                constraint::restore(&train_state.network, &settings.retraction, &mut rng);
            }
            let steps_done = (self.number - 1) * steps + step;
            train_state.update_average(settings.weight_average, steps_done);
            if !loss.is_finite() {
                return Err(FitError::NotANumber {
                    epoch: self.number,
                    batch: step + 1,
                    learning_rate: settings.learning_rate,
                });
            }
            let is_correct = logits.argmax(1, false).eq_tensor(&minibatch.batch.labels);
            correct += is_correct.sum(Kind::Int64).f_int64_value(&[])?;
            loss_sum += loss * chosen.len() as f64;
            let seen = (first + chosen.len()) as f64;
            progress.step(
                self.number,
                loss_sum / seen,
                correct as f64 / seen,
                seen / begun.elapsed().as_secs_f64(),
            );
        }
        let seen = drawn.len() as f64;
        Ok(EpochRow {
            epoch: self.number,
            learning_rate: rate,
            loss: loss_sum / seen,
            accuracy: correct as f64 / seen,
            images_per_second: seen / begun.elapsed().as_secs_f64(),
            ..Default::default()
        })
    }

    /// Makes a minibatch of crops: attacked, or with added examples, as set.
    fn minibatch(
        &self,
        network: &Network,
        chosen: &[usize],
        crops: &[(StandardisedCrop, EyeState)],
        rng: &mut ChaCha8Rng,
    ) -> Result<Minibatch, tch::TchError> {
        let batch = Batch::new(crops, network.device())?;
        let images = if let Some(adversarial) = &self.settings.adversarial {
            let epsilon = adversarial.epsilon.draw(rng);
            adversarial.attacked(network, &batch, epsilon, rng.random())?
        } else if let Some(added) = &self.settings.added {
            added.mixed(self.context.base, &batch, rng.random())?
        } else {
            batch.images.shallow_clone()
        };
        let target = targets::of(self.settings, &batch, self.context.teacher)?;
        Ok(Minibatch {
            lids: self.lid_batch(chosen, crops, network.device())?,
            batch,
            images,
            target,
        })
    }

    /// What the crops of a minibatch teach of the lids; `chosen` are their positions. An eye that was covered shows
    /// none.
    fn lid_batch(
        &self,
        chosen: &[usize],
        crops: &[(StandardisedCrop, EyeState)],
        device: Device,
    ) -> Result<Option<LidBatch>, tch::TchError> {
        if self.lids.is_empty() {
            return Ok(None);
        }
        let target = |(index, (_, label)): (&usize, &(StandardisedCrop, EyeState))| match label {
            EyeState::NotVisible => LidTarget::default(),
            _ => self.lids.get(*index).copied().unwrap_or_default(),
        };
        let targets: Vec<LidTarget> = chosen.iter().zip(crops).map(target).collect();
        LidBatch::new(&targets, device).map(Some)
    }

    /// One step of the optimiser; returns the loss and the logits of the minibatch's images.
    fn optimise(
        &self,
        train_state: &mut TrainState,
        minibatch: &Minibatch,
        rate: f64,
    ) -> Result<(f64, Tensor), tch::TchError> {
        let network = &train_state.network;
        let (loss, logits) = self.objective(network, minibatch);
        let mut gradients = optimiser::gradients(network, &loss)?;
        let gamma = self
            .settings
            .adversarial
            .as_ref()
            .map_or(0.0, |adversarial| adversarial.weight_perturbation);
        if gamma > 0.0 {
            gradients = at_worst_weights(network, &gradients, gamma, || {
                let (loss, _) = self.objective(network, minibatch);
                optimiser::gradients(network, &loss)
            })?;
        }
        train_state.optimiser.step(network, gradients, rate);
        Ok((loss.f_double_value(&[])?, logits))
    }

    /// The loss to minimise, and the logits of the minibatch's images.
    fn objective(&self, network: &Network, minibatch: &Minibatch) -> (Tensor, Tensor) {
        let smoothing = self.settings.label_smoothing;
        let cross_entropy = |logits: &Tensor| {
            let target = &minibatch.target;
            logits.cross_entropy_loss::<Tensor>(target, None, Reduction::Mean, -100, smoothing)
        };
        let mode = match self.settings.initial_sha256 {
            None => Mode::Train,
            Some(_) => Mode::Frozen,
        };
        let outputs = network.outputs(&minibatch.images, mode);
        let logits = outputs.logits;
        let (loss, logits) = match &self.settings.adversarial {
            Some(Adversarial {
                loss: Loss::Trades,
                trades_weight,
                ..
            }) => {
                let clean = network.forward(&minibatch.batch.images, mode);
                let divergence = divergence(&clean, &logits).mean(Kind::Float);
                (cross_entropy(&clean) + divergence * *trades_weight, logits)
            }
            _ => (cross_entropy(&logits), logits),
        };
        match minibatch.lids.as_ref().zip(outputs.lids) {
            Some((targets, lids)) => {
                let of_lids = targets.loss(&lids) * self.settings.openness_weight;
                (loss + of_lids, logits)
            }
            None => (loss, logits),
        }
    }

    /// The chosen crops augmented by all threads; each crop has a generator of its own, so the result
    /// does not depend on their number.
    fn augmented(
        &self,
        workers: &ThreadPool,
        side: usize,
        chosen: &[usize],
        first: usize,
    ) -> Result<Vec<(StandardisedCrop, EyeState)>, CorruptionError> {
        let settings = self.settings;
        let crops: &[Crop] = &self.context.crops.train;
        let augmentation: &Augmentation = &settings.augmentation;
        let epoch = self.number;
        let augment = |position: usize, index: usize| {
            let number = (epoch * settings.epoch_crops + first + position) as u64;
            let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
            rng.set_stream(CROP_STREAMS + number);
            let crop = &crops[index];
            // Drawn only where it is set, so that runs without it stay what they were.
            let corrupted = settings.corruption > 0.0 && rng.random_bool(settings.corruption);
            if corrupted {
                return Ok((corruption::random(crop, side, &mut rng)?, crop.sample.label));
            }
            let augmented = augmentation.apply(crop, side, &mut rng);
            let label = if augmented.covered {
                EyeState::NotVisible
            } else {
                crop.sample.label
            };
            Ok((augmented.crop, label))
        };
        let augmented: Vec<_> = workers.install(|| {
            let positions = chosen.par_iter().enumerate();
            positions
                .map(|(position, index)| augment(position, *index))
                .collect()
        });
        // The error of the first crop, whichever thread came upon one first.
        augmented.into_iter().collect()
    }
}

/// The threads that augment crops: as many as `--threads` gives.
pub(crate) fn workers(threads: usize) -> Result<ThreadPool, FitError> {
    let pool = ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    pool.map_err(|error| FitError::Threads {
        threads,
        reason: error.to_string(),
    })
}

/// The generator of an epoch: independent of the epochs before it.
fn epoch_rng(seed: u64, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    rng
}

/// Streams of single crops start far beyond those of epochs.
const CROP_STREAMS: u64 = 1 << 32;
