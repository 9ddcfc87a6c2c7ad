//! Reminders to blink and to take a break: off, in time, again, and followed.

use super::{
    Scene,
    alerts::{blinking, expect, expect_with},
};
use crate::temporal::{
    AlertKind::{LowBlinkRate, ScreenTime},
    AlertPhase::{Cleared, Lost, Raised, Repeated},
    TemporalSettings,
};

#[test]
fn nobody_is_reminded_who_did_not_ask() {
    expect(&[(3600.0, Scene::Open)], &[]);
}

#[test]
fn a_starer_is_reminded_within_a_minute_and_no_more_once_they_blink() {
    let settings = TemporalSettings {
        remind_below_blinks: 6.0,
        ..TemporalSettings::default()
    };
    expect_with(&settings, &blinking(0.2, 4.0, 10.0), &[]);
    let mut script = vec![(400.0, Scene::Open)];
    script.extend(blinking(0.2, 4.0, 5.0));
    // Eight blinks within a minute, the last of which ends after 32 s: 6 with room for one more.
    expect_with(
        &settings,
        &script,
        &[
            (48.0, LowBlinkRate, Raised),
            (348.0, LowBlinkRate, Repeated),
            (432.0, LowBlinkRate, Cleared),
        ],
    );
}

#[test]
fn who_leaves_is_no_starer() {
    let settings = TemporalSettings {
        remind_below_blinks: 6.0,
        ..TemporalSettings::default()
    };
    expect_with(
        &settings,
        &[
            (40.0, Scene::Open),
            (300.0, Scene::NoFace),
            (40.0, Scene::Open),
        ],
        &[],
    );
    expect_with(
        &settings,
        &[(60.0, Scene::Open), (300.0, Scene::NoFace)],
        &[
            (48.0, LowBlinkRate, Raised),
            // Half of the last minute is known no more.
            (90.0, LowBlinkRate, Lost),
        ],
    );
}

#[test]
fn twenty_minutes_at_the_screen_ask_for_a_break_until_it_is_taken() {
    let settings = TemporalSettings {
        remind_screen_s: 1200.0,
        ..TemporalSettings::default()
    };
    // Looking away for a moment is no break, one of twenty seconds is.
    let script = [
        (600.0, Scene::Open),
        (10.0, Scene::Profile),
        (1000.0, Scene::Open),
        (30.0, Scene::NoFace),
        (1100.0, Scene::Open),
    ];
    expect_with(
        &settings,
        &script,
        &[
            (1200.0, ScreenTime, Raised),
            (1500.0, ScreenTime, Repeated),
            (1630.0, ScreenTime, Cleared),
        ],
    );
}
