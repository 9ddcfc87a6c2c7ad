//! Scenes of a drawn room and faces that are cut from real images.

use super::{FPS, tracker};
use anyhow::Context;
use image::{Rgb, RgbImage, imageops};
use parseye_capture::open_recording;
use parseye_vision::{
    frame::Frame,
    locate::{DetectorSettings, Face},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{path::Path, time::Duration};

/// Side of what is cut out around a face, in sides of the face.
const CUT: f32 = 2.0;

/// Share of a cut's sides over which it fades into the room.
const FADE: f32 = 0.08;

/// A face with what is around it.
#[derive(Clone)]
pub struct Cut {
    image: RgbImage,
    /// The face's centre in the image.
    centre: [f32; 2],
}

/// A face on a canvas.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    pub centre: [f32; 2],
    pub side: f32,
}

impl Placed {
    /// Whether a face that was found is this one.
    pub fn is(&self, face: &Face) -> bool {
        let [x, y] = face.square.centre;
        let apart = (x - self.centre[0]).hypot(y - self.centre[1]);
        let ratio = face.square.side / self.side;
        apart < 0.4 * self.side && (0.5..2.0).contains(&ratio)
    }
}

impl Cut {
    /// Cuts out the square around a face and scales it so that the face has this side in pixels.
    pub fn new(rgb: &RgbImage, face: &Placed, side: f32) -> Self {
        let reach = CUT / 2.0 * face.side;
        let corner = face.centre.map(|at| (at - reach).max(0.0) as u32);
        let far = [
            ((face.centre[0] + reach) as u32).min(rgb.width()),
            ((face.centre[1] + reach) as u32).min(rgb.height()),
        ];
        let size = [0, 1].map(|axis| far[axis].saturating_sub(corner[axis]).max(1));
        let scale = side / face.side;
        let scaled = size.map(|length| ((length as f32 * scale).round() as u32).max(1));
        let cut = imageops::crop_imm(rgb, corner[0], corner[1], size[0], size[1]).to_image();
        // Areas averaged, ten times as fast as the filter; it only makes images smaller.
        let image = match scale < 1.0 {
            true => imageops::thumbnail(&cut, scaled[0], scaled[1]),
            false => imageops::resize(&cut, scaled[0], scaled[1], imageops::FilterType::Triangle),
        };
        Self {
            image,
            centre: [0, 1].map(|axis| (face.centre[axis] - corner[axis] as f32) * scale),
        }
    }

    /// Turns it clockwise by so many quarters.
    pub fn turned(self, quarters: u32) -> Self {
        (0..quarters).fold(self, |cut, _| Self {
            centre: [cut.image.height() as f32 - cut.centre[1], cut.centre[0]],
            image: imageops::rotate90(&cut.image),
        })
    }

    /// Lays it on a canvas with the face's centre at a place.
    pub fn paste(&self, canvas: &mut RgbImage, at: [f32; 2]) {
        let (width, height) = (self.image.width(), self.image.height());
        let offset = [0, 1].map(|axis| (at[axis] - self.centre[axis]).round() as i64);
        let fade = |position: u32, length: u32| {
            let inside = (position + 1).min(length - position) as f32;
            (inside / (FADE * length as f32)).min(1.0)
        };
        for (x, y, pixel) in self.image.enumerate_pixels() {
            let place = [i64::from(x) + offset[0], i64::from(y) + offset[1]];
            let [Ok(u), Ok(v)] = place.map(u32::try_from) else {
                continue;
            };
            let Some(under) = canvas.get_pixel_mut_checked(u, v) else {
                continue;
            };
            let cover = fade(x, width).min(fade(y, height));
            for (under, over) in under.0.iter_mut().zip(pixel.0) {
                let mixed = f32::from(*under) + cover * (f32::from(over) - f32::from(*under));
                *under = mixed.round() as u8;
            }
        }
    }
}

/// A room: a wall with shades, and things with edges.
pub fn room([width, height]: [u32; 2], seed: u64) -> RgbImage {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let things: Vec<([f32; 4], [f32; 3])> = (0..14)
        .map(|_| {
            let place = [
                chance.random_range(0.0..width as f32),
                chance.random_range(0.0..height as f32),
                chance.random_range(0.03..0.2) * width as f32,
                chance.random_range(0.03..0.4) * height as f32,
            ];
            (place, [0; 3].map(|_| chance.random_range(20.0..220.0_f32)))
        })
        .collect();
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let wall = 110.0 + 50.0 * (x / width as f32) - 30.0 * (y / height as f32);
        let thing = things.iter().rev().find(|([left, top, across, down], _)| {
            (*left..left + across).contains(&x) && (*top..top + down).contains(&y)
        });
        let colour = thing.map_or([wall, wall - 6.0, wall - 14.0], |(_, colour)| *colour);
        let grain = 6.0 * ((12.9898 * x + 78.233 * y).sin() * 43_758.547).fract();
        Rgb(colour.map(|level| (level + grain).round().clamp(0.0, 255.0) as u8))
    })
}

/// The frame of a number in a scene.
pub fn frame(number: u32, rgb: RgbImage) -> Frame {
    let time = Duration::from_secs(number.into()) / FPS;
    Frame::from_rgb(number.into(), time, rgb)
}

/// A clip of one person.
pub struct Actor {
    frames: Vec<RgbImage>,
    face: Placed,
}

impl Actor {
    /// Reads the first frames of a recording; `None` where its first frame shows no face.
    pub fn read(path: &Path, most: usize) -> anyhow::Result<Option<Self>> {
        let mut source = open_recording(path, FPS.into())?;
        let mut frames = Vec::new();
        while frames.len() < most
            && let Some(frame) = source.next_frame()?
        {
            frames.push(frame.rgb);
        }
        let first = frames
            .first()
            .with_context(|| format!("{}: has no frame", path.display()))?;
        let face = place_of_face(first)?;
        Ok(face.map(|face| Self { frames, face }))
    }

    /// The person as in a frame of the scene, with a face of this side: the clip forwards, then backwards, and so
    /// on.
    pub fn at(&self, number: u32, side: f32) -> Cut {
        let last = self.frames.len() - 1;
        let step = number as usize % (2 * last.max(1));
        let index = step.min((2 * last).saturating_sub(step)).min(last);
        Cut::new(&self.frames[index], &self.face, side)
    }
}

/// Where the largest face of an image is.
pub fn place_of_face(rgb: &RgbImage) -> anyhow::Result<Option<Placed>> {
    let mut tracker = tracker(&DetectorSettings::default())?;
    let found = tracker.track(&frame(0, rgb.clone())).face;
    Ok(found.map(|face| Placed {
        centre: face.square.centre,
        side: face.square.side,
    }))
}

/// Images of a folder, by name.
pub fn stills(folder: &Path) -> anyhow::Result<Vec<RgbImage>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{}: cannot be read", folder.display()))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "jpg"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let image = image::open(path)
                .with_context(|| format!("{}: not a readable image", path.display()))?;
            Ok(image.into_rgb8())
        })
        .collect()
}
