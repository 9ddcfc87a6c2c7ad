//! The status of a running monitor as Prometheus metrics, in the text format 0.0.4.
//!
//! Names and units follow the conventions of <https://prometheus.io/docs/practices/naming/>: base
//! units, `_total` for what only grows, shares as `_ratio`. What is not known at a scrape has no
//! sample, so that nothing is averaged with a made-up zero. Serving it is [`super::web`]'s.

use crate::channels::FrameAges;
use parseye_events::{
    event::EyeRecord,
    status::{CheckStatus, EyeCheckStatus, LiveStatus},
};
use parseye_vision::{eye_state::EyeState, selfcheck::HeadroomState, temporal::AlertKind};
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};
use std::{fmt, sync::atomic::AtomicU64};

/// Content type of the response.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Ratio = Gauge<f64, AtomicU64>;
type Ratios<const N: usize> = Family<Labels<N>, Ratio>;
type Counts = Family<Labels<1>, Counter>;

/// Encodes the metrics of one moment; `status` is `None` before the first frame, and `healthy` says whether
/// frames come.
///
/// # Errors
/// None in practice: writing to a string does not fail.
pub(super) fn metrics(
    status: Option<&LiveStatus>,
    ages: &FrameAges,
    healthy: bool,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("parseye");
    registry.register(
        "build",
        "Version of the program",
        Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
    let delivering: Gauge = Gauge::default();
    delivering.set(i64::from(healthy));
    registry.register(
        "source_delivering",
        "1 while the camera or recording delivers frames, else 0",
        delivering,
    );
    registry.register(
        "frame_age_seconds",
        "Time from a frame's capture to its prediction",
        ages.histogram(),
    );
    if let Some(status) = status {
        registry.register(
            "model",
            "Eye-state model in use",
            Info::new([("name", status.model.clone())]),
        );
        counts(status, &mut registry);
        gauges(status, &mut registry);
    }
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// Registers what only grows.
fn counts(status: &LiveStatus, registry: &mut Registry) {
    let frames: Counter = Counter::default();
    frames.inc_by(status.frames);
    registry.register("frames", "Frames processed since the start", frames);
    let counted = |key: &'static str, values: &[(&'static str, u64)]| {
        let family = Counts::default();
        for (value, count) in values {
            family.get_or_create(&[(key, *value)]).inc_by(*count);
        }
        family
    };
    let lost = &status.lost;
    registry.register(
        "frames_lost",
        "Frames captured or announced but never processed, by cause",
        counted(
            "cause",
            &[
                ("driver", lost.driver),
                ("dropped", lost.dropped),
                ("decode", lost.decode),
                ("corrupt", lost.corrupt),
            ],
        ),
    );
    let events = &status.events;
    for (name, help, counts) in [
        (
            "blinks",
            "Blinks since the start, of each eye and of both together",
            &events.blinks,
        ),
        (
            "partial_blinks",
            "Blinks since the start in which the lids did not meet",
            &events.partial_blinks,
        ),
        (
            "long_closures",
            "Closures since the start that were too long for blinks",
            &events.long_closures,
        ),
    ] {
        let eyes = [
            ("left", counts.left),
            ("right", counts.right),
            ("both", counts.both),
        ];
        registry.register(name, help, counted("eye", &eyes));
    }
    let winks = [("left", events.winks.left), ("right", events.winks.right)];
    registry.register(
        "winks",
        "Closures of one eye since the start while the other was open",
        counted("eye", &winks),
    );
    let alerts = AlertKind::ALL.map(|kind| (kind.name(), events.alerts.get(kind)));
    registry.register(
        "alerts",
        "Alerts raised since the start, by kind",
        counted("kind", &alerts),
    );
    for (name, help, count) in [
        (
            "faces_lost",
            "Times since the start that the face was lost from sight",
            events.faces_lost,
        ),
        (
            "gaps",
            "Gaps between frames since the start, of which nothing is known",
            events.gaps,
        ),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
}

/// Registers what goes up and down.
fn gauges(status: &LiveStatus, registry: &mut Registry) {
    if let Some(perclos) = status.perclos {
        let gauge = Ratio::default();
        gauge.set(perclos);
        registry.register(
            "perclos_ratio",
            "Share of the known time of the last minute with both eyes closed, blinks excluded",
            gauge,
        );
    }
    let face: Gauge = Gauge::default();
    face.set(i64::from(status.face.is_some()));
    registry.register("face_visible", "1 while a face is found, else 0", face);

    let probabilities = Ratios::<2>::default();
    let confidence = Ratios::<1>::default();
    for (eye, record) in [("left", &status.left), ("right", &status.right)] {
        let Some(EyeRecord {
            probabilities: Some(measured),
            confidence: Some(largest),
            ..
        }) = record
        else {
            continue;
        };
        for state in EyeState::ALL {
            if let Some(probability) = measured.of(state) {
                probabilities
                    .get_or_create(&[("eye", eye), ("state", state.name())])
                    .set(probability);
            }
        }
        confidence.get_or_create(&[("eye", eye)]).set(*largest);
    }
    registry.register(
        "eye_probability",
        "Probability of each state of each eye; no sample where nothing was measured",
        probabilities,
    );
    registry.register(
        "eye_confidence",
        "Probability of the most likely state of each eye",
        confidence,
    );

    checks(&status.checks, registry);

    let active: Family<Labels<1>, Gauge> = Family::default();
    for kind in AlertKind::ALL {
        let on = status.alerts.iter().any(|alert| alert.kind == kind);
        active
            .get_or_create(&[("kind", kind.name())])
            .set(i64::from(on));
    }
    registry.register("alert_active", "1 while an alert is on, else 0", active);
}

/// Registers the self-check's results; no sample where nothing was measured.
fn checks(checks: &CheckStatus, registry: &mut Registry) {
    type Get = fn(&EyeCheckStatus) -> Option<f64>;
    let gauges: [(&str, &str, Get); 5] = [
        (
            "camera_snr_decibels",
            "Contrast of the eye's crop over the camera's noise",
            |eye| eye.last.camera_snr_db,
        ),
        (
            "headroom_decibels",
            "Camera SNR less the SNR at which noise changes one prediction of ten, median of the last minute",
            |eye| eye.headroom_median_db,
        ),
        (
            "headroom_worst_decibels",
            "Lowest headroom of the last minute",
            |eye| eye.headroom_worst_db,
        ),
        (
            "adversarial_margin_decibels",
            "Highest SNR at which a white-box FGSM step changes the prediction",
            |eye| eye.last.adversarial_margin_db,
        ),
        (
            "flip_probability_ratio",
            "First-order chance that the camera's own noise changes the prediction",
            |eye| eye.last.flip_probability,
        ),
    ];
    let eyes = [("left", &checks.left), ("right", &checks.right)];
    for (name, help, get) in gauges {
        let family = Ratios::<1>::default();
        for (eye, check) in eyes {
            if let Some(value) = check.as_ref().and_then(get) {
                family.get_or_create(&[("eye", eye)]).set(value);
            }
        }
        registry.register(name, help, family);
    }
    let trusted: Family<Labels<1>, Gauge> = Family::default();
    for (eye, check) in eyes {
        if let Some(trust) = check.as_ref().and_then(|check| check.last.trust) {
            let ok = i64::from(trust == HeadroomState::Ok);
            trusted.get_or_create(&[("eye", eye)]).set(ok);
        }
    }
    registry.register(
        "eye_trusted",
        "1 while an eye's headroom is ok, 0 while it is low or exhausted",
        trusted,
    );
    let drifts: Gauge = Gauge::default();
    drifts.set(i64::try_from(checks.drifts.len()).unwrap_or(i64::MAX));
    registry.register(
        "drifts_active",
        "Drifts of confidence, predictions or camera noise that last",
        drifts,
    );
}

#[cfg(test)]
mod tests;
