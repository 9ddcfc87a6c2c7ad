//! Wide residual networks with pre-activation blocks (Zagoruyko & Komodakis 2016).
//!
//! `wrn-D-k` has depth D = 6n + 4 (n blocks of two convolutions in each of three groups) and width
//! factor k: groups of 16k, 32k and 64k channels at 32x32, 16x16 and 8x8.

use super::spec::{Feed, NetworkSpec, Operation};
use parseye::eye_state::STATES;

/// Depth and width of a wide residual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideResNet {
    /// Number of convolutions along the main path, 6n + 4.
    pub depth: i64,
    /// Width factor k.
    pub width: i64,
}

impl WideResNet {
    /// The network as a list of layers.
    pub fn spec(self, architecture: &str) -> NetworkSpec {
        let mut net = NetworkSpec::new(architecture);
        let blocks = (self.depth - 4) / 6;
        let mut channels = 16;
        let stem = Operation::Convolution {
            inputs: 1,
            outputs: channels,
            kernel: 3,
            stride: 1,
        };
        let mut x = net.add("stem", stem, &[Feed::Image]);
        for group in 0..3 {
            let outputs = (16 << group) * self.width;
            for block in 0..blocks {
                let stride = if group > 0 && block == 0 { 2 } else { 1 };
                let name = format!("group{}.block{}", group + 1, block + 1);
                x = residual_block(&mut net, &name, x, channels, outputs, stride);
                channels = outputs;
            }
        }
        let x = net.add("norm", Operation::BatchNorm { channels }, &[x]);
        let x = net.add("relu", Operation::Relu, &[x]);
        let x = net.add("pool", Operation::GlobalAveragePool, &[x]);
        let dense = Operation::Dense {
            inputs: channels,
            outputs: STATES as i64,
        };
        net.add("dense", dense, &[x]);
        net
    }
}

/// norm, relu, conv, norm, relu, conv, added to the input; where the shape changes the input
/// passes a 1x1 convolution that reads after the first relu, as in the authors' own code.
fn residual_block(
    net: &mut NetworkSpec,
    name: &str,
    x: Feed,
    inputs: i64,
    outputs: i64,
    stride: i64,
) -> Feed {
    let layer = |part: &str| format!("{name}.{part}");
    let a = net.add(
        layer("norm1"),
        Operation::BatchNorm { channels: inputs },
        &[x],
    );
    let a = net.add(layer("relu1"), Operation::Relu, &[a]);
    let conv1 = Operation::Convolution {
        inputs,
        outputs,
        kernel: 3,
        stride,
    };
    let h = net.add(layer("conv1"), conv1, &[a]);
    let h = net.add(
        layer("norm2"),
        Operation::BatchNorm { channels: outputs },
        &[h],
    );
    let h = net.add(layer("relu2"), Operation::Relu, &[h]);
    let conv2 = Operation::Convolution {
        inputs: outputs,
        outputs,
        kernel: 3,
        stride: 1,
    };
    let h = net.add(layer("conv2"), conv2, &[h]);
    let shortcut = if inputs == outputs && stride == 1 {
        x
    } else {
        let one_by_one = Operation::Convolution {
            inputs,
            outputs,
            kernel: 1,
            stride,
        };
        net.add(layer("shortcut"), one_by_one, &[a])
    };
    net.add(layer("sum"), Operation::Sum, &[h, shortcut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrn_16_1_has_the_known_size() {
        // By hand, weights and two per normalised channel: stem 144; groups 9,344, 32,992 and
        // 131,520; last norm 128; dense layer 64 * 4 + 4.
        let spec = WideResNet {
            depth: 16,
            width: 1,
        }
        .spec("wrn-16-1");
        let convolutions = spec
            .layers
            .iter()
            .filter(|layer| matches!(layer.operation, Operation::Convolution { kernel: 3, .. }))
            .count();
        assert_eq!(convolutions, 13);
        assert_eq!(
            spec.parameters(),
            144 + 9_344 + 32_992 + 131_520 + 128 + 260
        );
    }

    #[test]
    fn layers_only_read_earlier_ones() {
        let spec = WideResNet {
            depth: 28,
            width: 10,
        }
        .spec("wrn-28-10");
        for (index, layer) in spec.layers.iter().enumerate() {
            for feed in &layer.feeds {
                assert!(!matches!(feed, Feed::Layer(earlier) if *earlier >= index));
            }
        }
    }
}
