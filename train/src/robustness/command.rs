//! `train evaluate`: reads models and a split, evaluates each under every condition, keeps the metrics
//! as JSON and prints them.

use super::{
    comparison, failures,
    graded::Grades,
    plots,
    report::{self, ModelIdentity, ModelReport, Report, Setup},
    sanity, selection, table,
};
use crate::{
    attack::{self, Classifier, budget::Norm},
    conditions::{EvaluationPlan, evaluate},
    crop::Crop,
    data::evaluation::EvaluationSet,
    device::{self, DeviceChoice},
    files::write_atomically,
    labels::sheets,
    network::onnx::OnnxClassifier,
};
use anyhow::{Context, bail};
use parseye_vision::{
    classify::card::ModelCard,
    evaluate::manifest::{Sample, Split},
    names::UnknownName,
    snr::{self, SnrListError},
};
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
};
use tch::Device;

/// Arguments of `train evaluate` as they are typed.
#[derive(Clone, Debug, clap::Args)]
pub struct EvaluateArguments {
    /// Models made by `train`.
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<PathBuf>,
    /// Folder with manifest.csv and the images it lists; can be given several times.
    #[arg(long, value_name = "DIR", required = true)]
    pub data: Vec<PathBuf>,
    /// Split to evaluate on: val or test.
    #[arg(long, default_value = "test", value_name = "SPLIT", value_parser = evaluation_split)]
    pub split: Split,
    /// Attacks, separated by commas: uniform, gaussian, fgsm, fgsm-rs, pgd-STEPS, pgd-STEPSxRESTARTS,
    /// apgd-ce, apgd-t, square, worst.
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = attack_name)]
    pub attack: Vec<String>,
    /// Budgets of the attacks as perturbation SNR in dB.
    #[arg(
        long,
        default_value = "50,45,40,33,30,25,20",
        value_name = "LIST",
        allow_hyphen_values = true
    )]
    pub snr: SnrList,
    /// Further budgets of random noise, which is always measured in L2.
    #[arg(
        long,
        default_value = "20,15,10,5,0",
        value_name = "LIST",
        allow_hyphen_values = true
    )]
    pub noise_snr: SnrList,
    /// Norm of the attacks' budgets.
    #[arg(long, value_enum, default_value_t = Norm::Linf)]
    pub norm: Norm,
    /// Attack with the examples of this model as well, in a column of their own.
    #[arg(long, value_name = "MODEL")]
    pub transfer_from: Option<PathBuf>,
    /// Evaluate this many crops, drawn at random with the same number of each state; without it all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub crops: Option<u32>,
    /// Apply every corruption in five severities.
    #[arg(long)]
    pub corruptions: bool,
    /// Grades of some crops by two graders, blind to labels and predictions: give the hard cases a row of
    /// their own, and all metrics again with grades for labels.
    #[arg(long, value_name = "GRADED.csv")]
    pub graded: Option<PathBuf>,
    /// Write charts of the models into this folder.
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Write sheets of each model's 80 most confident errors into folders below this one.
    #[arg(long, value_name = "DIR")]
    pub failures: Option<PathBuf>,
    /// Fail where results are such as no sound attack has.
    #[arg(long)]
    pub sanity: bool,
    /// Seed of attacks, transformations, the choice of crops and the intervals.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Threads; without it as many as there are cores.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where to compute: auto, cpu or cuda:0.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// File for the metrics. Where it holds some of the same arguments, models that are in it are
    /// not evaluated again.
    #[arg(long, value_name = "OUT")]
    pub json: PathBuf,
}

/// Signal-to-noise ratios in dB, none twice.
#[derive(Clone, Debug, PartialEq)]
pub struct SnrList(pub Vec<f64>);

/// A list of SNRs that cannot be used, with an example of one that can.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}; give decibels separated by commas, such as 50,45,40,33,30,25,20")]
pub struct SnrArgumentError(#[from] SnrListError);

impl FromStr for SnrList {
    type Err = SnrArgumentError;

    fn from_str(text: &str) -> Result<Self, SnrArgumentError> {
        Ok(Self(snr::parse_list(text)?))
    }
}

/// A split that models cannot be evaluated on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SplitArgumentError {
    /// No such split.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The split that models are trained on.
    #[error(
        "the train split cannot be evaluated on: models were trained on its crops; give val or test"
    )]
    Train,
}

fn evaluation_split(name: &str) -> Result<Split, SplitArgumentError> {
    match name.parse()? {
        Split::Train => Err(SplitArgumentError::Train),
        split => Ok(split),
    }
}

fn attack_name(name: &str) -> Result<String, attack::AttackNameError> {
    let name = name.trim();
    attack::by_name(name).map(|_| name.to_owned())
}

