//! `train card`: measures again, on the validation split, what a live stream of an existing model is compared with,
//! and writes it on the model's card; or adopts a model of others.

use crate::{
    adopt::{self, AdoptArguments, Adopted},
    data::evaluation::EvaluationSet,
    export::references,
};
use anyhow::bail;
use parseye_vision::{
    classify::{EyeStateModel, ModelCard, StandardisedCrop, card::AccuracyCard, model::softmax},
    evaluate::{
        manifest::Split,
        metrics::{Confusion, expected_calibration_error, fit_temperature},
    },
    eye_state::{EyeState, STATES},
};
use std::path::{Path, PathBuf};

/// Arguments of `train card`.
#[derive(Clone, Debug, clap::Args)]
pub struct CardArguments {
    /// The model whose card is rewritten, and that of its gradient graph beside it.
    #[arg(
        value_name = "MODEL",
        required_unless_present = "adopt",
        conflicts_with = "adopt"
    )]
    pub model: Option<PathBuf>,
    /// Folder with manifest.csv and the images it lists: the very data the model was trained on. For an adopted
    /// model any, to measure it on.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A model of others.
    #[command(flatten)]
    pub adopt: AdoptArguments,
}

/// Rewrites the card and prints its references, or adopts a model.
///
/// # Errors
/// When the model or the data cannot be read, or the data are not those of the card.
pub fn run(arguments: &CardArguments) -> anyhow::Result<()> {
    match (&arguments.adopt.adopt, &arguments.model, &arguments.data) {
        (Some(path), _, data) => run_adopt(path, &arguments.adopt, data.as_deref()),
        (None, Some(model), Some(data)) => rewrite(model, data),
        (None, Some(model), None) => {
            // A model of others says so first, and how it is adopted.
            EyeStateModel::from_file(model)?;
            bail!("--data DIR is missing: the very data that the model was trained on")
        }
        (None, None, _) => bail!("give a MODEL and its --data, or --adopt MODEL.onnx"),
    }
}

fn rewrite(model: &Path, data: &Path) -> anyhow::Result<()> {
    let loaded = EyeStateModel::from_file(model)?;
    let (card, side) = (loaded.card(), loaded.side());
    let val = EvaluationSet::read(&[data], Split::Val)?;
    let made_from = &card.training.data_sha256;
    if *made_from != val.sha256 {
        bail!(
            "{}: the model was made from other data (their hash is {made_from}, here it is {}); give the --data of its training",
            data.display(),
            val.sha256
        );
    }
    let crops = val.crops.iter().map(|crop| crop.standardised(side));
    let crops: Vec<StandardisedCrop> = crops.collect();
    print_references(&references::rewrite(model, &crops)?);
    Ok(())
}

fn print_references(card: &ModelCard) {
    let Some(quantiles) = &card.reference_quantiles else {
        return;
    };
    let values = quantiles.shares.iter().zip(&quantiles.confidence);
    for ((share, confidence), entropy) in values.zip(&quantiles.entropy_bits) {
        eprintln!(
            "{:>4.0} % of {} crops: confidence below {confidence:.3}, entropy below {entropy:.3} bits",
            100.0 * share,
            quantiles.n
        );
    }
}

fn run_adopt(path: &Path, arguments: &AdoptArguments, data: Option<&Path>) -> anyhow::Result<()> {
    let mut adopted = adopt::adopt(path, arguments)?;
    if let Some(data) = data {
        let card = measured(&adopted, data)?;
        adopted = adopt::with_card(&adopted, &card)?;
    }
    adopt::write(&adopted)?;
    let card = adopted.model.card();
    let [_, rows, columns, last] = card.input.shape;
    let (channels, side) = if last <= 3 {
        (last, rows)
    } else {
        (rows, columns)
    };
    eprintln!(
        "{}: {} {side}x{side}, {}; not a parameter was changed, and there is no gradient graph for white-box checks",
        adopted.path.display(),
        if channels == 3 { "RGB" } else { "gray" },
        card.labels.join(", ")
    );
    if card.validation.n > 0 {
        eprintln!(
            "accuracy {:.3}, macro {:.3} on the {} validation crops whose state it knows",
            card.validation.accuracy, card.validation.macro_accuracy, card.validation.n
        );
    } else {
        eprintln!("not measured: give --data DIR with labelled crops to know how good it is");
    }
    eprintln!(
        "try `parseye replay VIDEO --model {}`",
        adopted.path.display()
    );
    Ok(())
}

/// The card of an adopted model, measured on the validation crops of the states that it knows, with a temperature
/// fitted on them.
fn measured(adopted: &Adopted, data: &Path) -> anyhow::Result<ModelCard> {
    let (model, mut card) = (&adopted.model, adopted.model.card().clone());
    let states = card.states();
    let val = EvaluationSet::read(&[data], Split::Val)?;
    let mut classifier = model.classifier()?;
    let mut predictions: Vec<([f32; STATES], EyeState)> = Vec::new();
    for crop in val
        .crops
        .iter()
        .filter(|crop| states.contains(&crop.sample.label))
    {
        let input = crop.standardised(model.side());
        predictions.push((classifier.logits(&input)?, crop.sample.label));
    }
    if predictions.is_empty() {
        bail!(
            "{}: no validation crop of {}",
            data.display(),
            card.labels.join(" or ")
        );
    }
    let mut confusion = Confusion::default();
    for (logits, truth) in &predictions {
        confusion.add(*truth, EyeState::most_likely(logits));
    }
    let calibration = |temperature: f32| {
        expected_calibration_error(predictions.iter().map(|(logits, truth)| {
            let confidence = softmax(logits, temperature).into_iter().fold(0.0, f32::max);
            (confidence, EyeState::most_likely(logits) == *truth)
        }))
    };
    card.temperature = fit_temperature(&predictions);
    card.validation = AccuracyCard {
        n: predictions.len(),
        accuracy: confusion.accuracy(),
        macro_accuracy: confusion.macro_accuracy(),
        recall: confusion.recalls(),
        ece: calibration(card.temperature),
        ece_uncalibrated: calibration(1.0),
    };
    let logits: Vec<[f32; STATES]> = predictions.iter().map(|(logits, _)| *logits).collect();
    references::measure(&mut card, &logits);
    Ok(card)
}
