//! Frames that were held back and come all at once, as after a hiccup of the network, or when this program was
//! stopped and goes on. They are dated by their arrival, so that half a second of them would pass for
//! some milliseconds: blinks shorter than a frame. The time in which they were held back is a gap instead.

use std::{collections::VecDeque, time::Duration};

/// Intervals over whose frames the usual distance is the mean: some seconds.
const INTERVALS: usize = 64;

/// Intervals from which on there is a usual distance.
const LEAST_INTERVALS: usize = 16;

/// Frames were held back where one comes later than usual by this factor and the next ones come sooner by that:
/// a rate that merely doubles at a pause is not taken for it.
const LATER: f64 = 3.0;
const SOONER: f64 = 0.4;

/// Tells frames that were held back from those that come in their time.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    last: Option<(Duration, u64)>,
    /// Times between frames that came in their time, and how many frames each is of, lost ones included.
    intervals: VecDeque<(Duration, u64)>,
    /// How many frames may still have been held back.
    behind: f64,
}

impl HeldBack {
    /// Takes the time and number of the next frame; returns whether it was held back, so that its time says
    /// nothing about when it was taken. The first after a pause never counts as such.
    pub(super) fn is_late(&mut self, time: Duration, sequence: u64) -> bool {
        let Some((last, number)) = self.last.replace((time, sequence)) else {
            return false;
        };
        let interval = time.saturating_sub(last);
        let frames = sequence.saturating_sub(number).max(1);
        if let Some(usual) = self.usual() {
            let each = interval.as_secs_f64() / frames as f64;
            if each > LATER * usual {
                self.behind = interval.as_secs_f64() / usual;
                return false;
            }
            if self.behind > 0.0 && each < SOONER * usual {
                self.behind -= frames as f64;
                return true;
            }
            self.behind = 0.0;
        }
        if self.intervals.len() == INTERVALS {
            self.intervals.pop_front();
        }
        self.intervals.push_back((interval, frames));
        false
    }

    /// The mean distance of frames in seconds; `None` before enough have come.
    fn usual(&self) -> Option<f64> {
        if self.intervals.len() < LEAST_INTERVALS {
            return None;
        }
        let time: Duration = self.intervals.iter().map(|(interval, _)| interval).sum();
        let frames: u64 = self.intervals.iter().map(|(_, frames)| frames).sum();
        let usual = time.as_secs_f64() / frames as f64;
        (usual > 0.0).then_some(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes frames at these distances in milliseconds; returns the places of the late ones.
    fn late(distances: &[f64]) -> Vec<usize> {
        let mut held_back = HeldBack::default();
        let mut time = 0.0;
        let mut late = Vec::new();
        for (at, distance) in distances.iter().enumerate() {
            time += distance / 1e3;
            if held_back.is_late(Duration::from_secs_f64(time), at as u64) {
                late.push(at);
            }
        }
        late
    }

    fn usual(frames: usize) -> Vec<f64> {
        vec![33.3; frames]
    }

    #[test]
    fn all_that_come_at_once_after_a_silence_are_late_but_the_first() {
        let burst = [usual(45), vec![1800.0], vec![4.0; 53], usual(30)].concat();
        assert_eq!(late(&burst), (46..99).collect::<Vec<_>>());
        // Shorter than what breaks a closure, too.
        let hiccup = [usual(45), vec![400.0], vec![3.0; 11], usual(30)].concat();
        assert_eq!(late(&hiccup), (46..57).collect::<Vec<_>>());
    }

    #[test]
    fn those_that_were_lost_in_a_burst_count_for_how_fast_the_others_come() {
        let mut held_back = HeldBack::default();
        let (mut time, mut late) = (0.0, 0);
        let steps = [(45, 0.0333, 1), (1, 1.8, 1), (12, 0.02, 4), (45, 0.0333, 1)];
        for (frames, distance, numbers) in steps {
            for _ in 0..frames {
                time += distance;
                let sequence = held_back.last.map_or(0, |(_, last)| last + numbers);
                let at = Duration::from_secs_f64(time);
                late += usize::from(held_back.is_late(at, sequence));
            }
        }
        assert_eq!(late, 12);
    }

    #[test]
    fn frames_in_their_time_are_never_late() {
        let jitter: Vec<f64> = (0..200).map(|at| [20.0, 46.0, 33.0][at % 3]).collect();
        assert_eq!(late(&jitter).len(), 0);
        // A pause, a camera that becomes faster and one that becomes slower.
        let pause = [usual(45), vec![4000.0], usual(45)].concat();
        assert_eq!(late(&pause).len(), 0);
        let faster = [vec![66.7; 45], vec![3000.0], usual(200)].concat();
        assert_eq!(late(&faster).len(), 0);
        let slower = [usual(45), vec![400.0; 45], usual(45)].concat();
        assert_eq!(late(&slower).len(), 0);
        // A rate that doubles and doubles again is not late for long.
        let much_faster = [vec![100.0; 45], vec![500.0], vec![16.0; 200]].concat();
        assert!(late(&much_faster).len() <= 5);
    }
}
