//! One epoch: batches drawn, varied, attacked and learnt from.

use super::{EpochRow, FitError, FitSettings, Surroundings, targets};
use crate::{
    checkpoint::Checkpoint,
    corruption::{self, CorruptionError},
    data::{augment::Augmentation, batch::Batch, crops::Crop, sampling::BalancedSampler},
    harden::{
        adversarial::Adversarial,
        constraint,
        loss::{Loss, divergence},
        weight_perturbation::at_worst_weights,
    },
    network::module::{Mode, Network},
    optimiser::{self, Sgd},
    progress::Progress,
};
use parseye_vision::{classify::StandardisedCrop, eye_state::EyeState};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{sync::atomic::Ordering, time::Instant};
use tch::{Device, Kind, Reduction, Tensor};

/// What changes while a run goes on.
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
        let spec = settings.network().map_err(FitError::Setting)?;
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

    /// Takes up where a checkpoint stands.
    pub fn load(&mut self, saved: &Checkpoint) -> Result<(), String> {
        self.network.load(&saved.network)?;
        self.optimiser.load(&saved.velocity)?;
        match &self.average {
            Some(average) => average.load(&saved.average),
            None => Ok(()),
        }
    }

    /// The network that is validated and kept.
    pub fn judged(&self) -> &Network {
        self.average.as_ref().unwrap_or(&self.network)
    }

    /// Moves the average towards the network. While few steps are done it follows faster, or it
    /// would remember the random start (as TensorFlow's ExponentialMovingAverage does).
    fn follow(&self, decay: f64, steps_done: usize) {
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
pub struct Epoch<'a> {
    /// Settings of the run.
    pub settings: &'a FitSettings,
    /// What it works with.
    pub around: Surroundings<'a>,
    /// Draws the crops.
    pub sampler: &'a BalancedSampler,
    /// From 1.
    pub number: usize,
}

/// Pictures ready to be learnt from.
struct Minibatch {
    batch: Batch,
    /// The batch's pictures, attacked and added to as the settings say.
    images: Tensor,
    /// What is to be answered: labels i64 `[N]`, or probabilities f32 `[N,4]`.
    goal: Tensor,
}

