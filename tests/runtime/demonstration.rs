//! The demonstration, end to end: the face detector finds the drawn face, the default model reads it as the script
//! says, and the program plays, writes and serves it.

use crate::support::{
    errors, events, face_detector_path,
    live_run::{ServedRun, served},
    of_kind, parseye, refused, succeeds,
};
use parseye::{
    EyeMonitor, EyeStateModel, VisionSettings,
    capture::{DrawnDemonstration, FrameSource},
    events::event::Event,
};
use parseye_demo::{
    Demonstration,
    script::{Action, SCRIPT, Scene, Step},
};
use parseye_test_needs::needs;
use parseye_vision::{
    eye_monitor::FrameResult,
    eye_state::{Eye, EyeState},
    temporal::{Alert, AlertKind, AlertPhase, Closure, ClosureKind, Laterality},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

/// Every frame of the script, processed at full speed as a live run processes those it gets. Once for all tests.
fn watched() -> &'static [FrameResult] {
    static RESULTS: OnceLock<Vec<FrameResult>> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let mut settings = VisionSettings::default();
        settings.detector.file = Some(face_detector_path());
        let model = EyeStateModel::built_in().unwrap();
        let mut monitor = EyeMonitor::new(&settings, &model).unwrap();
        let mut source = DrawnDemonstration::open();
        std::iter::from_fn(|| source.next_frame().unwrap())
            .map(|frame| monitor.process(&frame).unwrap())
            .collect()
    })
}

fn second(result: &FrameResult) -> f32 {
    result.reading.time.as_secs_f32()
}

/// Seconds in which a face that has just turned away may still be followed by block matching.
const FOLLOWED_S: f32 = 0.3;

/// The frames in which a step of the script has its whole effect.
fn during(step: &Step) -> impl Iterator<Item = &'static FrameResult> + use<> {
    let settles = match step.action {
        Action::TurnAway => FOLLOWED_S,
        _ => 0.0,
    };
    let (from, until) = (step.from_s + settles, step.until_s);
    watched()
        .iter()
        .filter(move |result| (from..=until).contains(&second(result)))
}

fn steps(wanted: fn(&Action) -> bool) -> impl Iterator<Item = &'static Step> {
    SCRIPT.iter().filter(move |step| wanted(&step.action))
}

/// Share of some frames in which an eye has a state.
fn share(of: impl Iterator<Item = &'static FrameResult>, eye: Eye, state: EyeState) -> f64 {
    let (mut all, mut have) = (0.0, 0.0);
    for result in of {
        all += 1.0;
        have += f64::from(u8::from(result.reading.eyes.get(eye).state() == state));
    }
    have / all
}

/// Seconds after it appears within which a face is found.
const FOUND_WITHIN_S: f32 = 0.25;

#[needs(face_detector)]
#[test]
fn the_face_is_found_wherever_it_is_shown_and_the_eyes_where_they_are() {
    let demonstration = Demonstration::new(1);
    assert_eq!(watched().len() as u64, demonstration.frames());
    let mut missed = Vec::new();
    // Since when the face is turned by less than 20 degrees, and wholly in the frame.
    let mut shown_since = None;
    for result in watched() {
        let scene = Scene::at(second(result));
        let labels = demonstration.labels(result.reading.frame);
        if scene.gone > 0.95 {
            assert_eq!(result.reading.face, None, "nobody at {}", second(result));
        }
        if scene.turned > 0.25 || scene.gone > 0.30 {
            shown_since = None;
            continue;
        }
        let since = *shown_since.get_or_insert(second(result));
        let Some(face) = result.reading.face else {
            let appears = since > 0.0 && second(result) - since <= FOUND_WITHIN_S;
            missed.extend((!appears).then(|| second(result)));
            continue;
        };
        let apart = labels.left.centre[0] - labels.right.centre[0];
        for eye in Eye::ALL {
            let [x, y] = [0, 1].map(|axis| face.eyes.get(eye)[axis] - labels.get(eye).centre[axis]);
            let off = x.hypot(y) / apart;
            assert!(off < 0.20, "{eye:?} off by {off} at {} s", second(result));
        }
    }
    assert!(missed.is_empty(), "no face at {missed:?} s");
}

#[needs(face_detector)]
#[test]
fn the_default_model_reads_what_the_script_says() {
    use EyeState::{Closed, NotVisible, Open, PartiallyOpen};
    for eye in Eye::ALL {
        // Awake, with the lids at rest.
        let rests = watched().iter().filter(|result| {
            let scene = Scene::at(second(result));
            scene.openness == [1.0; 2] && scene.turned + scene.gone == 0.0
        });
        let open = share(rests, eye, Open);
        assert!(open > 0.98, "{eye:?} open in {open}");
        for step in &SCRIPT {
            let is = |state| share(during(step), eye, state);
            let (state, least) = match step.action {
                Action::Blink => (Closed, 0.7),
                Action::Sleep => (Closed, 0.98),
                Action::Wink(winking) if winking == eye => (Closed, 0.9),
                Action::Wink(_) => (Open, 0.9),
                Action::Squint(_) => (PartiallyOpen, 0.8),
                // The edge of the cheek is taken for an eye now and then.
                Action::TurnAway => (NotVisible, 0.9),
                Action::Leave => (NotVisible, 1.0),
                // Lowered lids, but the iris shows.
                Action::LookDown => {
                    assert!(is(Closed) == 0.0, "{step:?}: {eye:?} closed");
                    continue;
                }
                Action::Droop(_) | Action::Dim(_) | Action::Noise(_) => continue,
            };
            assert!(
                is(state) >= least,
                "{step:?}: {eye:?} {state} in {}",
                is(state)
            );
        }
    }
}

