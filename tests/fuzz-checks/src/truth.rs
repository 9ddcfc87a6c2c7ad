//! Confirmed blinks of recordings. Blinks of a clip never overlap, and are read the same again.

use parseye_vision::evaluate::truth::{Truth, TruthKind};
use std::{fmt::Write, path::Path};

/// Panics where the reader breaks that promise.
pub fn check(text: &[u8]) {
    let path = Path::new("blinks.csv");
    let truth = match Truth::parse(text, path) {
        Ok(truth) => truth,
        Err(error) => {
            assert!(error.to_string().starts_with("blinks.csv"));
            return;
        }
    };
    let mut written = String::from("clip,start_frame,end_frame,kind\n");
    for (name, clip) in &truth.clips {
        let mut blinks = clip.of(TruthKind::Blink).to_vec();
        blinks.sort_by_key(|blink| blink.first);
        assert!(blinks.windows(2).all(|pair| pair[0].last < pair[1].first));
        let name = name.replace('"', "\"\"");
        for (kind, range) in clip.all() {
            assert!(range.first <= range.last);
            let (first, last, kind) = (range.first, range.last, <&str>::from(kind));
            writeln!(written, "\"{name}\",{first},{last},{kind}").expect("memory takes it");
        }
    }
    let again = Truth::parse(written.as_bytes(), path).expect("what was written can be read");
    assert_eq!(again.clips, truth.clips);
    assert!(truth.clips.keys().all(|name| truth.missing(name).is_none()));
}
