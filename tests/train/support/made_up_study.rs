//! A runner that trains nothing: made-up people, metrics and predictions, so that the plan, the order,
//! resuming and collecting are tested in seconds. Predictions get worse with stronger perturbations and
//! hardened networks are more robust, so that plots look as real ones do.

use parseye_train::{
    attack::Access,
    conditions::Condition,
    estimate::Estimate,
    fit::{FitError, checkpoint},
    robustness::Metrics,
    study::{
        execute::{EvaluationJob, Perturbed, Runner},
        folder::CellPredictions,
        suite::Scale,
    },
};
use parseye_vision::{
    evaluate::{
        manifest::{LabelKind, Sample, Split},
        metrics::Confusion,
    },
    eye_state::{EyeState, STATES},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

/// Pixels of a made-up crop.
const PIXELS: usize = 32 * 32;

/// Number of made-up people and crops of each.
pub const PEOPLE: usize = 30;
const CROPS: usize = 20;

pub struct MadeUp {
    pub data: String,
    pub samples: Vec<Sample>,
    /// Names of the models trained, with whether they were resumed.
    pub trained: Vec<(String, bool)>,
    /// Number of evaluations done.
    pub evaluated: usize,
    /// Trainings until one is interrupted.
    pub stop_after: Option<usize>,
}

impl MadeUp {
    pub fn new() -> Self {
        let sample = |number: usize| Sample {
            path: PathBuf::from(format!("p{}/{number}.png", number / CROPS)),
            label: EyeState::ALL[number % STATES],
            source: ["mrl", "cew", "ytf"][number / CROPS % 3].into(),
            subject: format!("p{}", number / CROPS),
            eye: None,
            split: Split::Train,
            label_kind: LabelKind::Human,
            openness: None,
            gaze: None,
            note: String::new(),
        };
        Self {
            data: "made-up".into(),
            samples: (0..PEOPLE * CROPS).map(sample).collect(),
            trained: Vec::new(),
            evaluated: 0,
            stop_after: None,
        }
    }
}

fn value<'a>(arguments: &'a [String], flag: &str) -> &'a str {
    let position = arguments.iter().position(|argument| argument == flag);
    &arguments[position.unwrap_or_else(|| panic!("no {flag} in {arguments:?}")) + 1]
}

impl Runner for MadeUp {
    fn data_sha256(&self) -> &str {
        &self.data
    }

    fn samples(&self) -> Vec<&Sample> {
        self.samples.iter().collect()
    }

    fn train(&mut self, arguments: &[String], _stop: &AtomicBool) -> anyhow::Result<()> {
        let out = Path::new(value(arguments, "--out"));
        let resumed = arguments.iter().any(|argument| argument == "--resume");
        assert_eq!(resumed, out.join(checkpoint::FILE).exists());
        if let Some(position) = arguments.iter().position(|argument| argument == "--base") {
            assert!(Path::new(&arguments[position + 1]).is_file());
        }
        if self.stop_after == Some(self.trained.len()) {
            self.stop_after = None;
            std::fs::write(out.join(checkpoint::FILE), "half")?;
            return Err(FitError::Stopped.into());
        }
        let name = value(arguments, "--name");
        let epochs: usize = value(arguments, "--epochs").parse()?;
        let hardened = arguments.iter().any(|argument| argument == "--fgsm-eps");
        let fold: f64 = value(arguments, "--fold").parse()?;
        let mut rows = String::from(
            "epoch,learning_rate,loss,accuracy,images_per_second,val_accuracy,val_macro_accuracy,val_fgsm_macro_accuracy,score\n",
        );
        for epoch in 1..=epochs {
            let learnt = 1.0 - (-(epoch as f64) / 4.0).exp();
            let noise = 0.02 * ((epoch as f64 * 1.7 + fold * 2.1).sin());
            let val = 0.3 + 0.6 * learnt + noise;
            let attacked = if hardened {
                format!("{}", val - 0.1)
            } else {
                String::new()
            };
            rows += &format!(
                "{epoch},0.1,{},{},1000,{val},{},{attacked},{val}\n",
                1.4 - 1.1 * learnt,
                0.3 + 0.65 * learnt,
                val - 0.03
            );
        }
        std::fs::write(out.join("metrics.csv"), rows)?;
        std::fs::write(out.join(format!("{name}.onnx")), "a model")?;
        self.trained.push((name.into(), resumed));
        Ok(())
    }

