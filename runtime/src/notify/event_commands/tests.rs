//! Commands end to end: events in, what the commands saw out.

use super::*;
use parseye_events::fanout::Fanout;
use parseye_testkit::script;
use parseye_vision::temporal::Laterality;
use std::time::Instant;

/// Longest wait for what must come; nothing is asserted about how long it took.
const AT_LAST: Duration = Duration::from_secs(30);

fn wait_until(mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < AT_LAST, "the condition never held");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn shell(script: &str, folder: &std::path::Path) -> Option<String> {
    let words = ["sh", "-c", script, folder.to_str().unwrap()];
    Some(shlex::try_join(words).unwrap())
}

#[test]
fn each_command_gets_its_event_as_often_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let add = r#"cat > /dev/null; echo "$PARSEYE_EVENT_KIND $PARSEYE_EVENT_EYE $PARSEYE_EVENT_DURATION" >> "$0/all""#;
    let settings = EventCommandSettings {
        blink: shell(add, folder.path()),
        double_blink: shell(add, folder.path()),
        ..EventCommandSettings::default()
    };
    let fanout = Fanout::new();
    let commands = EventCommands::start(&settings, fanout.subscribe(CAPACITY), |_| {});
    let commands = commands.unwrap().unwrap();
    for start in [1.0, 5.0, 5.5] {
        fanout.publish(script::blink(Laterality::Left, start, 0.25));
        fanout.publish(script::blink(Laterality::Both, start, 0.25));
    }
    fanout.publish(script::long_closure(9.0, 2.0));
    let text = || std::fs::read_to_string(folder.path().join("all")).unwrap_or_default();
    wait_until(|| text().lines().count() == 4);
    let text = text();
    let of = |line: &str| text.lines().filter(|other| *other == line).count();
    assert_eq!(of("blink both 0.25"), 3, "{text}");
    assert_eq!(of("double_blink both 0.25"), 1, "{text}");
    fanout.end();
    commands.finish();
}

#[test]
fn the_event_is_on_the_command_s_input() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"cat > "$0/in.part"; mv "$0/in.part" "$0/in""#;
    let settings = EventCommandSettings {
        long_closure: shell(script, folder.path()),
        ..EventCommandSettings::default()
    };
    let fanout = Fanout::new();
    let commands = EventCommands::start(&settings, fanout.subscribe(CAPACITY), |_| {});
    let event = script::long_closure(9.0, 2.0);
    fanout.publish(event.clone());
    let path = folder.path().join("in");
    wait_until(|| path.exists());
    let line = std::fs::read_to_string(path).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    drop(commands);
}

#[test]
fn without_a_command_nothing_runs_and_a_missing_program_is_named() {
    let fanout = Fanout::new();
    let settings = EventCommandSettings::default();
    let none = EventCommands::start(&settings, fanout.subscribe(1), |_| {});
    assert!(none.unwrap().is_none());
    let settings = EventCommandSettings {
        wink: Some("no-such-program --now".into()),
        ..settings
    };
    let error = EventCommands::start(&settings, fanout.subscribe(1), |_| {}).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("on_event.wink is 'no-such-program'"),
        "{error}"
    );
}

#[test]
fn a_command_that_takes_too_long_is_told_of_once() {
    let settings = EventCommandSettings {
        blink: Some("sleep 1000".into()),
        ..EventCommandSettings::default()
    };
    let fanout = Fanout::new();
    let (sender, reports) = std::sync::mpsc::channel();
    let commands = EventCommands::start(&settings, fanout.subscribe(CAPACITY), move |line| {
        let _ = sender.send(line.to_owned());
    });
    for number in 0..40 {
        let start = 2.0 * f64::from(number);
        fanout.publish(script::blink(Laterality::Both, start, 0.2));
    }
    let line = reports.recv_timeout(AT_LAST).unwrap();
    assert!(line.contains("on_event.blink"), "{line}");
    fanout.end();
    commands.unwrap().unwrap().finish();
    assert!(reports.try_recv().is_err());
}
