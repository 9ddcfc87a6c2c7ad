//! `train evaluate`: reads models and a split, judges each under every condition, keeps the figures
//! as JSON and prints them.

use super::{
    comparison,
    evaluate::{EvaluationPlan, judge},
    failures,
    graded::Grades,
    plots,
    report::{self, ModelIdentity, ModelReport, Report, Setup},
    sanity, selection, table,
};
use crate::{
    attack::{self, Classifier, budget::Norm},
    data::{
        crops::{Crop, hex},
        evaluation::EvaluationSet,
    },
    device::{self, DeviceChoice},
    export::write_whole,
    labels::sheets,
    network::onnx::OnnxClassifier,
};
use anyhow::{Context, bail};
use parseye_vision::{
    classify::card::ModelCard,
    evaluate::manifest::{Sample, Split},
    names::UnknownName,
    snr,
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
    /// Folder with manifest.csv and the pictures it lists.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Split to judge: val or test.
    #[arg(long, default_value = "test", value_name = "SPLIT", value_parser = judged_split)]
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
    /// How the budgets of attacks are measured.
    #[arg(long, value_enum, default_value_t = Norm::Linf)]
    pub norm: Norm,
    /// Attack with the examples of this model as well, in a column of their own.
    #[arg(long, value_name = "MODEL")]
    pub transfer_from: Option<PathBuf>,
    /// Judge this many crops, drawn at random with the same number of each state; without it all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub crops: Option<u32>,
    /// Apply every natural transformation in five severities.
    #[arg(long)]
    pub corruptions: bool,
    /// Grades of some crops by two graders, blind to labels and answers: give the hard cases a row of
    /// their own, and all figures again with grades for labels.
    #[arg(long, value_name = "GRADED.csv")]
    pub graded: Option<PathBuf>,
    /// Write charts of the models into this folder.
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Write sheets of each model's 80 most confident errors into folders below this one.
    #[arg(long, value_name = "DIR")]
    pub failures: Option<PathBuf>,
    /// Fail where results are such as no sound attack gives.
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
    /// File for the figures. Where it holds some of the same arguments, models that are in it are
    /// not judged again.
    #[arg(long, value_name = "OUT")]
    pub json: PathBuf,
}

/// Signal-to-noise ratios in dB, none twice.
#[derive(Clone, Debug, PartialEq)]
pub struct SnrList(pub Vec<f64>);

/// What a list looks like, for error messages.
const EXAMPLE: &str = "give decibels separated by commas, such as 50,45,40,33,30,25,20";

impl FromStr for SnrList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let list = snr::parse_list(text);
        list.map(Self)
            .map_err(|error| format!("{error}; {EXAMPLE}"))
    }
}

fn judged_split(name: &str) -> Result<Split, String> {
    match name
        .parse()
        .map_err(|error: UnknownName| error.to_string())?
    {
        Split::Train => {
            Err("a model says nothing of itself on what it was trained on; give val or test".into())
        }
        split => Ok(split),
    }
}

fn attack_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    attack::by_name(name).map(|_| name.to_owned())
}

/// A model ready to be judged.
pub struct OpenedModel {
    /// Its network.
    pub classifier: Box<dyn Classifier>,
    /// Its card.
    pub card: ModelCard,
}

/// Judges models as the arguments say.
///
/// # Errors
/// Says which argument, file or result is wrong, and what to do.
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

