//! From a finished run to a model file: the best epoch's weights, measured through the runtime's
//! engine, with a card that says how they were made.

use super::{ExportError, gradient_bytes, gradient_path, model_bytes, parity, references};
use crate::{
    attack::{
        budget::{Budget, Norm},
        fgsm::Fgsm,
    },
    crop::Crop,
    data::{crops::CropSet, lids},
    files::write_atomically,
    fit::checkpoint::Checkpoint,
    measure,
    network::module::{Network, Precision},
    robustness::roc::area_under_curve,
};
use parseye_vision::{
    classify::{
        EyeStateModel, ModelCard, StandardisedCrop,
        card::{AccuracyCard, ConfidenceHistogram, FORMAT, InputCard, LidsCard, TrainingCard},
        gradient::GradientModel,
        model::softmax,
    },
    evaluate::metrics::{Confusion, expected_calibration_error, fit_temperature},
    eye_state::{EyeState, STATES},
};
use std::{collections::BTreeMap, path::Path};
use tch::Device;

/// SNRs at which a card reports white-box FGSM on the validation split: the study's, and 30 dB.
const CARD_SNRS_DB: [f64; 5] = [50.0, 45.0, 40.0, 33.0, 30.0];

/// Crops of the validation split that a card's attacks are run on, spread evenly: an interval of
/// about 2 points in a minute rather than several.
const ATTACKED_CROPS: usize = 2048;

/// Crops of the parity check, spread evenly over the validation split.
const PARITY_CROPS: usize = 256;

/// What the export of a run needs besides its checkpoint.
#[derive(Clone, Debug)]
pub struct ExportContext {
    /// Name of the model.
    pub name: String,
    /// Device of the training.
    pub device: Device,
}

/// Writes `run`'s best epoch to `path`, its gradient graph beside it, and returns the card.
///
/// # Errors
/// When the runtime's predictions or gradients differ from the network's, or a file cannot be written.
pub fn write_model(
    run: &Checkpoint,
    crops: &CropSet,
    export_context: &ExportContext,
    path: &Path,
) -> Result<ModelCard, ExportError> {
    let settings = &run.state.settings;
    let spec = settings.network()?;
    // In f32 on the processor, as the runtime computes, whatever the training computed in.
    let network = Network::new(&spec, Precision::F32, Device::Cpu, settings.seed)?;
    network.load(&run.best)?;

    let mut card = unmeasured_card(run, crops, export_context, &network);
    let provisional = EyeStateModel::from_bytes(&model_bytes(&network, &card)?, "exported model")?;
    let probes: Vec<&Crop> = measure::spread(&crops.val, PARITY_CROPS).collect();
    let preprocess = |crop: &Crop| crop.standardised(spec.side);
    parity::check(&network, &provisional, &probes, preprocess)?;

    let val: Vec<(StandardisedCrop, EyeState)> = crops
        .val
        .iter()
        .map(|crop| (preprocess(crop), crop.sample.label))
        .collect();
    measure_clean(&mut card, &provisional, &val)?;
    if spec.lids.is_some() {
        card.lids = Some(measured_lids(&provisional, &crops.val, &val)?);
    }
    let attacked: Vec<_> = measure::spread(&val, ATTACKED_CROPS).cloned().collect();
    for snr in CARD_SNRS_DB {
        let row =
            measure::under_attack(&network, &attacked, &Fgsm, Budget::of_snr(Norm::Linf, snr));
        card.robustness.push(row?);
    }

    let bytes = model_bytes(&network, &card)?;
    // What is written is what was measured: the final bytes pass the check themselves.
    let exported = EyeStateModel::from_bytes(&bytes, "exported model")?;
    parity::check(&network, &exported, &probes, preprocess)?;
    let gradient = gradient_bytes(&network, &card, &exported.file().sha256)?;
    let runnable = GradientModel::from_bytes(&gradient, "exported gradient", &exported)?;
    parity::check_gradient(&network, &runnable, &probes)?;
    write_atomically(path, &bytes)?;
    write_atomically(&gradient_path(path), &gradient)?;
    Ok(card)
}

