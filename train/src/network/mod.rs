//! Networks as data, as tch modules, and read back from ONNX.

pub mod module;
pub mod onnx;
pub mod plain_cnn;
pub mod spec;
pub mod wide_resnet;

use crate::harden::constraint::Constraint;
use spec::NetworkSpec;
use wide_resnet::WideResNet;

/// Architectures named in error messages; any `wrn-D-k` and `parseval-D-k` with D = 6n + 4, with
/// `-s2` after it or without, is accepted.
const KNOWN: [&str; 10] = [
    "wrn-16-1",
    "wrn-16-1-s2",
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

/// Name of the study's plain network.
const PLAIN_CNN: &str = "cnn-4";

/// Deepest and widest networks accepted: far beyond the published ones, but bounded, so that a
/// slip of the finger does not fill the memory.
const MAX_DEPTH: i64 = 304;
const MAX_WIDTH: i64 = 64;

/// The constraint that an architecture is trained with unless another is asked for.
pub fn usual_constraint(architecture: &str) -> Constraint {
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
pub fn by_name(architecture: &str) -> Result<NetworkSpec, String> {
    build(architecture, usual_constraint(architecture), 0.0)
}

/// The network of that name under a constraint, with a chance of `dropout` in residual blocks.
///
/// # Errors
/// A sentence that says what is wrong with the name and which names are near, or why the network
/// cannot have the constraint or dropout.
pub fn build(
    architecture: &str,
    constraint: Constraint,
    dropout: f64,
) -> Result<NetworkSpec, String> {
    if !(0.0..1.0).contains(&dropout) {
        return Err(format!(
            "a dropout of {dropout} is not from 0 to below 1; give one such as 0.3"
        ));
    }
    if architecture == PLAIN_CNN {
        if constraint.convexity() {
            return Err(format!(
                "{PLAIN_CNN} has no residual sums to make convex; give --constraint orthogonality or none"
            ));
        }
        if dropout > 0.0 {
            return Err(format!(
                "{PLAIN_CNN} has no place for dropout; leave out --dropout, or give another --arch"
            ));
        }
        return Ok(plain_cnn::spec(architecture, constraint.orthogonality()));
    }
    let (whole, stem_stride) = match architecture.strip_suffix(HALF_SIZE) {
        Some(whole) => (whole, 2),
        None => (architecture, 1),
    };
    let (family, depth, width) = residual_numbers(whole)?;
    if family == "wrn" && constraint != Constraint::None {
        return Err(format!(
            "{architecture} is trained without a constraint; give --arch {} for the \
             same network with one",
            architecture.replacen("wrn", "parseval", 1)
        ));
    }
    let network = WideResNet {
        depth,
        width,
        stem_stride,
        tight_frames: constraint.orthogonality(),
        convex_sums: constraint.convexity(),
        dropout,
    };
    Ok(network.spec(architecture))
}

/// Family, depth and width in the name of a residual network.
fn residual_numbers(architecture: &str) -> Result<(&str, i64, i64), String> {
    let unknown = || {
        format!(
            "unknown architecture '{architecture}'{}; known: wrn-D-k and parseval-D-k, with -s2 after it for half the size, such as {}",
            parseye_vision::nearest::hint(architecture, KNOWN),
            KNOWN.join(", ")
        )
    };
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
        return Err(format!(
            "impossible depth {depth} of '{architecture}': a wide residual network has 6n + 4 \
             layers, at most {MAX_DEPTH}; the nearest is {}",
            6 * blocks + 4
        ));
    }
    if !(1..=MAX_WIDTH).contains(&width) {
        return Err(format!(
            "impossible width {width} of '{architecture}': give 1 to {MAX_WIDTH}"
        ));
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
        ] {
            let error = by_name(slip).unwrap_err();
            assert!(error.contains(words), "{slip}: {error}");
        }
    }

    #[test]
    fn impossible_constraints_name_the_way_out() {
        for (name, constraint, words) in [
            ("wrn-16-1", Constraint::Both, "parseval-16-1"),
            ("cnn-4", Constraint::Convexity, "orthogonality"),
        ] {
            let error = build(name, constraint, 0.0).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!(build("cnn-4", Constraint::Orthogonality, 0.0).is_ok());
        assert!(build("wrn-16-1", Constraint::None, f64::NAN).is_err());
    }
}
