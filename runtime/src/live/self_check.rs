//! The live self-check: a thread of the lowest priority that checks the newest frame, step by step,
//! within its share of a core, and follows each eye's readings for drift.
//!
//! The vision thread only copies a frame's luma when this thread wants one, and never waits. What the
//! measurements mean is [`parseye_vision::selfcheck`]'s.

use crate::channels::LiveChannels;
use crossbeam::queue::ArrayQueue;
use image::GrayImage;
use parseye_events::{
    clock::unix_time,
    event::{CheckEvent, DriftRecord, Event},
    fanout::{self, Next, Subscription, locked},
    status::{CheckStatus, EyeCheckStatus, RunningDrift},
};
use parseye_vision::{
    classify::{EyeStateModel, ModelError, gradient::GradientModel},
    eye_state::{Eye, EyeState, PerEye},
    reading::{EyeReading, FrameReading},
    selfcheck::{
        CheckFrame, CheckReading, Checker, Headroom, HeadroomState, KNOWN_FOR, Parts, Progress,
        SelfCheckSettings,
        drift::{Detector, DriftMonitor, DriftPhase, DriftSample, DriftTuning, Quantity},
        schedule::{CheckMode, Share},
    },
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Readings that may wait for this thread: more than come while a step is made.
const WAITING: usize = 1024;

/// Frames that follow each other, on which the camera's noise is measured before each check: a handful of
/// pairs, each with hundreds of patches.
const OBSERVED: usize = 4;

/// Longest wait for a reading, after which other reasons to check are looked for.
const READING_WAIT: Duration = Duration::from_millis(100);

/// A frame's reading with the name of its source.
#[derive(Clone, Debug)]
struct SourceReading {
    source: String,
    reading: FrameReading,
}

/// Shared by the vision thread and the self-check: readings and frames one way, results the other.
#[derive(Debug)]
pub struct SelfCheckSlot {
    readings: fanout::Fanout<SourceReading>,
    newest: ArrayQueue<(Arc<GrayImage>, FrameReading)>,
    wanted: AtomicBool,
    asked: Arc<AtomicBool>,
    status: Mutex<CheckStatus>,
    states: Mutex<PerEye<Option<HeadroomState>>>,
}

impl Default for SelfCheckSlot {
    fn default() -> Self {
        Self {
            readings: fanout::Fanout::new(),
            newest: ArrayQueue::new(1),
            wanted: AtomicBool::new(false),
            asked: Arc::default(),
            status: Mutex::default(),
            states: Mutex::default(),
        }
    }
}

impl SelfCheckSlot {
    /// Takes the reading of a frame of a source, and a copy of the frame's luma where one is wanted.
    pub(super) fn offer(&self, source: &str, luma: &GrayImage, reading: &FrameReading) {
        if self.readings.readers() > 0 {
            self.readings.publish(SourceReading {
                source: source.into(),
                reading: reading.clone(),
            });
        }
        if self.wanted.load(Ordering::Relaxed) {
            // One that was not taken in time is dropped: the newest counts.
            let _ = self
                .newest
                .force_push((Arc::new(luma.clone()), reading.clone()));
        }
    }

    /// Ends the readings: the thread follows those that wait, then it ends.
    pub fn end(&self) {
        self.readings.end();
    }

    /// A flag that asks for a check when it is set; a signal handler may set it.
    pub fn asked(&self) -> &Arc<AtomicBool> {
        &self.asked
    }

    /// State of each eye's headroom at present; `None` where it is not known.
    pub fn trust(&self) -> PerEye<Option<HeadroomState>> {
        *locked(&self.states)
    }

    /// The latest results, as a dashboard shows them.
    pub fn status(&self) -> CheckStatus {
        locked(&self.status).clone()
    }
}

/// The running thread.
#[derive(Debug)]
pub struct SelfCheckThread(JoinHandle<()>);

/// Why no live checks can be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfCheckError {
    /// The model cannot be run a second time.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The system refused a thread.
    #[error("cannot start a thread: {0}; close other programs and try again")]
    Thread(#[from] std::io::Error),
}

impl SelfCheckThread {
    /// Starts to check the readings and frames that are offered to `slot`, and to publish to `channels`;
    /// `None` where the settings switch it off. Call it before the first frame.
    ///
    /// # Errors
    /// When the model cannot be set up for another thread, or the system refuses one.
    pub fn start(
        channels: &LiveChannels,
        slot: &Arc<SelfCheckSlot>,
        model: &EyeStateModel,
        gradient: Option<&GradientModel>,
        settings: &SelfCheckSettings,
    ) -> Result<Option<Self>, SelfCheckError> {
        let Some(share) = settings.mode.share() else {
            return Ok(None);
        };
        let checker = Checker::new(model, gradient, settings, Parts::ALL)?;
        let drift = || DriftMonitor::new(model.card(), DriftTuning::default());
        let mut thread = Watcher {
            readings: slot.readings.subscribe(WAITING),
            channels: channels.clone(),
            slot: Arc::clone(slot),
            mode: settings.mode,
            share,
            checker,
            headroom: PerEye::from_fn(|_| Headroom::new(settings)),
            drift: PerEye::from_fn(|_| drift()),
            snr: PerEye::default(),
            last_states: None,
            drifting: BTreeMap::new(),
            rested: BusyTime(Duration::ZERO),
        };
        let builder = std::thread::Builder::new().name("self-check".into());
        let thread = builder.spawn(move || {
            lower_priority();
            thread.rested = BusyTime::now();
            // The end of the readings is the end of the thread.
            let _ = thread.run();
        })?;
        Ok(Some(Self(thread)))
    }

    /// Waits for the end, after [`SelfCheckSlot::end`]; a step takes some milliseconds at most.
    pub fn finish(self) {
        // A thread that panicked has said so.
        let _ = self.0.join();
    }
}

/// Asks the system to run this thread after all others.
fn lower_priority() {
    use thread_priority::{ThreadPriority, set_current_thread_priority};
    // Where it is refused, the share is still kept.
    let _ = set_current_thread_priority(ThreadPriority::Min);
}

/// A moment of the time that this thread has worked: on a busy machine it is put aside for long, which
/// costs nobody anything.
struct BusyTime(Duration);

impl BusyTime {
    fn now() -> Self {
        #[cfg(target_os = "linux")]
        {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            // Both parts are never negative for this clock.
            let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
            let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
            Self(Duration::new(seconds, nanoseconds))
        }
        #[cfg(not(target_os = "linux"))]
        {
            // The wall clock counts more than was worked, so the share is kept all the more.
            use std::sync::OnceLock;
            static BEGIN: OnceLock<Instant> = OnceLock::new();
            Self(BEGIN.get_or_init(Instant::now).elapsed())
        }
    }

    fn elapsed(&self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// The monitor has ended.
struct Ended;

/// Names a drift that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct DriftKey {
    eye: Eye,
    quantity: Quantity,
    detector: Detector,
}

struct Watcher {
    readings: Subscription<SourceReading>,
    channels: LiveChannels,
    slot: Arc<SelfCheckSlot>,
    mode: CheckMode,
    share: Share,
    checker: Checker,
    headroom: PerEye<Headroom>,
    drift: PerEye<DriftMonitor>,
    /// Camera SNR of each eye's last check in dB.
    snr: PerEye<Option<f64>>,
    /// States of the last reading, to notice changes.
    last_states: Option<PerEye<EyeState>>,
    drifting: BTreeMap<DriftKey, RunningDrift>,
    /// When the last rest began.
    rested: BusyTime,
}

impl Watcher {
    fn run(&mut self) -> Result<(), Ended> {
        loop {
            self.wait_until_due()?;
            let Some((frame, reading)) = self.observe()? else {
                continue;
            };
            self.checker.begin(&frame);
            let readings = loop {
                let progress = self.checker.step();
                self.rest()?;
                match progress {
                    Progress::More => {}
                    Progress::Done(readings) => break readings,
                    Progress::Idle => return Ok(()),
                }
            };
            self.report(&reading, &readings);
        }
    }

    /// Waits until a check is due.
    fn wait_until_due(&mut self) -> Result<(), Ended> {
        let asked = Arc::clone(self.slot.asked());
        let mut changed = false;
        while !asked.swap(false, Ordering::Relaxed) {
            match self.mode {
                CheckMode::Steady(_) => return Ok(()),
                CheckMode::OnChange if changed => return Ok(()),
                _ => {}
            }
            changed |= self.take_reading(READING_WAIT)?;
        }
        Ok(())
    }

    /// Observes frames that follow each other; returns the last. `None` when none came in time.
    fn observe(&mut self) -> Result<Option<(CheckFrame, FrameReading)>, Ended> {
        const LONGEST_WAIT: Duration = Duration::from_secs(1);
        let slot = Arc::clone(&self.slot);
        // A frame that is there already may be old.
        while slot.newest.pop().is_some() {}
        slot.wanted.store(true, Ordering::Relaxed);
        let begin = Instant::now();
        let mut last = None;
        let mut observed = 0;
        while observed < OBSERVED && begin.elapsed() < LONGEST_WAIT {
            self.take_reading(READING_WAIT)?;
            while let Some((luma, reading)) = slot.newest.pop() {
                self.checker.observe(&luma, reading.time);
                observed += 1;
                last = Some((luma, reading));
            }
        }
        slot.wanted.store(false, Ordering::Relaxed);
        self.rest()?;
        self.expire();
        Ok(last.map(|(luma, reading)| (CheckFrame::new(luma, &reading), reading)))
    }

    /// Rests after all work since the last rest, so that the share is kept. Readings are
    /// followed meanwhile, which is work that counts for the next.
    fn rest(&mut self) -> Result<(), Ended> {
        let busy = self.rested.elapsed();
        self.rested = BusyTime::now();
        let until = Instant::now() + self.share.rest_after(busy);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.take_reading(left.min(READING_WAIT))?;
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    /// Takes a reading, where one comes in time; returns whether an eye's state changed.
    fn take_reading(&mut self, wait: Duration) -> Result<bool, Ended> {
        match self.readings.next(wait) {
            Next::Event(reading) => Ok(self.follow(&reading)),
            Next::Nothing => Ok(false),
            Next::Ended => Err(Ended),
        }
    }

    /// Follows both eyes for drift; returns whether a state changed.
    fn follow(&mut self, SourceReading { source, reading }: &SourceReading) -> bool {
        for eye in Eye::ALL {
            if let EyeReading::Measured { probabilities, .. } = reading.eyes.get(eye) {
                let sample = DriftSample {
                    time: reading.time,
                    probabilities: *probabilities,
                    camera_snr_db: *self.snr.get(eye),
                };
                self.follow_drift(source, eye, &sample);
            }
        }
        let states = PerEye::from_fn(|eye| reading.eyes.get(eye).state());
        let before = self.last_states.replace(states);
        before.is_some_and(|before| before != states)
    }

    fn follow_drift(&mut self, source: &str, eye: Eye, sample: &DriftSample) {
        for drift in self.drift.get_mut(eye).add(sample) {
            let record = DriftRecord::new(source, eye, &drift, unix_time());
            let key = DriftKey {
                eye,
                quantity: drift.quantity,
                detector: drift.detector,
            };
            match drift.phase {
                DriftPhase::Raised => {
                    self.drifting.insert(key, RunningDrift::from(&record));
                }
                DriftPhase::Cleared => {
                    self.drifting.remove(&key);
                }
            }
            self.channels.events.publish(Event::Drift(record));
            locked(&self.slot.status).drifts = self.drifting.values().cloned().collect();
        }
    }

    fn report(&mut self, checked: &FrameReading, readings: &PerEye<CheckReading>) {
        for eye in Eye::ALL {
            let reading = readings.get(eye);
            self.headroom
                .get_mut(eye)
                .add(checked.time, reading.headroom_db);
            *self.snr.get_mut(eye) = reading.camera_snr_db().ok();
        }
        let now = checked.time;
        let trust = PerEye::from_fn(|eye| self.headroom.get(eye).state(now));
        let slot = &self.slot;
        *locked(&slot.states) = trust;
        let clip = self
            .channels
            .status
            .get()
            .map(|status| status.source.name.clone())
            .unwrap_or_default();
        let event = CheckEvent::new(&clip, (checked.frame, now), readings, &trust, unix_time());
        {
            let mut status = locked(&slot.status);
            status.time = Some(event.time);
            let eye = |eye: Eye, record| {
                let headroom = self.headroom.get(eye);
                EyeCheckStatus::new(record, headroom.median(now), headroom.worst(now))
            };
            status.left = Some(eye(Eye::Left, &event.left));
            status.right = Some(eye(Eye::Right, &event.right));
        }
        self.channels.events.publish(Event::Check(event));
    }

    /// Removes results that are too old to hold at present.
    fn expire(&self) {
        let Some(now) = self.channels.status.get().map(|status| status.time) else {
            return;
        };
        let slot = &self.slot;
        let mut status = locked(&slot.status);
        if status
            .time
            .is_some_and(|then| now - then > KNOWN_FOR.as_secs_f64())
        {
            *status = CheckStatus {
                drifts: std::mem::take(&mut status.drifts),
                ..CheckStatus::default()
            };
            *locked(&slot.states) = PerEye::default();
        }
    }
}

#[cfg(test)]
mod tests;
