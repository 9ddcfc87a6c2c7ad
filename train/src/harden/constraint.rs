//! The constraints of Parseval networks (Cisse et al. 2017): weights near tight frames, and
//! residual sums that are convex. Both are restored after each step of the optimiser.

use crate::{
    data::sampling::draw,
    network::{
        module::Network,
        spec::{Layer, Operation},
    },
};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use tch::{Kind, Tensor};

/// Share of a weight's rows that a retraction works on, drawn for each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Rows {
    /// Every row.
    All,
    /// This share, above 0 and below 1: the sampling of Cisse et al. 2017, section 4.
    Share(f64),
}

/// A share of rows that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither 'all' nor a share above 0 and at most 1, such as 0.3")]
pub struct RowsError(String);

impl FromStr for Rows {
    type Err = RowsError;

    fn from_str(text: &str) -> Result<Self, RowsError> {
        match text.parse::<f64>() {
            _ if text == "all" => Ok(Self::All),
            Ok(1.0) => Ok(Self::All),
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Self::Share(share)),
            _ => Err(RowsError(text.into())),
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => write!(f, "all"),
            Self::Share(share) => write!(f, "{share}"),
        }
    }
}

/// Retraction of the weights towards tight frames after each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retraction {
    /// Length b of a pull; 0.001 in the study.
    pub beta: f64,
    /// Pulls after each step.
    pub passes: u32,
    /// Rows that a pull works on.
    pub rows: Rows,
}

impl Default for Retraction {
    fn default() -> Self {
        Self {
            beta: 0.001,
            passes: 1,
            rows: Rows::All,
        }
    }
}

/// One pull of a matrix towards a tight frame: (1 + b) W - b W W^T W (Cisse et al. 2017,
/// equation 13), one step down the gradient of b/4 ||W W^T - I||^2. Singular values below 1 grow,
/// those above 1 shrink, as long as b is below 1 and they are below sqrt((2 + b) / b).
pub(crate) fn pulled(matrix: &Tensor, beta: f64) -> Tensor {
    matrix * (1.0 + beta) - matrix.matmul(&matrix.tr()).matmul(matrix) * beta
}

impl Retraction {
    /// Pulls the rows of `matrix` `[rows, columns]`, in all `passes` times.
    pub(crate) fn apply(&self, matrix: &Tensor, rng: &mut impl Rng) -> Tensor {
        let mut matrix = matrix.shallow_clone();
        for _ in 0..self.passes {
            matrix = match self.rows {
                Rows::All => pulled(&matrix, self.beta),
                Rows::Share(share) => {
                    let rows = matrix.size().first().copied().unwrap_or(0);
                    let count = (rows as f64 * share).ceil() as usize;
                    let drawn = draw((0..rows).collect(), count, rng);
                    let chosen = Tensor::from_slice::<i64>(&drawn).to_device(matrix.device());
                    let part = pulled(&matrix.index_select(0, &chosen), self.beta);
                    matrix.index_copy(0, &chosen, &part)
                }
            };
        }
        matrix
    }
}

/// Restores the constraints of every layer of `network` that has one.
pub(crate) fn restore(network: &Network, retraction: &Retraction, rng: &mut impl Rng) {
    tch::no_grad(|| {
        for layer in &network.spec().layers {
            if let Some(weight) = tight_weight(network, layer) {
                let matrix = unfolded(weight);
                let pulled = retraction.apply(&matrix, rng).view_as(weight);
                weight.shallow_clone().copy_(&pulled);
            }
            if layer.operation == Operation::ConvexSum
                && let Some(coefficients) = network.tensor(&layer.name, "coefficients")
            {
                let values: Vec<f64> = (0..2).map(|i| coefficients.double_value(&[i])).collect();
                let projected = onto_simplex(&values);
                let projected = Tensor::from_slice(&projected)
                    .to_kind(Kind::Float)
                    .to_device(coefficients.device());
                coefficients.shallow_clone().copy_(&projected);
            }
        }
    });
}

/// The weight of a layer that is kept near a tight frame.
fn tight_weight<'a>(network: &'a Network, layer: &Layer) -> Option<&'a Tensor> {
    match layer.operation {
        Operation::Convolution {
            tight_frame: true, ..
        }
        | Operation::Dense {
            tight_frame: true, ..
        } => network.tensor(&layer.name, "weight"),
        _ => None,
    }
}

/// A weight as a matrix: outputs by inputs times kernel squared.
fn unfolded(weight: &Tensor) -> Tensor {
    let outputs = weight.size().first().copied().unwrap_or(1);
    weight.contiguous().view([outputs, -1])
}

/// Distance of a weight from a tight frame: `||G - I||_F / sqrt(n)` of the smaller of its two Gram
/// matrices, `W W^T` for a weight with more columns than rows and `W^T W` otherwise, n its side. (The
/// larger one cannot be the identity: its rank is at most n.) 0 is a tight frame.
pub fn deviation(weight: &Tensor) -> f64 {
    tch::no_grad(|| {
        let matrix = unfolded(weight).to_kind(Kind::Double);
        let (rows, columns) = matrix.size2().unwrap_or((1, 1));
        let gram = if rows <= columns {
            matrix.matmul(&matrix.tr())
        } else {
            matrix.tr().matmul(&matrix)
        };
        let n = rows.min(columns);
        let distance = (gram - Tensor::eye(n, (Kind::Double, matrix.device()))).square();
        (distance.sum(Kind::Double).double_value(&[]) / n as f64).sqrt()
    })
}

