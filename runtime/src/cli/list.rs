//! `parseye cameras` and `parseye models`: lists of cameras and models.

use super::print;
use parseye_capture::list_cameras;
use parseye_vision::{
    classify::{EyeStateModel, ModelCard, ModelError, gradient},
    installed,
};
use serde::Serialize;
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
pub(super) fn cameras() -> anyhow::Result<ExitCode> {
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

/// Lists the models, as lines or, with their whole cards, as JSON. One that cannot be used is listed
/// with the reason.
///
/// # Errors
/// When stdout cannot be written.
pub(super) fn models(as_json: bool) -> anyhow::Result<ExitCode> {
    let mut models = vec![("built in".to_owned(), EyeStateModel::built_in())];
    models.extend(model_files().iter().map(|path| {
        let place = path.display().to_string();
        (place, EyeStateModel::from_file(path))
    }));
    if as_json {
        let listed: Vec<ListedModel> = models.iter().map(ListedModel::new).collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&listed)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = models.into_iter().map(|(place, model)| row(place, model));
    let rows: Vec<(String, String)> = rows.collect();
    let width = rows
        .iter()
        .map(|(place, _)| place.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (place, description) in rows {
        writeln!(text, "{place:width$}  {description}")?;
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A model as `--json` lists it: with a card, or with the reason why it cannot be used.
#[derive(Serialize)]
struct ListedModel<'a> {
    place: &'a str,
    bytes: Option<usize>,
    sha256: Option<&'a str>,
    card: Option<&'a ModelCard>,
    error: Option<String>,
}

impl<'a> ListedModel<'a> {
    fn new((place, model): &'a (String, Result<EyeStateModel, ModelError>)) -> Self {
        let usable = model.as_ref().ok();
        Self {
            place,
            bytes: usable.map(|model| model.file().bytes),
            sha256: usable.map(|model| model.file().sha256.as_str()),
            card: usable.map(EyeStateModel::card),
            error: model.as_ref().err().map(|error| error.reason.to_string()),
        }
    }
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

fn row(place: String, model: Result<EyeStateModel, ModelError>) -> (String, String) {
    let description = match model {
        Ok(model) => {
            let card = model.card();
            let accuracy = match card.validation.n {
                0 => "not measured".to_owned(),
                n => format!(
                    "accuracy {:.3}, macro {:.3} on {n} crops",
                    card.validation.accuracy, card.validation.macro_accuracy
                ),
            };
            format!(
                "{}  {accuracy}, {} parameters, {:.0} kB",
                card.name,
                card.parameters,
                model.file().bytes as f64 / 1e3
            )
        }
        Err(error) => format!("cannot be used: {}", error.reason),
    };
    (place, description)
}
