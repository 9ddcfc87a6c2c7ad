//! What a source reports beside its frames.

use std::time::Duration;

/// Something about a source that its frames do not show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A frame was decoded with errors, or not at all, and is left out.
    Damaged {
        /// Its number in the source; later frames are numbered as if it were there.
        frame: u64,
        /// When it is due, or when the next one is.
        time: Duration,
    },
    /// For some time there were no frames, which is not what this time looks like in the frames delivered: a
    /// leap that was skipped, frames that came late and were dropped.
    Gap {
        /// Length of the time of which nothing is known.
        length: Duration,
        /// What happened, in plain words.
        message: String,
    },
    /// A remark about the source as a whole, in plain words.
    Note(String),
}

/// Most frame numbers that are named in one report.
const NAMED: usize = 20;

/// Numbers of damaged frames: how many there are, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DamagedFrames {
    count: u64,
    first: Vec<u64>,
}

impl DamagedFrames {
    /// Adds a frame.
    pub fn add(&mut self, frame: u64) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(frame);
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Borrows the numbers of the first 20 of them.
    pub fn first(&self) -> &[u64] {
        &self.first
    }
}

impl std::fmt::Display for DamagedFrames {
    /// Writes their numbers, such as `1, 4, 5 and 19 others`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.first.iter().map(u64::to_string).collect();
        write!(f, "{}", numbers.join(", "))?;
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            1 => write!(f, " and one other"),
            others => write!(f, " and {others} others"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frames_are_named_and_all_are_counted() {
        let mut damaged = DamagedFrames::default();
        [1, 4, 5].into_iter().for_each(|frame| damaged.add(frame));
        assert_eq!(damaged.to_string(), "1, 4, 5");
        (6..100).for_each(|frame| damaged.add(frame));
        assert_eq!(damaged.count(), 97);
        assert!(
            damaged.to_string().ends_with("22 and 77 others"),
            "{damaged}"
        );
        assert_eq!(damaged.first().len(), NAMED);
    }
}
