//! What a real broker, mosquitto, is told.

use parseye::{
    live::LiveChannels,
    notify::{
        mqtt,
        mqtt::{MqttPublisher, MqttSettings},
    },
};
use parseye_events::{
    event::{Event, EyeRecord},
    metrics::FrameLoss,
    status::{CheckStatus, LiveStatus, RunningAlert, SourceStatus},
    summary::{BlinkCounts, EventTotals},
};
use parseye_test_needs::needs;
use parseye_vision::temporal::AlertKind;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const USER: &str = "watcher";
const PASSWORD: &str = "not told to anybody";

/// Ends a child with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A broker that wants a password, on a port of its own.
struct Broker {
    port: u16,
    _folder: tempfile::TempDir,
    _child: Ended,
}

fn found(program: &str) -> Option<String> {
    let places = ["/usr/sbin/", "/usr/local/sbin/", ""];
    places
        .map(|place| format!("{place}{program}"))
        .into_iter()
        .find(|path| {
            let mut run = Command::new(path);
            run.arg("-h").stdout(Stdio::null()).stderr(Stdio::null());
            run.status().is_ok()
        })
}

impl Broker {
    fn start() -> Self {
        let mosquitto = found("mosquitto").expect("mosquitto is installed");
        let folder = tempfile::tempdir().unwrap();
        let passwords = folder.path().join("passwords");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&passwords)
            .args([USER, PASSWORD])
            .status()
            .unwrap();
        assert!(made.success());
        // The broker gives up root's rights, but must still read this.
        for path in [folder.path(), passwords.as_path()] {
            readable(path);
        }
        let port = free_port();
        let config = folder.path().join("mosquitto.conf");
        fs::write(
            &config,
            format!(
                "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\n",
                passwords.display()
            ),
        )
        .unwrap();
        let child = Command::new(mosquitto)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the broker", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self {
            port,
            _folder: folder,
            _child: Ended(child),
        }
    }

    fn subscribe(&self) -> Heard {
        let mut child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-u", USER, "-P", PASSWORD, "-t", "#", "-q", "1"])
            .args(["-F", "%r\t%t\t%p"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let reader = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let mut parts = line.splitn(3, '\t');
                let mut part = || parts.next().unwrap_or_default().to_owned();
                let message = (part() == "1", part(), part());
                heard.lock().unwrap().push(message);
            }
        });
        Heard {
            lines,
            _child: Ended(child),
        }
    }
}

#[cfg(unix)]
fn readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    const LONGEST: Duration = Duration::from_secs(60);
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < LONGEST, "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A message: whether the broker had retained it, topic, payload.
type Message = (bool, String, String);

/// What a subscriber hears.
struct Heard {
    lines: Arc<Mutex<Vec<Message>>>,
    _child: Ended,
}

impl Heard {
    fn payloads(&self, topic: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let matching = lines.iter().filter(|(_, its, _)| its == topic);
        matching.map(|(_, _, payload)| payload.clone()).collect()
    }

    fn wait_for(&self, topic: &str, payload: impl Fn(&str) -> bool) {
        wait_until(topic, || {
            self.payloads(topic).iter().any(|heard| payload(heard))
        });
    }
}

fn status(frame: u64) -> LiveStatus {
    LiveStatus {
        time: frame as f64,
        frame: Some(frame),
        model: "m".into(),
        watching: "largest face".into(),
        source: SourceStatus {
            name: "cam".into(),
            format: String::new(),
            down: None,
        },
        face: None,
        left: Some(eye()),
        right: None,
        uncertain: false,
        blinks: BlinkCounts {
            left: 1,
            right: 2,
            both: 3,
        },
        events: EventTotals::default(),
        blinks_per_minute: Some(12.0),
        perclos: None,
        alerts: vec![RunningAlert {
            kind: AlertKind::Drowsiness,
            since: 1.0,
        }],
        fps: 30.0,
        untold: None,
        frame_age_ms: None,
        frames: frame,
        lost: FrameLoss::default(),
        checks: CheckStatus::default(),
    }
}

fn eye() -> EyeRecord {
    serde_json::from_value(serde_json::json!({
        "state": "closed", "confidence": 0.9, "box": null,
        "probabilities": { "open": 0.1, "partially_open": 0.0, "closed": 0.9, "not_visible": 0.0 },
    }))
    .unwrap()
}

fn end_event(frames: u64) -> Event {
    let line = serde_json::json!({ "event": "end", "clip": "cam", "frames": frames, "outcome": "complete" });
    serde_json::from_value(line).unwrap()
}

fn settings(port: u16, password: &str) -> MqttSettings {
    let text = serde_json::json!({
        "broker": format!("127.0.0.1:{port}"), "name": "desk", "username": USER, "password": password,
    });
    serde_json::from_value(text).unwrap()
}

type Told = Arc<Mutex<Vec<String>>>;

