//! Networks as data, as tch modules, and read back from ONNX.

pub mod constraint;
pub mod initial;
pub mod module;
pub mod onnx;
pub mod plain_cnn;
pub mod spec;
pub mod wide_resnet;

use constraint::Constraint;
use parseye_vision::classify::input::USUAL_SIDE;
use spec::NetworkSpec;
use wide_resnet::WideResNet;

/// Architectures named in error messages; any `wrn-D-k` and `parseval-D-k` with D = 6n + 4, with
/// `-s2` and `-inN` after it or without, is accepted.
const KNOWN: [&str; 12] = [
    "wrn-16-1",
    "wrn-16-1-s2",
    "wrn-16-1-in64",
    "wrn-16-1-s2-in64",
    "wrn-16-2",
    "wrn-16-4",
    "wrn-16-8",
    "wrn-28-10",
    "parseval-16-1",
    "parseval-16-2",
    "parseval-28-10",
    "cnn-4",
];

/// Ending of a residual network that works at half the size.
const HALF_SIZE: &str = "-s2";

/// What stands before the side of a residual network's image, in pixels, where that is not 32.
const INPUT_SIDE: &str = "-in";

/// Sides in pixels that the image of a residual network may have: fewer show no iris, and more nothing that a
/// camera saw.
const IMAGE_SIDES: std::ops::RangeInclusive<usize> = 32..=96;

/// What the side must be a multiple of, so that every group has whole pixels.
const SIDE_STEP: usize = 16;

/// Name of the study's plain network.
const PLAIN_CNN: &str = "cnn-4";

/// Deepest and widest networks accepted: far beyond the published ones, but bounded, so that a
/// slip of the finger does not fill the memory.
const MAX_DEPTH: i64 = 304;
const MAX_WIDTH: i64 = 64;

/// Why there is no network of a name, or not with a constraint or dropout.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ArchitectureError {
    /// No such family, or a name that does not follow its pattern.
    #[error(
        "unknown architecture '{name}'{}; known: wrn-D-k and parseval-D-k, with -s2 after it for half the size and -inN for an image of N pixels, such as {}",
        parseye_vision::nearest::hint(.name, KNOWN), KNOWN.join(", ")
    )]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// No residual network has this depth.
    #[error(
        "impossible depth {depth} of '{name}': a wide residual network has 6n + 4 layers, at most {MAX_DEPTH}; the nearest is {nearest}"
    )]
    Depth {
        /// The name that was given.
        name: String,
        /// The depth in it.
        depth: i64,
        /// The nearest depth that is possible.
        nearest: i64,
    },
    /// The image has an impossible size.
    #[error(
        "impossible image of {side} pixels in '{name}': give a multiple of {SIDE_STEP} from {min} to {max}",
        min = IMAGE_SIDES.start(), max = IMAGE_SIDES.end()
    )]
    Side {
        /// The name that was given.
        name: String,
        /// The side in it.
        side: usize,
    },
    /// The width is 0 or too large.
    #[error("impossible width {width} of '{name}': give 1 to {MAX_WIDTH}")]
    Width {
        /// The name that was given.
        name: String,
        /// The width in it.
        width: i64,
    },
    /// A dropout that is no probability below 1.
    #[error("a dropout of {0} is not from 0 to below 1; give one such as 0.3")]
    Dropout(f64),
    /// The plain network has nothing to make convex.
    #[error(
        "{PLAIN_CNN} has no residual sums to make convex; give --constraint orthogonality or none"
    )]
    NoResidualSums,
    /// The plain network has no dropout.
    #[error("{PLAIN_CNN} has no place for dropout; leave out --dropout, or give another --arch")]
    NoDropout,
    /// The plain network has one output.
    #[error("{PLAIN_CNN} says nothing of openness; leave out --openness, or give another --arch")]
    NoLids,
    /// Constraints make a Parseval network.
    #[error(
        "{name} is trained without a constraint; give --arch {parseval} for the same network with one"
    )]
    Constrained {
        /// The name that was given.
        name: String,
        /// The same network with constraints.
        parseval: String,
    },
}

/// Why a saved tensor cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The file does not hold it.
    #[error("tensor '{name}' is missing")]
    Missing {
        /// Name of the tensor.
        name: String,
    },
    /// It belongs to another network.
    #[error("tensor '{name}' has shape {saved:?} where {expected:?} is needed")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Its shape in the file.
        saved: Vec<i64>,
        /// Its shape in the network.
        expected: Vec<i64>,
    },
    /// libtorch cannot copy it.
    #[error("tensor '{name}' cannot be copied ({reason})")]
    Copy {
        /// Name of the tensor.
        name: String,
        /// libtorch's message.
        reason: String,
    },
}

/// The constraint that an architecture is trained with unless another is given.
pub(crate) fn usual_constraint(architecture: &str) -> Constraint {
    if architecture.starts_with("parseval-") {
        Constraint::Both
    } else {
        Constraint::None
    }
}

/// The network of that name with its usual constraint and no dropout.
///
/// # Errors
/// As [`build`].
pub fn by_name(architecture: &str) -> Result<NetworkSpec, ArchitectureError> {
    build(architecture, usual_constraint(architecture), 0.0, false)
}

