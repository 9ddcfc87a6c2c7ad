//! Confirmed blinks of recordings. Blinks of a clip never overlap, and are read the same again.

use parseye_vision::evaluate::truth::Truth;
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
        let mut blinks = clip.blinks.clone();
        blinks.sort_by_key(|blink| blink.first);
        assert!(blinks.windows(2).all(|pair| pair[0].last < pair[1].first));
        let name = name.replace('"', "\"\"");
        let kinds = [(&clip.blinks, "blink"), (&clip.neutral, "uncertain")];
        for (ranges, kind) in kinds {
            for range in ranges {
                assert!(range.first <= range.last);
                let (first, last) = (range.first, range.last);
                writeln!(written, "\"{name}\",{first},{last},{kind}").expect("memory takes it");
            }
        }
    }
    let again = Truth::parse(written.as_bytes(), path).expect("what was written can be read");
    assert_eq!(again.clips, truth.clips);
    let names: Vec<String> = truth.clips.keys().take(3).cloned().collect();
    assert_eq!(truth.expect_any(&names, path).is_ok(), !names.is_empty());
}
