//! Cuts an eye out of an image as a classifier reads it: the one place where the sampler and the standardisation
//! meet.
//!
//! Where the eye is comes from [`crate::locate`], what is made of the crop is left to [`crate::classify`].

use crate::{
    classify::{
        StandardisedCrop,
        input::{PIXELS, SIDE},
    },
    locate::crop::{Roi, sample_gray},
};
use image::GrayImage;

/// Cuts and standardises the crop of a square; `detail_side` is
/// [`EyeStateModel::detail_side`](crate::classify::EyeStateModel::detail_side) of the model that reads it.
pub fn eye_crop(luma: &GrayImage, square: &Roi, detail_side: Option<usize>) -> StandardisedCrop {
    let mut gray = [0.0; PIXELS];
    sample_gray(luma, square, SIDE, &mut gray);
    let crop = StandardisedCrop::new(&gray);
    match detail_side {
        None => crop,
        Some(side) => {
            let mut fine = vec![0.0; side * side];
            sample_gray(luma, square, side, &mut fine);
            crop.with_detail(&fine, side)
        }
    }
}