/// The closures of one kind, as seconds.
fn closures(kind: ClosureKind, wanted: impl Fn(&Closure) -> bool) -> Vec<f32> {
    let ended = watched().iter().flat_map(|result| &result.update.ended);
    ended
        .filter(|closure| closure.kind == kind && wanted(closure))
        .map(|closure| closure.start.as_secs_f32())
        .collect()
}

/// Whether events come when the script says so, in order, and no others.
#[track_caller]
fn are_scripted(found: &[f32], scripted: impl Iterator<Item = &'static Step>) {
    let scripted: Vec<f32> = scripted.map(|step| step.from_s).collect();
    let fits = found.len() == scripted.len()
        && found
            .iter()
            .zip(&scripted)
            .all(|(found, wanted)| (found - wanted).abs() < 0.15);
    assert!(fits, "found at {found:?}, scripted at {scripted:?}");
}

#[needs(face_detector)]
#[test]
fn blinks_and_winks_come_when_the_script_says_so_and_no_others() {
    let of_both = |closure: &Closure| closure.eye == Laterality::Both;
    are_scripted(
        &closures(ClosureKind::Blink, of_both),
        steps(|action| *action == Action::Blink),
    );
    for (eye, winks) in [
        (
            Laterality::Left,
            steps(|action| *action == Action::Wink(Eye::Left)),
        ),
        (
            Laterality::Right,
            steps(|action| *action == Action::Wink(Eye::Right)),
        ),
    ] {
        let of_eye = |closure: &Closure| closure.eye == eye && closure.wink;
        are_scripted(&closures(ClosureKind::Blink, of_eye), winks);
    }
    are_scripted(
        &closures(ClosureKind::LongClosure, of_both),
        steps(|action| *action == Action::Sleep),
    );
}

#[needs(face_detector)]
#[test]
fn the_sleeper_sets_off_the_warning_and_then_the_alarm_and_nothing_else_does() {
    let alerts: Vec<&Alert> = watched()
        .iter()
        .flat_map(|result| &result.update.alerts)
        .collect();
    let sleep = steps(|action| *action == Action::Sleep).next().unwrap();
    let told: Vec<(AlertKind, AlertPhase)> = alerts
        .iter()
        .map(|alert| (alert.kind, alert.phase))
        .collect();
    use AlertKind::{LongClosureAlarm, LongClosureWarning};
    use AlertPhase::{Cleared, Raised};
    assert_eq!(
        told,
        [
            (LongClosureWarning, Raised),
            (LongClosureAlarm, Raised),
            (LongClosureWarning, Cleared),
            (LongClosureAlarm, Cleared),
        ]
    );
    for (alert, due) in alerts.iter().zip([
        sleep.from_s + 0.5,
        sleep.from_s + 1.5,
        sleep.until_s,
        sleep.until_s,
    ]) {
        let time = alert.time.as_secs_f32();
        assert!(
            (time - due).abs() < 0.25,
            "{:?} at {time}, due at {due}",
            alert.kind
        );
    }
}

#[needs(face_detector)]
#[test]
fn off_a_terminal_it_is_watched_and_logged_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let output = succeeds(
        parseye(folder.path())
            .args(["demo", "--duration", "5", "--log", "log.jsonl"])
            .stdin(Stdio::null()),
    );
    let line = String::from_utf8_lossy(&output.stdout);
    assert!(
        line.contains("frames") && line.contains("blinks: "),
        "{line}"
    );
    let events = events(&folder.path().join("log.jsonl"));
    assert_eq!(events[0]["mode"], "realtime");
    assert_eq!(events[0]["clips"][0], "demonstration");
    assert_eq!(events[1]["format"], "drawn 640x480");
    assert_eq!(events.last().unwrap()["outcome"], "complete");
    let last = of_kind(&events, "eyes").pop().unwrap()["time"].as_f64();
    assert!(last.unwrap() > 4.0, "{last:?}");
}

