//! The annotated video: frames with what was said about them drawn on, encoded by ffmpeg.

use super::ReportError;
use crate::{
    eye_state::{Eye, EyeState},
    locate::crop::Square,
    reading::{EyeReading, FrameReading, Unseen},
    source::SourceError,
    temporal::{Closure, ClosureKind, Watched},
};
use embedded_graphics::{
    mono_font::{MonoFont, MonoTextStyleBuilder, ascii},
    pixelcolor::Rgb888,
    prelude::*,
    primitives::{Polyline, PrimitiveStyle, PrimitiveStyleBuilder, Rectangle, StrokeAlignment},
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage};
use std::{
    convert::Infallible,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

/// How long a blink is flashed after it ended: long enough to be seen at normal speed, shorter
/// than the time to the next blink.
const FLASH: Duration = Duration::from_millis(250);

/// Frame rates of usual cameras and films; a rate measured from rounded times is taken as the
/// nearest of these where it is within [`SAME_RATE`].
const USUAL_RATES: [f64; 9] = [15.0, 24_000.0 / 1001.0, 24.0, 25.0, 30_000.0 / 1001.0, 30.0, 50.0, 60_000.0 / 1001.0, 60.0];

/// Containers that round times to milliseconds are off by up to 1.5 % at 30 frames a second.
const SAME_RATE: f64 = 0.016;

/// Rate of a video of a single frame, and limits of what players show.
const RATE_OF_ONE: f64 = 25.0;
const RATES: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// A frame is held on screen for at most this long; a longer gap in the recording is shortened, so
/// that a broken time cannot fill the disk.
const LONGEST_HOLD_S: f64 = 10.0;

/// Quality of the video (x264's constant rate factor): text and lid edges stay sharp.
const QUALITY: &str = "20";

/// Draws one frame's reading on it.
#[derive(Clone, Debug, Default)]
pub struct Annotator {
    blinks: u64,
    last_blink: Option<Duration>,
}

impl Annotator {
    /// Draws a reading, and the closures that ended with it, on its frame.
    pub fn draw(&mut self, picture: &mut RgbImage, clip: &str, reading: &FrameReading, ended: &[Closure]) {
        for closure in ended {
            if closure.kind == ClosureKind::Blink && closure.eye == Watched::Both {
                self.blinks += 1;
                self.last_blink = Some(closure.end);
            }
        }
        let mut canvas = Canvas(picture);
        let scale = (canvas.0.width().max(canvas.0.height()) / 320).max(1);
        if let Some(face) = &reading.face {
            canvas.outline(&face.square, Rgb888::CSS_STEEL_BLUE, scale);
        }
        for eye in Eye::ALL {
            let reading = reading.eyes.get(eye);
            if let EyeReading::Measured { square, .. } = reading {
                canvas.outline(square, colour(reading.state()), scale);
            }
        }
        let flashing = self.last_blink.is_some_and(|end| reading.time.saturating_sub(end) < FLASH);
        if flashing {
            canvas.frame(Rgb888::CSS_GOLD, 4 * scale);
        }
        let font = font_for(canvas.0.width());
        let seconds = reading.time.as_secs_f64();
        canvas.line(font, 0, &format!("{clip}  {seconds:.3} s  #{}", reading.frame), Rgb888::WHITE);
        for (line, eye) in Eye::ALL.into_iter().enumerate() {
            let reading = reading.eyes.get(eye);
            canvas.line(font, 1 + line as i32, &describe(eye, reading), colour(reading.state()));
        }
        let flash = if flashing { "  BLINK" } else { "" };
        canvas.line(font, 3, &format!("blinks {}{flash}", self.blinks), Rgb888::CSS_GOLD);
    }
}

fn describe(eye: Eye, reading: &EyeReading) -> String {
    let name = match eye {
        Eye::Left => "left ",
        Eye::Right => "right",
    };
    match (reading, reading.confidence()) {
        (EyeReading::Measured { .. }, Some(confidence)) => {
            format!("{name} {} {confidence:.2}", reading.state())
        }
        (EyeReading::Unmeasured(Unseen::Profile), _) => format!("{name} not_visible (profile)"),
        _ => format!("{name} not_visible (no face)"),
    }
}

fn colour(state: EyeState) -> Rgb888 {
    match state {
        EyeState::Open => Rgb888::CSS_LIME_GREEN,
        EyeState::PartiallyOpen => Rgb888::CSS_YELLOW,
        EyeState::Closed => Rgb888::CSS_TOMATO,
        EyeState::NotVisible => Rgb888::CSS_SILVER,
    }
}

/// The largest font whose longest usual line, some 40 characters, fits.
fn font_for(width: u32) -> &'static MonoFont<'static> {
    match width {
        0..320 => &ascii::FONT_5X8,
        320..560 => &ascii::FONT_7X13,
        _ => &ascii::FONT_10X20,
    }
}

/// A picture that embedded-graphics can draw on; what lies outside is left out.
struct Canvas<'a>(&'a mut RgbImage);

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y)) else {
                continue;
            };
            if let Some(pixel) = self.0.get_pixel_mut_checked(x, y) {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

impl Canvas<'_> {
    fn outline(&mut self, square: &Square, colour: Rgb888, width: u32) {
        // Coordinates far outside would make the line drawing run for long without a visible pixel.
        let limit = 2.0 * crate::source::MAX_SIDE as f32;
        let corner = |u, v| {
            let [x, y] = square.to_picture([u, v]);
            Point::new(x.clamp(-limit, limit) as i32, y.clamp(-limit, limit) as i32)
        };
        let corners = [corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 1.0), corner(0.0, 1.0), corner(0.0, 0.0)];
        let Ok(()) = Polyline::new(&corners)
            .into_styled(PrimitiveStyle::with_stroke(colour, width))
            .draw(self);
    }

    fn frame(&mut self, colour: Rgb888, width: u32) {
        let style = PrimitiveStyleBuilder::new()
            .stroke_color(colour)
            .stroke_width(width)
            .stroke_alignment(StrokeAlignment::Inside)
            .build();
        let Ok(()) = Rectangle::new(Point::zero(), self.size()).into_styled(style).draw(self);
    }

    fn line(&mut self, font: &MonoFont<'_>, line: i32, text: &str, colour: Rgb888) {
        let style = MonoTextStyleBuilder::new()
            .font(font)
            .text_color(colour)
            .background_color(Rgb888::BLACK)
            .build();
        let height = font.character_size.height as i32;
        let corner = Point::new(height / 2, height / 2 + line * height);
        let Ok(_) = Text::with_baseline(text, corner, style, Baseline::Top).draw(self);
    }
}

