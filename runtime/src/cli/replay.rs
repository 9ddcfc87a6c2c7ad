//! `parseye replay`: recordings in; events, statistics and annotated videos out.

use super::{
    complain, exit_status, load_gradient, load_model, print_beside,
    resolve::{ReplayPlan, ReplaySource},
    still, stop_on_signals,
    watch::watch,
};
use crate::{
    annotate::video::VideoWriter,
    channels::Stop,
    config::Settings,
    live::{LiveOptions, LiveRun},
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
    evaluate::{score::RecordingScore, truth::Truth},
    eye_monitor::EyeMonitor,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
    time::Duration,
};

/// Least time that a source counts against `--duration`: a single image has no duration, and looped would
/// never reach it.
const MIN_DURATION: Duration = Duration::from_millis(10);

/// Runs the command.
///
/// # Errors
/// When a model or an output cannot be used. A recording that cannot be read to its end is reported and
/// changes the exit status only; one of which all was read, but for damaged frames amid others, is reported.
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
    let mut eye_monitor = EyeMonitor::new(&plan.settings.vision(), &model)?;
    let mut log = match &plan.settings.report.log {
        Some(path) => {
            let detail = plan.settings.report.detail(&plan.settings.temporal);
            Some(EventLog::open(path, Existing::Replace)?.detailed(detail))
        }
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
            &plan.settings.detector,
            clips,
            None,
        )))?;
    }

    let mut statistics = ReplayStatistics::default();
    // In a loop each source is reported once.
    let mut known = BTreeSet::new();
    let mut failed = false;
    let mut left = plan.duration;
    'passes: loop {
        let mut empty = true;
        for source in &plan.sources {
            let log = log.as_mut();
            let replayed =
                replay_source(source, left, &plan.settings, &mut eye_monitor, log, &stop)?;
            if known.insert(&source.clip) {
                report(source, &replayed);
            }
            failed |= replayed.error.is_some();
            statistics.add(&source.clip, &replayed, truth.as_ref());
            empty &= replayed.statistics.frames() == 0;
            let duration = replayed.statistics.duration().max(MIN_DURATION);
            left = left.map(|left| left.saturating_sub(duration));
            if replayed.outcome == Outcome::Interrupted || left == Some(Duration::ZERO) {
                break 'passes;
            }
        }
        // Sources without a frame would be opened again for ever.
        if empty || !plan.loop_forever {
            break;
        }
    }
    if let Some(log) = log {
        log.finish()?;
    }
    let stills = std::mem::take(&mut statistics.stills);
    let summary = statistics.summary();
    match &plan.summary {
        Some(path) => write_json(path, &summary)?,
        // Where nothing was read, the errors say all there is to say.
        None if summary.all.frames == 0 && failed => {}
        None => print_beside([&plan.settings.report.log], &summary.text_with(&stills))?,
    }
    let outcome = match failed {
        false => Outcome::Complete,
        true => Outcome::Failed,
    };
    Ok(exit_status(outcome, &stop))
}

/// Reports what was wrong with a recording, and what is to be known of it.
fn report(source: &ReplaySource, replayed: &Replayed) {
    if let Some(error) = &replayed.error {
        complain(error);
    }
    for note in &replayed.notes {
        complain(&format!("note: {note}"));
    }
    let damaged = &replayed.damaged;
    if damaged.count() > 0 {
        complain(&format!(
            "note: {}: {} of {} frames are damaged and left out, by number {damaged}",
            source.path.display(),
            damaged.count(),
            replayed.statistics.frames() + damaged.count()
        ));
    }
}

/// Plays a recording at its own pace.
fn play(source: &ReplaySource, plan: &ReplayPlan, stop: &Stop) -> anyhow::Result<ExitCode> {
    let settings = &plan.settings;
    let run = LiveRun::prepare(settings, stop, |line| complain(&line))?;
    let image_rate = settings.recording.image_rate;
    let opener = PacedRecording::new(&source.path, image_rate, plan.loop_forever);
    let model = load_model(settings)?;
    let options = LiveOptions {
        opener: Box::new(opener),
        mode: Mode::Realtime,
        existing: Existing::Replace,
        stall_timeout: None,
        duration: plan.duration,
        gradient: load_gradient(settings, &model)?,
        model,
    };
    watch(run, options, settings, stop)
}

fn read_truth(path: &Path, sources: &[ReplaySource]) -> anyhow::Result<Truth> {
    let truth = Truth::read(path)?;
    for missing in sources
        .iter()
        .filter_map(|source| truth.missing(&source.clip))
    {
        complain(&format!("note: {} has {missing}", path.display()));
    }
    Ok(truth)
}

fn replay_source(
    source: &ReplaySource,
    max_duration: Option<Duration>,
    settings: &Settings,
    eye_monitor: &mut EyeMonitor,
    log: Option<&mut EventLog>,
    stop: &Stop,
) -> anyhow::Result<Replayed> {
    let video = source
        .annotate
        .as_deref()
        .map(VideoWriter::create)
        .transpose()?;
    let recording = open_recording(&source.path, settings.recording.image_rate).map(|recording| {
        match max_duration {
            Some(duration) => Box::new(ShortenedRecording::new(recording, duration)),
            None => recording,
        }
    });
    let outputs = ReplayOutputs { log, video };
    Ok(replay(&source.clip, recording, eye_monitor, outputs, stop)?)
}

/// Statistics of all sources: of each one only the summary, not the histograms it comes from, so that a
/// thousand sources take no more memory than one.
#[derive(Default)]
struct ReplayStatistics {
    all: RunAccumulator,
    scores: Option<Vec<RecordingScore>>,
    clips: BTreeMap<String, Summary>,
    /// Of a source of one frame, what its eyes are.
    stills: BTreeMap<String, String>,
}

impl ReplayStatistics {
    fn add(&mut self, clip: &str, replayed: &Replayed, truth: Option<&Truth>) {
        let score = truth.map(|truth| score(clip, replayed, truth));
        if let Some(score) = score {
            self.scores.get_or_insert_default().push(score);
        }
        if let (Some(reading), None) = (&replayed.still, truth) {
            self.stills
                .insert(clip.to_owned(), still::text(clip, reading));
        }
        self.all.merge(&replayed.statistics);
        self.clips
            .insert(clip.to_owned(), replayed.statistics.summary(score));
    }

    fn summary(self) -> RunSummary {
        RunSummary {
            all: self
                .all
                .summary(self.scores.as_deref().map(RecordingScore::total)),
            clips: self.clips,
        }
    }
}

fn score(clip: &str, replayed: &Replayed, truth: &Truth) -> RecordingScore {
    let statistics = &replayed.statistics;
    let length = (statistics.frames(), statistics.duration().as_secs_f64());
    let is_complete = replayed.outcome == Outcome::Complete;
    RecordingScore::of_clip(clip, statistics.found(), truth, length, is_complete)
}
