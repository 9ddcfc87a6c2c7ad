//! Tracks the watched person's face from frame to frame: searches for it, confirms it, then detects it only in the
//! region around its last position, roll-aligned and at the size that suits the network best; and while it is
//! nearly still, only in some frames. Beside it others are looked for now and then.
//!
//! Detection on one region is left to [`super::blazeface`], the motion between two detections to `motion.rs`,
//! where to search to [`super::search`], whom to watch to [`super::people`].

use super::{
    DetectorSettings, Face, LocateError,
    blazeface::BlazeFace,
    crop::{Averaging, Roi},
    detector::{Counted, FaceDetector},
    motion::MotionEstimate,
    people::{People, PersonChange, are_near},
    search::Search,
    watch::{WatchRule, watch_area},
};
use crate::{frame::Frame, seconds};
use image::{GrayImage, RgbImage};
use std::{f32::consts::PI, path::Path, time::Duration};

/// Confidence that a face must reach in a view, or where it is confirmed. Below 0.75 hands, pillows and logos were
/// seen to pass; it is stricter than MediaPipe's 0.5, since a false face would be tracked. Small faces reach it only
/// where they are confirmed, at twice their size.
const ACQUIRE_CONFIDENCE: f32 = 0.75;

/// Confidence that a face must reach where one is expected, for confirming and tracking; MediaPipe's
/// min_score_thresh. Closed eyes and motion blur lower the confidence of true faces.
const TRACK_CONFIDENCE: f32 = 0.5;

/// Side of the region that is searched, in face sides. At 2.0 the face fills half of the input, as
/// in the network's training, and may move by half its size between two frames.
const REGION_PER_FACE: f32 = 2.0;

/// Largest change of a face's side between two detections, as a factor. No head comes twice as near in
/// a frame; the bound keeps garbage from blowing the region up or shrinking it to a point.
const MAX_GROWTH: f32 = 2.0;

/// Distance of the centres of two detections in one frame that are of one face, in sides of the larger.
const ONE_FACE: f32 = 0.5;

/// Time after which a face beside the followed one is looked for again, and where it may soon be watched instead.
const KNOWN_EVERY: Duration = Duration::from_millis(300);
const KNOWN_SOON: Duration = Duration::from_millis(150);

/// Where the watched face is in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrackedFace {
    /// The face, where the frame shows it.
    pub face: Option<Face>,
    /// That it is another person's from this frame on.
    pub change: Option<PersonChange>,
}

/// Finds the face and the eyes of the person to watch, frame after frame.
#[derive(Debug)]
pub struct FaceTracker<D = BlazeFace> {
    detector: Counted<D>,
    settings: DetectorSettings,
    search: Search,
    /// `None` before the first frame, which decides where faces count.
    people: Option<People>,
    /// The size of the last frame.
    size: (u32, u32),
    /// The face of the last frame, while it is tracked.
    last: Option<Face>,
    /// The last detection of it, where motion may be estimated from that.
    detection: Option<LastDetection>,
}

/// A face as the network detected it.
#[derive(Debug)]
struct LastDetection {
    face: Face,
    motion: MotionEstimate,
    /// Frames since then.
    age: u32,
}

impl FaceTracker {
    /// Loads the network; see [`super::find_face_detector`] for where it is.
    ///
    /// # Errors
    /// When the file cannot be read or is not the expected one.
    pub fn open(path: &Path, settings: &DetectorSettings) -> Result<Self, LocateError> {
        Ok(Self::with(BlazeFace::open(path)?, settings))
    }
}

impl<D: FaceDetector> FaceTracker<D> {
    /// Creates a tracker that finds faces with this detector.
    pub fn with(detector: D, settings: &DetectorSettings) -> Self {
        Self {
            detector: Counted::new(detector),
            search: Search::new(settings.roi, settings.rotate),
            settings: settings.clone(),
            people: None,
            size: (0, 0),
            last: None,
            detection: None,
        }
    }

    /// Returns how often the network has run.
    pub const fn runs(&self) -> u64 {
        self.detector.runs()
    }

    /// Forgets all faces: another recording starts.
    pub fn reset(&mut self) {
        self.search = Search::new(self.settings.roi, self.settings.rotate);
        self.people = None;
        self.last = None;
        self.detection = None;
    }

    /// Takes for granted that the watched face is a living person's, such as that of a sleeper: no picture's closed
    /// eyes raise an alert.
    pub fn confirm_life(&mut self) {
        if let Some(people) = &mut self.people {
            people.confirm_life();
        }
    }

