//! The gradient graph of a network: from `image` f32 `[N,1,S,S]` and `target` f32 `[N,4]`
//! (one-hot) to `gradient` f32 `[N,1,S,S]`, that of each image's own cross-entropy, and `logits`
//! `[N,4]`. With it the runtime attacks its own prediction without libtorch.
//!
//! The forward graph is differentiated node by node, backwards, so that whatever was folded there
//! is folded here, and a new architecture needs no more than rules for its operators.

use super::{
    forward::{GraphOutputs, forward_graph},
    graph::{Graph, GraphError, integer, integers},
};
use crate::network::module::Network;
use parseye_vision::classify::operators::{self, Operator, Value};
use std::collections::HashMap;
use tract_onnx::pb;

/// The gradient graph of `network` in evaluation mode.
///
/// # Errors
/// Names a parameter that is not finite, or an operator without a rule.
pub(crate) fn gradient_graph(network: &Network) -> Result<Graph, GraphError> {
    let graph = forward_graph(network, GraphOutputs::Logits)?;
    let shapes = shapes(&graph, network.spec().side)?;
    let forward = graph.nodes().to_vec();
    let mut backward = Backward {
        graph,
        shapes,
        contributions: HashMap::new(),
    };
    let probabilities = backward.graph.node(
        "probabilities",
        "Softmax",
        &["logits"],
        vec![integer("axis", 1)],
    );
    let seed = backward.graph.node(
        "logits.gradient",
        "Sub",
        &[&probabilities, "target"],
        vec![],
    );
    backward.add("logits", seed);
    for node in forward.iter().rev() {
        backward.differentiate(node)?;
    }
    let gradient = backward.total("image").ok_or(GraphError::Independent)?;
    backward
        .graph
        .node("gradient", "Identity", &[&gradient], vec![]);
    Ok(backward.graph)
}

/// Shape of each value without the batch: channels, height and width, or features.
type Shapes = HashMap<String, Vec<i64>>;

/// A graph that is being differentiated.
struct Backward {
    graph: Graph,
    shapes: Shapes,
    /// By value: the parts of its gradient that its readers sent back.
    contributions: HashMap<String, Vec<String>>,
}

impl Backward {
    /// Adds a part of a value's gradient.
    fn add(&mut self, value: &str, part: String) {
        self.contributions
            .entry(value.to_owned())
            .or_default()
            .push(part);
    }

    /// The sum of the parts of a value's gradient; none where nothing depends on it.
    fn total(&mut self, value: &str) -> Option<String> {
        let parts = self.contributions.remove(value)?;
        let mut parts = parts.into_iter();
        let mut sum = parts.next()?;
        for (number, part) in parts.enumerate() {
            let name = format!("{value}.gradient{}", number + 1);
            sum = self.graph.node(name, "Add", &[&sum, &part], vec![]);
        }
        Some(sum)
    }

    fn shape(&self, value: &str) -> Result<Vec<i64>, GraphError> {
        let shape = self.shapes.get(value).cloned();
        shape.ok_or_else(|| GraphError::UnknownValue {
            node: format!("{value}.back"),
            value: value.into(),
        })
    }

    /// Sends the gradient of a node's output back to its inputs.
    fn differentiate(&mut self, node: &pb::NodeProto) -> Result<(), GraphError> {
        let output = &node.output[0];
        let Some(dy) = self.total(output) else {
            return Ok(());
        };
        let x = node.input[0].as_str();
        let name = format!("{output}.back");
        let dx = match node.op_type.as_str() {
            "Conv" => self.conv(node, &dy, name)?,
            // The output is never negative, so its sign is the rectifier's slope.
            "Relu" => {
                let slope = format!("{output}.slope");
                let slope = self.graph.node(slope, "Sign", &[output], vec![]);
                self.graph.node(name, "Mul", &[&dy, &slope], vec![])
            }
            "Mul" => self.graph.node(name, "Mul", &[&dy, &node.input[1]], vec![]),
            "Add" => {
                if self.graph.constant_shape(&node.input[1]).is_none() {
                    self.add(&node.input[1], dy.clone());
                }
                dy
            }
            "MaxPool" => self.max_pool(node, &dy, &name)?,
            "GlobalAveragePool" => {
                let shape = self.shape(x)?;
                let (height, width) = (shape[1], shape[2]);
                let share = vec![1.0 / (height * width) as f32; (height * width) as usize];
                let share =
                    self.graph
                        .constant(format!("{name}.share"), &[1, 1, height, width], &share)?;
                self.graph.node(name, "Mul", &[&dy, &share], vec![])
            }
            "Flatten" => {
                let shape = self.shape(x)?;
                self.reshape(&dy, &shape, &name)
            }
            "Gemm" => self
                .graph
                .node(name, "MatMul", &[&dy, &node.input[1]], vec![]),
            other => return Err(GraphError::NoGradientRule(other.into())),
        };
        self.add(x, dx);
        Ok(())
    }

    /// The transposed convolution. A step of more than 1 leaves the last rows and columns of the
    /// input unread when they do not make up a whole step; they are added back as zeros.
    fn conv(&mut self, node: &pb::NodeProto, dy: &str, name: String) -> Result<String, GraphError> {
        let shape = self.shape(&node.input[0])?;
        let window = Window::of(node)?;
        let unread = |size: i64| (size + 2 * window.padding - window.kernel) % window.stride;
        let attributes = vec![
            integers("kernel_shape", &[window.kernel; 2]),
            integers("pads", &[window.padding; 4]),
            integers("strides", &[window.stride; 2]),
            integers("output_padding", &[unread(shape[1]), unread(shape[2])]),
        ];
        let inputs = [dy, &node.input[1]];
        Ok(self.graph.node(name, "ConvTranspose", &inputs, attributes))
    }

