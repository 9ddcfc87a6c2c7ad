//! Which views of a frame are searched for faces, and how many a frame: everything at the first frame, then where
//! the picture has changed, within a number of network runs a second.
//!
//! What a view shows is left to the detector, who of those that are found is watched to [`super::people`].

use super::{
    Face, Roi,
    change::ChangeGrid,
    views::{View, views},
    watch::{Rotation, WatchRegion, watch_area},
};
use crate::frame::Frame;
use std::time::Duration;

/// Network runs a second that are spent on searching while nobody is there and the picture changes all the time. A
/// run takes one or two milliseconds with what surrounds it: less than a tenth of a core. A count and not a time, so
/// that a recording is searched alike on every machine.
const RUNS_PER_SECOND: f32 = 36.0;

/// Network runs a second that go round an unchanged picture while nobody is there, for faces that were missed.
const UNCHANGED_PER_SECOND: f32 = 5.0;

/// Time within which all views are searched once, where there was quiet before: a quarter of a second less the
/// frame that shows the face and the one that ends the time.
const SWEEP_S: f32 = 0.18;

/// Network runs that are allowed in the frame that lost the watched face: it may just have jumped.
const RUNS_AT_LOSS: f32 = 3.0;

/// Time between two searches while somebody is followed, and where somebody else may soon be watched.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOK_SOON: Duration = Duration::from_millis(100);

/// Time between two searches of any part of the picture while somebody is followed, changed or not: nobody comes
/// without a change, but somebody who is there may have been missed.
const ALL_EVERY: Duration = Duration::from_secs(1);

/// Time that a search may be late in order to wait for a frame in which the network does not run anyway.
const LOOK_LATEST: Duration = Duration::from_millis(100);

/// Time after the watched face was lost in which only heads that stand as theirs did are searched for.
const SAME_TURN: Duration = Duration::from_secs(1);

/// Sides of the smallest faces that are searched for while one is followed, in sides of that.
const SMALLEST_BESIDE: f32 = 0.5;

/// Side of the view that is searched first, in sides of what changed: a face by itself then takes a third of it, a
/// person's a tenth, and the next views are twice and half as wide.
const PER_CHANGE: f32 = 3.0;

/// Square around a followed face, in sides of it, whose changes are its own.
const OWN_CHANGES: f32 = 2.5;

/// Searches of a source's frames.
#[derive(Clone, Debug)]
pub(super) struct Search {
    region: Option<WatchRegion>,
    angles: Vec<f32>,
    all_angles: Vec<f32>,
    grid: ChangeGrid,
    views: Vec<View>,
    /// Number of the frame in which each view was last searched; 0 for never.
    searched: Vec<u64>,
    /// When each view was last searched because it had changed, by `clock`.
    served: Vec<Option<Duration>>,
    /// Number and time of the last frame.
    last: Option<(u64, Duration)>,
    /// Time that the last frame adds to `clock`.
    step: Duration,
    /// The time by which searches are counted. It is that of the frames where each is judged. A machine that is late
    /// and leaves all but one of n frames out would make up for these, which makes it later still: there the clock
    /// goes on by an nth of the time from one frame of the camera to the next.
    clock: Duration,
    /// Network runs that may be made, and of these the ones that may go round an unchanged picture.
    credit: f32,
    unchanged_credit: f32,
    next_look: Duration,
    /// Before when only views that changed are searched beside a followed face.
    next_of_all: Duration,
    /// Angle at which the watched head stood upright.
    turn: Option<f32>,
}

impl Search {
    /// Starts a source.
    pub(super) fn new(region: Option<WatchRegion>, rotation: Rotation) -> Self {
        Self {
            region,
            angles: rotation.angles(),
            all_angles: rotation.all_angles(),
            grid: ChangeGrid::new((0, 0)),
            views: Vec::new(),
            searched: Vec::new(),
            served: Vec::new(),
            last: None,
            step: Duration::ZERO,
            clock: Duration::ZERO,
            credit: 0.0,
            unchanged_credit: 0.0,
            next_look: Duration::ZERO,
            next_of_all: Duration::ZERO,
            turn: None,
        }
    }

