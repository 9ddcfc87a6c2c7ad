//! False alarms of the drift monitor on clean clips in a loop, and its delay after a switch to blurred,
//! dark, noisy and other-sensor pictures.

use super::{Points, clips};
use image::{GrayImage, imageops};
use parseye_vision::{
    classify::EyeStateModel,
    eye_monitor::EyeMonitor,
    eye_state::Eye,
    frame::Frame,
    locate::crop::Roi,
    reading::EyeReading,
    selfcheck::{
        camera_snr::CameraNoise,
        corruptions::cut,
        drift::{DriftEvent, DriftMonitor, DriftPhase, DriftSample, DriftTuning},
    },
};
use std::{path::Path, sync::Arc, time::Duration};

/// Frames of a clip that are degraded; the loop repeats them.
const DEGRADED_FRAMES: usize = 90;

/// Length of the clean loop for false alarms, and before a switch, and of what follows it.
const CLEAN_S: f64 = 3600.0;
const BEFORE_S: f64 = 300.0;
const AFTER_S: f64 = 180.0;

const CHANGES: [&str; 4] = ["blurred", "dark", "noisy", "other sensor"];

/// What the clean camera adds, so that there is a noise to measure: a good webcam's.
const CLEAN_SIGMA: f64 = 2.0;

fn degraded(change: Option<&str>, luma: &GrayImage, seed: u64) -> anyhow::Result<GrayImage> {
    let (width, height) = luma.dimensions();
    let noisy = |picture: &GrayImage, gain: f64, sigma: f64| {
        let levels = picture.as_raw().iter().map(|v| gain * f64::from(*v));
        clips::with_noise(levels, width, height, |_| sigma * sigma, seed)
    };
    Ok(match change {
        Some("blurred") => {
            // A quarter of the resolution and back: a lens with grease on it.
            let small =
                imageops::resize(luma, width / 8, height / 8, imageops::FilterType::Triangle);
            let soft = imageops::resize(&small, width, height, imageops::FilterType::Triangle);
            noisy(&soft, 1.0, CLEAN_SIGMA)
        }
        Some("dark") => noisy(luma, 0.12, CLEAN_SIGMA),
        Some("noisy") => noisy(luma, 1.0, 25.0),
        Some("other sensor") => {
            // A cheap one: a third of the resolution, its own noise, a steep tone curve, hard JPEG.
            let small =
                imageops::resize(luma, width / 3, height / 3, imageops::FilterType::Triangle);
            let back = imageops::resize(&small, width, height, imageops::FilterType::Nearest);
            let mut toned = noisy(&back, 1.0, 8.0);
            for pixel in toned.iter_mut() {
                *pixel = (255.0 * (f64::from(*pixel) / 255.0).powf(1.8)).round() as u8;
            }
            clips::after_jpeg(&toned, 40)?
        }
        _ => noisy(luma, 1.0, CLEAN_SIGMA),
    })
}

/// The answers of a clip's frames, a sample for each eye.
fn samples(
    path: &Path,
    chain: &mut EyeMonitor,
    change: Option<&str>,
    most: usize,
) -> anyhow::Result<(Vec<DriftSample>, f64)> {
    chain.reset();
    let mut source = parseye_capture::open_recording(path, 30.0)?;
    let mut noise = CameraNoise::new();
    let mut samples = Vec::new();
    let mut length = Duration::ZERO;
    let mut index = 0;
    while index < most
        && let Some(frame) = source.next_frame()?
    {
        let luma = degraded(change, &frame.luma, index as u64)?;
        let frame = Frame {
            rgb: clips::coloured(&luma),
            luma,
            ..frame
        };
        let reading = chain.process(&frame)?.reading;
        let luma = Arc::new(frame.luma);
        noise.observe(&luma, frame.time);
        let frame_noise = noise.frame_noise();
        for eye in Eye::ALL {
            if let EyeReading::Measured {
                probabilities,
                square,
            } = reading.eyes.get(eye)
            {
                let snr = |square: &Roi| {
                    let noise = frame_noise.as_ref().ok()?;
                    noise.camera_snr(square, &cut(&luma, square)).ok()
                };
                samples.push(DriftSample {
                    time: frame.time,
                    probabilities: *probabilities,
                    // Checks are made now and then, not on every frame.
                    camera_snr_db: (index % 8 == 7)
                        .then(|| snr(square))
                        .flatten()
                        .map(|s| s.db),
                });
            }
        }
        length = frame.time + Duration::from_millis(33);
        index += 1;
    }
    Ok((samples, length.as_secs_f64()))
}

