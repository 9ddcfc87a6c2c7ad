//! Cuts an eye out of an image as a classifier reads it: the one place where the sampler and the standardisation
//! meet.
//!
//! Where the eye is comes from [`crate::locate`], what is made of the crop is left to [`crate::classify`].

use crate::{
    classify::StandardisedCrop,
    locate::crop::{Roi, sample_gray},
};
use image::GrayImage;

/// Cuts and standardises the crop of a square; `side` is the
/// [`EyeStateModel::side`](crate::classify::EyeStateModel::side) of the model that reads it.
pub fn eye_crop(luma: &GrayImage, square: &Roi, side: usize) -> StandardisedCrop {
    let mut gray = vec![0.0; side * side];
    sample_gray(luma, square, side, &mut gray);
    StandardisedCrop::new(&gray)
}
