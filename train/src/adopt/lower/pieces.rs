//! How each operator of others is written that reads no windows of an image.

use super::{
    super::{
        constants::{self, Floats},
        shapes,
    },
    LowerError, Lowering, Wire, attribute_ints, float, integer, ints, rewrite,
};
use parseye_vision::classify::operators::{MAX_RANK, Value};
use tract_onnx::pb;

impl Lowering {
    pub(super) fn relu(&mut self, x: &Wire) -> Result<Wire, LowerError> {
        self.emit("Relu", &[&x.name], Vec::new())
    }

    /// The value times a number.
    pub(super) fn scaled(&mut self, x: &Wire, factor: f32) -> Result<Wire, LowerError> {
        let factor = self.constant(&one(factor));
        self.emit("Mul", &[&x.name, &factor], Vec::new())
    }

    /// From 0 up, and where there is a top t: max(x, 0) - max(x - t, 0).
    pub(super) fn clip(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        let bound = |index, name: &str| -> Result<Option<f32>, LowerError> {
            let attribute = node.attribute.iter().find(|a| a.name == name).map(|a| a.f);
            let constant = self
                .floats(node, index)?
                .and_then(|bound| bound.values.first().copied());
            Ok(constant.or(attribute))
        };
        let (low, high) = (bound(1, "min")?, bound(2, "max")?);
        if low != Some(0.0) {
            return Err(rewrite(node, "a lower bound other than 0"));
        }
        let rectified = self.relu(x)?;
        match high {
            Some(top) if top < f32::MAX => {
                let top = self.constant(&one(top));
                let above = self.emit("Sub", &[&x.name, &top], Vec::new())?;
                let above = self.relu(&above)?;
                let clipped = self.emit("Sub", &[&rectified.name, &above.name], Vec::new())?;
                Ok(Wire {
                    not_negative: true,
                    ..clipped
                })
            }
            _ => Ok(rectified),
        }
    }

    /// alpha x + (1 - alpha) max(x, 0).
    pub(super) fn leaky_relu(
        &mut self,
        node: &pb::NodeProto,
        x: &Wire,
    ) -> Result<Wire, LowerError> {
        let alpha = float(node, "alpha", 0.01);
        let straight = self.scaled(x, alpha)?;
        let rectified = self.relu(x)?;
        let rectified = self.scaled(&rectified, 1.0 - alpha)?;
        self.emit("Add", &[&straight.name, &rectified.name], Vec::new())
    }

    /// The mean over rows and columns.
    pub(super) fn reduce_mean(
        &mut self,
        node: &pb::NodeProto,
        x: &Wire,
    ) -> Result<Wire, LowerError> {
        let constant = node
            .input
            .get(1)
            .and_then(|name| self.constants.integers.get(name));
        let axes = constant
            .map(Vec::as_slice)
            .or_else(|| attribute_ints(node, "axes"));
        let mut axes: Vec<i64> = axes
            .unwrap_or_default()
            .iter()
            .map(|axis| if *axis < 0 { axis + 4 } else { *axis })
            .collect();
        axes.sort_unstable();
        let last = axes == [1, 2];
        if x.shape.len() != 4 || !(last || axes == [2, 3]) {
            return Err(rewrite(
                node,
                "a mean over other dimensions than rows and columns",
            ));
        }
        // Channels that come last are moved first, and back where they stay.
        let first = match last {
            true => self.emit("Transpose", &[&x.name], vec![ints("perm", &[0, 3, 1, 2])])?,
            false => x.clone(),
        };
        let mean = self.emit("GlobalAveragePool", &[&first.name], Vec::new())?;
        match (integer(node, "keepdims", 1) != 0, last) {
            (false, _) => self.flattened(&mean),
            (true, false) => Ok(mean),
            (true, true) => self.emit(
                "Transpose",
                &[&mean.name],
                vec![ints("perm", &[0, 2, 3, 1])],
            ),
        }
    }

    /// (x - mean) / sqrt(variance + epsilon) * scale + shift as one product and one sum.
    pub(super) fn batch_norm(
        &mut self,
        node: &pb::NodeProto,
        x: &Wire,
    ) -> Result<Wire, LowerError> {
        let channels = x.shape.get(1).copied().unwrap_or_default();
        let terms = |index| match self.floats(node, index)? {
            Some(terms) if terms.values.len() == channels => Ok(terms.values),
            _ => Err(rewrite(node, "terms that are not one for each channel")),
        };
        let (scale, shift, mean, variance) = (terms(1)?, terms(2)?, terms(3)?, terms(4)?);
        let epsilon = float(node, "epsilon", 1e-5);
        let mut shape = vec![1; x.shape.len()];
        shape[1] = channels;
        let factors = scale
            .iter()
            .zip(&variance)
            .map(|(scale, variance)| scale / (variance + epsilon).sqrt());
        let factors: Vec<f32> = factors.collect();
        let offsets = shift
            .iter()
            .zip(&mean)
            .zip(&factors)
            .map(|((shift, mean), factor)| shift - mean * factor);
        let offsets: Vec<f32> = offsets.collect();
        let factors = self.constant(&Floats {
            shape: shape.clone(),
            values: factors,
        });
        let offsets = self.constant(&Floats {
            shape,
            values: offsets,
        });
        let scaled = self.emit("Mul", &[&x.name, &factors], Vec::new())?;
        self.emit("Add", &[&scaled.name, &offsets], Vec::new())
    }

