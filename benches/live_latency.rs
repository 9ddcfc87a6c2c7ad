//! The age of frames at the end of processing, in the live pipeline with a drawn camera of 30 frames a second.
//!
//! It runs without the self-check and with it as it is by default, in turns, and prints which share of a core
//! that takes (on Linux) and what it does to the age.
//!
//! `cargo bench -p parseye-benches --bench live_latency [-- SECONDS [ROUNDS [OUT.svg]]]`. The camera shows the
//! project's drawn face at 480x360. The time to decode a camera's buffer is not in it (benches/frame_stages.rs
//! has the other stages).

use clap::Parser;
use image::RgbImage;
use parseye::{
    config::Settings,
    live::{
        LiveChannels, MonitorOptions, SelfCheckSlot, SelfCheckThread, Stop, WatchedSource, monitor,
    },
};
use parseye_benches::{arguments, statistics::quantile};
use parseye_capture::{CaptureLoss, LiveOpener, LiveSource, Read, SourceError};
use parseye_events::{event::Event, fanout::Next};
use parseye_testkit::synthetic_face;
use parseye_vision::{
    classify::{EyeStateModel, gradient::GradientModel},
    eye_monitor::EyeMonitor,
    frame::Frame,
    locate::FACE_DETECTOR_FILE,
};
use plotters::prelude::*;
use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use synthetic_face::{Blink, HEIGHT, WIDTH, draw};

const RATE: f64 = 30.0;

/// Images drawn beforehand and shown in turns.
const IMAGES: usize = 60;

/// No frame should be older than this many intervals at the 99th percentile.
const INTERVALS: f64 = 2.0;

/// A camera that shows drawn images on time.
struct DrawnCamera {
    images: Vec<RgbImage>,
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
        let image = &self.images[self.sequence as usize % self.images.len()];
        // A frame's time is when it was due, as a driver would stamp it: a reader that is late must
        // not look early.
        let frame = Frame::from_rgb(self.sequence, due, image.clone());
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

fn images() -> Result<Vec<RgbImage>, Box<dyn Error>> {
    let blink = [Blink {
        first: 30,
        last: 34,
    }];
    (0..IMAGES)
        .map(|frame| {
            RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, draw(frame, &blink))
                .ok_or_else(|| "the drawn image is not whole".into())
        })
        .collect()
}

/// What was measured.
struct Measured {
    /// Time in seconds and age in milliseconds of each frame.
    ages: Vec<(f64, f64)>,
    /// Frames that newer ones dropped.
    dropped: u64,
    /// Checks made, and the share of a core that they took; `None` without them.
    checks: Option<(usize, Option<f64>)>,
}

/// Processor time of this process's self-check thread in seconds; `None` where the system does not report it.
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
    let detector = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../models/face-detector")
        .join(FACE_DETECTOR_FILE);
    let mut settings = Settings::default();
    settings.detector.file = Some(detector);
    let model = EyeStateModel::built_in()?;
    let mut eyes = EyeMonitor::new(&settings.vision(), &model)?;
    let camera = DrawnCamera {
        images: images()?,
        opened: Instant::now(),
        sequence: 0,
    };
    let channels = LiveChannels::new();
    let self_check = Arc::<SelfCheckSlot>::default();
    let reader = channels
        .events
        .subscribe((2.0 * RATE * seconds) as usize + 100);
    let checks = if checked {
        let gradient = GradientModel::built_in(&model)?;
        SelfCheckThread::start(
            &channels,
            &self_check,
            &model,
            Some(&gradient),
            &settings.selfcheck,
        )?
    } else {
        None
    };
    let options = MonitorOptions {
        duration: Some(Duration::try_from_secs_f64(seconds)?),
        stall_timeout: None,
        model: model.card().name.clone(),
        watching: String::new(),
        self_check,
    };
    let source = WatchedSource::opened(Box::new(NoOpener), Box::new(camera));
    let watched = monitor(source, &mut eyes, &channels, &options, &Stop::new())?;
    let busy = self_check_seconds();
    channels.events.end();
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
        dropped: watched.lost.dropped,
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

