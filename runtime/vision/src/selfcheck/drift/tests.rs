//! Streams of made-up predictions that stay the same, get worse and get better again.

use super::*;
use crate::{
    classify::card::{CONFIDENCE_BINS, ReferenceQuantiles, entropy_bits, tests::example},
    selfcheck::noise::Normal,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Ten predictions a second: confidence and SNR scatter around their means, a blink every 4 s.
fn stream(
    monitor: &mut DriftMonitor,
    seconds: std::ops::Range<u32>,
    confidence: f64,
    snr: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<DriftEvent> {
    let mut events = Vec::new();
    for tick in seconds.start * 10..seconds.end * 10 {
        let sure = (confidence + 0.03 * Normal.draw(rng)).clamp(0.3, 0.999) as f32;
        let rest = (1.0 - sure) / 3.0;
        let mut probabilities = [rest; STATES];
        probabilities[if tick % 40 < 2 { 2 } else { 0 }] = sure;
        events.extend(monitor.add(&DriftSample {
            time: Duration::from_millis(u64::from(tick) * 100),
            probabilities,
            camera_snr_db: Some(snr + Normal.draw(rng)),
        }));
    }
    events
}

fn quantities(events: &[DriftEvent], phase: DriftPhase) -> Vec<Quantity> {
    let mut names: Vec<_> = events
        .iter()
        .filter(|event| event.phase == phase)
        .map(|event| event.quantity)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn hours_of_the_same_raise_nothing() {
    for seed in 0..4 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut monitor = DriftMonitor::new(&example(), DriftTuning::default());
        let events = stream(&mut monitor, 0..3600, 0.93, 30.0, &mut rng);
        assert_eq!(events, [], "seed {seed}");
    }
}

#[test]
fn less_confidence_is_found_within_seconds_and_ends_when_it_is_back() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut monitor = DriftMonitor::new(&example(), DriftTuning::default());
    assert_eq!(stream(&mut monitor, 0..300, 0.93, 30.0, &mut rng), []);
    assert!(monitor.has_reference());
    let worse = stream(&mut monitor, 300..400, 0.75, 30.0, &mut rng);
    let raised = quantities(&worse, DriftPhase::Raised);
    assert_eq!(raised, [Quantity::Confidence, Quantity::Entropy]);
    let first = worse.iter().find(|e| e.quantity == Quantity::Confidence);
    let first = first.unwrap();
    assert!(
        first.time <= 310.0 && (first.since - 300.0).abs() <= 5.0,
        "{first:?}"
    );
    assert_eq!(first.shift, Shift::Down);
    assert!(first.reference.unwrap() > 0.9 && first.now.unwrap() < 0.8);
    let back = stream(&mut monitor, 400..600, 0.93, 30.0, &mut rng);
    let cleared = quantities(&back, DriftPhase::Cleared);
    assert_eq!(cleared, [Quantity::Confidence, Quantity::Entropy]);
}

#[test]
fn a_noisier_camera_is_detected_and_an_unknown_one_is_left_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let mut monitor = DriftMonitor::new(&example(), DriftTuning::default());
    stream(&mut monitor, 0..200, 0.93, 30.0, &mut rng);
    let events = stream(&mut monitor, 200..230, 0.93, 22.0, &mut rng);
    assert_eq!(
        quantities(&events, DriftPhase::Raised),
        [Quantity::CameraSnr]
    );
    assert!(events[0].time <= 215.0);
    let mut monitor = DriftMonitor::new(&example(), DriftTuning::default());
    let events = stream(&mut monitor, 0..400, 0.93, f64::NAN, &mut rng);
    assert_eq!(events, []);
}

#[test]
fn a_stream_less_sure_than_the_card_is_reported_and_a_surer_one_is_not() {
    let mut card = example();
    card.reference_confidence.counts = vec![0; CONFIDENCE_BINS];
    card.reference_confidence.counts[15..].copy_from_slice(&[100, 100, 200, 300, 500]);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut monitor = DriftMonitor::new(&card, DriftTuning::default());
    let events = stream(&mut monitor, 0..110, 0.6, 30.0, &mut rng);
    assert_eq!(
        quantities(&events, DriftPhase::Raised),
        [Quantity::ConfidenceOfCard]
    );
    let mut monitor = DriftMonitor::new(&card, DriftTuning::default());
    assert_eq!(stream(&mut monitor, 0..110, 0.99, 30.0, &mut rng), []);
}

#[test]
fn a_stream_of_more_entropy_than_the_card_is_reported_and_one_of_less_is_not() {
    let mut card = example();
    let predictions: Vec<[f32; STATES]> = (0..1000)
        .map(|i| 0.8 + 0.19 * i as f32 / 1000.0)
        .map(|sure| [sure, 1.0 - sure, 0.0, 0.0])
        .collect();
    card.reference_quantiles = ReferenceQuantiles::of(&predictions);
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut monitor = DriftMonitor::new(&card, DriftTuning::default());
    let events = stream(&mut monitor, 0..110, 0.6, 30.0, &mut rng);
    assert_eq!(
        quantities(&events, DriftPhase::Raised),
        [Quantity::EntropyOfCard]
    );
    let mean = predictions.iter().map(entropy_bits).sum::<f64>() / 1000.0;
    let said = events[0].reference.unwrap();
    assert!((said / mean - 1.0).abs() < 0.1, "{said} for {mean}");
    let mut monitor = DriftMonitor::new(&card, DriftTuning::default());
    assert_eq!(stream(&mut monitor, 0..110, 0.995, 30.0, &mut rng), []);
}
