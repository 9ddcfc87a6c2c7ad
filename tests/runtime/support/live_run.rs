//! A recording that plays live with its web dashboard served, and where that is.

use super::{parseye, synthetic_face};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

/// Writes `clip.mp4`: two seconds in which the eyes close for half a second.
pub fn write_blinking_clip(folder: &Path) {
    let blink = synthetic_face::Blink {
        first: 25,
        last: 39,
    };
    synthetic_face::write_clip(&folder.join("clip.mp4"), 60, &[blink]);
}

/// A program that does not outlive its test.
pub struct Run(pub Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Run {
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args(["-s", name, &self.0.id().to_string()])
            .status()
            .expect("kill starts");
        assert!(done.success());
    }
}

/// A run whose web dashboard listens.
pub struct ServedRun {
    pub run: Run,
    /// Host and port.
    pub address: String,
    /// Takes what it says on stderr, which would block it otherwise; ends with it.
    pub words: JoinHandle<String>,
}

/// Plays `clip.mp4` of the folder again and again and serves the web dashboard.
pub fn serve(folder: &Path, arguments: &[&str]) -> ServedRun {
    serve_by(parseye(folder), arguments)
}

/// The same with a command that starts the program in some other way.
pub fn serve_by(program: Command, arguments: &[&str]) -> ServedRun {
    let recording = ["replay", "--realtime", "--loop", "clip.mp4"];
    served(program, &[&recording, arguments].concat())
}

/// Runs a command of the program, which watches something, and serves the web dashboard.
pub fn served(mut program: Command, arguments: &[&str]) -> ServedRun {
    let child = program
        .args(arguments)
        .args(["--web", "127.0.0.1:0", "--no-terminal"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut run = Run(child);
    let mut first = String::new();
    let mut stderr = BufReader::new(run.0.stderr.take().expect("it is piped"));
    stderr.read_line(&mut first).expect("it says something");
    let address = first
        .trim_end()
        .rsplit_once("http://")
        .map(|(_, rest)| rest.trim_end_matches('/').to_owned())
        .unwrap_or_else(|| panic!("no address in '{first}'"));
    let words = std::thread::spawn(move || {
        let mut words = Vec::new();
        let _ = stderr.read_to_end(&mut words);
        String::from_utf8_lossy(&words).into_owned()
    });
    ServedRun {
        run,
        address,
        words,
    }
}
