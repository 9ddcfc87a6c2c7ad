//! Splits people, never images, into train, val and test.

use parseye_vision::evaluate::manifest::Split;
use sha2::{Digest, Sha256};

/// Shares of the people that go to val and test; the rest is trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitShares {
    /// Share for validation, 0 to 1.
    pub val: f64,
    /// Share for the test, 0 to 1.
    pub test: f64,
}

impl Default for SplitShares {
    fn default() -> Self {
        Self {
            val: 0.15,
            test: 0.15,
        }
    }
}

/// The split of a person: by a hash of name and seed, so it does not depend on who else is in the
/// data, and stays the same when data is added.
pub(crate) fn split_of(subject: &str, seed: u64, shares: SplitShares) -> Split {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(subject.as_bytes());
    let digest = hash.finalize();
    let first = u32::from_be_bytes(std::array::from_fn(|i| digest[i]));
    let place = f64::from(first) / (f64::from(u32::MAX) + 1.0);
    if place < shares.test {
        Split::Test
    } else if place < shares.test + shares.val {
        Split::Val
    } else {
        Split::Train
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_on_average_and_people_stay_where_they_are() {
        let shares = SplitShares::default();
        let splits: Vec<Split> = (0..4000)
            .map(|i| split_of(&format!("p{i}"), 7, shares))
            .collect();
        let test = splits.iter().filter(|split| **split == Split::Test).count();
        // Six standard deviations of a binomial around 600.
        assert!((465..735).contains(&test), "{test}");
        assert_eq!(split_of("p1", 7, shares), splits[1]);
        let other_seed = (0..4000)
            .filter(|i| split_of(&format!("p{i}"), 8, shares) != splits[*i as usize])
            .count();
        assert!(other_seed > 500);
    }
}
