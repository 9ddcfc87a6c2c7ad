//! What a person looks like: tones, the shape of the lids, glasses. Poses and light are left to other modules.

use crate::colour::{Colour, mix, scale};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Shape of the lids. Lengths are in face units: 1 is about half a face's height, and the eyes' centres are
/// 0.74 apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LidShape {
    /// Half the distance between an eye's corners, 0.15 to 0.22.
    pub half_width: f32,
    /// How far the upper lid rises above the corners when the eye is open, 0.06 to 0.13.
    pub upper: f32,
    /// How far the lower lid hangs below the corners, 0.04 to 0.08.
    pub lower: f32,
    /// How much higher the outer corner lies, -0.03 to 0.04.
    pub tilt: f32,
    /// Depth of the upper lid's crease, 0 (none, as of a monolid) to 1.
    pub crease: f32,
    /// How dark and long the lashes are, 0 to 1.
    pub lashes: f32,
}

/// Glasses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glasses {
    /// Half a rim's thickness in face units, 0.006 to 0.03.
    pub rim: f32,
    /// Colour of the rims.
    pub colour: Colour,
    /// Share of light that the lenses swallow, 0 to 0.4; darker ones would hide the eyes.
    pub tint: f32,
    /// Strength of a reflection on the lenses, 0 to 1.
    pub glare: f32,
}

/// What a person looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person {
    /// Lit skin.
    pub skin: Colour,
    /// Hair, brows and lashes.
    pub hair: Colour,
    /// The iris between pupil and rim.
    pub iris: Colour,
    /// Clothes.
    pub clothes: Colour,
    /// The lids.
    pub lids: LidShape,
    /// Strength of the brows, 0 to 1.
    pub brows: f32,
    /// Glasses, if any.
    pub glasses: Option<Glasses>,
}

impl Default for Person {
    /// The person of the demonstration.
    fn default() -> Self {
        Self {
            skin: [222.0, 176.0, 148.0],
            hair: [56.0, 41.0, 32.0],
            iris: [124.0, 86.0, 54.0],
            clothes: [46.0, 62.0, 92.0],
            lids: LidShape {
                half_width: 0.185,
                upper: 0.108,
                lower: 0.062,
                tilt: 0.014,
                crease: 1.0,
                lashes: 0.8,
            },
            brows: 0.9,
            glasses: None,
        }
    }
}

/// Skin from light to dark, between which [`Person::from_seed`] draws.
const SKINS: [Colour; 5] = [
    [236.0, 196.0, 172.0],
    [222.0, 176.0, 148.0],
    [190.0, 138.0, 106.0],
    [140.0, 94.0, 68.0],
    [88.0, 58.0, 44.0],
];

/// Irises: dark brown, brown, hazel, green, blue, gray.
const IRISES: [Colour; 6] = [
    [72.0, 48.0, 34.0],
    [124.0, 86.0, 54.0],
    [134.0, 112.0, 66.0],
    [104.0, 124.0, 84.0],
    [104.0, 138.0, 168.0],
    [132.0, 142.0, 148.0],
];

/// Hair: black, brown, fair, gray.
const HAIRS: [Colour; 4] = [
    [24.0, 20.0, 19.0],
    [56.0, 41.0, 32.0],
    [150.0, 118.0, 78.0],
    [142.0, 140.0, 138.0],
];

impl Person {
    /// Draws a person: the same one for the same seed. Three in ten wear glasses.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let skin = between(&SKINS, &mut rng);
        let dark = skin[0] < 160.0;
        let hair = HAIRS[rng.random_range(0..if dark { 2 } else { HAIRS.len() })];
        let iris = IRISES[rng.random_range(0..if dark { 2 } else { IRISES.len() })];
        let lids = LidShape {
            half_width: rng.random_range(0.165..0.205),
            upper: rng.random_range(0.075..0.118),
            lower: rng.random_range(0.048..0.070),
            tilt: rng.random_range(-0.012..0.030),
            crease: rng.random_range(0.0..1.0),
            lashes: rng.random_range(0.35..1.0),
        };
        let brows = rng.random_range(0.4..1.0);
        let clothes = [(); 3].map(|()| rng.random_range(30.0..180.0));
        let glasses = rng.random_bool(0.3).then(|| Glasses {
            rim: rng.random_range(0.006..0.026),
            colour: scale([70.0, 62.0, 58.0], rng.random_range(0.2..2.0)),
            tint: rng.random_range(0.0..0.3),
            glare: rng.random_range(0.0..0.7),
        });
        Self {
            skin,
            hair,
            iris,
            clothes,
            lids,
            brows,
            glasses,
        }
    }

    /// Returns the colour of lashes and brows: darker than the hair.
    pub(crate) fn lash(&self) -> Colour {
        mix(scale(self.hair, 0.55), [30.0, 21.0, 18.0], 0.6)
    }
}

/// Draws a colour between two neighbours of a list.
fn between(colours: &[Colour], rng: &mut impl Rng) -> Colour {
    let first = rng.random_range(0..colours.len() - 1);
    mix(
        colours[first],
        colours[first + 1],
        rng.random_range(0.0..1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_person_and_another_seed_another() {
        assert_eq!(Person::from_seed(3), Person::from_seed(3));
        assert_ne!(Person::from_seed(3), Person::from_seed(4));
        let with_glasses = (0..200)
            .filter(|seed| Person::from_seed(*seed).glasses.is_some())
            .count();
        assert!((30..90).contains(&with_glasses), "{with_glasses}");
    }
}
