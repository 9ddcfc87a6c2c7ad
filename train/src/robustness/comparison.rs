//! Models side by side, a row each: what an ablation or a choice among models is read from.

use super::report::{ModelReport, in_order};
use crate::attack::Access;
use parseye_vision::eye_state::EyeState;

/// A Markdown table of the models' metrics without intervals, which are in each model's own
/// table. Attacks are white-box macro accuracies except where the heading names another access.
pub(crate) fn of_models(models: &[&ModelReport]) -> String {
    let mut columns: Vec<Column> = vec![
        Column::new("accuracy", |m| Some(m.clean()?.accuracy.value)),
        Column::new("macro", |m| Some(m.clean()?.macro_accuracy.value)),
        Column::new("partially open", |m| {
            let recall = &m.clean()?.recall;
            Some(recall.get(EyeState::PartiallyOpen.name())?.value)
        }),
        Column::new("ECE", |m| Some(m.clean()?.ece)),
        Column::new("hard cases", |m| {
            Some(m.graded.as_ref()?.hard.accuracy.value)
        }),
        Column::new("macro as graded", |m| {
            Some(m.graded.as_ref()?.corrected.macro_accuracy.value)
        }),
        Column::new("corrupted", |m| {
            Some(m.corruption.as_ref()?.all.macro_accuracy.value)
        }),
    ];
    let results = models.iter().flat_map(|model| &model.results);
    let attacks = in_order(results.filter_map(|row| {
        let c = &row.condition;
        Some((c.attack.clone(), c.access?, c.snr_db?))
    }));
    columns.extend(attacks.into_iter().map(|(name, access, snr_db)| {
        let known = match access {
            Access::WhiteBox => String::new(),
            other => format!(" ({other})"),
        };
        let heading = format!("{name}{known} {snr_db} dB");
        let metric = move |model: &ModelReport| {
            let row = model.results.iter().find(|row| {
                let c = &row.condition;
                (&c.attack, c.access, c.snr_db) == (&name, Some(access), Some(snr_db))
            });
            Some(row?.metrics.macro_accuracy.value)
        };
        Column {
            heading,
            metric: Box::new(metric),
        }
    }));
    columns.retain(|column| models.iter().any(|model| (column.metric)(model).is_some()));
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let headings = columns.iter().map(|column| column.heading.clone());
    let mut text = line(
        std::iter::once("model".to_owned())
            .chain(headings)
            .collect(),
    );
    text += &line(vec!["---".into(); columns.len() + 1]);
    for model in models {
        let metrics = columns.iter().map(|column| {
            (column.metric)(model).map_or_else(|| "-".into(), |value| format!("{value:.3}"))
        });
        text += &line(std::iter::once(model.name.clone()).chain(metrics).collect());
    }
    text
}

/// Takes a metric from a model's report, where it is there.
type ReadMetric = Box<dyn Fn(&ModelReport) -> Option<f64>>;

struct Column {
    heading: String,
    metric: ReadMetric,
}

impl Column {
    fn new(heading: &str, metric: fn(&ModelReport) -> Option<f64>) -> Self {
        Self {
            heading: heading.into(),
            metric: Box::new(metric),
        }
    }
}
