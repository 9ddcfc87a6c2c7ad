//! Which of the people before the camera is watched: who is known to be there, and when to pass from one to
//! another.
//!
//! A function of time-stamped sightings, like [`crate::temporal`]: it sees no frame and runs no network. Where
//! faces are looked for is left to [`super::search`], following one to [`super::track`].

use super::{Face, life::LifeSigns, watch::WatchRule};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::{Display, IntoStaticStr};

/// Time after which a face without a sign of life is a picture. Awake people blink or glance within a few seconds.
const PICTURE_AFTER: Duration = Duration::from_secs(5);

/// Time for which nobody else is taken for a watched person who is gone: heads turn and are hidden for a moment.
const HOLD: Duration = Duration::from_millis(1000);

/// Time for which a watched person who is gone is remembered.
const REMEMBER: Duration = Duration::from_secs(30);

/// Sightings, and seconds between the first and the last of them, that make sure that somebody is there: faces
/// that flare up in a texture do so once.
const SURE_SIGHTINGS: u32 = 2;
const SURE_AFTER: Duration = Duration::from_millis(200);

/// Age of a sighting beyond which a face may be gone.
const FRESH: Duration = Duration::from_millis(1500);

/// Greatest ratio of the sides of two sightings of one face, and greatest distance of their centres in sides.
const SAME_SIZE: f32 = 1.7;
const SAME_PLACE: f32 = 0.5;

/// The same of a picture, which differ by the detector's own errors only.
const PICTURE_SIZE: f32 = 1.25;
const PICTURE_PLACE: f32 = 0.15;

/// Least side of a living face that is watched instead of a picture, in sides of the picture.
const LEAST_BESIDE_PICTURE: f32 = 0.5;

/// Most faces that are remembered beside the watched one.
const MOST_OTHERS: usize = 8;

/// Why another person is watched from now on.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ChangeReason {
    /// They suit `detector.watch` clearly better, and have for `detector.switch_after_s`.
    Preferred,
    /// The one who was watched never showed a sign of life, and they did or just came.
    Alive,
    /// They were watched before, and are back.
    Returned,
    /// The one who was watched is gone.
    Left,
}

/// Another person is watched from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonChange {
    /// Number of the person who is watched now: the first of a source is 1, and each change counts one more, also
    /// back to somebody who was watched before.
    pub person: u64,
    /// Why.
    pub reason: ChangeReason,
}

/// A face that has been seen over time.
#[derive(Clone, Debug)]
struct Person {
    face: Face,
    since: Duration,
    last: Duration,
    sightings: u32,
    life: LifeSigns,
    /// Since when they suit the rule better than the watched one.
    better_since: Option<Duration>,
}

impl Person {
    fn new(face: Face, time: Duration) -> Self {
        Self {
            face,
            since: time,
            last: time,
            sightings: 1,
            life: LifeSigns::default(),
            better_since: None,
        }
    }

    fn known_for(&self) -> Duration {
        self.last.saturating_sub(self.since)
    }

    /// Whether it has been seen long enough to have moved, and has not.
    fn is_picture(&self) -> bool {
        !self.life.is_alive() && self.known_for() >= PICTURE_AFTER
    }

    /// Whether a face that was found now can be this one.
    fn can_be(&self, face: &Face) -> bool {
        match self.is_picture() {
            // It hangs where it hung: somebody else is before it.
            true => are_alike(&self.face, face, PICTURE_SIZE, PICTURE_PLACE),
            false => is_same(&self.face, face),
        }
    }

    fn is_sure(&self) -> bool {
        self.sightings >= SURE_SIGHTINGS && self.known_for() >= SURE_AFTER
    }
}

/// The watched person after they were lost from sight.
#[derive(Clone, Copy, Debug)]
struct Absent {
    face: Face,
    since: Duration,
    alive: bool,
}

/// The people before the camera.
#[derive(Clone, Debug)]
pub(super) struct People {
    rule: WatchRule,
    switch_after: Duration,
    watched: Option<Person>,
    others: Vec<Person>,
    absent: Option<Absent>,
    /// Number of the watched person; 0 before the first.
    person: u64,
}

impl People {
    /// Starts with nobody; `switch_after` is how long somebody must suit the rule better to be watched instead.
    pub(super) const fn new(rule: WatchRule, switch_after: Duration) -> Self {
        Self {
            rule,
            switch_after,
            watched: None,
            others: Vec::new(),
            absent: None,
            person: 0,
        }
    }

    /// Returns whether anybody has been watched since the source began.
    pub(super) const fn has_watched(&self) -> bool {
        self.person > 0
    }

    /// Returns since when nobody is watched, where somebody was.
    pub(super) fn absent_since(&self) -> Option<Duration> {
        let absent = self.absent.filter(|_| self.watched.is_none());
        absent.map(|absent| absent.since)
    }

    /// Tells whether a face is where faces count.
    pub(super) fn is_in_area(&self, face: &Face) -> bool {
        self.rule.counts(face)
    }

