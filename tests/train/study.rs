//! What a user of `train study` relies on: cells are done once, in order, and go on after an
//! interruption; studies are not mixed; Slurm does the same; tables and plots show what was
//! measured.

use crate::support::{made_up_study, slurm};
use parseye_test_needs::needs;

use clap::Parser;
use made_up_study::MadeUp;
use parseye_train::study::{
    command::{StudyArguments, run_with},
    folder::{CellPredictions, Identity, StudyFolder},
    suite::{Scale, Suite},
};
use std::{path::Path, process::Command, sync::atomic::AtomicBool};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    study: StudyArguments,
}

fn study(line: &str, out: &Path, runner: &mut MadeUp) -> Result<(), String> {
    let words = ["study"].into_iter().chain(line.split_whitespace());
    let words = words.map(Into::into);
    let place = ["--data", "DATA", "--out"].map(std::ffi::OsString::from);
    let words = words.chain(place).chain([out.as_os_str().to_owned()]);
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    run_with(&line.study, runner, &AtomicBool::new(false)).map_err(|error| format!("{error:#}"))
}

#[test]
fn cells_are_done_once_and_suites_share_their_models() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    study("whitebox run", out.path(), &mut runner).unwrap();
    assert_eq!(runner.trained.len(), 24);
    assert_eq!(runner.evaluated, 24 + 15);
    study("whitebox run", out.path(), &mut runner).unwrap();
    study("noise run", out.path(), &mut runner).unwrap();
    assert_eq!((runner.trained.len(), runner.evaluated), (24, 24 + 15 + 24));
    let cells = Suite::Noise.cells(Scale {
        folds: 3,
        quick: false,
        seed: 0,
    });
    let folder = out.path().join("cells").join(cells[0].id());
    for file in ["cell.json", "metrics.csv", "result.json"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
}

#[test]
fn one_cell_does_what_it_needs_first_and_nothing_else() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    let cells = Suite::Added.cells(Scale {
        folds: 2,
        quick: true,
        seed: 0,
    });
    let last = cells.len() - 1;
    study(
        &format!("added run --folds 2 --quick --cell {last}"),
        out.path(),
        &mut runner,
    )
    .unwrap();
    let names: Vec<&str> = runner
        .trained
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "wrn-16-1-fold1",
            "wrn-16-1-added-noise-eps0.03-fraction1.0-fold1"
        ]
    );
    assert_eq!(runner.evaluated, 1);
}

#[test]
fn an_interrupted_study_resumes_the_training_it_was_in() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    runner.stop_after = Some(3);
    let error = study("noise run --folds 2", out.path(), &mut runner).unwrap_err();
    assert!(error.contains("stopped"), "{error}");
    assert_eq!(runner.trained.len(), 3);
    study("noise run --folds 2", out.path(), &mut runner).unwrap();
    let resumed: Vec<bool> = runner.trained.iter().map(|(_, resumed)| *resumed).collect();
    assert_eq!(resumed.len(), 16);
    assert_eq!(resumed.iter().position(|resumed| *resumed), Some(3));
    assert_eq!(resumed.iter().filter(|resumed| **resumed).count(), 1);
}

#[test]
fn a_request_to_stop_ends_the_run_between_cells() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    let line = Line::parse_from([
        "study",
        "grid",
        "run",
        "--data",
        "DATA",
        "--out",
        &out.path().to_string_lossy(),
    ]);
    let error = run_with(&line.study, &mut runner, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(
        error.downcast_ref(),
        Some(parseye_train::fit::FitError::Stopped)
    ));
    assert!(runner.trained.is_empty());
}

#[test]
fn mistakes_are_named() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    let mut refused = |line: &str, words: &[&str]| {
        let error = study(line, out.path(), &mut runner).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{line}: '{error}' lacks '{word}'");
        }
    };
    refused(
        "nose plan",
        &["unknown suite 'nose'", "did you mean 'noise'"],
    );
    refused("noise plna", &["plan"]);
    refused(
        "noise run --cell 48",
        &["no cell 48", "0 to 47", "train study noise plan"],
    );
    refused("noise run --folds 1", &["--folds"]);
    refused("noise run --slurm", &["--slurm goes with `plan`"]);
    refused(
        "noise collect",
        &["none of the 48 cells", "train study noise run"],
    );
}

