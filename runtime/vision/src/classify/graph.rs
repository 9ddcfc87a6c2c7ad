//! Whether a graph is one that this program runs: known operators, and bounded memory and work.
//!
//! An engine computes whatever a graph says, and a file of a kilobyte can ask it for terabytes, part of
//! them already while it is loaded. So the shapes of all values are followed here before, by the rules
//! of the operators that `train` writes ([`rules`]), and what exceeds the bounds is refused.

mod rules;

use crate::onnx::{messages as pb, messages::tensor_proto::DataType};
use std::collections::HashMap;

/// Most nodes of a graph. The gradient graph of WRN-16-1 has 111, and seven for each further layer.
const MOST_NODES: usize = 2048;

/// Most numbers in one value, a working copy of an operator included: 64 MiB.
const MOST_NUMBERS: u64 = 1 << 24;

/// Most numbers in all values that are computed and in all weights, as often as they are used, since
/// the engine lays them out for each use: 512 MiB.
const MOST_NUMBERS_IN_ALL: u64 = 1 << 27;

/// Most sides of a value; the gradient of a largest of four has six.
const MOST_SIDES: usize = 8;

/// Most multiplications of a run: twice those of the gradient of WRN-28-10, seconds on one core.
const MOST_MULTIPLICATIONS: u64 = 1 << 35;

/// ONNX operator sets whose rules are those below, and which the engine is tested with.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 13..=18;

/// A shape, every side at least 1.
type Shape = Vec<usize>;

/// What is known of a value.
#[derive(Clone, Debug)]
enum Value<'a> {
    /// Numbers (f32) that are computed.
    Computed(Shape),
    /// Numbers (f32) in the file.
    Constant(Shape),
    /// Truth values, which only a cast reads.
    Bools(Shape),
    /// Int64 numbers in the file, which only a reshape reads.
    Int64(&'a pb::TensorProto),
}

/// What running a node takes and gives.
#[derive(Clone, Debug)]
struct Step {
    output: Shape,
    /// Its output is truth values rather than numbers.
    bools: bool,
    multiplications: u64,
    /// Numbers in working copies.
    working: u64,
    /// Numbers in weights.
    weights: u64,
}

/// Checks a model's graph for inputs of given names and shapes. What the file itself says of shapes is
/// not believed, here or by [`crate::onnx`].
///
/// # Errors
/// A sentence that names the node or value that is refused, or an output that is not of the shape
/// expected.
pub(super) fn admit(
    proto: &pb::ModelProto,
    inputs: &[(&str, &[usize])],
    outputs: &[&[usize]],
) -> Result<(), String> {
    let version = proto
        .opset_import
        .iter()
        .find(|set| is_standard(&set.domain))
        .map_or(0, |set| set.version);
    if !OPERATOR_SETS.contains(&version) {
        return Err(format!(
            "it uses ONNX operator set {version} where {} to {} are read",
            OPERATOR_SETS.start(),
            OPERATOR_SETS.end()
        ));
    }
    let graph = proto.graph.as_ref().ok_or("a model without a graph")?;
    check(graph, inputs, outputs)
}

fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn check(
    graph: &pb::GraphProto,
    inputs: &[(&str, &[usize])],
    outputs: &[&[usize]],
) -> Result<(), String> {
    if graph.node.len() > MOST_NODES {
        return Err(format!(
            "its graph has {} nodes where {MOST_NODES} are the most",
            graph.node.len()
        ));
    }
    let mut values: HashMap<&str, Value<'_>> = HashMap::new();
    for constant in &graph.initializer {
        let value = constant_of(constant)
            .map_err(|reason| format!("its constant `{}` {reason}", constant.name))?;
        define(&mut values, &constant.name, value)?;
    }
    let fed: Vec<&str> = graph
        .input
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    let mut fed: Vec<&str> = fed
        .into_iter()
        .filter(|name| !values.contains_key(name))
        .collect();
    let names: Vec<&str> = inputs.iter().map(|(name, _)| *name).collect();
    if fed != names {
        fed.truncate(inputs.len() + 1);
        return Err(format!("its inputs are {fed:?} where {names:?} are fed"));
    }
    for (name, shape) in inputs {
        define(&mut values, name, Value::Computed(shape.to_vec()))?;
    }
    let mut budget = ResourceBudget::default();
    for node in &graph.node {
        let named =
            |reason: String| format!("its node `{}` ({}) {reason}", node.name, node.op_type);
        let step = step_of(node, &values).map_err(named)?;
        budget.add(&step).map_err(named)?;
        let value = match step.bools {
            true => Value::Bools(step.output),
            false => Value::Computed(step.output),
        };
        let [output] = node.output.as_slice() else {
            return Err(named("has not one output".into()));
        };
        define(&mut values, output, value)?;
    }
    if graph.output.len() != outputs.len() {
        return Err(format!(
            "it has {} outputs where {} are expected",
            graph.output.len(),
            outputs.len()
        ));
    }
    for (output, expected) in graph.output.iter().zip(outputs) {
        match values.get(output.name.as_str()) {
            Some(Value::Computed(shape)) if shape == expected => {}
            found => {
                return Err(format!(
                    "its output `{}` is {} where numbers of shape {expected:?} are expected",
                    output.name,
                    found.map_or_else(|| "missing".into(), describe)
                ));
            }
        }
    }
    Ok(())
}

