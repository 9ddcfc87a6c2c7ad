//! A scripted person on both dashboards, without a camera and without a model: for work on the dashboards.
//! Within each minute the person blinks, winks, dozes off for two seconds, turns away and leaves, and the
//! camera fails.
//!
//! ```text
//! cargo run -p parseye-benches --bin dashboards -- [ADDRESS] [SECONDS]
//! ```

use anyhow::Context;
use clap::Parser;
use parseye::{
    dashboard::{messages::Messages, terminal, terminal::TerminalOptions, web, web::WebSettings},
    live::{FrameSnapshot, LiveChannels, Stop},
};
use parseye_benches::arguments;
use parseye_events::{
    event::{EyeRecord, Probabilities},
    status::{LiveStatus, RunningAlert},
};
use parseye_testkit::script;
use parseye_vision::{
    eye_state::{EyeState, PerEye},
    reading::{EyeReading, FrameReading, Unseen},
    temporal::{AlertKind, AlertPhase, Laterality},
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// Frames a second.
const RATE: f64 = 30.0;

/// Seconds that have passed when the dashboards open, at [`PAST_RATE`] frames a second.
const PAST_S: f64 = 580.0;
const PAST_RATE: f64 = 10.0;

/// Shows a scripted person on the terminal and web dashboards
#[derive(Parser)]
#[command(name = "dashboards")]
struct DashboardArguments {
    /// Address of the web dashboard
    #[arg(default_value = "127.0.0.1:8080")]
    address: String,
    /// How long it runs
    #[arg(default_value_t = 3600.0)]
    seconds: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments: DashboardArguments = arguments::parse();
    let settings = WebSettings {
        address: Some(arguments.address),
        preview: true,
        ..WebSettings::default()
    };
    let (channels, stop) = (LiveChannels::new(), Stop::new());
    let server = web::serve(&settings, &channels)?.context("no web dashboard was started")?;
    let mut person = Person::new(channels.clone());
    live_through_past(&mut person);
    let dashboard = if terminal::is_possible() {
        let options = TerminalOptions {
            web: Some(url(server.address())),
            hung_up: Arc::default(),
            messages: Messages::to_stderr(|line| eprintln!("{line}")),
            alone: true,
        };
        Some(terminal::start(
            &channels.events,
            &channels.status,
            &stop,
            options,
        )?)
    } else {
        None
    };
    let begin = Instant::now();
    while stop.requested().is_none() && begin.elapsed().as_secs_f64() < arguments.seconds {
        person.live(PAST_S + begin.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_secs_f64(1.0 / RATE));
    }
    channels.events.end();
    drop(dashboard);
    Ok(())
}

/// Fills the histories of the dashboards, as fast as the page can take it.
fn live_through_past(person: &mut Person) {
    for step in 0..(PAST_S * PAST_RATE) as u64 {
        person.live(step as f64 / PAST_RATE);
        if step % 500 == 499 {
            std::thread::sleep(Duration::from_millis(150));
        }
    }
}

struct Person {
    channels: LiveChannels,
    frame: u64,
    status: LiveStatus,
    status_at: f64,
    closed_since: Option<f64>,
    alarmed: bool,
}

impl Person {
    fn new(channels: LiveChannels) -> Self {
        let mut status = script::status();
        status.blinks.left = 0;
        status.blinks.right = 0;
        status.blinks.both = 0;
        Self {
            channels,
            frame: 0,
            status,
            status_at: 0.0,
            closed_since: None,
            alarmed: false,
        }
    }

    fn live(&mut self, time: f64) {
        let minute = time % 60.0;
        let flutter = 0.03 + 0.02 * (time * 7.0).sin() + 0.01 * (time * 31.0).cos();
        // A blink of 0.2 s every 4 s, as long as the person is awake.
        let blink = time % 4.0 < 0.2;
        let dozing = (30.0..32.3).contains(&minute);
        let winking = (12.0..12.8).contains(&minute);
        let drooping = if (26.0..30.0).contains(&minute) {
            (minute - 26.0) / 5.0
        } else {
            0.0
        };
        let away = (44.0..47.0).contains(&minute);
        let turned = (40.0..44.0).contains(&minute);
        let closed = if blink || dozing { 0.95 } else { flutter };
        let (left, right) = if away {
            (
                script::unseen(Unseen::NoFace),
                script::unseen(Unseen::NoFace),
            )
        } else if turned {
            (
                script::unseen(Unseen::Profile),
                script::unseen(Unseen::Profile),
            )
        } else {
            (
                eye(closed, drooping),
                eye(if winking { 0.93 } else { closed + 0.02 }, drooping),
            )
        };
        self.status.source.down = (52.0..56.0)
            .contains(&minute)
            .then(|| "unplugged; waiting for it to come back".into());
        if self.status.source.down.is_none() {
            self.publish_frame(time, left, right, blink || dozing);
        } else {
            (self.status.face, self.status.left, self.status.right) = (None, None, None);
            self.status.fps = 0.0;
        }
        if time - self.status_at >= 0.1 {
            self.status_at = time;
            self.publish_status(time);
        }
    }

    fn publish_frame(&mut self, time: f64, left: EyeRecord, right: EyeRecord, shut: bool) {
        let seen = left.reason != Some(Unseen::NoFace);
        let face = seen.then(script::face);
        let event = script::frame(self.frame, time, face.as_ref(), &left, &right);
        self.channels.events.publish(event);
        self.channels
            .frame_ages
            .observe(Duration::from_millis(18 + self.frame % 17));
        if self.channels.preview.is_requested() {
            self.set_preview(time, face.is_some());
        }
        self.frame += 1;
        (self.status.face, self.status.left, self.status.right) = (face, Some(left), Some(right));
        match (shut && seen, self.closed_since) {
            (true, None) => self.closed_since = Some(time),
            (true, Some(since)) if time - since > 1.5 && !self.alarmed => {
                self.alarmed = true;
                let alert =
                    script::alert(AlertKind::LongClosureAlarm, AlertPhase::Raised, time, since);
                self.channels.events.publish(alert);
            }
            (false, Some(since)) => {
                let duration = time - since;
                if duration < 1.0 {
                    for eye in Laterality::ALL {
                        self.channels
                            .events
                            .publish(script::blink(eye, since, duration));
                    }
                    self.status.blinks.left += 1;
                    self.status.blinks.right += 1;
                    self.status.blinks.both += 1;
                } else {
                    self.channels
                        .events
                        .publish(script::long_closure(since, duration));
                }
                (self.closed_since, self.alarmed) = (None, false);
            }
            _ => {}
        }
    }

    fn publish_status(&mut self, time: f64) {
        let status = &mut self.status;
        status.time = time;
        status.frames = self.frame;
        status.frame = Some(self.frame);
        status.blinks_per_minute = Some(14.0 + (time / 40.0).sin());
        status.perclos = Some(0.05 + 0.03 * (time / 60.0).sin());
        if status.source.down.is_none() {
            status.fps = 29.9 + 0.2 * time.sin();
        }
        let lasted = self.closed_since.map_or(0.0, |since| time - since);
        let kind = match lasted {
            1.5.. => Some(AlertKind::LongClosureAlarm),
            0.5.. => Some(AlertKind::LongClosureWarning),
            _ => None,
        };
        status.alerts = kind
            .map(|kind| RunningAlert {
                kind,
                since: time - lasted,
            })
            .into_iter()
            .collect();
        self.channels.status.set(status.clone());
    }

    /// A gray image with a lighter square in the place of the face.
    fn set_preview(&self, time: f64, face: bool) {
        let rgb = image::RgbImage::from_fn(320, 240, |x, y| {
            let inside = face && (110..190).contains(&x) && (60..140).contains(&y);
            let gray = if inside { 190 } else { 70 + (x / 8) as u8 };
            image::Rgb([gray; 3])
        });
        let reading = FrameReading {
            frame: self.frame,
            time: Duration::from_secs_f64(time),
            face: None,
            eyes: PerEye::from_fn(|_| EyeReading::Unmeasured(Unseen::NoFace)),
        };
        self.channels.preview.set(FrameSnapshot { rgb, reading });
    }
}

/// An eye whose lids droop by a share from 0 to 1.
fn eye(closed: f64, drooping: f64) -> EyeRecord {
    let partially_open = (1.0 - closed) * drooping;
    let open = 1.0 - closed - partially_open;
    let (state, confidence) = if open >= partially_open.max(closed) {
        (EyeState::Open, open)
    } else if partially_open > closed {
        (EyeState::PartiallyOpen, partially_open)
    } else {
        (EyeState::Closed, closed)
    };
    EyeRecord {
        state,
        confidence: Some(confidence),
        probabilities: Some(Probabilities {
            open,
            partially_open: Some(partially_open),
            closed,
            not_visible: Some(0.0),
        }),
        ..script::eye(closed)
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}
