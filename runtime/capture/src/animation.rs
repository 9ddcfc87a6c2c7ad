//! Animated images (GIF, WebP, PNG) as recordings, with the time at which each of their images is shown.

use super::{FrameSource, SourceError, still};
use image::{DynamicImage, ImageResult};
use parseye_vision::frame::Frame;
use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, sync_channel},
    time::Duration,
};

/// Shorter delays are not meant: programs that show animations take them for [`USUAL_DELAY`].
const SHORTEST_DELAY: Duration = Duration::from_millis(20);
const USUAL_DELAY: Duration = Duration::from_millis(100);

/// An animated image being read.
pub(crate) struct Animation {
    path: PathBuf,
    name: String,
    /// From a thread of its own, since the image library's animations stay on theirs.
    frames: Option<Receiver<ImageResult<image::Frame>>>,
    count: u64,
    /// When the next image is shown.
    time: Duration,
}

impl Animation {
    /// Opens an animated image.
    ///
    /// # Errors
    /// When it cannot be read or is too large.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let (sender, frames) = sync_channel(1);
        let (opened, outcome) = sync_channel(1);
        let owned = path.to_path_buf();
        let decode = move || {
            // Whoever does not wait any more needs neither.
            let _ = match still::animation(&owned) {
                Err(error) => opened.send(Err(error)),
                Ok(images) => opened.send(Ok(())).map(|()| {
                    for image in images {
                        let failed = image.is_err();
                        if sender.send(image).is_err() || failed {
                            break;
                        }
                    }
                }),
            };
        };
        let started = std::thread::Builder::new()
            .name("animation".into())
            .spawn(decode);
        started.map_err(|error| super::images::unreadable(path, &error))?;
        if let Ok(Err(error)) = outcome.recv() {
            return Err(error);
        }
        Ok(Self {
            path: path.into(),
            name: super::name_of(path),
            frames: Some(frames),
            count: 0,
            time: Duration::ZERO,
        })
    }
}

impl FrameSource for Animation {
    fn name(&self) -> &str {
        &self.name
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let Some(Ok(next)) = self.frames.as_ref().map(Receiver::recv) else {
            return Ok(None);
        };
        let image = next.map_err(|error| {
            self.frames = None;
            match (still::undecodable(&self.path, error), self.count) {
                (SourceError::NotAVideo { path, reason }, frames) if frames > 0 => {
                    SourceError::Damaged {
                        path,
                        frames,
                        reason,
                    }
                }
                (error, _) => error,
            }
        })?;
        let delay = Duration::from(image.delay());
        let rgb = DynamicImage::from(image.into_buffer()).into_rgb8();
        let frame = Frame::from_rgb(self.count, self.time, rgb);
        self.count += 1;
        self.time += match delay < SHORTEST_DELAY {
            true => USUAL_DELAY,
            false => delay,
        };
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Delay, Rgba, RgbaImage, codecs::gif::GifEncoder};

    #[test]
    fn each_image_of_an_animation_is_shown_at_its_time() {
        let folder = tempfile::tempdir().unwrap();
        // By its content, whatever its name says.
        let path = folder.path().join("a.png");
        let mut encoder = GifEncoder::new(std::fs::File::create(&path).unwrap());
        for (shade, delay) in [(10, 50), (90, 0), (200, 300)] {
            let image = RgbaImage::from_pixel(8, 6, Rgba([shade, shade, shade, 255]));
            let delay = Delay::from_numer_denom_ms(delay, 1);
            let frame = image::Frame::from_parts(image, 0, 0, delay);
            encoder.encode_frame(frame).unwrap();
        }
        drop(encoder);
        let mut source = super::super::open_recording(&path, 25.0).unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = source.next_frame().unwrap() {
            seen.push((frame.time.as_millis(), frame.luma.as_raw()[0] / 10));
        }
        assert_eq!(seen, [(0, 1), (50, 9), (150, 20)]);
        // Cut off, it is damaged after what could be read.
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 12]).unwrap();
        let mut source = super::super::open_recording(&path, 25.0).unwrap();
        let mut frames = 0;
        let error = loop {
            match source.next_frame() {
                Ok(Some(_)) => frames += 1,
                Ok(None) => unreachable!("it is cut off"),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(&error, SourceError::Damaged { frames: count, .. } if *count == frames),
            "{error:?}"
        );
        assert!(source.next_frame().unwrap().is_none());
    }
}
