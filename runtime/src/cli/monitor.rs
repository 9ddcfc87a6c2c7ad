//! `parseye monitor`: a camera in, events out, a line of status now and then.

use super::{exit_status, load_model, print, resolve::MonitorPlan, stop_on_signals};
use anyhow::anyhow;
use parseye::{
    config::CameraSettings,
    pipeline::{
        VisionChain,
        monitor::{MonitorOptions, Status, monitor, unix_time},
    },
    report::{
        event::{Event, Mode, StartEvent},
        jsonl::{EventLog, Existing},
    },
    source::{Camera, CameraRequest, FrameSource, list_cameras},
};
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

/// Runs the command.
///
/// # Errors
/// When there is no camera, it breaks off, or an output failed.
pub fn run(plan: MonitorPlan) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let camera = open_camera(&plan.settings.camera)?;
    let model = load_model(&plan.settings)?;
    let mut chain = VisionChain::new(&plan.settings, &model)?;
    let mut log = match &plan.settings.report.log {
        Some(path) => {
            let log = EventLog::open(path, Existing::Continue)?;
            Some(log.rotated(plan.settings.report.rotation()))
        }
        None => None,
    };
    if let Some(log) = &mut log {
        let clips = vec![camera.name().to_owned()];
        log.write(&Event::Start(StartEvent::new(
            Mode::Monitor,
            &model,
            clips,
            unix_time(),
        )))?;
    }
    let options = MonitorOptions {
        opened: camera.opened(),
        duration: plan.duration,
        status_every: Duration::try_from_secs_f64(plan.settings.report.status_every_s)?,
    };
    let on_terminal = io::stderr().is_terminal();
    let watched = monitor(
        Box::new(camera),
        &mut chain,
        log.as_mut(),
        &options,
        &stop,
        |status| {
            show(status, on_terminal);
        },
    );
    if on_terminal {
        let _ = writeln!(io::stderr());
    }
    let watched = watched?;
    if let Some(log) = log {
        log.finish()?;
    }
    print(&format!(
        "{}; {} frames dropped\n",
        watched.tally.summary(None),
        watched.dropped
    ))?;
    Ok(exit_status(watched.outcome, &stop))
}

fn open_camera(settings: &CameraSettings) -> anyhow::Result<Camera> {
    let camera = Camera::open(&CameraRequest {
        id: settings.id.clone(),
        width: settings.width,
        height: settings.height,
        frame_rate: settings.frame_rate,
    });
    camera.map_err(|error| match list_cameras().is_empty() {
        true => anyhow!("{error}; `make demo` makes one"),
        false => error.into(),
    })
}

/// On a terminal the line is written over the last one.
fn show(status: &Status, on_terminal: bool) {
    const CLEAR_LINE: &str = "\r\x1b[K";
    let mut stderr = io::stderr().lock();
    // A status that nobody can read is not worth ending for.
    let _ = if on_terminal {
        write!(stderr, "{CLEAR_LINE}{status}").and_then(|()| stderr.flush())
    } else {
        writeln!(stderr, "{status}")
    };
}