impl Epoch<'_> {
    /// Trains for the epoch; the validation columns of the row are left empty.
    pub fn train(
        &self,
        train_state: &mut TrainState,
        progress: &mut Progress,
    ) -> Result<EpochRow, FitError> {
        let begun = Instant::now();
        let settings = self.settings;
        let mut rng = epoch_rng(settings.seed, self.number);
        let dropout_seed = rng.random::<u32>();
        if settings.dropout > 0.0 {
            // Dropout draws from libtorch's own generator, which is one for the whole process.
            tch::manual_seed(dropout_seed.into());
        }
        let drawn = self.sampler.draw(settings.epoch_crops, &mut rng);
        let steps = drawn.len().div_ceil(settings.batch_size);
        let (mut loss_sum, mut right, mut rate) = (0.0, 0_i64, 0.0);
        for (step, chosen) in drawn.chunks(settings.batch_size).enumerate() {
            if self.around.stop.load(Ordering::Relaxed) {
                return Err(FitError::Stopped);
            }
            let done = (self.number - 1) as f64 + step as f64 / steps as f64;
            rate = settings
                .schedule
                .rate(settings.learning_rate, done / settings.epochs as f64);
            let first = step * settings.batch_size;
            let crops = self.varied(chosen, first)?;
            let minibatch = self.minibatch(&train_state.network, &crops, &mut rng)?;
            let (loss, logits) = self.learn(train_state, &minibatch, rate)?;
            if settings.constraint != constraint::Constraint::None {
                constraint::restore(&train_state.network, &settings.retraction, &mut rng);
            }
            let steps_done = (self.number - 1) * steps + step;
            train_state.follow(settings.weight_average, steps_done);
            if !loss.is_finite() {
                return Err(FitError::NotANumber {
                    epoch: self.number,
                    batch: step + 1,
                    learning_rate: settings.learning_rate,
                });
            }
            let answers = logits.argmax(1, false).eq_tensor(&minibatch.batch.labels);
            right += answers.sum(Kind::Int64).f_int64_value(&[])?;
            loss_sum += loss * chosen.len() as f64;
            let seen = (first + chosen.len()) as f64;
            progress.step(
                self.number,
                loss_sum / seen,
                right as f64 / seen,
                seen / begun.elapsed().as_secs_f64(),
            );
        }
        let seen = drawn.len() as f64;
        Ok(EpochRow {
            epoch: self.number,
            learning_rate: rate,
            loss: loss_sum / seen,
            accuracy: right as f64 / seen,
            images_per_second: seen / begun.elapsed().as_secs_f64(),
            ..Default::default()
        })
    }

    /// Attacks the crops and adds to them as the settings say.
    fn minibatch(
        &self,
        network: &Network,
        crops: &[(StandardisedCrop, EyeState)],
        rng: &mut ChaCha8Rng,
    ) -> Result<Minibatch, tch::TchError> {
        let batch = Batch::new(crops, network.device())?;
        let images = if let Some(adversarial) = &self.settings.adversarial {
            let epsilon = adversarial.epsilon.draw(rng);
            adversarial.attacked(network, &batch, epsilon, rng.random())?
        } else if let Some(added) = &self.settings.added {
            added.mixed(self.around.base, &batch, rng.random())?
        } else {
            batch.images.shallow_clone()
        };
        let goal = targets::of(self.settings, &batch, self.around.teacher)?;
        Ok(Minibatch {
            batch,
            images,
            goal,
        })
    }

    /// One step of the optimiser; returns the loss and the logits of the minibatch's pictures.
    fn learn(
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

    /// The loss to minimise, and the logits of the minibatch's pictures.
    fn objective(&self, network: &Network, minibatch: &Minibatch) -> (Tensor, Tensor) {
        let smoothing = self.settings.label_smoothing;
        let cross_entropy = |logits: &Tensor| {
            let goal = &minibatch.goal;
            logits.cross_entropy_loss::<Tensor>(goal, None, Reduction::Mean, -100, smoothing)
        };
        let logits = network.forward(&minibatch.images, Mode::Train);
        match &self.settings.adversarial {
            Some(Adversarial {
                loss: Loss::Trades,
                trades_weight,
                ..
            }) => {
                let clean = network.forward(&minibatch.batch.images, Mode::Train);
                let apart = divergence(&clean, &logits).mean(Kind::Float);
                (cross_entropy(&clean) + apart * *trades_weight, logits)
            }
            _ => (cross_entropy(&logits), logits),
        }
    }

    /// Variations of the chosen crops, made by all threads; each crop has a generator of its own,
    /// so the result does not depend on how they were shared out.
    fn varied(
        &self,
        chosen: &[usize],
        first: usize,
    ) -> Result<Vec<(StandardisedCrop, EyeState)>, CorruptionError> {
        let settings = self.settings;
        let crops: &[Crop] = &self.around.crops.train;
        let augmentation: &Augmentation = &settings.augmentation;
        let epoch = self.number;
        let vary = |position: usize, index: usize| {
            let number = (epoch * settings.epoch_crops + first + position) as u64;
            let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
            rng.set_stream(CROP_STREAMS + number);
            let crop = &crops[index];
            // Drawn only where it is asked for, so that runs without it stay what they were.
            let corrupted = settings.corruption > 0.0 && rng.random_bool(settings.corruption);
            if corrupted {
                return Ok((corruption::any(crop, &mut rng)?, crop.sample.label));
            }
            let varied = augmentation.apply(crop, &mut rng);
            let label = if varied.covered {
                EyeState::NotVisible
            } else {
                crop.sample.label
            };
            Ok((varied.crop, label))
        };
        let share = chosen.len().div_ceil(settings.threads.max(1)).max(1);
        let mut made: Vec<Result<Vec<_>, CorruptionError>> = Vec::new();
        made.resize_with(chosen.len().div_ceil(share), || Ok(Vec::new()));
        std::thread::scope(|scope| {
            for (part, (indices, out)) in chosen.chunks(share).zip(&mut made).enumerate() {
                let vary = &vary;
                scope.spawn(move || {
                    let of = indices.iter().enumerate();
                    *out = of
                        .map(|(i, index)| vary(part * share + i, *index))
                        .collect();
                });
            }
        });
        let mut all = Vec::with_capacity(chosen.len());
        for part in made {
            all.extend(part?);
        }
        Ok(all)
    }
}

/// The generator of an epoch: independent of the epochs before it.
fn epoch_rng(seed: u64, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    rng
}

/// Streams of single crops start far beyond those of epochs.
const CROP_STREAMS: u64 = 1 << 32;
