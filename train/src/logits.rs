//! The logits that a classifier in tch gives, as arrays.

use parseye_vision::eye_state::STATES;
use tch::{Device, Kind, Tensor};

/// The rows of a `[N,4]` tensor.
///
/// # Errors
/// When the tensor has another shape.
pub(crate) fn rows(logits: &Tensor) -> Result<Vec<[f32; STATES]>, tch::TchError> {
    let flat = logits
        .detach()
        .f_to_device(Device::Cpu)?
        .f_to_kind(Kind::Float)?;
    let flat: Vec<f32> = Vec::try_from(flat.f_contiguous()?.f_flatten(0, -1)?)?;
    Ok(flat
        .chunks_exact(STATES)
        .map(|row| std::array::from_fn(|state| row[state]))
        .collect())
}
