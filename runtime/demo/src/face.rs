//! Frames: a person in a pose before a wall, and where the eyes are in it.
//!
//! What does not change from frame to frame (wall, body, the skin of the face) is drawn once, so that a frame
//! takes a camera's time on a small computer. Light and noise are left to `exposure`.

use crate::{
    colour::{Colour, lay, mix, scale, smooth, to_bytes},
    eye,
    eye::EyePose,
    head,
    head::{EYE_X, NOD_CENTRE, NOD_RADIUS, TURN_RADIUS},
    person::Person,
};
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use parseye_vision::eye_state::{Eye, PerEye};

/// Where a person is in a frame, and what the eyes do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Point between the eyes of a head held straight, in pixels of the frame.
    pub head: [f32; 2],
    /// The same point of the body, whose shoulders are below; the head leans away from it.
    pub body: [f32; 2],
    /// How far the head is tilted, in radians, clockwise as seen on screen.
    pub roll: f32,
    /// How far it is turned to the right in the image, in radians; at 1.2 it is a profile.
    pub turn: f32,
    /// How far it is bent down, in radians.
    pub nod: f32,
    /// The eyes.
    pub eyes: PerEye<EyePose>,
}

impl Pose {
    /// Creates the pose of somebody who looks straight ahead, with the eyes at this point.
    pub fn at(head: [f32; 2]) -> Self {
        Self {
            head,
            body: head,
            roll: 0.0,
            turn: 0.0,
            nod: 0.0,
            eyes: PerEye::default(),
        }
    }
}

/// What is known of an eye in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EyeLabel {
    /// Its centre in pixels of the frame, whether it can be seen or not.
    pub centre: [f32; 2],
    /// How far it is open, 0 to 1.
    pub openness: f32,
    /// Whether it is on the side of the head that the camera sees, and within the frame.
    pub visible: bool,
}

/// Texels in a face unit of the drawn surface: a little finer than pixels.
const TEXELS: f32 = 150.0;

/// The part of the surface that is drawn once.
const SURFACE_FROM: [f32; 2] = [-0.97, -1.2];
const SURFACE_TO: [f32; 2] = [0.97, 1.4];

/// Turn, as a sine, from which on the near ear lies over the side of the head and the nose stands out.
const TURNED: f32 = 0.35;

/// Draws frames of one person.
#[derive(Clone, Debug)]
pub struct FaceRenderer {
    person: Person,
    /// Pixels of one face unit.
    unit: f32,
    wall: RgbImage,
    /// The body with the eyes' point at the middle of the upper edge, and its cover.
    body: RgbaImage,
    surface: Surface,
}

impl FaceRenderer {
    /// Creates the renderer of frames of a size, in which a face is about `face_height` pixels high from the
    /// forehead to the chin.
    pub fn new(person: &Person, (width, height): (u32, u32), face_height: f32) -> Self {
        // From the hairline at -0.66 to the chin at 1.17.
        let unit = (face_height / 1.83).max(1.0);
        // One row more than any nod or sway needs.
        let body_height = height + height / 2;
        let body = RgbaImage::from_fn(width, body_height, |x, y| {
            let x = (x as f32 + 0.5 - width as f32 / 2.0) / unit;
            let (colour, cover) = head::body(x, (y as f32 + 0.5) / unit, person);
            let [r, g, b] = to_bytes(colour);
            Rgba([r, g, b, (255.0 * cover + 0.5) as u8])
        });
        Self {
            person: *person,
            unit,
            wall: RgbImage::from_fn(width, height, |x, y| {
                let at = |value: u32, size: u32| (value as f32 + 0.5) / size as f32;
                Rgb(to_bytes(wall(at(x, width), at(y, height))))
            }),
            body,
            surface: Surface::new(person),
        }
    }

    /// Draws a frame, well lit and without noise.
    pub fn render(&self, pose: &Pose) -> RgbImage {
        let mut frame = self.wall.clone();
        self.lay_body(&mut frame, pose);
        self.lay_head(&mut frame, pose);
        frame
    }

    /// Returns what is known of the eyes in the frame of a pose.
    pub fn labels(&self, pose: &Pose) -> PerEye<EyeLabel> {
        let (width, height) = self.wall.dimensions();
        let (sin, cos) = pose.roll.sin_cos();
        PerEye::from_fn(|eye| {
            let side = match eye {
                Eye::Left => EYE_X,
                Eye::Right => -EYE_X,
            };
            let angle = (side / TURN_RADIUS).asin() + pose.turn;
            let bent = (-NOD_CENTRE / NOD_RADIUS).asin() + pose.nod;
            let (x, y) = (
                TURN_RADIUS * angle.sin(),
                NOD_CENTRE + NOD_RADIUS * bent.sin(),
            );
            let centre = [
                pose.head[0] + self.unit * (cos * x - sin * y),
                pose.head[1] + self.unit * (sin * x + cos * y),
            ];
            let within = (0.0..width as f32).contains(&centre[0])
                && (0.0..height as f32).contains(&centre[1]);
            EyeLabel {
                centre,
                openness: pose.eyes.get(eye).openness,
                visible: within && angle.abs() < 1.2,
            }
        })
    }