#[test]
fn a_folder_of_another_plan_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    study("noise run --folds 2 --quick", out.path(), &mut runner).unwrap();
    let refused = |line: &str, runner: &mut MadeUp, what: &str| {
        let error = study(line, out.path(), runner).unwrap_err();
        assert!(
            error.contains("belongs to another plan") && error.contains(what),
            "{error}"
        );
        assert!(
            error.contains("study.json") && error.contains("another --out"),
            "{error}"
        );
    };
    refused(
        "noise run --folds 2 --quick --seed 1",
        &mut runner,
        "seed is 0, this one's is 1",
    );
    refused(
        "noise plan --folds 3 --quick",
        &mut runner,
        "number of folds is 2",
    );
    refused("noise collect --folds 2", &mut runner, "size is quick");
    runner.data = "other".into();
    refused(
        "noise run --folds 2 --quick",
        &mut runner,
        "data hash is made-up, this one's is other",
    );
    std::fs::write(out.path().join("study.json"), "{").unwrap();
    let error = study("noise plan --folds 2 --quick", out.path(), &mut runner).unwrap_err();
    assert!(
        error.contains("study.json") && error.contains("damaged"),
        "{error}"
    );
}

#[test]
fn answers_survive_their_file_and_damage_is_named() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    let scale = Scale {
        folds: 2,
        quick: true,
        seed: 0,
    };
    study("noise run --folds 2 --quick", out.path(), &mut runner).unwrap();
    let folder = StudyFolder::open(out.path(), &Identity::new("made-up", scale)).unwrap();
    let cells = Suite::Noise.cells(scale);
    let id = cells.last().unwrap().id();
    let predictions: CellPredictions = folder.predictions(&id).unwrap();
    assert_eq!(predictions.conditions.len(), 12);
    assert!(
        predictions
            .conditions
            .iter()
            .all(|(_, logits)| logits.len() == predictions.paths.len())
    );
    let copy = folder.of("copy");
    std::fs::create_dir_all(&copy).unwrap();
    folder.write_predictions("copy", &predictions).unwrap();
    assert_eq!(folder.predictions("copy").unwrap(), predictions);
    std::fs::write(copy.join("answers.safetensors"), "x").unwrap();
    let error = folder.predictions("copy").unwrap_err().to_string();
    assert!(
        error.contains("answers.safetensors") && error.contains("run the study again"),
        "{error}"
    );
}

/// Runs one cell when a Slurm job calls this test program in place of `train`. The job's command line comes
/// through the variable, one word a line.
#[test]
#[ignore = "slurm_does_the_cells_in_order starts it"]
fn a_cell_under_slurm() {
    let words = std::env::var("STUDY_UNDER_SLURM").unwrap();
    let words = ["study"].into_iter().chain(words.lines().skip(1));
    let line = Line::parse_from(words);
    run_with(&line.study, &mut MadeUp::new(), &AtomicBool::new(false)).unwrap();
}

/// The job scripts on a real Slurm: one node, its own munge key, everything in a temporary folder.
///
/// Needs `slurmctld`, `slurmd`, `sbatch`, `munged` (Debian: `apt-get install slurm-wlm munge`) and
/// root, for slurmd starts jobs as their user. A cluster of the machine's own is neither used nor touched. The
/// stub in place of `train` is a shell script that calls this test program with [`a_cell_under_slurm`].
#[needs(slurm, root)]
#[test]
fn slurm_does_the_cells_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = slurm::Cluster::start(folder.path()).unwrap();
    let stub = folder.path().join("train");
    let this = std::env::current_exe().unwrap();
    std::fs::write(
        &stub,
        format!(
            "#!/bin/sh\nSTUDY_UNDER_SLURM=$(printf '%s\\n' \"$@\")\nexport STUDY_UNDER_SLURM\n\
             exec '{}' --ignored --exact study::a_cell_under_slurm --nocapture\n",
            this.display()
        ),
    )
    .unwrap();
    make_executable(&stub);
    let out = folder.path().join("a study");
    let scale = Scale {
        folds: 2,
        quick: true,
        seed: 0,
    };
    let cells = Suite::Noise.cells(scale);
    std::fs::create_dir_all(&out).unwrap();
    let arguments = [
        "study", "noise", "run", "--folds", "2", "--quick", "--data", "DATA", "--out",
    ];
    let program = parseye_train::study::slurm::Program {
        path: stub,
        arguments: arguments
            .map(String::from)
            .into_iter()
            .chain([out.to_string_lossy().into_owned()])
            .collect(),
        threads: Some(1),
    };
    // The last two models' evaluations are done beforehand: no task is submitted for them.
    let mut runner = MadeUp::new();
    for cell in [cells.len() - 2, cells.len() - 1] {
        study(
            &format!("noise run --folds 2 --quick --cell {cell}"),
            &out,
            &mut runner,
        )
        .unwrap();
    }
    let identity = Identity::new("made-up", scale);
    let study_folder = StudyFolder::open(&out, &identity).unwrap();
    let is_done = |id: &str| study_folder.is_done(id);
    let script =
        parseye_train::study::slurm::write(Suite::Noise, &cells, &program, &out, is_done).unwrap();
    let submitted = cluster.submit(Command::new("sh").arg(&script));
    assert_eq!(submitted.len(), 2, "one array for each level");
    cluster.wait();
    let states = cluster.states(&out);
    assert!(
        cells.iter().all(|cell| study_folder.is_done(&cell.id())),
        "{states}"
    );
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Where the images are kept for a look at them: set `STUDY_PLOTS` to a folder.
fn plots_folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("STUDY_PLOTS").map_or(folder.path().into(), Into::into);
    (folder, path)
}

