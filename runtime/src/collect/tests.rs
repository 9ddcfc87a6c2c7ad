//! Scripted people: no camera, no clock.

use super::*;
use image::RgbImage;
use parseye_vision::eye_state::PerEye;

const STEP: Duration = Duration::from_millis(100);

fn steps() -> Vec<Step> {
    [
        (EyeState::Open, Round::Train),
        (EyeState::Closed, Round::Train),
        (EyeState::PartiallyOpen, Round::Val),
    ]
    .map(|(label, round)| Step {
        label,
        milliseconds: 2000,
        round,
        instruction: "do it",
        note: "",
    })
    .to_vec()
}

/// A frame in which both eyes are seen with this probability of being closed.
fn seen(number: u64, closed: f32, side: f32) -> (Frame, FrameReading) {
    let time = STEP * u32::try_from(number).unwrap();
    let rgb = RgbImage::from_pixel(200, 100, image::Rgb([90, 100, 110]));
    let frame = Frame::from_rgb(number, time, rgb);
    let eye = |x| EyeReading::Measured {
        probabilities: [1.0 - closed, 0.0, closed, 0.0],
        lids: None,
        square: Roi {
            centre: [x, 50.0],
            side,
            angle: 0.1,
        },
    };
    let reading = FrameReading {
        frame: number,
        time,
        face: None,
        eyes: PerEye {
            left: eye(140.0),
            right: eye(60.0),
        },
    };
    (frame, reading)
}

/// Runs all steps with the given P(closed) at each time in seconds.
fn run(
    folder: &Path,
    side: f32,
    closed: impl Fn(f64) -> f32,
) -> (Vec<Prompt>, Result<Collected, CollectError>) {
    let mut collector = Collector::new(folder, "me", &steps()).unwrap();
    let mut prompts = Vec::new();
    for number in 0..200 {
        let (frame, reading) = seen(number, closed(number as f64 * 0.1), side);
        prompts.extend(collector.take(&frame, &reading).unwrap());
    }
    assert!(collector.is_done());
    (prompts, collector.finish())
}

#[test]
fn crops_of_each_step_and_a_manifest_that_train_reads() {
    let folder = tempfile::tempdir().unwrap();
    // Closed from 4.5 s (the second step) to 9 s; each step takes 4.5 s.
    let closed = |time| if (4.5..9.0).contains(&time) { 0.9 } else { 0.1 };
    let (prompts, collected) = run(folder.path(), 40.0, closed);
    let collected = collected.unwrap();
    let begun = prompts
        .iter()
        .filter(|p| matches!(p, Prompt::Begin { .. }))
        .count();
    assert_eq!((begun, prompts.last()), (3, Some(&Prompt::Done)));
    assert!(
        prompts.contains(&Prompt::End {
            kept: 14,
            closed: true
        }),
        "{prompts:?}"
    );
    assert_eq!((collected.train, collected.val), (28, 14));
    let manifest = Manifest::read(&collected.manifest).unwrap();
    assert_eq!(manifest.samples.len(), 42);
    let second = manifest.samples.iter().filter(|s| s.subject == "me-2");
    assert!(second.clone().count() == 14 && second.clone().all(|s| s.split == Split::Val));
    let image = image::open(folder.path().join(&manifest.samples[0].path)).unwrap();
    assert_eq!((image.width(), image.color()), (40, image::ColorType::L8));
    // Nothing but crops and the manifest is there.
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2);
    let again = Collector::new(folder.path(), "me", &steps());
    assert!(matches!(again, Err(CollectError::Exists(_))));
}

/// A blink while the eyes are to be open is left out, but a model that calls an open eye closed throughout does not
/// decide what is kept.
#[test]
fn blinks_are_left_out_and_a_model_that_is_wrong_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let blinking = |time: f64| {
        if (3.0..3.3).contains(&time) {
            0.95
        } else {
            0.0
        }
    };
    let (prompts, _) = run(&folder.path().join("a"), 40.0, blinking);
    assert!(
        matches!(
            prompts[1],
            Prompt::End {
                kept: 10..=12,
                closed: false
            }
        ),
        "{prompts:?}"
    );
    let (prompts, _) = run(&folder.path().join("b"), 40.0, |_| 0.95);
    assert!(
        matches!(prompts[1], Prompt::End { kept: 14, .. }),
        "{prompts:?}"
    );
}

#[test]
fn eyes_that_are_too_small_or_a_strange_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, collected) = run(folder.path(), 12.0, |_| 0.0);
    assert!(matches!(collected, Err(CollectError::Nothing)));
    for name in ["", "../me", "a b"] {
        let refused = Collector::new(&folder.path().join("x"), name, &steps());
        assert!(matches!(refused, Err(CollectError::Subject(_))), "{name}");
    }
}

#[test]
fn the_guide_takes_about_two_minutes_and_asks_for_everything() {
    let whole: Duration = STEPS.iter().map(|step| LEAD + step.length()).sum();
    assert!((100..=130).contains(&whole.as_secs()), "{whole:?}");
    for round in [Round::Train, Round::Val] {
        for label in [EyeState::Open, EyeState::PartiallyOpen, EyeState::Closed] {
            assert!(
                STEPS
                    .iter()
                    .any(|step| step.round == round && step.label == label)
            );
        }
    }
}
