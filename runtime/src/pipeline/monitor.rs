//! A camera, always at its newest frame: one that was not judged before the next came is dropped
//! and counted, so that what is said is never old.

use super::{PipelineError, Stop, VisionChain};
use crate::{
    eye_state::PerEye,
    reading::{EyeReading, FrameReading},
    report::{
        event::{EndEvent, Event, EyesEvent, Outcome},
        jsonl::EventLog,
        summary::Tally,
    },
    source::{Frame, FrameSource, SourceError},
    temporal::Watched,
};
use crossbeam::queue::ArrayQueue;
use hdrhistogram::Histogram;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long the vision thread sleeps at most before it looks whether it should stop.
const LOOK_UP: Duration = Duration::from_millis(100);

/// What a monitor does beside watching.
#[derive(Debug)]
pub struct MonitorOptions {
    /// The moment that is 0 in the frames' times.
    pub opened: Instant,
    /// Ends by itself after this long.
    pub duration: Option<Duration>,
    /// Least time between two statuses.
    pub status_every: Duration,
}

/// What came of watching.
#[derive(Debug)]
pub struct Monitored {
    /// Sums over the frames that were judged.
    pub tally: Tally,
    /// Frames that were displaced by newer ones.
    pub dropped: u64,
    /// Whether the user stopped it.
    pub outcome: Outcome,
}

/// The state of a running monitor, for one line.
#[derive(Clone, Debug)]
pub struct Status {
    /// The last reading of each eye.
    pub eyes: PerEye<EyeReading>,
    /// Blinks of both eyes since the start.
    pub blinks: u64,
    /// Share of the last minute with closed eyes.
    pub perclos: Option<f64>,
    /// Judged frames per second since the last status.
    pub fps: f64,
    /// Median time from a frame's capture to its reading since the last status.
    pub frame_age: Option<Duration>,
    /// Frames displaced since the start.
    pub dropped: u64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, eye) in [("left", &self.eyes.left), ("right", &self.eyes.right)] {
            write!(f, "{name} {}", eye.state())?;
            if let Some(confidence) = eye.confidence() {
                write!(f, " {confidence:.2}")?;
            }
            f.write_str(", ")?;
        }
        write!(f, "{} blinks", self.blinks)?;
        if let Some(perclos) = self.perclos {
            write!(f, ", PERCLOS {:.0} %", 100.0 * perclos)?;
        }
        write!(f, ", {:.1} frames/s", self.fps)?;
        if let Some(age) = self.frame_age {
            write!(f, ", {:.0} ms old", age.as_secs_f64() * 1e3)?;
        }
        write!(f, ", {} dropped", self.dropped)
    }
}

/// The newest frame, from the capture thread to the vision thread.
struct HandOver {
    newest: ArrayQueue<Frame>,
    dropped: AtomicU64,
    /// Set when the capture thread ends, after its last frame and before its error can be read.
    ended: AtomicBool,
    leave: AtomicBool,
}

/// Watches a source until it ends, the user stops it, or its time is over.
///
/// # Errors
/// When the camera breaks off, a frame cannot be judged, or the log cannot be written. What was
/// logged before stays whole.
pub fn monitor(
    mut source: Box<dyn FrameSource>,
    chain: &mut VisionChain,
    mut log: Option<&mut EventLog>,
    options: &MonitorOptions,
    stop: &Stop,
    mut show: impl FnMut(&Status),
) -> Result<Monitored, PipelineError> {
    let name = source.name().to_owned();
    let hand_over = Arc::new(HandOver {
        newest: ArrayQueue::new(1),
        dropped: AtomicU64::new(0),
        ended: AtomicBool::new(false),
        leave: AtomicBool::new(false),
    });
    let theirs = Arc::clone(&hand_over);
    let vision = std::thread::current();
    let capture = std::thread::Builder::new()
        .name("capture".into())
        .spawn(move || capture(source.as_mut(), &theirs, &vision))
        .map_err(PipelineError::Thread)?;

    let mut watch = Watch::new(&name, options);
    chain.reset();
    let begin = Instant::now();
    let outcome = loop {
        if stop.requested().is_some() {
            break Ok(Outcome::Interrupted);
        }
        if options
            .duration
            .is_some_and(|duration| begin.elapsed() >= duration)
        {
            break Ok(Outcome::Complete);
        }
        let ended = hand_over.ended.load(Ordering::Acquire);
        let Some(frame) = hand_over.newest.pop() else {
            if ended {
                break Ok(Outcome::Complete);
            }
            std::thread::park_timeout(LOOK_UP);
            continue;
        };
        if let Err(error) = watch.take(&frame, chain, log.as_deref_mut()) {
            break Err(error);
        }
        watch.show(chain, hand_over.dropped.load(Ordering::Relaxed), &mut show);
    };
    hand_over.leave.store(true, Ordering::Relaxed);
    // A capture thread that died took the camera with it; there is no more to be said about it.
    let captured = capture.join().unwrap_or(Ok(()));
    let mut tally = watch.tally;
    tally.end(chain.over_time(), begin.elapsed());
    let outcome = outcome?;
    let broken = captured.err().filter(|_| stop.requested().is_none());
    if let Some(log) = log {
        log.write(&Event::End(EndEvent {
            clip: name,
            frames: tally.frames(),
            outcome: if broken.is_some() {
                Outcome::Failed
            } else {
                outcome
            },
            error: broken.as_ref().map(ToString::to_string),
            unix_time: unix_time(),
        }))?;
        log.flush()?;
    }
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(Monitored {
            tally,
            dropped: hand_over.dropped.load(Ordering::Relaxed),
            outcome,
        }),
    }
}

