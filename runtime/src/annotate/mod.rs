//! Annotation: draws the predictions of a frame on it. Encoding the frames is left to [`video`].
//!
//! Squares and frames are drawn by imageproc. Its text needs a font file, which would have to be bundled or
//! found on the user's system; the letters are the bitmap fonts of embedded-graphics instead, which are
//! compiled in and sharp at small sizes.

pub mod video;

use embedded_graphics::{
    mono_font::{MonoFont, MonoTextStyleBuilder, ascii},
    pixelcolor::Rgb888,
    prelude::*,
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage};
use imageproc::{
    drawing::{draw_hollow_rect_mut, draw_line_segment_mut, draw_polygon_mut},
    point::Point as Corner,
    rect::Rect,
};
use parseye_vision::{
    eye_state::{Eye, EyeState},
    frame::MAX_SIDE,
    locate::crop::Roi,
    reading::{EyeReading, FrameReading, Unseen},
    temporal::{Closure, ClosureKind, Laterality},
};
use std::{convert::Infallible, time::Duration};

/// Colours by their CSS names.
const GOLD: Rgb<u8> = Rgb([255, 215, 0]);
const LIME_GREEN: Rgb<u8> = Rgb([50, 205, 50]);
const SILVER: Rgb<u8> = Rgb([192, 192, 192]);
const STEEL_BLUE: Rgb<u8> = Rgb([70, 130, 180]);
const TOMATO: Rgb<u8> = Rgb([255, 99, 71]);
const WHITE: Rgb<u8> = Rgb([255, 255, 255]);
const YELLOW: Rgb<u8> = Rgb([255, 255, 0]);

/// Time for which a blink is shown after it ended: long enough to be seen at normal speed, shorter
/// than the time to the next blink.
const BLINK_SHOWN: Duration = Duration::from_millis(250);

/// Draws the readings of one source's frames on them, and counts blinks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotator {
    blinks: u64,
    last_blink: Option<Duration>,
}

impl Annotator {
    /// Draws a reading, and the closures that ended with it, on its frame.
    pub(crate) fn draw(
        &mut self,
        image: &mut RgbImage,
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
        let width = line_width(image);
        outline_face_and_eyes(image, reading, width);
        let blinked = self
            .last_blink
            .is_some_and(|end| reading.time.saturating_sub(end) < BLINK_SHOWN);
        if blinked {
            draw_border(image, GOLD, 4 * width);
        }
        let font = font_for(image.width());
        let seconds = reading.time.as_secs_f64();
        let title = format!("{clip}  {seconds:.3} s  #{}", reading.frame);
        draw_text(image, font, 0, &title, WHITE);
        for (line, eye) in Eye::ALL.into_iter().enumerate() {
            let reading = reading.eyes.get(eye);
            let colour = colour_of(reading.state());
            draw_text(
                image,
                font,
                1 + line as i32,
                &describe(eye, reading),
                colour,
            );
        }
        let blink = if blinked { "  BLINK" } else { "" };
        let blinks = format!("blinks {}{blink}", self.blinks);
        draw_text(image, font, 3, &blinks, GOLD);
    }
}

/// Returns the width in pixels of a line that is just visible when the whole image is shown.
pub(crate) fn line_width(image: &RgbImage) -> u32 {
    (image.width().max(image.height()) / 320).max(1)
}

/// Draws the squares of face and eyes with lines of `width` pixels, the eyes' in the colours of their
/// states.
pub(crate) fn outline_face_and_eyes(image: &mut RgbImage, reading: &FrameReading, width: u32) {
    if let Some(face) = &reading.face {
        draw_square(image, &face.square, STEEL_BLUE, width);
    }
    for eye in Eye::ALL {
        let reading = reading.eyes.get(eye);
        if let EyeReading::Measured { square, .. } = reading {
            draw_square(image, square, colour_of(reading.state()), width);
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
        (EyeReading::Unmeasured(Unseen::TooSmall), _) => {
            format!("{name} not_visible (too small)")
        }
        _ => format!("{name} not_visible (no face)"),
    }
}

const fn colour_of(state: EyeState) -> Rgb<u8> {
    match state {
        EyeState::Open => LIME_GREEN,
        EyeState::PartiallyOpen => YELLOW,
        EyeState::Closed => TOMATO,
        EyeState::NotVisible => SILVER,
    }
}

/// Returns the largest font whose longest usual line, some 40 characters, fits into `width` pixels.
fn font_for(width: u32) -> &'static MonoFont<'static> {
    match width {
        0..320 => &ascii::FONT_5X8,
        320..560 => &ascii::FONT_7X13,
        _ => &ascii::FONT_10X20,
    }
}

/// Draws the outline of a rotated square, `width` pixels wide: a line for each side, or a filled
/// quadrangle where it is wider than one pixel.
fn draw_square(image: &mut RgbImage, square: &Roi, colour: Rgb<u8>, width: u32) {
    // Coordinates far outside would make the drawing run for long without a visible pixel.
    let limit = 2.0 * MAX_SIDE as f32;
    let corners = |side: f32| {
        let outline = Roi { side, ..*square };
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(|corner| {
            let [x, y] = outline.to_image(corner);
            (x.clamp(-limit, limit), y.clamp(-limit, limit))
        })
    };
    let reach = width.saturating_sub(1) as f32;
    let (outer, inner) = (
        corners(square.side + reach),
        corners((square.side - reach).max(0.0)),
    );
    for (begin, end) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
        let whole = |(x, y): (f32, f32)| Corner::new(x.round() as i32, y.round() as i32);
        let side = [outer[begin], outer[end], inner[end], inner[begin]].map(whole);
        // A polygon must not end where it begins, as narrow ones do.
        if width > 1 && side[0] != side[3] {
            draw_polygon_mut(image, &side, colour);
        } else {
            draw_line_segment_mut(image, outer[begin], outer[end], colour);
        }
    }
}