    /// Finds the watched face in the next frame, or the face that is to be watched.
    pub fn track(&mut self, frame: &Frame) -> TrackedFace {
        let mut people = self.people_for(&frame.luma);
        self.search.observe(frame);
        let runs = self.runs();
        let tracked = match self.follow(frame) {
            Some(face) => self.look_beside(frame, &mut people, face, self.runs() > runs),
            None => {
                let lost = self.last.take().is_some();
                self.detection = None;
                people.lose(frame.time);
                // Acquiring on the very frame that lost the face: a jump costs no frame.
                self.acquire(frame, &mut people, lost)
            }
        };
        self.last = tracked.face;
        self.people = Some(people);
        tracked
    }

    /// Takes the people of the frames before; none where the frame is the first of its size.
    fn people_for(&mut self, luma: &GrayImage) -> People {
        let size = luma.dimensions();
        if let Some(people) = self.people.take_if(|_| size == self.size) {
            return people;
        }
        self.size = size;
        self.last = None;
        self.detection = None;
        let settings = &self.settings;
        let area = watch_area(settings.roi.as_ref(), [size.0 as f32, size.1 as f32]);
        let upright = settings.rotate.upright();
        let rule = WatchRule::new(settings.watch, area, upright, settings.larger_by);
        People::new(rule, seconds::duration(settings.switch_after_s))
    }

    /// Finds the face of the last frame in this one.
    fn follow(&mut self, frame: &Frame) -> Option<Face> {
        let last = self.last?;
        if let Some(face) = self.estimated(&frame.luma) {
            return Some(face);
        }
        let face = self.confirm(&frame.rgb, &last)?;
        self.keep_detection(face, &frame.luma);
        Some(face)
    }

    fn keep_detection(&mut self, face: Face, luma: &GrayImage) {
        self.detection = (self.settings.detect_every > 1).then(|| LastDetection {
            motion: MotionEstimate::at(&face, luma),
            face,
            age: 0,
        });
    }

    /// Moves the last detection to where it is now, while that is recent enough and its motion can be estimated.
    fn estimated(&mut self, luma: &GrayImage) -> Option<Face> {
        let detection = self.detection.as_mut()?;
        detection.age += 1;
        if detection.age >= self.settings.detect_every {
            return None;
        }
        let shift = detection.motion.shift(luma)?;
        Some(detection.face.moved(shift))
    }

    /// Looks for others beside the followed face, where it is time to, and decides who is watched; `busy` where
    /// the network ran in this frame already.
    fn look_beside(
        &mut self,
        frame: &Frame,
        people: &mut People,
        face: Face,
        busy: bool,
    ) -> TrackedFace {
        let (time, noise) = (frame.time, self.search.noise());
        people.follow(face, time, |life, face| {
            life.observe(face, &frame.luma, noise, time);
        });
        let here = TrackedFace {
            face: Some(face),
            change: None,
        };
        if !people.is_in_area(&face) {
            people.lose(time);
            self.detection = None;
            return self.acquire(frame, people, true);
        }
        if !self.search.is_due(time, busy) {
            return here;
        }
        let stale = match people.is_undecided() {
            true => KNOWN_SOON,
            false => KNOWN_EVERY,
        };
        match people.stalest(time, stale) {
            Some(known) => self.look_again(frame, people, &known),
            None => {
                if let Some(view) = self.search.next_beside(&face) {
                    self.search_view(frame, people, &view.region, Some(&face));
                }
            }
        }
        self.search.looked(time, people.is_undecided());
        let Some((next, change)) = people.switch(time) else {
            return here;
        };
        self.keep_detection(next, &frame.luma);
        TrackedFace {
            face: Some(next),
            change: Some(change),
        }
    }

    /// Searches the views whose turn it is; `lost` where the watched face was lost in this frame.
    fn acquire(&mut self, frame: &Frame, people: &mut People, lost: bool) -> TrackedFace {
        let before = self.runs();
        let absent_for = people
            .absent_since()
            .map(|since| frame.time.saturating_sub(since));
        let mut allowed = u64::from(self.search.allowance(lost));
        // All who are there at the beginning are known from then on, and the rule has its choice.
        let whole_sweep = self.search.is_first();
        // Who sits there anyway need not be searched for.
        if let Some(known) = people.waiting(frame.time) {
            self.look_again(frame, people, &known);
        }
        let mut begun = people.begin(frame.time);
        let mut level = None;
        while begun.is_none()
            && allowed > 0
            && let Some(view) = self.search.next(absent_for, lost)
        {
            let next_level = level.replace(view.level) != Some(view.level);
            if next_level && !whole_sweep {
                begun = people.begin(frame.time);
            }
            if begun.is_some() {
                break;
            }
            // Nobody sits upside down beside somebody upright.
            let turned = view.region.angle != self.settings.rotate.upright();
            if turned && people.sees_anybody() {
                continue;
            }
            let runs = self.runs();
            self.search_view(frame, people, &view.region, None);
            allowed = allowed.saturating_sub(self.runs() - runs);
        }
        self.search.spend(self.runs() - before);
        let Some((face, change)) = begun.or_else(|| people.begin(frame.time)) else {
            return TrackedFace::default();
        };
        self.keep_detection(face, &frame.luma);
        TrackedFace {
            face: Some(face),
            change,
        }
    }

