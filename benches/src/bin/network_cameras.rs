//! Network cameras on this machine: cuts that are survived, the age of frames, and what is left behind.
//!
//! ```text
//! network_cameras [CUTS]
//! ```
//!
//! An HTTP server sends Motion JPEG whose images show their numbers, so that the age of a frame is known from
//! the moment at which its server begins to send it: encoding at an RTSP server, transport, ffmpeg and the way
//! through its pipe are all in it. Each camera is cut off CUTS times (50) after it has delivered for two seconds,
//! and opened again after a quarter of a second. RTSP is measured where GStreamer's server is
//! (`.ci/system-packages.sh rtsp`). Ends with status 1 where a bound is broken.
#![allow(clippy::print_stdout)]

use anyhow::{Context, bail, ensure};
use parseye_benches::statistics::quantile;
use parseye_capture::{CameraOpener, CameraSettings, LiveOpener, LiveSource, Read};
use parseye_testkit::{
    mjpeg_server::{MjpegServer, number_in, numbered},
    rtsp_server::RtspServer,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const RATE: f64 = 30.0;

/// How long a connection delivers before it is cut.
const DELIVERS: Duration = Duration::from_secs(2);

/// Wait before a camera is opened again, as a live run waits.
const BACK_OFF: Duration = Duration::from_millis(250);

/// Longest time until a camera delivers, or a cut is noticed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bound of the 99th percentile of frame ages.
const OLDEST_MS: f64 = 200.0;

/// What was measured of one camera.
#[derive(Default)]
struct Measured {
    ages_ms: Vec<f64>,
    /// From a cut to the next frame.
    outages_s: Vec<f64>,
    dropped: u64,
    damaged: u64,
}

fn main() -> anyhow::Result<()> {
    let cuts: u32 = match std::env::args().nth(1) {
        Some(cuts) => cuts.parse().context("CUTS is a number")?,
        None => 50,
    };
    let period = Duration::from_secs_f64(1.0 / RATE);
    println!(
        "{cuts} cuts of each camera; 320x240 at {RATE} frames/s; ages from the moment of sending"
    );
    let server = MjpegServer::start(period, None, numbered);
    let url = format!("http://{}/video", server.address());
    let http = measure(&url, cuts, &server, || server.cut())?;
    let mut broken = report("HTTP, Motion JPEG", &http, cuts);
    for codec in ["jpeg", "h264"] {
        let Ok(first) = std::panic::catch_unwind(|| RtspServer::start(&server, codec, "0", "a:b"))
        else {
            println!("RTSP: not measured, GStreamer's server is not here");
            break;
        };
        let port = first.port().to_owned();
        let url = format!("rtsp://a:b@127.0.0.1:{port}/stream");
        let mut rtsp = Some(first);
        let measured = measure(&url, cuts, &server, || {
            // The server loses its power and is switched on again.
            drop(rtsp.take());
            rtsp = Some(RtspServer::start(&server, codec, &port, "a:b"));
        })?;
        broken |= report(&format!("RTSP, {codec}"), &measured, cuts);
    }
    ensure!(!broken, "a bound is broken");
    Ok(())
}

/// Reads a camera through cuts.
fn measure(
    url: &str,
    cuts: u32,
    server: &MjpegServer,
    mut cut: impl FnMut(),
) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut opener = CameraOpener::new(CameraSettings {
        id: Some(url.into()),
        ..CameraSettings::default()
    })?;
    let mut cut_at: Option<Instant> = None;
    let mut before = None;
    for round in 0..=cuts {
        let mut source = open(&mut opener)?;
        let mut first = None;
        while first.is_none_or(|first: Instant| first.elapsed() < DELIVERS) {
            if source.opened().elapsed() > PATIENCE {
                bail!("no frame after cut {round}");
            }
            let Read::Frame(frame) = source.read(Duration::from_millis(100))? else {
                continue;
            };
            let now = Instant::now();
            let sent = server.sent(number_in(&frame.luma));
            let sent = sent.context("a frame shows a number that was never sent")?;
            measured.ages_ms.push(1e3 * (now - sent).as_secs_f64());
            if first.is_none() {
                first = Some(now);
                measured
                    .outages_s
                    .extend(cut_at.map(|cut| (now - cut).as_secs_f64()));
            }
        }
        match before {
            None => before = Some(belongings()?),
            Some(before) => leaves_nothing(before, round)?,
        }
        if round == cuts {
            measured.dropped += source.lost().driver;
            measured.damaged += source.lost().damaged();
            break;
        }
        cut_at = Some(Instant::now());
        cut();
        let noticed = Instant::now();
        while source.read(Duration::from_millis(100)).is_ok() {
            ensure!(noticed.elapsed() < PATIENCE, "a cut was not noticed");
        }
        measured.dropped += source.lost().driver;
        measured.damaged += source.lost().damaged();
        drop(source);
        std::thread::sleep(BACK_OFF);
    }
    Ok(measured)
}

/// Waits until no more belongs to this program than with the first connection.
fn leaves_nothing(before: [usize; 3], round: u32) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let now = belongings()?;
        if now.iter().zip(before).all(|(now, before)| *now <= before) {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < DELIVERS,
            "threads, files, children: {before:?} with the first connection, {now:?} after {round} cuts"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Opens a camera, again and again while its server starts.
fn open(opener: &mut CameraOpener) -> anyhow::Result<Box<dyn LiveSource>> {
    let begin = Instant::now();
    loop {
        match opener.open() {
            Ok(source) => return Ok(source),
            Err(error) if begin.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => std::thread::sleep(BACK_OFF),
        }
    }
}

/// Prints what was measured; returns whether a bound is broken.
fn report(name: &str, measured: &Measured, cuts: u32) -> bool {
    let age = |q| quantile(&mut measured.ages_ms.clone(), q);
    let outage = |q| quantile(&mut measured.outages_s.clone(), q);
    println!(
        "{name}: {} of {cuts} cuts survived, back after {:.2} s (median; most {:.2}); {} frames, age p50 {:.1} ms, p95 {:.1}, p99 {:.1}, most {:.1}; {} dropped, {} damaged; nothing leaked",
        measured.outages_s.len(),
        outage(0.5),
        outage(1.0),
        measured.ages_ms.len(),
        age(0.5),
        age(0.95),
        age(0.99),
        age(1.0),
        measured.dropped,
        measured.damaged
    );
    measured.outages_s.len() != cuts as usize || age(0.99) >= OLDEST_MS || measured.damaged > 0
}

/// Returns the numbers of threads, open files and child processes of this program.
fn belongings() -> anyhow::Result<[usize; 3]> {
    let count = |path: &str| Ok::<_, std::io::Error>(std::fs::read_dir(path)?.count());
    let mut children = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let list = std::fs::read_to_string(thread?.path().join(Path::new("children")));
        children += list.unwrap_or_default().split_whitespace().count();
    }
    Ok([count("/proc/self/task")?, count("/proc/self/fd")?, children])
}
