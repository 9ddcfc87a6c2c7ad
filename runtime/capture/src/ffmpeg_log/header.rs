//! What ffmpeg prints about its input before it decodes anything: the container, its video streams, and
//! which of them is decoded.

/// The input, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Input {
    /// Name of the container's format.
    format: Option<String>,
    /// Video streams in order, cover images left out.
    streams: Vec<VideoStream>,
    /// Whether the lines that come describe the input.
    is_open: bool,
    /// Name of the decoder.
    decoder: Option<String>,
    mapping: Option<Mapping>,
}

#[derive(Clone, Debug)]
struct VideoStream {
    index: usize,
    is_default: bool,
}

/// Which stream of an input is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Its number among all streams of the input.
    pub(crate) stream: usize,
    /// The stream that the input marks as its default, where that is another one.
    pub(crate) preferred: Option<usize>,
    /// Number of video streams.
    pub(crate) streams: usize,
    /// Name of the container's format, such as `rtsp`.
    pub(crate) format: String,
    /// Name of the decoder, such as `h264`.
    pub(crate) decoder: String,
}

impl Input {
    /// Parses a message of level info.
    pub(super) fn read_line(&mut self, message: &str) {
        let message = message.trim_start();
        if let Some(input) = message.strip_prefix("Input #0, ") {
            self.is_open = true;
            self.format = input.split(", from '").next().map(str::to_owned);
        } else if message.starts_with("Output #0") {
            self.is_open = false;
        } else if let Some(stream) = message.strip_prefix("Stream #0:") {
            match self.decoder {
                Some(_) => {}
                None if stream.contains(" -> #0:") => self.map(stream),
                None if self.is_open => self.add(stream),
                None => {}
            }
        }
    }

    /// Adds a line such as `1[0x2](eng): Video: h264 (High), yuv420p, 64x48, 25 fps (default)`.
    fn add(&mut self, stream: &str) {
        let is_cover = ["(attached pic)", "(timed thumbnails)"]
            .iter()
            .any(|kind| stream.contains(kind));
        let Some(index) = leading_number(stream) else {
            return;
        };
        // As many streams as a hostile file claims are printed; only the first ones matter.
        const MOST: usize = 64;
        if stream.contains(": Video: ") && !is_cover && self.streams.len() < MOST {
            self.streams.push(VideoStream {
                index,
                is_default: stream.contains("(default)"),
            });
        }
    }

    /// Takes a line such as `1 -> #0:0 (h264 (native) -> rawvideo (native))`, or `(av1 (libdav1d) -> ...`.
    fn map(&mut self, stream: &str) {
        let mut names = stream.split(['(', ')']).skip(1).map(str::trim);
        let decoder = match (names.next(), names.next()) {
            (Some(codec), Some("native") | None) => codec.split(' ').next(),
            (_, decoder) => decoder,
        };
        let (Some(stream), Some(decoder)) = (leading_number(stream), decoder) else {
            return;
        };
        let default = self.streams.iter().find(|stream| stream.is_default);
        self.decoder = Some(decoder.into());
        self.mapping = Some(Mapping {
            stream,
            preferred: default
                .map(|default| default.index)
                .filter(|index| *index != stream),
            streams: self.streams.len(),
            format: self.format.clone().unwrap_or_default(),
            decoder: decoder.into(),
        });
    }

    pub(super) fn take_mapping(&mut self) -> Option<Mapping> {
        self.mapping.take()
    }

    /// Returns the decoder's name, once it is chosen.
    pub(super) fn decoder(&self) -> Option<&str> {
        self.decoder.as_deref()
    }
}

fn leading_number(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<Mapping> {
        let mut input = Input::default();
        lines.iter().for_each(|line| input.read_line(line));
        input.take_mapping()
    }

    #[test]
    fn the_default_stream_is_preferred_and_a_cover_image_is_none() {
        let lines = [
            "Input #0, matroska,webm, from 'file:a -> b.mkv':",
            "  Stream #0:0(eng): Video: h264 (High), yuv420p(progressive), 64x48, 25 fps, 25 tbr, 1k tbn",
            "  Stream #0:1: Audio: aac (LC), 48000 Hz, stereo, fltp (default)",
            "  Stream #0:2: Video: mjpeg, yuvj444p, 64x48, 25 fps (default) (attached pic)",
            "  Stream #0:3[0x4]: Video: mpeg4, yuv420p, 64x48 [SAR 1:1 DAR 4:3], 25 fps (default)",
            "Stream mapping:",
            "  Stream #0:0 -> #0:0 (h264 (native) -> rawvideo (native))",
        ];
        let mapping = read(&lines).unwrap();
        assert_eq!((mapping.stream, mapping.preferred), (0, Some(3)));
        assert_eq!((mapping.streams, mapping.decoder.as_str()), (2, "h264"));
        assert_eq!(mapping.format, "matroska,webm");
    }

    #[test]
    fn one_stream_is_what_is_read() {
        let lines = [
            "Input #0, avi, from 'file:a.avi':",
            "  Stream #0:0: Video: mjpeg (Baseline), yuvj422p, 64x48, 25 fps",
            "  Stream #0:0 -> #0:0 (mjpeg (native) -> rawvideo (native))",
            "Output #0, rawvideo, to 'pipe:1':",
            "  Stream #0:0: Video: rawvideo (RGB[24] / 0x18424752), rgb24, 64x48, 25 fps (default)",
        ];
        let mapping = read(&lines).unwrap();
        assert_eq!((mapping.preferred, mapping.streams), (None, 1));
    }

    #[test]
    fn without_a_mapping_nothing_is_decoded() {
        assert_eq!(read(&["Input #0, wav, from 'file:a.wav':"]), None);
        assert_eq!(read(&["Stream #0:x -> #0:0 (h264", "Stream #0:"]), None);
    }
}
