//! How old a frame is when it is judged, in the live pipeline with a made-up camera of 30 frames a
//! second; guards that what is said is never old.
//!
//! It runs without the self-check and with it as it is by default, side by side, and says which share of a
//! core that takes (on Linux) and what it does to the age.
//!
//! `cargo bench -p parseye --bench live_latency [-- SECONDS [OUT.svg]]`, a minute of each and
//! target/live_latency.svg by default, which shows the run with the self-check. The camera shows the project's drawn face at 480x360. What it
//! takes to decode a camera's buffer is not in it (benches/frame_stages.rs has the other stages).

// The drawn face is a test's; what else it has is not used here.
#[allow(dead_code, clippy::expect_used)]
#[path = "../tests/support/synthetic_face.rs"]
mod synthetic_face;

use image::RgbImage;
use parseye::{
    classify::{EyeStateModel, gradient::GradientModel},
    config::Settings,
    locate::LOCATOR_FILE,
    pipeline::{
        Fanout, Next, SelfCheckThread, Stop, VisionChain,
        monitor::{MonitorOptions, monitor},
    },
    report::event::Event,
    source::{CaptureLoss, Frame, LiveOpener, LiveSource, Read, SourceError},
};
use plotters::prelude::*;
use std::{
    error::Error,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use synthetic_face::{Blink, HEIGHT, WIDTH, draw};

const RATE: f64 = 30.0;

/// Pictures drawn beforehand and shown in turns.
const PICTURES: usize = 60;

/// No frame should be older than this many intervals at the 99th percentile.
const INTERVALS: f64 = 2.0;

/// A camera that shows drawn pictures on time.
struct DrawnCamera {
    pictures: Vec<RgbImage>,
    opened: Instant,
    sequence: u64,
}

impl LiveSource for DrawnCamera {
    fn format(&self) -> String {
        format!("drawn {WIDTH}x{HEIGHT} at {RATE} frames/s")
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        CaptureLoss::default()
    }

    fn read(&mut self, _: Duration) -> Result<Read, SourceError> {
        let due = Duration::from_secs_f64(self.sequence as f64 / RATE);
        std::thread::sleep(due.saturating_sub(self.opened.elapsed()));
        let picture = &self.pictures[self.sequence as usize % self.pictures.len()];
        // A frame's time is when it was due, as a driver would stamp it: a reader that is late must
        // not look early.
        let frame = Frame::from_rgb(self.sequence, due, picture.clone());
        self.sequence += 1;
        Ok(Read::Frame(frame))
    }
}

/// There is nothing to open again.
struct NoOpener;

impl LiveOpener for NoOpener {
    fn name(&self) -> &str {
        "drawn"
    }

    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError> {
        Err(SourceError::BadRate {
            path: "drawn".into(),
            rate: RATE,
        })
    }
}

fn pictures() -> Result<Vec<RgbImage>, Box<dyn Error>> {
    let blink = [Blink {
        first: 30,
        last: 34,
    }];
    (0..PICTURES)
        .map(|frame| {
            RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, draw(frame, &blink))
                .ok_or_else(|| "the drawn picture is not whole".into())
        })
        .collect()
}

/// What was measured.
struct Measured {
    /// Of each frame its time in seconds and its age in milliseconds.
    ages: Vec<(f64, f64)>,
    /// Frames that newer ones displaced.
    displaced: u64,
    /// Checks made, and the share of a core that they took; `None` without them.
    checks: Option<(usize, Option<f64>)>,
}

/// Time that this process's self-check thread has worked, in seconds; `None` where the system does not
/// tell.
fn self_check_seconds() -> Option<f64> {
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let task = task.ok()?.path();
        if std::fs::read_to_string(task.join("comm")).ok()?.trim() == "self-check" {
            let times = std::fs::read_to_string(task.join("schedstat")).ok()?;
            let nanoseconds: f64 = times.split_whitespace().next()?.parse().ok()?;
            return Some(nanoseconds / 1e9);
        }
    }
    None
}

