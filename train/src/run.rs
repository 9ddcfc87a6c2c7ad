//! A whole training run: from arguments over the training loop to a model file, with metrics.csv on
//! the way.

use crate::{
    attack::Classifier,
    checkpoint::{self, Checkpoint, RunState},
    cli::{FitArguments, fit::Hashes},
    data::{crops::CropSet, folds::fold},
    device,
    export::{
        finish::{Circumstances, write_model},
        write_whole,
    },
    fit::{EpochRow, FitError, Surroundings, fit},
    labels::fixes::LabelFixes,
    network::onnx::OnnxClassifier,
};
use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

/// Trains as the arguments say and writes OUT/NAME.onnx, its gradient graph and the metrics.
///
/// # Errors
/// Says which argument, file or number is wrong; [`FitError::Stopped`] when `stop` was set.
pub fn train(arguments: &FitArguments, stop: &AtomicBool) -> anyhow::Result<()> {
    let device = device::choose(arguments.device).map_err(anyhow::Error::msg)?;
    let read = |path: &Option<PathBuf>| {
        let model = path.as_ref().map(|path| OnnxClassifier::read(path, device));
        model.transpose()
    };
    let (base, teacher) = (read(&arguments.base)?, read(&arguments.teacher)?);
    let fixes = arguments.label_fixes.as_deref().map(LabelFixes::read);
    let fixes = fixes.transpose()?;
    let files = Hashes {
        base: base.as_ref().map(|base| base.sha256().to_owned()),
        teacher: teacher.as_ref().map(|teacher| teacher.sha256().to_owned()),
        label_fixes: fixes.as_ref().map(|fixes| fixes.sha256().to_owned()),
    };
    let out = &arguments.out;
    prepare_folder(out, arguments.resume)?;
    let mut arguments = arguments.clone();
    if arguments.resume && arguments.precision.is_none() {
        // What was measured to be faster when the run began stays, or its numbers would change.
        arguments.precision = Some(Checkpoint::load(out)?.state.settings.precision);
    }
    let settings = arguments
        .resolve(device, files)
        .map_err(anyhow::Error::msg)?;
    tch::set_num_threads(i32::try_from(settings.threads)?);
    let mut crops = CropSet::read(&arguments.data)?;
    if let Some(fixes) = &fixes {
        let applied = fixes.apply(&mut crops)?;
        eprintln!(
            "{} labels corrected, {} crops left out that nobody can tell",
            applied.changed, applied.left_out
        );
    }
    if let Some(held_out) = settings.fold {
        crops = fold(crops, held_out.count, held_out.index, held_out.seed)
            .map_err(anyhow::Error::msg)?;
    }
    eprintln!(
        "{} crops to train on, {} to validate on; {} on {device:?} in {:?}, {} threads, seed {}",
        crops.train.len(),
        crops.val.len(),
        settings.architecture,
        settings.precision,
        settings.threads,
        settings.seed
    );
    let spec = settings.network().map_err(anyhow::Error::msg)?;
    eprintln!(
        "{} parameters, {:.1} million multiply-adds a crop",
        spec.parameters(),
        spec.multiply_adds() as f64 / 1e6
    );
    let around = Surroundings {
        crops: &crops,
        base: base.as_ref().map(|base| base as &dyn Classifier),
        teacher: teacher.as_ref().map(|teacher| teacher as &dyn Classifier),
        device,
        folder: out,
        stop,
    };
    let run = fit(&settings, around, arguments.resume, |state| {
        if let Some(row) = state.history.last() {
            print_row(row, settings.epochs);
        }
        write_metrics(out, state).map_err(|error| {
            FitError::Setting(format!("{error:#}; free some space, then --resume"))
        })
    })?;
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

/// Makes the folder of a new run, or checks that there is one to go on with.
fn prepare_folder(out: &Path, resume: bool) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| {
        format!(
            "{}: cannot be made a folder; give another --out",
            out.display()
        )
    })?;
    match (out.join(checkpoint::FILE).exists(), resume) {
        (true, false) => bail!(
            "{}: holds a run already; give --resume to go on with it, or another --out",
            out.display()
        ),
        (false, true) => bail!(
            "{}: holds no checkpoint to resume; leave out --resume",
            out.display()
        ),
        _ => Ok(()),
    }
}

fn print_row(row: &EpochRow, epochs: usize) {
    let shown = |name: &str, value: Option<f64>| {
        value.map_or_else(String::new, |value| format!(", {name} {value:.3}"))
    };
    eprintln!(
        "epoch {}/{epochs}: loss {:.3}, accuracy {:.3}; val macro {:.3}{}{}; {:.0} images/s",
        row.epoch,
        row.loss,
        row.accuracy,
        row.val_macro_accuracy,
        shown("under FGSM", row.val_fgsm_macro_accuracy),
        shown("PGD (part)", row.val_part_pgd_accuracy),
        row.images_per_second
    );
}

/// Replaces metrics.csv and frames.csv with the whole history, so that a resumed run leaves no row
/// twice.
fn write_metrics(out: &Path, state: &RunState) -> anyhow::Result<()> {
    let mut metrics = csv::Writer::from_writer(Vec::new());
    for row in &state.history {
        metrics.serialize(row)?;
    }
    write_whole(&out.join("metrics.csv"), &metrics.into_inner()?)?;
    let mut frames = csv::Writer::from_writer(Vec::new());
    frames.write_record(["epoch", "layer", "frame_deviation"])?;
    for (epoch, layers) in state.frame_deviations.iter().enumerate() {
        for (layer, deviation) in layers {
            let epoch = (epoch + 1).to_string();
            frames.write_record([epoch.as_str(), layer, &deviation.to_string()])?;
        }
    }
    write_whole(&out.join("frames.csv"), &frames.into_inner()?)?;
    Ok(())
}
