//! `parseye collect`: records one's own eyes for training, step by step.

use super::{complain, exit_status, load_model, resolve::CollectPlan, stop_on_signals};
use crate::{
    channels::Stop,
    collect::{Collector, Prompt, STEPS},
};
use anyhow::bail;
use parseye_capture::{
    CameraOpener, FrameSource, LiveOpener, LiveSource, Read, STALL_TIMEOUT, open_recording,
};
use parseye_events::event::Outcome;
use parseye_vision::{eye_monitor::EyeMonitor, frame::Frame};
use std::{
    io::{IsTerminal, stderr},
    process::ExitCode,
    time::{Duration, Instant},
};

/// Wait for a frame; a request to stop is seen in between.
const WAIT: Duration = Duration::from_millis(100);

/// Runs the command.
///
/// # Errors
/// When there is no camera or it is lost, the folder cannot be written, or no eye was seen.
pub(super) fn run(plan: &CollectPlan) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let model = load_model(&plan.settings)?;
    let mut monitor = EyeMonitor::new(&plan.settings.vision(), &model)?;
    let mut collector = Collector::new(&plan.out, &plan.subject, &STEPS)?;
    let mut frames = Frames::open(plan)?;
    eprintln!(
        "for two minutes, do what is said here; kept are gray pictures of your eyes alone, in {}, and nowhere else",
        plan.out.display()
    );
    while !collector.is_done() && stop.requested().is_none() {
        let Some(frame) = frames.next(&stop)? else {
            break;
        };
        let reading = monitor.process(&frame)?.reading;
        for prompt in collector.take(&frame, &reading)? {
            tell(&prompt);
        }
    }
    let outcome = match collector.is_done() {
        true => Outcome::Complete,
        false => Outcome::Interrupted,
    };
    let collected = collector.finish()?;
    if outcome != Outcome::Complete {
        complain(&format!(
            "ended after {} of {} steps",
            collected.steps,
            STEPS.len()
        ));
    }
    if collected.train == 0 || collected.val == 0 {
        complain(&"`train` needs crops of both rounds; collect them all in another --out");
    } else {
        eprintln!(
            "{}: {} crops to train on, {} to validate on; adapt the default to you by `train --base models/default.onnx --data {} --out runs/own`",
            collected.manifest.display(),
            collected.train,
            collected.val,
            plan.out.display()
        );
    }
    Ok(exit_status(outcome, &stop))
}

fn tell(prompt: &Prompt) {
    match prompt {
        Prompt::Begin {
            number,
            of,
            instruction,
        } => eprintln!("{number}/{of}: {instruction}"),
        Prompt::End { kept, closed } => {
            // Closed eyes read nothing.
            let bell = if *closed && stderr().is_terminal() {
                "\u{7}"
            } else {
                ""
            };
            let open = if *closed { "; open your eyes" } else { "" };
            eprintln!("{bell}     {kept} crops{open}");
        }
        Prompt::Done => {}
    }
}

/// A camera, or a recording in its place.
enum Frames {
    Camera(Box<dyn LiveSource>, Instant),
    Recording(Box<dyn FrameSource>),
}

impl Frames {
    fn open(plan: &CollectPlan) -> anyhow::Result<Self> {
        Ok(match &plan.recording {
            Some(path) => {
                Self::Recording(open_recording(path, plan.settings.recording.image_rate)?)
            }
            None => {
                let mut opener = CameraOpener::new(plan.settings.camera.clone())?;
                Self::Camera(opener.open()?, Instant::now())
            }
        })
    }

    /// The next frame; `None` at the end, or when the user stopped.
    fn next(&mut self, stop: &Stop) -> anyhow::Result<Option<Frame>> {
        let (source, last) = match self {
            Self::Recording(source) => return Ok(source.next_frame()?),
            Self::Camera(source, last) => (source, last),
        };
        while stop.requested().is_none() {
            match source.read(WAIT)? {
                Read::Frame(frame) => {
                    *last = Instant::now();
                    return Ok(Some(frame));
                }
                Read::Ended => return Ok(None),
                Read::Nothing if last.elapsed() > 2 * STALL_TIMEOUT => {
                    bail!(
                        "the camera delivers no frames; see `parseye cameras`, and give another --camera"
                    );
                }
                Read::Nothing => {}
            }
        }
        Ok(None)
    }
}