    /// Takes the next frame, before anything is searched in it.
    pub(super) fn observe(&mut self, frame: &Frame) {
        let Frame {
            luma,
            time,
            sequence,
            ..
        } = frame;
        let size = luma.dimensions();
        if size != self.grid.size() || self.last.is_none() {
            self.grid = ChangeGrid::new(size);
            let size = [size.0 as f32, size.1 as f32];
            let area = watch_area(self.region.as_ref(), size);
            self.views = views(size, &area, &self.angles, &self.all_angles);
            self.searched = vec![0; self.views.len()];
            self.served = vec![None; self.views.len()];
            self.credit = self.views.len() as f32;
        }
        self.grid.observe(luma);
        self.step = self.last.map_or(Duration::ZERO, |(before, last)| {
            let frames = u32::try_from(sequence.saturating_sub(before)).unwrap_or(u32::MAX);
            time.saturating_sub(last) / frames.max(1) / frames.max(1)
        });
        self.last = Some((*sequence, *time));
        self.clock = self.clock.saturating_add(self.step);
        let most = self.views.len() as f32;
        let step_s = self.step.as_secs_f32();
        self.credit = (self.credit + RUNS_PER_SECOND * step_s).min(most);
        self.unchanged_credit = (self.unchanged_credit + UNCHANGED_PER_SECOND * step_s).min(1.0);
    }

    /// Whether the frame is the first of its source or size.
    pub(super) const fn is_first(&self) -> bool {
        self.grid.frame() <= 1
    }

    /// Whether a face may have been found upside down: any turn is looked for, and this is not that of the watched
    /// one.
    pub(super) fn may_be_turned(&self, face: &Face) -> bool {
        let known = |turn: f32| (face.roll() - turn).cos() > 0.0;
        self.angles.len() > 1 && !self.turn.is_some_and(known)
    }

    /// Returns the standard deviation of a pixel's noise in gray levels, see [`ChangeGrid::noise`].
    pub(super) const fn noise(&self) -> f32 {
        self.grid.noise()
    }

    /// Returns how many network runs this frame may take while nobody is followed.
    pub(super) fn allowance(&self, lost_now: bool) -> u32 {
        let most = self.views.len() as f32;
        if self.is_first() {
            return self.views.len() as u32;
        }
        let least = if lost_now { RUNS_AT_LOSS } else { 0.0 };
        let of_sweep = (most * self.step.as_secs_f32() / SWEEP_S).ceil();
        self.credit.floor().min(of_sweep).max(least) as u32
    }

    /// Takes that the network ran this often for searching.
    pub(super) fn spend(&mut self, runs: u64) {
        self.credit -= runs as f32;
    }

    /// Returns the next view to search while nobody is followed: of those that changed since they were searched,
    /// the one that shows what changed at the best size, and where all of them were searched within the time of a
    /// sweep, the one for which that is longest ago. In the frame that `lost` the face it is the widest. `absent_for`
    /// is the time since somebody was followed.
    pub(super) fn next(&mut self, absent_for: Option<Duration>, lost: bool) -> Option<View> {
        let only = self
            .turn
            .filter(|_| absent_for.is_some_and(|time| time < SAME_TURN));
        let at_turn = |view: &View| only.is_none_or(|turn| self.stands(view, turn));
        let changed = |index: usize| {
            let searched = self.searched[index];
            searched == 0
                || self
                    .grid
                    .has_changed(&self.views[index].region, searched, None)
        };
        let now = self.grid.frame();
        // No view is left out for ever, since within this time there are runs for all.
        let sweep = Duration::from_secs_f32(self.views.len() as f32 / RUNS_PER_SECOND);
        let served = |index: &usize| {
            let recent =
                self.served[*index].filter(|at| self.clock.saturating_sub(*at) < sweep && !lost);
            recent.map_or(Duration::ZERO, |at| at + Duration::from_nanos(1))
        };
        let pending = (0..self.views.len())
            .filter(|index| at_turn(&self.views[*index]) && self.searched[*index] < now);
        let found = pending
            .clone()
            .filter(|index| changed(*index))
            .min_by_key(|index| (served(index), if lost { 0 } else { self.unfitness(*index) }));
        let index = match found {
            Some(index) => {
                self.served[index] = Some(self.clock);
                index
            }
            None if self.unchanged_credit >= 1.0 => {
                let oldest = pending.min_by_key(|index| self.searched[*index])?;
                self.unchanged_credit -= 1.0;
                oldest
            }
            None => return None,
        };
        self.searched[index] = now;
        self.views.get(index).copied()
    }

