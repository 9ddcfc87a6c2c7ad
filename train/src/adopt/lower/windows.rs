//! How convolutions, pools and padding of others are written: everything that reads windows of an image.

use super::{
    super::{
        constants::Floats,
        kernels::{self, KernelWindow},
    },
    LowerError, Lowering, MOST_SIDE, Wire, attribute_ints, float, integer, ints, rewrite,
};
use tract_onnx::pb;

impl Lowering {
    pub(super) fn conv(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        let weights = self
            .floats(node, 1)?
            .ok_or_else(|| rewrite(node, "no weights"))?;
        let &[_, _, rows, columns] = weights.shape.as_slice() else {
            return Err(rewrite(node, "weights that are not of four dimensions"));
        };
        if [rows, columns]
            .iter()
            .any(|side| !(1..=MOST_SIDE).contains(side))
        {
            return Err(rewrite(node, "a window of impossible size"));
        }
        let window = window(node, x, [rows, columns])?;
        let groups = usize::try_from(integer(node, "group", 1)).unwrap_or_default();
        let bias = self.floats(node, 2)?;
        self.convolution(x, &weights, groups, window, bias.as_ref())
    }

    /// A convolution written with one group, square windows and equal padding.
    fn convolution(
        &mut self,
        x: &Wire,
        weights: &Floats,
        groups: usize,
        window: KernelWindow,
        bias: Option<&Floats>,
    ) -> Result<Wire, LowerError> {
        let square = kernels::square(weights, groups, window)?;
        let side = square.weights.shape[2] as i64;
        let attributes = vec![
            ints("kernel_shape", &[side; 2]),
            ints("pads", &[square.padding as i64; 4]),
            ints("strides", &[square.stride as i64; 2]),
        ];
        let weights = self.constant(&square.weights);
        let bias = bias.map(|bias| self.constant(bias));
        let mut inputs = vec![x.name.as_str(), &weights];
        inputs.extend(bias.as_deref());
        self.emit("Conv", &inputs, attributes)
    }

    pub(super) fn max_pool(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        let window = window(node, x, kernel(node)?)?;
        if window.dilation != [1; 2] || integer(node, "ceil_mode", 0) != 0 {
            return Err(rewrite(node, "dilations or a rounding up of its size"));
        }
        if window.kernel[0] != window.kernel[1] || window.stride[0] != window.stride[1] {
            return Err(rewrite(node, "windows that are not square"));
        }
        let padded = match (window.before, window.after) {
            ([0, 0], [0, 0]) => x.clone(),
            // Zeros change no maximum of what is not negative.
            _ if x.not_negative => self.with_zeros(x, window.before, window.after)?,
            _ => return Err(rewrite(node, "padding of values that may be negative")),
        };
        let attributes = vec![
            ints("kernel_shape", &[window.kernel[0] as i64; 2]),
            ints("strides", &[window.stride[0] as i64; 2]),
        ];
        let pooled = self.emit("MaxPool", &[&padded.name], attributes)?;
        Ok(Wire {
            not_negative: x.not_negative,
            ..pooled
        })
    }

    pub(super) fn average_pool(
        &mut self,
        node: &pb::NodeProto,
        x: &Wire,
    ) -> Result<Wire, LowerError> {
        let window = window(node, x, kernel(node)?)?;
        let padded = window.before != [0; 2] || window.after != [0; 2];
        if integer(node, "ceil_mode", 0) != 0
            || padded && integer(node, "count_include_pad", 0) == 0
        {
            return Err(rewrite(node, "windows over its border"));
        }
        let channels = channels(node, x)?;
        if x.shape.get(2..) == Some(&window.kernel[..]) && !padded {
            return self.emit("GlobalAveragePool", &[&x.name], Vec::new());
        }
        let weight = 1.0 / (window.kernel[0] * window.kernel[1]) as f32;
        let weights = kernels::diagonal(channels, window.kernel, weight)?;
        self.convolution(x, &weights, channels, window, None)
    }

    /// Zeros around the image.
    pub(super) fn pad(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        let pads = self.second_input_or_attribute(node, "pads");
        let mode = node
            .attribute
            .iter()
            .find(|a| a.name == "mode")
            .map(|a| a.s.as_slice());
        let value = self
            .floats(node, 2)?
            .and_then(|value| value.values.first().copied());
        let zeros = value.unwrap_or_else(|| float(node, "value", 0.0)) == 0.0;
        let side = |pad: i64| usize::try_from(pad).ok();
        match pads {
            Some(&[0, 0, top, left, 0, 0, bottom, right])
                if zeros && matches!(mode, None | Some(b"constant")) =>
            {
                let sides = [top, left, bottom, right].map(side);
                let [Some(top), Some(left), Some(bottom), Some(right)] = sides else {
                    return Err(rewrite(node, "negative padding"));
                };
                self.with_zeros(x, [top, left], [bottom, right])
            }
            _ => Err(rewrite(node, "padding other than zeros around an image")),
        }
    }

