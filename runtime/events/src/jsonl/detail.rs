//! Which events a log holds: all, or frames only now and then. A minute of frames without lines of their own
//! has one together, so that nothing that `parseye summarize` says is lost with them.

use crate::{
    event::{Event, StartEvent},
    session::FrameDigest,
};
use parseye_vision::temporal::TemporalSettings;

/// How many frames have one line among them in a log of [`LogDetail::events`].
const NONE: u64 = 0;

/// Which frames have lines of their own.
#[derive(Debug, Default)]
pub struct LogDetail(Option<Reduced>);

#[derive(Debug)]
struct Reduced {
    every: u64,
    /// Frames since the last that had a line.
    since_line: u64,
    digest: Box<FrameDigest>,
}

impl LogDetail {
    /// Each frame.
    pub fn all() -> Self {
        Self(None)
    }

    /// No frame: events only. PERCLOS is followed with these settings.
    pub fn events(settings: &TemporalSettings) -> Self {
        Self::reduced(NONE, settings)
    }

    /// One frame in `every`, the first of a run included; 1 is [`Self::all`].
    pub fn one_in(every: u64, settings: &TemporalSettings) -> Self {
        match every {
            1 => Self::all(),
            every => Self::reduced(every, settings),
        }
    }

    fn reduced(every: u64, settings: &TemporalSettings) -> Self {
        Self(Some(Reduced {
            every,
            since_line: every.saturating_sub(1),
            digest: Box::new(FrameDigest::new(settings)),
        }))
    }

    /// Calls `write` with each event that the log holds because of this one.
    ///
    /// # Errors
    /// The first of `write`, after which it is not called again.
    pub(super) fn take<E>(
        &mut self,
        event: &Event,
        mut write: impl FnMut(&Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(reduced) = &mut self.0 else {
            return write(event);
        };
        match event {
            Event::Start(start) => {
                reduced.digest.begin(start.mode);
                write(&Event::Start(StartEvent {
                    log_every: reduced.every,
                    ..start.clone()
                }))
            }
            Event::Eyes(eyes) => {
                for frames in reduced.digest.take(eyes) {
                    write(&Event::Frames(frames))?;
                }
                if reduced.every == NONE {
                    return Ok(());
                }
                reduced.since_line += 1;
                if reduced.since_line < reduced.every {
                    return Ok(());
                }
                reduced.since_line = 0;
                write(event)
            }
            Event::End(end) => {
                if let Some(mut frames) = reduced.digest.end() {
                    frames.unix_time = end.unix_time;
                    write(&Event::Frames(frames))?;
                }
                write(event)
            }
            _ => write(event),
        }
    }
}
