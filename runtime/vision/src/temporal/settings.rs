//! Settings of blinks, closures, PERCLOS and alerts: one documented place for every threshold of this
//! module. How a configuration file is read is left to the program.

use crate::settings::{SettingError, check_range, check_seconds};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

/// Thresholds for what the eyes do over time. Seconds are those of the recording or the camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemporalSettings {
    /// An eye counts as closed when P(closed) rises above this, 0 to 1.
    ///
    /// 0.5: more likely closed than everything else together. Blinks of one frame count, so no
    /// second frame is asked for.
    pub closed_above: f64,
    /// A closed eye counts as closed until P(closed) falls to this or below; at most
    /// `closed_above`.
    ///
    /// 0.5: a lower value finds no more blinks on the clips with confirmed ones, and what it keeps
    /// whole, `longest_reopening_s` does too (benches/temporal_filters.sh).
    pub open_at_or_below: f64,
    /// Lids are shut when they are apart by less than this share of what is usual, 0 to 1, by the model's output for the
    /// lids; without one P(closed) decides.
    ///
    /// 0.2: PERCLOS' 80 % (FHWA technical brief MCRT-98-006, 1998).
    pub shut_below: f64,
    /// Lids that come nearer than this share, at least `shut_below`, and part again within a blink's time (`warn_after_s`)
    /// have blinked as well, even if no frame shows them shut.
    ///
    /// 0.3: a frame shows a blink up to half a frame from where its lids are nearest, and blurred. With three models it
    /// finds 3 to 5 of the 149 confirmed blinks of the clips more than 0.2, with none false; 0.4 has false ones.
    pub blink_below: f64,
    /// An eye is open when its openness, P(open) and half of P(`partially_open`), is above this, 0
    /// to 1. Between that and closed the lids are low: a partial blink, if not for long.
    ///
    /// 0.75: P(open) is then above 0.5 for an eye that is surely not closed. On the clips it finds
    /// 5 of the 10 partial blinks that are not taken for whole ones, with 2 false; 0.8 finds 6, with
    /// 9 false.
    pub open_above: f64,
    /// While the openness of one eye is above this, 0 to 1, both are as open as that one, whatever
    /// the other shows: a wink and a trace of doubt about the open eye are not both eyes closed.
    ///
    /// 0.85: on the clips, plain and degraded, that costs no blink; 0.75 adds two false ones.
    pub surely_open_above: f64,
    /// Lids that part without opening for at most this many seconds have not ended their closure.
    ///
    /// 0.1: lids that open at all take longer to do so and close again. On the clips it leaves 6 of
    /// the 25 pieces that a fluttering closure falls into and costs no blink; blinks of one frame
    /// stay, which a low-pass filter would weaken.
    pub longest_reopening_s: f64,
    /// An eye is unknown while P(`not_visible`) is above this, 0 to 1.
    pub not_visible_above: f64,
    /// A closure of at least this many seconds is a long closure, a shorter one a blink.
    ///
    /// 1.0: blinks confirmed by eye last up to 14 frames, 0.56 s at 25 frames a second, so the
    /// 0.5 s after which a warning is due cannot be the border; 1 s leaves them room and stays
    /// well below the 1.5 s of an alarm.
    pub long_closure_s: f64,
    /// One eye closed beyond doubt for at least this many seconds while the other stays open is a wink.
    ///
    /// 0.1: in blinks of both eyes, one reads closed and the other open for single frames, on the
    /// clips twice; a deliberate wink lasts as long as a blink, 0.1 to 0.4 s.
    pub shortest_wink_s: f64,
    /// An eye is closed beyond doubt while P(closed) is above this, 0 to 1, whatever the personal baseline is.
    ///
    /// 0.7: the far eye of a turned head read 0.4 to 0.6 where it was open.
    pub wink_closed_above: f64,
    /// Nor is an eye closed beyond doubt while the distance between the eyes is less than this share of the face's
    /// side, 0 to 1: the head is turned, and the far eye hard to tell.
    ///
    /// 0.34: heads that face the camera measure 0.35 to 0.5; below 0.3 no eye is classified at all.
    pub wink_frontal: f32,
    /// Readings further apart than this many seconds are not joined: what the eyes did in between
    /// is unknown. Unless they always come so rarely, see `sparse_gap_s`.
    ///
    /// 0.5: a usual blink (0.1 to 0.4 s) fits into a longer gap unseen.
    pub longest_gap_s: f64,
    /// Readings that usually come up to this many seconds apart still show closures that last, though no
    /// blinks, and are joined.
    ///
    /// 1.5: three readings that show closed eyes then span 3 s, the longest microsleeps.
    pub sparse_gap_s: f64,
    /// Eyes that are lost from sight while they are closed count as closed for up to this many seconds: no
    /// face, a turned head, hidden eyes. 0 ends their closure at once.
    ///
    /// 1.0: a nod, a hand over the face and a detector that loses a tilted head for some frames are
    /// shorter, and an alarm that is due in that time is better given.
    pub longest_unseen_s: f64,
    /// Lids that shut while the eye may only look down, with the head lowered or the gaze a moment ago
    /// (`maybe_down_s`), count as closed after this many seconds only; until then what was sure before holds. Alerts
    /// come later by it, blinks do not. 0 for never in doubt. Needs a model with an output for the lids.
    ///
    /// 1.0: a glance at a table lasts about so long, and a sleeper whose head drops is alarmed no more than this
    /// later.
    pub longest_uncertain_s: f64,
    /// An eye may look down while the probability of it is above this, 0 to 1.
    ///
    /// 0.3: less than the 0.5 of an eye that does, since lids that hide the iris hide the gaze.
    pub maybe_down_above: f64,
    /// An eye that may have looked down this many seconds ago may still.
    pub maybe_down_s: f64,
    /// Both eyes closed for this many seconds are worth a warning. 0.5: the longest usual blink
    /// (Stern et al. 1984 count longer ones as closures).
    pub warn_after_s: f64,
    /// Both eyes closed for this many seconds are an alarm; at least `warn_after_s`. 1.5: the upper
    /// end of what the microsleep literature starts from (1 to 3 s).
    pub alarm_after_s: f64,
    /// Seconds after which an alert that goes on is reported again.
    pub repeat_after_s: f64,
    /// Blinks a minute below which a reminder to blink is due, over the last
    /// [`Self::perclos_window_s`]; 0, the default, for none.
    ///
    /// People blink about 22 times a minute when relaxed and 7 times at a screen (Tsubota and Nakamori 1993), so
    /// 6 reminds those who nearly stop.
    pub remind_below_blinks: f64,
    /// Seconds in front of the camera after which a reminder to take a break is due; 0, the default, for
    /// none. 1200, twenty minutes, is the usual advice.
    pub remind_screen_s: f64,
    /// A break is this many seconds without a face, or with the head turned away. 20 is the usual advice.
    pub screen_break_s: f64,
    /// Seconds after which a reminder that goes on is given again.
    pub remind_again_s: f64,
    /// PERCLOS of the last minute above this is drowsiness, 0 to 1. 0.15: the usual border between
    /// awake and questionable (Wierwille et al. 1994).
    pub drowsy_above: f64,
    /// Drowsiness ends when PERCLOS falls to this or below; at most `drowsy_above`.
    pub drowsy_until: f64,
    /// Seconds of the last minute that must be known before drowsiness is decided on: half of it.
    pub drowsy_known_s: f64,
    /// Length in seconds of the sliding PERCLOS window; a minute by definition (FHWA technical
    /// brief MCRT-98-006, 1998). The blink rate counts over the same window.
    pub perclos_window_s: f64,
    /// Seconds of the window that must be known before a blink rate is given. 10: people blink
    /// about 10 to 20 times a minute, so less time holds a blink or two.
    pub rate_known_s: f64,
    /// Seconds of open or partially open eyes that make a personal baseline of openness.
    pub baseline_window_s: f64,
    /// Share of that time in which the eye is less open than the baseline, 0 to 1.
    ///
    /// 0.8: reached by anybody who is awake for a fifth of a minute, and above the dips of blinks;
    /// the same quantile normalises the eye-aspect ratio in common blink detectors.
    pub baseline_quantile: f64,
    /// The baseline counts as at least this, above 0 to 1; 1 turns it off.
    ///
    /// 0.6: the network calls a narrow eye partially open, an openness of 0.5 to 0.7. With 0.6, an
    /// eye counts as closed when P(closed) is above 0.7, which surely closed eyes exceed by far: so
    /// not even a baseline learnt from a sleeper hides sleep.
    pub baseline_least: f64,
    /// After this many seconds without an eye, it may be another person's: the baseline starts anew.
    pub baseline_forget_s: f64,
}