#[test]
fn what_was_measured_is_in_the_tables_and_plots() {
    let (_keep, out) = plots_folder();
    let mut runner = MadeUp::new();
    for suite in ["whitebox", "noise", "transfer"] {
        study(&format!("{suite} run"), &out, &mut runner).unwrap();
    }
    for suite in ["whitebox", "noise", "transfer"] {
        study(&format!("{suite} collect"), &out, &mut runner).unwrap();
    }
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();

    let mut reader = csv::Reader::from_path(out.join("whitebox/table.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    // 8 networks clean and under two attacks at 7 levels, 5 of them clean and by transfer.
    assert_eq!(rows.len(), 8 * 15 + 5 * 8);
    let everybody = (made_up_study::PEOPLE * 20).to_string();
    for row in &rows {
        assert_eq!(&row[column("n")], everybody, "each crop is held out once");
        assert_eq!(&row[column("people")], made_up_study::PEOPLE.to_string());
        assert_eq!(&row[column("folds")], "3");
    }
    // A metric of the table from the predictions themselves.
    let scale = Scale {
        folds: 3,
        quick: false,
        seed: 0,
    };
    let folder = StudyFolder::open(&out, &Identity::new("made-up", scale)).unwrap();
    let cells = Suite::Whitebox.cells(scale);
    let clean_rights: usize = cells
        .iter()
        .filter(|cell| cell.name().starts_with("cnn-4-whitebox-fold"))
        .map(|cell| {
            let predictions = folder.predictions(&cell.id()).unwrap();
            let label = |path: &str| {
                runner
                    .samples
                    .iter()
                    .find(|sample| sample.path == Path::new(path))
                    .unwrap()
                    .label
            };
            let most = parseye_vision::eye_state::EyeState::most_likely;
            let pairs = predictions.paths.iter().zip(&predictions.conditions[0].1);
            pairs
                .filter(|(path, logits)| label(path) == most(logits))
                .count()
        })
        .sum();
    let row = rows
        .iter()
        .find(|row| &row[0] == "cnn-4" && &row[column("attack")] == "clean")
        .unwrap();
    let accuracy: f64 = row[column("accuracy")].parse().unwrap();
    assert!(
        (accuracy - clean_rights as f64 / 600.0).abs() < 1e-4,
        "{accuracy}"
    );

    let table = read("whitebox/table.md");
    assert!(
        table.contains("| wrn-16-1-hardened | fgsm transfer from wrn-16-1 |"),
        "{table}"
    );
    assert!(table.contains("original study (other data)"));
    let matrix = read("transfer/table.md");
    assert!(
        matrix.contains("the diagonal is white-box") && matrix.contains("| cnn-4-orthogonal |")
    );
    for name in [
        "whitebox/snr-wrn-16-1",
        "whitebox/snr-all-pgd-10",
        "whitebox/roc-cnn-4",
        "whitebox/confusion-cnn-4",
        "whitebox/balance",
        "whitebox/learning-0",
        "noise/snr-all-uniform",
    ] {
        assert!(read(&format!("{name}.svg")).contains("</svg>"), "{name}");
    }
    let plot = read("whitebox/snr-wrn-16-1.svg");
    for words in [
        "wrn-16-1-hardened fgsm transfer",
        "wrn-16-1 uniform random",
        "original study",
        "(dB)",
    ] {
        assert!(plot.contains(words), "{words}");
    }
}

#[test]
fn an_unfinished_study_is_collected_as_far_as_it_is() {
    let out = tempfile::tempdir().unwrap();
    let mut runner = MadeUp::new();
    for cell in [16, 17] {
        study(
            &format!("noise run --folds 2 --quick --cell {cell}"),
            out.path(),
            &mut runner,
        )
        .unwrap();
    }
    study("noise collect --folds 2 --quick", out.path(), &mut runner).unwrap();
    let table = std::fs::read_to_string(out.path().join("noise/table.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * 12);
}
