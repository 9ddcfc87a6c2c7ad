//! What eyes do, as the user can answer it with a command: pure steps over events.

use super::EventCommandSettings;
use parseye_events::event::{ClosureEvent, Event};
use parseye_vision::temporal::Laterality;

/// What a command can be run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// A blink of both eyes.
    Blink,
    /// Two of them in a row.
    DoubleBlink,
    /// One eye closed while the other stayed open.
    Wink,
    /// A closure of both eyes that is too long for a blink.
    LongClosure,
}

impl Pattern {
    /// All.
    pub(crate) const ALL: [Self; 4] = [
        Self::Blink,
        Self::DoubleBlink,
        Self::Wink,
        Self::LongClosure,
    ];

    /// The name in settings and of the flag.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Blink => "blink",
            Self::DoubleBlink => "double_blink",
            Self::Wink => "wink",
            Self::LongClosure => "long_closure",
        }
    }
}

/// A closure that is one pattern, or two.
#[derive(Debug, PartialEq)]
pub(super) struct Found<'a> {
    pub(super) patterns: Vec<Pattern>,
    pub(super) closure: &'a ClosureEvent,
}

/// Finds patterns in events.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    longest_pause_s: f64,
    /// When the last blink ended that is no part of two in a row.
    last_blink: Option<f64>,
}

impl Patterns {
    /// Starts without a blink.
    pub(super) fn new(settings: &EventCommandSettings) -> Self {
        Self {
            longest_pause_s: settings.double_blink_s,
            last_blink: None,
        }
    }

    /// Takes an event; a closure is returned where it is a pattern. A blink of both eyes also comes as one of
    /// each, which are none.
    pub(super) fn take<'a>(&mut self, event: &'a Event) -> Option<Found<'a>> {
        let (closure, patterns) = match event {
            Event::Blink(closure) | Event::LongClosure(closure) if closure.wink => {
                (closure, vec![Pattern::Wink])
            }
            Event::Blink(closure) if closure.eye == Laterality::Both => {
                (closure, self.take_blink(closure))
            }
            Event::LongClosure(closure) if closure.eye == Laterality::Both => {
                (closure, vec![Pattern::LongClosure])
            }
            _ => return None,
        };
        Some(Found { patterns, closure })
    }

    fn take_blink(&mut self, blink: &ClosureEvent) -> Vec<Pattern> {
        let pause = self.last_blink.map(|end| blink.start - end);
        let is_second = pause.is_some_and(|pause| (0.0..=self.longest_pause_s).contains(&pause));
        if is_second {
            self.last_blink = None;
            return vec![Pattern::Blink, Pattern::DoubleBlink];
        }
        self.last_blink = Some(blink.end);
        vec![Pattern::Blink]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Pattern::{Blink, DoubleBlink, LongClosure, Wink};
    use parseye_testkit::script;

    fn found(events: &[Event]) -> Vec<Vec<Pattern>> {
        let mut patterns = Patterns::new(&EventCommandSettings::default());
        let found = events.iter().filter_map(|event| patterns.take(event));
        found.map(|found| found.patterns).collect()
    }

    fn blink(start: f64) -> Event {
        script::blink(Laterality::Both, start, 0.2)
    }

    fn wink(eye: Laterality) -> Event {
        match script::blink(eye, 1.0, 0.3) {
            Event::Blink(blink) => Event::Blink(ClosureEvent {
                wink: true,
                ..blink
            }),
            other => other,
        }
    }

    #[test]
    fn a_blink_of_both_eyes_is_one_and_of_either_none() {
        let events = [
            script::blink(Laterality::Left, 1.0, 0.2),
            script::blink(Laterality::Right, 1.0, 0.2),
            blink(1.0),
            script::nobody(3, 2.0),
        ];
        assert_eq!(found(&events), [[Blink]]);
    }

    #[test]
    fn two_blinks_in_a_row_are_a_double_one_and_three_are_one_and_a_blink() {
        let double = vec![Blink, DoubleBlink];
        let one = vec![Blink];
        assert_eq!(
            found(&[blink(1.0), blink(1.6)]),
            [one.clone(), double.clone()]
        );
        assert_eq!(found(&[blink(1.0), blink(2.0)]), [one.clone(), one.clone()]);
        assert_eq!(
            found(&[blink(1.0), blink(1.5), blink(2.0), blink(2.5)]),
            [one.clone(), double.clone(), one.clone(), double]
        );
        // Another source, whose times begin anew.
        assert_eq!(found(&[blink(9.0), blink(1.0)]), [one.clone(), one]);
    }

    #[test]
    fn winks_and_long_closures_are_their_own_patterns() {
        assert_eq!(
            found(&[wink(Laterality::Left), wink(Laterality::Right)]),
            [[Wink], [Wink]]
        );
        assert_eq!(found(&[script::long_closure(1.0, 2.0)]), [[LongClosure]]);
    }
}
