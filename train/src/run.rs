//! A whole training run: from arguments over the training loop to a model file, with metrics.csv on
//! the way.

use crate::{
    attack::Classifier,
    data::{crops::CropSet, folds::fold},
    device,
    export::finish::{ExportContext, write_model},
    files::write_atomically,
    fit::{
        EpochRow, FitContext, FitError, FitSettings, Fold,
        checkpoint::{self, Checkpoint, RunState},
        fit,
    },
    fit_arguments::{FileHashes, FitArguments},
    kept::Kept,
    labels::fixes::LabelFixes,
    network::{initial::Initial, onnx::OnnxClassifier},
};
use anyhow::{Context, bail};
use parseye_vision::classify::ModelCard;
use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};
use tch::Device;

/// Files that the arguments name, besides the data.
struct NamedFiles {
    base: Option<OnnxClassifier>,
    initial: Option<Initial>,
    teacher: Option<OnnxClassifier>,
    label_fixes: Option<LabelFixes>,
}

impl NamedFiles {
    fn read(arguments: &FitArguments, device: Device) -> anyhow::Result<Self> {
        let model = |path: &Option<PathBuf>| {
            let model = path.as_ref().map(|path| OnnxClassifier::read(path, device));
            model.transpose()
        };
        let label_fixes = arguments.target.label_fixes.as_deref();
        Ok(Self {
            base: model(&arguments.hardening.base)?,
            initial: arguments.goes_on_from().map(Initial::read).transpose()?,
            teacher: model(&arguments.target.teacher)?,
            label_fixes: label_fixes.map(LabelFixes::read).transpose()?,
        })
    }

    fn hashes(&self) -> FileHashes {
        let of = |model: &Option<OnnxClassifier>| model.as_ref().map(|m| m.sha256().to_owned());
        FileHashes {
            base: of(&self.base),
            teacher: of(&self.teacher),
            label_fixes: self.label_fixes.as_ref().map(|f| f.sha256().to_owned()),
        }
    }
}

/// Trains as the arguments say and writes OUT/NAME.onnx, its gradient graph and the metrics.
///
/// # Errors
/// Names the argument, file or number that is wrong; [`FitError::Stopped`] when `stop` was set.
pub fn train(arguments: &FitArguments, stop: &AtomicBool) -> anyhow::Result<()> {
    let device = device::choose(arguments.computation.device)?;
    let files = NamedFiles::read(arguments, device)?;
    let out = &arguments.folder()?;
    let mut arguments = arguments.clone();
    if let Some(initial) = &files.initial {
        arguments.go_on_with(&initial.architecture, initial.has_lids)?;
    }
    prepare_folder(out, arguments.resume)?;
    if arguments.resume && arguments.computation.precision.is_none() {
        // The arithmetic that was measured to be faster when the run began is kept, or its numbers would
        // change.
        arguments.computation.precision = Some(Checkpoint::load(out)?.state.settings.precision);
    }
    let settings = arguments.resolve(device, files.hashes())?;
    tch::set_num_threads(i32::try_from(settings.threads)?);
    let mut crops = read_crops(&arguments.data, files.label_fixes.as_ref(), settings.fold)?;
    for source in &settings.left_out_sources {
        crops.leave_out(source)?;
    }
    let kept = match &files.initial {
        None => None,
        Some(_) => Some(Kept::read(&arguments, &mut crops)?),
    };
    announce(&settings, &crops, device)?;
    let context = FitContext {
        crops: &crops,
        base: files.base.as_ref().map(|base| base as &dyn Classifier),
        teacher: files
            .teacher
            .as_ref()
            .map(|teacher| teacher as &dyn Classifier),
        initial: files.initial.as_ref().map(|initial| &initial.tensors),
        device,
        folder: out,
        stop,
    };
    let run = fit(&settings, context, arguments.resume, |state| {
        if let Some(row) = state.history.last() {
            print_row(row, settings.epochs);
        }
        write_metrics(out, state).map_err(|error| FitError::Metrics(format!("{error:#}")))
    })?;
    let name = arguments.model_name();
    let path = out.join(format!("{name}.onnx"));
    let export_context = ExportContext {
        name: name.into(),
        device,
    };
    let card = write_model(&run, &crops, &export_context, &path)?;
    print_card(&path, &card);
    match (&kept, arguments.goes_on_from()) {
        (Some(kept), Some(base)) => kept.compare(base, &path),
        _ => Ok(()),
    }
}

/// Reads the crops, corrects their labels, and divides them into the fold where one is given.
fn read_crops(
    data: &[PathBuf],
    label_fixes: Option<&LabelFixes>,
    held_out: Option<Fold>,
) -> anyhow::Result<CropSet> {
    let mut crops = CropSet::read(data)?;
    if let Some(fixes) = label_fixes {
        let applied = fixes.apply(&mut crops)?;
        eprintln!(
            "{} labels corrected, {} undecidable crops left out",
            applied.changed, applied.left_out
        );
    }
    match held_out {
        None => Ok(crops),
        Some(held_out) => Ok(fold(crops, held_out.count, held_out.index, held_out.seed)?),
    }
}

/// Prints what is about to be trained.
fn announce(settings: &FitSettings, crops: &CropSet, device: Device) -> anyhow::Result<()> {
    eprintln!(
        "{} crops to train on, {} to validate on; {} on {device:?} in {:?}, {} threads, seed {}",
        crops.train.len(),
        crops.val.len(),
        settings.architecture,
        settings.precision,
        settings.threads,
        settings.seed
    );
    let spec = settings.network()?;
    eprintln!(
        "{} parameters, {:.1} million multiply-adds a crop",
        spec.parameters(),
        spec.multiply_adds() as f64 / 1e6
    );
    Ok(())
}

/// Prints the metrics on the card of a written model.
fn print_card(path: &Path, card: &ModelCard) {
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
    write_atomically(&out.join("metrics.csv"), &metrics.into_inner()?)?;
    let mut frames = csv::Writer::from_writer(Vec::new());
    frames.write_record(["epoch", "layer", "frame_deviation"])?;
    for (epoch, layers) in state.frame_deviations.iter().enumerate() {
        for (layer, deviation) in layers {
            let epoch = (epoch + 1).to_string();
            frames.write_record([epoch.as_str(), layer, &deviation.to_string()])?;
        }
    }
    write_atomically(&out.join("frames.csv"), &frames.into_inner()?)?;
    Ok(())
}
