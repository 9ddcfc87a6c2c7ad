//! The screens, character by character.

use super::*;
use parseye_testkit::script;
use ratatui::{Terminal, backend::TestBackend};
use std::{fs, path::Path};

fn screen_of(status: Option<&LiveStatus>, theme: Theme, size: (u16, u16)) -> Vec<String> {
    screen_with(None, status, theme, size)
}

fn screen_with(
    message: Option<&Message>,
    status: Option<&LiveStatus>,
    theme: Theme,
    (width, height): (u16, u16),
) -> Vec<String> {
    let mut history = History::new(240.0, 1.0);
    for second in 0..40_u64 {
        let closed = if second % 4 == 0 { 0.35 } else { 0.02 };
        history.take(&script::eyes(second, second as f64, closed));
    }
    history.take(&script::long_closure(20.0, 1.25));
    let view = View {
        status,
        history: &history,
        theme,
        web: Some("http://127.0.0.1:8080/"),
        message,
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

const PLAIN: Theme = Theme {
    colour: false,
    unicode: false,
};
const FULL: Theme = Theme {
    colour: true,
    unicode: true,
};

/// Compares with a file beside this one, which a person approved.
#[track_caller]
fn matches_approved(screen: &[String], file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/dashboard/terminal/view")
        .join(file);
    let approved = fs::read_to_string(&path).unwrap_or_default();
    let shown = screen.join("\n") + "\n";
    assert!(
        approved == shown,
        "{file} differs from what is shown:\n{shown}"
    );
}

#[test]
fn a_usual_terminal_shows_everything_in_frames() {
    matches_approved(
        &screen_of(Some(&script::alarmed()), FULL, (80, 24)),
        "alarm-80x24.txt",
    );
}

#[test]
fn a_small_terminal_without_block_characters_shows_everything_without_frames() {
    matches_approved(
        &screen_of(Some(&script::status()), PLAIN, (60, 16)),
        "usual-60x16.txt",
    );
}

#[test]
fn too_small_a_screen_shows_what_matters() {
    let screen = screen_of(Some(&script::alarmed()), PLAIN, (40, 6));
    let text = screen.join("\n");
    for word in [
        "ALARM: eyes closed for 2.2 s",
        "Left (-) CLOSED  0.96",
        "Right (-)",
        "PERCLOS",
        "Blinks",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    for size in [(1, 1), (3, 2), (59, 15), (200, 4), (20, 60)] {
        let _ = screen_of(Some(&script::alarmed()), FULL, size);
        let _ = screen_of(None, FULL, size);
    }
}

#[test]
fn nothing_is_made_up_before_the_first_frame_or_while_the_camera_is_down() {
    let text = screen_of(None, PLAIN, (80, 24)).join("\n");
    assert!(text.contains("Waiting for the first frame"), "{text}");
    let mut status = script::status();
    status.source.down = Some("unplugged; plug it in again".into());
    (status.left, status.right) = (None, Some(script::unseen(Unseen::Profile)));
    (
        status.perclos,
        status.blinks_per_minute,
        status.frame_age_ms,
    ) = (None, None, None);
    let text = screen_of(Some(&status), PLAIN, (80, 24)).join("\n");
    for word in [
        "!! NO FRAMES: unplugged; plug it in again",
        "(?) NO READING",
        "(?) NOT VISIBLE  head turned",
        "not known yet",
        "rate not known;",
        "NO FRAMES",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
}

#[test]
fn a_message_stands_below_all_else_or_takes_the_last_row() {
    let message = Message {
        time: Duration::from_secs(3605),
        text: "the alarm's command failed with exit status: 3; run it by hand to see why".into(),
    };
    let status = script::alarmed();
    let of = |size| screen_with(Some(&message), Some(&status), FULL, size);
    let usual = screen_of(Some(&status), FULL, (80, 24));

    let screen = of((80, 24));
    assert_eq!(screen[..23], usual[..23]);
    assert_eq!(
        screen[23],
        " 1:00:05 the alarm's command failed with exit status: 3; run it by...  (q quits)"
    );
    let screen = of((120, 30));
    assert!(screen[23].contains("web page"), "{screen:?}");
    assert!(screen[24].contains("by hand to see why"), "{screen:?}");
    for size in [(60, 16), (40, 7), (40, 3)] {
        let screen = of(size);
        assert!(
            screen.join("\n").contains(" 1:00:05 the alarm's"),
            "{screen:?}"
        );
        assert!(screen[1].contains("ALARM"), "{screen:?}");
    }
    let screen = screen_with(Some(&message), None, PLAIN, (80, 24));
    assert!(screen[3].contains("exit status: 3"), "{screen:?}");
    for size in [(1, 1), (3, 2), (12, 30)] {
        let _ = of(size);
    }
}

#[test]
fn colours_only_repeat_what_words_say() {
    let with = screen_of(Some(&script::alarmed()), FULL, (80, 24));
    let without = screen_of(
        Some(&script::alarmed()),
        Theme {
            colour: false,
            ..FULL
        },
        (80, 24),
    );
    assert_eq!(with, without);
}
