//! Training targets: the labels themselves, or probabilities where neighbouring states or
//! a teacher have a share.

use super::FitSettings;
use crate::{attack::Classifier, data::batch::Batch};
use parseye_vision::eye_state::{EyeState, STATES};
use tch::{Kind, Tensor};

/// Labels i64 `[N]` where nothing else has a share (half the arithmetic, and the very numbers that
/// runs without these settings always had); else probabilities f32 `[N,4]`.
pub fn of(
    settings: &FitSettings,
    batch: &Batch,
    teacher: Option<&dyn Classifier>,
) -> Result<Tensor, tch::TchError> {
    let of_teacher = settings.teacher.as_ref().zip(teacher);
    if settings.neighbour_smoothing == 0.0 && of_teacher.is_none() {
        return Ok(batch.labels.shallow_clone());
    }
    let rows = EyeState::ALL.map(|label| shared(label, settings.neighbour_smoothing));
    let states = STATES as i64;
    let table = Tensor::f_from_slice(rows.as_flattened())?
        .f_reshape([states, states])?
        .f_to_device(batch.labels.device())?;
    let labels = table.f_index_select(0, &batch.labels)?;
    let Some((setting, teacher)) = of_teacher else {
        return Ok(labels);
    };
    let predictions = tch::no_grad(|| teacher.logits(&batch.images).softmax(1, Kind::Float));
    Ok(labels * (1.0 - setting.weight) + predictions * setting.weight)
}

/// Probabilities for a label of which `share` goes to the states next to it as lids close. An eye
/// that is not visible has no neighbour.
fn shared(label: EyeState, share: f64) -> [f32; STATES] {
    use EyeState::{Closed, NotVisible, Open, PartiallyOpen};
    let neighbours: &[EyeState] = match label {
        Open | Closed => &[PartiallyOpen],
        PartiallyOpen => &[Open, Closed],
        NotVisible => &[],
    };
    let mut row = [0.0; STATES];
    for neighbour in neighbours {
        row[neighbour.index()] = (share / neighbours.len() as f64) as f32;
    }
    row[label.index()] = 1.0 - row.iter().sum::<f32>();
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_and_every_row_is_a_distribution() {
        assert_eq!(shared(EyeState::Open, 0.1), [0.9, 0.1, 0.0, 0.0]);
        assert_eq!(shared(EyeState::PartiallyOpen, 0.2), [0.1, 0.8, 0.1, 0.0]);
        assert_eq!(shared(EyeState::Closed, 0.0), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(shared(EyeState::NotVisible, 0.5), [0.0, 0.0, 0.0, 1.0]);
    }
}