impl Default for TemporalSettings {
    fn default() -> Self {
        Self {
            closed_above: 0.5,
            open_at_or_below: 0.5,
            shut_below: 0.2,
            blink_below: 0.3,
            open_above: 0.75,
            surely_open_above: 0.85,
            longest_reopening_s: 0.1,
            not_visible_above: 0.5,
            long_closure_s: 1.0,
            shortest_wink_s: 0.1,
            wink_closed_above: 0.7,
            wink_frontal: 0.34,
            longest_gap_s: 0.5,
            sparse_gap_s: 1.5,
            longest_unseen_s: 1.0,
            longest_uncertain_s: 1.0,
            maybe_down_above: 0.3,
            maybe_down_s: 0.5,
            warn_after_s: 0.5,
            alarm_after_s: 1.5,
            repeat_after_s: 5.0,
            remind_below_blinks: 0.0,
            remind_screen_s: 0.0,
            screen_break_s: 20.0,
            remind_again_s: 300.0,
            drowsy_above: 0.15,
            drowsy_until: 0.1,
            drowsy_known_s: 30.0,
            perclos_window_s: 60.0,
            rate_known_s: 10.0,
            baseline_window_s: 60.0,
            baseline_quantile: 0.8,
            baseline_least: 0.6,
            baseline_forget_s: 30.0,
        }
    }
}

