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
    /// Attack the answers: how much noise they survive, and how much the camera adds
    Check(CheckArgs),
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

/// `parseye check`.
#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    /// Video file, folder of images, or single image
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
    /// Write all figures to this file
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