    /// Tells whether anybody is known who is not watched.
    pub(super) const fn sees_anybody(&self) -> bool {
        !self.others.is_empty()
    }

    /// Tells whether a face that fits was seen at this time, beside the watched one.
    pub(super) fn has_seen(&self, time: Duration, fits: impl Fn(&Face) -> bool) -> bool {
        let others = self.others.iter().filter(|other| other.last == time);
        others.map(|other| &other.face).any(fits)
    }

    /// Takes the watched face in a frame; `observe` looks for signs of life.
    pub(super) fn follow(
        &mut self,
        face: Face,
        time: Duration,
        observe: impl FnOnce(&mut LifeSigns, &Face),
    ) {
        let Some(watched) = &mut self.watched else {
            return;
        };
        watched.face = face;
        watched.last = time;
        watched.sightings = watched.sightings.saturating_add(1);
        observe(&mut watched.life, &face);
        // Somebody else there is hidden now, or was this face before it moved. A picture stays where it is.
        self.others
            .retain(|other| other.is_picture() || !is_same(&other.face, &face));
    }

    /// Takes for granted that the watched face is alive.
    pub(super) const fn confirm_life(&mut self) {
        if let Some(watched) = &mut self.watched {
            watched.life.confirm();
        }
    }

    /// Takes that the watched face is not there any more.
    pub(super) fn lose(&mut self, time: Duration) {
        let Some(watched) = self.watched.take() else {
            return;
        };
        let remembered = self
            .absent
            .filter(|absent| absent.alive && time.saturating_sub(absent.since) < REMEMBER);
        let now = Absent {
            face: watched.face,
            since: time,
            alive: watched.life.is_alive(),
        };
        // Somebody alive is not forgotten for a picture that took their place.
        self.absent = Some(match remembered {
            Some(before) if !now.alive => Absent {
                since: time,
                ..before
            },
            _ => now,
        });
        if !now.alive && watched.is_picture() {
            // Known from now on, so that it is not taken again.
            self.remember(watched);
        }
    }

    /// Takes a face that was found beside the watched one, or while nobody is watched.
    pub(super) fn see(
        &mut self,
        face: Face,
        time: Duration,
        observe: impl FnOnce(&mut LifeSigns, &Face),
    ) {
        let is_watched = |watched: &Person| is_same(&watched.face, &face);
        if self.watched.as_ref().is_some_and(is_watched) || !self.rule.counts(&face) {
            return;
        }
        let better = self
            .watched
            .as_ref()
            .is_some_and(|watched| self.rule.is_clearly_better(&face, &watched.face));
        let known = self.others.iter_mut().find(|other| other.can_be(&face));
        let Some(person) = known else {
            let mut person = Person::new(face, time);
            person.better_since = better.then_some(time);
            observe(&mut person.life, &face);
            self.remember(person);
            return;
        };
        if time > person.last {
            person.sightings = person.sightings.saturating_add(1);
        }
        person.face = face;
        person.last = time;
        observe(&mut person.life, &face);
        person.better_since = match better {
            true => person.better_since.or(Some(time)),
            false => None,
        };
    }

    fn remember(&mut self, person: Person) {
        if self.others.len() >= MOST_OTHERS {
            let oldest = self.others.iter().enumerate().min_by_key(|(_, p)| p.last);
            if let Some((index, _)) = oldest {
                self.others.swap_remove(index);
            }
        }
        self.others.push(person);
    }

    /// Returns the face beside the watched one that has not been seen for longest, if for `least`.
    pub(super) fn stalest(&self, time: Duration, least: Duration) -> Option<Face> {
        let stale = self
            .others
            .iter()
            .filter(|other| time.saturating_sub(other.last) >= least);
        stale.min_by_key(|other| other.last).map(|other| other.face)
    }

    /// Takes that a face which was looked for at its last place is not there.
    pub(super) fn miss(&mut self, face: &Face, time: Duration) {
        self.others.retain(|other| {
            let missed = is_same(&other.face, face);
            // A picture is remembered while somebody stands before it.
            let keep = if other.is_picture() { REMEMBER } else { FRESH };
            !missed || time.saturating_sub(other.last) < keep
        });
    }

    /// Whether somebody may soon be watched instead, so that it is worth looking more often.
    pub(super) fn is_undecided(&self) -> bool {
        let Some(watched) = &self.watched else {
            return false;
        };
        self.others.iter().any(|other| {
            self.eligible(other, watched)
                && (self.rule.is_clearly_better(&other.face, &watched.face)
                    || !watched.life.is_alive())
        })
    }

    /// A picture is no match for somebody who is alive.
    fn eligible(&self, other: &Person, watched: &Person) -> bool {
        self.rule.counts(&other.face) && (!other.is_picture() || watched.is_picture())
    }