/// Encodes frames as an mp4 file with ffmpeg, at a steady rate.
///
/// Every frame is shown at least once; over a gap the last one is held.
#[derive(Debug)]
pub struct VideoWriter {
    path: PathBuf,
    encoder: Option<Encoder>,
    /// The last frame: how long it is shown is known when the next one comes.
    held: Option<(RgbImage, Duration)>,
    first_time: Duration,
    written: u64,
}

#[derive(Debug)]
struct Encoder {
    child: Child,
    frames: ChildStdin,
    last_words: JoinHandle<String>,
    rate: f64,
    size: (u32, u32),
}

impl VideoWriter {
    /// Prepares a video; ffmpeg is started with the second frame, when the rate is known.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        File::create(path).map_err(|error| ReportError::Video {
            path: path.into(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            path: path.into(),
            encoder: None,
            held: None,
            first_time: Duration::ZERO,
            written: 0,
        })
    }

    /// Adds a frame that is shown from `time` on.
    ///
    /// # Errors
    /// When ffmpeg is missing or gives up.
    pub fn write(&mut self, picture: RgbImage, time: Duration) -> Result<(), ReportError> {
        let Some((last, last_time)) = self.held.take() else {
            self.first_time = time;
            self.held = Some((picture, time));
            return Ok(());
        };
        let gap = time.saturating_sub(last_time).as_secs_f64();
        let rate = match &self.encoder {
            Some(encoder) => encoder.rate,
            None => self.start(&last, usual_rate(1.0 / gap))?,
        };
        let due = (time.saturating_sub(self.first_time).as_secs_f64() * rate).round() as u64;
        let most = (LONGEST_HOLD_S * rate) as u64;
        let times = due.saturating_sub(self.written).clamp(1, most.max(1));
        self.encode(&last, times)?;
        self.held = Some((picture, time));
        Ok(())
    }

    /// Shows the last frame and closes the video.
    ///
    /// # Errors
    /// When ffmpeg is missing or could not finish the file.
    pub fn finish(mut self) -> Result<(), ReportError> {
        if let Some((last, _)) = self.held.take() {
            if self.encoder.is_none() {
                self.start(&last, RATE_OF_ONE)?;
            }
            self.encode(&last, 1)?;
        }
        self.close()
    }

    fn start(&mut self, first: &RgbImage, rate: f64) -> Result<f64, ReportError> {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"])
            .args(["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size"])
            .arg(format!("{}x{}", first.width(), first.height()))
            .args(["-framerate", &rate.to_string(), "-i", "pipe:0"])
            // H.264 in its common 4:2:0 form has even sides only.
            .args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"])
            .args(["-c:v", "libx264", "-preset", "veryfast", "-crf", QUALITY, "-pix_fmt", "yuv420p"])
            .args(["-f", "mp4"])
            .arg(absolute(&self.path))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Ctrl-C goes to the whole foreground group: ffmpeg must not see it, or the video would
        // end before its last frames and Parseye could not close it properly.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| ReportError::NoFfmpeg(SourceError::NoFfmpeg { reason: error.to_string() }))?;
        let (Some(frames), Some(words)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(self.failed("ffmpeg's pipes could not be opened".into()));
        };
        let last_words = std::thread::spawn(move || {
            let lines = BufReader::new(words).lines().map_while(Result::ok);
            lines.filter(|line| !line.trim().is_empty()).last().unwrap_or_default()
        });
        self.encoder = Some(Encoder {
            child,
            frames,
            last_words,
            rate,
            size: first.dimensions(),
        });
        Ok(rate)
    }

    fn encode(&mut self, picture: &RgbImage, times: u64) -> Result<(), ReportError> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        let fitted;
        let picture = if picture.dimensions() == encoder.size {
            picture
        } else {
            // A folder may hold images of several sizes; a video has one.
            let mut canvas = RgbImage::new(encoder.size.0, encoder.size.1);
            image::imageops::replace(&mut canvas, picture, 0, 0);
            fitted = canvas;
            &fitted
        };
        for _ in 0..times {
            if let Err(error) = encoder.frames.write_all(picture.as_raw()) {
                // ffmpeg's own words say more than the broken pipe.
                self.close()?;
                return Err(self.failed(error.to_string()));
            }
        }
        self.written += times;
        Ok(())
    }

    fn close(&mut self) -> Result<(), ReportError> {
        let Some(Encoder { mut child, frames, last_words, .. }) = self.encoder.take() else {
            return Ok(());
        };
        drop(frames);
        let status = child.wait().map_err(|error| self.failed(error.to_string()))?;
        let words = last_words.join().unwrap_or_default();
        if status.success() {
            Ok(())
        } else if words.is_empty() {
            Err(self.failed(format!("ffmpeg ended with {status}")))
        } else {
            Err(self.failed(format!("ffmpeg says: {words}")))
        }
    }

    fn failed(&self, reason: String) -> ReportError {
        ReportError::Video {
            path: self.path.clone(),
            reason,
        }
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        // Reached only when something else failed, which is what gets reported; the video is
        // closed so that what it holds can be played.
        let _ = self.close();
    }
}

