//! Alarms end to end: events in, what a command saw out.

use super::*;
use parseye_events::fanout::Fanout;
use parseye_vision::temporal::{AlertKind, AlertPhase};
use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
};

/// Longest wait for what must come; nothing is asserted about how long it took.
const AT_LAST: Duration = Duration::from_secs(30);

fn alert(kind: AlertKind, phase: AlertPhase) -> Event {
    Event::Alert(AlertEvent {
        clip: "camera".into(),
        kind,
        phase,
        time: 12.5,
        since: 11.0,
        perclos: Some(0.25),
        unix_time: None,
    })
}

fn raised() -> Event {
    alert(AlertKind::LongClosureAlarm, AlertPhase::Raised)
}

fn cleared() -> Event {
    alert(AlertKind::LongClosureAlarm, AlertPhase::Cleared)
}

struct Bench {
    fanout: Fanout<Event>,
    folder: tempfile::TempDir,
    reports: Receiver<String>,
    alarm: Option<Alarm>,
}

/// Alarms that run `script` in a shell, which finds its folder in `$0`.
fn alarms(script: &str, change: impl FnOnce(&mut AlarmSettings)) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = AlarmSettings {
        command: Some(
            shlex::try_join(["sh", "-c", script, folder.path().to_str().unwrap()]).unwrap(),
        ),
        least_between_s: 0.0,
        ..AlarmSettings::default()
    };
    change(&mut settings);
    let fanout = Fanout::new();
    let (sender, reports) = channel();
    let alarm = Alarm::start(&settings, fanout.subscribe(CAPACITY), move |line| {
        let _ = sender.send(line.to_owned());
    });
    Bench {
        fanout,
        folder,
        reports,
        alarm: Some(alarm.unwrap()),
    }
}

impl Bench {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn appears(&self, name: &str) -> String {
        wait_until(|| self.at(name).exists());
        std::fs::read_to_string(self.at(name)).unwrap()
    }

    /// Returns a channel that gets a message once the command and all that it started have closed the pipe `pipe`.
    fn pipe(&self) -> Receiver<io::Result<Vec<u8>>> {
        let path = self.at("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let (sender, closed) = channel();
        std::thread::spawn(move || sender.send(std::fs::read(path)));
        closed
    }

    fn end(&mut self) {
        self.fanout.end();
        self.alarm.take().unwrap().finish();
    }
}

/// A command whose child holds a pipe open: it closes when both have ended.
const HOLDS_ITS_PIPE: &str = r#"exec 9> "$0/pipe"; touch "$0/started"; sleep 1000; true"#;

fn wait_until(mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < AT_LAST, "the condition never held");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn a_command_gets_the_event_on_its_input_and_in_its_environment() {
    let script = r#"cat > "$0/in.part"; env | grep ^PARSEYE_ALERT_ | sort > "$0/env.part"
        mv "$0/in.part" "$0/in"; mv "$0/env.part" "$0/env""#;
    let mut bench = alarms(script, |_| {});
    bench.fanout.publish(raised());
    let event: Event = serde_json::from_str(&bench.appears("in")).unwrap();
    assert_eq!(event, raised());
    assert_eq!(
        bench.appears("env"),
        "PARSEYE_ALERT_CLIP=camera\nPARSEYE_ALERT_KIND=long_closure_alarm\n\
         PARSEYE_ALERT_PERCLOS=0.25\nPARSEYE_ALERT_PHASE=raised\n\
         PARSEYE_ALERT_SINCE=11.0\nPARSEYE_ALERT_TIME=12.5\n"
    );
    bench.end();
    assert_eq!(bench.reports.try_iter().next(), None);
}

#[test]
fn a_failing_command_is_reported_once_and_run_again() {
    let mut bench = alarms(r#"echo x >> "$0/runs"; exit 3"#, |settings| {
        settings.silence_command = false;
    });
    for run in 1..=3 {
        bench.fanout.publish(raised());
        bench.fanout.publish(cleared());
        bench.fanout.publish(raised());
        wait_until(|| lines(&bench.at("runs")) >= run);
    }
    let line = bench.reports.recv_timeout(AT_LAST).unwrap();
    assert!(
        line.contains("exit status: 3") && !line.contains('\n'),
        "{line}"
    );
    bench.end();
    assert_eq!(bench.reports.try_iter().count(), 0);
}

