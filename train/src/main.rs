//! `train`: makes Parseye's models.

use anyhow::{Context, bail};
use clap::Parser;
use parseye_train::{
    checkpoint,
    cli::{Cli, FitArguments, ImportArguments, Layout, Task},
    data::{crops::CropSet, import, split::SplitShares},
    device,
    export::finish::{Circumstances, write_model},
    fit::{EpochRow, FitError, fit},
};
use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

/// Exit status of a program ended by Ctrl-C, as shells know it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("train: {error:#}");
            match error.downcast_ref::<FitError>() {
                Some(FitError::Stopped) => ExitCode::from(INTERRUPTED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match (cli.task, cli.fit) {
        (Some(Task::Import(arguments)), _) => import_data(&arguments),
        (None, Some(arguments)) => train(&arguments),
        (None, None) => bail!("nothing to do; see `train --help`"),
    }
}

fn train(arguments: &FitArguments) -> anyhow::Result<()> {
    let device = device::choose(arguments.device).map_err(anyhow::Error::msg)?;
    let settings = arguments.resolve(device).map_err(anyhow::Error::msg)?;
    tch::set_num_threads(i32::try_from(settings.threads)?);
    let out = &arguments.out;
    std::fs::create_dir_all(out).with_context(|| {
        format!(
            "{}: cannot be made a folder; give another --out",
            out.display()
        )
    })?;
    let begun = out.join(checkpoint::FILE).exists();
    if begun && !arguments.resume {
        bail!(
            "{}: holds a run already; give --resume to go on with it, or another --out",
            out.display()
        );
    }
    if !begun && arguments.resume {
        bail!(
            "{}: holds no checkpoint to resume; leave out --resume",
            out.display()
        );
    }
    let crops = CropSet::read(&arguments.data)?;
    eprintln!(
        "{} crops to train on, {} to validate on; {} on {device:?} in {:?}, {} threads, seed {}",
        crops.train.len(),
        crops.val.len(),
        settings.architecture,
        settings.precision,
        settings.threads,
        settings.seed
    );
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).context("cannot watch for Ctrl-C")?;
    }
    let metrics = out.join("metrics.csv");
    let run = fit(
        &settings,
        &crops,
        device,
        out,
        arguments.resume,
        &stop,
        |history| {
            if let Some(row) = history.last() {
                print_row(row, settings.epochs);
            }
            write_metrics(&metrics, history).map_err(|error| {
                FitError::Setting(format!(
                    "{}: cannot be written: {error}; free some space, then --resume",
                    metrics.display()
                ))
            })
        },
    )?;
    let name = arguments.model_name();
    let path = out.join(format!("{name}.onnx"));
    let circumstances = Circumstances {
        name: name.into(),
        device,
    };
    let card = write_model(&run, &crops, &circumstances, &path)?;
    eprintln!(
        "{}: epoch {}, validation accuracy {:.3}, macro {:.3}, calibration error {:.3} (n = {})",
        path.display(),
        card.training.chosen_epoch,
        card.validation.accuracy,
        card.validation.macro_accuracy,
        card.validation.ece,
        card.validation.n
    );
    for row in &card.robustness {
        eprintln!(
            "  white-box {} at {:.0} dB (epsilon {:.4}): accuracy {:.3}, macro {:.3}",
            row.attack, row.snr_db, row.epsilon, row.accuracy, row.macro_accuracy
        );
    }
    Ok(())
}

fn print_row(row: &EpochRow, epochs: usize) {
    let attacked = row
        .val_fgsm_macro_accuracy
        .map_or_else(String::new, |value| format!(", under FGSM {value:.3}"));
    eprintln!(
        "epoch {}/{epochs}: loss {:.3}, accuracy {:.3}; val macro {:.3}{attacked}; {:.0} images/s",
        row.epoch, row.loss, row.accuracy, row.val_macro_accuracy, row.images_per_second
    );
}

/// Replaces metrics.csv with the whole history, so that a resumed run leaves no row twice.
fn write_metrics(path: &Path, history: &[EpochRow]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in history {
        writer.serialize(row)?;
    }
    let bytes = writer.into_inner()?;
    Ok(parseye_train::export::write_whole(path, &bytes)?)
}

fn import_data(arguments: &ImportArguments) -> anyhow::Result<()> {
    let shares = SplitShares {
        val: arguments.val,
        test: arguments.test,
    };
    if shares.val + shares.test >= 1.0 {
        bail!(
            "--val {} and --test {} leave nobody to train on; give smaller shares",
            shares.val,
            shares.test
        );
    }
    let found = match arguments.layout {
        Layout::Mrl => import::mrl::find(&arguments.from)?,
        Layout::Cew => import::cew::find(&arguments.from)?,
        Layout::Folders => import::folders::find(&arguments.from, &arguments.source)?,
    };
    let count = import::write(found, &arguments.out, arguments.seed, shares)?;
    eprintln!(
        "{count} pictures and {} written",
        arguments.out.join("manifest.csv").display()
    );
    Ok(())
}