/// [`run`] with another way to open models.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    arguments: &EvaluateArguments,
    open: &dyn Fn(&Path, Device) -> anyhow::Result<OpenedModel>,
) -> anyhow::Result<()> {
    for (index, name) in arguments.attack.iter().enumerate() {
        if arguments.attack[..index].contains(name) {
            bail!("--attack names '{name}' twice; name each once");
        }
    }
    let device = device::choose(arguments.device).map_err(anyhow::Error::msg)?;
    if let Some(threads) = arguments.threads {
        tch::set_num_threads(i32::from(threads));
    }
    // Models are opened before data is read: a broken last one must not cost an hour.
    let open = |path: &Path| -> anyhow::Result<(OpenedModel, String)> {
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
        Ok((model, hex(&Sha256::digest(bytes))))
    };
    let transfer_from = arguments.transfer_from.as_deref().map(open).transpose()?;
    let mut models = Vec::new();
    for path in &arguments.models {
        models.push((path, open(path)?));
    }
    let grades = arguments.graded.as_deref().map(Grades::read).transpose()?;
    let set = EvaluationSet::read(&arguments.data, arguments.split)?;
    let setup = Setup {
        transfer_from_sha256: transfer_from.as_ref().map(|(_, sha256)| sha256.clone()),
        graded_sha256: grades.as_ref().map(|grades| grades.sha256.clone()),
        ..arguments.setup(&set)
    };
    let crops: Vec<&Crop> = set.crops.iter().collect();
    let crops = match setup.crops {
        Some(count) => selection::balanced(&crops, count, arguments.seed),
        None => crops,
    };
    if let Some(grades) = &grades {
        grades.check(&crops)?;
    }
    let mut report = Report::open(&arguments.json, setup)?;
    let from = transfer_from.as_ref().map(|(from, _)| from);
    for (path, (model, sha256)) in &models {
        if report.of_model(sha256).is_some() {
            eprintln!(
                "{}: already in {}",
                path.display(),
                arguments.json.display()
            );
            continue;
        }
        if model.card.training.data_sha256 != set.sha256 {
            eprintln!(
                "{}: note: it was trained on other data than {}; make sure that nobody of the {} split was in it",
                path.display(),
                arguments.data.display(),
                set.split
            );
        }
        let identity = ModelIdentity {
            name: model.card.name.clone(),
            path: (*path).clone(),
            sha256: sha256.clone(),
            architecture: model.card.architecture.clone(),
            temperature: model.card.temperature,
            transfer_from: from.map(|from| from.card.name.clone()),
        };
        let judged = FrameResult {
            crops: &crops,
            grades: grades.as_ref(),
            failures: arguments.failures.as_deref(),
        };
        let of_model = judge_one(model, from, identity, &judged, &report.setup)?;
        report.models.push(of_model);
        report.write(&arguments.json)?;
    }
    let shown: Vec<&ModelReport> = models
        .iter()
        .filter_map(|(_, (_, sha256))| report.of_model(sha256))
        .collect();
    if let Some(folder) = &arguments.plots {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot be made", folder.display()))?;
        for (name, chart) in plots::charts(&shown)? {
            write_whole(&folder.join(name), chart.as_bytes())?;
        }
    }
    print(&shown).context("cannot print the figures; they are kept in --json")?;
    if let Some(model) = shown.iter().find(|model| !model.failed_checks.is_empty()) {
        bail!(
            "{}: {}; do not trust these figures before it is explained",
            model.name,
            model.failed_checks.join("; ")
        );
    }
    Ok(())
}

impl EvaluateArguments {
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

/// What models are judged on.
struct FrameResult<'a> {
    crops: &'a [&'a Crop],
    grades: Option<&'a Grades>,
    /// Folder for sheets of errors.
    failures: Option<&'a Path>,
}

fn judge_one(
    model: &OpenedModel,
    transfer_from: Option<&OpenedModel>,
    identity: ModelIdentity,
    judged: &FrameResult<'_>,
    setup: &Setup,
) -> anyhow::Result<ModelReport> {
    let crops = judged.crops;
    let (target, plan) = (model.classifier.as_ref(), &setup.plan);
    let from = transfer_from.map(|from| from.classifier.as_ref());
    let answers = judge(target, crops, plan, from, &mut |condition| {
        eprintln!("{}: {condition}", identity.name);
    })?;
    let mut failed_checks = Vec::new();
    if setup.sanity {
        let samples: Vec<&Sample> = crops.iter().map(|crop| &crop.sample).collect();
        failed_checks = sanity::failed_checks(&samples, &answers);
        failed_checks.extend(sanity::attacked_anew(target, from, crops, plan.seed)?);
    }
    if let Some((folder, clean)) = judged.failures.zip(answers.first()) {
        let folder = folder.join(&identity.name);
        failures::write(&folder, crops, clean, identity.temperature, FAILURES)?;
    }
    Ok(report::of_answers(
        identity,
        crops,
        &answers,
        judged.grades,
        failed_checks,
        plan.seed,
    ))
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
            let error = text.parse::<SnrList>().unwrap_err();
            assert!(
                error.contains(words) && error.contains("50,45,40"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_training_split_is_refused() {
        assert_eq!(judged_split("val"), Ok(Split::Val));
        assert!(judged_split("train").unwrap_err().contains("val or test"));
        assert!(
            judged_split("tets")
                .unwrap_err()
                .contains("did you mean 'test'?")
        );
    }
}
