//! Which of several people is watched, and when that changes.

use super::{ALWAYS, Actor, ChangeReason, DetectorSettings, Seen, Stage, Who, actor};

const SIZE: (u32, u32) = (640, 480);

/// A user at a desk, and a portrait on the wall behind.
const USER: Actor = actor(Who::Person, ALWAYS, [330.0, 260.0], 150.0);
const PORTRAIT: Actor = actor(Who::Picture, ALWAYS, [110.0, 120.0], 90.0);

fn stage() -> Stage {
    Stage::new(SIZE, &DetectorSettings::default())
}

fn stage_with(change: impl FnOnce(&mut DetectorSettings)) -> Stage {
    let mut settings = DetectorSettings::default();
    change(&mut settings);
    Stage::new(SIZE, &settings)
}

/// Times and reasons of the changes of person.
fn changes(seen: &[Seen]) -> Vec<(f64, ChangeReason)> {
    let change = |seen: &Seen| Some((seen.time, seen.change?.reason));
    seen.iter().filter_map(change).collect()
}

/// Seconds in which an actor is watched.
fn seconds_of(seen: &[Seen], actor: &Actor) -> f64 {
    seen.iter().filter(|seen| seen.is(actor)).count() as f64 / super::FPS
}

/// Time from which on an actor is watched to the end.
fn watched_since(seen: &[Seen], actor: &Actor) -> f64 {
    let before = seen.iter().rev().take_while(|seen| seen.is(actor));
    before.last().map_or(f64::INFINITY, |seen| seen.time)
}

fn until(actor: &Actor, time: f64) -> Actor {
    Actor {
        there: (0.0, time),
        ..*actor
    }
}

fn from(actor: &Actor, time: f64) -> Actor {
    Actor {
        there: (time, 1e9),
        ..*actor
    }
}

#[test]
fn a_user_who_leaves_for_half_a_second_is_watched_again_though_a_portrait_hangs_there() {
    for leaves in [1.0, 3.0, 8.0] {
        for portrait in [
            PORTRAIT,
            Actor {
                side: 140.0,
                ..PORTRAIT
            },
        ] {
            let scene = [until(&USER, leaves), from(&USER, leaves + 0.5), portrait];
            let seen = stage().play(&scene, leaves + 4.0);
            assert_eq!(changes(&seen), [], "{leaves}");
            assert_eq!(seconds_of(&seen, &portrait), 0.0, "{leaves}");
            let back = watched_since(&seen, &USER);
            assert!(back <= leaves + 0.5 + 0.1, "{back} after {leaves}");
        }
    }
}

#[test]
fn while_the_user_is_away_the_portrait_is_nobody() {
    let scene = [until(&USER, 8.0), from(&USER, 20.0), PORTRAIT];
    let seen = stage().play(&scene, 24.0);
    assert_eq!(seconds_of(&seen, &PORTRAIT), 0.0);
    assert!(watched_since(&seen, &USER) <= 20.25);
    assert_eq!(changes(&seen), []);
}

#[test]
fn who_sits_down_before_a_portrait_is_watched_instead_of_it() {
    for (side, portrait) in [(150.0, 90.0), (100.0, 150.0)] {
        let portrait = Actor {
            side: portrait,
            ..PORTRAIT
        };
        let user = from(&Actor { side, ..USER }, 8.0);
        let seen = stage().play(&[portrait, user], 14.0);
        assert!(
            seconds_of(&seen, &portrait) > 7.0,
            "it is all that there is"
        );
        let since = watched_since(&seen, &user);
        assert!((8.2..9.5).contains(&since), "{since}");
        assert_eq!(changes(&seen), [(since, ChangeReason::Alive)]);
    }
}

#[test]
fn a_larger_portrait_that_was_there_first_does_not_stay_watched() {
    let portrait = Actor {
        side: 200.0,
        ..PORTRAIT
    };
    let seen = stage().play(&[portrait, USER], 15.0);
    let since = watched_since(&seen, &USER);
    assert!(since < 8.0, "{since}");
    assert_eq!(changes(&seen).len(), 1);
}

#[test]
fn a_nearer_person_is_watched_soon_though_they_sleep() {
    let small = actor(Who::Person, ALWAYS, [150.0, 200.0], 70.0);
    let near = actor(Who::Sleeper, (3.0, 1e9), [450.0, 250.0], 175.0);
    let seen = stage().play(&[small, near], 10.0);
    let since = watched_since(&seen, &near);
    assert!((3.6..4.9).contains(&since), "{since}");
    assert_eq!(changes(&seen), [(since, ChangeReason::Preferred)]);
}

