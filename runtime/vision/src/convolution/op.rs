//! The fused convolution as an operator of tract's graph.

use super::kernel::Convolution;
use std::sync::Arc;
use tract_hir::tract_core::internal::*;

/// Reads an image of shape [1, rows, columns, channels] and, where the layer adds a residual, a second one
/// of the output's shape.
#[derive(Clone, Debug)]
pub(super) struct FusedConvolution(pub Arc<Convolution>);

/// Equal only where the weights are the same in memory, for floats have no total equality.
impl PartialEq for FusedConvolution {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for FusedConvolution {}

impl Op for FusedConvolution {
    fn name(&self) -> StaticName {
        "FusedConvolution".into()
    }

    fn as_typed(&self) -> Option<&dyn TypedOp> {
        Some(self)
    }
}

impl EvalOp for FusedConvolution {
    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let layer = self.0.layer();
        let (input, residual) = match (inputs.as_slice(), layer.residual) {
            ([input], None) => (input, None),
            ([input, residual], Some(_)) => (input, Some(residual)),
            _ => bail!("a fused convolution with {} inputs", inputs.len()),
        };
        let input = input.try_as_plain_ram()?.as_slice::<f32>()?;
        let residual = residual
            .map(|residual| residual.try_as_plain_ram()?.as_slice::<f32>())
            .transpose()?;
        let (wanted, given) = (layer.input.volume(), input.len());
        ensure!(wanted == given, "{given} elements instead of {wanted}");
        if let Some(residual) = residual {
            let (wanted, given) = (layer.output.volume(), residual.len());
            ensure!(wanted == given, "{given} elements instead of {wanted}");
        }
        let mut output = Tensor::zero::<f32>(&shape(self))?;
        self.0.run(
            input,
            residual,
            output.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?,
        );
        Ok(tvec!(output.into_tvalue()))
    }

    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        self.eval(&EvalContext::out_of_plan(), inputs).map(Some)
    }
}

impl TypedOp for FusedConvolution {
    fn as_op(&self) -> &dyn Op {
        self
    }

    fn as_op_mut(&mut self) -> &mut dyn Op {
        self
    }

    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(shape(self))))
    }
}

fn shape(op: &FusedConvolution) -> [usize; 4] {
    let output = op.0.layer().output;
    [1, output.height, output.width, output.channels]
}
