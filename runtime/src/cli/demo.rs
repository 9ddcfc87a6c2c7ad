//! `parseye demo`: a drawn person who follows a script, through the whole live pipeline; or written as a
//! recording.

use super::{
    complain, exit_status, load_gradient, load_model, resolve::DemoPlan, stop_on_signals,
    watch::watch,
};
use crate::{
    annotate::video::VideoWriter,
    channels::Stop,
    config::Settings,
    dashboard::terminal,
    live::{LiveOptions, LiveRun},
};
use parseye_capture::{DrawnDemonstration, FrameSource, PacedRecording, ShortenedRecording};
use parseye_events::{
    event::{Mode, Outcome},
    jsonl::Existing,
};
use std::{path::Path, process::ExitCode, time::Duration};

/// Runs the command.
///
/// # Errors
/// When the models cannot be used, or an output failed.
pub fn run(plan: &DemoPlan) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    if let Some(path) = &plan.write {
        return write(path, plan.duration, &stop);
    }
    let run = LiveRun::prepare(&plan.settings, &stop, |line| complain(&line))?;
    play(run, &plan.settings, plan.duration, &stop)
}

/// Plays the demonstration in a live run: for `duration`, until the user ends it where a terminal shows it, and
/// else once.
///
/// # Errors
/// When the models cannot be used, or an output failed.
pub fn play(
    run: LiveRun<'_>,
    settings: &Settings,
    duration: Option<Duration>,
    stop: &Stop,
) -> anyhow::Result<ExitCode> {
    let shown = settings.terminal.dashboard && terminal::is_possible();
    let model = load_model(settings)?;
    let options = LiveOptions {
        opener: Box::new(PacedRecording::demonstration(shown || duration.is_some())),
        mode: Mode::Realtime,
        // A log of a camera may have that name.
        existing: Existing::Continue,
        stall_timeout: None,
        duration,
        gradient: load_gradient(settings, &model)?,
        model,
    };
    watch(run, options, settings, stop)
}

/// Writes the demonstration as a recording, as fast as it can be drawn and encoded.
fn write(path: &Path, duration: Option<Duration>, stop: &Stop) -> anyhow::Result<ExitCode> {
    let mut video = VideoWriter::create(path)?;
    let mut frames: Box<dyn FrameSource> = Box::new(DrawnDemonstration::open());
    if let Some(duration) = duration {
        frames = Box::new(ShortenedRecording::new(frames, duration));
    }
    let outcome = loop {
        if stop.requested().is_some() {
            break Outcome::Interrupted;
        }
        match frames.next_frame()? {
            Some(frame) => video.write(frame.rgb, frame.time)?,
            None => break Outcome::Complete,
        }
    };
    video.finish()?;
    Ok(exit_status(outcome, stop))
}