    /// How far a view's side is from the best one for what changed last, if that is a face or a person: in
    /// hundredths of a doubling.
    fn unfitness(&self, index: usize) -> u32 {
        let best = PER_CHANGE * self.grid.extent();
        (100.0 * (self.views[index].region.side / best).log2().abs()) as u32
    }

    /// Whether it is time to search beside the face that is followed: `busy` where the network ran in this frame
    /// already.
    pub(super) fn is_due(&self, time: Duration, busy: bool) -> bool {
        let late = if busy { LOOK_LATEST } else { Duration::ZERO };
        has_come(time, self.next_look + late, LOOK_EVERY + late)
    }

    /// Takes that a search beside the followed face was made, and whether another is wanted soon.
    pub(super) fn looked(&mut self, time: Duration, soon: bool) {
        self.next_look = time + if soon { LOOK_SOON } else { LOOK_EVERY };
    }

    /// Returns the next view to search while a face is followed, the one that was not searched for longest: once a
    /// second of all, else of those with changes that are not the face's own.
    pub(super) fn next_beside(&mut self, face: &Face) -> Option<View> {
        let turn = self.nearest_angle(face.roll());
        self.turn = Some(turn);
        let smallest = SMALLEST_BESIDE * face.square.side;
        let levels = self
            .views
            .iter()
            .filter(|view| view.smallest_face() <= smallest);
        // The widest views that show faces so small; where there are none, all.
        let finest = levels.map(|view| view.level).min().unwrap_or(usize::MAX);
        let own = Roi {
            side: OWN_CHANGES * face.square.side,
            ..face.square
        };
        let now = self.grid.frame();
        let mut wanted: Vec<usize> = (0..self.views.len())
            .filter(|index| {
                let view = &self.views[*index];
                view.level <= finest && self.stands(view, turn) && self.searched[*index] < now
            })
            .collect();
        let oldest = |indices: Vec<usize>| {
            let searched = indices
                .into_iter()
                .map(|index| (self.searched[index], index));
            searched.min().map(|(_, index)| index)
        };
        let time = self.last.map_or(Duration::ZERO, |(_, time)| time);
        if has_come(time, self.next_of_all, ALL_EVERY) {
            // First, since a view that changes all the time must not keep the others from being searched.
            self.next_of_all = time + ALL_EVERY;
        } else {
            wanted.retain(|index| {
                let region = &self.views[*index].region;
                self.grid
                    .has_changed(region, self.searched[*index], Some(&own))
            });
        }
        let index = oldest(wanted)?;
        self.searched[index] = now;
        self.views.get(index).copied()
    }

    /// Whether a view shows heads well that stand at an angle: all but the smallest are found a quarter turn away.
    fn stands(&self, view: &View, angle: f32) -> bool {
        let finest = self.views.last().map_or(0, |view| view.level);
        let least = if view.level == finest { 0.5 } else { -0.1 };
        (view.region.angle - angle).cos() > least
    }

    fn nearest_angle(&self, roll: f32) -> f32 {
        let apart = |angle: &f32| -(roll - angle).cos();
        let nearest = self
            .all_angles
            .iter()
            .copied()
            .min_by(|a, b| apart(a).total_cmp(&apart(b)));
        nearest.unwrap_or(0.0)
    }
}

/// Whether it is time for what is done `every` so often and is due at `next`; also after the clock was set back.
fn has_come(time: Duration, next: Duration, every: Duration) -> bool {
    time >= next || next > time + every
}