#[test]
fn of_all_who_are_there_at_the_beginning_the_largest_is_watched_at_once() {
    let small = actor(Who::Person, ALWAYS, [150.0, 200.0], 70.0);
    let near = actor(Who::Sleeper, ALWAYS, [450.0, 250.0], 175.0);
    let seen = stage().play(&[small, near], 1.0);
    assert!(seen[0].is(&near));
    assert_eq!(changes(&seen), []);
}

#[test]
fn two_people_who_lean_forward_in_turns_do_not_take_turns() {
    let mut stage = stage();
    let mut changes = 0;
    for frame in 0..40 * 30 {
        let sway = 1.0 + 0.12 * (frame as f32 / 40.0).sin();
        let left = actor(Who::Person, ALWAYS, [180.0, 240.0], 120.0 * sway);
        let right = actor(Who::Person, ALWAYS, [460.0, 240.0], 120.0 / sway);
        changes += u32::from(stage.frame(&[left, right], false).change.is_some());
    }
    assert_eq!(changes, 0);
}

#[test]
fn who_passes_in_front_for_half_a_second_is_not_watched() {
    let passes = actor(Who::Person, (5.0, 5.5), [120.0, 200.0], 260.0);
    let seen = stage().play(&[USER, passes], 8.0);
    assert_eq!(changes(&seen), []);
    assert_eq!(seconds_of(&seen, &passes), 0.0);
}

#[test]
fn the_passenger_is_watched_once_the_driver_has_been_gone_for_a_second() {
    let passenger = actor(Who::Person, ALWAYS, [560.0, 220.0], 100.0);
    let seen = stage().play(&[until(&USER, 12.0), passenger], 15.0);
    let since = watched_since(&seen, &passenger);
    assert!((13.0..13.3).contains(&since), "{since}");
    assert_eq!(changes(&seen), [(since, ChangeReason::Left)]);
}

#[test]
fn a_sleeper_who_raised_an_alarm_is_not_left_for_a_passer_by() {
    let sleeper = actor(Who::Sleeper, ALWAYS, [330.0, 260.0], 150.0);
    let passer = actor(Who::Person, (10.0, 20.0), [110.0, 160.0], 120.0);
    let mut stage = stage();
    stage.play(&[sleeper, passer], 1.5);
    stage.tracker.confirm_life();
    let seen = stage.play(&[sleeper, passer], 18.0);
    assert_eq!(changes(&seen), []);
}

#[test]
fn the_seat_that_is_asked_for_is_watched() {
    let seats = [120.0_f32, 330.0, 540.0].map(|x| actor(Who::Person, ALWAYS, [x, 240.0], 90.0));
    for (watch, seat) in [("left", 0), ("centre", 1), ("right", 2)] {
        let mut stage = stage_with(|settings| settings.watch = watch.parse().unwrap());
        let seen = stage.play(&seats, 3.0);
        assert_eq!(seconds_of(&seen, &seats[seat]), 3.0, "{watch}");
    }
}

#[test]
fn the_seat_that_is_asked_for_is_taken_up_when_somebody_sits_down_there() {
    let middle = actor(Who::Person, ALWAYS, [330.0, 240.0], 90.0);
    let left = actor(Who::Person, (4.0, 1e9), [100.0, 240.0], 90.0);
    let seen =
        stage_with(|settings| settings.watch = "left".parse().unwrap()).play(&[middle, left], 8.0);
    let since = watched_since(&seen, &left);
    assert!((4.6..5.6).contains(&since), "{since}");
    assert_eq!(changes(&seen), [(since, ChangeReason::Preferred)]);
}

#[test]
fn outside_of_the_region_nobody_is_watched() {
    let large = actor(Who::Person, ALWAYS, [120.0, 240.0], 200.0);
    let small = actor(Who::Person, (2.0, 4.0), [520.0, 240.0], 80.0);
    let seen =
        stage_with(|settings| settings.roi = "0.5,0,0.5,1".parse().ok()).play(&[large, small], 6.0);
    assert_eq!(seconds_of(&seen, &large), 0.0);
    assert!(seconds_of(&seen, &small) > 1.75);
}

#[test]
fn who_walks_out_of_the_region_is_not_watched_any_more() {
    let mut stage = stage_with(|settings| settings.roi = "0,0,0.5,1".parse().ok());
    for frame in 0..90 {
        let x = 200.0 + 3.0 * frame as f32;
        let walker = actor(Who::Person, ALWAYS, [x, 240.0], 100.0);
        let seen = stage.frame(&[walker], false);
        // A few pixels of a moving face's place are estimated.
        if (x - 320.0).abs() > 5.0 {
            assert_eq!(seen.face.is_some(), x < 320.0, "{x}");
        }
    }
}
