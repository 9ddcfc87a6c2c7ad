//! Faces by size, place and turn: how many are found within a quarter of a second, and after how many frames.

use super::{
    FPS,
    clips::{print_line, videos},
    compose::{Cut, Placed, frame, place_of_face, room, stills},
    tracker,
};
use image::RgbImage;
use parseye_capture::open_recording;
use parseye_vision::locate::DetectorSettings;
use std::path::Path;

const SIZES: [[u32; 2]; 3] = [[640, 480], [1280, 720], [1920, 1080]];

/// Sides of faces in pixels, and those in heights of the frame.
const SIDES_PX: [f32; 5] = [48.0, 56.0, 70.0, 100.0, 150.0];
const SIDES: [f32; 4] = [0.4, 0.7, 1.0, 1.3];

/// Places of the face's centre: from 0, as far at the left or upper edge as nine tenths of the face allow, to 1.
const PLACES: [[f32; 2]; 5] = [
    [0.5, 0.5],
    [0.0, 0.4],
    [1.0, 0.0],
    [0.27, 1.0],
    [0.68, 0.63],
];

/// Quiet frames before the face appears, and frames within a quarter of a second.
const QUIET: u32 = 12;
const WITHIN: u32 = FPS / 4;

/// Faces that are used, spread over all there are.
const FACES: usize = 4;

/// A face to put into scenes.
struct Model {
    rgb: RgbImage,
    face: Placed,
}

/// Faces of stills and first frames of clips that are found by themselves.
fn models(data: &Path) -> anyhow::Result<Vec<Model>> {
    let mut images = stills(&data.join("stills"))?;
    for path in videos(&data.join("clips"))? {
        images.extend(
            open_recording(&path, FPS.into())?
                .next_frame()?
                .map(|frame| frame.rgb),
        );
    }
    let mut models = Vec::new();
    for rgb in images {
        if let Some(face) = place_of_face(&rgb)? {
            models.push(Model { rgb, face });
        }
    }
    let every = (models.len() / FACES).max(1);
    Ok(models.into_iter().step_by(every).take(FACES).collect())
}

/// Frames until each face was found, `None` where that took too long; and network runs a frame until then.
#[derive(Default)]
struct Found {
    delays: Vec<Option<u32>>,
    runs: u64,
    frames: u64,
    most_runs: u64,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.delays.extend(other.delays);
        self.runs += other.runs;
        self.frames += other.frames;
        self.most_runs = self.most_runs.max(other.most_runs);
    }
}

/// Prints a row for each size of frame and face, and each turn.
pub fn run(data: &Path) -> anyhow::Result<()> {
    let models = models(data)?;
    print_line(&format!(
        "{} faces in {} places, appearing in a quiet room at {FPS} frames/s; found: within {WITHIN} frames",
        models.len(),
        PLACES.len()
    ))?;
    print_line(
        "frame       side   found of each turn: 0     90    180    270    all  frames: median max   runs a frame: mean  max",
    )?;
    for size in SIZES {
        let height = size[1] as f32;
        let sides = SIDES_PX
            .into_iter()
            .chain(SIDES.map(|share| share * height));
        for side in sides {
            row(&models, size, side)?;
        }
    }
    Ok(())
}

fn row(models: &[Model], size: [u32; 2], side: f32) -> anyhow::Result<()> {
    let mut all = Found::default();
    let mut rates = String::new();
    for quarters in 0..4 {
        let found = appear(models, size, side, quarters)?;
        rates += &format!(" {:5.1}%", rate(&found));
        all.add(found);
    }
    let mut delays: Vec<u32> = all.delays.iter().flatten().copied().collect();
    delays.sort_unstable();
    let median = delays.get(delays.len() / 2).copied().unwrap_or(0);
    print_line(&format!(
        "{:>4}x{:<4} {side:7.0}                  {rates} {:5.1}% {:15} {:3} {:20.1} {:4}",
        size[0],
        size[1],
        rate(&all),
        median,
        delays.last().copied().unwrap_or(0),
        all.runs as f64 / all.frames.max(1) as f64,
        all.most_runs,
    ))
}

fn rate(found: &Found) -> f64 {
    let hits = found.delays.iter().flatten().count();
    100.0 * hits as f64 / found.delays.len().max(1) as f64
}

fn appear(models: &[Model], size: [u32; 2], side: f32, quarters: u32) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut tracker = tracker(&DetectorSettings::default())?;
    for (seed, model) in models.iter().enumerate() {
        let cut = Cut::new(&model.rgb, &model.face, side).turned(quarters);
        let empty = room(size, seed as u64);
        for place in PLACES {
            let centre = [0, 1].map(|axis| {
                let length = size[axis] as f32;
                let margin = (0.45 * side).min(length / 2.0);
                margin + place[axis] * (length - 2.0 * margin)
            });
            tracker.reset();
            for number in 0..QUIET {
                tracker.track(&frame(number, empty.clone()));
            }
            let mut scene = empty.clone();
            cut.paste(&mut scene, centre);
            let placed = Placed { centre, side };
            let mut delay = None;
            for number in 0..WITHIN {
                let before = tracker.runs();
                let face = tracker.track(&frame(QUIET + number, scene.clone())).face;
                let runs = tracker.runs() - before;
                found.runs += runs;
                found.frames += 1;
                found.most_runs = found.most_runs.max(runs);
                if face.is_some_and(|face| placed.is(&face)) {
                    delay = Some(number + 1);
                    break;
                }
            }
            found.delays.push(delay);
        }
    }
    Ok(found)
}