/// The demonstration as a recording gives what its frames give: encoding hides no blink.
#[needs(face_detector)]
#[test]
fn it_is_written_as_a_recording_whose_replay_finds_the_blinks() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(parseye(folder.path()).args(["demo", "--write", "demo.mp4", "--duration", "8"]));
    succeeds(parseye(folder.path()).args(["replay", "demo.mp4", "--log", "log.jsonl"]));
    let events = events(&folder.path().join("log.jsonl"));
    assert_eq!(of_kind(&events, "eyes").len(), 240);
    let blinks = of_kind(&events, "blink").into_iter();
    let starts: Vec<f64> = blinks
        .filter(|blink| blink["eye"] == "both")
        .map(|blink| blink["start"].as_f64().unwrap())
        .collect();
    assert_eq!(starts.len(), 2, "{starts:?}");
    for (start, scripted) in starts.iter().zip([2.0, 4.8]) {
        assert!((start - scripted).abs() < 0.12, "{starts:?}");
    }
    // Every line is one that the library reads.
    for event in &events {
        serde_json::from_value::<Event>(event.clone()).unwrap();
    }
}

fn get(address: &str, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    BufReader::new(stream)
}

#[needs(face_detector)]
#[test]
fn the_web_dashboard_shows_its_states_its_checks_and_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let ServedRun {
        mut run,
        address,
        words,
    } = served(
        parseye(folder.path()),
        &["demo", "--duration", "600", "--self-check", "50%"],
    );
    let mut seen = (false, false, false);
    for line in get(&address, "/events").lines() {
        let line = line.unwrap();
        seen.0 |= line.contains(r#""state":"open""#);
        seen.1 |= line.contains(r#""state":"closed""#);
        // Of the self-check.
        seen.2 |= line.contains(r#""headroom_db":"#);
        if seen == (true, true, true) {
            break;
        }
    }
    assert_eq!(seen, (true, true, true), "open, closed, checked");
    let mut answer = Vec::new();
    get(&address, "/picture.jpg")
        .read_to_end(&mut answer)
        .unwrap();
    let begin = answer
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap()
        + 4;
    let picture = image::load_from_memory(&answer[begin..]).expect("a whole JPEG");
    let (width, height) = Demonstration::SIZE;
    assert_eq!(picture.width() * height, picture.height() * width);
    assert!(picture.width() >= 320);
    run.signal("TERM");
    assert_eq!(run.0.wait().unwrap().code(), Some(143));
    words.join().unwrap();
}

/// What `make run` does on any machine.
fn monitor_or_demo(folder: &Path) -> Output {
    parseye(folder)
        .args([
            "monitor",
            "--or-demo",
            "--duration",
            "3",
            "--log",
            "log.jsonl",
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[needs(face_detector, no_camera)]
#[test]
fn without_a_camera_a_monitor_that_may_goes_on_with_it_and_says_so_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = monitor_or_demo(folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let words = errors(&output);
    let notes: Vec<&str> = words
        .lines()
        .filter(|line| line.starts_with("parseye: "))
        .collect();
    assert_eq!(notes.len(), 1, "{words}");
    for word in ["no camera", "/dev/video", "demonstration", "drawn"] {
        assert!(notes[0].contains(word), "'{}' lacks '{word}'", notes[0]);
    }
    let log = events(&folder.path().join("log.jsonl"));
    assert_eq!(log[0]["clips"][0], "demonstration");
    // A log is never replaced by it: it may be a camera's.
    assert_eq!(monitor_or_demo(folder.path()).status.code(), Some(0));
    let both = events(&folder.path().join("log.jsonl"));
    assert_eq!(both[..log.len()], log[..]);
    // Who names a camera wants that one.
    refused(
        parseye(folder.path()).args(["monitor", "--or-demo", "--camera", "99"]),
        1,
        &["99", "no such device"],
    );
}

#[test]
fn misuse_of_the_demonstration_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |status, arguments: &[&str], words: &[&str]| {
        refused(parseye(folder.path()).args(arguments), status, words);
    };
    run(2, &["dmeo"], &["'dmeo'", "'demo'"]);
    run(2, &["demo", "a.mp4"], &["'a.mp4'"]);
    run(2, &["demo", "--camera", "0"], &["'--camera'"]);
    run(2, &["monitor", "--or-dem"], &["'--or-dem'", "'--or-demo'"]);
    run(1, &["demo", "--duration", "0"], &["--duration is 0"]);
    run(
        2,
        &["demo", "--write", "a.mp4", "--log", "b"],
        &["--write", "--log"],
    );
    run(
        2,
        &["demo", "--write", "a.mp4", "--web", "1"],
        &["--write", "--web"],
    );
    run(
        1,
        &["demo", "--write", "nowhere/a.mp4"],
        &["nowhere/a.mp4", "cannot be written"],
    );
    run(1, &["demo", "--write", "."], &["a folder"]);
    run(
        1,
        &["demo", "--on-alarm", "no-such-program x"],
        &["'no-such-program'"],
    );
    let mut unwritable = parseye(folder.path());
    unwritable
        .args(["demo", "--write", "a.mp4", "--duration", "1"])
        .env("PATH", folder.path());
    refused(&mut unwritable, 1, &["ffmpeg", "apt install ffmpeg"]);
}