    /// Lays the body over the wall, at whole pixels: nobody sees the difference, and it is fast.
    fn lay_body(&self, frame: &mut RgbImage, pose: &Pose) {
        let (width, height) = (frame.width() as i32, frame.height() as i32);
        let right = (pose.body[0] - width as f32 / 2.0).round() as i32;
        let down = pose.body[1].round() as i32;
        for y in 0..height {
            let from = y - down;
            if !(0..self.body.height() as i32).contains(&from) {
                continue;
            }
            for x in right.max(0)..(width + right).min(width) {
                let Rgba([r, g, b, cover]) = *self.body.get_pixel((x - right) as u32, from as u32);
                if cover == 255 {
                    frame.put_pixel(x as u32, y as u32, Rgb([r, g, b]));
                } else if cover > 0 {
                    let pixel = frame.get_pixel_mut(x as u32, y as u32);
                    let cover = f32::from(cover) / 255.0;
                    pixel.0 =
                        to_bytes(mix(pixel.0.map(f32::from), [r, g, b].map(f32::from), cover));
                }
            }
        }
    }

    fn lay_head(&self, frame: &mut RgbImage, pose: &Pose) {
        let reach = 1.35 * self.unit;
        let range = |centre: f32, size: u32| {
            let from = (centre - reach).max(0.0) as u32;
            from..((centre + reach).max(0.0) as u32).min(size)
        };
        let (columns, rows) = (
            range(pose.head[0], frame.width()),
            range(pose.head[1], frame.height()),
        );
        let (sin, cos) = pose.roll.sin_cos();
        let turned = Turned::new(pose);
        for row in rows {
            for column in columns.clone() {
                let dx = (column as f32 + 0.5 - pose.head[0]) / self.unit;
                let dy = (row as f32 + 0.5 - pose.head[1]) / self.unit;
                let (x, y) = (cos * dx + sin * dy, cos * dy - sin * dx);
                // The farthest that any part of a head reaches.
                if (x / 1.05).powi(2) + (y / 1.28).powi(2) > 1.0 {
                    continue;
                }
                let pixel = frame.get_pixel_mut(column, row);
                let mut colour = pixel.0.map(f32::from);
                self.head(&mut colour, [x, y], &turned, pose);
                pixel.0 = to_bytes(colour);
            }
        }
    }

    /// Draws the head at a point of its image.
    fn head(&self, colour: &mut Colour, [x, y]: [f32; 2], turned: &Turned, pose: &Pose) {
        let person = &self.person;
        let turn = turned.turn[0];
        let cover = head::outline(x, y);
        let ear_width = 0.11 + 0.08 * turn.abs();
        let ear = |side: f32| side * 0.83 * turned.turn[1];
        if cover < 1.0 {
            let hair = head::hair_behind(x, y);
            if hair > 0.0 {
                lay(colour, head::strand(x, y, person), hair);
            }
            for side in [-1.0, 1.0] {
                head::ear(colour, [x, y], ear(side), ear_width, person);
            }
            if turn.abs() > TURNED {
                let nose = scale(person.skin, 0.86);
                lay(colour, nose, head::nose_beside(x, y, turn));
            }
        }
        let (at, facing) = turned.surface([x, y]);
        if cover > 0.0 {
            let mut skin = self.surface.at(at);
            if facing > 0.05 {
                for (eye, mirror) in [(Eye::Left, 1.0), (Eye::Right, -1.0)] {
                    let at = [mirror * at[0] - EYE_X, at[1]];
                    eye::draw(&mut skin, at, mirror, person, pose.eyes.get(eye));
                }
            }
            lay(colour, scale(skin, head::light(x, y)), cover);
        }
        let hair = head::hair_before([x, y], at, facing);
        if hair > 0.0 {
            lay(colour, head::strand(at[0], at[1], person), hair);
        }
        if turn.abs() > TURNED {
            head::ear(colour, [x, y], ear(-turn.signum()), ear_width, person);
        }
    }
}

/// The turn and the nod of a head, each as sine and cosine.
struct Turned {
    turn: [f32; 2],
    nod: [f32; 2],
}

impl Turned {
    fn new(pose: &Pose) -> Self {
        let parts = |angle: f32| [angle.sin(), angle.cos()];
        Self {
            turn: parts(pose.turn),
            nod: parts(pose.nod),
        }
    }

    /// Returns the place of the surface that is seen at a point of the head's image, and how far it faces the
    /// front, -1 to 1.
    fn surface(&self, [x, y]: [f32; 2]) -> ([f32; 2], f32) {
        let [sin, cos] = self.turn;
        let depth = (TURN_RADIUS * TURN_RADIUS - x * x).max(0.0).sqrt();
        let facing = (depth * cos + x * sin) / TURN_RADIUS;
        let u = x * cos - depth * sin;
        let [sin, cos] = self.nod;
        let below = y - NOD_CENTRE;
        let depth = (NOD_RADIUS * NOD_RADIUS - below * below).max(0.0).sqrt();
        let v = NOD_CENTRE + below * cos - depth * sin;
        // Behind the ears the surface has no features.
        let u = if facing > 0.0 {
            u
        } else {
            TURN_RADIUS.copysign(u)
        };
        ([u, v], facing)
    }
}