/// Longest time setting accepted, in seconds: a day. Beyond it a value is a mistake.
const LONGEST_S: f64 = 86_400.0;

/// Greatest blink rate that a reminder can ask for, in blinks a minute: nobody blinks more often for long.
const MOST_BLINKS: f64 = 60.0;

impl TemporalSettings {
    /// Checks that every value means something.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub fn check(&self) -> Result<(), SettingError> {
        self.check_probabilities()?;
        self.check_times()
    }

    fn check_probabilities(&self) -> Result<(), SettingError> {
        for (key, value) in [
            ("closed_above", self.closed_above),
            ("wink_closed_above", self.wink_closed_above),
            ("wink_frontal", self.wink_frontal.into()),
            ("open_at_or_below", self.open_at_or_below),
            ("blink_below", self.blink_below),
            ("shut_below", self.shut_below),
            ("open_above", self.open_above),
            ("surely_open_above", self.surely_open_above),
            ("not_visible_above", self.not_visible_above),
            ("drowsy_above", self.drowsy_above),
            ("drowsy_until", self.drowsy_until),
            ("baseline_quantile", self.baseline_quantile),
            ("maybe_down_above", self.maybe_down_above),
        ] {
            check_range(key, value, 0.0..=1.0, "a probability from 0 to 1")?;
        }
        check_range(
            "baseline_least",
            self.baseline_least,
            (Bound::Excluded(0.0), Bound::Included(1.0)),
            "an openness above 0, at most 1",
        )?;
        at_most(
            ("open_at_or_below", self.open_at_or_below),
            ("closed_above", self.closed_above),
        )?;
        at_most(
            ("shut_below", self.shut_below),
            ("blink_below", self.blink_below),
        )?;
        at_most(
            ("drowsy_until", self.drowsy_until),
            ("drowsy_above", self.drowsy_above),
        )
    }

    fn check_times(&self) -> Result<(), SettingError> {
        for (key, value) in [
            ("longest_reopening_s", self.longest_reopening_s),
            ("longest_unseen_s", self.longest_unseen_s),
            ("longest_uncertain_s", self.longest_uncertain_s),
            ("maybe_down_s", self.maybe_down_s),
            ("remind_screen_s", self.remind_screen_s),
        ] {
            check_seconds(key, value, 0.0..=LONGEST_S)?;
        }
        check_range(
            "remind_below_blinks",
            self.remind_below_blinks,
            0.0..=MOST_BLINKS,
            format!("blinks a minute, at most {MOST_BLINKS}, or 0 for no reminder"),
        )?;
        at_most(
            ("warn_after_s", self.warn_after_s),
            ("alarm_after_s", self.alarm_after_s),
        )?;
        for (key, value) in [
            ("warn_after_s", self.warn_after_s),
            ("alarm_after_s", self.alarm_after_s),
            ("repeat_after_s", self.repeat_after_s),
            ("drowsy_known_s", self.drowsy_known_s),
            ("long_closure_s", self.long_closure_s),
            ("longest_gap_s", self.longest_gap_s),
            ("sparse_gap_s", self.sparse_gap_s),
            ("screen_break_s", self.screen_break_s),
            ("remind_again_s", self.remind_again_s),
            ("perclos_window_s", self.perclos_window_s),
            ("shortest_wink_s", self.shortest_wink_s),
            ("rate_known_s", self.rate_known_s),
            ("baseline_window_s", self.baseline_window_s),
            ("baseline_forget_s", self.baseline_forget_s),
        ] {
            let accepted = (Bound::Excluded(0.0), Bound::Included(LONGEST_S));
            check_seconds(key, value, accepted)?;
        }
        Ok(())
    }
}