#[test]
fn a_hanging_command_is_ended_at_its_limit_with_all_that_it_started() {
    let mut bench = alarms(HOLDS_ITS_PIPE, |settings| settings.command_limit_s = 0.2);
    let pipe = bench.pipe();
    bench.fanout.publish(raised());
    let line = bench.reports.recv_timeout(AT_LAST).unwrap();
    assert!(line.contains("command_limit_s"), "{line}");
    pipe.recv_timeout(AT_LAST).unwrap().unwrap();
    bench.end();
}

#[test]
fn a_command_that_will_not_end_is_killed_and_events_are_read_meanwhile() {
    let script = r#"trap '' TERM; echo x >> "$0/runs"; while :; do sleep 0.1; done"#;
    let mut bench = alarms(script, |settings| settings.command_limit_s = 0.2);
    bench.fanout.publish(raised());
    wait_until(|| lines(&bench.at("runs")) == 1);
    // One at a time: this one waits for the end of the first.
    bench.fanout.publish(raised());
    wait_until(|| lines(&bench.at("runs")) == 2);
    bench.end();
    assert_eq!(bench.reports.try_iter().count(), 1, "reported once");
}

#[test]
fn open_eyes_silence_the_command() {
    let script = r#"trap 'touch "$0/silenced"; exit' TERM; touch "$0/started"
        while :; do sleep 0.05; done"#;
    let mut bench = alarms(script, |settings| settings.command_limit_s = 1000.0);
    bench.fanout.publish(raised());
    bench.appears("started");
    bench.fanout.publish(cleared());
    bench.appears("silenced");
    bench.end();
    assert_eq!(bench.reports.try_iter().count(), 0, "it did what it should");
}

#[test]
fn a_command_that_must_end_by_itself_may() {
    let script =
        r#"touch "$0/started"; while [ ! -e "$0/go" ]; do sleep 0.05; done; touch "$0/sent""#;
    let mut bench = alarms(script, |settings| settings.silence_command = false);
    bench.fanout.publish(raised());
    bench.appears("started");
    bench.fanout.publish(cleared());
    std::fs::write(bench.at("go"), "").unwrap();
    bench.appears("sent");
    bench.end();
}

#[test]
fn the_end_of_the_monitor_ends_the_command() {
    let mut bench = alarms(HOLDS_ITS_PIPE, |_| {});
    let pipe = bench.pipe();
    bench.fanout.publish(raised());
    bench.appears("started");
    bench.end();
    pipe.recv_timeout(AT_LAST).unwrap().unwrap();
}

#[test]
fn a_run_that_breaks_off_does_not_wait_for_the_end_of_its_events() {
    let mut bench = alarms("true", |_| {});
    drop(bench.alarm.take());
    bench.fanout.publish(raised());
    assert_eq!(bench.fanout.readers(), 0);
}

#[test]
fn alerts_that_were_not_asked_for_set_nothing_off() {
    let mut bench = alarms(r#"touch "$0/ran""#, |_| {});
    bench
        .fanout
        .publish(alert(AlertKind::LongClosureWarning, AlertPhase::Raised));
    bench.end();
    assert!(!bench.at("ran").exists());
}

#[test]
fn a_command_that_is_not_there_is_refused_at_the_start() {
    for command in ["no-such-program-anywhere --loud", "/no/such/program"] {
        let settings = AlarmSettings {
            command: Some(command.into()),
            ..AlarmSettings::default()
        };
        let error = Alarm::start(&settings, Fanout::new().subscribe(1), |_| {}).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("alarm.command is ") && error.contains("PATH"),
            "{error}"
        );
    }
}
