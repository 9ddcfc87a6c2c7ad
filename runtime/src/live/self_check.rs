//! The live self-check: a thread of the lowest priority that checks the newest frame, step by step,
//! within its share of a core, and follows each eye's stream for drift.
//!
//! The vision thread only copies a frame's brightness when this thread wants one, and never waits.
//! What the figures mean is [`parseye_vision::selfcheck`]'s.

use crate::channels::LiveChannels;
use crossbeam::queue::ArrayQueue;
use image::GrayImage;
use parseye_events::{
    clock::unix_time,
    event::{CheckEvent, DriftRecord, Event, EyeRecord, EyesEvent},
    fanout::{Next, Subscription, locked},
    status::{CheckStatus, EyeCheckStatus, RunningDrift},
};
use parseye_vision::{
    classify::{EyeStateModel, ModelError, gradient::GradientModel},
    eye_state::{Eye, PerEye, STATES},
    reading::FrameReading,
    selfcheck::{
        CheckFrame, CheckReading, Checker, Headroom, Progress, SelfCheckSettings, Trust,
        checker::Parts,
        drift::{DriftMonitor, DriftPhase, DriftSample, DriftTuning},
        headroom::KNOWN_FOR,
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

/// Events that may wait for this thread: more than come while a step is made.
const WAITING: usize = 1024;

/// Frames that follow each other, looked at for the camera's noise before each check: a handful of
/// pairs, each with hundreds of patches.
const OBSERVED: usize = 4;

/// Longest sleep without a look at the events.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Between the vision thread and the self-check; shared by both.
#[derive(Debug)]
pub struct SelfCheckSlot {
    newest: ArrayQueue<(Arc<GrayImage>, FrameReading)>,
    wanted: AtomicBool,
    asked: Arc<AtomicBool>,
    status: Mutex<CheckStatus>,
    trust: Mutex<PerEye<Trust>>,
}

impl Default for SelfCheckSlot {
    fn default() -> Self {
        Self {
            newest: ArrayQueue::new(1),
            wanted: AtomicBool::new(false),
            asked: Arc::default(),
            status: Mutex::default(),
            trust: Mutex::default(),
        }
    }
}

impl SelfCheckSlot {
    /// Takes a frame as it was judged, where one is wanted.
    pub(super) fn offer(&self, luma: &GrayImage, reading: &FrameReading) {
        if self.wanted.load(Ordering::Relaxed) {
            // One that was not looked at in time is dropped: the newest counts.
            let _ = self
                .newest
                .force_push((Arc::new(luma.clone()), reading.clone()));
        }
    }

    /// A flag that asks for a check when it is set; a signal handler may set it.
    pub fn asked(&self) -> &Arc<AtomicBool> {
        &self.asked
    }

    /// How far each eye's readings can be trusted at present.
    pub fn trust(&self) -> PerEye<Trust> {
        *locked(&self.trust)
    }

    /// What a dashboard shows.
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
    /// Starts to check the frames that are offered to `slot` and to follow the events of `channels`; `None`
    /// where the settings switch it off. Call it before the first event.
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
            events: channels.events.subscribe(WAITING),
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
            give_way();
            thread.rested = BusyTime::now();
            // The end of the events is the end of the thread.
            let _ = thread.run();
        })?;
        Ok(Some(Self(thread)))
    }

    /// Waits for the end of the thread, after that of the events; a step takes some milliseconds at most.
    pub fn finish(self) {
        // A thread that panicked has said so.
        let _ = self.0.join();
    }
}

