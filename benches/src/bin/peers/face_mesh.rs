//! MediaPipe's FaceMesh in a process of its own (benches/face_mesh.py), and blinks from its eye-aspect
//! ratios by the rules that people use with it.

use anyhow::{Context, bail, ensure};
use parseye_vision::{evaluate::truth::FrameRange, frame::Frame};
use std::{
    io::{BufRead, BufReader, BufWriter, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

const SCRIPT: &str = "benches/face_mesh.py";

/// What FaceMesh measured on a frame.
#[derive(Clone, Copy, Debug)]
pub struct MeshReading {
    /// The frame's number.
    pub frame: u64,
    /// Its time from the clip's start.
    pub time: Duration,
    /// Mean eye-aspect ratio of both eyes (about 0.3 open, 0.1 closed); none without a face.
    pub ratio: Option<f32>,
    /// Its time, without the way to and from its process.
    pub milliseconds: f64,
}

/// A running FaceMesh.
pub struct FaceMesh {
    child: Child,
    frames: BufWriter<ChildStdin>,
    ratios: BufReader<ChildStdout>,
}

impl FaceMesh {
    /// Starts it. PYTHONPATH must lead to `mediapipe`; `benches/peers.sh` sees to that.
    pub fn start() -> anyhow::Result<Self> {
        let mut child = Command::new("python3")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("python3 cannot be started")?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{SCRIPT} has no pipes");
        };
        Ok(Self {
            child,
            frames: BufWriter::new(stdin),
            ratios: BufReader::new(stdout),
        })
    }

    fn header(&mut self, number: u64, width: u32, height: u32) -> anyhow::Result<()> {
        self.frames.write_all(&number.to_le_bytes())?;
        self.frames.write_all(&width.to_le_bytes())?;
        self.frames.write_all(&height.to_le_bytes())?;
        Ok(())
    }

    /// Processes a frame of the clip that this FaceMesh follows.
    pub fn process(&mut self, frame: &Frame) -> anyhow::Result<MeshReading> {
        let gone = || format!("{SCRIPT} has ended; run it by hand to see why");
        let rgb = &frame.rgb;
        self.header(frame.sequence, rgb.width(), rgb.height())
            .with_context(gone)?;
        self.frames.write_all(rgb.as_raw()).with_context(gone)?;
        self.frames.flush().with_context(gone)?;
        let mut line = String::new();
        ensure!(self.ratios.read_line(&mut line)? > 0, gone());
        let mut numbers = line.split_whitespace().map(str::parse::<f64>);
        let mut next = || {
            numbers
                .next()
                .with_context(|| format!("{SCRIPT} wrote '{line}'"))
        };
        ensure!(
            next()?? == frame.sequence as f64,
            "{SCRIPT} wrote about another frame"
        );
        let (left, right, milliseconds) = (next()??, next()??, next()??);
        let mean = (left + right) as f32 / 2.0;
        Ok(MeshReading {
            frame: frame.sequence,
            time: frame.time,
            ratio: mean.is_finite().then_some(mean),
            milliseconds,
        })
    }
}

impl Drop for FaceMesh {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about an error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When eyes count as closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// While the ratio is below this.
    Fixed(f32),
    /// While the ratio is below this share of the 80th percentile of the last ten seconds': a person's
    /// own open eyes.
    Adaptive(f32),
}

/// Frames whose 80th percentile an adaptive rule goes by: ten seconds at 30 a second.
const WINDOW: usize = 300;

/// Blinks by a rule: frames that follow each other with the eyes closed, one of which is enough. A
/// frame without a face ends a blink, and what lasts as long as `longest` is none, as with Parseye.
pub fn blinks(readings: &[MeshReading], rule: Rule, longest: Duration) -> Vec<FrameRange> {
    let mut recent: Vec<f32> = Vec::new();
    let mut is_closed = |reading: &MeshReading| {
        let Some(ratio) = reading.ratio else {
            return false;
        };
        recent.push(ratio);
        ratio
            < match rule {
                Rule::Fixed(threshold) => threshold,
                Rule::Adaptive(share) => share * percentile_80(&recent),
            }
    };
    let closed: Vec<bool> = readings.iter().map(&mut is_closed).collect();
    let mut blinks = Vec::new();
    let mut start = 0;
    for run in closed.chunk_by(|a, b| a == b) {
        let part = &readings[start..start + run.len()];
        start += run.len();
        let (Some(true), [first, ..], [.., last]) = (run.first(), part, part) else {
            continue;
        };
        if last.time.saturating_sub(first.time) < longest {
            blinks.push(FrameRange {
                first: first.frame,
                last: last.frame,
            });
        }
    }
    blinks
}

fn percentile_80(values: &[f32]) -> f32 {
    let mut last = values[values.len().saturating_sub(WINDOW)..].to_vec();
    let place = (last.len() - 1) * 4 / 5;
    let (_, value, _) = last.select_nth_unstable_by(place, f32::total_cmp);
    *value
}
