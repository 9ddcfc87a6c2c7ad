//! The study's plain convolutional network, `cnn-4`: what the residual networks are compared with.
//!
//! conv 32, conv 64, pool, norm, conv 128, pool, norm, conv 256, pool, norm, dense; a rectifier
//! after each convolution. Convolutions pad their input here, so that the image's border counts.

use super::spec::{Feed, NetworkSpec, Operation};
use parseye_vision::{classify::input::USUAL_SIDE, eye_state::STATES};

/// Side of the squares of a pooling layer.
const POOL: i64 = 2;

/// The study's plain network; with `tight_frames` its version with the orthogonality constraint.
pub fn spec(architecture: &str, tight_frames: bool) -> NetworkSpec {
    let mut net = NetworkSpec::new(architecture, USUAL_SIDE);
    let mut x = Feed::Image;
    let mut channels = 1;
    let mut side = USUAL_SIDE as i64;
    for (number, (outputs, pooled)) in [(32, false), (64, true), (128, true), (256, true)]
        .into_iter()
        .enumerate()
    {
        let name = |part: &str| format!("{part}{}", number + 1);
        let convolution = Operation::Convolution {
            inputs: channels,
            outputs,
            kernel: 3,
            stride: 1,
            bias: true,
            tight_frame: tight_frames,
        };
        x = net.add(name("conv"), convolution, &[x]);
        x = net.add(name("relu"), Operation::Relu, &[x]);
        channels = outputs;
        if pooled {
            x = net.add(name("pool"), Operation::MaxPool { side: POOL }, &[x]);
            x = net.add(name("norm"), Operation::BatchNorm { channels }, &[x]);
            side /= POOL;
        }
    }
    let x = net.add("flatten", Operation::Flatten, &[x]);
    let dense = Operation::Dense {
        inputs: channels * side * side,
        outputs: STATES as i64,
        tight_frame: tight_frames,
    };
    net.add("dense", dense, &[x]);
    net
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_size_counted_by_hand() {
        // Weights and biases 320, 18,496, 73,856 and 295,168; norms 2 (64 + 128 + 256); dense
        // layer 256 * 4 * 4 * 4 + 4.
        let convolutions = 320 + 18_496 + 73_856 + 295_168;
        assert_eq!(
            spec("cnn-4", false).parameters(),
            convolutions + 896 + 16_388
        );
    }
}
