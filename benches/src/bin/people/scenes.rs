//! Who is watched of several people, and of people and portraits: seconds on the right and on a wrong face.

use super::{
    FPS,
    clips::{print_line, videos},
    compose::{Actor, Placed, frame, room},
    tracker,
};
use parseye_benches::statistics::quantile;
use parseye_vision::locate::DetectorSettings;
use std::path::Path;

const SIZE: [u32; 2] = [640, 480];

/// Frames of each clip that are used.
const CLIP_FRAMES: usize = 240;

/// A face in a scene.
struct Role {
    /// Whether it is the clip's first frame for ever.
    portrait: bool,
    at: [f32; 2],
    side: f32,
    /// Seconds in which it is away.
    away: (f64, f64),
}

const HERE: (f64, f64) = (0.0, 0.0);

const fn role(portrait: bool, at: [f32; 2], side: f32, away: (f64, f64)) -> Role {
    Role {
        portrait,
        at,
        side,
        away,
    }
}

/// A scene, and who should be watched in it.
struct Scene {
    name: &'static str,
    seconds: f64,
    roles: Vec<Role>,
    /// Index of who should be watched at a time.
    right: fn(f64) -> Option<usize>,
}

fn all() -> Vec<Scene> {
    const USER: [f32; 2] = [330.0, 270.0];
    const WALL: [f32; 2] = [110.0, 115.0];
    vec![
        Scene {
            name: "user leaves for 0.5 s, portrait of 90 px",
            seconds: 10.0,
            roles: vec![
                role(false, USER, 150.0, (5.0, 5.5)),
                role(true, WALL, 90.0, HERE),
            ],
            right: |time| (!(5.0..5.5).contains(&time)).then_some(0),
        },
        Scene {
            name: "user leaves for 0.5 s, portrait of 150 px",
            seconds: 10.0,
            roles: vec![
                role(false, USER, 150.0, (5.0, 5.5)),
                role(true, WALL, 150.0, HERE),
            ],
            right: |time| (!(5.0..5.5).contains(&time)).then_some(0),
        },
        Scene {
            name: "user leaves after 2 s for 0.5 s",
            seconds: 7.0,
            roles: vec![
                role(false, USER, 150.0, (2.0, 2.5)),
                role(true, WALL, 90.0, HERE),
            ],
            right: |time| (!(2.0..2.5).contains(&time)).then_some(0),
        },
        Scene {
            name: "user leaves for 6 s",
            seconds: 18.0,
            roles: vec![
                role(false, USER, 150.0, (8.0, 14.0)),
                role(true, WALL, 90.0, HERE),
            ],
            right: |time| (!(8.0..14.0).contains(&time)).then_some(0),
        },
        Scene {
            name: "portrait alone, user comes after 8 s",
            seconds: 16.0,
            roles: vec![
                role(false, USER, 150.0, (0.0, 8.0)),
                role(true, WALL, 120.0, HERE),
            ],
            right: |time| Some(usize::from(time < 8.0)),
        },
        Scene {
            name: "user before a larger poster",
            seconds: 20.0,
            roles: vec![
                role(false, [400.0, 280.0], 120.0, HERE),
                role(true, [150.0, 200.0], 200.0, HERE),
            ],
            right: |_| Some(0),
        },
        Scene {
            name: "small face, nearer person from 1.5 s",
            seconds: 8.0,
            roles: vec![
                role(false, [130.0, 200.0], 70.0, HERE),
                role(false, [420.0, 260.0], 175.0, (0.0, 1.5)),
            ],
            right: |time| Some(usize::from(time >= 1.5)),
        },
        Scene {
            name: "two people of one size",
            seconds: 15.0,
            roles: vec![
                role(false, [160.0, 240.0], 125.0, HERE),
                role(false, [480.0, 240.0], 125.0, HERE),
            ],
            // Either; whom it begins with.
            right: |_| None,
        },
    ]
}

/// What came of a scene with one pair of clips.
struct Outcome {
    right_s: f64,
    wrong_s: f64,
    none_s: f64,
    changes: u32,
    runs: u64,
    frames: u64,
}

