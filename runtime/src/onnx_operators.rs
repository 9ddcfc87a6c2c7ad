//! The operators of ONNX that the networks here consist of, as the engine takes them.
//!
//! tract's own list has all of ONNX, and whatever a list names is linked into the program: recurrent
//! networks, Fourier transforms, attention, sorting, each for every type of number. No model that this
//! program accepts holds any of that (`classify/graph/rules.rs` refuses other operators; the face
//! locator's file is known by its hash), so only what they hold is named here. Attributes that none of
//! them has are not read.

use tract_onnx::{
    Onnx,
    model::{OnnxOpRegister, ParsingContext},
    pb::NodeProto,
    prelude::*,
    tract_core::ops::{
        cast::cast,
        cnn::{Deconv, KernelFormat, deconv::output_shape},
        einsum::EinSum,
        logic::CompEq,
    },
    tract_hir::{
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
    },
};

/// What a builder gives: the operator, and the names of what is bound from an outer graph, of which
/// there is none.
type Built = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// Reads ONNX of these operators; a node of another one is an error when the model is run.
pub(crate) fn onnx() -> Onnx {
    let mut list = OnnxOpRegister::default();
    list.insert("Add", |_, _| built(math::Add.into_hir()));
    list.insert("Cast", |_, node| {
        let to = node.get_attr("to")?;
        built(expand(Cast { to }))
    });
    list.insert("Concat", |_, node| {
        built(expand(Concat::new(node.get_attr("axis")?)))
    });
    list.insert("ConstantOfShape", constant_of_shape);
    list.insert("Conv", conv);
    list.insert("ConvTranspose", |_, node| {
        built(expand(ConvTranspose {
            padding: padding(node)?,
            strides: node.get_attr_opt_tvec("strides")?,
            more: node
                .get_attr_opt_tvec("output_padding")?
                .unwrap_or_else(|| tvec!(0, 0)),
        }))
    });
    list.insert("Equal", |_, _| built(CompEq.into_hir()));
    list.insert("Flatten", |_, node| {
        built(expand(Flatten::new(
            node.get_attr_opt("axis")?.unwrap_or(1),
        )))
    });
    list.insert("Gemm", |_, node| {
        let transposed = node.get_attr_opt("transB")?.unwrap_or(false);
        built(expand(Gemm { transposed }))
    });
    list.insert("GlobalAveragePool", |_, _| built(expand(GlobalAvgPool)));
    list.insert("Identity", |_, _| built(Box::<Identity>::default()));
    list.insert("MatMul", |_, _| built(expand(MatMulInference::default())));
    list.insert("MaxPool", max_pool);
    list.insert("Mul", |_, _| built(math::Mul.into_hir()));
    list.insert("Relu", |_, _| built(expand(Clip::new(Some(0.0), None))));
    list.insert("Reshape", |_, _| built(expand(Reshape::new(false))));
    list.insert("Sign", |_, _| built(math::sign().into_hir()));
    list.insert("Softmax", |_, node| {
        built(expand(Softmax::new(
            node.get_attr_opt("axis")?.unwrap_or(-1),
        )))
    });
    list.insert("Sub", |_, _| built(math::Sub.into_hir()));
    list.insert("Transpose", |_, node| {
        let order = node.get_attr_opt_vec("perm")?.map(|order| order.into());
        built(expand(PermuteAxes::new(order)))
    });
    Onnx {
        op_register: list,
        ..Onnx::default()
    }
}

fn built(op: Box<dyn InferenceOp>) -> Built {
    Ok((op, vec![]))
}

/// Pixels added on the sides: first of all axes, then the last.
fn pads(node: &NodeProto) -> TractResult<Option<[TVec<usize>; 2]>> {
    let pads: Option<TVec<usize>> = node.get_attr_opt_tvec("pads")?;
    Ok(pads.map(|pads| {
        let (before, after) = pads.split_at(pads.len() / 2);
        [before.into(), after.into()]
    }))
}

fn padding(node: &NodeProto) -> TractResult<PaddingSpec> {
    let none = || [tvec!(0, 0), tvec!(0, 0)];
    let [before, after] = pads(node)?.unwrap_or_else(none);
    Ok(PaddingSpec::Explicit(before, after))
}

