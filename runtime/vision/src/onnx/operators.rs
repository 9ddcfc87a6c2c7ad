//! What the nodes of ONNX stand for in the engine: the operators that the networks here consist of, with
//! the attributes that they have. Other attributes are not read; `classify/graph/rules.rs` refuses them.

use super::{
    messages::{AttributeProto, NodeProto},
    tensor,
};
use tract_hir::{
    internal::*,
    ops::{
        activations::Clip,
        array::{Concat, ConstantOfShape, Flatten, PermuteAxes, Reshape},
        cnn::{Conv, HirMaxPool, PaddingSpec, PoolSpec},
        identity::Identity,
        math,
        matmul::MatMulInference,
        nn::{DataFormat, GlobalAvgPool, Softmax},
    },
    tract_core::ops::{
        cast::cast,
        cnn::{Deconv, KernelFormat, deconv::output_shape},
        einsum::EinSum,
        logic::CompEq,
    },
};

/// The operator of a node.
///
/// # Errors
/// When there is none of this name, or an attribute that it needs is missing.
pub(super) fn of(node: &NodeProto) -> TractResult<Box<dyn InferenceOp>> {
    Ok(match node.op_type.as_str() {
        "Add" => math::Add.into_hir(),
        "Cast" => expand(ToNumbers),
        "Concat" => expand(Concat::new(number(node, "axis").context("no axis")?)),
        "ConstantOfShape" => expand(ConstantOfShape::new(constant(node)?.into_arc_tensor())),
        "Conv" => expand(conv(node)?),
        "ConvTranspose" => expand(ConvTranspose {
            padding: padding(node)?,
            strides: sizes(node, "strides")?,
            more: sizes(node, "output_padding")?.unwrap_or_else(|| tvec!(0, 0)),
        }),
        "Equal" => CompEq.into_hir(),
        "Flatten" => expand(Flatten::new(number(node, "axis").unwrap_or(1))),
        "Gemm" => expand(Gemm {
            transposed: number(node, "transB") == Some(1),
        }),
        "GlobalAveragePool" => expand(GlobalAvgPool),
        "Identity" => Box::<Identity>::default(),
        "MatMul" => expand(MatMulInference::default()),
        "MaxPool" => expand(max_pool(node)?),
        "Mul" => math::Mul.into_hir(),
        "Relu" => expand(Clip::new(Some(0.0), None)),
        "Reshape" => expand(Reshape::new(false)),
        "Sign" => math::sign().into_hir(),
        "Softmax" => {
            let axis = number(node, "axis").unwrap_or(-1);
            expand(Softmax::new(axis.try_into()?))
        }
        "Sub" => math::Sub.into_hir(),
        "Transpose" => {
            let order = sizes(node, "perm")?.context("no order")?;
            expand(PermuteAxes::new(Some(order)))
        }
        _ => bail!("no network here has this operator"),
    })
}

fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    let mut attributes = node.attribute.iter();
    attributes.find(|attribute| attribute.name == name)
}

/// A whole number.
pub(crate) fn number(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name).map(|attribute| attribute.i)
}

/// A list of lengths.
///
/// # Errors
/// When one is negative.
pub(crate) fn sizes(node: &NodeProto, name: &str) -> TractResult<Option<TVec<usize>>> {
    let Some(attribute) = attribute(node, name) else {
        return Ok(None);
    };
    let sizes: Result<TVec<usize>, _> = attribute
        .ints
        .iter()
        .map(|size| usize::try_from(*size))
        .collect();
    Ok(Some(sizes?))
}

/// Pixels added before the first and after the last of each side.
///
/// # Errors
/// When one is negative.
pub(crate) fn pads(node: &NodeProto) -> TractResult<[TVec<usize>; 2]> {
    Ok(match sizes(node, "pads")? {
        None => [tvec!(0, 0), tvec!(0, 0)],
        Some(pads) => {
            let (before, after) = pads.split_at(pads.len() / 2);
            [before.into(), after.into()]
        }
    })
}

fn padding(node: &NodeProto) -> TractResult<PaddingSpec> {
    let [before, after] = pads(node)?;
    Ok(PaddingSpec::Explicit(before, after))
}

fn conv(node: &NodeProto) -> TractResult<Conv> {
    let mut conv = Conv::default().padding(padding(node)?);
    if let Some(shape) = sizes(node, "kernel_shape")? {
        conv = conv.kernel_shape(shape);
    }
    if let Some(groups) = number(node, "group") {
        conv = conv.group(groups.try_into()?);
    }
    if let Some(dilations) = sizes(node, "dilations")? {
        conv = conv.dilations(dilations);
    }
    if let Some(strides) = sizes(node, "strides")? {
        conv = conv.strides(strides);
    }
    if node.input.len() == 3 {
        conv = conv.bias_input(2);
    }
    Ok(conv)
}

fn max_pool(node: &NodeProto) -> TractResult<HirMaxPool> {
    let [before, after] = pads(node)?;
    let window = PoolSpec::new(
        DataFormat::NCHW,
        sizes(node, "kernel_shape")?.context("no window")?,
        PaddingSpec::ExplicitOnnxPool(before, after, false),
        None,
        sizes(node, "strides")?,
        0,
        0,
    );
    Ok(HirMaxPool::new(window, None))
}

