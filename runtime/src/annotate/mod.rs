//! What was said about a frame, drawn on it. Encoding the frames is [`super::video`]'s.

pub mod video;

use embedded_graphics::{
    mono_font::{MonoFont, MonoTextStyleBuilder, ascii},
    pixelcolor::Rgb888,
    prelude::*,
    primitives::{Polyline, PrimitiveStyle, PrimitiveStyleBuilder, Rectangle, StrokeAlignment},
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage};
use parseye_vision::{
    eye_state::{Eye, EyeState},
    locate::crop::Roi,
    reading::{EyeReading, FrameReading, Unseen},
    temporal::{Closure, ClosureKind, Laterality},
};
use std::{convert::Infallible, time::Duration};

/// How long a blink is flashed after it ended: long enough to be seen at normal speed, shorter
/// than the time to the next blink.
const FLASH: Duration = Duration::from_millis(250);

/// Draws one frame's reading on it.
#[derive(Clone, Debug, Default)]
pub struct Annotator {
    blinks: u64,
    last_blink: Option<Duration>,
}

impl Annotator {
    /// Draws a reading, and the closures that ended with it, on its frame.
    pub fn draw(
        &mut self,
        picture: &mut RgbImage,
        clip: &str,
        reading: &FrameReading,
        ended: &[Closure],
    ) {
        for closure in ended {
            if closure.kind == ClosureKind::Blink && closure.eye == Laterality::Both {
                self.blinks += 1;
                self.last_blink = Some(closure.end);
            }
        }
        let scale = thin_line(picture);
        outline_face_and_eyes(picture, reading, scale);
        let mut canvas = Canvas(picture);
        let flashing = self
            .last_blink
            .is_some_and(|end| reading.time.saturating_sub(end) < FLASH);
        if flashing {
            canvas.frame(Rgb888::CSS_GOLD, 4 * scale);
        }
        let font = font_for(canvas.0.width());
        let seconds = reading.time.as_secs_f64();
        canvas.line(
            font,
            0,
            &format!("{clip}  {seconds:.3} s  #{}", reading.frame),
            Rgb888::WHITE,
        );
        for (line, eye) in Eye::ALL.into_iter().enumerate() {
            let reading = reading.eyes.get(eye);
            canvas.line(
                font,
                1 + line as i32,
                &describe(eye, reading),
                colour(reading.state()),
            );
        }
        let flash = if flashing { "  BLINK" } else { "" };
        canvas.line(
            font,
            3,
            &format!("blinks {}{flash}", self.blinks),
            Rgb888::CSS_GOLD,
        );
    }
}

/// Width in pixels of a line that just shows when all of the picture is seen.
pub fn thin_line(picture: &RgbImage) -> u32 {
    (picture.width().max(picture.height()) / 320).max(1)
}

/// Draws the squares of face and eyes with lines of that width in pixels, the eyes' in the colours
/// of their states.
pub fn outline_face_and_eyes(picture: &mut RgbImage, reading: &FrameReading, width: u32) {
    let mut canvas = Canvas(picture);
    if let Some(face) = &reading.face {
        canvas.outline(&face.square, Rgb888::CSS_STEEL_BLUE, width);
    }
    for eye in Eye::ALL {
        let reading = reading.eyes.get(eye);
        if let EyeReading::Measured { square, .. } = reading {
            canvas.outline(square, colour(reading.state()), width);
        }
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

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
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
    fn outline(&mut self, square: &Roi, colour: Rgb888, width: u32) {
        // Coordinates far outside would make the line drawing run for long without a visible pixel.
        let limit = 2.0 * parseye_vision::frame::MAX_SIDE as f32;
        let corner = |u, v| {
            let [x, y] = square.to_image([u, v]);
            Point::new(x.clamp(-limit, limit) as i32, y.clamp(-limit, limit) as i32)
        };
        let corners = [
            corner(0.0, 0.0),
            corner(1.0, 0.0),
            corner(1.0, 1.0),
            corner(0.0, 1.0),
            corner(0.0, 0.0),
        ];
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
        let Ok(()) = Rectangle::new(Point::zero(), self.size())
            .into_styled(style)
            .draw(self);
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

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::{eye_state::PerEye, locate::Face};
    use proptest::prelude::*;

    fn reading(square: Roi, time: Duration) -> FrameReading {
        let eye = EyeReading::Measured {
            probabilities: [0.0, 0.1, 0.9, 0.0],
            square,
        };
        FrameReading {
            frame: 3,
            time,
            face: Some(Face {
                score: 0.9,
                square,
                eyes: PerEye {
                    left: [40.0, 30.0],
                    right: [20.0, 30.0],
                },
            }),
            eyes: PerEye {
                left: eye,
                right: eye,
            },
        }
    }

    #[test]
    fn a_closed_eye_is_outlined_in_its_colour_and_a_blink_flashes() {
        let square = Roi {
            centre: [100.0, 100.0],
            side: 40.0,
            angle: 0.0,
        };
        let blink = Closure {
            kind: ClosureKind::Blink,
            eye: Laterality::Both,
            wink: false,
            start: Duration::ZERO,
            end: Duration::from_secs(1),
            first_frame: 0,
            last_frame: 2,
        };
        let mut annotator = Annotator::default();
        let mut picture = RgbImage::new(200, 200);
        annotator.draw(
            &mut picture,
            "a",
            &reading(square, Duration::from_secs(1)),
            &[blink],
        );
        let red = Rgb888::CSS_TOMATO;
        assert_eq!(picture.get_pixel(100, 120).0, [red.r(), red.g(), red.b()]);
        let gold = Rgb888::CSS_GOLD;
        assert_eq!(
            picture.get_pixel(199, 199).0,
            [gold.r(), gold.g(), gold.b()]
        );
        let mut later = RgbImage::new(200, 200);
        annotator.draw(
            &mut later,
            "a",
            &reading(square, Duration::from_secs(2)),
            &[],
        );
        assert_eq!(later.get_pixel(199, 199).0, [0; 3]);
    }

    proptest! {
        #[test]
        fn anything_can_be_drawn_on_any_picture(
            width in 1_u32..60, height in 1_u32..60, x in -1e5_f32..1e5, y in -100.0_f32..100.0,
            side in 0.0_f32..300.0, angle in -4.0_f32..4.0,
        ) {
            let square = Roi { centre: [x, y], side, angle };
            let mut picture = RgbImage::new(width, height);
            Annotator::default().draw(&mut picture, "clip", &reading(square, Duration::ZERO), &[]);
            prop_assert_eq!(picture.dimensions(), (width, height));
        }
    }
}
