//! Names of enum variants: one way to list them, and one way to parse them with a "did you mean" hint.
//!
//! The names themselves are derived by `strum` where the enum is defined.

use crate::nearest;
use strum::VariantArray;

/// A name that none of the accepted ones is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} '{given}'{}; known: {}", nearest::hint(.given, .known.iter().copied()), .known.join(", "))]
pub struct UnknownName {
    /// What is named, such as `split`.
    pub what: &'static str,
    /// The name that was given.
    pub given: String,
    /// All names that are accepted.
    pub known: Vec<&'static str>,
}

/// Parses the name of a variant; `what` says in an error what is named.
///
/// # Errors
/// When no variant has this name.
pub fn parse<T>(what: &'static str, given: &str) -> Result<T, UnknownName>
where
    T: VariantArray + Copy + Into<&'static str>,
{
    let known = || T::VARIANTS.iter().map(|variant| (*variant).into());
    let place = known().position(|name: &str| name == given);
    match place.and_then(|place| T::VARIANTS.get(place)) {
        Some(variant) => Ok(*variant),
        None => Err(UnknownName {
            what,
            given: given.into(),
            known: known().collect(),
        }),
    }
}

/// Returns all variants as an array, in the order of their definition: `all(Self::VARIANTS)`.
///
/// Compilation fails where `N` is not their number.
pub const fn all<T: Copy, const N: usize>(variants: &[T]) -> [T; N] {
    assert!(variants.len() == N, "as many as there are variants");
    let mut array = [variants[0]; N];
    let mut place = 0;
    while place < N {
        array[place] = variants[place];
        place += 1;
    }
    array
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::manifest::Split;

    #[test]
    fn names_are_parsed_and_slips_explained() {
        assert_eq!(parse("split", "val"), Ok(Split::Val));
        let error = parse::<Split>("split", "tset").unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown split 'tset' (did you mean 'test'?); known: train, val, test"
        );
    }
}
