//! `train card`: measures again, on the validation split, what a live stream of an existing model is
//! compared with, and writes it on the model's card. Weights and all other metrics stay as they are.

use super::{ExportError, gradient_path};
use crate::{data::evaluation::EvaluationSet, files::write_atomically};
use anyhow::{Context, bail};
use parseye_vision::{
    classify::{
        EyeStateModel, ModelCard, StandardisedCrop,
        card::{ConfidenceHistogram, METADATA_KEY, ReferenceQuantiles},
        gradient::{GRADIENT_OF_KEY, GradientModel},
        model::softmax,
    },
    evaluate::manifest::Split,
    eye_state::STATES,
};
use prost::Message;
use std::path::{Path, PathBuf};
use tract_onnx::pb;

/// Arguments of `train card`.
#[derive(Clone, Debug, clap::Args)]
pub struct CardArguments {
    /// The model whose card is rewritten, and that of its gradient graph beside it.
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Folder with manifest.csv and the images it lists: the very data the model was trained on.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Rewrites the card and prints its references.
///
/// # Errors
/// When the model or the data cannot be read, or the data are not those of the card.
pub fn run(arguments: &CardArguments) -> anyhow::Result<()> {
    let model = EyeStateModel::from_file(&arguments.model)?;
    let val = EvaluationSet::read(&arguments.data, Split::Val)?;
    let made_from = &model.card().training.data_sha256;
    if *made_from != val.sha256 {
        bail!(
            "{}: the model was made from other data (their hash is {made_from}, here it is {}); give the --data of its training",
            arguments.data.display(),
            val.sha256
        );
    }
    let crops: Vec<StandardisedCrop> = val.crops.iter().map(|crop| crop.standardised()).collect();
    let card = rewrite(&arguments.model, &crops)?;
    if let Some(quantiles) = &card.reference_quantiles {
        for ((share, confidence), entropy) in quantiles
            .shares
            .iter()
            .zip(&quantiles.confidence)
            .zip(&quantiles.entropy_bits)
        {
            eprintln!(
                "{:>4.0} % of {} crops: confidence below {confidence:.3}, entropy below {entropy:.3} bits",
                100.0 * share,
                quantiles.n
            );
        }
    }
    Ok(())
}

/// Measures the references of the model at `path` on these crops and writes them on its card.
///
/// # Errors
/// When a file cannot be read or written, or the gradient graph beside it is another model's.
pub fn rewrite(path: &Path, crops: &[StandardisedCrop]) -> anyhow::Result<ModelCard> {
    let model = EyeStateModel::from_file(path)?;
    let gradient = GradientModel::beside(path, &model)?;
    let mut card = model.card().clone();
    let mut classifier = model.classifier()?;
    let logits = crops.iter().map(|crop| classifier.logits(crop));
    let logits: Vec<[f32; STATES]> = logits.collect::<Result<_, _>>()?;
    measure(&mut card, &logits);
    let json = serde_json::to_string(&card).map_err(ExportError::Card)?;

    let bytes = with_metadata(path, &[(METADATA_KEY, &json)])?;
    let rewritten = EyeStateModel::from_bytes(&bytes, "rewritten model")?;
    if gradient.is_some() {
        let path = gradient_path(path);
        let sha256 = &rewritten.file().sha256;
        let bytes = with_metadata(&path, &[(METADATA_KEY, &json), (GRADIENT_OF_KEY, sha256)])?;
        GradientModel::from_bytes(&bytes, "rewritten gradient", &rewritten)?;
        write_atomically(&path, &bytes)?;
    }
    write_atomically(path, &bytes)?;
    Ok(card)
}

/// Fills in the references from raw outputs on the clean validation split, with the card's temperature.
pub(super) fn measure(card: &mut ModelCard, logits: &[[f32; STATES]]) {
    let predictions: Vec<[f32; STATES]> = logits
        .iter()
        .map(|logits| softmax(logits, card.temperature))
        .collect();
    let confidences = predictions
        .iter()
        .map(|p| p.iter().copied().fold(0.0, f32::max));
    card.reference_confidence = ConfidenceHistogram::of(confidences);
    card.reference_quantiles = ReferenceQuantiles::of(&predictions);
}

/// The bytes of an ONNX file with these of its metadata changed.
fn with_metadata(path: &Path, changes: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let mut proto = pb::ModelProto::decode(bytes.as_slice())
        .with_context(|| format!("{}: not a whole ONNX model", path.display()))?;
    for entry in &mut proto.metadata_props {
        if let Some((_, value)) = changes.iter().find(|(key, _)| *key == entry.key) {
            entry.value = (*value).to_owned();
        }
    }
    Ok(proto.encode_to_vec())
}
