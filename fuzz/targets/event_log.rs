//! Event logs of `parseye summarize`: whatever stands in them, sums are finite, lists are bounded, and
//! the report and the picture can be made.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parseye_events::{
    session,
    session::{statistics::MOST_LISTED, text, timeline::COLUMNS, timeline_plot},
};
use parseye_vision::temporal::TemporalSettings;
use std::path::Path;

fuzz_target!(|log: &[u8]| {
    let settings = TemporalSettings::default();
    let path = Path::new("log.jsonl");
    let session = match session::read_open(log, path, &settings) {
        Ok(session) => session,
        Err(error) => {
            assert!(error.to_string().starts_with("log.jsonl"));
            return;
        }
    };
    let (figures, timeline) = (&session.figures, &session.timeline);
    let log = &figures.logs[0];
    assert!(log.damaged < log.lines);
    let counted: u64 = figures.events.values().sum();
    assert_eq!(counted, log.lines - log.damaged);
    assert!(figures.frames_with_face <= figures.frames);
    for seconds in [figures.duration_s, figures.known_s, figures.break_s] {
        assert!(seconds.is_finite() && seconds >= 0.0, "{seconds}");
    }
    let shares = [&figures.states.left, &figures.states.right];
    let shares = shares
        .into_iter()
        .flat_map(|shares| shares.values().copied());
    for share in shares.chain(figures.perclos) {
        assert!((0.0..=1.000_01).contains(&share), "{share}");
    }
    assert!(timeline.columns().len() <= COLUMNS);
    assert!(figures.alerts.first.len() <= MOST_LISTED);
    assert!(figures.notices.first.len() <= MOST_LISTED);
    // JSON has no word for numbers that are not finite: they would become null.
    serde_json::to_string(figures).expect("figures are JSON");
    assert!(!text::text(figures).is_empty());
    let svg = timeline_plot::draw(figures, timeline, &settings).expect("the course can be drawn");
    assert!(!svg.contains("NaN"));
});