/// Measures the output for the lids through the runtime's engine; `standardised` are the crops as they are fed.
fn measured_lids(
    model: &EyeStateModel,
    crops: &[Crop],
    standardised: &[(StandardisedCrop, EyeState)],
) -> Result<LidsCard, ExportError> {
    let mut classifier = model.classifier()?;
    let (mut off, mut said) = (Vec::new(), Vec::new());
    let mut looking_down = Vec::new();
    for (target, (crop, _)) in lids::targets(crops).iter().zip(standardised) {
        let Some(lids) = classifier.predict(crop)?.lids else {
            continue;
        };
        if let Some(openness) = target.openness {
            off.push(f64::from((lids.openness - openness).abs()));
            said.push(f64::from(lids.openness_error));
        }
        if let Some(is_down) = target.looking_down {
            looking_down.push((f64::from(lids.looking_down), is_down));
        }
    }
    let down = looking_down.iter().filter(|(_, is_down)| *is_down).count();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    Ok(LidsCard {
        openness_n: off.len(),
        openness_error: mean(&off),
        openness_error_said: mean(&said),
        looking_down_n: [down, looking_down.len() - down],
        looking_down_auc: area_under_curve(&looking_down),
    })
}

fn unmeasured_card(
    run: &Checkpoint,
    crops: &CropSet,
    export_context: &ExportContext,
    network: &Network,
) -> ModelCard {
    let settings = &run.state.settings;
    let mut crops_by_source: BTreeMap<String, usize> = BTreeMap::new();
    for crop in &crops.train {
        *crops_by_source
            .entry(crop.sample.source.clone())
            .or_default() += 1;
    }
    ModelCard {
        format: FORMAT,
        name: export_context.name.clone(),
        architecture: settings.architecture.clone(),
        parameters: network.spec().parameters(),
        labels: EyeState::ALL.map(|state| state.name().to_owned()).to_vec(),
        input: InputCard::of_side(network.spec().side),
        temperature: 1.0,
        training: TrainingCard {
            command: settings.command(),
            seed: settings.seed,
            commit: env!("PARSEYE_COMMIT").into(),
            data_sha256: crops.sha256.clone(),
            files_sha256: settings.files_sha256(),
            data_credit: crate::data::credit::of_sources(crops_by_source.keys()),
            crops_by_source,
            epochs: settings.epochs,
            chosen_epoch: run.state.best_epoch,
            precision: match settings.precision {
                Precision::F32 => "f32",
                Precision::Bf16 => "bf16",
            }
            .into(),
            device: match export_context.device {
                Device::Cpu => "cpu".into(),
                other => format!("{other:?}").to_lowercase(),
            },
            threads: settings.threads,
        },
        validation: AccuracyCard::default(),
        lids: network.spec().lids.map(|_| LidsCard::default()),
        robustness: Vec::new(),
        reference_confidence: ConfidenceHistogram::default(),
        reference_quantiles: None,
    }
}

/// Fills in temperature, clean accuracy, calibration and references, all from
/// the runtime's engine.
fn measure_clean(
    card: &mut ModelCard,
    model: &EyeStateModel,
    val: &[(StandardisedCrop, EyeState)],
) -> Result<(), ExportError> {
    let mut classifier = model.classifier()?;
    let mut predictions: Vec<([f32; STATES], EyeState)> = Vec::with_capacity(val.len());
    for (crop, truth) in val {
        predictions.push((classifier.logits(crop)?, *truth));
    }
    let temperature = fit_temperature(&predictions);
    let mut confusion = Confusion::default();
    for (logits, truth) in &predictions {
        confusion.add(*truth, EyeState::most_likely(logits));
    }
    let confidences = |temperature: f32| {
        predictions.iter().map(move |(logits, truth)| {
            let confidence = softmax(logits, temperature).into_iter().fold(0.0, f32::max);
            (confidence, EyeState::most_likely(logits) == *truth)
        })
    };
    card.temperature = temperature;
    card.validation = AccuracyCard {
        n: val.len(),
        accuracy: confusion.accuracy(),
        macro_accuracy: confusion.macro_accuracy(),
        recall: confusion.recalls(),
        ece: expected_calibration_error(confidences(temperature)),
        ece_uncalibrated: expected_calibration_error(confidences(1.0)),
    };
    let logits: Vec<[f32; STATES]> = predictions.iter().map(|(logits, _)| *logits).collect();
    references::measure(card, &logits);
    Ok(())
}
