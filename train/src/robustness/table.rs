//! A model's metrics as text for a terminal. What the attacker knew decides the column, so that a
//! transfer is never read as a white-box result.

use super::{
    metrics::Metrics,
    report::{ConditionReport, ModelReport, in_order},
    spread::FEWEST_CROPS,
};
use crate::{attack::Access, corruption::SEVERITY_RANGE, estimate::Estimate};
use parseye_vision::eye_state::EyeState;
use std::fmt::Write;

/// Columns of attacks, in this order.
const COLUMNS: [Access; 4] = [
    Access::WhiteBox,
    Access::BlackBox,
    Access::Random,
    Access::Transfer,
];

/// Width of a column with an estimate: `0.865 [0.812, 0.901]` and two spaces.
const WIDTH: usize = 23;

/// The metrics of a model, several lines that end in a line break.
pub fn of_model(model: &ModelReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, model);
    text
}

fn write_all(out: &mut String, model: &ModelReport) -> std::fmt::Result {
    let Some(clean) = model.clean() else {
        return Ok(());
    };
    writeln!(
        out,
        "{} ({}): {} crops of {} people; in brackets 95 % intervals by person",
        model.name, model.architecture, clean.n, clean.subjects
    )?;
    writeln!(
        out,
        "clean: accuracy {}, macro {}, AUC micro {}, macro {}",
        estimate(clean.accuracy),
        estimate(clean.macro_accuracy),
        estimate(clean.auc_micro),
        estimate(clean.auc_macro)
    )?;
    writeln!(
        out,
        "       calibration error {:.3} at temperature 1, {:.3} at {:.3}",
        clean.ece_uncalibrated, clean.ece, model.temperature
    )?;
    writeln!(out, "       recall {}", recalls(clean))?;
    for (name, metrics) in model.by_source.iter().chain(&model.by_label_kind) {
        writeln!(
            out,
            "       {name:14} n {:6}  accuracy {:WIDTH$}macro {}",
            metrics.n,
            estimate(metrics.accuracy),
            estimate(metrics.macro_accuracy)
        )?;
    }
    write_graded(out, model)?;
    write_spread(out, model)?;
    write_attacks(out, model)?;
    write_corruption(out, model)?;
    for failed_check in &model.failed_checks {
        writeln!(out, "UNRELIABLE: {failed_check}")?;
    }
    Ok(())
}

/// The recall of every state that occurs, as text.
fn recalls(metrics: &Metrics) -> String {
    let recalls = metrics.recall.iter();
    let recalls: Vec<String> = recalls
        .map(|(name, recall)| format!("{name} {}", estimate(*recall)))
        .collect();
    recalls.join(", ")
}

fn write_graded(out: &mut String, model: &ModelReport) -> std::fmt::Result {
    let Some(graded) = &model.graded else {
        return Ok(());
    };
    let (hard, corrected) = (&graded.hard, &graded.corrected);
    writeln!(
        out,
        "graded twice and alike: n {}, of which {} are labelled so",
        hard.n, graded.hard_labelled_so
    )?;
    writeln!(
        out,
        "       against the grades: accuracy {}, macro {}",
        estimate(hard.accuracy),
        estimate(hard.macro_accuracy)
    )?;
    writeln!(out, "       recall {}", recalls(hard))?;
    writeln!(
        out,
        "all crops, grades in place of labels: n {}, accuracy {}, macro {}, partially_open {}",
        corrected.n,
        estimate(corrected.accuracy),
        estimate(corrected.macro_accuracy),
        corrected
            .recall
            .get(EyeState::PartiallyOpen.name())
            .map_or_else(|| "-".into(), |r| estimate(*r))
    )?;
    if let Some(undecidable) = &graded.undecidable {
        writeln!(
            out,
            "undecidable by both graders: n {}, mean confidence {}",
            undecidable.n,
            estimate(undecidable.confidence)
        )?;
    }
    Ok(())
}

