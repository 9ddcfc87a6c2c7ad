//! What a crop teaches of the lids beside its state: how far they are apart, and whether the eye looks down.
//!
//! # Openness
//! The manifest's `openness` is a landmark model's lid gap in units of its own, which differ by source. The target is
//!
//! ```text
//! (openness - shut) / (wide - shut), held between 0 and 1
//! ```
//!
//! with `wide` the median of the person's own eyes labelled open, or the source's where the person shows few, and
//! `shut` the median of the source's eyes labelled closed: 1 is an eye as open as its owner's usually are. The label
//! is worth more than the landmarks: a closed eye has 0, and an openness that contradicts its label teaches nothing.

use crate::crop::Crop;
use parseye_vision::{evaluate::manifest::Gaze, eye_state::EyeState, statistics};
use std::collections::BTreeMap;

/// Fewest open eyes of a person whose median is that person's own.
const OWN_EYES: usize = 8;

/// Fewest open or closed eyes of a source whose median means anything.
const EYES_OF_SOURCE: usize = 4;

/// Least openness of an eye labelled open, and range of one labelled partially open: beyond, landmarks and label
/// speak of different things.
const OPEN_FROM: f32 = 0.5;
const PARTIAL: std::ops::RangeInclusive<f32> = 0.05..=0.95;

/// What one crop teaches; `None` where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LidTarget {
    /// How far the lids are apart, 0 to 1.
    pub openness: Option<f32>,
    /// Whether the eye looks down with its lids apart.
    pub looking_down: Option<bool>,
}

/// The targets of crops, in their order.
pub(crate) fn targets(crops: &[Crop]) -> Vec<LidTarget> {
    let levels = Levels::of(crops);
    let target = |crop: &Crop| LidTarget {
        openness: levels.openness(crop),
        looking_down: looking_down(crop),
    };
    crops.iter().map(target).collect()
}

/// Eyes that nobody graded for gaze and that are labelled open hardly ever look down; half shut ones often do.
fn looking_down(crop: &Crop) -> Option<bool> {
    match (crop.sample.label, crop.sample.gaze) {
        (EyeState::NotVisible, _) => None,
        (EyeState::Closed, _) => Some(false),
        (_, Some(gaze)) => Some(gaze == Gaze::Down),
        // A note that names a gaze which graders could not tell.
        (_, None) if crop.sample.note.contains("gaze=") => None,
        (EyeState::Open, None) => Some(false),
        (EyeState::PartiallyOpen, None) => None,
    }
}

/// Usual openness of open and of closed eyes.
struct Levels<'a> {
    of_person: BTreeMap<(&'a str, &'a str), f32>,
    open: BTreeMap<&'a str, f32>,
    closed: BTreeMap<&'a str, f32>,
}

impl<'a> Levels<'a> {
    fn of(crops: &'a [Crop]) -> Self {
        let labelled = |label| {
            crops.iter().filter_map(move |crop| {
                let sample = &crop.sample;
                (sample.label == label).then_some((sample, sample.openness?))
            })
        };
        let open = labelled(EyeState::Open);
        let closed = labelled(EyeState::Closed);
        Self {
            of_person: medians(
                labelled(EyeState::Open)
                    .map(|(s, openness)| ((s.source.as_str(), s.subject.as_str()), openness)),
                OWN_EYES,
            ),
            open: medians(open.map(|(s, o)| (s.source.as_str(), o)), EYES_OF_SOURCE),
            closed: medians(closed.map(|(s, o)| (s.source.as_str(), o)), EYES_OF_SOURCE),
        }
    }

    fn openness(&self, crop: &Crop) -> Option<f32> {
        let sample = &crop.sample;
        if sample.label == EyeState::Closed {
            return Some(0.0);
        }
        let (source, subject) = (sample.source.as_str(), sample.subject.as_str());
        let own = self.of_person.get(&(source, subject));
        let wide = own.or_else(|| self.open.get(source))?;
        let shut = self.closed.get(source)?;
        if wide <= shut {
            return None;
        }
        let share = ((sample.openness? - shut) / (wide - shut)).clamp(0.0, 1.0);
        let fits = match sample.label {
            EyeState::Open => share >= OPEN_FROM,
            EyeState::PartiallyOpen => PARTIAL.contains(&share),
            EyeState::Closed | EyeState::NotVisible => false,
        };
        fits.then_some(share)
    }
}

/// The median of each key's values, where there are enough.
fn medians<K: Ord>(values: impl Iterator<Item = (K, f32)>, least: usize) -> BTreeMap<K, f32> {
    let mut by_key: BTreeMap<K, Vec<f64>> = BTreeMap::new();
    for (key, value) in values {
        by_key.entry(key).or_default().push(f64::from(value));
    }
    by_key
        .into_iter()
        .filter(|(_, values)| values.len() >= least)
        .filter_map(|(key, values)| Some((key, statistics::median(values)? as f32)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;

    fn crop(label: EyeState, subject: &str, openness: impl Into<Option<f32>>) -> Crop {
        let mut sample = sample(label, subject);
        sample.openness = openness.into();
        Crop {
            sample,
            image: image::GrayImage::new(2, 2),
        }
    }

    #[test]
    fn openness_is_a_share_of_the_persons_own() {
        use EyeState::{Closed, NotVisible, Open, PartiallyOpen};
        let mut crops = Vec::new();
        // A wide-eyed and a narrow-eyed person, and the source's closed eyes at 0.1.
        crops.extend((0..8).map(|_| crop(Open, "wide", 1.1)));
        crops.extend((0..8).map(|_| crop(Open, "narrow", 0.5)));
        crops.extend((0..4).map(|_| crop(Closed, "other", 0.1)));
        let known = crops.len();
        crops.extend([
            crop(PartiallyOpen, "wide", 0.6),
            crop(PartiallyOpen, "narrow", 0.3),
            crop(Open, "narrow", 0.9),
            crop(Closed, "wide", 0.4),
            crop(NotVisible, "wide", 0.4),
            crop(Open, "wide", 0.2),
            crop(PartiallyOpen, "wide", None),
        ]);
        let found: Vec<_> = targets(&crops).iter().map(|t| t.openness).collect();
        let near = |found: Option<f32>, expected: f32| (found.unwrap() - expected).abs() < 1e-5;
        assert!(near(found[0], 1.0) && near(found[8], 1.0));
        assert!(near(found[known], 0.5) && near(found[known + 1], 0.5));
        assert!(near(found[known + 2], 1.0));
        assert_eq!(found[known + 3..], [Some(0.0), None, None, None]);
    }

    #[test]
    fn looking_down_is_known_where_it_was_graded_and_of_plainly_open_and_closed_eyes() {
        use EyeState::{Closed, NotVisible, Open, PartiallyOpen};
        let of = |label, gaze, note: &str| {
            let mut crop = crop(label, "p", None);
            crop.sample.gaze = gaze;
            crop.sample.note = note.into();
            looking_down(&crop)
        };
        assert_eq!(of(PartiallyOpen, Some(Gaze::Down), ""), Some(true));
        assert_eq!(of(Open, Some(Gaze::Down), ""), Some(true));
        assert_eq!(of(Open, Some(Gaze::Forward), ""), Some(false));
        assert_eq!(of(Open, None, ""), Some(false));
        assert_eq!(of(PartiallyOpen, None, ""), None);
        assert_eq!(of(Open, None, "gaze=unknown"), None);
        assert_eq!(of(Closed, Some(Gaze::Down), ""), Some(false));
        assert_eq!(of(NotVisible, None, ""), None);
    }
}