    /// The first pixel of a square that is its largest gets the square's gradient, as in libtorch.
    /// Equal ones are common: where an image is flat, such as in a glare, all of a square are.
    fn max_pool(
        &mut self,
        node: &pb::NodeProto,
        dy: &str,
        name: &str,
    ) -> Result<String, GraphError> {
        let shape = self.shape(&node.input[0])?;
        let side = Window::of(node)?.kernel;
        let (channels, height, width) = (shape[0], shape[1] / side, shape[2] / side);
        let pixels = side * side;
        let part = |what: &str| format!("{name}.{what}");
        // The pixels of a square side by side in the last dimension.
        let squares = [channels, height, side, width, side];
        let x = self.reshape(&node.input[0], &squares, &part("squares"));
        let together = vec![integers("perm", &[0, 1, 2, 4, 3, 5])];
        let x = self
            .graph
            .node(part("together"), "Transpose", &[&x], together);
        let x = self.reshape(&x, &[channels, height, width, pixels], &part("rows"));
        let one = [channels, height, width, 1];
        let y = self.reshape(&node.output[0], &one, &part("maxima"));
        let dy = self.reshape(dy, &one, &part("gradients"));

        let graph = &mut self.graph;
        let equal = graph.node(part("equal"), "Equal", &[&x, &y], vec![]);
        let to_float = integer("to", i64::from(pb::tensor_proto::DataType::Float as i32));
        let largest = graph.node(part("largest"), "Cast", &[&equal], vec![to_float]);
        // How many before it are largest: 1 less that is 1 for the first and at most 0 for the rest.
        let before: Vec<f32> = (0..pixels * pixels)
            .map(|place| f32::from(u8::from(place / pixels < place % pixels)))
            .collect();
        let before = graph.constant(part("before"), &[pixels, pixels], &before)?;
        let earlier = graph.node(part("earlier"), "MatMul", &[&largest, &before], vec![]);
        let less = graph.node(part("less"), "Sub", &[&largest, &earlier], vec![]);
        let first = graph.node(part("first"), "Relu", &[&less], vec![]);
        let spread = graph.node(part("spread"), "Mul", &[&first, &dy], vec![]);

        let spread = self.reshape(
            &spread,
            &[channels, height, width, side, side],
            &part("apart"),
        );
        let back = vec![integers("perm", &[0, 1, 2, 4, 3, 5])];
        let spread = self
            .graph
            .node(part("in_place"), "Transpose", &[&spread], back);
        Ok(self.reshape(&spread, &shape, name))
    }

    /// A value in another shape, the batch left as it is.
    fn reshape(&mut self, value: &str, shape: &[i64], name: &str) -> String {
        // 0 copies the dimension of the input.
        let whole: Vec<i64> = std::iter::once(0).chain(shape.iter().copied()).collect();
        let shape = self.graph.integers(format!("{name}.shape"), &whole);
        self.graph.node(name, "Reshape", &[value, &shape], vec![])
    }
}

/// The window of a convolution or pooling layer.
struct Window {
    kernel: i64,
    padding: i64,
    stride: i64,
}

impl Window {
    fn of(node: &pb::NodeProto) -> Result<Self, GraphError> {
        let (kernel, padding, stride) = match operators::read(node)? {
            Operator::Conv(window) => (window.side, window.padding, window.stride),
            Operator::MaxPool { side, stride } => (Some(side), 0, stride),
            _ => (None, 0, 1),
        };
        let kernel = kernel.ok_or_else(|| GraphError::MissingAttribute {
            node: node.name.clone(),
            attribute: "kernel_shape",
        })?;
        // Each is at most a crop's side, so that no cast loses anything.
        Ok(Self {
            kernel: kernel as i64,
            padding: padding as i64,
            stride: stride as i64,
        })
    }
}

/// Shapes of all values that a forward graph computes, and of its input.
fn shapes(graph: &Graph, side: usize) -> Result<Shapes, GraphError> {
    let image = Value::Computed(vec![1, 1, side, side]);
    let mut values = HashMap::from([("image".to_owned(), image)]);
    for node in graph.nodes() {
        for name in &node.input {
            if let Some(shape) = graph.constant_shape(name) {
                // Written by this program from a length, which is never negative.
                let shape = shape.iter().map(|side| *side as usize).collect();
                values.insert(name.clone(), Value::Constant(shape));
            }
        }
        let inputs: Result<Vec<&Value>, GraphError> = node
            .input
            .iter()
            .map(|name| {
                values.get(name).ok_or_else(|| GraphError::UnknownValue {
                    node: node.name.clone(),
                    value: name.clone(),
                })
            })
            .collect();
        let inference = operators::infer(node, &inputs?)?;
        values.insert(node.output[0].clone(), inference.output);
    }
    let computed = values.into_iter().filter_map(|(name, value)| match value {
        Value::Computed(shape) => {
            let after_batch = shape.iter().skip(1).map(|side| *side as i64).collect();
            Some((name, after_batch))
        }
        _ => None,
    });
    Ok(computed.collect())
}