fn measure(seconds: f64, checked: bool) -> Result<Measured, Box<dyn Error>> {
    let locator = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../models/locator")
        .join(LOCATOR_FILE);
    let mut settings = Settings::default();
    settings.locator.file = Some(locator);
    let model = EyeStateModel::built_in()?;
    let mut chain = VisionChain::new(&settings, &model)?;
    let camera = DrawnCamera {
        pictures: pictures()?,
        opened: Instant::now(),
        sequence: 0,
    };
    let fanout = Fanout::new();
    let reader = fanout.subscribe((2.0 * RATE * seconds) as usize + 100);
    let checks = if checked {
        let gradient = GradientModel::built_in(&model)?;
        SelfCheckThread::start(&fanout, &model, Some(&gradient), &settings.selfcheck)?
    } else {
        None
    };
    let options = MonitorOptions {
        duration: Some(Duration::try_from_secs_f64(seconds)?),
        silence: None,
        model: model.card().name.clone(),
    };
    let source: Box<dyn LiveSource> = Box::new(camera);
    let watched = monitor(
        Box::new(NoOpener),
        Ok(source),
        &mut chain,
        &fanout,
        &options,
        &Stop::new(),
    )?;
    let busy = self_check_seconds();
    fanout.end();
    let ran = checks.is_some();
    if let Some(checks) = checks {
        checks.finish();
    }
    let mut made = 0;
    let mut ages = Vec::new();
    while let Next::Event(event) = reader.next(Duration::ZERO) {
        match event.as_ref() {
            Event::Eyes(eyes) => ages.extend(eyes.age_ms.map(|age| (eyes.time, age))),
            Event::Check(_) => made += 1,
            _ => {}
        }
    }
    Ok(Measured {
        ages,
        displaced: watched.lost.hand_over,
        checks: ran.then(|| (made, busy.map(|busy| busy / seconds))),
    })
}

fn plot(path: &Path, ages: &[(f64, f64)], limit: f64, title: &str) -> Result<(), Box<dyn Error>> {
    const SIZE: (u32, u32) = (960, 420);
    const AGE: RGBColor = RGBColor(0, 114, 178);
    const LIMIT: RGBColor = RGBColor(213, 94, 0);
    let end = ages.last().map_or(1.0, |last| last.0);
    let highest = ages.iter().map(|age| age.1).fold(limit, f64::max) * 1.08;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 19))
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..highest)?;
    chart
        .configure_mesh()
        .x_desc("time (s)")
        .y_desc("frame age (ms)")
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 14))
        .draw()?;
    chart.draw_series(
        ages.iter()
            .map(|age| Circle::new(*age, 2, AGE.mix(0.6).filled())),
    )?;
    chart.draw_series(LineSeries::new(
        [(0.0, limit), (end, limit)],
        LIMIT.stroke_width(2),
    ))?;
    chart.draw_series([Text::new(
        format!("two intervals, {limit:.0} ms"),
        (end * 0.01, limit + highest * 0.05),
        ("sans-serif", 14).into_font().color(&LIMIT),
    )])?;
    area.present()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds a flag of its own.
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let seconds = arguments.next().map_or(Ok(60.0), |word| word.parse())?;
    let path = arguments.next().map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/live_latency.svg"),
        PathBuf::from,
    );
    let limit = INTERVALS * 1000.0 / RATE;
    let mut p99 = Vec::new();
    for checked in [false, true] {
        let measured = measure(seconds, checked)?;
        let mut sorted: Vec<f64> = measured.ages.iter().map(|age| age.1).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1).ok_or("no frame was judged")?;
        let at = |share: f64| sorted[(share * last as f64).round() as usize];
        p99.push(at(0.99));
        let late = sorted.iter().filter(|age| **age > limit).count();
        let line = format!(
            "{} frames judged, {} displaced; age p50 {:.1} ms, p95 {:.1}, p99 {:.1}, most {:.1}; {late} older than two intervals ({limit:.0} ms)",
            sorted.len(),
            measured.displaced,
            at(0.5),
            at(0.95),
            at(0.99),
            sorted[last]
        );
        match measured.checks {
            None => eprintln!("self-check off: {line}"),
            Some((made, share)) => {
                let share = share.map_or_else(String::new, |share| {
                    format!(" in {:.1} % of a core", 100.0 * share)
                });
                eprintln!("self-check on:  {line}; {made} checks{share}");
                plot(&path, &measured.ages, limit, &line)?;
            }
        }
    }
    if let [off, on] = p99.as_slice() {
        eprintln!("p99 on/off: {:.2}; {}", on / off, path.display());
    }
    Ok(())
}