fn start(channels: &LiveChannels, settings: &MqttSettings) -> (MqttPublisher, Told) {
    let told = Told::default();
    let mine = Arc::clone(&told);
    let tell = move |line: &str| mine.lock().unwrap().push(line.to_owned());
    let publisher = mqtt::start(&channels.events, &channels.status, settings, tell)
        .unwrap()
        .unwrap();
    (publisher, told)
}

#[needs(mosquitto)]
#[test]
fn a_subscriber_sees_the_state_the_events_and_the_end() {
    let broker = Broker::start();
    let early = broker.subscribe();
    let channels = LiveChannels::new();
    channels.status.set(status(7));
    let (publisher, told) = start(&channels, &settings(broker.port, PASSWORD));
    early.wait_for("parseye/desk/availability", |payload| payload == "online");
    early.wait_for("parseye/desk/state", |_| true);
    channels.events.publish(end_event(42));
    early.wait_for("parseye/desk/event/end", |payload| {
        payload.contains("\"frames\":42")
    });
    // Whoever comes later sees the newest state, but no old events.
    channels.status.set(status(8));
    early.wait_for("parseye/desk/state", |payload| {
        payload.contains("\"frame\":8")
    });
    let late = broker.subscribe();
    late.wait_for("parseye/desk/state", |_| true);
    let state: serde_json::Value =
        serde_json::from_str(&late.payloads("parseye/desk/state")[0]).unwrap();
    assert_eq!(state["left"]["state"], "closed");
    assert_eq!(state["alerts"][0]["kind"], "drowsiness");
    assert!(state["perclos"].is_null() && state["right"].is_null());
    late.wait_for(
        "homeassistant/binary_sensor/parseye_desk/drowsiness/config",
        |_| true,
    );
    assert!(late.payloads("parseye/desk/event/end").is_empty());
    let by_topic: BTreeMap<String, serde_json::Value> = late
        .lines
        .lock()
        .unwrap()
        .iter()
        .filter(|(retained, topic, _)| *retained && topic.starts_with("homeassistant/"))
        .map(|(_, topic, payload)| (topic.clone(), serde_json::from_str(payload).unwrap()))
        .collect();
    assert!(
        by_topic
            .values()
            .all(|config| config["state_topic"] == "parseye/desk/state")
    );
    channels.events.end();
    publisher.finish();
    late.wait_for("parseye/desk/availability", |payload| payload == "offline");
    assert!(told.lock().unwrap().is_empty(), "{told:?}");
}

/// Stands between the monitor and the broker, so that the connection can be cut.
struct Cable {
    port: u16,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let its_port = listener.local_addr().unwrap().port();
        let ends: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let kept = Arc::clone(&ends);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || pass_on(from, to));
                }
                kept.lock().unwrap().extend([near, far]);
            }
        });
        Self {
            port: its_port,
            ends,
        }
    }

    fn cut(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(count) = from.read(&mut bytes) {
        if count == 0 || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[needs(mosquitto)]
#[test]
fn a_cut_connection_is_told_by_the_broker_and_made_again() {
    let broker = Broker::start();
    let cable = Cable::to(broker.port);
    let heard = broker.subscribe();
    let channels = LiveChannels::new();
    channels.status.set(status(1));
    let (publisher, told) = start(&channels, &settings(cable.port, PASSWORD));
    heard.wait_for("parseye/desk/state", |_| true);
    cable.cut();
    heard.wait_for("parseye/desk/availability", |payload| payload == "offline");
    channels.status.set(status(2));
    heard.wait_for("parseye/desk/state", |payload| {
        payload.contains("\"frame\":2")
    });
    let said = heard.payloads("parseye/desk/availability");
    assert_eq!(said, ["online", "offline", "online"]);
    wait_until("the news", || told.lock().unwrap().len() == 2);
    let lines = told.lock().unwrap().clone();
    assert!(
        lines[0].contains("trying again") && lines[1].contains("reached again"),
        "{lines:?}"
    );
    channels.events.end();
    publisher.finish();
}

#[needs(mosquitto)]
#[test]
fn a_wrong_password_and_an_absent_broker_are_told_once_and_delay_nothing() {
    let broker = Broker::start();
    for (port, words) in [(broker.port, "password"), (free_port(), "refused")] {
        let channels = LiveChannels::new();
        channels.status.set(status(1));
        let (publisher, told) = start(&channels, &settings(port, "wrong secret"));
        wait_until("a word", || !told.lock().unwrap().is_empty());
        // Far more than can wait: publishing comes back all the same.
        (0..10_000).for_each(|frames| channels.events.publish(end_event(frames)));
        channels.events.end();
        publisher.finish();
        let lines = told.lock().unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains(words) && !lines[0].contains("wrong secret"),
            "{lines:?}"
        );
        assert!(!lines[0].contains('\n'));
    }
}