/// Results of several runs of one kind.
#[derive(Default)]
struct Runs {
    /// Ages of all frames in milliseconds.
    ages: Vec<f64>,
    /// The 99th percentile of each run.
    p99: Vec<f64>,
    dropped: u64,
    checks: usize,
    /// Shares of a core of each run's checks, where the system reports them.
    shares: Vec<f64>,
}

impl Runs {
    fn add(&mut self, run: &Measured) {
        let mut ages: Vec<f64> = run.ages.iter().map(|age| age.1).collect();
        self.p99.push(quantile(&mut ages, 0.99));
        self.ages.extend(ages);
        self.dropped += run.dropped;
        if let Some((made, share)) = run.checks {
            self.checks += made;
            self.shares.extend(share);
        }
    }

    fn line(&self, limit: f64) -> String {
        let mut ages = self.ages.clone();
        let late = ages.iter().filter(|age| **age > limit).count();
        format!(
            "{} frames processed, {} dropped; age p50 {:.1} ms, p95 {:.1}, p99 {:.1}, most {:.1}; {late} older than two intervals ({limit:.0} ms)",
            ages.len(),
            self.dropped,
            quantile(&mut ages, 0.5),
            quantile(&mut ages, 0.95),
            quantile(&mut ages, 0.99),
            quantile(&mut ages, 1.0),
        )
    }
}

/// Measures the age of frames in the live pipeline, with the self-check and without
#[derive(Parser)]
#[command(name = "live_latency")]
struct LatencyArguments {
    /// Length of a run
    #[arg(default_value_t = 60.0)]
    seconds: f64,
    /// Runs of each kind
    #[arg(default_value_t = 4)]
    rounds: usize,
    /// Plot of the last run with the self-check; target/live_latency.svg by default
    #[arg(value_name = "OUT.svg")]
    plot: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: LatencyArguments = arguments::parse();
    let (seconds, rounds) = (arguments.seconds, arguments.rounds);
    let path = arguments.plot.unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/live_latency.svg")
    });
    let limit = INTERVALS * 1000.0 / RATE;
    let (mut off, mut on) = (Runs::default(), Runs::default());
    for round in 0..rounds {
        // In the other order each time, so that a machine that slows down favours neither.
        let order = if round % 2 == 0 {
            [false, true]
        } else {
            [true, false]
        };
        for checked in order {
            let run = measure(seconds, checked)?;
            let runs = if checked { &mut on } else { &mut off };
            runs.add(&run);
            if checked && round + 1 == rounds {
                plot(&path, &run.ages, limit, "Age of each frame, self-check on")?;
            }
        }
    }
    eprintln!("{rounds} runs of {seconds:.0} s each way, turn and turn about");
    print_comparison(off, on, limit);
    eprintln!("{}", path.display());
    Ok(())
}

fn print_comparison(mut off: Runs, mut on: Runs, limit: f64) {
    eprintln!("self-check off: {}", off.line(limit));
    let share = on.shares.iter().sum::<f64>() / on.shares.len() as f64;
    eprintln!(
        "self-check on:  {}; {} checks in {:.1} % of a core",
        on.line(limit),
        on.checks,
        100.0 * share
    );
    let pairs = on.p99.iter().zip(&off.p99);
    let mut ratios: Vec<f64> = pairs.map(|(on, off)| on / off).collect();
    eprintln!(
        "p99 on/off, run by run: median {:.2}, from {:.2} to {:.2}; of all frames {:.2}",
        quantile(&mut ratios, 0.5),
        quantile(&mut ratios, 0.0),
        quantile(&mut ratios, 1.0),
        quantile(&mut on.ages, 0.99) / quantile(&mut off.ages, 0.99)
    );
}
