//! The end of a residual network: normalisation, rectification and the sum over all pixels of the global
//! average, in one operator of tract's graph.

use super::kernel::rectify;
use std::sync::Arc;
use tract_hir::tract_core::internal::*;

/// Reads an image of shape [1, rows, columns, channels] and gives a sum for each channel, of shape
/// [1, channels, 1, 1].
#[derive(Clone, Debug)]
pub(super) struct FusedPool(pub Arc<Normalisation>);

/// Scale and shift for each channel.
#[derive(Debug)]
pub(super) struct Normalisation {
    pub scales: Vec<f32>,
    pub shifts: Vec<f32>,
}

impl FusedPool {
    fn sums(&self, input: &[f32]) -> Vec<f32> {
        let Normalisation { scales, shifts } = &*self.0;
        let mut sums = vec![0.0; scales.len()];
        for pixel in input.chunks_exact(scales.len()) {
            let terms = scales.iter().zip(shifts);
            for ((sum, value), (scale, shift)) in sums.iter_mut().zip(pixel).zip(terms) {
                *sum += rectify(value * scale + shift);
            }
        }
        sums
    }

    fn shape(&self) -> [usize; 4] {
        [1, self.0.scales.len(), 1, 1]
    }
}

/// Equal only where the scales are the same in memory, for floats have no total equality.
impl PartialEq for FusedPool {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for FusedPool {}

impl Op for FusedPool {
    fn name(&self) -> StaticName {
        "FusedPool".into()
    }

    fn as_typed(&self) -> Option<&dyn TypedOp> {
        Some(self)
    }
}

impl EvalOp for FusedPool {
    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let [input] = inputs.as_slice() else {
            bail!("a fused pool with {} inputs", inputs.len());
        };
        let sums = self.sums(input.try_as_plain_ram()?.as_slice::<f32>()?);
        Ok(tvec!(
            Tensor::from_shape(&self.shape(), &sums)?.into_tvalue()
        ))
    }

    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        self.eval(&EvalContext::out_of_plan(), inputs).map(Some)
    }
}

impl TypedOp for FusedPool {
    fn as_op(&self) -> &dyn Op {
        self
    }

    fn as_op_mut(&mut self) -> &mut dyn Op {
        self
    }

    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(self.shape())))
    }
}
