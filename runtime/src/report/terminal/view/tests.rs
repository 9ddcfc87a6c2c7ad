//! The screens, character by character.

use super::*;
use crate::report::script;
use ratatui::{Terminal, backend::TestBackend};

fn screen(status: Option<&LiveStatus>, look: Look, (width, height): (u16, u16)) -> Vec<String> {
    let mut history = History::new(240.0, 1.0);
    for second in 0..40_u64 {
        let closed = if second % 4 == 0 { 0.35 } else { 0.02 };
        history.take(&script::eyes(second, second as f64, closed));
    }
    history.take(&script::long_closure(20.0, 1.25));
    let view = View {
        status,
        history: &history,
        look,
        web: Some("http://127.0.0.1:8080/"),
    };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    (0..height)
        .map(|y| {
            let row: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            row.trim_end().to_owned()
        })
        .collect()
}

const PLAIN: Look = Look {
    colour: false,
    unicode: false,
};
const FULL: Look = Look {
    colour: true,
    unicode: true,
};

#[track_caller]
fn shows(screen: &[String], expected: &str) {
    let expected: Vec<&str> = expected.trim_matches('\n').lines().collect();
    assert!(
        screen.iter().map(String::as_str).eq(expected.iter().copied()),
        "shown:\n{}\nexpected:\n{}",
        screen.join("\n"),
        expected.join("\n")
    );
}

#[test]
fn too_small_a_screen_shows_what_matters() {
    let screen = screen(Some(&script::alarmed()), PLAIN, (40, 6));
    let text = screen.join("\n");
    for word in ["ALARM: eyes closed for 2.2 s", "Left eye (-) CLOSED", "Right eye", "PERCLOS", "Blinks"] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    for size in [(1, 1), (3, 2), (59, 15), (200, 4), (20, 60)] {
        super::tests::screen(Some(&script::alarmed()), FULL, size);
        super::tests::screen(None, FULL, size);
    }
}

#[test]
fn nothing_is_made_up_before_the_first_frame_or_while_the_camera_is_down() {
    let text = screen(None, PLAIN, (80, 24)).join("\n");
    assert!(text.contains("Waiting for the first frame"), "{text}");
    let mut status = script::status();
    status.source.down = Some("unplugged; plug it in again".into());
    (status.left, status.right) = (None, Some(script::unseen(Unseen::Profile)));
    (status.perclos, status.blinks_per_minute, status.frame_age_ms) = (None, None, None);
    let text = screen(Some(&status), PLAIN, (80, 24)).join("\n");
    for word in [
        "!! NO PICTURE: unplugged; plug it in again",
        "(?) NO READING",
        "(?) NOT VISIBLE  head turned",
        "not known yet",
        "rate not known yet",
        "NO PICTURE",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
}

#[test]
fn colours_only_repeat_what_words_say() {
    let with = screen(Some(&script::alarmed()), FULL, (80, 24));
    let without = screen(
        Some(&script::alarmed()),
        Look {
            colour: false,
            ..FULL
        },
        (80, 24),
    );
    assert_eq!(with, without);
}