/// Prints a row for each scene, over pairs of clips.
pub fn run(data: &Path) -> anyhow::Result<()> {
    let mut actors = Vec::new();
    for path in videos(&data.join("clips"))? {
        actors.extend(Actor::read(&path, CLIP_FRAMES)?);
    }
    print_line(&format!(
        "{} clips in pairs, {}x{} at {FPS} frames/s; seconds a scene, median and most",
        actors.len(),
        SIZE[0],
        SIZE[1]
    ))?;
    print_line(
        "scene                                       wrong face     right face missed   changes: mean most  runs a frame",
    )?;
    for scene in all() {
        let mut outcomes = Vec::new();
        for index in 0..actors.len() {
            let other = (index + 1) % actors.len();
            outcomes.push(play(
                &scene,
                &[&actors[index], &actors[other]],
                index as u64,
            )?);
        }
        print_row(&scene, &outcomes)?;
    }
    Ok(())
}

fn print_row(scene: &Scene, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let spread = |of: fn(&Outcome) -> f64| {
        let mut values: Vec<f64> = outcomes.iter().map(of).collect();
        (quantile(&mut values, 0.5), quantile(&mut values, 1.0))
    };
    let (wrong, most_wrong) = spread(|outcome| outcome.wrong_s);
    let (none, most_none) = spread(|outcome| outcome.none_s);
    let changes: u32 = outcomes.iter().map(|outcome| outcome.changes).sum();
    let runs: u64 = outcomes.iter().map(|outcome| outcome.runs).sum();
    let frames: u64 = outcomes.iter().map(|outcome| outcome.frames).sum();
    print_line(&format!(
        "{:43} {wrong:5.2} {most_wrong:5.2}       {none:5.2} {most_none:5.2} {:18.2} {:4} {:12.2}",
        scene.name,
        f64::from(changes) / outcomes.len().max(1) as f64,
        outcomes
            .iter()
            .map(|outcome| outcome.changes)
            .max()
            .unwrap_or(0),
        runs as f64 / frames.max(1) as f64
    ))
}

fn play(scene: &Scene, actors: &[&Actor; 2], seed: u64) -> anyhow::Result<Outcome> {
    let mut tracker = tracker(&DetectorSettings::default())?;
    let empty = room(SIZE, seed);
    let frames = (scene.seconds * f64::from(FPS)) as u32;
    let second = 1.0 / f64::from(FPS);
    let mut outcome = Outcome {
        right_s: 0.0,
        wrong_s: 0.0,
        none_s: 0.0,
        changes: 0,
        runs: 0,
        frames: frames.into(),
    };
    for number in 0..frames {
        let time = f64::from(number) * second;
        let mut canvas = empty.clone();
        let mut there = Vec::new();
        for (index, (role, actor)) in scene.roles.iter().zip(actors).enumerate() {
            if (role.away.0..role.away.1).contains(&time) {
                continue;
            }
            let cut = actor.at(if role.portrait { 0 } else { number }, role.side);
            cut.paste(&mut canvas, role.at);
            there.push((
                index,
                Placed {
                    centre: role.at,
                    side: role.side,
                },
            ));
        }
        let tracked = tracker.track(&frame(number, canvas));
        outcome.changes += u32::from(tracked.change.is_some());
        // A clip's person leans and turns within it.
        let of = |face: &parseye_vision::locate::Face| {
            let apart = |placed: &Placed| {
                let [x, y] = face.square.centre;
                (x - placed.centre[0]).hypot(y - placed.centre[1]) / placed.side
            };
            let near = there.iter().filter(|(_, placed)| apart(placed) < 1.0);
            let nearest = near.min_by(|a, b| apart(&a.1).total_cmp(&apart(&b.1)));
            nearest.map(|(index, _)| *index)
        };
        let right = (scene.right)(time);
        match (tracked.face.as_ref().map(of), right) {
            (Some(who), Some(right)) if who == Some(right) => outcome.right_s += second,
            (Some(None), _) | (Some(_), Some(_)) => outcome.wrong_s += second,
            // Nobody is there who should be watched.
            (Some(Some(_)), None) if scene.changes_count_alone() => outcome.right_s += second,
            (Some(Some(_)), None) => outcome.wrong_s += second,
            (None, Some(_)) => outcome.none_s += second,
            (None, None) => {}
        }
    }
    outcome.runs = tracker.runs();
    Ok(outcome)
}

impl Scene {
    /// Whether everybody may be watched, and only the changes say something.
    fn changes_count_alone(&self) -> bool {
        (self.right)(0.0).is_none()
    }
}
