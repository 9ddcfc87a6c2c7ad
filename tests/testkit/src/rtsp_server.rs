//! A real RTSP server on this machine, GStreamer's (tests/rtsp/server.py), which serves what a
//! [`MjpegServer`](super::mjpeg_server::MjpegServer) sends.

use super::{mjpeg_server::MjpegServer, places::repository};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// The server. Dropping it kills it, as a camera that loses its power.
#[derive(Debug)]
pub struct RtspServer {
    child: Child,
    port: String,
}

impl RtspServer {
    /// Starts a server of `h264` or `jpeg` on a port, `0` for any, that asks for this user and password.
    pub fn start(source: &MjpegServer, codec: &str, port: &str, credentials: &str) -> Self {
        // The system's own Python: GStreamer's bindings belong to that.
        let mut child = Command::new("/usr/bin/python3")
            .arg(repository().join("tests/rtsp/server.py"))
            .args([
                &format!("http://{}/", source.address()),
                codec,
                port,
                credentials,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the RTSP server starts");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut port)
            .expect("it says where it listens");
        let port = port.trim().to_owned();
        assert!(!port.is_empty(), "the RTSP server ended at once");
        Self { child, port }
    }

    /// Returns the port that it listens on.
    pub fn port(&self) -> &str {
        &self.port
    }
}

impl Drop for RtspServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
