//! The flags as they are parsed; checking them together is left to [`super::resolve`].

use crate::config::LogLevel;
use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;
use parseye_capture::Backend;
use parseye_vision::{
    locate::{Rotation, Watch, WatchRegion},
    selfcheck::schedule::CheckMode,
};
use serde::de::{self, Deserialize, IntoDeserializer};
use std::path::PathBuf;

/// Watches a person's eyes through an ordinary camera: open, partially open, closed or not
/// visible, blink by blink.
#[derive(Debug, Parser)]
#[command(name = "parseye", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Settings (TOML) to use instead of ./parseye.toml and ~/.config/parseye/config.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: CommandArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum CommandArgs {
    /// Watch a camera until Ctrl-C
    Monitor(MonitorArgs),
    /// Watch a drawn face that follows a script, without a camera
    Demo(DemoArgs),
    /// List the cameras
    Cameras,
    /// List the eye-state models: the one built in, and those in models/
    Models(ModelsArgs),
    /// Process recordings: video files, folders of images, single images
    Replay(ReplayArgs),
    /// Evaluate the classifier alone on labelled eye crops
    Evaluate(EvaluateArgs),
    /// Summarize and plot event logs
    Summarize(SummarizeArgs),
    /// Show the settings in force and where each comes from
    Config(ConfigArgs),
    /// Attack the predictions: how much noise it takes to change them, and how much the camera adds
    Check(CheckArgs),
    /// Record your own eyes for training: a guided two minutes, crops of the eyes alone
    Collect(CollectArgs),
    /// Write the manual pages
    // Hidden: for those who make packages. README.md names both.
    #[command(hide = true)]
    Man(ManArgs),
    /// Write a shell's completion script
    #[command(hide = true)]
    Completions(CompletionsArgs),
}

/// `parseye models`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsArgs {
    /// Print their whole cards as JSON: training, data and measured metrics
    #[arg(long)]
    pub json: bool,
}

/// `parseye monitor`.
#[derive(Debug, ClapArgs)]
pub(crate) struct MonitorArgs {
    /// Camera: a number, a device or a part of its name, as `parseye cameras` lists them; the URL of a network
    /// camera (rtsp://..., http://...); a recording; `-`, a stream at the standard input; or
    /// `pipe:COMMAND`, a program that writes Motion JPEG to its standard output
    #[arg(long, value_name = "ID")]
    pub camera: Option<String>,
    /// What reads the camera: auto, v4l2 or nokhwa
    #[arg(long, value_name = "NAME", value_parser = backend)]
    pub backend: Option<Backend>,
    /// Eye-state model made by `train`, instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Append events to this file (JSON lines, see docs/EVENTS.md); - is standard output
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// What the log holds.
    #[command(flatten)]
    pub log_detail: LogDetailArgs,
    /// Run this command on alarms, without a shell; it gets the event on standard input and in PARSEYE_ALERT_*
    #[arg(long, value_name = "COMMAND")]
    pub on_alarm: Option<String>,
    /// Run this command on what eyes do: KIND is blink, double_blink, wink or long_closure. May be given several
    /// times; the command gets the event on standard input and in PARSEYE_EVENT_*
    #[arg(long, value_name = "KIND=COMMAND")]
    pub on_event: Vec<String>,
    /// Publish to this MQTT broker (needs a program built with the feature mqtt)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub mqtt: Option<String>,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Where no camera is found, play the demonstration of `parseye demo` instead
    #[arg(long)]
    pub or_demo: bool,
    /// Whom to watch.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Dashboards and self-check.
    #[command(flatten)]
    pub dashboards: DashboardArgs,
}

/// `parseye demo`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Eye-state model made by `train`, instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Append events to this file (JSON lines, see docs/EVENTS.md)
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Run this command on alarms, without a shell; it gets the event on standard input and in PARSEYE_ALERT_*
    #[arg(long, value_name = "COMMAND")]
    pub on_alarm: Option<String>,
    /// Publish to this MQTT broker (needs a program built with the feature mqtt)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub mqtt: Option<String>,
    /// Stop after this many seconds. Without it, a dashboard on the terminal is shown until it is closed, and
    /// elsewhere the minute of the script is played once
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Write the frames as a recording to this file instead of watching them
    #[arg(
        long,
        value_name = "OUT.mp4",
        conflicts_with_all = [
            "model", "log", "on_alarm", "mqtt", "no_terminal", "web", "token", "preview", "self_check",
        ]
    )]
    pub write: Option<PathBuf>,
    /// Dashboards and self-check.
    #[command(flatten)]
    pub dashboards: DashboardArgs,
}

