//! Predictions for eyes that cannot be seen: dark lenses and a hand are painted over both eyes, where the
//! uncovered frame's eyes were found. Drawn, not filmed: real sunglasses reflect
//! and real hands have edges of many kinds.

use super::{
    clips::print_line,
    scored_clips::{Clip, each},
};
use image::{Rgb, RgbImage};
use parseye_capture::open_recording;
use parseye_vision::{
    classify::EyeStateModel,
    eye_monitor::{EyeMonitor, VisionSettings},
    eye_state::{Eye, EyeState, PerEye, STATES},
    frame::Frame,
    locate::crop::Roi,
    reading::EyeReading,
};

/// One frame of so many is covered: neighbours are alike.
const EVERY: usize = 5;

const COVERS: [&str; 3] = ["dark lenses", "mirrored lenses", "a hand"];

fn cover(name: &str, rgb: &mut RgbImage, eyes: &PerEye<Roi>) {
    let skin = {
        // Below the eyes, between them and the mouth.
        let square = eyes.left;
        mean_colour(rgb, square.to_image([0.5, 1.2]), square.side * 0.2)
    };
    for eye in Eye::ALL {
        let square = eyes.get(eye);
        let lens = [0.52 * square.side, 0.42 * square.side];
        let hand = [0.7 * square.side, 0.55 * square.side];
        match name {
            "dark lenses" => paint_ellipse(rgb, square.centre, lens, square.angle, dark_lens),
            "mirrored lenses" => {
                paint_ellipse(rgb, square.centre, lens, square.angle, mirrored_lens);
            }
            _ => paint_ellipse(rgb, square.centre, hand, square.angle, |u, _| {
                finger(skin, u)
            }),
        }
    }
}

/// A faint gradient, as lenses have.
fn dark_lens(_: f32, v: f32) -> Rgb<u8> {
    Rgb([(18.0 - 8.0 * v) as u8; 3])
}

/// The sky above, the ground below, a lamp in a corner.
fn mirrored_lens(u: f32, v: f32) -> Rgb<u8> {
    let lamp = (u + 0.35).powi(2) + (v + 0.4).powi(2) < 0.03;
    let level = if lamp {
        235
    } else if v < 0.1 {
        120
    } else {
        45
    };
    Rgb([level; 3])
}

/// One of four fingers, darker between them.
fn finger(skin: Rgb<u8>, u: f32) -> Rgb<u8> {
    let between = ((u * 2.0 * std::f32::consts::PI).cos()).max(0.0).powi(8);
    let shade = 1.05 - 0.4 * between;
    Rgb(skin
        .0
        .map(|level| (f32::from(level) * shade).min(255.0) as u8))
}

/// Numbers of predictions in the order of [`EyeState::ALL`], then of eyes that were not measured.
type Counts = [u64; STATES + 1];

fn of_clip(clip: &Clip, model: &EyeStateModel) -> anyhow::Result<Vec<Counts>> {
    let settings = VisionSettings::default();
    let mut uncovered = EyeMonitor::new(&settings, model)?;
    let mut monitors = Vec::new();
    for _ in COVERS {
        monitors.push(EyeMonitor::new(&settings, model)?);
    }
    let mut counts = vec![Counts::default(); COVERS.len()];
    let mut source = open_recording(&clip.path, 30.0)?;
    let mut number = 0;
    while let Some(frame) = source.next_frame()? {
        let reading = uncovered.process(&frame)?.reading;
        number += 1;
        let (EyeReading::Measured { square: left, .. }, EyeReading::Measured { square: right, .. }) =
            (&reading.eyes.left, &reading.eyes.right)
        else {
            continue;
        };
        if number % EVERY != 0 {
            continue;
        }
        let eyes = PerEye {
            left: *left,
            right: *right,
        };
        for ((name, monitor), counts) in COVERS.iter().zip(&mut monitors).zip(&mut counts) {
            let mut rgb = frame.rgb.clone();
            cover(name, &mut rgb, &eyes);
            let covered = Frame::from_rgb(frame.sequence, frame.time, rgb);
            let reading = monitor.process(&covered)?.reading;
            for eye in Eye::ALL {
                let reading = reading.eyes.get(eye);
                let place = match reading {
                    EyeReading::Measured { .. } => reading.state().index(),
                    EyeReading::Unmeasured(_) => STATES,
                };
                counts[place] += 1;
            }
        }
    }
    Ok(counts)
}

/// Prints the shares of predictions for each cover.
pub fn run(clips: &[Clip], model: &EyeStateModel) -> anyhow::Result<()> {
    let found = each(clips, |clip| of_clip(clip, model))?;
    print_line(&format!(
        "{} on eyes that are painted over, one frame of {EVERY}, shares of predictions in %",
        model.card().name
    ))?;
    print_line(
        "cover              eyes    open partially  closed  not_visible  no face  open or closed",
    )?;
    for (index, name) in COVERS.iter().enumerate() {
        let mut sum = Counts::default();
        for clip in &found {
            for (sum, count) in sum.iter_mut().zip(clip[index]) {
                *sum += count;
            }
        }
        let n: u64 = sum.iter().sum();
        let share = |count: u64| 100.0 * count as f64 / n.max(1) as f64;
        let of = |state: EyeState| sum[state.index()];
        print_line(&format!(
            "{name:16} {n:6} {:7.1} {:9.1} {:7.1} {:12.1} {:8.1} {:15.1}",
            share(of(EyeState::Open)),
            share(of(EyeState::PartiallyOpen)),
            share(of(EyeState::Closed)),
            share(of(EyeState::NotVisible)),
            share(sum[STATES]),
            share(of(EyeState::Open) + of(EyeState::Closed))
        ))?;
    }
    Ok(())
}

/// Paints over a turned ellipse: `inside` gives the colour of a point of the unit disc.
fn paint_ellipse(
    rgb: &mut RgbImage,
    centre: [f32; 2],
    radii: [f32; 2],
    angle: f32,
    inside: impl Fn(f32, f32) -> Rgb<u8>,
) {
    let (sin, cos) = angle.sin_cos();
    let reach = radii[0].max(radii[1]);
    let from = |middle: f32| (middle - reach).floor().max(0.0) as u32;
    let to = |middle: f32, end: u32| ((middle + reach).ceil().max(0.0) as u32).min(end);
    for y in from(centre[1])..to(centre[1], rgb.height()) {
        for x in from(centre[0])..to(centre[0], rgb.width()) {
            let (dx, dy) = (x as f32 + 0.5 - centre[0], y as f32 + 0.5 - centre[1]);
            let (u, v) = (
                (cos * dx + sin * dy) / radii[0],
                (cos * dy - sin * dx) / radii[1],
            );
            if u * u + v * v <= 1.0 {
                rgb.put_pixel(x, y, inside(u, v));
            }
        }
    }
}

/// The mean colour of a square around a point.
fn mean_colour(rgb: &RgbImage, centre: [f32; 2], half: f32) -> Rgb<u8> {
    let mut sums = [0_u64; 3];
    let mut n = 0_u64;
    let range = |middle: f32, end: u32| {
        ((middle - half).max(0.0) as u32).min(end)..((middle + half).max(0.0) as u32).min(end)
    };
    for y in range(centre[1], rgb.height()) {
        for x in range(centre[0], rgb.width()) {
            for (sum, level) in sums.iter_mut().zip(rgb.get_pixel(x, y).0) {
                *sum += u64::from(level);
            }
            n += 1;
        }
    }
    Rgb(sums.map(|sum| (sum / n.max(1)) as u8))
}