/// What fills a shape: one number, 0 (f32) where nothing is said.
fn constant(node: &NodeProto) -> TractResult<Tensor> {
    match attribute(node, "value").and_then(|attribute| attribute.t.as_ref()) {
        None => Ok(tensor0(0.0_f32)),
        Some(value) => tensor(value)?.nth(0),
    }
}

/// Truth values as numbers (f32): no network here has another `Cast`.
#[derive(Clone, Debug)]
struct ToNumbers;

impl Expansion for ToNumbers {
    fn name(&self) -> StaticName {
        "Cast".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].datum_type, f32::datum_type().bex())?;
        solver.equals(&outputs[0].shape, &inputs[0].shape)
    }

    fn wire(
        &self,
        name: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(name, cast(f32::datum_type()), &[inputs[0]])
    }
}

/// A list of numbers times a table of weights, with a bias where there is a third input.
#[derive(Clone, Debug)]
struct Gemm {
    /// The table has a row for each output.
    transposed: bool,
}

impl Expansion for Gemm {
    fn name(&self) -> StaticName {
        "Gemm".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        ensure!(
            (2..=3).contains(&inputs.len()),
            "Gemm of {} inputs",
            inputs.len()
        );
        check_output_arity(outputs, 1)?;
        let (read, given) = if self.transposed { (1, 0) } else { (0, 1) };
        for input in inputs {
            solver.equals(&input.datum_type, &outputs[0].datum_type)?;
        }
        for table in [&inputs[0], &inputs[1], &outputs[0]] {
            solver.equals(&table.rank, 2)?;
        }
        solver.equals(&inputs[0].shape[0], &outputs[0].shape[0])?;
        solver.equals(&inputs[0].shape[1], &inputs[1].shape[read])?;
        solver.equals(&inputs[1].shape[given], &outputs[0].shape[1])
    }

    fn wire(
        &self,
        name: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let axes = AxesMapping::for_numpy_matmul(2, false, self.transposed, false)?;
        let numbers = model.outlet_fact(inputs[0])?.datum_type;
        let product = EinSum::new(axes, numbers);
        let Some(bias) = inputs.get(2) else {
            return model.wire_node(name, product, &inputs[..2]);
        };
        let product = model.wire_node(format!("{name}.product"), product, &inputs[..2])?;
        let bias = model.wire_node(format!("{name}.bias"), AxisOp::Add(0), &[*bias])?;
        model.wire_node(name, math::add(), &[product[0], bias[0]])
    }
}

/// The way back through a convolution of one group without dilation.
#[derive(Clone, Debug)]
struct ConvTranspose {
    padding: PaddingSpec,
    strides: Option<TVec<usize>>,
    /// What the window left over at the last sides on the way there.
    more: TVec<usize>,
}

impl ConvTranspose {
    /// The window, from the shape of weights whose first sides are inputs and outputs.
    fn window(&self, weights: &[usize]) -> PoolSpec {
        PoolSpec::new(
            DataFormat::NCHW,
            weights[2..].into(),
            self.padding.clone(),
            None,
            self.strides.clone(),
            weights[0],
            weights[1],
        )
    }
}

impl Expansion for ConvTranspose {
    fn name(&self) -> StaticName {
        "ConvTranspose".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        ensure!(
            (2..=3).contains(&inputs.len()),
            "ConvTranspose of {} inputs",
            inputs.len()
        );
        check_output_arity(outputs, 1)?;
        for input in inputs {
            solver.equals(&input.datum_type, &outputs[0].datum_type)?;
        }
        for map in [&inputs[0], &inputs[1], &outputs[0]] {
            solver.equals(&map.rank, 4)?;
        }
        solver.equals(&inputs[0].shape[1], &inputs[1].shape[0])?;
        solver.given_2(
            &inputs[0].shape,
            &inputs[1].shape,
            move |solver, map, weights| {
                let known = |shape: &[TDim]| -> TractResult<TVec<usize>> {
                    shape.iter().map(|side| Ok(side.to_usize()?)).collect()
                };
                let (map, weights) = (known(&map)?, known(&weights)?);
                let shape = output_shape(&self.window(&weights), &map, &self.more)?;
                let shape: TVec<TDim> = shape.iter().map(ToDim::to_dim).collect();
                solver.equals(&outputs[0].shape, shape)
            },
        )
    }

    fn wire(
        &self,
        name: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let weights = model.outlet_fact(inputs[1])?.shape.clone();
        let weights = weights
            .as_concrete()
            .context("the weights of ConvTranspose have no known shape")?;
        let window = self.window(weights);
        let bias = match inputs.get(2) {
            Some(bias) => *bias,
            None => {
                let numbers = model.outlet_fact(inputs[0])?.datum_type;
                model.add_const(format!("{name}.bias"), Tensor::zero_scalar_dt(numbers)?)?
            }
        };
        // ONNX stores the weights by inputs first, the engine by outputs.
        let turned = model.wire_node(format!("{name}.turned"), AxisOp::Move(0, 1), &[inputs[1]])?;
        let op = Deconv::new(window, KernelFormat::OIHW, self.more.clone(), 1);
        model.wire_node(name, op, &[inputs[0], turned[0], bias])
    }
}
