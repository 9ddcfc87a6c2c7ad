//! The real clips: frames with their readings, and ways to degrade them.

use image::{GrayImage, RgbImage, codecs::jpeg::JpegEncoder};
use parseye_capture::open_recording;
use parseye_vision::{
    classify::EyeStateModel,
    eye_monitor::{EyeMonitor, VisionSettings},
    frame::Frame,
    reading::FrameReading,
    selfcheck::noise::Normal,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};

/// One of `every` clips of a data folder, by name.
pub fn paths(data: &Path, every: usize) -> anyhow::Result<Vec<PathBuf>> {
    let videos = parseye_benches::clips::videos(&data.join("clips"))?;
    Ok(videos.into_iter().step_by(every).collect())
}

/// An eye monitor with default settings.
pub fn monitor(model: &EyeStateModel) -> anyhow::Result<EyeMonitor> {
    Ok(EyeMonitor::new(&VisionSettings::default(), model)?)
}

/// At most `most` frames of a clip with their readings.
pub fn processed(
    path: &Path,
    monitor: &mut EyeMonitor,
    most: usize,
) -> anyhow::Result<Vec<(Frame, FrameReading)>> {
    monitor.reset();
    let mut source = open_recording(path, 30.0)?;
    let mut frames = Vec::new();
    while frames.len() < most
        && let Some(frame) = source.next_frame()?
    {
        let reading = monitor.process(&frame)?.reading;
        frames.push((frame, reading));
    }
    Ok(frames)
}

/// Gray levels with noise of a variance that may depend on the level, rounded to eight bits.
pub fn with_noise(
    levels: impl Iterator<Item = f64>,
    width: u32,
    height: u32,
    variance: impl Fn(f64) -> f64,
    seed: u64,
) -> GrayImage {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pixels = levels
        .map(|level| {
            let noisy = level + variance(level).max(0.0).sqrt() * Normal.draw(&mut rng);
            noisy.round().clamp(0.0, 255.0) as u8
        })
        .collect();
    GrayImage::from_raw(width, height, pixels).unwrap_or_default()
}

/// Compressed and read again.
pub fn after_jpeg(luma: &GrayImage, quality: u8) -> anyhow::Result<GrayImage> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(luma)?;
    Ok(image::load_from_memory(&bytes)?.to_luma8())
}

/// A colour image of gray levels, for the face detector.
pub fn coloured(gray: &GrayImage) -> RgbImage {
    image::DynamicImage::ImageLuma8(gray.clone()).to_rgb8()
}
