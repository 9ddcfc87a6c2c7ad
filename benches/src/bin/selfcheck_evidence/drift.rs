//! False alarms of the drift monitor on clean clips in a loop, and its delay after a switch to blurred,
//! dark, noisy and other-sensor frames.

use super::{Report, clips};
use image::{GrayImage, imageops};
use parseye_benches::statistics::quantile;
use parseye_vision::{
    classify::{EyeStateModel, input::USUAL_SIDE},
    eye_crop::eye_crop,
    eye_monitor::EyeMonitor,
    eye_state::Eye,
    frame::Frame,
    locate::crop::Roi,
    reading::EyeReading,
    selfcheck::{
        camera_snr::CameraNoise,
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
    let noisy = |luma: &GrayImage, gain: f64, sigma: f64| {
        let levels = luma.as_raw().iter().map(|v| gain * f64::from(*v));
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

/// Drift samples of a recording, one for each eye that was measured, and its length in seconds.
#[derive(Default)]
struct Recording {
    samples: Vec<DriftSample>,
    length: f64,
}

impl Recording {
    /// Processes at most `most` frames of a clip, degraded as the change says.
    fn of_clip(
        path: &Path,
        monitor: &mut EyeMonitor,
        change: Option<&str>,
        most: usize,
    ) -> anyhow::Result<Self> {
        monitor.reset();
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
            let reading = monitor.process(&frame)?.reading;
            let luma = Arc::new(frame.luma);
            noise.observe(&luma, frame.time);
            let frame_noise = noise.frame_noise();
            for eye in Eye::ALL {
                if let EyeReading::Measured {
                    probabilities,
                    square,
                    ..
                } = reading.eyes.get(eye)
                {
                    let snr = |square: &Roi| {
                        let noise = frame_noise.as_ref().ok()?;
                        noise
                            .camera_snr(square, &eye_crop(&luma, square, USUAL_SIDE))
                            .ok()
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
        Ok(Self {
            samples,
            length: length.as_secs_f64(),
        })
    }

    /// Adds another recording behind this one.
    fn append(&mut self, other: &Self) {
        let offset = Duration::from_secs_f64(self.length);
        self.samples
            .extend(other.samples.iter().map(|sample| DriftSample {
                time: sample.time + offset,
                ..*sample
            }));
        self.length += other.length;
    }

    /// Feeds the recording in a loop from `begin` on for `seconds`; what was raised.
    fn feed(&self, monitor: &mut DriftMonitor, begin: f64, seconds: f64) -> Vec<DriftEvent> {
        let mut raised = Vec::new();
        let mut offset = 0.0;
        while offset < seconds && !self.samples.is_empty() {
            for sample in &self.samples {
                let time = offset + sample.time.as_secs_f64();
                if time >= seconds {
                    break;
                }
                let events = monitor.add(&DriftSample {
                    time: Duration::from_secs_f64(begin + time),
                    ..*sample
                });
                raised.extend(events.into_iter().filter(|e| e.phase == DriftPhase::Raised));
            }
            offset += self.length;
        }
        raised
    }
}

pub fn run(data: &Path, every: usize, report: &mut Report) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let mut eyes = clips::monitor(&model)?;
    let monitor = || DriftMonitor::new(model.card(), DriftTuning::default());
    report.point("clip,change,quantity,detector,delay_s".into());
    let mut everything = Recording::default();
    let mut alarms = 0;
    let paths = clips::paths(data, every)?;
    // Of each clip and change that leaves a face: the change, and the delay where it was found.
    let mut delays: Vec<(usize, Option<f64>)> = Vec::new();
    for path in &paths {
        let name = parseye_capture::name_of(path);
        let clean = Recording::of_clip(path, &mut eyes, None, usize::MAX)?;
        everything.append(&clean);
        let raised = clean.feed(&mut monitor(), 0.0, CLEAN_S);
        alarms += raised.len();
        print_clean(&name, &raised, report)?;
        for (kind, change) in CHANGES.iter().enumerate() {
            let changed = Recording::of_clip(path, &mut eyes, Some(change), DEGRADED_FRAMES)?;
            let mut monitor = monitor();
            clean.feed(&mut monitor, 0.0, BEFORE_S);
            let raised = changed.feed(&mut monitor, BEFORE_S, AFTER_S);
            // A lost face is no drift: events report it at once.
            let unseen = changed.samples.is_empty();
            print_change(&name, change, raised.first(), unseen, report)?;
            if !unseen {
                delays.push((kind, raised.first().map(delay)));
            }
        }
    }
    let raised = everything.feed(&mut monitor(), 0.0, CLEAN_S);
    print_false_alarms(alarms, paths.len(), &raised, report)?;
    print_delays(&delays, report)
}

/// Seconds from the change to the alarm.
fn delay(event: &DriftEvent) -> f64 {
    event.time - BEFORE_S
}

fn print_clean(name: &str, raised: &[DriftEvent], report: &Report) -> anyhow::Result<()> {
    let alarms: Vec<String> = raised
        .iter()
        .map(|e| format!("{:?} at {:.0} s", e.quantity, e.time))
        .collect();
    report.print(&format!(
        "{name}: an hour of it alone: {} alarms {}",
        raised.len(),
        alarms.join(", ")
    ))
}

fn print_change(
    name: &str,
    change: &str,
    first: Option<&DriftEvent>,
    unseen: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    let found = match (first, unseen) {
        (Some(event), _) => format!(
            "{:?} {:?} after {:.0} s, {} to {}",
            event.quantity,
            event.shift,
            delay(event),
            number(event.reference),
            number(event.now)
        ),
        (None, true) => "no face any more".into(),
        (None, false) => "not found".into(),
    };
    if let Some(event) = first {
        report.point(format!(
            "{name},{change},{:?},{:?},{:.1}",
            event.quantity,
            event.detector,
            delay(event)
        ));
    }
    report.print(&format!("  {change}: {found}"))
}

fn print_false_alarms(
    alarms: usize,
    clips: usize,
    raised: &[DriftEvent],
    report: &Report,
) -> anyhow::Result<()> {
    let all_clips: Vec<String> = raised
        .iter()
        .map(|e| format!("{:?} ({:?}) at {:.0} s", e.quantity, e.detector, e.time))
        .collect();
    report.print(&format!(
        "false alarms: {:.2} an hour on single clips in a loop ({clips} hours), {} in an hour of all clips in a loop {}",
        alarms as f64 / clips as f64,
        raised.len(),
        all_clips.join(", ")
    ))
}

fn print_delays(delays: &[(usize, Option<f64>)], report: &Report) -> anyhow::Result<()> {
    for (kind, change) in CHANGES.iter().enumerate() {
        let of = delays.iter().filter(|(k, _)| *k == kind);
        let mut found: Vec<f64> = of.clone().filter_map(|(_, delay)| *delay).collect();
        report.print(&format!(
            "{change}: found in {} of {} clips, delay median {:.0} s, at most {:.0} s",
            found.len(),
            of.count(),
            quantile(&mut found, 0.5),
            quantile(&mut found, 1.0)
        ))?;
    }
    Ok(())
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))
}