/// [`deviation`] of every convolution and dense layer, constrained or not, in their order.
pub(crate) fn deviations(network: &Network) -> Vec<(String, f64)> {
    let layers = network.spec().layers.iter();
    let weighty = layers.filter(|layer| {
        matches!(
            layer.operation,
            Operation::Convolution { .. } | Operation::Dense { .. }
        )
    });
    weighty
        .filter_map(|layer| {
            let weight = network.tensor(&layer.name, "weight")?;
            Some((layer.name.clone(), deviation(weight)))
        })
        .collect()
}

/// The point of the probability simplex nearest to `values` (Held, Wolfe & Crowder 1974; as in
/// Duchi et al. 2008): max(v - t, 0) with the one t for which the result sums to 1.
pub(crate) fn onto_simplex(values: &[f64]) -> Vec<f64> {
    let mut falling = values.to_vec();
    falling.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (index, value) in falling.iter().enumerate() {
        sum += value;
        let candidate = (sum - 1.0) / (index + 1) as f64;
        if *value > candidate {
            threshold = candidate;
        }
    }
    values.iter().map(|v| (v - threshold).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    fn matrix(rows: &[&[f64]]) -> Tensor {
        Tensor::from_slice2(rows)
    }

    #[test]
    fn a_pull_is_the_studys_formula_on_a_matrix_worked_by_hand() {
        // W = [[1, 2], [3, 4]]: W W^T = [[5, 11], [11, 25]],
        // W W^T W = [[5 + 33, 10 + 44], [11 + 75, 22 + 100]] = [[38, 54], [86, 122]].
        let w = matrix(&[&[1.0, 2.0], &[3.0, 4.0]]);
        let expected = matrix(&[&[1.1 - 3.8, 2.2 - 5.4], &[3.3 - 8.6, 4.4 - 12.2]]);
        let off = (pulled(&w, 0.1) - expected).abs().max().double_value(&[]);
        assert!(off < 1e-12, "{off}");
    }

    #[test]
    fn rows_that_are_not_drawn_stay_as_they_are() {
        tch::manual_seed(1);
        let w = Tensor::randn([10, 20], (Kind::Double, Device::Cpu));
        let retraction = Retraction {
            beta: 0.01,
            passes: 1,
            rows: Rows::Share(0.3),
        };
        let pulled = retraction.apply(&w, &mut ChaCha8Rng::seed_from_u64(1));
        let changed = (pulled - &w)
            .abs()
            .sum_dim_intlist([1_i64].as_slice(), false, Kind::Double);
        let changed = Vec::<f64>::try_from(changed).unwrap();
        assert_eq!(changed.iter().filter(|change| **change > 0.0).count(), 3);
    }

    #[test]
    fn many_pulls_make_a_tight_frame_of_either_shape() {
        tch::manual_seed(2);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let retraction = Retraction {
            beta: 0.05,
            passes: 400,
            rows: Rows::All,
        };
        for size in [[16, 9], [16, 144]] {
            let w = Tensor::randn(size, (Kind::Double, Device::Cpu)) * 0.1;
            assert!(deviation(&w) > 0.3);
            assert!(deviation(&retraction.apply(&w, &mut rng)) < 1e-6);
        }
    }

    proptest! {
        #[test]
        fn the_projection_is_the_nearest_point(values in prop::collection::vec(-3.0_f64..3.0, 1..5), seed in 0_u64..100) {
            let projected = onto_simplex(&values);
            prop_assert!(projected.iter().all(|v| *v >= 0.0));
            prop_assert!((projected.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let distance = |point: &[f64]| -> f64 {
                point.iter().zip(&values).map(|(p, v)| (p - v).powi(2)).sum()
            };
            // Brute force: no point of the simplex is nearer, neither far away nor close by.
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for trial in 0..2000 {
                let draws: Vec<f64> = values.iter().map(|_| -rng.random::<f64>().max(1e-12).ln()).collect();
                let total: f64 = draws.iter().sum();
                let step = if trial % 2 == 0 { 1.0 } else { 1e-3 };
                let other: Vec<f64> = draws.iter().zip(&projected)
                    .map(|(d, p)| step * d / total + (1.0 - step) * p)
                    .collect();
                prop_assert!(distance(&other) >= distance(&projected) - 1e-12);
            }
        }
    }

    #[test]
    fn rows_are_all_or_a_share() {
        assert_eq!("all".parse(), Ok(Rows::All));
        assert_eq!("1".parse(), Ok(Rows::All));
        assert_eq!("0.3".parse(), Ok(Rows::Share(0.3)));
        for slip in ["0", "-1", "1.5", "nan", "al"] {
            let error = slip.parse::<Rows>().unwrap_err().to_string();
            assert!(error.contains("0.3"));
        }
    }
}