    /// Decides whether somebody else is to be watched from now on, by the sightings up to this time; returns the
    /// face to follow.
    pub(super) fn switch(&mut self, time: Duration) -> Option<(Face, PersonChange)> {
        let watched = self.watched.as_ref()?;
        let reasons = self.others.iter().map(|other| {
            let fresh = time.saturating_sub(other.last) < FRESH;
            let known = fresh && other.is_sure() && self.eligible(other, watched);
            self.reason(other, watched, time).filter(|_| known)
        });
        let best = reasons
            .enumerate()
            .filter_map(|(index, reason)| Some((index, reason?)))
            .max_by(|(a, _), (b, _)| {
                let rank = |index: &usize| self.rule.rank(&self.others[*index].face);
                rank(a).total_cmp(&rank(b))
            });
        let (index, reason) = best?;
        let next = self.others.swap_remove(index);
        if let Some(before) = self.watched.take() {
            self.remember(before);
        }
        Some((next.face, self.watch(next, Some(reason))?))
    }

    fn reason(&self, other: &Person, watched: &Person, time: Duration) -> Option<ChangeReason> {
        let better_for = other
            .better_since
            .map(|since| other.last.saturating_sub(since));
        if better_for.is_some_and(|time| time >= self.switch_after) {
            return Some(ChangeReason::Preferred);
        }
        if watched.life.is_alive() {
            return None;
        }
        let returned = |absent: Absent| {
            absent.alive
                && time.saturating_sub(absent.since) < REMEMBER
                && other.since >= absent.since
                && is_within(&absent.face, &other.face, SAME_SIZE)
                && !is_same(&absent.face, &watched.face)
        };
        if self.absent.is_some_and(returned) {
            return Some(ChangeReason::Returned);
        }
        let large = other.face.square.side >= LEAST_BESIDE_PICTURE * watched.face.square.side;
        let came = other.since > watched.since && !other.is_picture();
        (watched.is_picture() && large && (other.life.is_alive() || came))
            .then_some(ChangeReason::Alive)
    }

    /// Decides whom to watch while nobody is, of the faces that were seen at this very time; returns the face to
    /// follow, and a change where it is somebody else than before.
    pub(super) fn begin(&mut self, time: Duration) -> Option<(Face, Option<PersonChange>)> {
        if self.watched.is_some() {
            return None;
        }
        let allowed = |person: &Person| person.last == time && self.may_begin(person, time);
        let index = (0..self.others.len())
            .filter(|index| allowed(&self.others[*index]))
            .max_by(|a, b| {
                let rank = |index: &usize| self.rule.rank(&self.others[*index].face);
                rank(a).total_cmp(&rank(b))
            })?;
        let mut next = self.others.swap_remove(index);
        let known_beside = self.absent.is_some_and(|absent| next.since < absent.since);
        let reason = known_beside.then_some(ChangeReason::Left);
        let is_back = |absent: Absent| absent.alive && is_same(&absent.face, &next.face);
        if self.absent.is_some_and(is_back) {
            next.life.resume();
        }
        let face = next.face;
        Some((face, self.watch(next, reason)))
    }

    /// Returns the face, known from before, that would be watched now if it is still where it was.
    pub(super) fn waiting(&self, time: Duration) -> Option<Face> {
        let waiting = self
            .others
            .iter()
            .filter(|other| other.last < time && self.may_begin(other, time));
        waiting
            .max_by(|a, b| self.rule.rank(&a.face).total_cmp(&self.rule.rank(&b.face)))
            .map(|other| other.face)
    }

    fn may_begin(&self, person: &Person, time: Duration) -> bool {
        let Some(absent) = self.absent.filter(|_| self.has_watched()) else {
            return true;
        };
        // Who was not there before is most likely the one who was lost, who has moved.
        let is_new = person.since >= absent.since;
        let held = time.saturating_sub(absent.since) < HOLD;
        is_new || (!held && !person.is_picture())
    }

    /// Watches a person; the change, where it is not the one who was watched.
    fn watch(&mut self, mut next: Person, reason: Option<ChangeReason>) -> Option<PersonChange> {
        next.better_since = None;
        self.others
            .iter_mut()
            .for_each(|other| other.better_since = None);
        self.watched = Some(next);
        if self.person == 0 {
            self.person = 1;
            return None;
        }
        let reason = reason?;
        self.person += 1;
        Some(PersonChange {
            person: self.person,
            reason,
        })
    }
}

/// Whether two sightings can be of one face.
fn is_same(a: &Face, b: &Face) -> bool {
    are_alike(a, b, SAME_SIZE, SAME_PLACE)
}

/// Whether the sides of two faces are within a ratio and their centres within a distance in sides.
fn are_alike(a: &Face, b: &Face, ratio: f32, distance: f32) -> bool {
    is_within(a, b, ratio) && are_near(a, b, distance)
}

/// Whether the centres of two faces are within a distance in sides of the larger one.
pub(super) fn are_near(a: &Face, b: &Face, distance: f32) -> bool {
    let ([ax, ay], [bx, by]) = (a.square.centre, b.square.centre);
    (ax - bx).hypot(ay - by) < distance * a.square.side.max(b.square.side)
}

fn is_within(a: &Face, b: &Face, ratio: f32) -> bool {
    (1.0 / ratio..=ratio).contains(&(a.square.side / b.square.side))
}
