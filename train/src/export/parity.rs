//! The check every model passes before it is written: the runtime's engine, from the image on,
//! computes the logits of tch in training.
//!
//! Both sides start from the same image and preprocess it on their own, so that a difference in
//! preprocessing is found as well as one in weights or graph.

use super::ExportError;
use crate::{
    attack::gradient::of_cross_entropy,
    crop::Crop,
    data::batch::Batch,
    logits::rows,
    network::module::{Mode, Network},
};
use parseye_vision::{
    classify::{EyeStateModel, StandardisedCrop, gradient::GradientModel},
    eye_crop::eye_crop,
    eye_state::{EyeState, STATES},
    lids::{self, Lids},
};
use tch::Device;

/// Largest difference of a logit. Folding and another order of sums cost about 1e-6; a wrong
/// weight or preprocessing costs tenths.
pub const TOLERANCE: f32 = 1e-4;

/// Compares the runtime's logits of `model` with those of `network` fed by `preprocess`, which is
/// what training feeds it with. Returns the largest difference seen.
///
/// # Errors
/// When one is larger than [`TOLERANCE`] or the model cannot run.
pub fn check(
    network: &Network,
    model: &EyeStateModel,
    crops: &[&Crop],
    preprocess: impl Fn(&Crop) -> StandardisedCrop,
) -> Result<f32, ExportError> {
    let trained = crops
        .iter()
        .map(|crop| (preprocess(crop), crop.sample.label));
    let trained: Vec<_> = trained.collect();
    let expected = logits(network, &trained)?;
    let expected_lids = lids(network, &trained)?;
    let mut classifier = model.classifier()?;
    let mut largest = 0.0;
    for (index, (crop, expected)) in crops.iter().zip(&expected).enumerate() {
        let as_live = eye_crop(&crop.image, &crop.whole(), model.side());
        let prediction = classifier.logits(&as_live)?;
        let of_lids = match (expected_lids.get(index), classifier.predict(&as_live)?.lids) {
            (None, None) => 0.0,
            (Some(expected), Some(lids)) => apart(*expected, lids),
            // The output is there on one side only.
            _ => f32::NAN,
        };
        let of_logits = prediction.iter().zip(expected).map(|(a, b)| (a - b).abs());
        for difference in of_logits.chain([of_lids]) {
            // A difference that is not a number must fail as well.
            if difference.is_nan() || difference > TOLERANCE {
                return Err(ExportError::Parity {
                    difference,
                    crop: index,
                    tolerance: TOLERANCE,
                });
            }
            largest = difference.max(largest);
        }
    }
    Ok(largest)
}

/// Share of pixels on which the signs of the exported gradient must agree with autograd's, those left out whose
/// difference is [`rounding`].
pub(crate) const SIGNS_NEEDED: f64 = 0.999;

/// Relative rounding of a gradient that has passed a network of some twenty layers in f32.
const LAYERS_ROUNDING: f64 = 1e-3;

/// Returns which difference of two gradients of a crop is rounding, as a share of the crop's largest one: that of
/// the layers, and that of p - 1 in f32, from which the gradient of the cross-entropy begins. Where the network is
/// sure of the label nothing of that difference is left, and the sign says nothing.
fn rounding(logits: &[f32; STATES], label: EyeState) -> f64 {
    let of_label = f64::from(logits[label.index()]);
    let others: f64 = logits
        .iter()
        .enumerate()
        .filter(|(state, _)| *state != label.index())
        .map(|(_, logit)| (f64::from(*logit) - of_label).exp())
        .sum();
    let unsure = others / (1.0 + others);
    LAYERS_ROUNDING + 4.0 * f64::from(f32::EPSILON) / unsure.max(f64::from(f32::MIN_POSITIVE))
}

/// Compares the signs of the runtime's gradients with those of autograd through `network`, each
/// crop with its own label. Returns the share that agrees.
///
/// # Errors
/// When fewer than [`SIGNS_NEEDED`] agree or the graph cannot run.
pub fn check_gradient(
    network: &Network,
    model: &GradientModel,
    crops: &[&Crop],
) -> Result<f64, ExportError> {
    let side = network.spec().side;
    let inputs: Vec<_> = crops
        .iter()
        .map(|crop| (crop.standardised(side), crop.sample.label))
        .collect();
    let batch = Batch::new(&inputs, network.device())?;
    let expected = of_cross_entropy(network, &batch.images, &batch.labels)?;
    let expected = expected
        .f_to_device(Device::Cpu)
        .and_then(|tensor| tensor.f_contiguous()?.f_flatten(0, -1))?;
    let expected: Vec<f32> = Vec::try_from(expected)?;
    let mut runner = model.runner()?;
    let mut agreeing = 0_usize;
    for ((crop, label), expected) in inputs.iter().zip(expected.chunks_exact(side * side)) {
        let gradient = runner.gradient(crop, *label)?;
        let largest = expected
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let noise = rounding(&gradient.logits, *label) * f64::from(largest);
        let agrees = |a: f32, b: f32| {
            (a > 0.0, a < 0.0) == (b > 0.0, b < 0.0) || f64::from((a - b).abs()) <= noise
        };
        let pairs = gradient.values.iter().zip(expected);
        agreeing += pairs.filter(|(a, b)| agrees(**a, **b)).count();
    }
    let agreement = agreeing as f64 / (side * side * crops.len().max(1)) as f64;
    if agreement < SIGNS_NEEDED {
        return Err(ExportError::Gradient {
            agreement,
            needed: SIGNS_NEEDED,
        });
    }
    Ok(agreement)
}

/// Largest difference of two readings of the lids.
fn apart(a: Lids, b: Lids) -> f32 {
    [
        a.openness - b.openness,
        a.openness_error - b.openness_error,
        a.looking_down - b.looking_down,
    ]
    .into_iter()
    .fold(0.0, |largest, difference| largest.max(difference.abs()))
}

/// The trained network's own readings of the lids, batch norms as in use; none where it has no output for them.
fn lids(
    network: &Network,
    crops: &[(StandardisedCrop, EyeState)],
) -> Result<Vec<Lids>, ExportError> {
    let device = network.device();
    let mut all = Vec::new();
    for chunk in crops.chunks(CHUNK) {
        let batch = Batch::new(chunk, device)?;
        let outputs = tch::no_grad(|| network.outputs(&batch.images, Mode::Eval));
        let Some(lids) = outputs.lids else {
            return Ok(Vec::new());
        };
        let values: Vec<f32> = Vec::try_from(lids.f_to_device(Device::Cpu)?.f_flatten(0, -1)?)?;
        let rows = values.chunks_exact(lids::OUTPUTS);
        all.extend(rows.filter_map(|row| Lids::of_outputs(row.try_into().ok()?)));
    }
    Ok(all)
}

/// Crops that go through the network at once; bounds the memory.
const CHUNK: usize = 256;

/// The trained network's own logits, batch norms as in use.
///
/// # Errors
/// When the device cannot hold the crops.
pub fn logits(
    network: &Network,
    crops: &[(StandardisedCrop, EyeState)],
) -> Result<Vec<[f32; STATES]>, ExportError> {
    let device = network.device();
    let mut all = Vec::with_capacity(crops.len());
    for chunk in crops.chunks(CHUNK) {
        let batch = Batch::new(chunk, device)?;
        let output = tch::no_grad(|| network.forward(&batch.images, Mode::Eval));
        all.extend(rows(&output)?);
    }
    Ok(all)
}