    /// Zeros around an image, by a convolution whose only weights are ones in one place: its padding and window are
    /// so large that the image lands where it should.
    fn with_zeros(
        &mut self,
        x: &Wire,
        before: [usize; 2],
        after: [usize; 2],
    ) -> Result<Wire, LowerError> {
        let around = [0, 1].map(|index| before[index] + after[index]);
        if around == [0; 2] {
            return Ok(x.clone());
        }
        if around[0] != around[1] {
            return Err(LowerError::Window(
                "other padding along rows than along columns",
            ));
        }
        let channels = x.shape.get(1).copied().unwrap_or_default();
        let (padding, side) = (around[0], around[0] + 1);
        let mut weights = kernels::diagonal(channels, [side; 2], 0.0)?;
        for channel in 0..channels {
            // Tap c of the window reads pixel i - padding + c, which is i - before for this one.
            let [row, column] = [0, 1].map(|index| padding - before[index]);
            weights.values[(channel * side + row) * side + column] = 1.0;
        }
        let window = KernelWindow {
            kernel: [side; 2],
            stride: [1; 2],
            dilation: [1; 2],
            before: [padding; 2],
            after: [padding; 2],
        };
        let padded = self.convolution(x, &weights, channels, window, None)?;
        Ok(Wire {
            not_negative: x.not_negative,
            ..padded
        })
    }
}

fn channels(node: &pb::NodeProto, x: &Wire) -> Result<usize, LowerError> {
    match x.shape.as_slice() {
        &[1, channels, _, _] => Ok(channels),
        _ => Err(rewrite(node, "an input that is no image")),
    }
}

fn kernel(node: &pb::NodeProto) -> Result<[usize; 2], LowerError> {
    pair(node, "kernel_shape", 1)?.ok_or_else(|| rewrite(node, "no size of its window"))
}

/// Two integers of at least `least`.
fn pair(node: &pb::NodeProto, name: &str, least: usize) -> Result<Option<[usize; 2]>, LowerError> {
    let Some(values) = attribute_ints(node, name) else {
        return Ok(None);
    };
    let value = |value: i64| {
        usize::try_from(value)
            .ok()
            .filter(|v| (least..=MOST_SIDE).contains(v))
    };
    match values {
        &[rows, columns] => {
            let both = value(rows)
                .zip(value(columns))
                .map(|(rows, columns)| [rows, columns]);
            both.map(Some)
                .ok_or_else(|| rewrite(node, "a window of impossible size"))
        }
        _ => Err(rewrite(node, "a window that is not of two dimensions")),
    }
}

/// The window of a convolution or pool, its padding computed where the file leaves that to the reader.
fn window(node: &pb::NodeProto, x: &Wire, kernel: [usize; 2]) -> Result<KernelWindow, LowerError> {
    channels(node, x)?;
    let stride = pair(node, "strides", 1)?.unwrap_or([1; 2]);
    let dilation = pair(node, "dilations", 1)?.unwrap_or([1; 2]);
    let mode = node
        .attribute
        .iter()
        .find(|a| a.name == "auto_pad")
        .map(|a| a.s.as_slice());
    let total = |index: usize| {
        let size = x.shape[index + 2];
        let reach = (kernel[index] - 1) * dilation[index] + 1;
        let last = (size.div_ceil(stride[index]) - 1) * stride[index] + reach;
        last.saturating_sub(size)
    };
    let totals = [total(0), total(1)];
    let (before, after) = match mode {
        None | Some(b"" | b"NOTSET") => match attribute_ints(node, "pads") {
            None => ([0; 2], [0; 2]),
            Some(pads) => {
                let side = |pad: &i64| usize::try_from(*pad).ok().filter(|p| *p <= MOST_SIDE);
                let sides: Option<Vec<usize>> = pads.iter().map(side).collect();
                match sides.as_deref() {
                    Some(&[top, left, bottom, right]) => ([top, left], [bottom, right]),
                    _ => return Err(rewrite(node, "padding that is not of four sides")),
                }
            }
        },
        Some(b"VALID") => ([0; 2], [0; 2]),
        Some(b"SAME_UPPER") => (
            totals.map(|total| total / 2),
            totals.map(|total| total.div_ceil(2)),
        ),
        Some(b"SAME_LOWER") => (
            totals.map(|total| total.div_ceil(2)),
            totals.map(|total| total / 2),
        ),
        Some(_) => return Err(rewrite(node, "an unknown kind of padding")),
    };
    Ok(KernelWindow {
        kernel,
        stride,
        dilation,
        before,
        after,
    })
}