fn define<'a>(
    values: &mut HashMap<&'a str, Value<'a>>,
    name: &'a str,
    value: Value<'a>,
) -> Result<(), String> {
    if name.is_empty() || values.insert(name, value).is_some() {
        return Err(format!(
            "its graph gives the name `{name}` to two values or to nothing"
        ));
    }
    Ok(())
}

fn describe(value: &Value<'_>) -> String {
    match value {
        Value::Computed(shape) => format!("numbers of shape {shape:?}"),
        Value::Constant(shape) => format!("a constant of shape {shape:?}"),
        Value::Bools(shape) => format!("truth values of shape {shape:?}"),
        Value::Int64(_) => "whole numbers".into(),
    }
}

/// A constant holds as many numbers as its shape says: the engine trusts the shape.
fn constant_of(constant: &pb::TensorProto) -> Result<Value<'_>, String> {
    let sides: Option<Shape> = constant
        .dims
        .iter()
        .map(|side| usize::try_from(*side).ok().filter(|side| *side > 0))
        .collect();
    let shape = sides.ok_or("has a side below 1")?;
    if !(1..=MOST_SIDES).contains(&shape.len()) {
        return Err(format!("has {} sides", shape.len()));
    }
    let numbers = volume(&shape).ok_or("is too large")?;
    let float = constant.data_type == DataType::Float as i32;
    if !float && constant.data_type != DataType::Int64 as i32 {
        return Err("holds neither f32 nor i64".into());
    }
    let (bytes, listed) = match float {
        true => (4, constant.float_data.len()),
        false => (8, constant.int64_data.len()),
    };
    let raw = constant.raw_data.len() as u64;
    let held = match raw {
        0 => listed as u64,
        raw if raw % bytes == 0 && listed == 0 => raw / bytes,
        _ => 0,
    };
    if held != numbers {
        return Err(format!("holds not the numbers of its shape {shape:?}"));
    }
    Ok(match float {
        true => Value::Constant(shape),
        false => Value::Int64(constant),
    })
}

/// The numbers in a value of this shape; `None` above [`MOST_NUMBERS`].
fn volume(shape: &[usize]) -> Option<u64> {
    let product = shape
        .iter()
        .try_fold(1_u64, |product, side| product.checked_mul(*side as u64));
    product.filter(|product| *product <= MOST_NUMBERS)
}

fn step_of(node: &pb::NodeProto, values: &HashMap<&str, Value<'_>>) -> Result<Step, String> {
    if !is_standard(&node.domain) {
        return Err(format!("is of the foreign operator set `{}`", node.domain));
    }
    let inputs: Option<Vec<&Value<'_>>> = node
        .input
        .iter()
        .map(|name| values.get(name.as_str()))
        .collect();
    let inputs = inputs.ok_or("reads what is not computed before it")?;
    rules::step(node, &inputs)
}

/// What a run takes so far.
#[derive(Clone, Copy, Debug, Default)]
struct ResourceBudget {
    numbers: u64,
    multiplications: u64,
}

impl ResourceBudget {
    fn add(&mut self, step: &Step) -> Result<(), String> {
        let numbers = volume(&step.output).filter(|_| step.working <= MOST_NUMBERS);
        let numbers = numbers.ok_or_else(|| {
            format!(
                "takes more than {MOST_NUMBERS} numbers at once, output {:?}",
                step.output
            )
        })?;
        self.numbers = self.numbers.saturating_add(numbers + step.weights);
        let work = step.multiplications.max(numbers);
        self.multiplications = self.multiplications.saturating_add(work);
        if self.numbers > MOST_NUMBERS_IN_ALL {
            return Err(format!(
                "is one too many: all take more than {MOST_NUMBERS_IN_ALL} numbers"
            ));
        }
        if self.multiplications > MOST_MULTIPLICATIONS {
            return Err(format!(
                "is one too many: all take more than {MOST_MULTIPLICATIONS} multiplications"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