/// Whom to watch, and how the camera stands.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct WatchArgs {
    /// Which of several faces is watched: largest, centre, left or right (of the picture)
    #[arg(long, value_name = "FACE")]
    pub watch: Option<Watch>,
    /// Watch faces in this part of the picture alone: as shares of it, such as 0.5,0,0.5,1 for its right half,
    /// or in pixels
    #[arg(long, value_name = "X,Y,W,H")]
    pub roi: Option<WatchRegion>,
    /// Degrees by which the picture must be turned clockwise to be upright: 0, 90, 180, 270, or auto
    #[arg(long, value_name = "DEGREES")]
    pub rotate: Option<Rotation>,
    /// The picture is mirrored: what seems to be the left eye is the right one
    #[arg(long)]
    pub mirror: bool,
}

/// Dashboards and self-check of a live run.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct DashboardArgs {
    /// Write a status line instead of filling the terminal with a dashboard
    #[arg(long)]
    pub no_terminal: bool,
    /// Serve the web dashboard, /metrics and /healthz here, such as 127.0.0.1:8080
    #[arg(long, value_name = "ADDRESS")]
    pub web: Option<String>,
    /// Token that web clients must send; better given as PARSEYE_WEB__TOKEN, which no process list shows
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Show the newest frame on the web dashboard, too
    #[arg(long)]
    pub preview: bool,
    /// When predictions are checked: within a share of one core such as 5%, on-change, on-demand (SIGUSR1)
    /// or off
    #[arg(long, value_name = "WHEN")]
    pub self_check: Option<CheckMode>,
}

/// What the event log holds.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct LogDetailArgs {
    /// What has lines in the log: all, or events alone, without a line for each frame
    #[arg(long, value_name = "LEVEL", value_parser = log_level)]
    pub log_level: Option<LogLevel>,
    /// Give one frame in N a line in the log
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_every: Option<u32>,
}

/// `parseye replay`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    /// Video files, folders of images, or single images; - is standard input
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<PathBuf>,
    /// Eye-state model made by `train`, instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Write events to this file (JSON lines, see docs/EVENTS.md); - is standard output
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// What the log holds.
    #[command(flatten)]
    pub log_detail: LogDetailArgs,
    /// Score blinks against this file (columns clip, start_frame, end_frame, kind)
    #[arg(long, value_name = "BLINKS.csv")]
    pub truth: Option<PathBuf>,
    /// Write the frames with their predictions drawn on them: .mp4, .mov, .mkv, .webm or .gif, a single image
    /// as .png; OUT-CLIP.mp4 for each of several sources
    #[arg(long, value_name = "OUT.mp4")]
    pub annotate: Option<PathBuf>,
    /// Write the summary to this file instead of the screen; - is standard output
    #[arg(long, value_name = "OUT.json")]
    pub summary: Option<PathBuf>,
    /// Play one recording at its own pace, as a camera would deliver it
    #[arg(long, conflicts_with_all = ["truth", "annotate", "summary"])]
    pub realtime: bool,
    /// Start again at the end, until Ctrl-C
    #[arg(long = "loop", conflicts_with_all = ["truth", "annotate"])]
    pub loop_forever: bool,
    /// Run this command on alarms, without a shell; it gets the event on standard input and in PARSEYE_ALERT_*
    #[arg(long, value_name = "COMMAND", requires = "realtime")]
    pub on_alarm: Option<String>,
    /// Run this command on what eyes do: KIND is blink, double_blink, wink or long_closure. May be given several
    /// times; the command gets the event on standard input and in PARSEYE_EVENT_*
    #[arg(long, value_name = "KIND=COMMAND", requires = "realtime")]
    pub on_event: Vec<String>,
    /// Stop after this many seconds: of the recordings, or by the clock with --realtime
    #[arg(long, value_name = "SECONDS", conflicts_with = "truth")]
    pub duration: Option<f64>,
    /// Whom to watch.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Dashboards and self-check of a recording that is played at its own pace.
    #[command(flatten)]
    pub dashboards: DashboardArgs,
}

