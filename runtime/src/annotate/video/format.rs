//! The formats of annotated videos, by the endings of their names.

use super::VideoError;
use std::path::Path;

/// Quality of H.264 (x264's constant rate factor): text and lid edges stay sharp.
const H264: [&str; 10] = [
    // In its common 4:2:0 form it has even sides only.
    "-vf",
    "pad=ceil(iw/2)*2:ceil(ih/2)*2",
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "20",
    "-pix_fmt",
    "yuv420p",
];

/// The same for VP9, as fast as it can.
const VP9: [&str; 16] = [
    "-vf",
    "pad=ceil(iw/2)*2:ceil(ih/2)*2",
    "-c:v",
    "libvpx-vp9",
    "-deadline",
    "realtime",
    "-cpu-used",
    "8",
    "-row-mt",
    "1",
    "-crf",
    "24",
    "-b:v",
    "0",
    "-pix_fmt",
    "yuv420p",
];

/// A palette for each frame, since the colours of states must stay apart.
const GIF: [&str; 2] = [
    "-vf",
    "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none",
];

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VideoFormat {
    Mp4,
    QuickTime,
    Matroska,
    WebM,
    Gif,
    /// One image.
    Png,
}

impl VideoFormat {
    /// Returns the format of a file by its name.
    ///
    /// # Errors
    /// When it has no known ending.
    pub(crate) fn of(path: &Path) -> Result<Self, VideoError> {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        Ok(match ending.to_str().unwrap_or_default() {
            "mp4" | "m4v" => Self::Mp4,
            "mov" => Self::QuickTime,
            "mkv" => Self::Matroska,
            "webm" => Self::WebM,
            "gif" => Self::Gif,
            "png" => Self::Png,
            _ => {
                return Err(VideoError::Format {
                    path: path.into(),
                    reason: "the name has no known ending; give .mp4, .mov, .mkv, .webm or .gif, or .png for a single image".into(),
                });
            }
        })
    }

    /// Returns ffmpeg's options for it.
    pub(super) fn encoder(self) -> Vec<&'static str> {
        let (options, container): (&[&str], _) = match self {
            Self::Mp4 => (&H264, "mp4"),
            Self::QuickTime => (&H264, "mov"),
            Self::Matroska => (&H264, "matroska"),
            Self::WebM => (&VP9, "webm"),
            Self::Gif => (&GIF, "gif"),
            Self::Png => (&[], "image2"),
        };
        [options, &["-f", container]].concat()
    }

    /// Creates the error for a second frame in an image.
    pub(super) fn holds_one(path: &Path) -> VideoError {
        VideoError::Format {
            path: path.into(),
            reason: "the source has more than one frame, of which a PNG holds one; give .mp4, .mov, .mkv, .webm or .gif".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides_and_an_unknown_one_is_refused() {
        for (name, format) in [
            ("a.MP4", VideoFormat::Mp4),
            ("a.b.webm", VideoFormat::WebM),
            ("a.png", VideoFormat::Png),
        ] {
            assert_eq!(VideoFormat::of(Path::new(name)).unwrap(), format);
        }
        for name in ["out", "out.xyz", ".mp4", "out.jpg"] {
            let error = VideoFormat::of(Path::new(name)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(".mkv"), "{error}");
        }
    }
}
