//! What the program prints, word for word: help, the manual page, the summary at the end of a run. A change of
//! it is accepted by `INSTA_UPDATE=always cargo test -p parseye --test runtime printed::` and shows in the diff.

use crate::support::{
    parseye, succeeds,
    synthetic_face::{Blink, write_clip},
};
use insta::assert_snapshot;
use parseye_test_needs::needs;
use parseye_testkit::help;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn every_command_helps() {
    let folder = tempfile::tempdir().unwrap();
    for words in help::commands(&parseye::cli::command()) {
        let output = succeeds(parseye(folder.path()).args(&words).arg("--help"));
        let name = format!("help-{}", words.join("-"));
        assert_snapshot!(
            name.trim_end_matches('-'),
            help::printed(&output.stdout, VERSION)
        );
    }
}

#[test]
fn the_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let output = succeeds(parseye(folder.path()).arg("man"));
    assert_snapshot!("man", help::printed(&output.stdout, VERSION));
}

/// The summary without what was measured by a clock, which stands last on each line.
fn untimed(summary: &[u8]) -> String {
    let text = String::from_utf8_lossy(summary);
    text.lines()
        .map(|line| {
            let (kept, timed) = line.rsplit_once("; ").unwrap();
            assert!(timed.contains("frames/s") && timed.contains("ms a frame"));
            format!("{kept}; TIMES\n")
        })
        .collect()
}

#[needs(face_detector)]
#[test]
fn the_end_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let blink = Blink {
        first: 20,
        last: 25,
    };
    write_clip(&folder.path().join("a.mp4"), 60, &[blink]);
    write_clip(&folder.path().join("b.mp4"), 40, &[]);
    std::fs::write(
        folder.path().join("truth.csv"),
        "clip,start_frame,end_frame,kind\na,20,25,blink\nb,5,8,blink\n",
    )
    .unwrap();
    let run = |words: &str| succeeds(parseye(folder.path()).args(words.split(' '))).stdout;
    let one = run("replay a.mp4 --log a.jsonl");
    assert_snapshot!("summary", untimed(&one));
    let scored = run("replay a.mp4 b.mp4 --truth truth.csv");
    assert_snapshot!("summary-scored", untimed(&scored));
    let session = run("summarize a.jsonl");
    assert_snapshot!("session", String::from_utf8_lossy(&session));
}