/// Asks the system to run this thread after all others.
fn give_way() {
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

struct Watcher {
    events: Subscription<Event>,
    channels: LiveChannels,
    slot: Arc<SelfCheckSlot>,
    mode: CheckMode,
    share: Share,
    checker: Checker,
    headroom: PerEye<Headroom>,
    drift: PerEye<DriftMonitor>,
    /// Camera SNR of each eye's last check in dB.
    snr: PerEye<Option<f64>>,
    /// The last states seen, to event changes.
    last_states: Option<PerEye<parseye_vision::eye_state::EyeState>>,
    drifting: BTreeMap<String, RunningDrift>,
    /// When the last rest began.
    rested: BusyTime,
}

impl Watcher {
    fn run(&mut self) -> Result<(), Ended> {
        loop {
            self.wait_for_a_reason()?;
            let Some((frame, clip_frame)) = self.observe()? else {
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
            self.tell(&clip_frame, &readings);
        }
    }

    /// Waits until a check is due.
    fn wait_for_a_reason(&mut self) -> Result<(), Ended> {
        let asked = Arc::clone(self.slot.asked());
        let mut changed = false;
        while !asked.swap(false, Ordering::Relaxed) {
            match self.mode {
                CheckMode::Steady(_) => return Ok(()),
                CheckMode::OnChange if changed => return Ok(()),
                _ => {}
            }
            changed |= self.take_event(LOOK_UP)?;
        }
        Ok(())
    }

    /// Looks at frames that follow each other; gives the last. `None` when none came in time.
    fn observe(&mut self) -> Result<Option<(CheckFrame, FrameReading)>, Ended> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let slot = Arc::clone(&self.slot);
        // What lies there may be old.
        while slot.newest.pop().is_some() {}
        slot.wanted.store(true, Ordering::Relaxed);
        let begin = Instant::now();
        let mut last = None;
        let mut seen = 0;
        while seen < OBSERVED && begin.elapsed() < PATIENCE {
            self.take_event(LOOK_UP)?;
            while let Some((luma, reading)) = slot.newest.pop() {
                self.checker.observe(&luma, reading.time);
                seen += 1;
                last = Some((luma, reading));
            }
        }
        slot.wanted.store(false, Ordering::Relaxed);
        self.rest()?;
        self.expire();
        Ok(last.map(|(luma, reading)| (CheckFrame::new(luma, &reading), reading)))
    }

    /// Rests after all work since the last rest, so that the share is kept. Events are followed
    /// meanwhile, which is work that counts for the next.
    fn rest(&mut self) -> Result<(), Ended> {
        let busy = self.rested.elapsed();
        self.rested = BusyTime::now();
        let until = Instant::now() + self.share.rest_after(busy);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.take_event(left.min(LOOK_UP))?;
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    /// Takes an event, where one comes in time; says whether an eye's answer changed.
    fn take_event(&mut self, wait: Duration) -> Result<bool, Ended> {
        match self.events.next(wait) {
            Next::Event(event) => match event.as_ref() {
                Event::Eyes(eyes) => Ok(self.follow(eyes)),
                _ => Ok(false),
            },
            Next::Nothing => Ok(false),
            Next::Ended => Err(Ended),
        }
    }

    /// Follows the streams for drift; says whether an answer changed.
    fn follow(&mut self, eyes: &EyesEvent) -> bool {
        let time = Duration::try_from_secs_f64(eyes.time).unwrap_or_default();
        let records = PerEye {
            left: &eyes.left,
            right: &eyes.right,
        };
        for eye in Eye::ALL {
            let Some(probabilities) = probabilities_of(records.get(eye)) else {
                continue;
            };
            let drifts = self.drift.get_mut(eye).add(&DriftSample {
                time,
                probabilities,
                camera_snr_db: *self.snr.get(eye),
            });
            for drift in drifts {
                let record = DriftRecord::new(&eyes.clip, eye, &drift, unix_time());
                let key = format!("{eye:?} {:?} {:?}", drift.quantity, drift.detector);
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
        let states = PerEye::from_fn(|eye| records.get(eye).state);
        let before = self.last_states.replace(states);
        before.is_some_and(|before| before != states)
    }

    fn tell(&mut self, checked: &FrameReading, readings: &PerEye<CheckReading>) {
        for eye in Eye::ALL {
            let reading = readings.get(eye);
            self.headroom
                .get_mut(eye)
                .add(checked.time, reading.headroom_db);
            *self.snr.get_mut(eye) = reading.camera_snr_db().ok();
        }
        let now = checked.time;
        let trust = PerEye::from_fn(|eye| self.headroom.get(eye).trust(now));
        let slot = &self.slot;
        *locked(&slot.trust) = trust;
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

    /// Figures that are too old to be the present's are taken back.
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
            *locked(&slot.trust) = PerEye::default();
        }
    }
}

fn probabilities_of(record: &EyeRecord) -> Option<[f32; STATES]> {
    let named = record.probabilities.as_ref()?;
    // In the order of the states.
    Some(
        [
            named.open,
            named.partially_open,
            named.closed,
            named.not_visible,
        ]
        .map(|value| value as f32),
    )
}

#[cfg(test)]
mod tests;
