//! The runs of a session and their sources.

use crate::{
    event::{Mode, StartEvent},
    session::{
        listed::Listed,
        statistics::{RunStatistics, SourceStatistics},
    },
};

/// Sources that are listed at most; further ones count in the totals only.
const MOST_SOURCES: usize = 20_000;

/// The runs of a session.
#[derive(Debug, Default)]
pub(super) struct RunList {
    ended: Listed<RunStatistics>,
    present: Option<RunStatistics>,
    /// Number of sources listed so far.
    sources: usize,
}

impl RunList {
    /// Returns whether a `start` line is that of a further part of the present run.
    pub(super) fn continues_with(&self, start: &StartEvent) -> bool {
        start.part.is_some()
            && self.present.as_ref().is_some_and(|run| {
                (run.unix_time, run.model.as_ref()) == (start.unix_time, Some(&start.model))
            })
    }

    /// Begins a run with its `start` line.
    pub(super) fn begin(&mut self, start: StartEvent) {
        self.end_run();
        self.present = Some(RunStatistics {
            mode: Some(start.mode),
            model: Some(start.model),
            version: Some(start.version),
            unix_time: start.unix_time,
            first_part: start.part,
            log_every: Some(start.log_every),
            sources: Vec::new(),
        });
    }

    /// Returns whether the present run is of recordings.
    pub(super) fn is_replay(&self) -> bool {
        self.present
            .as_ref()
            .is_some_and(|run| run.mode == Some(Mode::Replay))
    }

    /// Returns whether each frame of the present run has a line of its own.
    pub(super) fn has_all_frames(&self) -> bool {
        let every = self.present.as_ref().and_then(|run| run.log_every);
        every.is_none_or(|every| every == 1)
    }

    /// Lists a source of the present run, or of one without a `start` line.
    pub(super) fn add_source(&mut self, source: SourceStatistics) {
        if self.sources < MOST_SOURCES {
            self.sources += 1;
            self.present.get_or_insert_default().sources.push(source);
        }
    }

    fn end_run(&mut self) {
        if let Some(run) = self.present.take() {
            self.ended.push(run);
        }
    }

    /// Returns all runs.
    pub(super) fn finish(mut self) -> Listed<RunStatistics> {
        self.end_run();
        self.ended
    }
}