/// A model ready to be evaluated.
pub struct OpenedModel {
    /// Its network.
    pub classifier: Box<dyn Classifier>,
    /// Its card.
    pub card: ModelCard,
}

/// Evaluates models as the arguments say.
///
/// # Errors
/// Names which argument, file or result is wrong, and what to do.
pub fn run(arguments: &EvaluateArguments) -> anyhow::Result<()> {
    run_with(arguments, &open_model)
}

fn open_model(path: &Path, device: Device) -> anyhow::Result<OpenedModel> {
    let classifier = OnnxClassifier::read(path, device)?;
    Ok(OpenedModel {
        card: classifier.card().clone(),
        classifier: Box::new(classifier),
    })
}

/// A model with the file it was read from.
struct ModelFile {
    path: PathBuf,
    sha256: String,
    model: OpenedModel,
}

impl ModelFile {
    /// Reads a file and opens its model.
    fn read(
        path: &Path,
        device: Device,
        open: &dyn Fn(&Path, Device) -> anyhow::Result<OpenedModel>,
    ) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| {
            format!(
                "{}: cannot be read; give a model made by `train`",
                path.display()
            )
        })?;
        let model = open(path, device)?;
        if let Err(reason) = model.card.check() {
            bail!("{}: {reason}; give a model made by `train`", path.display());
        }
        Ok(Self {
            path: path.into(),
            sha256: hex::encode(Sha256::digest(bytes)),
            model,
        })
    }

    fn identity(&self, transfer_from: Option<&Self>) -> ModelIdentity {
        let card = &self.model.card;
        ModelIdentity {
            name: card.name.clone(),
            path: self.path.clone(),
            sha256: self.sha256.clone(),
            architecture: card.architecture.clone(),
            temperature: card.temperature,
            transfer_from: transfer_from.map(|from| from.model.card.name.clone()),
        }
    }
}

/// [`run`] with another way to open models.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    arguments: &EvaluateArguments,
    open: &dyn Fn(&Path, Device) -> anyhow::Result<OpenedModel>,
) -> anyhow::Result<()> {
    arguments.check()?;
    let device = device::choose(arguments.device)?;
    if let Some(threads) = arguments.threads {
        tch::set_num_threads(i32::from(threads));
    }
    // Models are opened before data is read: a broken last one must not cost an hour.
    let read = |path: &Path| ModelFile::read(path, device, open);
    let transfer_from = arguments.transfer_from.as_deref().map(read).transpose()?;
    let models = arguments.models.iter().map(|path| read(path));
    let models = models.collect::<anyhow::Result<Vec<ModelFile>>>()?;
    let grades = arguments.graded.as_deref().map(Grades::read).transpose()?;
    let set = EvaluationSet::read(&arguments.data, arguments.split)?;
    let setup = Setup {
        transfer_from_sha256: transfer_from.as_ref().map(|from| from.sha256.clone()),
        graded_sha256: grades.as_ref().map(|grades| grades.sha256.clone()),
        ..arguments.setup(&set)
    };
    let crops = arguments.chosen_crops(&set);
    if let Some(grades) = &grades {
        grades.check(&crops)?;
    }
    let mut report = Report::open(&arguments.json, setup)?;
    let input = EvaluationInput {
        crops: &crops,
        grades: grades.as_ref(),
        failures: arguments.failures.as_deref(),
    };
    for file in &models {
        if report.of_model(&file.sha256).is_some() {
            let (path, json) = (file.path.display(), arguments.json.display());
            eprintln!("{path}: already in {json}");
            continue;
        }
        arguments.warn_of_other_data(file, &set);
        let model_report = evaluate_model(file, transfer_from.as_ref(), &input, &report.setup)?;
        report.models.push(model_report);
        report.write(&arguments.json)?;
    }
    let reports: Vec<&ModelReport> = models
        .iter()
        .filter_map(|file| report.of_model(&file.sha256))
        .collect();
    if let Some(folder) = &arguments.plots {
        write_plots(folder, &reports)?;
    }
    print(&reports).context("cannot print the metrics; they are kept in --json")?;
    if let Some(model) = reports.iter().find(|model| !model.failed_checks.is_empty()) {
        bail!(
            "{}: unreliable evaluation: {}; find out why before using these metrics",
            model.name,
            model.failed_checks.join("; ")
        );
    }
    Ok(())
}

impl EvaluateArguments {
    fn check(&self) -> anyhow::Result<()> {
        for (index, name) in self.attack.iter().enumerate() {
            if self.attack[..index].contains(name) {
                bail!("--attack names '{name}' twice; name each once");
            }
        }
        Ok(())
    }

