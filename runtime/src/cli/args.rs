//! The flags as they stand on the command line; what they mean together is [`super::resolve`]'s.

use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;

/// Watches a person's eyes through an ordinary camera: open, partially open, closed or not
/// visible, blink by blink.
#[derive(Debug, Parser)]
#[command(name = "parseye", version, disable_help_subcommand = true)]
pub struct Args {
    /// Settings (TOML) to use instead of ./parseye.toml and ~/.config/parseye/config.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: CommandArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum CommandArgs {
    /// Watch a camera until Ctrl-C
    Monitor(MonitorArgs),
    /// List the cameras
    Cameras,
    /// List the eye-state models: the one built in, and those in models/
    Models,
    /// Judge recordings: video files, folders of images, single images
    Replay(ReplayArgs),
    /// Measure the classifier alone on labelled eye crops
    Evaluate(EvaluateArgs),
    /// Sum up and plot what event logs hold
    Summarize(SummarizeArgs),
    /// Show the settings in force and where each comes from
    Config(ConfigArgs),
}

/// `parseye monitor`.
#[derive(Debug, ClapArgs)]
pub struct MonitorArgs {
    /// Camera: a number, a device or a part of its name, as `parseye cameras` lists them
    #[arg(long, value_name = "ID")]
    pub camera: Option<String>,
    /// Eye-state model made by `train`, instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Append events to this file (JSON lines, see docs/EVENTS.md)
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Tell this MQTT broker (needs a program built with the feature mqtt)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub mqtt: Option<String>,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<f64>,
}

/// `parseye replay`.
#[derive(Debug, ClapArgs)]
pub struct ReplayArgs {
    /// Video files, folders of images, or single images
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<PathBuf>,
    /// Eye-state model made by `train`, instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Write events to this file (JSON lines, see docs/EVENTS.md)
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Score blinks against this file (columns clip, start_frame, end_frame, kind)
    #[arg(long, value_name = "BLINKS.csv")]
    pub truth: Option<PathBuf>,
    /// Write the frames with what was said about them as a video; OUT-CLIP.mp4 for each of several
    /// sources
    #[arg(long, value_name = "OUT.mp4")]
    pub annotate: Option<PathBuf>,
    /// Write the sums to this file instead of the screen
    #[arg(long, value_name = "OUT.json")]
    pub summary: Option<PathBuf>,
}

/// `parseye evaluate`.
#[derive(Debug, ClapArgs)]
pub struct EvaluateArgs {
    /// List of labelled crops
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// Crops to judge: train, val or test
    #[arg(long, value_name = "SPLIT")]
    pub split: String,
    /// Eye-state model made by `train`, instead of the one built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Write all figures to this file
    #[arg(long, value_name = "OUT.json")]
    pub json: Option<PathBuf>,
}

/// `parseye summarize`.
#[derive(Debug, ClapArgs)]
pub struct SummarizeArgs {
    /// Event logs, or the parts of one; their order does not matter
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
    /// Write all figures to this file
    #[arg(long, value_name = "OUT.json")]
    pub json: Option<PathBuf>,
    /// Draw the session over time into this file: OUT.svg or OUT.png
    #[arg(long, value_name = "OUT.svg")]
    pub plot: Option<PathBuf>,
}

/// `parseye config`.
#[derive(Debug, ClapArgs)]
pub struct ConfigArgs {
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
