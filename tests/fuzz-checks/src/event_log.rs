//! Event logs of `parseye summarize`: whatever stands in them, statistics are finite, lists are bounded, and
//! the report and the plot can be made.

use parseye_events::session::{self, MOST_COLUMNS, MOST_LISTED};
use parseye_vision::temporal::TemporalSettings;
use std::path::Path;

/// Panics where the reader breaks that promise.
pub fn check(log: &[u8]) {
    let settings = TemporalSettings::default();
    let path = Path::new("log.jsonl");
    let session = match session::read_open(log, path, &settings) {
        Ok(session) => session,
        Err(error) => {
            assert!(error.to_string().starts_with("log.jsonl"));
            return;
        }
    };
    let statistics = &session.statistics;
    let log = &statistics.logs[0];
    assert!(log.damaged < log.lines);
    let counted: u64 = statistics.events.values().sum();
    assert_eq!(counted, log.lines - log.damaged);
    assert!(statistics.frames_with_face <= statistics.frames);
    for seconds in [
        statistics.duration_s,
        statistics.known_s,
        statistics.break_s,
    ] {
        assert!(seconds.is_finite() && seconds >= 0.0, "{seconds}");
    }
    let shares = [&statistics.states.left, &statistics.states.right];
    let shares = shares
        .into_iter()
        .flat_map(|shares| shares.values().copied());
    for share in shares.chain(statistics.perclos) {
        assert!((0.0..=1.000_01).contains(&share), "{share}");
    }
    assert!(session.timeline.columns().len() <= MOST_COLUMNS);
    assert!(statistics.alerts.first.len() <= MOST_LISTED);
    assert!(statistics.notices.first.len() <= MOST_LISTED);
    // JSON has no word for numbers that are not finite: they would become null.
    serde_json::to_string(statistics).expect("statistics are JSON");
    assert!(!statistics.text().is_empty());
    let svg = session.plot(&settings).expect("the session can be drawn");
    assert!(!svg.contains("NaN"));
}