/// Draws a border of `width` pixels along the edges of the image.
fn draw_border(image: &mut RgbImage, colour: Rgb<u8>, width: u32) {
    let (columns, rows) = image.dimensions();
    for inset in 0..width.min(columns.min(rows).div_ceil(2)) {
        // Within half of the image, so that both sides are above 0 and the inset fits into i32.
        let rect = Rect::at(inset as i32, inset as i32);
        draw_hollow_rect_mut(
            image,
            rect.of_size(columns - 2 * inset, rows - 2 * inset),
            colour,
        );
    }
}

/// Draws a line of text on black, the lines numbered from the top.
fn draw_text(image: &mut RgbImage, font: &MonoFont<'_>, line: i32, text: &str, colour: Rgb<u8>) {
    let [red, green, blue] = colour.0;
    let style = MonoTextStyleBuilder::new()
        .font(font)
        .text_color(Rgb888::new(red, green, blue))
        .background_color(Rgb888::BLACK)
        .build();
    let height = font.character_size.height as i32;
    let corner = Point::new(height / 2, height / 2 + line * height);
    let Ok(_) = Text::with_baseline(text, corner, style, Baseline::Top).draw(&mut Letters(image));
}

/// An image that embedded-graphics can write letters on; what lies outside is left out.
struct Letters<'a>(&'a mut RgbImage);

impl OriginDimensions for Letters<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Letters<'_> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::{eye_state::PerEye, locate::Face};
    use proptest::prelude::*;

    fn reading(square: Roi, time: Duration) -> FrameReading {
        let eye = EyeReading::Measured {
            probabilities: [0.0, 0.1, 0.9, 0.0],
            lids: None,
            square,
        };
        FrameReading {
            frame: 3,
            time,
            face: Some(Face {
                confidence: 0.9,
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
    fn a_closed_eye_is_outlined_in_its_colour_and_a_blink_is_shown_for_a_moment() {
        let square = Roi {
            centre: [100.0, 100.0],
            side: 40.0,
            angle: 0.0,
        };
        let blink = Closure {
            unseen: Duration::ZERO,
            kind: ClosureKind::Blink,
            eye: Laterality::Both,
            wink: false,
            start: Duration::ZERO,
            end: Duration::from_secs(1),
            first_frame: 0,
            last_frame: 2,
        };
        let mut annotator = Annotator::default();
        let mut image = RgbImage::new(200, 200);
        annotator.draw(
            &mut image,
            "a",
            &reading(square, Duration::from_secs(1)),
            &[blink],
        );
        assert_eq!(*image.get_pixel(100, 120), TOMATO);
        assert_eq!(*image.get_pixel(199, 199), GOLD);
        let mut later = RgbImage::new(200, 200);
        annotator.draw(
            &mut later,
            "a",
            &reading(square, Duration::from_secs(2)),
            &[],
        );
        assert_eq!(later.get_pixel(199, 199).0, [0; 3]);
    }

    #[test]
    fn a_wide_line_has_its_width_and_no_gaps() {
        for angle in [0.0_f32, 0.3, std::f32::consts::FRAC_PI_4, 1.0] {
            let square = Roi {
                centre: [100.0, 100.0],
                side: 120.0,
                angle,
            };
            let mut image = RgbImage::new(200, 200);
            draw_square(&mut image, &square, WHITE, 4);
            // From the centre along each side's normal: one run of the line's width.
            for side in 0..4 {
                let normal = angle + side as f32 * std::f32::consts::FRAC_PI_2;
                let lit: Vec<bool> = (0..90)
                    .map(|step| {
                        let at = |sin_cos: f32| (100.0 + step as f32 * sin_cos) as u32;
                        *image.get_pixel(at(normal.cos()), at(normal.sin())) == WHITE
                    })
                    .collect();
                let first = lit.iter().position(|lit| *lit).unwrap();
                let run = lit[first..].iter().take_while(|lit| **lit).count();
                assert!((57..=61).contains(&first), "{angle}: from {first}");
                assert!((3..=6).contains(&run), "{angle}: {run} wide");
                assert_eq!(lit.iter().filter(|lit| **lit).count(), run, "{angle}: gaps");
            }
        }
    }

    proptest! {
        #[test]
        fn anything_can_be_drawn_on_any_image(
            width in 1_u32..60, height in 1_u32..60, x in -1e5_f32..1e5, y in -100.0_f32..100.0,
            side in 0.0_f32..300.0, angle in -4.0_f32..4.0,
        ) {
            let square = Roi { centre: [x, y], side, angle };
            let mut image = RgbImage::new(width, height);
            Annotator::default().draw(&mut image, "clip", &reading(square, Duration::ZERO), &[]);
            prop_assert_eq!(image.dimensions(), (width, height));
        }
    }
}
