//! A labelled eye crop in memory at native resolution. Reading a data set of them is left to
//! [`crate::data`], corrupting them to [`crate::corruption`].

use image::GrayImage;
use parseye_vision::{
    classify::StandardisedCrop, evaluate::manifest::Sample, eye_crop::eye_crop, locate::crop::Roi,
};

/// One labelled image.
#[derive(Clone, Debug)]
pub struct Crop {
    /// Its row in the manifest.
    pub sample: Sample,
    /// Brightness at native resolution, 8 bit.
    pub image: GrayImage,
}

impl Crop {
    /// The square that holds the whole image.
    pub fn whole(&self) -> Roi {
        Roi::whole(self.image.width(), self.image.height())
    }

    /// The input of a network that reads `side` rows and columns, unchanged by augmentation.
    pub fn standardised(&self, side: usize) -> StandardisedCrop {
        eye_crop(&self.image, &self.whole(), side)
    }
}
