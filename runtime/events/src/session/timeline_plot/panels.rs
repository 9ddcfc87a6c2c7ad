//! The panels of the plot: which values, in which range.

use super::{Drawn, TimelinePlot, layout::EYES, panel::Panel};
use crate::session::timeline::{Spread, Timeline};
use parseye_plot::PALETTE;
use parseye_vision::{
    eye_state::{Eye, PerEye},
    temporal::TemporalSettings,
};
use plotters::style::RGBColor;
use std::ops::Range;

impl TimelinePlot<'_, '_> {
    /// Draws a panel for each value, with the thresholds of these settings.
    pub(super) fn panels(&mut self, settings: &TemporalSettings, has_snr: bool) -> Drawn {
        let percent = |value: f64| format!("{:.0}", 100.0 * value);
        let unit = |value: f64| format!("{value:.1}");
        self.panel(
            &Panel {
                name: "P(closed)",
                unit: "",
                range: 0.0..1.0,
                ticks: &[0.0, 0.5, 1.0],
                text: &unit,
                threshold: Some(settings.closed_above),
            },
            &|column| eyes_of(&column.closed),
        )?;
        let perclos = perclos_range(self.timeline, settings);
        self.panel(
            &Panel {
                name: "PERCLOS",
                unit: "% of the last minute",
                range: 0.0..perclos,
                ticks: &[0.0, perclos / 2.0, perclos],
                text: &percent,
                threshold: Some(settings.drowsy_above),
            },
            &|column| vec![(column.perclos, PALETTE[6])],
        )?;
        self.panel(
            &Panel {
                name: "confidence",
                unit: "of the state",
                range: 0.25..1.0,
                ticks: &[0.25, 0.5, 0.75, 1.0],
                text: &|value| format!("{value:.2}"),
                threshold: None,
            },
            &|column| eyes_of(&column.confidence),
        )?;
        if has_snr {
            let range = snr_range(self.timeline);
            let ticks = [range.start, (range.start + range.end) / 2.0, range.end];
            self.panel(
                &Panel {
                    name: "camera SNR",
                    unit: "dB",
                    range,
                    ticks: &ticks,
                    text: &|value| format!("{value:.0}"),
                    threshold: None,
                },
                &|column| eyes_of(&column.camera_snr),
            )?;
        }
        Ok(())
    }
}

/// Returns the values of both eyes with their colours.
fn eyes_of(spreads: &PerEye<Spread>) -> Vec<(Spread, RGBColor)> {
    Eye::ALL
        .into_iter()
        .map(|eye| (*spreads.get(eye), *EYES.get(eye)))
        .collect()
}

/// Returns the top of the PERCLOS panel: the highest value or the threshold of drowsiness, rounded up to 10 %.
fn perclos_range(timeline: &Timeline, settings: &TemporalSettings) -> f64 {
    let highest = timeline
        .columns()
        .iter()
        .filter_map(|column| column.perclos.values())
        .map(|[_, _, high]| high)
        .fold(settings.drowsy_above, f64::max);
    ((highest * 10.0 + 0.01).ceil() / 10.0).clamp(0.1, 1.0)
}

/// Returns the range of all measured camera SNRs, in steps of 10 dB.
fn snr_range(timeline: &Timeline) -> Range<f64> {
    let values = timeline.columns().iter().flat_map(|column| {
        Eye::ALL
            .into_iter()
            .filter_map(|eye| column.camera_snr.get(eye).values())
            .collect::<Vec<_>>()
    });
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), [l, _, h]| {
        (low.min(l), high.max(h))
    });
    let low = (low / 10.0).floor() * 10.0;
    low..((high / 10.0).ceil() * 10.0).max(low + 10.0)
}
