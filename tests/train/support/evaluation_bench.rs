//! Models that respond at once, and `train evaluate` around them.

use crate::support::training_runs::drawn_crops;
use clap::Parser;
use parseye_train::{
    attack::Classifier,
    crop::Crop,
    data::evaluation::EvaluationSet,
    robustness::{
        command::{EvaluateArguments, OpenedModel, run_with},
        report::Report,
    },
};
use parseye_vision::{
    classify::{
        ModelCard,
        card::{AccuracyCard, ConfidenceHistogram, FORMAT, InputCard, TrainingCard},
    },
    evaluate::manifest::Split,
    eye_state::EyeState,
};
use std::{cell::Cell, collections::BTreeMap, path::Path};
use tch::{Device, Kind, Tensor};

/// A linear classifier: differentiable, quick, and with gradients that are easy to follow.
pub struct Linear {
    weight: Tensor,
    scale: f64,
}

impl Linear {
    /// Templates of the states: the mean crop of each.
    pub fn of(crops: &[Crop], scale: f64) -> Self {
        let template = |state: EyeState| {
            let of_state: Vec<Tensor> = crops
                .iter()
                .filter(|crop| crop.sample.label == state)
                .map(|crop| Tensor::from_slice(&crop.standardised(32).values))
                .collect();
            Tensor::stack(&of_state, 0).mean_dim(0, false, Kind::Float)
        };
        Self {
            weight: Tensor::stack(&EyeState::ALL.map(template), 0),
            scale,
        }
    }
}

impl Classifier for Linear {
    fn name(&self) -> &str {
        "linear"
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn side(&self) -> usize {
        32
    }

    fn logits(&self, images: &Tensor) -> Tensor {
        images.flatten(1, -1).matmul(&self.weight.tr()) * (self.scale / 32.0)
    }
}

pub fn drawn() -> (tempfile::TempDir, EvaluationSet) {
    let folder = tempfile::tempdir().unwrap();
    drawn_crops::write(folder.path());
    let set = EvaluationSet::read(&[folder.path()], Split::Test).unwrap();
    (folder, set)
}

/// The command line around the arguments.
#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    evaluate: EvaluateArguments,
}

fn parsed(arguments: &[&str]) -> Result<EvaluateArguments, String> {
    let all = std::iter::once("evaluate").chain(arguments.iter().copied());
    let parsed = CommandLine::try_parse_from(all);
    parsed
        .map(|line| line.evaluate)
        .map_err(|error| error.to_string())
}

fn card(name: &str) -> ModelCard {
    ModelCard {
        format: FORMAT,
        name: name.into(),
        architecture: "linear".into(),
        parameters: 4 * 1024,
        labels: EyeState::ALL.map(|state| state.name().to_owned()).to_vec(),
        input: InputCard::default(),
        lids: None,
        temperature: 0.5,
        training: TrainingCard {
            command: String::new(),
            seed: 0,
            commit: String::new(),
            data_sha256: String::new(),
            crops_by_source: BTreeMap::new(),
            files_sha256: Default::default(),
            data_credit: String::new(),
            epochs: 0,
            chosen_epoch: 0,
            precision: "f32".into(),
            device: "cpu".into(),
            threads: 1,
        },
        validation: AccuracyCard {
            n: 0,
            accuracy: 0.0,
            macro_accuracy: 0.0,
            recall: BTreeMap::new(),
            ece: 0.0,
            ece_uncalibrated: 0.0,
        },
        robustness: Vec::new(),
        reference_confidence: ConfidenceHistogram::default(),
        reference_quantiles: None,
    }
}

/// A folder with drawn crops and two files that stand for models, and a way to open those.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub set: EvaluationSet,
    pub evaluated: Cell<usize>,
}

impl Bench {
    pub fn new() -> Self {
        let (folder, set) = drawn();
        for name in ["one", "two"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        Self {
            folder,
            set,
            evaluated: Cell::new(0),
        }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn run(&self, models: &[&str], more: &[&str]) -> anyhow::Result<()> {
        let (data, json) = (self.path(""), self.path("out.json"));
        let models: Vec<String> = models.iter().map(|name| self.path(name)).collect();
        let mut all: Vec<&str> = models.iter().map(String::as_str).collect();
        all.extend(["--data", &data, "--json", &json, "--device", "cpu"]);
        all.extend(more);
        let arguments = parsed(&all).map_err(anyhow::Error::msg)?;
        run_with(&arguments, &|path: &Path, _| {
            self.evaluated.set(self.evaluated.get() + 1);
            let name = path.file_name().unwrap().to_str().unwrap();
            let mut card = card(name);
            if name == "two" && more.contains(&"45") {
                card.labels.swap(0, 1);
            }
            Ok(OpenedModel {
                classifier: Box::new(Linear::of(&self.set.crops, 1.0)),
                card,
            })
        })
    }

    pub fn report(&self) -> Report {
        serde_json::from_slice(&std::fs::read(self.path("out.json")).unwrap()).unwrap()
    }
}