    fn evaluate(&mut self, job: &EvaluationJob) -> anyhow::Result<CellPredictions> {
        assert!(job.model.is_file() && job.from.is_none_or(Path::is_file));
        self.evaluated += 1;
        let crops: Vec<&Sample> = self
            .samples
            .iter()
            .enumerate()
            .filter(|(number, _)| number / CROPS % job.evaluation.folds == job.fold)
            .map(|(_, sample)| sample)
            .collect();
        let name = job
            .model
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let hardened = name.contains("hardened");
        let mut conditions = Vec::new();
        let mut add = |attack: &str, access: Option<Access>, snr_db: Option<f64>| {
            let condition = Condition {
                attack: attack.into(),
                access,
                norm: access.map(|_| job.evaluation.norm),
                snr_db,
            };
            let hurt = match (access, snr_db) {
                (Some(Access::Random), Some(snr)) => 10_f64.powf(-(snr + 5.0) / 20.0),
                (Some(Access::Transfer), Some(snr)) => 2.0 * 10_f64.powf(-snr / 20.0),
                (Some(_), Some(snr)) => 30.0 * 10_f64.powf(-snr / 20.0),
                _ => 0.0,
            };
            let hurt = if hardened { hurt / 4.0 } else { hurt }
                + if attack == "pgd-10" { hurt / 3.0 } else { 0.0 };
            let text = format!("{name}{attack}{snr_db:?}");
            let seed = text
                .bytes()
                .fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let logits = crops.iter().map(|sample| {
                let mut logits: [f32; STATES] = std::array::from_fn(|_| 3.0 * rng.random::<f32>());
                logits[sample.label.index()] += (2.5 - 3.0 * hurt) as f32;
                logits
            });
            conditions.push((condition, logits.collect()));
        };
        add("clean", None, None);
        for attack in &job.evaluation.attacks {
            let (access, snrs) = match (attack.as_str(), job.from) {
                ("uniform", _) => (Access::Random, &job.evaluation.noise_snrs_db),
                (_, Some(_)) => (Access::Transfer, &job.evaluation.snrs_db),
                _ => (Access::WhiteBox, &job.evaluation.snrs_db),
            };
            for snr in snrs {
                add(attack, Some(access), Some(*snr));
            }
        }
        Ok(CellPredictions {
            paths: crops
                .iter()
                .map(|sample| sample.path.to_string_lossy().into_owned())
                .collect(),
            temperature: 1.0,
            conditions,
        })
    }

    fn metrics(
        &self,
        samples: &[&Sample],
        logits: &[[f32; STATES]],
        _temperature: f32,
        _seed: u64,
    ) -> anyhow::Result<Metrics> {
        assert_eq!(samples.len(), logits.len());
        let mut confusion = Confusion::default();
        for (sample, logits) in samples.iter().zip(logits) {
            confusion.add(sample.label, EyeState::most_likely(logits));
        }
        let around = |value: f64| {
            let half = 1.96 * (value * (1.0 - value) / samples.len() as f64).sqrt();
            Estimate {
                value,
                low: Some(value - half),
                high: Some(value + half),
            }
        };
        let subjects: std::collections::BTreeSet<&str> = samples
            .iter()
            .map(|sample| sample.subject.as_str())
            .collect();
        Ok(Metrics {
            n: samples.len() as u64,
            subjects: subjects.len(),
            accuracy: around(confusion.accuracy()),
            macro_accuracy: around(confusion.macro_accuracy()),
            recall: confusion
                .recalls()
                .into_iter()
                .map(|(state, value)| (state, around(value)))
                .collect::<BTreeMap<_, _>>(),
            auc_micro: around(0.9),
            auc_macro: around(0.91),
            ece: 0.02,
            ece_uncalibrated: 0.05,
            confusion,
        })
    }

    fn perturb(
        &mut self,
        model: &Path,
        _fold: usize,
        _scale: Scale,
        attack: Option<(&str, f64)>,
    ) -> anyhow::Result<Perturbed> {
        assert!(model.is_file());
        let amount = attack.map_or(0.0, |(_, snr)| 10_f32.powf(-snr as f32 / 20.0));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut image = |state: usize| {
            let level = |at: usize| {
                let (x, y) = ((at % 32) as f32 - 16.0, (at / 32) as f32 - 16.0);
                let lid = [9.0, 5.0, 1.0, 30.0][state];
                let dark = (x * x + y * y).sqrt() < 7.0 && y.abs() < lid;
                let white = (x / 14.0).powi(2) + (y / lid).powi(2) < 1.0;
                let base = if dark {
                    -1.8
                } else if white {
                    1.2
                } else {
                    0.1
                };
                base + amount * (2.0 * rng.random::<f32>() - 1.0)
            };
            (0..PIXELS).map(level).collect()
        };
        let images = (0..STATES).map(&mut image).collect();
        let predictions = EyeState::ALL.map(|state| {
            if amount > 0.05 {
                EyeState::Closed
            } else {
                state
            }
        });
        Ok(Perturbed {
            images,
            predictions: predictions.into(),
        })
    }
}
