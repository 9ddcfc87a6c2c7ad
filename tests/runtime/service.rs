//! The program under a service manager, whose part the test plays: a socket that hears what systemd
//! would hear. What is said of a vision thread that hangs is tested beside `report::service`.

use crate::support::{
    live_run::{Run, write_blinking_clip},
    parseye,
};
use parseye_test_needs::needs;
use std::{os::unix::net::UnixDatagram, path::Path, process::Stdio, time::Duration};

/// Longest wait for what must come; no result depends on it.
const SOON: Duration = Duration::from_secs(60);

struct Manager(UnixDatagram);

impl Manager {
    fn new(folder: &Path) -> Self {
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        Self(socket)
    }

    fn hears(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).expect("something is said in time");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }
}

fn run(folder: &Path, arguments: &[&str], watchdog_ms: Option<u64>) -> Run {
    let mut command = parseye(folder);
    command
        .args(arguments)
        .env("NOTIFY_SOCKET", folder.join("notify"))
        .env_remove("WATCHDOG_PID")
        .env_remove("WATCHDOG_USEC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(limit) = watchdog_ms {
        command.env("WATCHDOG_USEC", (1000 * limit).to_string());
    }
    Run(command.spawn().expect("the program starts"))
}

const PLAY: [&str; 5] = [
    "replay",
    "--realtime",
    "--loop",
    "clip.mp4",
    "--no-terminal",
];

#[needs(face_detector)]
#[test]
fn a_manager_hears_that_a_run_is_ready_how_it_does_that_it_lives_and_that_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    write_blinking_clip(folder.path());
    let manager = Manager::new(folder.path());
    let run = run(folder.path(), &PLAY, Some(1000));
    let first = manager.hears();
    assert!(first.contains("READY=1\n"), "{first}");
    assert!(first.contains("STATUS=watching "), "{first}");
    for _ in 0..3 {
        let next = manager.hears();
        assert!(next.contains("WATCHDOG=1\n"), "{next}");
        assert!(next.contains("frames processed"), "{next}");
        assert!(!next.contains("READY=1"), "{next}");
    }
    run.signal("TERM");
    let last = std::iter::repeat_with(|| manager.hears()).find(|said| !said.contains("WATCHDOG=1"));
    assert_eq!(last.as_deref(), Some("STOPPING=1\n"));
}

#[needs(face_detector)]
#[test]
fn without_a_watchdog_only_the_rest_is_said() {
    let folder = tempfile::tempdir().unwrap();
    write_blinking_clip(folder.path());
    let manager = Manager::new(folder.path());
    let run = run(folder.path(), &PLAY, None);
    let first = manager.hears();
    assert!(first.contains("READY=1\n"), "{first}");
    assert!(!first.contains("WATCHDOG"), "{first}");
    run.signal("TERM");
    assert_eq!(manager.hears(), "STOPPING=1\n");
}