/// The network of that name under a constraint, with a chance of `dropout` in residual blocks, and with the output
/// `lids` or without.
///
/// # Errors
/// Names what is wrong with the name and which names are near, or why the network
/// cannot have the constraint or dropout.
pub(crate) fn build(
    architecture: &str,
    constraint: Constraint,
    dropout: f64,
    lids: bool,
) -> Result<NetworkSpec, ArchitectureError> {
    if !(0.0..1.0).contains(&dropout) {
        return Err(ArchitectureError::Dropout(dropout));
    }
    if architecture == PLAIN_CNN {
        if constraint.convexity() {
            return Err(ArchitectureError::NoResidualSums);
        }
        if dropout > 0.0 {
            return Err(ArchitectureError::NoDropout);
        }
        if lids {
            return Err(ArchitectureError::NoLids);
        }
        return Ok(plain_cnn::spec(architecture, constraint.orthogonality()));
    }
    let (shape, side) = image_side(architecture)?;
    let (whole, halving) = match shape.strip_suffix(HALF_SIZE) {
        Some(whole) => (whole, 2),
        None => (shape, 1),
    };
    let (family, depth, width) = residual_numbers(whole)?;
    // Pixels that become one of the 32 of the study's networks.
    let merged = side.div_ceil(USUAL_SIDE) as i64;
    if family == "wrn" && constraint != Constraint::None {
        return Err(ArchitectureError::Constrained {
            name: architecture.into(),
            parseval: architecture.replacen("wrn", "parseval", 1),
        });
    }
    let network = WideResNet {
        depth,
        width,
        side,
        stem_kernel: 2 * merged + 1,
        stem_stride: merged * halving,
        tight_frames: constraint.orthogonality(),
        convex_sums: constraint.convexity(),
        dropout,
        lids,
    };
    Ok(network.spec(architecture))
}

/// The name of a residual network without its image's side, and that side.
fn image_side(architecture: &str) -> Result<(&str, usize), ArchitectureError> {
    let Some((shape, side)) = architecture.rsplit_once(INPUT_SIDE) else {
        return Ok((architecture, USUAL_SIDE));
    };
    let name = || architecture.to_owned();
    let Ok(side) = side.parse::<usize>() else {
        return Err(ArchitectureError::Unknown { name: name() });
    };
    if IMAGE_SIDES.contains(&side) && side.is_multiple_of(SIDE_STEP) {
        Ok((shape, side))
    } else {
        Err(ArchitectureError::Side { name: name(), side })
    }
}

/// Family, depth and width in the name of a residual network.
fn residual_numbers(architecture: &str) -> Result<(&str, i64, i64), ArchitectureError> {
    let name = || architecture.to_owned();
    let unknown = || ArchitectureError::Unknown { name: name() };
    let (family, numbers) = architecture.split_once('-').ok_or_else(unknown)?;
    let (depth, width) = numbers.split_once('-').ok_or_else(unknown)?;
    let (true, Ok(depth), Ok(width)) = (
        ["wrn", "parseval"].contains(&family),
        depth.parse::<i64>(),
        width.parse::<i64>(),
    ) else {
        return Err(unknown());
    };
    if !(10..=MAX_DEPTH).contains(&depth) || (depth - 4) % 6 != 0 {
        let blocks = ((depth.clamp(10, MAX_DEPTH) - 4) as f64 / 6.0).round() as i64;
        return Err(ArchitectureError::Depth {
            name: name(),
            depth,
            nearest: 6 * blocks + 4,
        });
    }
    if !(1..=MAX_WIDTH).contains(&width) {
        return Err(ArchitectureError::Width {
            name: name(),
            width,
        });
    }
    Ok((family, depth, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_networks_and_slips_are_explained() {
        for name in KNOWN {
            assert!(by_name(name).is_ok(), "{name}");
        }
        for (slip, words) in [
            ("wnr-16-1", "did you mean 'wrn-16-1'"),
            ("parsval-16-1", "did you mean 'parseval-16-1'"),
            ("cnn4", "did you mean 'cnn-4'"),
            ("wrn-17-1", "nearest is 16"),
            ("parseval-16-0", "width"),
            ("wrn-16-x", "unknown architecture"),
            ("wrn-16-1-s3", "did you mean 'wrn-16-1-s2'"),
            ("wrn-16-1-in50", "multiple of 16 from 32 to 96"),
            ("wrn-16-1-in", "unknown architecture"),
        ] {
            let error = by_name(slip).unwrap_err().to_string();
            assert!(error.contains(words), "{slip}: {error}");
        }
    }

    #[test]
    fn impossible_constraints_name_the_way_out() {
        for (name, constraint, words) in [
            ("wrn-16-1", Constraint::Both, "parseval-16-1"),
            ("cnn-4", Constraint::Convexity, "orthogonality"),
        ] {
            let error = build(name, constraint, 0.0, false).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(build("cnn-4", Constraint::Orthogonality, 0.0, false).is_ok());
        assert!(build("wrn-16-1", Constraint::None, f64::NAN, false).is_err());
    }
}
