//! What a live stream of a model is compared with, measured on the clean validation split and written on the
//! model's card. Weights and all other metrics stay as they are.

use super::{ExportError, gradient_path};
use crate::files::write_atomically;
use anyhow::Context;
use parseye_vision::{
    classify::{
        EyeStateModel, ModelCard, StandardisedCrop,
        card::{ConfidenceHistogram, METADATA_KEY, ReferenceQuantiles},
        gradient::{GRADIENT_OF_KEY, GradientModel},
        model::softmax,
    },
    eye_state::STATES,
};
use prost::Message;
use std::path::Path;
use tract_onnx::pb;

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
pub(crate) fn measure(card: &mut ModelCard, logits: &[[f32; STATES]]) {
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
