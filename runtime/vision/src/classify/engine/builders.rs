//! tract's operators for the nodes of a network, from what [`operators::read`] makes of each node.

use crate::classify::operators::{self, Operator, OperatorName, Window};
use strum::VariantNames;
use tract_hir::{
    internal::*,
    ops::{
        activations::Clip,
        array::{Flatten, PermuteAxes, Reshape},
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
use tract_onnx::{
    model::{OnnxOpRegister, ParsingContext},
    pb::NodeProto,
};

/// A register of every [`Operator`].
pub(super) fn register() -> OnnxOpRegister {
    let mut register = OnnxOpRegister::default();
    for name in OperatorName::VARIANTS {
        register.insert(name, build);
    }
    register
}

/// The operator of a node; no node here refers to values of another graph, the second part.
fn build(
    _context: &ParsingContext<'_>,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let op = match operators::read(node)? {
        Operator::Add => math::Add.into_hir(),
        Operator::Cast => expand(BoolsToF32),
        Operator::Conv(window) => expand(conv(window, node.input.len() == 3)),
        Operator::ConvTranspose {
            window,
            output_padding,
        } => expand(ConvTranspose {
            padding: padding(window),
            stride: window.stride,
            output_padding: output_padding.as_slice().into(),
        }),
        Operator::Equal => CompEq.into_hir(),
        Operator::Flatten => expand(Flatten::new(1)),
        Operator::Gemm { transposed } => expand(Gemm { transposed }),
        Operator::GlobalAveragePool => expand(GlobalAvgPool),
        Operator::Identity => Box::<Identity>::default(),
        Operator::MatMul => expand(MatMulInference::default()),
        Operator::MaxPool { side, stride } => expand(max_pool(side, stride)),
        Operator::Mul => math::Mul.into_hir(),
        Operator::Relu => expand(Clip::new(Some(0.0), None)),
        Operator::Reshape => expand(Reshape::new(false)),
        Operator::Sign => math::sign().into_hir(),
        Operator::Softmax { axis } => {
            let last = -1;
            let axis = axis.map_or(Ok(last), isize::try_from)?;
            expand(Softmax::new(axis))
        }
        Operator::Sub => math::Sub.into_hir(),
        Operator::Transpose { order } => expand(PermuteAxes::new(Some(order.into()))),
    };
    Ok((op, Vec::new()))
}

fn padding(window: Window) -> PaddingSpec {
    let both = tvec!(window.padding; 2);
    PaddingSpec::Explicit(both.clone(), both)
}

fn conv(window: Window, biased: bool) -> Conv {
    let mut conv = Conv::default()
        .padding(padding(window))
        .strides(tvec!(window.stride; 2));
    if let Some(side) = window.side {
        conv = conv.kernel_shape(tvec!(side; 2));
    }
    if biased {
        conv = conv.bias_input(2);
    }
    conv
}

fn max_pool(side: usize, stride: usize) -> HirMaxPool {
    let window = PoolSpec::new(
        DataFormat::NCHW,
        tvec!(side; 2),
        PaddingSpec::ExplicitOnnxPool(tvec!(0; 2), tvec!(0; 2), false),
        None,
        Some(tvec!(stride; 2)),
        0,
        0,
    );
    HirMaxPool::new(window, None)
}

/// Booleans as f32.
#[derive(Clone, Debug)]
struct BoolsToF32;

impl Expansion for BoolsToF32 {
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

/// Matrix product of the features and a constant, plus a bias where there is a third input.
#[derive(Clone, Debug)]
struct Gemm {
    /// The constant has a row for each output rather than for each input.
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
        let (inner, outer) = if self.transposed { (1, 0) } else { (0, 1) };
        for input in inputs {
            solver.equals(&input.datum_type, &outputs[0].datum_type)?;
        }
        for matrix in [&inputs[0], &inputs[1], &outputs[0]] {
            solver.equals(&matrix.rank, 2)?;
        }
        solver.equals(&inputs[0].shape[0], &outputs[0].shape[0])?;
        solver.equals(&inputs[0].shape[1], &inputs[1].shape[inner])?;
        solver.equals(&inputs[1].shape[outer], &outputs[0].shape[1])
    }

    fn wire(
        &self,
        name: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let axes = AxesMapping::for_numpy_matmul(2, false, self.transposed, false)?;
        let datum_type = model.outlet_fact(inputs[0])?.datum_type;
        let product = EinSum::new(axes, datum_type);
        let Some(bias) = inputs.get(2) else {
            return model.wire_node(name, product, &inputs[..2]);
        };
        let product = model.wire_node(format!("{name}.product"), product, &inputs[..2])?;
        let bias = model.wire_node(format!("{name}.bias"), AxisOp::Add(0), &[*bias])?;
        model.wire_node(name, math::add(), &[product[0], bias[0]])
    }
}

/// Transposed convolution of one group without dilation.
#[derive(Clone, Debug)]
struct ConvTranspose {
    padding: PaddingSpec,
    stride: usize,
    /// Rows and columns at the end that the convolution left unread.
    output_padding: TVec<usize>,
}

impl ConvTranspose {
    /// The window for weights of shape [inputs, outputs, rows, columns].
    fn window(&self, weights: &[usize]) -> PoolSpec {
        PoolSpec::new(
            DataFormat::NCHW,
            weights[2..].into(),
            self.padding.clone(),
            None,
            Some(tvec!(self.stride; 2)),
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
        for images in [&inputs[0], &inputs[1], &outputs[0]] {
            solver.equals(&images.rank, 4)?;
        }
        solver.equals(&inputs[0].shape[1], &inputs[1].shape[0])?;
        solver.given_2(
            &inputs[0].shape,
            &inputs[1].shape,
            move |solver, image, weights| {
                let concrete = |shape: &[TDim]| -> TractResult<TVec<usize>> {
                    shape.iter().map(|side| Ok(side.to_usize()?)).collect()
                };
                let (image, weights) = (concrete(&image)?, concrete(&weights)?);
                let shape = output_shape(&self.window(&weights), &image, &self.output_padding)?;
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
                let datum_type = model.outlet_fact(inputs[0])?.datum_type;
                model.add_const(format!("{name}.bias"), Tensor::zero_scalar_dt(datum_type)?)?
            }
        };
        // ONNX stores the weights by inputs first, the engine by outputs.
        let by_output = model.wire_node(
            format!("{name}.by_output"),
            AxisOp::Move(0, 1),
            &[inputs[1]],
        )?;
        let op = Deconv::new(window, KernelFormat::OIHW, self.output_padding.clone(), 1);
        model.wire_node(name, op, &[inputs[0], by_output[0], bias])
    }
}
