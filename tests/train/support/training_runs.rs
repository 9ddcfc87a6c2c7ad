//! Small training runs on drawn eyes, for the tests of `train`.

pub use parseye_testkit::drawn_crops;

use parseye_train::{
    attack::Classifier,
    data::{augment::Augmentation, crops::CropSet},
    export::finish::ExportContext,
    fit::{
        FitContext, FitError, FitSettings, KeptEpoch,
        checkpoint::{Checkpoint, RunState},
        fit,
    },
    harden::{
        adversarial::{Adversarial, AttackedShare},
        constraint::Retraction,
        epsilon::EpsilonRange,
        loss::{Loss, TrainingAttack},
    },
    network::{constraint::Constraint, module::Precision},
    schedule::Schedule,
};
use std::{
    path::Path,
    process::{Command, Output},
    sync::{PoisonError, RwLock, RwLockWriteGuard, atomic::AtomicBool},
};
use tch::Device;

pub fn drawn() -> (tempfile::TempDir, CropSet) {
    let folder = tempfile::tempdir().unwrap();
    drawn_crops::write(folder.path());
    let crops = CropSet::read(&[folder.path()]).unwrap();
    (folder, crops)
}

pub fn adversarial() -> Adversarial {
    Adversarial {
        epsilon: EpsilonRange {
            low: 0.001,
            high: 0.03,
        },
        attack: TrainingAttack::Fgsm,
        share: AttackedShare::Half,
        loss: Loss::CrossEntropy,
        trades_weight: 6.0,
        weight_perturbation: 0.0,
    }
}

pub fn settings() -> FitSettings {
    FitSettings {
        architecture: "wrn-10-1".into(),
        constraint: Constraint::None,
        retraction: Retraction::default(),
        dropout: 0.0,
        adversarial: Some(adversarial()),
        added: None,
        initial_sha256: None,
        old_data: false,
        label_smoothing: 0.0,
        neighbour_smoothing: 0.0,
        teacher: None,
        openness_weight: 0.0,
        label_fixes_sha256: None,
        weight_average: 0.0,
        keep: KeptEpoch::Best,
        left_out_sources: Vec::new(),
        people_weight: 0.0,
        fold: None,
        epochs: 3,
        epoch_crops: 512,
        batch_size: 32,
        learning_rate: 0.05,
        schedule: Schedule::Cosine,
        momentum: 0.9,
        weight_decay: 5e-4,
        augmentation: Augmentation::default(),
        corruption: 0.0,
        precision: Precision::F32,
        seed: 3,
        threads: 1,
    }
}

/// Trains for one short epoch only.
pub fn quick() -> FitSettings {
    FitSettings {
        epochs: 1,
        epoch_crops: 64,
        ..settings()
    }
}

/// libtorch's own generator, which dropout draws from, is one for the whole process: a run with dropout
/// shares it with no other.
static GENERATOR: RwLock<()> = RwLock::new(());

/// For what draws from libtorch's generator beside a training.
pub fn exclusive_generator() -> RwLockWriteGuard<'static, ()> {
    // A test that failed meanwhile leaves the lock poisoned, and nothing in it.
    GENERATOR.write().unwrap_or_else(PoisonError::into_inner)
}

pub fn run_with(
    settings: &FitSettings,
    crops: &CropSet,
    base: Option<&dyn Classifier>,
    out: &Path,
    resume: bool,
    report: impl FnMut(&RunState) -> Result<(), FitError>,
    stop: &AtomicBool,
) -> Result<Checkpoint, FitError> {
    let alone = settings.dropout > 0.0;
    let _alone = alone.then(exclusive_generator);
    let _shared = (!alone).then(|| GENERATOR.read().unwrap_or_else(PoisonError::into_inner));
    tch::set_num_threads(1);
    let context = FitContext {
        crops,
        base,
        teacher: None,
        initial: None,
        device: Device::Cpu,
        folder: out,
        stop,
    };
    fit(settings, context, resume, report)
}

pub fn run(
    settings: &FitSettings,
    crops: &CropSet,
    out: &Path,
    resume: bool,
) -> Result<Checkpoint, FitError> {
    let never = AtomicBool::new(false);
    run_with(settings, crops, None, out, resume, |_| Ok(()), &never)
}

pub fn export_context() -> ExportContext {
    ExportContext {
        name: "drawn".into(),
        device: Device::Cpu,
    }
}

pub fn train(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs `train` with one mistake: it must fail with one line that holds all the words.
pub fn refuses(arguments: &[&str], words: &[&str]) {
    let output = train(arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    // What was said before may be progress; the mistake is the last line, and one line.
    let mistake = text.lines().last().unwrap_or_default();
    assert!(mistake.starts_with("train: "), "{arguments:?}: '{text}'");
    for word in words {
        assert!(
            mistake.contains(word),
            "{arguments:?}: '{text}' lacks '{word}' in its last line"
        );
    }
    assert!(!text.contains("panicked"), "{text}");
}