/// ffmpeg would take a relative path such as `a:b.mp4` for a protocol.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

fn usual_rate(measured: f64) -> f64 {
    let off = |rate: &f64| (measured / rate - 1.0).abs();
    USUAL_RATES
        .into_iter()
        .filter(|rate| off(rate) < SAME_RATE)
        .min_by(|a, b| off(a).total_cmp(&off(b)))
        .unwrap_or_else(|| if measured.is_finite() { measured.clamp(*RATES.start(), *RATES.end()) } else { RATE_OF_ONE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{eye_state::PerEye, locate::Face};
    use proptest::prelude::*;

    fn reading(square: Square, time: Duration) -> FrameReading {
        let eye = EyeReading::Measured { probabilities: [0.0, 0.1, 0.9, 0.0], square };
        FrameReading {
            frame: 3,
            time,
            face: Some(Face { score: 0.9, square, eyes: PerEye { left: [40.0, 30.0], right: [20.0, 30.0] } }),
            eyes: PerEye { left: eye, right: eye },
        }
    }

    #[test]
    fn a_closed_eye_is_outlined_in_its_colour_and_a_blink_flashes() {
        let square = Square { centre: [100.0, 100.0], side: 40.0, angle: 0.0 };
        let blink = Closure {
            kind: ClosureKind::Blink,
            eye: Watched::Both,
            start: Duration::ZERO,
            end: Duration::from_secs(1),
            first_frame: 0,
            last_frame: 2,
        };
        let mut annotator = Annotator::default();
        let mut picture = RgbImage::new(200, 200);
        annotator.draw(&mut picture, "a", &reading(square, Duration::from_secs(1)), &[blink]);
        let red = Rgb888::CSS_TOMATO;
        assert_eq!(picture.get_pixel(100, 120).0, [red.r(), red.g(), red.b()]);
        let gold = Rgb888::CSS_GOLD;
        assert_eq!(picture.get_pixel(199, 199).0, [gold.r(), gold.g(), gold.b()]);
        let mut later = RgbImage::new(200, 200);
        annotator.draw(&mut later, "a", &reading(square, Duration::from_secs(2)), &[]);
        assert_eq!(later.get_pixel(199, 199).0, [0; 3]);
    }

    #[test]
    fn rates_from_rounded_times_become_the_usual_ones() {
        assert_eq!(usual_rate(1.0 / 0.033), 30.0);
        assert_eq!(usual_rate(1.0 / 0.040), 25.0);
        assert_eq!(usual_rate(1.0 / 0.033_367), 30_000.0 / 1001.0);
        assert_eq!(usual_rate(12.5), 12.5);
        assert_eq!(usual_rate(f64::INFINITY), RATE_OF_ONE);
        assert_eq!(usual_rate(1e-9), 1.0);
    }

    #[test]
    fn an_unwritable_video_is_one_line_with_the_path() {
        let error = VideoWriter::create(Path::new("/nowhere/out.mp4")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/out.mp4") && error.contains("--annotate"), "{error}");
    }

    proptest! {
        #[test]
        fn anything_can_be_drawn_on_any_picture(
            width in 1_u32..60, height in 1_u32..60, x in -1e5_f32..1e5, y in -100.0_f32..100.0,
            side in 0.0_f32..300.0, angle in -4.0_f32..4.0,
        ) {
            let square = Square { centre: [x, y], side, angle };
            let mut picture = RgbImage::new(width, height);
            Annotator::default().draw(&mut picture, "clip", &reading(square, Duration::ZERO), &[]);
            prop_assert_eq!(picture.dimensions(), (width, height));
        }
    }
}
