//! Attacks by their names on the command line, in tables and on cards.

use super::{
    Attack,
    apgd::{self, ApgdCe},
    apgd_targeted::ApgdTargeted,
    fgsm::Fgsm,
    fgsm_random::FgsmRandomStart,
    noise::Noise,
    pgd::{KeptPoint, Pgd},
    square::{self, Square},
    worst::Worst,
};
use parseye_vision::nearest;
use std::num::NonZeroU32;

/// Attacks named in messages. Numbers can be chosen: `pgd-K` and `pgd-KxR` (K steps, R restarts),
/// `apgd-ce-K` and `apgd-t-K` (K iterations), `square-N` and `worst-N` (N queries).
pub(crate) const KNOWN: &[&str] = &[
    "uniform", "gaussian", "fgsm", "fgsm-rs", "pgd-20", "pgd-20x5", "apgd-ce", "apgd-t", "square",
    "worst",
];

/// Most steps, restarts or queries accepted: far beyond what is published, but bounded, so that a
/// slip of the finger does not run for weeks.
const MOST: u32 = 100_000;

/// Why there is no attack of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttackNameError {
    /// No attack is called so.
    #[error(
        "unknown attack '{name}'{}; known: {} (numbers can be chosen: pgd-K, pgd-KxR, apgd-ce-K, apgd-t-K, square-N, worst-N)",
        nearest::hint(.name, KNOWN.iter().copied()), KNOWN.join(", ")
    )]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// A number in the name is 0, too large or no number.
    #[error(
        "'{number}' in the attack '{name}' is no number from 1 to {MOST}{}",
        nearest::hint(.name, KNOWN.iter().copied())
    )]
    Number {
        /// Text in the number's place.
        number: String,
        /// The name that was given.
        name: String,
    },
}

/// Returns the attack of a name.
///
/// # Errors
/// Names what is wrong with the name and which names are near.
pub fn by_name(name: &str) -> Result<Box<dyn Attack>, AttackNameError> {
    let number = |text: &str| match text.parse::<NonZeroU32>() {
        Ok(number) if number.get() <= MOST => Ok(number.get()),
        _ => Err(AttackNameError::Number {
            number: text.into(),
            name: name.into(),
        }),
    };
    let family = |prefix: &str| {
        name.strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('-'))
    };
    Ok(match name {
        "uniform" => Box::new(Noise::Uniform),
        "gaussian" => Box::new(Noise::Gaussian),
        "fgsm" => Box::new(Fgsm),
        "fgsm-rs" => Box::new(FgsmRandomStart),
        "apgd-ce" => Box::new(ApgdCe::new(apgd::ITERATIONS, 1)),
        "apgd-t" => Box::new(ApgdTargeted::new(apgd::ITERATIONS)),
        "square" => Box::new(Square::new(square::QUERIES)),
        "worst" => Box::new(Worst::standard(square::QUERIES)),
        _ => {
            if let Some(numbers) = family("pgd") {
                let (steps, restarts) = numbers.split_once('x').unwrap_or((numbers, "1"));
                Box::new(Pgd::new(number(steps)?, number(restarts)?, KeptPoint::Best))
            } else if let Some(iterations) = family("apgd-ce") {
                Box::new(ApgdCe::new(number(iterations)?, 1))
            } else if let Some(iterations) = family("apgd-t") {
                Box::new(ApgdTargeted::new(number(iterations)?))
            } else if let Some(queries) = family("square") {
                Box::new(Square::new(number(queries)?))
            } else if let Some(queries) = family("worst") {
                Box::new(Worst::standard(number(queries)?))
            } else {
                return Err(AttackNameError::Unknown { name: name.into() });
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_goes_by_the_name_it_was_asked_for() {
        let numbered = [
            "pgd-7",
            "pgd-20x5",
            "apgd-ce-50",
            "apgd-t-30",
            "square-500",
            "worst-1000",
        ];
        for name in KNOWN.iter().chain(&numbered) {
            assert_eq!(by_name(name).unwrap().name(), *name);
        }
    }

    #[test]
    fn slips_are_explained() {
        let error = |name: &str| by_name(name).err().unwrap().to_string();
        assert!(error("fsgm").contains("did you mean 'fgsm'"));
        assert!(error("squre").contains("did you mean 'square'"));
        assert!(error("pgd-0").contains("'0' in the attack 'pgd-0' is no number"));
        assert!(error("pgd-20x").contains("'' in the attack"));
        assert!(error("pgd-2e9").contains("no number"));
        assert!(error("square-999999").contains("1 to 100000"));
        assert!(error("").contains("known: uniform"));
    }
}