    /// Searches a view for faces other than the one that is followed, if any; a second detection, at another scale
    /// and roll-aligned, drops what resembled a face by chance and places the eyes more exactly.
    fn search_view(
        &mut self,
        frame: &Frame,
        people: &mut People,
        region: &Roi,
        followed: Option<&Face>,
    ) {
        let rgb = &frame.rgb;
        let faces = self
            .detector
            .detect(rgb, region, Averaging::Few, TRACK_CONFIDENCE);
        for face in faces {
            let is_followed = followed.is_some_and(|followed| are_one(followed, &face));
            if is_followed || people.has_seen(frame.time, |seen| are_one(seen, &face)) {
                continue;
            }
            let confirmed = self.confirm(rgb, &face);
            let confirmed = confirmed.filter(|confirmed| {
                confirmed.confidence.max(face.confidence) >= ACQUIRE_CONFIDENCE
            });
            let Some(mut confirmed) = confirmed else {
                continue;
            };
            if followed.is_none() && self.search.may_be_turned(&confirmed) {
                confirmed = self.the_right_way_up(rgb, confirmed);
            }
            self.see(frame, people, confirmed);
        }
    }

    /// Looks for a known face where it was.
    fn look_again(&mut self, frame: &Frame, people: &mut People, known: &Face) {
        match self.confirm(&frame.rgb, known) {
            Some(found) => self.see(frame, people, found),
            None => people.miss(known, frame.time),
        }
    }

    fn see(&self, frame: &Frame, people: &mut People, face: Face) {
        let (time, noise) = (frame.time, self.search.noise());
        people.see(face, time, |life, face| {
            life.observe(face, &frame.luma, noise, time);
        });
    }

    /// Detects the face upside down as well, and returns what the detector is surer of: mouths have been taken for
    /// eyes.
    fn the_right_way_up(&mut self, rgb: &RgbImage, face: Face) -> Face {
        let mut region = region_around(&face);
        region.angle += PI;
        let turned = self
            .detector
            .detect(rgb, &region, Averaging::Sparse, TRACK_CONFIDENCE);
        turned
            .into_iter()
            .filter(|other| are_one(other, &face) && other.confidence > face.confidence)
            .max_by(|a, b| a.confidence.total_cmp(&b.confidence))
            .unwrap_or(face)
    }

    /// Detects the face nearest to `last`; where there is none, retries on the area-averaged region, which
    /// has less noise.
    fn confirm(&mut self, rgb: &RgbImage, last: &Face) -> Option<Face> {
        self.detect_near(rgb, last, Averaging::Sparse)
            .or_else(|| self.detect_near(rgb, last, Averaging::Full))
    }

    /// Detects the face nearest to `last` in the region around it.
    fn detect_near(&mut self, rgb: &RgbImage, last: &Face, averaging: Averaging) -> Option<Face> {
        let region = region_around(last);
        let faces = self
            .detector
            .detect(rgb, &region, averaging, TRACK_CONFIDENCE);
        let distance = |face: &Face| {
            let [x, y] = last.square.centre;
            (face.square.centre[0] - x).hypot(face.square.centre[1] - y)
        };
        faces
            .into_iter()
            .filter(|face| is_plausible_successor(face, last, rgb.dimensions()))
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}

/// Whether two detections in one frame are of one face.
fn are_one(a: &Face, b: &Face) -> bool {
    are_near(a, b, ONE_FACE)
}

/// Places the region to search for a face that was at `last`, roll-aligned by its eyes.
pub fn region_around(last: &Face) -> Roi {
    Roi {
        side: REGION_PER_FACE * last.square.side,
        angle: last.roll(),
        ..last.square
    }
}

/// Whether `face` can be where `last` was one frame ago, in an image of the given size.
fn is_plausible_successor(face: &Face, last: &Face, (width, height): (u32, u32)) -> bool {
    let growth = face.square.side / last.square.side;
    let [x, y] = face.square.centre;
    (1.0 / MAX_GROWTH..=MAX_GROWTH).contains(&growth)
        && (0.0..=width as f32).contains(&x)
        && (0.0..=height as f32).contains(&y)
}

#[cfg(test)]
mod tests;
