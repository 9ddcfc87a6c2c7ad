//! `parseye replay`: recordings in, events, sums and annotated videos out.

use super::{
    alarm, complain,
    dashboards::Dashboards,
    exit_status, load_model, print,
    resolve::{ReplayPlan, ReplaySource},
    stop_on_signals,
    watch::{LiveInput, watch},
};
use crate::{
    annotate::video::VideoWriter,
    config::Settings,
    live::Stop,
    replay::{ReplayOutputs, Replayed, replay},
};
use parseye_capture::{PacedRecording, ShortenedRecording, open_recording};
use parseye_events::{
    event::{Event, Mode, Outcome, StartEvent},
    jsonl::{EventLog, Existing},
    summary::{RunAccumulator, RunSummary, Summary},
    write_json,
};
use parseye_vision::{
    evaluate::{
        score::Score,
        truth::{ClipTruth, Truth},
    },
    eye_monitor::EyeMonitor,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
    time::Duration,
};

/// What a source counts for at least against `--duration`: a single picture has no length, and
/// played again and again would never end.
const LEAST_LENGTH: Duration = Duration::from_millis(10);

/// Runs the command.
///
/// # Errors
/// When nothing could be done, or an output failed. A damaged recording is complained about and
/// changes the exit status only.
pub fn run(plan: ReplayPlan) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    if let (true, [source]) = (plan.realtime, plan.sources.as_slice()) {
        return play(source, &plan, &stop);
    }
    let truth = plan
        .truth
        .as_deref()
        .map(|path| read_truth(path, &plan.sources))
        .transpose()?;
    let model = load_model(&plan.settings)?;
    let mut chain = EyeMonitor::new(&plan.settings.vision(), &model)?;
    let mut log = match &plan.settings.report.log {
        Some(path) => Some(EventLog::open(path, Existing::Replace)?),
        None => None,
    };
    if let Some(log) = &mut log {
        let clips = plan
            .sources
            .iter()
            .map(|source| source.clip.clone())
            .collect();
        log.write(&Event::Start(StartEvent::new(
            Mode::Replay,
            &model,
            clips,
            None,
        )))?;
    }

    let mut sums = Sums::default();
    let mut complained = BTreeSet::new();
    let mut left = plan.duration;
    'passes: loop {
        let mut empty = true;
        for source in &plan.sources {
            let log = log.as_mut();
            let replayed = replay_source(source, left, &plan.settings, &mut chain, log, &stop)?;
            if let Some(error) = &replayed.error
                && complained.insert(&source.clip)
            {
                complain(error);
            }
            sums.add(&source.clip, &replayed, truth.as_ref());
            empty &= replayed.tally.frames() == 0;
            let length = replayed.tally.duration().max(LEAST_LENGTH);
            left = left.map(|left| left.saturating_sub(length));
            if replayed.outcome == Outcome::Interrupted || left == Some(Duration::ZERO) {
                break 'passes;
            }
        }
        // Sources that give nothing would be opened for ever.
        if empty || !plan.loop_forever {
            break;
        }
    }
    if let Some(log) = log {
        log.finish()?;
    }
    let summary = sums.summary();
    match &plan.summary {
        Some(path) => write_json(path, &summary)?,
        None => print(&summary.text())?,
    }
    let outcome = match complained.is_empty() {
        true => Outcome::Complete,
        false => Outcome::Failed,
    };
    Ok(exit_status(outcome, &stop))
}

/// Plays a recording at its own pace.
fn play(source: &ReplaySource, plan: &ReplayPlan, stop: &Stop) -> anyhow::Result<ExitCode> {
    let settings = &plan.settings;
    let dashboards = Dashboards::listen(settings, stop)?;
    let alarm = alarm::start(settings, &dashboards)?;
    let image_rate = settings.recording.image_rate;
    let opener = PacedRecording::new(&source.path, image_rate, plan.loop_forever);
    let watched = LiveInput {
        opener: Box::new(opener),
        mode: Mode::Realtime,
        existing: Existing::Replace,
        silence: None,
        duration: plan.duration,
    };
    watch(watched, settings, stop, dashboards, alarm)
}

fn read_truth(path: &Path, sources: &[ReplaySource]) -> anyhow::Result<Truth> {
    let truth = Truth::read(path)?;
    let clips: Vec<String> = sources.iter().map(|source| source.clip.clone()).collect();
    truth.expect_any(&clips, path)?;
    for clip in clips.iter().filter(|clip| !truth.clips.contains_key(*clip)) {
        complain(&format!(
            "note: {} has no row for '{clip}'; every blink found in it counts as a false alarm",
            path.display()
        ));
    }
    Ok(truth)
}

fn replay_source(
    source: &ReplaySource,
    at_most: Option<Duration>,
    settings: &Settings,
    chain: &mut EyeMonitor,
    log: Option<&mut EventLog>,
    stop: &Stop,
) -> anyhow::Result<Replayed> {
    let video = source
        .annotate
        .as_deref()
        .map(VideoWriter::create)
        .transpose()?;
    let recording =
        open_recording(&source.path, settings.recording.image_rate).map(
            |recording| match at_most {
                Some(length) => Box::new(ShortenedRecording::new(recording, length)),
                None => recording,
            },
        );
    let outputs = ReplayOutputs { log, video };
    Ok(replay(&source.clip, recording, chain, outputs, stop)?)
}

/// What is kept of each source: its sums as they are written, not the histograms they come from, so
/// that a thousand sources take no more memory than one.
#[derive(Default)]
struct Sums {
    all: RunAccumulator,
    scores: Option<Vec<Score>>,
    clips: BTreeMap<String, Summary>,
}

impl Sums {
    fn add(&mut self, clip: &str, replayed: &Replayed, truth: Option<&Truth>) {
        let score = truth.map(|truth| score(clip, replayed, truth));
        if let Some(score) = score {
            self.scores.get_or_insert_default().push(score);
        }
        self.all.merge(&replayed.tally);
        self.clips
            .insert(clip.to_owned(), replayed.tally.summary(score));
    }

    fn summary(self) -> RunSummary {
        RunSummary {
            all: self.all.summary(self.scores.as_ref().map(Score::total)),
            clips: self.clips,
        }
    }
}

fn score(clip: &str, replayed: &Replayed, truth: &Truth) -> Score {
    let mut truth: ClipTruth = truth.clips.get(clip).cloned().unwrap_or_default();
    if replayed.outcome != Outcome::Complete {
        // What was never read cannot be missed.
        truth
            .blinks
            .retain(|blink| blink.last < replayed.tally.frames());
    }
    Score::of_clip(replayed.tally.blinks_of_both(), &truth)
}
