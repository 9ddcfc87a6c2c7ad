//! `parseye cameras` and `parseye models`: what is there.

use super::print;
use parseye::{
    classify::{EyeStateModel, ModelError, gradient},
    installed,
    source::list_cameras,
};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Where models are looked for, below the current folder and below that of an installed program.
const FOLDER: &str = "models";

/// Lists the cameras.
///
/// # Errors
/// When stdout cannot be written.
pub fn cameras() -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    for camera in list_cameras() {
        writeln!(text, "{}  {}", camera.path.display(), camera.name)?;
        for format in camera.formats {
            writeln!(text, "    {format}")?;
        }
    }
    if text.is_empty() {
        text = "no camera found (looked for /dev/video* that can capture)\n".into();
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Lists the models. One that cannot be used is listed with the reason.
///
/// # Errors
/// When stdout cannot be written.
pub fn models() -> anyhow::Result<ExitCode> {
    let mut rows = vec![row("built in", EyeStateModel::built_in())];
    rows.extend(
        model_files()
            .iter()
            .map(|path| row(&path.display().to_string(), EyeStateModel::from_file(path))),
    );
    let width = rows
        .iter()
        .map(|(place, _)| place.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (place, words) in rows {
        writeln!(text, "{place:width$}  {words}")?;
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Models of the current folder, then those of an installed program.
fn model_files() -> Vec<PathBuf> {
    let installed = installed::share().map(|share| share.join(FOLDER));
    let folders = [PathBuf::from(FOLDER)].into_iter().chain(installed);
    folders.flat_map(|folder| models_in(&folder)).collect()
}

/// Models of a folder by name, their gradient graphs left out; none where there is no such folder.
fn models_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && path.extension().is_some_and(|ending| ending == "onnx"))
        .filter(|path| !path.to_string_lossy().ends_with(gradient::FILE_ENDING))
        .collect();
    files.sort();
    files
}

fn row(place: &str, model: Result<EyeStateModel, ModelError>) -> (String, String) {
    let words = match model {
        Ok(model) => {
            let card = model.card();
            format!(
                "{}  accuracy {:.3}, macro {:.3} on {} crops, {} parameters, {:.0} kB",
                card.name,
                card.validation.accuracy,
                card.validation.macro_accuracy,
                card.validation.n,
                card.parameters,
                model.file().bytes as f64 / 1e3
            )
        }
        Err(error) => format!("cannot be used: {}", error.reason),
    };
    (place.into(), words)
}