/// Feeds samples in a loop from `begin` on for `seconds`.
fn feed(
    monitor: &mut DriftMonitor,
    samples: &[DriftSample],
    length: f64,
    begin: f64,
    seconds: f64,
) -> Vec<DriftEvent> {
    let mut events = Vec::new();
    let mut offset = 0.0;
    while offset < seconds && !samples.is_empty() {
        for sample in samples {
            let time = offset + sample.time.as_secs_f64();
            if time >= seconds {
                break;
            }
            events.extend(monitor.add(&DriftSample {
                time: Duration::from_secs_f64(begin + time),
                ..*sample
            }));
        }
        offset += length;
    }
    events
}

pub fn run(data: &Path, every: usize, points: &mut Points) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let mut chain = clips::chain(&model)?;
    let monitor = || DriftMonitor::new(model.card(), DriftTuning::default());
    points.point("clip,change,quantity,detector,delay_s".into());
    let mut everything = (Vec::new(), 0.0);
    let mut alarms = 0;
    let paths = clips::paths(data, every)?;
    let mut delays: Vec<(usize, Option<f64>)> = Vec::new();
    for path in &paths {
        let name = parseye_capture::name_of(path);
        let (clean, length) = samples(path, &mut chain, None, usize::MAX)?;
        for sample in &clean {
            everything.0.push(DriftSample {
                time: sample.time + Duration::from_secs_f64(everything.1),
                ..*sample
            });
        }
        everything.1 += length;
        let events = feed(&mut monitor(), &clean, length, 0.0, CLEAN_S);
        let raised: Vec<&DriftEvent> = events
            .iter()
            .filter(|e| e.phase == DriftPhase::Raised)
            .collect();
        alarms += raised.len();
        let what: Vec<String> = raised
            .iter()
            .map(|e| format!("{:?} at {:.0} s", e.quantity, e.time))
            .collect();
        points.say(&format!(
            "{name}: an hour of it alone: {} alarms {}",
            raised.len(),
            what.join(", ")
        ))?;
        for (kind, change) in CHANGES.iter().enumerate() {
            let (worse, worse_length) = samples(path, &mut chain, Some(change), DEGRADED_FRAMES)?;
            let mut monitor = monitor();
            feed(&mut monitor, &clean, length, 0.0, BEFORE_S);
            let events = feed(&mut monitor, &worse, worse_length, BEFORE_S, AFTER_S);
            let first = events.iter().find(|e| e.phase == DriftPhase::Raised);
            let delay = first.map(|event| event.time - BEFORE_S);
            // Nothing to judge is the face's loss, which events tell at once.
            let unseen = worse.is_empty();
            points.say(&format!(
                "  {change}: {}",
                match (first, unseen) {
                    (Some(event), _) => format!(
                        "{:?} {:?} after {:.0} s, {} to {}",
                        event.quantity,
                        event.shift,
                        event.time - BEFORE_S,
                        figure(event.reference),
                        figure(event.now)
                    ),
                    (None, true) => "no face any more".into(),
                    (None, false) => "not found".into(),
                }
            ))?;
            if let Some(event) = first {
                points.point(format!(
                    "{name},{change},{:?},{:?},{:.1}",
                    event.quantity,
                    event.detector,
                    event.time - BEFORE_S
                ));
            }
            if !unseen {
                delays.push((kind, delay));
            }
        }
    }
    let events = feed(&mut monitor(), &everything.0, everything.1, 0.0, CLEAN_S);
    let raised: Vec<&DriftEvent> = events
        .iter()
        .filter(|e| e.phase == DriftPhase::Raised)
        .collect();
    let what: Vec<String> = raised
        .iter()
        .map(|e| format!("{:?} ({:?}) at {:.0} s", e.quantity, e.detector, e.time))
        .collect();
    points.say(&format!(
        "false alarms: {:.2} an hour on single clips in a loop ({} hours), {} in an hour of all clips in a loop {}",
        alarms as f64 / paths.len() as f64,
        paths.len(),
        raised.len(),
        what.join(", ")
    ))?;
    for (kind, change) in CHANGES.iter().enumerate() {
        let of = delays.iter().filter(|(k, _)| *k == kind);
        let mut found: Vec<f64> = of.clone().filter_map(|(_, delay)| *delay).collect();
        points.say(&format!(
            "{change}: found in {} of {} clips, delay median {:.0} s, at most {:.0} s",
            found.len(),
            of.count(),
            super::quantile(&mut found, 0.5),
            super::quantile(&mut found, 1.0)
        ))?;
    }
    Ok(())
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))
}
