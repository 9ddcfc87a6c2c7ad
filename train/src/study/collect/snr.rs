//! Accuracy against the SNR of the perturbation: white-box solid, transfer dashed, random dotted.

use super::{
    pool::{Measured, Pooled},
    reference,
};
use crate::{
    attack::Access,
    chart::{Axis, Chart, Dash, GREY, Line, MARKS, Mark, PALETTE, Point},
    robustness::report::in_order,
};

use parseye_vision::snr::STUDY_SNRS_DB;

/// The strongest attack, by which networks are compared in one chart.
const STRONGEST: &str = "pgd-10";

/// A chart of all networks, and one for each family with every attack.
pub(crate) fn charts(pooled: &[Pooled]) -> Vec<(String, Chart)> {
    let groups: Vec<&str> = in_order(pooled.iter().map(|pooled| pooled.group.as_str()));
    let mut charts = Vec::new();
    let families = in_order(groups.iter().map(|group| family(group)));
    for (attack, words) in [(STRONGEST, "white-box PGD-10"), ("uniform", "random noise")] {
        let mut lines = Vec::new();
        for (number, family) in families.iter().enumerate() {
            let members = groups.iter().filter(|group| self::family(group) == *family);
            for (group, mark) in members.zip(MARKS.into_iter().cycle()) {
                let all = lines_of(pooled, group, number).into_iter();
                lines.extend(all.filter(|(of, _)| of == attack).map(|(_, line)| Line {
                    name: (*group).to_owned(),
                    mark,
                    ..line
                }));
            }
        }
        if !lines.is_empty() {
            let title = format!("All networks under {words}");
            charts.push((
                format!("snr-all-{attack}"),
                chart(title, lines, vec![BAND.into()]),
            ));
        }
    }
    for family in families {
        let mut lines = Vec::new();
        let members = groups.iter().filter(|group| self::family(group) == family);
        let members: Vec<&str> = members.copied().collect();
        for (number, group) in members.iter().enumerate() {
            lines.extend(
                lines_of(pooled, group, number)
                    .into_iter()
                    .map(|(_, line)| line),
            );
        }
        let mut has_reference = false;
        for group in &members {
            if let Some(published) = reference::of(group) {
                has_reference |= !published.attacked.is_empty();
                let points = STUDY_SNRS_DB.iter().zip(published.attacked);
                lines.push(Line {
                    name: format!(
                        "{group} {}*",
                        if published.transfer {
                            "transfer"
                        } else {
                            "FGSM"
                        }
                    ),
                    points: points.map(|(x, y)| Point::new(*x, y)).collect(),
                    colour: GREY,
                    dash: Dash::None,
                    mark: if published.transfer {
                        Mark::Cross
                    } else {
                        Mark::Triangle
                    },
                });
            }
        }
        let mut notes = vec![
            "solid: white-box; dashed: transfer; dotted: random".into(),
            BAND.into(),
        ];
        if has_reference {
            notes.push(format!("* grey: {}", reference::CAPTION));
        }
        let title = format!("{family}: accuracy under perturbation");
        charts.push((format!("snr-{family}"), chart(title, lines, notes)));
    }
    charts
}

const BAND: &str = "bands: 95 %, bootstrapped by person";

fn chart(title: String, lines: Vec<Line>, notes: Vec<String>) -> Chart {
    let xs = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|point| point.x));
    let (low, high) = xs.fold((f64::INFINITY, 0.0_f64), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    Chart {
        title,
        x: Axis::new(
            "SNR of the perturbation (dB): weaker to the right",
            low.min(high) - 1.0,
            high + 1.0,
        ),
        y: Axis::new("accuracy on people never seen", 0.0, 1.0),
        lines,
        notes,
    }
}

/// The lines of a network with the names of their attacks.
fn lines_of(pooled: &[Pooled], group: &str, number: usize) -> Vec<(String, Line)> {
    let of_group = pooled.iter().filter(|pooled| pooled.group == group);
    let measured: Vec<&Measured> = of_group.flat_map(|pooled| &pooled.measured).collect();
    let kinds = measured.iter().filter_map(|measured| {
        Some((
            measured.condition.attack.as_str(),
            measured.condition.access?,
        ))
    });
    let mut lines = Vec::new();
    for (attack, access) in in_order(kinds) {
        let same = |measured: &&&Measured| {
            measured.condition.attack == attack && measured.condition.access == Some(access)
        };
        let mut points: Vec<Point> = measured
            .iter()
            .filter(same)
            .filter_map(|measured| {
                let snr_db = measured.condition.snr_db?;
                Some(Point::of(snr_db, measured.metrics.accuracy))
            })
            .collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let dash = match access {
            Access::WhiteBox | Access::BlackBox => Dash::Solid,
            Access::Transfer => Dash::Dashed,
            Access::Random => Dash::Dotted,
        };
        let mark = match attack {
            "fgsm" => Mark::Circle,
            STRONGEST => Mark::Square,
            _ => Mark::None,
        };
        let line = Line {
            name: format!("{group} {attack} {access}"),
            points,
            colour: PALETTE[number % PALETTE.len()],
            dash,
            mark,
        };
        lines.push((attack.to_owned(), line));
    }
    lines
}

/// The architecture that a group's name begins with.
pub(crate) fn family(group: &str) -> &str {
    let known = ["wrn-16-1", "parseval-16-1", "cnn-4"];
    known
        .into_iter()
        .find(|family| group.starts_with(family))
        .unwrap_or(group)
}