/// Checks that one setting does not exceed another; NaN is left to the checks of their ranges.
fn at_most((key, value): (&str, f64), (limit, most): (&str, f64)) -> Result<(), SettingError> {
    if value > most {
        let expected = format!("at most {limit}, which is {most}");
        return Err(SettingError::new(key, value, expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senseless_value_is_named() {
        assert_eq!(TemporalSettings::default().check(), Ok(()));
        let of = |change: fn(&mut TemporalSettings)| {
            let mut settings = TemporalSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(of(|s| s.closed_above = 1.5).contains("closed_above is 1.5"));
        assert!(of(|s| s.open_at_or_below = 0.6).contains("at most closed_above"));
        assert!(of(|s| s.shut_below = 0.4).contains("at most blink_below"));
        assert!(of(|s| s.drowsy_until = 0.5).contains("at most drowsy_above"));
        assert!(of(|s| s.warn_after_s = 2.0).contains("at most alarm_after_s"));
        assert!(of(|s| s.repeat_after_s = 0.0).contains("repeat_after_s is 0"));
        assert!(of(|s| s.long_closure_s = 0.0).contains("long_closure_s is 0"));
        assert!(of(|s| s.longest_gap_s = f64::NAN).contains("longest_gap_s"));
        assert!(of(|s| s.open_above = -0.1).contains("open_above is -0.1"));
        assert!(of(|s| s.longest_reopening_s = -1.0).contains("longest_reopening_s is -1"));
        assert!(of(|s| s.shortest_wink_s = 0.0).contains("shortest_wink_s is 0"));
        assert!(of(|s| s.baseline_least = 0.0).contains("baseline_least is 0"));
        assert!(of(|s| s.baseline_quantile = 80.0).contains("baseline_quantile is 80"));
        assert!(of(|s| s.longest_unseen_s = -1.0).contains("longest_unseen_s is -1"));
        assert!(of(|s| s.remind_below_blinks = 600.0).contains("remind_below_blinks is 600"));
        assert!(of(|s| s.screen_break_s = 0.0).contains("screen_break_s is 0"));
        assert!(of(|s| s.perclos_window_s = f64::INFINITY).contains("perclos_window_s"));
    }
}