/// The face's surface without eyes, drawn once.
#[derive(Clone, Debug)]
struct Surface {
    width: usize,
    height: usize,
    texels: Vec<Colour>,
}

impl Surface {
    fn new(person: &Person) -> Self {
        let size = |axis: usize| ((SURFACE_TO[axis] - SURFACE_FROM[axis]) * TEXELS) as usize;
        let (width, height) = (size(0), size(1));
        let place = |axis: usize, texel: usize| SURFACE_FROM[axis] + texel as f32 / TEXELS;
        let texels = (0..width * height)
            .map(|texel| head::face(place(0, texel % width), place(1, texel / width), person))
            .collect();
        Self {
            width,
            height,
            texels,
        }
    }

    /// Returns the colour at a place, interpolated.
    fn at(&self, place: [f32; 2]) -> Colour {
        let texel = |axis: usize, size: usize| {
            let at = (place[axis] - SURFACE_FROM[axis]) * TEXELS;
            let at = at.clamp(0.0, size as f32 - 1.001);
            (at as usize, at.fract())
        };
        let (column, right) = texel(0, self.width);
        let (row, down) = texel(1, self.height);
        let first = row * self.width + column;
        let pair = |first: usize| mix(self.texels[first], self.texels[first + 1], right);
        mix(pair(first), pair(first + self.width), down)
    }
}

/// Returns the colour of the wall at shares of the frame's width and height: paint that darkens to the floor, a
/// window on the left, a shelf on the right.
fn wall(x: f32, y: f32) -> Colour {
    let mut colour = mix(
        [150.0, 160.0, 172.0],
        [112.0, 122.0, 138.0],
        smooth(0.0, 1.0, y),
    );
    colour = scale(colour, 1.08 - 0.16 * x);
    let within = |value: f32, from: f32, to: f32| {
        smooth(from - 0.004, from + 0.004, value) * smooth(to + 0.004, to - 0.004, value)
    };
    let window = within(x, -0.1, 0.13) * within(y, 0.06, 0.56);
    lay(&mut colour, [205.0, 214.0, 222.0], 0.75 * window);
    let bars = within(x, 0.035, 0.045) + within(y, 0.30, 0.315);
    lay(
        &mut colour,
        [150.0, 150.0, 150.0],
        0.8 * window * bars.min(1.0),
    );
    let shelf = within(x, 0.86, 1.1) * (within(y, 0.30, 0.325) + within(y, 0.60, 0.625));
    lay(&mut colour, [104.0, 84.0, 66.0], shelf);
    let row = within(y, 0.17, 0.30) + within(y, 0.46, 0.60);
    let book = (x * 46.0).floor();
    let tone = 0.5 + 0.5 * (book * 2.4).sin();
    let cloth = mix([120.0, 76.0, 70.0], [84.0, 104.0, 120.0], tone);
    lay(
        &mut colour,
        scale(cloth, 0.8 + 0.3 * (book * 5.1).cos().abs()),
        0.8 * within(x, 0.875, 1.1) * row,
    );
    colour
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renderer() -> FaceRenderer {
        FaceRenderer::new(&Person::default(), (640, 480), 210.0)
    }

    #[test]
    fn the_eyes_are_where_the_labels_say() {
        let renderer = renderer();
        for (turn, nod, roll) in [(0.0, 0.0, 0.0), (0.3, 0.1, 0.2), (-0.2, -0.1, -0.3)] {
            let mut pose = Pose::at([320.0, 200.0]);
            (pose.turn, pose.nod, pose.roll) = (turn, nod, roll);
            let frame = renderer.render(&pose);
            let labels = renderer.labels(&pose);
            for eye in Eye::ALL {
                let label = labels.get(eye);
                assert!(label.visible && label.openness == 1.0);
                // The darkest spot around is the pupil, and the centre is within it.
                let [x, y] = label.centre.map(|at| at.round() as u32);
                let darkest = (x - 3..=x + 3)
                    .flat_map(|x| (y - 4..=y + 3).map(move |y| (x, y)))
                    .map(|(x, y)| frame.get_pixel(x, y).0[0])
                    .min();
                assert!(darkest < Some(40), "{eye:?} at {x}, {y}: {darkest:?}");
            }
            let apart = labels.left.centre[0] - labels.right.centre[0];
            assert!(apart > 50.0);
        }
    }

    #[test]
    fn a_profile_hides_the_far_eye_and_who_has_left_shows_none() {
        let renderer = renderer();
        let mut pose = Pose::at([320.0, 200.0]);
        pose.turn = 1.25;
        let labels = renderer.labels(&pose);
        assert!(!labels.left.visible && labels.right.visible);
        let gone = Pose::at([1100.0, 200.0]);
        assert_eq!(renderer.render(&gone), renderer.wall);
        assert!(!renderer.labels(&gone).left.visible);
    }
}
