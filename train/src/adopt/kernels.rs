//! Weights of convolutions rewritten so that the runtime's convolution computes the same: it has one group, square
//! windows without dilation, one stride, and the same padding on all sides.

use super::{
    LowerError,
    constants::{Floats, MOST_ELEMENTS},
};

/// A window as a file gives it: rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KernelWindow {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Zeros before the first row and column.
    pub before: [usize; 2],
    /// Zeros after the last row and column.
    pub after: [usize; 2],
}

/// Weights of one group with square windows, and the padding on every side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SquareKernel {
    pub weights: Floats,
    pub padding: usize,
    pub stride: usize,
}

/// Rewrites weights of shape [outputs, inputs / groups, rows, columns].
pub(super) fn square(
    weights: &Floats,
    groups: usize,
    window: KernelWindow,
) -> Result<SquareKernel, LowerError> {
    let &[outputs, inputs, rows, columns] = weights.shape.as_slice() else {
        return Err(LowerError::Window(
            "weights that are not of four dimensions",
        ));
    };
    let [row_stride, stride] = window.stride;
    if row_stride != stride {
        return Err(LowerError::Window(
            "another stride along rows than along columns",
        ));
    }
    if window.kernel != [rows, columns] || groups == 0 || outputs % groups != 0 {
        return Err(LowerError::Window("weights that do not fit its window"));
    }
    let padding = window
        .before
        .into_iter()
        .chain(window.after)
        .max()
        .unwrap_or_default();
    let reach = |index: usize, size: usize| (size - 1) * window.dilation[index] + 1;
    let side = |index: usize, size: usize| {
        reach(index, size) + 2 * padding - window.before[index] - window.after[index]
    };
    if rows == 0 || columns == 0 {
        return Err(LowerError::Window("weights without elements"));
    }
    let sides = [side(0, rows), side(1, columns)];
    if sides[0] != sides[1] {
        return Err(LowerError::Window("windows that are not square"));
    }
    let side = sides[0];
    let of_group = outputs / groups;
    let elements = [outputs, inputs, groups, side, side]
        .into_iter()
        .try_fold(1_usize, usize::checked_mul);
    let elements = elements.filter(|elements| *elements <= MOST_ELEMENTS);
    let elements = elements.ok_or(LowerError::Window("too many weights"))?;
    let shift = [padding - window.before[0], padding - window.before[1]];
    let mut values = vec![0.0; elements];
    for output in 0..outputs {
        for input in 0..inputs {
            let channel = output / of_group * inputs + input;
            for row in 0..rows {
                for column in 0..columns {
                    let from = ((output * inputs + input) * rows + row) * columns + column;
                    let down = row * window.dilation[0] + shift[0];
                    let right = column * window.dilation[1] + shift[1];
                    let to = ((output * inputs * groups + channel) * side + down) * side + right;
                    values[to] = weights.values[from];
                }
            }
        }
    }
    Ok(SquareKernel {
        weights: Floats {
            shape: vec![outputs, inputs * groups, side, side],
            values,
        },
        padding,
        stride,
    })
}

/// Weights that keep each of `channels` apart, every tap of a window with the same weight.
pub(super) fn diagonal(
    channels: usize,
    kernel: [usize; 2],
    weight: f32,
) -> Result<Floats, LowerError> {
    let [rows, columns] = kernel;
    let taps = rows * columns;
    if channels.saturating_mul(taps) > MOST_ELEMENTS {
        return Err(LowerError::Window("too many weights"));
    }
    // In as many groups as there are channels.
    Ok(Floats {
        shape: vec![channels, 1, rows, columns],
        values: vec![weight; channels * taps],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: KernelWindow = KernelWindow {
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        before: [1, 1],
        after: [1, 1],
    };

    fn weights(shape: [usize; 4]) -> Floats {
        let count = shape.iter().product::<usize>();
        Floats {
            shape: shape.to_vec(),
            values: (1..=count).map(|i| i as f32).collect(),
        }
    }

    /// The output for one image, computed as the definition says.
    fn convolved(
        weights: &Floats,
        groups: usize,
        window: KernelWindow,
        image: &[f32],
        size: usize,
    ) -> Vec<f32> {
        let [outputs, inputs, rows, columns] = weights.shape[..] else {
            panic!("four dimensions")
        };
        let out = |index: usize, kernel: usize| {
            let reach = (kernel - 1) * window.dilation[index] + 1;
            (size + window.before[index] + window.after[index] - reach) / window.stride[index] + 1
        };
        let mut all = Vec::new();
        for output in 0..outputs {
            let first = output / (outputs / groups) * inputs;
            for y in 0..out(0, rows) {
                for x in 0..out(1, columns) {
                    let mut sum = 0.0;
                    for input in 0..inputs {
                        for row in 0..rows {
                            for column in 0..columns {
                                let at = |place: usize, index: usize, tap: usize| {
                                    (place * window.stride[index] + tap * window.dilation[index])
                                        .checked_sub(window.before[index])
                                        .filter(|at| *at < size)
                                };
                                if let (Some(down), Some(right)) = (at(y, 0, row), at(x, 1, column))
                                {
                                    let weight = weights.values[((output * inputs + input) * rows
                                        + row)
                                        * columns
                                        + column];
                                    sum += weight
                                        * image[((first + input) * size + down) * size + right];
                                }
                            }
                        }
                    }
                    all.push(sum);
                }
            }
        }
        all
    }

    #[test]
    fn rewritten_weights_compute_the_same() {
        let image: Vec<f32> = (0..4 * 9 * 9).map(|i| (i * 37 % 11) as f32 - 5.0).collect();
        let cases = [
            (weights([2, 4, 3, 3]), 1, PLAIN),
            (weights([4, 1, 3, 3]), 4, PLAIN),
            (weights([4, 2, 3, 3]), 2, PLAIN),
            // As TensorFlow pads with a stride of two, and dilated.
            (
                weights([1, 4, 3, 3]),
                1,
                KernelWindow {
                    stride: [2, 2],
                    before: [0, 0],
                    ..PLAIN
                },
            ),
            (
                weights([1, 4, 3, 3]),
                1,
                KernelWindow {
                    dilation: [2, 2],
                    before: [2, 2],
                    after: [2, 2],
                    ..PLAIN
                },
            ),
            // Flat windows whose padding keeps the size.
            (
                weights([1, 4, 1, 3]),
                1,
                KernelWindow {
                    kernel: [1, 3],
                    before: [0, 1],
                    after: [0, 1],
                    ..PLAIN
                },
            ),
        ];
        for (weights, groups, window) in cases {
            let rewritten = square(&weights, groups, window).unwrap();
            let side = rewritten.weights.shape[2];
            let plain = KernelWindow {
                kernel: [side; 2],
                stride: [rewritten.stride; 2],
                dilation: [1; 2],
                before: [rewritten.padding; 2],
                after: [rewritten.padding; 2],
            };
            assert_eq!(
                convolved(&rewritten.weights, 1, plain, &image, 9),
                convolved(&weights, groups, window, &image, 9),
                "{window:?}"
            );
        }
    }

    #[test]
    fn what_has_no_square_window_is_refused() {
        let flat = KernelWindow {
            kernel: [1, 3],
            before: [0; 2],
            after: [0; 2],
            ..PLAIN
        };
        let error = square(&weights([1, 1, 1, 3]), 1, flat).unwrap_err();
        assert!(error.to_string().contains("not square"), "{error}");
    }
}