    /// The crops to evaluate on: all of the set, or as many of each state.
    fn chosen_crops<'a>(&self, set: &'a EvaluationSet) -> Vec<&'a Crop> {
        let crops: Vec<&Crop> = set.crops.iter().collect();
        match self.crops {
            Some(count) => selection::balanced(&crops, count as usize, self.seed),
            None => crops,
        }
    }

    /// Warns where people of the evaluated split may have been trained on.
    fn warn_of_other_data(&self, file: &ModelFile, set: &EvaluationSet) {
        if file.model.card.training.data_sha256 != set.sha256 {
            eprintln!(
                "{}: note: it was trained on other data than {}; make sure that nobody of the {} split was in it",
                file.path.display(),
                listed(&self.data),
                set.split
            );
        }
    }

    fn setup(&self, set: &EvaluationSet) -> Setup {
        Setup {
            data_sha256: set.sha256.clone(),
            split: set.split,
            crops: self.crops.map(|count| count as usize),
            plan: EvaluationPlan {
                attacks: self.attack.clone(),
                snrs_db: self.snr.0.clone(),
                noise_snrs_db: self.noise_snr.0.clone(),
                norm: self.norm,
                seed: self.seed,
                corruptions: self.corruptions,
            },
            transfer_from_sha256: None,
            graded_sha256: None,
            sanity: self.sanity,
        }
    }
}

/// Errors on each model's sheets: two sheets full.
const FAILURES: usize = 2 * sheets::COLUMNS * sheets::ROWS;

/// Crops, grades and output folder of an evaluation.
struct EvaluationInput<'a> {
    crops: &'a [&'a Crop],
    grades: Option<&'a Grades>,
    /// Folder for sheets of errors.
    failures: Option<&'a Path>,
}

fn listed(folders: &[PathBuf]) -> String {
    let folders = folders.iter().map(|folder| folder.display().to_string());
    folders.collect::<Vec<_>>().join(", ")
}

fn evaluate_model(
    file: &ModelFile,
    transfer_from: Option<&ModelFile>,
    input: &EvaluationInput<'_>,
    setup: &Setup,
) -> anyhow::Result<ModelReport> {
    let identity = file.identity(transfer_from);
    let (target, plan) = (file.model.classifier.as_ref(), &setup.plan);
    let from = transfer_from.map(|from| from.model.classifier.as_ref());
    let predictions = evaluate(target, input.crops, plan, from, &mut |condition| {
        eprintln!("{}: {condition}", identity.name);
    })?;
    let mut failed_checks = Vec::new();
    if setup.sanity {
        let samples: Vec<&Sample> = input.crops.iter().map(|crop| &crop.sample).collect();
        failed_checks = sanity::failed_checks(&samples, &predictions);
        failed_checks.extend(sanity::failed_attack_check(
            target,
            from,
            input.crops,
            plan.seed,
        )?);
    }
    if let Some((folder, clean)) = input.failures.zip(predictions.first()) {
        let folder = folder.join(&identity.name);
        failures::write(&folder, input.crops, clean, identity.temperature, FAILURES)?;
    }
    Ok(report::from_predictions(
        identity,
        input.crops,
        &predictions,
        input.grades,
        failed_checks,
        plan.seed,
    ))
}

fn write_plots(folder: &Path, reports: &[&ModelReport]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: cannot be made", folder.display()))?;
    for (name, chart) in plots::charts(reports)? {
        write_atomically(&folder.join(name), chart.as_bytes())?;
    }
    Ok(())
}

fn print(models: &[&ModelReport]) -> std::io::Result<()> {
    let mut tables: Vec<String> = models.iter().map(|model| table::of_model(model)).collect();
    if models.len() > 1 {
        tables.push(comparison::of_models(models));
    }
    parseye_command_line::print(&tables.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_decibels() {
        assert_eq!("50, 33.5,0".parse(), Ok(SnrList(vec![50.0, 33.5, 0.0])));
        for (text, words) in [
            ("50,4O,30", "'4O' is not a number"),
            ("50,,30", "'' is not a number"),
            ("50;45", "'50;45' is not a number"),
            ("nan", "outside"),
            ("inf", "outside"),
            ("5000", "outside"),
            ("30,30", "twice"),
        ] {
            let error = text.parse::<SnrList>().unwrap_err().to_string();
            assert!(
                error.contains(words) && error.contains("50,45,40"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_training_split_is_refused() {
        assert_eq!(evaluation_split("val"), Ok(Split::Val));
        assert!(
            evaluation_split("train")
                .unwrap_err()
                .to_string()
                .contains("val or test")
        );
        assert!(
            evaluation_split("tets")
                .unwrap_err()
                .to_string()
                .contains("did you mean 'test'?")
        );
    }
}
