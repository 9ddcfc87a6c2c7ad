//! `train labels`: the command line of the audit of labels.

use super::{
    agree, fixes, read_rows,
    sheets::{KeyRow, draw_sheets},
    suspects::{self, Wanted},
};
use crate::{
    data::crops::CropSet,
    device::{self, DeviceChoice},
    network::onnx::OnnxClassifier,
};
use anyhow::Context;
use parseye_command_line::print;
use parseye_vision::eye_state::EyeState;
use std::path::PathBuf;

/// Arguments of `train labels`.
#[derive(Clone, Debug, clap::Args)]
pub struct LabelArguments {
    /// Step of the audit.
    #[command(subcommand)]
    pub step: AuditStep,
}

/// Steps of the audit, in their order.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum AuditStep {
    /// List the labels that models doubt most on people they never saw, with some others.
    Suspects(SuspectArguments),
    /// Draw listed crops on numbered sheets, blind to label and prediction.
    Sheets(SheetArguments),
    /// Compare two graders of the sheets and write down where both contradict a label.
    Agree(AgreeArguments),
}

/// Arguments of `train labels suspects`.
#[derive(Clone, Debug, clap::Args)]
pub struct SuspectArguments {
    /// Folder with manifest.csv and the images it lists; can be given several times.
    #[arg(long, value_name = "DIR", required = true)]
    pub data: Vec<PathBuf>,
    /// Models trained with --folds K, in the order of --fold 0 to K-1.
    #[arg(required = true, num_args = 2.., value_name = "MODEL")]
    pub models: Vec<PathBuf>,
    /// Seed of the division into folds.
    #[arg(long, default_value_t = 0)]
    pub fold_seed: u64,
    /// Doubted labels to list.
    #[arg(long, default_value_t = 1000)]
    pub count: usize,
    /// List every crop of this label as well.
    #[arg(long, value_name = "STATE")]
    pub every: Option<EyeState>,
    /// Leave out the crops of this key.csv, which an earlier round has graded.
    #[arg(long, value_name = "KEY.csv")]
    pub graded: Vec<PathBuf>,
    /// Others to list among them.
    #[arg(long, default_value_t = 100)]
    pub controls: usize,
    /// Seed of their choice.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The list.
    #[arg(long, value_name = "FILE.csv")]
    pub out: PathBuf,
}

/// Arguments of `train labels sheets`.
#[derive(Clone, Debug, clap::Args)]
pub struct SheetArguments {
    /// Folder with manifest.csv and the images it lists; can be given several times.
    #[arg(long, value_name = "DIR", required = true)]
    pub data: Vec<PathBuf>,
    /// The list of crops, made by `train labels suspects`.
    #[arg(long, value_name = "FILE.csv")]
    pub list: PathBuf,
    /// Seed of their order.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for the sheets and key.csv.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Arguments of `train labels agree`.
#[derive(Clone, Debug, clap::Args)]
pub struct AgreeArguments {
    /// Folder with manifest.csv and the images it lists; can be given several times.
    #[arg(long, value_name = "DIR", required = true)]
    pub data: Vec<PathBuf>,
    /// The key.csv beside the sheets.
    #[arg(long, value_name = "FILE.csv")]
    pub key: PathBuf,
    /// Two files with columns number and grade: open, partially_open, closed, not_visible or
    /// undecidable.
    #[arg(required = true, num_args = 2, value_name = "GRADES.csv")]
    pub graders: Vec<PathBuf>,
    /// Treatment of a crop on which the graders differ.
    #[arg(long, value_enum, default_value_t)]
    pub contested: agree::Contested,
    /// Corrections of an earlier round, of other crops, to take over.
    #[arg(long, value_name = "FILE.csv")]
    pub earlier: Option<PathBuf>,
    /// The corrections, for `train --label-fixes`.
    #[arg(long, value_name = "FILE.csv")]
    pub out: PathBuf,
}

/// Does one step of the audit.
///
/// # Errors
/// Names which file or line is wrong, and what to do.
pub fn run(arguments: &LabelArguments) -> anyhow::Result<()> {
    match &arguments.step {
        AuditStep::Suspects(arguments) => list_suspects(arguments),
        AuditStep::Sheets(arguments) => {
            let remedy = "give the list made by `train labels suspects`";
            let rows = read_rows::<suspects::SuspectRow>(&arguments.list, remedy)?;
            let paths: Vec<_> = rows.into_iter().map(|(_, row)| row.path).collect();
            let crops = CropSet::read(&arguments.data)?;
            std::fs::create_dir_all(&arguments.out)
                .with_context(|| format!("{}: cannot be made", arguments.out.display()))?;
            let sheets = draw_sheets(&crops, paths, &arguments.out, arguments.seed)?;
            eprintln!("{} sheets in {}", sheets.len(), arguments.out.display());
            Ok(())
        }
        AuditStep::Agree(arguments) => {
            let crops = CropSet::read(&arguments.data)?;
            // The command line gives exactly two.
            let [first, second] = arguments.graders.as_slice() else {
                anyhow::bail!("give the files of two graders");
            };
            let (agreement, mut corrections) =
                agree::compare(&crops, &arguments.key, [first, second], arguments.contested)?;
            if let Some(earlier) = &arguments.earlier {
                corrections = fixes::joined(earlier, corrections)?;
            }
            fixes::write(&arguments.out, &corrections)?;
            let (count, out) = (corrections.len(), arguments.out.display());
            print(&format!("{agreement}{count} corrections in {out}\n"))
                .context("cannot print how far they agree; the corrections are written")
        }
    }
}

fn list_suspects(arguments: &SuspectArguments) -> anyhow::Result<()> {
    let device = device::choose(DeviceChoice::Auto)?;
    let models = arguments
        .models
        .iter()
        .map(|path| OnnxClassifier::read(path, device))
        .collect::<Result<Vec<_>, _>>()?;
    let crops = CropSet::read(&arguments.data)?;
    let predicted = suspects::probabilities(&crops, &models, arguments.fold_seed)?;
    let mut wanted = Wanted {
        suspects: arguments.count,
        every: arguments.every,
        controls: arguments.controls,
        ..Wanted::default()
    };
    for key in &arguments.graded {
        let rows = read_rows::<KeyRow>(key, "give the key.csv beside an earlier round's sheets")?;
        wanted
            .graded
            .extend(rows.into_iter().map(|(_, row)| row.path));
    }
    let rows = suspects::doubted(&predicted, &wanted, arguments.seed);
    suspects::write(&arguments.out, &rows)?;
    eprintln!(
        "{} of {} crops listed in {}",
        rows.len(),
        predicted.len(),
        arguments.out.display()
    );
    Ok(())
}
