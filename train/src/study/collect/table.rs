//! Tables: one row for each network and condition as CSV, and as Markdown one row for each network
//! and attack with the SNRs across.

use super::{
    pool::{Measured, Pooled},
    reference,
};
use crate::{
    conditions::Condition,
    estimate::Estimate,
    study::{StudyError, folder::write_text, suite::Suite},
};
use parseye_vision::{
    eye_state::EyeState,
    snr::{STUDY_SNRS_DB, epsilon_of_db},
};
use std::{
    collections::BTreeSet,
    fmt::Write,
    path::{Path, PathBuf},
};

/// Writes `table.csv` and `table.md`.
///
/// # Errors
/// When they cannot be written.
pub fn write(suite: Suite, pooled: &[Pooled], out: &Path) -> Result<Vec<PathBuf>, StudyError> {
    let (csv_path, md_path) = (out.join("table.csv"), out.join("table.md"));
    let text = csv_text(pooled).map_err(|error| StudyError::Write {
        path: csv_path.clone(),
        reason: error.to_string(),
    })?;
    write_text(&csv_path, &text)?;
    write_text(&md_path, &markdown(suite, pooled))?;
    Ok(vec![csv_path, md_path])
}

fn access_name(condition: &Condition) -> &'static str {
    condition.access.map_or("", <&str>::from)
}

