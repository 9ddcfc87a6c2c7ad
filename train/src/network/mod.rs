//! Networks as data and as tch modules.

pub mod module;
pub mod spec;
pub mod wide_resnet;

use spec::NetworkSpec;
use wide_resnet::WideResNet;

/// Architectures named in error messages; any `wrn-D-k` with D = 6n + 4 is accepted.
const KNOWN: [&str; 5] = ["wrn-16-1", "wrn-16-2", "wrn-16-4", "wrn-16-8", "wrn-28-10"];

/// Deepest and widest networks accepted: far beyond the published ones, but bounded, so that a
/// slip of the finger does not fill the memory.
const MAX_DEPTH: i64 = 304;
const MAX_WIDTH: i64 = 64;

/// The network of that name.
///
/// # Errors
/// A sentence that says what is wrong with the name and which names are near.
pub fn by_name(architecture: &str) -> Result<NetworkSpec, String> {
    let unknown = || {
        format!(
            "unknown architecture '{architecture}'{}; known: wrn-D-k, such as {}",
            parseye::nearest::hint(architecture, KNOWN),
            KNOWN.join(", ")
        )
    };
    let numbers = architecture.strip_prefix("wrn-").ok_or_else(unknown)?;
    let (depth, width) = numbers.split_once('-').ok_or_else(unknown)?;
    let (Ok(depth), Ok(width)) = (depth.parse::<i64>(), width.parse::<i64>()) else {
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
    Ok(WideResNet { depth, width }.spec(architecture))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_networks_and_slips_are_explained() {
        assert!(by_name("wrn-16-1").is_ok() && by_name("wrn-28-10").is_ok());
        assert!(
            by_name("wnr-16-1")
                .unwrap_err()
                .contains("did you mean 'wrn-16-1'")
        );
        assert!(by_name("wrn-17-1").unwrap_err().contains("nearest is 16"));
        assert!(by_name("wrn-16-0").unwrap_err().contains("width"));
        assert!(
            by_name("wrn-16-x")
                .unwrap_err()
                .contains("unknown architecture")
        );
    }
}
