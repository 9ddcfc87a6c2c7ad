//! `parseye evaluate`: the classifier alone on labelled crops, as a table and as JSON.

use super::{load_model, print_beside, resolve::EvaluatePlan};
use parseye_events::write_json;
use parseye_vision::{
    evaluate::{
        crops::{Evaluation, Metrics, evaluate},
        manifest::Manifest,
        metrics::Interval,
    },
    eye_state::EyeState,
};
use std::{fmt::Write, process::ExitCode};

/// Runs the command.
///
/// # Errors
/// When the manifest, an image or the model is wrong, or an output failed.
pub(super) fn run(plan: &EvaluatePlan) -> anyhow::Result<ExitCode> {
    let model = load_model(&plan.settings)?;
    let manifest = Manifest::read(&plan.manifest)?;
    let evaluation = evaluate(&manifest, plan.split, &model)?;
    if let Some(path) = &plan.json {
        write_json(path, &evaluation)?;
    }
    print_beside([&plan.json], &table(&evaluation)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Least width of the column of source names.
const MIN_NAME_WIDTH: usize = 12;

fn table(evaluation: &Evaluation) -> Result<String, std::fmt::Error> {
    let names = evaluation.by_source.keys().map(String::len);
    let width = names
        .chain([MIN_NAME_WIDTH])
        .max()
        .unwrap_or(MIN_NAME_WIDTH);
    let mut text = String::new();
    writeln!(
        text,
        "{} on the {} split",
        evaluation.model, evaluation.split
    )?;
    write!(
        text,
        "{:width$} {:>7} {:>7} {:>8} {:>7} {:>15} {:>6}",
        "", "crops", "people", "accuracy", "macro", "95 %", "ece"
    )?;
    for state in EyeState::ALL {
        write!(text, " {state:>14}")?;
    }
    writeln!(text)?;
    row(&mut text, "all", width, &evaluation.all)?;
    for (source, figures) in &evaluation.by_source {
        row(&mut text, source, width, figures)?;
    }
    if !evaluation.open_against_closed.is_empty() {
        writeln!(text, "open against closed, labelled by people:")?;
    }
    for (source, two) in &evaluation.open_against_closed {
        let name = format!("{source:width$}");
        share_row(&mut text, &name, two.n, "", two.accuracy, two.ci95)?;
    }
    if !evaluation.looking_down.is_empty() {
        writeln!(text, "lids apart and looking down, share read as closed:")?;
    }
    for (source, down) in &evaluation.looking_down {
        let (name, people) = (format!("{source:width$}"), down.subjects.to_string());
        share_row(
            &mut text,
            &name,
            down.n,
            &people,
            down.read_as_closed,
            down.ci95,
        )?;
    }
    Ok(text)
}

/// A share of crops, in the columns of [`row`].
fn share_row(
    text: &mut String,
    name: &str,
    n: u64,
    people: &str,
    share: f64,
    ci95: Option<Interval>,
) -> std::fmt::Result {
    let ends = interval(ci95);
    writeln!(
        text,
        "{name} {n:>7} {people:>7} {share:>8.3} {:>7} {ends:>15}",
        ""
    )
}

fn row(text: &mut String, name: &str, width: usize, figures: &Metrics) -> std::fmt::Result {
    write!(
        text,
        "{name:width$} {:>7} {:>7} {:>8.3} {:>7.3} {:>15} {:>6.3}",
        figures.n,
        figures.subjects,
        figures.accuracy,
        figures.macro_accuracy,
        interval(figures.macro_accuracy_ci95),
        figures.ece
    )?;
    for state in EyeState::ALL {
        match figures.recall.get(state.name()) {
            Some(recall) => write!(text, " {recall:>14.3}")?,
            None => write!(text, " {:>14}", "-")?,
        }
    }
    writeln!(text)
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(
        || "-".into(),
        |ends| format!("{:.3} to {:.3}", ends.low, ends.high),
    )
}