fn csv_text(pooled: &[Pooled]) -> Result<String, Box<dyn std::error::Error>> {
    let settings: BTreeSet<&str> = pooled
        .iter()
        .flat_map(|pooled| pooled.settings.keys().map(String::as_str))
        .collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = ["network", "evaluation"].map(String::from).into();
    header.extend(settings.iter().map(|name| (*name).to_owned()));
    let plain = [
        "attack", "access", "snr_db", "epsilon", "folds", "n", "people",
    ];
    header.extend(plain.map(String::from));
    let mut estimates: Vec<String> = ["accuracy", "macro_accuracy"].map(String::from).into();
    estimates.extend(EyeState::ALL.map(|state| format!("recall_{state}")));
    estimates.extend(["auc_micro", "auc_macro"].map(String::from));
    for name in estimates {
        header.extend([name.clone(), format!("{name}_low"), format!("{name}_high")]);
    }
    header.push("ece".into());
    writer.write_record(&header)?;
    for pooled in pooled {
        for Measured {
            condition, metrics, ..
        } in &pooled.measured
        {
            let mut row = vec![pooled.group.clone(), pooled.evaluation.clone()];
            let of = |name: &&str| pooled.settings.get(*name).cloned().unwrap_or_default();
            row.extend(settings.iter().map(of));
            let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
            row.extend([
                condition.attack.clone(),
                access_name(condition).into(),
                number(condition.snr_db),
                condition
                    .snr_db
                    .map_or_else(String::new, |db| format!("{:.5}", epsilon_of_db(db))),
                pooled.folds.to_string(),
                metrics.n.to_string(),
                metrics.subjects.to_string(),
            ]);
            let mut all = vec![Some(metrics.accuracy), Some(metrics.macro_accuracy)];
            let recall = |state: EyeState| metrics.recall.get(state.name()).copied();
            all.extend(EyeState::ALL.map(recall));
            all.extend([Some(metrics.auc_micro), Some(metrics.auc_macro)]);
            let rounded =
                |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.5}"));
            for estimate in all {
                row.push(rounded(estimate.map(|estimate| estimate.value)));
                row.push(rounded(estimate.and_then(|estimate| estimate.low)));
                row.push(rounded(estimate.and_then(|estimate| estimate.high)));
            }
            row.push(format!("{:.5}", metrics.ece));
            writer.write_record(&row)?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A row of a Markdown table: what is attacked how, and the metric at each SNR.
struct MarkdownRow {
    head: Vec<String>,
    clean: Option<Estimate>,
    attacked: Vec<(f64, Estimate)>,
}

fn markdown(suite: Suite, pooled: &[Pooled]) -> String {
    let mut text = format!(
        "# {}\n\nMade by `train study {suite} collect`. Every metric is over people that the \
         network never saw, with its 95 % interval, bootstrapped by person.\n",
        suite.title()
    );
    if let Some(first) = pooled.first()
        && let Some(clean) = first.measured.first()
    {
        let (metrics, folds) = (&clean.metrics, first.folds);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "{} crops of {} people in {folds} folds for {}.",
            metrics.n, metrics.subjects, first.group
        );
    }
    type Pick = fn(&Measured) -> Estimate;
    let kinds: [(&str, Pick); 2] = [
        ("Accuracy", |measured| measured.metrics.accuracy),
        ("Mean over the states of each one's recall", |measured| {
            measured.metrics.macro_accuracy
        }),
    ];
    for (title, pick) in kinds {
        let _ = write!(text, "\n## {title}\n\n");
        if suite == Suite::Transfer {
            matrices(&mut text, pooled, pick);
        } else {
            rows(&mut text, suite, pooled, pick);
        }
    }
    if suite == Suite::Whitebox {
        published(&mut text);
    }
    text
}

fn rows(text: &mut String, suite: Suite, pooled: &[Pooled], pick: fn(&Measured) -> Estimate) {
    let mut rows = Vec::new();
    for pooled in pooled {
        let clean = pooled.measured.first().map(pick);
        let mut kinds: Vec<(&str, &str)> = Vec::new();
        for measured in pooled.measured.iter().skip(1) {
            let kind = (
                measured.condition.attack.as_str(),
                access_name(&measured.condition),
            );
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() {
            kinds.push(("none", ""));
        }
        for (attack, access) in kinds {
            let same = |measured: &&Measured| {
                measured.condition.attack == attack && access_name(&measured.condition) == access
            };
            let at = |measured: &Measured| Some((measured.condition.snr_db?, pick(measured)));
            let how = format!("{attack} {access}").trim_end().to_owned();
            let how = match pooled.settings.get("from") {
                Some(from) => format!("{how} from {from}"),
                None => how,
            };
            rows.push(MarkdownRow {
                head: vec![pooled.group.clone(), how],
                clean,
                attacked: pooled.measured.iter().filter(same).filter_map(at).collect(),
            });
        }
    }
    if suite == Suite::Grid {
        let value = |row: &MarkdownRow| row.clean.map_or(f64::NAN, |clean| clean.value);
        rows.sort_by(|a, b| value(b).total_cmp(&value(a)));
    }
    let mut snrs: Vec<f64> = rows
        .iter()
        .flat_map(|row| row.attacked.iter().map(|(snr, _)| *snr))
        .collect();
    snrs.sort_by(|a, b| b.total_cmp(a));
    snrs.dedup();
    let heads = snrs.iter().map(|snr| format!(" {snr:.0} dB |"));
    let _ = writeln!(
        text,
        "| network | attack | clean |{}",
        heads.collect::<String>()
    );
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(snrs.len()));
    for row in rows {
        let _ = write!(text, "| {} | {} |", row.head.join(" | "), cell(row.clean));
        for snr in &snrs {
            let found = row.attacked.iter().find(|(at, _)| at == snr);
            let _ = write!(text, " {} |", cell(found.map(|(_, estimate)| *estimate)));
        }
        text.push('\n');
    }
}

/// For each SNR: attacked networks down, where the examples come from across.
fn matrices(text: &mut String, pooled: &[Pooled], pick: fn(&Measured) -> Estimate) {
    let from = |pooled: &Pooled| pooled.settings.get("from").cloned().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for name in pooled
        .iter()
        .flat_map(|pooled| [pooled.group.clone(), from(pooled)])
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut snrs: Vec<f64> = pooled
        .iter()
        .flat_map(|pooled| &pooled.measured)
        .filter_map(|measured| measured.condition.snr_db)
        .collect();
    snrs.sort_by(|a, b| b.total_cmp(a));
    snrs.dedup();
    for snr in snrs {
        let _ = write!(
            text,
            "FGSM at {snr:.0} dB; the diagonal is white-box, all else transfer.\n\n\
             | attacked \\ examples of | {} |\n|---|{}\n",
            names.join(" | "),
            "---|".repeat(names.len())
        );
        for target in &names {
            let _ = write!(text, "| {target} |");
            for source in &names {
                let found = pooled
                    .iter()
                    .find(|pooled| pooled.group == *target && from(pooled) == *source)
                    .and_then(|pooled| {
                        let at = |measured: &&Measured| measured.condition.snr_db == Some(snr);
                        pooled.measured.iter().find(at)
                    });
                let _ = write!(text, " {} |", cell(found.map(pick)));
            }
            text.push('\n');
        }
        text.push('\n');
    }
}

/// `0.865 (0.850-0.880)`, or nothing.
fn cell(estimate: Option<Estimate>) -> String {
    let Some(estimate) = estimate else {
        return String::new();
    };
    let value = format!("{:.3}", estimate.value);
    match estimate.low.zip(estimate.high) {
        Some((low, high)) => format!("{value} ({low:.3}-{high:.3})"),
        None => value,
    }
}

fn published(text: &mut String) {
    let heads = STUDY_SNRS_DB.map(|snr| format!(" {snr:.0} dB |"));
    let _ = write!(
        text,
        "\n## For reference: the {}\n\nAnother data set, with frames of one person on both sides \
         of its split: not comparable in height, only in shape.\n\n\
         | network | attack | clean |{}\n|---|---|---|{}\n",
        reference::CAPTION,
        heads.concat(),
        "---|".repeat(heads.len())
    );
    for row in reference::PUBLISHED {
        let metrics = row.attacked.map(|value| format!(" {value:.3} |"));
        let attack = if row.transfer {
            "transfer"
        } else {
            "white-box"
        };
        let _ = writeln!(
            text,
            "| {} | fgsm {attack} | {:.3} |{}",
            row.group,
            row.clean,
            metrics.concat()
        );
    }
}
