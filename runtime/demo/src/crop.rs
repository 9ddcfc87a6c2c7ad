//! Crops of single eyes whose openness is known, as training and tests need them. Frames with whole faces are left
//! to `face`.

use crate::{
    colour::{Colour, scale, to_bytes},
    exposure::Exposure,
    eye,
    eye::EyePose,
    head,
    head::EYE_X,
    person::Person,
};
use image::{GrayImage, Rgb, RgbImage};
use parseye_vision::{eye_state::Eye, frame::luma_of};

/// Samples in a face unit from which on nothing of an eye's drawing is missed between them.
const FINEST: f32 = 160.0;

/// What a crop shows of an eye.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EyeView {
    /// Which eye: the subject's left one has its outer corner on the right.
    pub eye: Eye,
    /// Width and height in pixels, 1 to 1024.
    pub pixels: u32,
    /// Side in distances between the eyes' centres, 0.3 to 1.2; 0.85 is how the models' crops are cut.
    pub side: f32,
    /// Where the eye's centre is beside the crop's, to the right and down, as shares of the side.
    pub shift: [f32; 2],
    /// How far the face is turned within the image, in radians, clockwise as seen on screen.
    pub roll: f32,
}

impl EyeView {
    /// Creates the view of an eye in the middle, upright, `pixels` wide and high.
    pub fn new(eye: Eye, pixels: u32) -> Self {
        Self {
            eye,
            pixels,
            side: 0.85,
            shift: [0.0, 0.0],
            roll: 0.0,
        }
    }

    /// Renders the crop in colours. The label of its openness is `pose`'s own
    /// ([`state_of`](crate::state_of) gives the state).
    pub fn render(&self, person: &Person, pose: &EyePose, exposure: &Exposure) -> RgbImage {
        let pixels = self.pixels.clamp(1, 1024);
        let step = 2.0 * EYE_X * self.side / pixels as f32;
        let samples = (FINEST * step).ceil().clamp(1.0, 8.0) as u32;
        let mut image = RgbImage::from_fn(pixels, pixels, |column, row| {
            let mut sum = Colour::default();
            for sample in 0..samples * samples {
                let at = |pixel, part| {
                    (pixel as f32 + (part as f32 + 0.5) / samples as f32) / pixels as f32
                };
                let at = [at(column, sample % samples), at(row, sample / samples)];
                let colour = self.colour(at, person, pose);
                sum = [0, 1, 2].map(|i| sum[i] + colour[i]);
            }
            Rgb(to_bytes(scale(sum, 1.0 / (samples * samples) as f32)))
        });
        exposure.apply(&mut image);
        image
    }

    /// Renders the crop in the grays of [`luma_of`].
    pub fn render_gray(&self, person: &Person, pose: &EyePose, exposure: &Exposure) -> GrayImage {
        luma_of(&self.render(person, pose, exposure))
    }

    /// Returns the colour at a point of the crop, (0, 0) to (1, 1).
    fn colour(&self, at: [f32; 2], person: &Person, pose: &EyePose) -> Colour {
        let side = 2.0 * EYE_X * self.side;
        let [x, y] = [0, 1].map(|axis| (at[axis] - 0.5 - self.shift[axis]) * side);
        let (sin, cos) = self.roll.sin_cos();
        let mirror = match self.eye {
            Eye::Left => 1.0,
            Eye::Right => -1.0,
        };
        let (u, v) = (cos * x + sin * y + mirror * EYE_X, cos * y - sin * x);
        let mut colour = head::face(u, v, person);
        for mirror in [1.0, -1.0] {
            eye::draw(&mut colour, [mirror * u - EYE_X, v], mirror, person, pose);
        }
        scale(colour, head::light(u, v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::{
        classify::{EyeStateModel, StandardisedCrop},
        eye_state::EyeState,
    };

    /// What the default model says of a crop.
    fn prediction(person: &Person, openness: f32) -> EyeState {
        let model = EyeStateModel::built_in().unwrap();
        let mut classifier = model.classifier().unwrap();
        let pose = EyePose {
            openness,
            ..EyePose::default()
        };
        let exposure = Exposure {
            noise: 2.0,
            ..Exposure::default()
        };
        let crop =
            EyeView::new(Eye::Left, model.side() as u32).render_gray(person, &pose, &exposure);
        let grays: Vec<f32> = crop.iter().map(|level| f32::from(*level)).collect();
        let crop = StandardisedCrop::new(&grays);
        EyeState::most_likely(&classifier.probabilities(&crop).unwrap())
    }

    /// Not each of them: a narrow eye behind glare is hard to read for anybody.
    #[test]
    fn the_default_model_reads_most_people_as_they_are_labelled() {
        let (mut open, mut closed) = (0, 0);
        for seed in 0..50 {
            let person = Person::from_seed(seed);
            open += u32::from(prediction(&person, 1.0) == EyeState::Open);
            closed += u32::from(prediction(&person, 0.0) == EyeState::Closed);
        }
        assert!(
            open >= 40 && closed >= 40,
            "open {open}, closed {closed} of 50"
        );
    }

    #[test]
    fn a_crop_is_the_same_for_the_same_values_and_mirrored_for_the_other_eye() {
        let person = Person::default();
        let of = |eye, exposure: &Exposure| {
            EyeView::new(eye, 48).render(&person, &EyePose::default(), exposure)
        };
        let noisy = Exposure {
            noise: 5.0,
            blur: 0.7,
            slope: [0.3, 0.0],
            ..Exposure::default()
        };
        assert_eq!(of(Eye::Left, &noisy), of(Eye::Left, &noisy));
        let (left, right) = (
            of(Eye::Left, &Exposure::default()),
            of(Eye::Right, &Exposure::default()),
        );
        // Lids and skin are mirrored; light and glints are not.
        let mirrored = image::imageops::flip_horizontal(&right);
        let difference = |(a, b): (&u8, &u8)| f32::from(a.abs_diff(*b));
        let mean = left
            .iter()
            .zip(mirrored.iter())
            .map(difference)
            .sum::<f32>()
            / left.len() as f32;
        assert!(mean > 0.5 && mean < 40.0, "{mean}");
    }
}
