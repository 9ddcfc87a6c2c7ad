//! Wide residual networks with pre-activation blocks (Zagoruyko & Komodakis 2016), and Parseval
//! networks, which are the same with constraints (Cisse et al. 2017).
//!
//! `wrn-D-k` and `parseval-D-k` have depth D = 6n + 4 (n blocks of two convolutions in each of
//! three groups) and width factor k: groups of 16k, 32k and 64k channels at 32x32, 16x16 and 8x8.
//! With `-s2` after it the stem takes every second pixel, so that all groups work at half the size:
//! a quarter of the arithmetic, for slow boards.
//!
//! With `-inN` after it the image has N pixels a side in place of 32. The stem then steps over as many pixels as
//! leave the groups at most the size that they have for 32, and its kernel reads all that it steps over: 5x5 with
//! a step of 2 for 64. The arithmetic stays that of 32 pixels but for the stem's.
//!
//! A Parseval network's weights are tight frames and its residual sums convex; either constraint
//! can be left out, so that each one's part can be seen.

use super::spec::{Feed, NetworkSpec, Operation};
use parseye_vision::{eye_state::STATES, lids};

/// Shape and constraints of a wide residual network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WideResNet {
    /// Number of convolutions along the main path, 6n + 4.
    pub depth: i64,
    /// Width factor k.
    pub width: i64,
    /// Rows and columns of the image.
    pub side: usize,
    /// Side of the stem's kernel in pixels, odd.
    pub stem_kernel: i64,
    /// Step of the stem in pixels.
    pub stem_stride: i64,
    /// Whether weights are kept near tight frames.
    pub tight_frames: bool,
    /// Whether residual sums are convex.
    pub convex_sums: bool,
    /// Chance of dropout between the convolutions of a block; 0 leaves the layer out.
    pub dropout: f64,
    /// Whether a second output says how far the lids are apart.
    pub lids: bool,
}

impl WideResNet {
    /// The network as a list of layers.
    pub fn spec(self, architecture: &str) -> NetworkSpec {
        let mut net = NetworkSpec::new(architecture, self.side);
        let blocks = (self.depth - 4) / 6;
        let mut channels = 16;
        let stem = self.convolution(1, channels, self.stem_kernel, self.stem_stride);
        let mut x = net.add("stem", stem, &[Feed::Image]);
        for group in 0..3 {
            let outputs = (16 << group) * self.width;
            for block in 0..blocks {
                let stride = if group > 0 && block == 0 { 2 } else { 1 };
                let name = format!("group{}.block{}", group + 1, block + 1);
                x = self.residual_block(&mut net, &name, x, channels, outputs, stride);
                channels = outputs;
            }
        }
        let x = net.add("norm", Operation::BatchNorm { channels }, &[x]);
        let x = net.add("relu", Operation::Relu, &[x]);
        let x = net.add("pool", Operation::GlobalAveragePool, &[x]);
        if self.lids {
            let lids = Operation::Dense {
                inputs: channels,
                outputs: lids::OUTPUTS as i64,
                tight_frame: self.tight_frames,
            };
            net.lids = Some(net.layers.len());
            net.add("lids", lids, &[x]);
        }
        let dense = Operation::Dense {
            inputs: channels,
            outputs: STATES as i64,
            tight_frame: self.tight_frames,
        };
        net.add("dense", dense, &[x]);
        net
    }

    fn convolution(self, inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Operation {
        Operation::Convolution {
            inputs,
            outputs,
            kernel,
            stride,
            bias: false,
            tight_frame: self.tight_frames,
        }
    }

    /// norm, relu, conv, norm, relu, conv, added to the input; where the shape changes the input
    /// passes a 1x1 convolution that reads after the first relu, as in the authors' own code.
    fn residual_block(
        self,
        net: &mut NetworkSpec,
        name: &str,
        x: Feed,
        inputs: i64,
        outputs: i64,
        stride: i64,
    ) -> Feed {
        let layer = |part: &str| format!("{name}.{part}");
        let norm = |channels| Operation::BatchNorm { channels };
        let a = net.add(layer("norm1"), norm(inputs), &[x]);
        let a = net.add(layer("relu1"), Operation::Relu, &[a]);
        let conv1 = self.convolution(inputs, outputs, 3, stride);
        let mut h = net.add(layer("conv1"), conv1, &[a]);
        if self.dropout > 0.0 {
            let rate = self.dropout;
            h = net.add(layer("dropout"), Operation::Dropout { rate }, &[h]);
        }
        let h = net.add(layer("norm2"), norm(outputs), &[h]);
        let h = net.add(layer("relu2"), Operation::Relu, &[h]);
        let h = net.add(
            layer("conv2"),
            self.convolution(outputs, outputs, 3, 1),
            &[h],
        );
        let shortcut = if inputs == outputs && stride == 1 {
            x
        } else {
            let one_by_one = self.convolution(inputs, outputs, 1, stride);
            net.add(layer("shortcut"), one_by_one, &[a])
        };
        let sum = if self.convex_sums {
            Operation::ConvexSum
        } else {
            Operation::Sum
        };
        net.add(layer("sum"), sum, &[h, shortcut])
    }
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
            side: 32,
            stem_kernel: 3,
            stem_stride: 1,
            tight_frames: false,
            convex_sums: false,
            dropout: 0.0,
            lids: false,
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
    fn half_the_size_is_a_quarter_of_the_arithmetic() {
        let of = |stem_stride| WideResNet {
            depth: 16,
            width: 1,
            side: 32,
            stem_kernel: 3,
            stem_stride,
            tight_frames: false,
            convex_sums: false,
            dropout: 0.0,
            lids: false,
        };
        let (whole, half) = (of(1).spec("wrn-16-1"), of(2).spec("wrn-16-1-s2"));
        // By hand, in multiply-adds: stem 147,456; group 1 four convolutions of 2,359,296; groups 2
        // and 3 one of half that, three whole, and a 1x1 of 131,072 each; dense layer 256.
        let conv = 2_359_296;
        let by_hand = 147_456 + 4 * conv + 2 * (conv / 2 + 3 * conv + 131_072) + 256;
        assert_eq!(whole.multiply_adds(), by_hand);
        assert_eq!(half.multiply_adds(), (by_hand - 256) / 4 + 256);
        assert_eq!(half.parameters(), whole.parameters());
    }

    #[test]
    fn layers_only_read_earlier_ones() {
        let spec = WideResNet {
            depth: 28,
            width: 10,
            side: 32,
            stem_kernel: 3,
            stem_stride: 1,
            tight_frames: true,
            convex_sums: true,
            dropout: 0.3,
            lids: true,
        }
        .spec("parseval-28-10");
        for (index, layer) in spec.layers.iter().enumerate() {
            for feed in &layer.feeds {
                assert!(!matches!(feed, Feed::Layer(earlier) if *earlier >= index));
            }
        }
    }
}