fn write_spread(out: &mut String, model: &ModelReport) -> std::fmt::Result {
    let Some(spread) = &model.by_subject else {
        return Ok(());
    };
    let [least, low, median, high, greatest] = spread.quartiles;
    writeln!(
        out,
        "{} people of at least {FEWEST_CROPS} crops: accuracy least {least:.3}, quartiles {low:.3} {median:.3} {high:.3}, greatest {greatest:.3}",
        spread.subjects
    )?;
    let worst = spread.worst.iter();
    let worst: Vec<String> = worst
        .map(|person| format!("{} {:.3} of {}", person.name, person.accuracy, person.n))
        .collect();
    writeln!(out, "       worst: {}", worst.join(", "))
}

fn write_attacks(out: &mut String, model: &ModelReport) -> std::fmt::Result {
    let attacked: Vec<&ConditionReport> = model
        .results
        .iter()
        .filter(|row| row.condition.access.is_some())
        .collect();
    if attacked.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nmacro accuracy under attack")?;
    write!(out, "{:12} {:4} {:>6}  ", "attack", "norm", "SNR dB")?;
    for access in COLUMNS {
        write!(out, "{access:WIDTH$}")?;
    }
    if let Some(from) = &model.transfer_from {
        write!(out, "(transfer from {from})")?;
    }
    end_line(out)?;
    let rows = in_order(attacked.iter().map(|report| {
        let condition = &report.condition;
        (condition.attack.as_str(), condition.norm, condition.snr_db)
    }));
    for (attack, norm, snr_db) in rows {
        let norm_name = norm.map_or("", <&str>::from);
        write!(
            out,
            "{attack:12} {norm_name:4} {:>6}  ",
            snr_db.unwrap_or(f64::NAN)
        )?;
        for access in COLUMNS {
            let cell = attacked.iter().find(|report| {
                let c = &report.condition;
                (c.attack.as_str(), c.norm, c.snr_db) == (attack, norm, snr_db)
                    && c.access == Some(access)
            });
            let cell = cell.map_or_else(|| "-".into(), |r| estimate(r.metrics.macro_accuracy));
            write!(out, "{cell:WIDTH$}")?;
        }
        end_line(out)?;
    }
    Ok(())
}

fn write_corruption(out: &mut String, model: &ModelReport) -> std::fmt::Result {
    let Some(corruption) = &model.corruption else {
        return Ok(());
    };
    writeln!(out, "\nmacro accuracy under corruptions")?;
    write!(out, "{:16}{:WIDTH$}", "family", "mean")?;
    for severity in SEVERITY_RANGE {
        write!(out, "{severity:>7}")?;
    }
    end_line(out)?;
    for (name, mean) in &corruption.by_family {
        write!(out, "{name:16}{:WIDTH$}", estimate(mean.macro_accuracy))?;
        for severity in SEVERITY_RANGE {
            let of = |row: &&ConditionReport| {
                let found = row.condition.corruption();
                found.is_some_and(|(f, s)| f.to_string() == *name && s == severity)
            };
            let value = model.results.iter().find(of);
            let value = value.map_or(f64::NAN, |row| row.metrics.macro_accuracy.value);
            write!(out, "{value:7.3}")?;
        }
        end_line(out)?;
    }
    let all = &corruption.all;
    writeln!(
        out,
        "{:16}{:WIDTH$}(accuracy {})",
        "all",
        estimate(all.macro_accuracy),
        estimate(all.accuracy)
    )
}

/// Ends a line without blanks before its end.
fn end_line(out: &mut String) -> std::fmt::Result {
    out.truncate(out.trim_end_matches(' ').len());
    writeln!(out)
}

pub(super) fn estimate(estimate: Estimate) -> String {
    match estimate {
        Estimate { value, .. } if value.is_nan() => "-".into(),
        Estimate {
            value,
            low: Some(low),
            high: Some(high),
        } => format!("{value:.3} [{low:.3}, {high:.3}]"),
        Estimate { value, .. } => format!("{value:.3}"),
    }
}
