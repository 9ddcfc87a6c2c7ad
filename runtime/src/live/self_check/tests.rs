//! The thread from outside: frames and events in, checks out, in every mode.

use super::*;
use parseye_events::event::EyesEvent;
use parseye_vision::{
    locate::Roi,
    reading::{EyeReading, Unseen},
    selfcheck::Missing,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Far more than a check takes on a busy machine, where a thread of the lowest priority may wait long.
const PATIENCE: Duration = Duration::from_secs(900);

/// A still scene with some contrast and noise that changes from frame to frame.
fn luma(frame: u64) -> GrayImage {
    let mut rng = ChaCha8Rng::seed_from_u64(frame);
    GrayImage::from_fn(320, 240, |x, y| {
        let scene = 120.0 + 50.0 * (f64::from(x) / 9.0).sin() * (f64::from(y) / 7.0).cos();
        // The sum of four even ones is near enough to normal; its sigma is 3.
        let noise: f64 = (0..4).map(|_| rng.random_range(-2.6..2.6)).sum();
        image::Luma([(scene + noise).round().clamp(0.0, 255.0) as u8])
    })
}

fn reading(frame: u64, eye: EyeReading) -> FrameReading {
    FrameReading {
        frame,
        time: Duration::from_millis(33 * frame),
        face: None,
        eyes: PerEye {
            left: eye,
            right: EyeReading::Unmeasured(Unseen::Profile),
        },
    }
}

fn open_eye() -> EyeReading {
    EyeReading::Measured {
        probabilities: [0.94, 0.03, 0.02, 0.01],
        lids: None,
        square: Roi {
            centre: [160.0, 120.0],
            side: 70.0,
            angle: 0.0,
        },
    }
}

fn closed_eye() -> EyeReading {
    let EyeReading::Measured { square, .. } = open_eye() else {
        unreachable!()
    };
    EyeReading::Measured {
        probabilities: [0.01, 0.02, 0.96, 0.01],
        lids: None,
        square,
    }
}

struct Run {
    channels: LiveChannels,
    slot: Arc<SelfCheckSlot>,
    events: Subscription<Event>,
    thread: Option<SelfCheckThread>,
    frame: u64,
}

impl Run {
    fn start(mode: &str, with_gradient: bool) -> Self {
        let model = EyeStateModel::built_in().unwrap();
        let gradient = with_gradient.then(|| GradientModel::built_in(&model).unwrap());
        let settings = SelfCheckSettings {
            mode: mode.parse().unwrap(),
            ..SelfCheckSettings::default()
        };
        let channels = LiveChannels::new();
        let slot = Arc::<SelfCheckSlot>::default();
        let events = channels.events.subscribe(1 << 16);
        let gradient = gradient.as_ref();
        let thread = SelfCheckThread::start(&channels, &slot, &model, gradient, &settings).unwrap();
        Self {
            channels,
            slot,
            events,
            thread,
            frame: 0,
        }
    }

    /// What the vision thread does with a frame.
    fn frame(&mut self, eye: EyeReading) {
        let reading = reading(self.frame, eye);
        let event = EyesEvent::new("made up", &reading, None);
        self.channels.events.publish(Event::Eyes(event));
        let checks = &self.slot;
        checks.offer("made up", &luma(self.frame), &reading);
        self.frame += 1;
    }

    /// Frames until a check comes.
    fn next_check(&mut self, eye: EyeReading) -> CheckEvent {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            self.frame(eye);
            while let Next::Event(event) = self.events.next(Duration::from_millis(5)) {
                if let Event::Check(check) = event.as_ref() {
                    return check.clone();
                }
            }
        }
        unreachable!("no check came");
    }

    /// Frames for some time, and how many checks came.
    fn checks_within(&mut self, time: Duration, eye: EyeReading) -> usize {
        let begin = Instant::now();
        let mut checks = 0;
        while begin.elapsed() < time {
            self.frame(eye);
            while let Next::Event(event) = self.events.next(Duration::from_millis(5)) {
                checks += usize::from(matches!(event.as_ref(), Event::Check(_)));
            }
        }
        checks
    }

    fn end(mut self) {
        self.channels.events.end();
        self.slot.end();
        if let Some(thread) = self.thread.take() {
            thread.finish();
        }
    }
}

#[test]
fn a_steady_check_measures_one_eye_and_says_why_not_the_other() {
    let mut run = Run::start("100%", true);
    let check = run.next_check(open_eye());
    let left = &check.left;
    let snr = left.camera_snr_db.unwrap();
    // Contrast of some 35 gray levels at sigma 3, averaged over about 2 x 2 pixels: 21 to 33 dB.
    assert!((18.0..36.0).contains(&snr), "{snr}");
    assert!(left.headroom_db.is_some(), "{:?}", left.missing);
    assert_eq!(check.right.missing["camera_snr_db"], Missing::Profile);
    assert_eq!(check.right.camera_snr_db, None);
    assert_eq!(check.right.trust, None);
    let slot = &run.slot;
    assert_eq!(slot.trust().left, left.trust);
    let status = slot.status();
    assert_eq!(status.time, Some(check.time));
    assert_eq!(status.left.unwrap().last, check.left);
    run.end();
}

#[test]
fn without_a_gradient_graph_there_is_no_margin_but_all_else() {
    let mut run = Run::start("100%", false);
    let left = run.next_check(open_eye()).left;
    assert_eq!(left.adversarial_margin_db, None);
    assert_eq!(
        left.missing["adversarial_margin_db"],
        Missing::NoGradientGraph
    );
    assert!(left.camera_snr_db.is_some());
    run.end();
}

#[test]
fn checks_on_demand_come_only_when_asked_and_those_on_change_after_one() {
    let mut run = Run::start("on-demand", false);
    assert_eq!(run.checks_within(Duration::from_millis(600), open_eye()), 0);
    run.slot.asked().store(true, Ordering::Relaxed);
    let _ = run.next_check(open_eye());
    run.end();

    let mut run = Run::start("on-change", false);
    assert_eq!(run.checks_within(Duration::from_millis(600), open_eye()), 0);
    let _ = run.next_check(closed_eye());
    run.end();
}

#[test]
fn switched_off_there_is_no_thread_and_no_frame_is_copied() {
    let mut run = Run::start("off", true);
    assert!(run.thread.is_none());
    run.frame(open_eye());
    assert!(run.slot.newest.is_empty());
    run.end();
}