/// `parseye collect`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CollectArgs {
    /// New folder for the crops and manifest.csv, the --data of `train`
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Camera, as `parseye cameras` lists them
    #[arg(long, value_name = "ID")]
    pub camera: Option<String>,
    /// Read this recording in place of a camera: of a person who does what the steps say
    #[arg(long, value_name = "SOURCE", conflicts_with = "camera")]
    pub recording: Option<PathBuf>,
    /// Name of the person in the manifest: letters, digits, - and _
    #[arg(long, value_name = "NAME", default_value = "me")]
    pub subject: String,
}

/// `parseye evaluate`.
#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// List of labelled crops
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// Crops to evaluate: train, val or test
    #[arg(long, value_name = "SPLIT")]
    pub split: String,
    /// Eye-state model made by `train`, instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Write all metrics to this file; - is standard output
    #[arg(long, value_name = "OUT.json")]
    pub json: Option<PathBuf>,
}

impl DashboardArgs {
    /// Returns the first flag that was given, for commands that refuse them.
    pub(crate) fn given(&self) -> Option<&'static str> {
        [
            ("--no-terminal", self.no_terminal),
            ("--web", self.web.is_some()),
            ("--token", self.token.is_some()),
            ("--preview", self.preview),
            ("--self-check", self.self_check.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }
}

/// Parses a backend by its name in settings files.
fn backend(name: &str) -> Result<Backend, de::value::Error> {
    Backend::deserialize(name.into_deserializer())
}

/// Parses a level of the log by its name in settings files.
fn log_level(name: &str) -> Result<LogLevel, de::value::Error> {
    LogLevel::deserialize(name.into_deserializer())
}

/// `parseye summarize`.
#[derive(Debug, ClapArgs)]
pub(crate) struct SummarizeArgs {
    /// Event logs, or the parts of one, also compressed (.gz, .zst); their order does not matter; - is standard
    /// input
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
    /// Write all metrics to this file; - is standard output
    #[arg(long, value_name = "OUT.json")]
    pub json: Option<PathBuf>,
    /// Draw the session over time into this file: OUT.svg or OUT.png; - is an SVG on standard output
    #[arg(long, value_name = "OUT.svg")]
    pub plot: Option<PathBuf>,
}

/// `parseye config`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigArgs {
    /// Print the settings as TOML that --config reads back
    #[arg(long, required = true)]
    pub print: bool,
    /// Print them as JSON instead
    #[arg(long)]
    pub json: bool,
    /// Flags of `parseye monitor`, whose values are shown as it would use them.
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

/// `parseye check`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Video file, folder of images, or single image; - is standard input
    #[arg(
        value_name = "SOURCE",
        required_unless_present = "manifest",
        conflicts_with = "manifest"
    )]
    pub source: Option<PathBuf>,
    /// Eye-state model made by `train`, instead of the one built in; white-box checks need its
    /// NAME.gradient.onnx beside it
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Signal-to-noise ratios of the table in dB, separated by commas; white-box steps are taken at
    /// 20 dB and above
    #[arg(
        long,
        value_name = "LIST",
        default_value = "50,45,40,33,30,25,20,15,10,5,0",
        allow_hyphen_values = true
    )]
    pub snr: String,
    /// Seconds between two checked frames; 0 checks every frame
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0.5,
        conflicts_with = "manifest"
    )]
    pub every: f64,
    /// Write all metrics to this file; - is standard output
    #[arg(long, value_name = "OUT.json")]
    pub json: Option<PathBuf>,
    /// Seed of the random draws
    #[arg(long, value_name = "N", conflicts_with = "manifest")]
    pub seed: Option<u64>,
    /// Take white-box FGSM steps on labelled crops instead, with their true labels
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// With --manifest, crops to attack: train, val or test
    #[arg(
        long,
        value_name = "SPLIT",
        conflicts_with = "source",
        default_value = "test"
    )]
    pub split: String,
    /// With --manifest, attack at most this many crops, spread evenly over the split
    #[arg(long, value_name = "N", conflicts_with = "source", value_parser = clap::value_parser!(u64).range(1..))]
    pub at_most: Option<u64>,
}

/// `parseye man`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ManArgs {
    /// Folder for the program's page and one for each command; without it, the program's page goes to
    /// the standard output
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// `parseye completions`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