    pub(super) fn gemm(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        if integer(node, "transA", 0) != 0 {
            return Err(rewrite(node, "a transposed first input"));
        }
        let scaled = |floats: Option<Floats>, factor: f32| {
            floats.map(|mut floats| {
                floats.values.iter_mut().for_each(|value| *value *= factor);
                floats
            })
        };
        let weights = scaled(self.floats(node, 1)?, float(node, "alpha", 1.0));
        let weights = weights.ok_or_else(|| rewrite(node, "no weights"))?;
        let bias = scaled(self.floats(node, 2)?, float(node, "beta", 1.0));
        let transposed = integer(node, "transB", 0);
        let outputs = weights
            .shape
            .get(usize::from(transposed == 0))
            .copied()
            .unwrap_or_default();
        let weights = self.constant(&weights);
        let bias = bias.map(|bias| {
            // One number for all outputs, or one each, in one dimension or two.
            let values = match bias.values.as_slice() {
                [all] => vec![*all; outputs],
                _ => bias.values,
            };
            self.constant(&Floats {
                shape: vec![values.len()],
                values,
            })
        });
        let mut inputs = vec![x.name.as_str(), &weights];
        inputs.extend(bias.as_deref());
        let attribute = pb::AttributeProto {
            name: "transB".into(),
            r#type: pb::attribute_proto::AttributeType::Int as i32,
            i: transposed,
            ..pb::AttributeProto::default()
        };
        self.emit("Gemm", &inputs, vec![attribute])
    }

    pub(super) fn divide(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        let mut by = self
            .floats(node, 1)?
            .ok_or_else(|| rewrite(node, "no divisor"))?;
        by.values
            .iter_mut()
            .for_each(|value| *value = value.recip());
        if by.shape.is_empty() {
            by.shape = vec![1];
        }
        let factors = self.constant(&by);
        self.emit("Mul", &[&x.name, &factors], Vec::new())
    }

    pub(super) fn flattened(&mut self, x: &Wire) -> Result<Wire, LowerError> {
        self.emit("Flatten", &[&x.name], Vec::new())
    }

    /// Everything that gives the same elements another shape.
    pub(super) fn reshape(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        let unknown = || LowerError::Shape(node.name.clone());
        let constant = node
            .input
            .get(1)
            .and_then(|name| self.constants.integers.get(name));
        let axes = constant
            .map(Vec::as_slice)
            .or_else(|| attribute_ints(node, "axes"));
        let rank = x.shape.len();
        let target: Vec<usize> = match node.op_type.as_str() {
            "Flatten" => {
                let axis = integer(node, "axis", 1);
                let axis = if axis < 0 { axis + rank as i64 } else { axis };
                let axis = usize::try_from(axis)
                    .ok()
                    .filter(|axis| *axis <= rank)
                    .ok_or_else(unknown)?;
                let (rows, rest) = x.shape.split_at(axis);
                vec![rows.iter().product(), rest.iter().product()]
            }
            "Reshape" => {
                shapes::reshaped(&x.shape, constant.ok_or_else(unknown)?).ok_or_else(unknown)?
            }
            "Squeeze" => {
                let place = |axis: &i64| if *axis < 0 { axis + rank as i64 } else { *axis };
                let axes: Option<Vec<i64>> = axes.map(|axes| axes.iter().map(place).collect());
                let dropped = |(index, side): (usize, &usize)| {
                    let chosen = axes
                        .as_ref()
                        .is_none_or(|axes| axes.contains(&(index as i64)));
                    // The batch stays, which exporters do not take for a dimension of one.
                    chosen && *side == 1 && (index > 0 || axes.is_some())
                };
                let kept = x
                    .shape
                    .iter()
                    .enumerate()
                    .filter(|side| !dropped((side.0, side.1)));
                kept.map(|(_, side)| *side).collect()
            }
            _ => {
                let axes = axes
                    .filter(|axes| axes.len() <= MAX_RANK)
                    .ok_or_else(unknown)?;
                let whole = (rank + axes.len()) as i64;
                let mut axes: Vec<i64> = axes
                    .iter()
                    .map(|a| if *a < 0 { a + whole } else { *a })
                    .collect();
                axes.sort_unstable();
                let mut shape = x.shape.clone();
                for axis in axes {
                    let axis = usize::try_from(axis)
                        .ok()
                        .filter(|axis| *axis <= shape.len());
                    shape.insert(axis.ok_or_else(unknown)?, 1);
                }
                shape
            }
        };
        if target.is_empty() || target.len() > MAX_RANK {
            return Err(unknown());
        }
        let same = |wire: Wire| Wire {
            not_negative: x.not_negative,
            ..wire
        };
        if target.len() == 2 && target[0] == 1 && x.shape.first() == Some(&1) {
            return Ok(same(self.flattened(x)?));
        }
        let sides: Vec<i64> = target.iter().map(|side| *side as i64).collect();
        let name = format!("shape.{}", self.initializers.len());
        self.initializers.push(constants::list(&name, &sides));
        self.values.insert(name.clone(), Value::Dimensions(sides));
        Ok(same(self.emit("Reshape", &[&x.name, &name], Vec::new())?))
    }
}

fn one(value: f32) -> Floats {
    Floats {
        shape: vec![1],
        values: vec![value],
    }
}
