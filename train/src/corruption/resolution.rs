//! Losses before the eye is cut out: to compression, and to distance. Both at the crop's
//! native resolution, or with fewer pixels than it has.

use super::{CorruptionError, Gray, SEVERITIES, cut};
use crate::crop::Crop;
use image::{ExtendedColorType, GrayImage, Luma, codecs::jpeg::JpegEncoder};
use parseye_vision::locate::crop::{Roi, sample_gray};

/// Quality: ImageNet-C's `jpeg_compression`.
pub(crate) const QUALITIES: [u8; SEVERITIES] = [25, 18, 15, 10, 7];

/// Pixels a side of the whole crop. A crop is 0.85 of the eye distance wide, 54 mm on a face; a
/// camera of 640 pixels behind a lens of 60 degrees shows that as 30 pixels at one metre. So 20 is
/// a face 1.5 m away, 7 one that is 4.2 m away.
pub(crate) const SIDES: [usize; SEVERITIES] = [20, 16, 12, 9, 7];

pub(super) fn jpeg(crop: &Crop, level: usize, side: usize) -> Result<Gray, CorruptionError> {
    let wrong = |error: image::ImageError| CorruptionError::Jpeg {
        path: crop.sample.path.display().to_string(),
        reason: error.to_string(),
    };
    let (width, height) = crop.image.dimensions();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITIES[level])
        .encode(crop.image.as_raw(), width, height, ExtendedColorType::L8)
        .map_err(wrong)?;
    let image = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg)
        .map_err(wrong)?
        .into_luma8();
    let compressed = Crop {
        sample: crop.sample.clone(),
        image,
    };
    Ok(cut(&compressed, &compressed.whole(), side))
}

pub(super) fn low_resolution(crop: &Crop, level: usize, side: usize) -> Gray {
    let mut gray = vec![0.0; side * side];
    sample_from_afar(&crop.image, &crop.whole(), SIDES[level], &mut gray);
    gray
}

/// Samples a square in rows and columns of `gray`, a square number of levels, as if the camera had only `few` pixels for
/// each of its sides.
pub(crate) fn sample_from_afar(image: &GrayImage, square: &Roi, few: usize, gray: &mut [f32]) {
    let mut levels = vec![0.0; few * few];
    sample_gray(image, square, few, &mut levels);
    let far = GrayImage::from_fn(few as u32, few as u32, |x, y| {
        // Averages of gray levels stay within 0 to 255, so the cast cannot overflow.
        Luma([levels[y as usize * few + x as usize].round() as u8])
    });
    sample_gray(
        &far,
        &Roi::whole(few as u32, few as u32),
        gray.len().isqrt(),
        gray,
    );
}