fn conv(_: &ParsingContext<'_>, node: &NodeProto) -> Built {
    let mut conv = Conv::default().padding(padding(node)?);
    if let Some(shape) = node.get_attr_opt_tvec("kernel_shape")? {
        conv = conv.kernel_shape(shape);
    }
    if let Some(groups) = node.get_attr_opt("group")? {
        conv = conv.group(groups);
    }
    if let Some(dilations) = node.get_attr_opt_tvec("dilations")? {
        conv = conv.dilations(dilations);
    }
    if let Some(strides) = node.get_attr_opt_tvec("strides")? {
        conv = conv.strides(strides);
    }
    if node.input.len() == 3 {
        conv = conv.bias_input(2);
    }
    built(expand(conv))
}

fn max_pool(_: &ParsingContext<'_>, node: &NodeProto) -> Built {
    let none = || [tvec!(0, 0), tvec!(0, 0)];
    let [before, after] = pads(node)?.unwrap_or_else(none);
    let window = PoolSpec::new(
        DataFormat::NCHW,
        node.get_attr_tvec("kernel_shape")?,
        PaddingSpec::ExplicitOnnxPool(before, after, false),
        None,
        node.get_attr_opt_tvec("strides")?,
        0,
        0,
    );
    built(expand(HirMaxPool::new(window, None)))
}

fn constant_of_shape(context: &ParsingContext<'_>, node: &NodeProto) -> Built {
    let value = context.load_tensor(node.get_attr("value")?)?;
    let value = if value.rank() == 0 {
        value
    } else {
        value.nth(0)?
    };
    built(expand(ConstantOfShape::new(value.into_arc_tensor())))
}

/// A change of the type of numbers.
#[derive(Clone, Debug)]
struct Cast {
    to: DatumType,
}

impl Expansion for Cast {
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
        solver.equals(&outputs[0].datum_type, self.to.bex())?;
        solver.equals(&outputs[0].shape, &inputs[0].shape)
    }

    fn wire(
        &self,
        name: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(name, cast(self.to), &[inputs[0]])
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

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::pb::ModelProto;

    fn read(path: &str) -> ModelProto {
        let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        onnx().proto_model_for_path(models.join(path)).unwrap()
    }

    /// Numbers that no two networks agree on by accident.
    fn input(shape: &[usize], seed: u32) -> TValue {
        let numbers: Vec<f32> = (0..shape.iter().product::<usize>())
            .map(|index| ((index as f32 + seed as f32) * 0.7).sin() + (index as f32 * 0.013).cos())
            .collect();
        Tensor::from_shape(shape, &numbers).unwrap().into_tvalue()
    }

    fn outputs(onnx: &Onnx, proto: &ModelProto, shapes: &[&[usize]]) -> Vec<Vec<u32>> {
        let mut model = onnx.model_for_proto_model(proto).unwrap();
        for (index, shape) in shapes.iter().enumerate() {
            model = model
                .with_input_fact(index, f32::fact(*shape).into())
                .unwrap();
        }
        let plan = model.into_optimized().unwrap().into_runnable().unwrap();
        let mut state = plan.spawn().unwrap();
        let inputs = shapes
            .iter()
            .zip(1..)
            .map(|(shape, seed)| input(shape, seed));
        let outputs = state.run(inputs.collect()).unwrap();
        outputs
            .iter()
            .map(|output| {
                let numbers = output.to_plain_array_view::<f32>().unwrap();
                numbers.iter().map(|number| number.to_bits()).collect()
            })
            .collect()
    }

    #[test]
    fn every_bit_is_as_with_all_operators() {
        let crop: &[usize] = &[1, 1, 32, 32];
        let states: &[usize] = &[1, 4];
        for (path, shapes) in [
            ("default.onnx", &[crop][..]),
            ("default.gradient.onnx", &[crop, states]),
            ("tiny.gradient.onnx", &[crop, states]),
            ("parseval-16-1.gradient.onnx", &[crop, states]),
        ] {
            let proto = read(path);
            let ours = outputs(&onnx(), &proto, shapes);
            let all = outputs(&tract_onnx::onnx(), &proto, shapes);
            assert!(ours == all, "{path} answers otherwise");
            assert!(ours.iter().flatten().any(|bits| *bits != 0), "{path}");
        }
    }
}