/// Reads the camera as fast as it delivers; never waits for the vision thread.
fn capture(
    source: &mut dyn FrameSource,
    hand_over: &HandOver,
    vision: &Thread,
) -> Result<(), SourceError> {
    let outcome = loop {
        if hand_over.leave.load(Ordering::Relaxed) {
            break Ok(());
        }
        match source.next_frame() {
            Ok(Some(frame)) => {
                if hand_over.newest.force_push(frame).is_some() {
                    hand_over.dropped.fetch_add(1, Ordering::Relaxed);
                }
                vision.unpark();
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    hand_over.ended.store(true, Ordering::Release);
    vision.unpark();
    outcome
}

/// What the vision thread keeps while it watches.
struct Watch<'a> {
    name: &'a str,
    opened: Instant,
    tally: Tally,
    status_every: Duration,
    last_status: Instant,
    frames_then: u64,
    last_reading: Option<FrameReading>,
    /// In microseconds, since the last status.
    ages: Option<Histogram<u32>>,
}

/// Significant digits of the frame age.
const AGE_DIGITS: u8 = 2;

/// Frames older than this many microseconds, a minute, count as that old.
const OLDEST_US: u64 = 60_000_000;

impl<'a> Watch<'a> {
    fn new(name: &'a str, options: &MonitorOptions) -> Self {
        Self {
            name,
            opened: options.opened,
            tally: Tally::default(),
            status_every: options.status_every,
            last_status: Instant::now(),
            frames_then: 0,
            last_reading: None,
            ages: Histogram::new_with_max(OLDEST_US, AGE_DIGITS).ok(),
        }
    }

    fn take(
        &mut self,
        frame: &Frame,
        chain: &mut VisionChain,
        log: Option<&mut EventLog>,
    ) -> Result<(), PipelineError> {
        let judged = chain.judge(frame)?;
        let age = self.opened.elapsed().saturating_sub(frame.time);
        if let Some(ages) = &mut self.ages {
            ages.saturating_record(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
        }
        self.tally.add_frame(&judged.reading, &judged.times);
        for closure in &judged.ended {
            self.tally.add_closure(closure);
        }
        for alert in &judged.alerts {
            self.tally.add_alert(alert);
        }
        if let Some(log) = log {
            let now = unix_time();
            log.write(&Event::Eyes(EyesEvent::new(
                self.name,
                &judged.reading,
                now,
            )))?;
            for event in judged.events(self.name, now) {
                log.write(&event)?;
            }
        }
        self.last_reading = Some(judged.reading);
        Ok(())
    }

    fn show(&mut self, chain: &VisionChain, dropped: u64, show: &mut impl FnMut(&Status)) {
        let since = self.last_status.elapsed();
        let Some(reading) = self
            .last_reading
            .as_ref()
            .filter(|_| since >= self.status_every)
        else {
            return;
        };
        let median = |ages: &Histogram<u32>| Duration::from_micros(ages.value_at_quantile(0.5));
        show(&Status {
            eyes: reading.eyes,
            blinks: self.tally.blinks(Watched::Both),
            perclos: chain.over_time().perclos_of_last_minute(),
            fps: (self.tally.frames() - self.frames_then) as f64 / since.as_secs_f64(),
            frame_age: self
                .ages
                .as_ref()
                .filter(|ages| !ages.is_empty())
                .map(median),
            dropped,
        });
        self.last_status = Instant::now();
        self.frames_then = self.tally.frames();
        if let Some(ages) = &mut self.ages {
            ages.reset();
        }
    }
}

/// The wall clock in seconds since 1970, to the microsecond; `None` for a clock set before that.
pub fn unix_time() -> Option<f64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(crate::report::event::seconds(since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    struct Frames(u64);

    impl FrameSource for Frames {
        fn name(&self) -> &str {
            "frames"
        }

        fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
            if self.0 == 0 {
                return Err(SourceError::Camera {
                    camera: "frames".into(),
                    reason: "unplugged".into(),
                    remedy: "plug it in".into(),
                });
            }
            self.0 -= 1;
            Ok(Some(Frame::from_rgb(
                99 - self.0,
                Duration::ZERO,
                RgbImage::new(2, 2),
            )))
        }
    }

    #[test]
    fn a_slow_reader_gets_the_newest_frame_and_the_displaced_are_counted() {
        let hand_over = HandOver {
            newest: ArrayQueue::new(1),
            dropped: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            leave: AtomicBool::new(false),
        };
        let error = capture(&mut Frames(100), &hand_over, &std::thread::current()).unwrap_err();
        assert!(error.to_string().contains("unplugged"));
        assert!(hand_over.ended.load(Ordering::Acquire));
        assert_eq!(hand_over.newest.pop().unwrap().sequence, 99);
        assert_eq!(hand_over.dropped.load(Ordering::Relaxed), 99);
    }
}
