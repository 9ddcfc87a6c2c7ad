//! Faces from what the network predicts for each of its anchors.
//!
//! Source of the constants: MediaPipe's face detection graph (SSD anchors of a 128-pixel input with
//! strides 8 and 16, fixed anchor size; 16 regression values a candidate).

use super::SIDE;
use crate::{
    eye_state::PerEye,
    locate::{Face, Roi},
};

/// Coordinates regressed for a candidate: box centre, box size, then six keypoints, as (x, y) each.
pub const COORDS: usize = 16;

/// The network's two grids of anchors.
pub const GRIDS: [Grid; 2] = [
    Grid {
        cells: 16,
        per_cell: 2,
    },
    Grid {
        cells: 8,
        per_cell: 6,
    },
];

/// Candidates that overlap the best by more than this (intersection over union) are the same face;
/// MediaPipe's min_suppression_threshold.
const SAME_FACE: f32 = 0.3;

/// How far outside the region a box or an eye may be, in sides of the region. A face in the
/// region has its eyes nearby; coordinates beyond are garbage that would overflow the geometry.
const REACH: f32 = 2.0;

/// A square grid of anchors.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Cells along each side.
    pub cells: usize,
    /// Candidates in each cell.
    pub per_cell: usize,
}

impl Grid {
    /// Number of candidates of the grid.
    pub const fn candidates(self) -> usize {
        self.cells * self.cells * self.per_cell
    }
}

/// A face in the units of the region that was searched: (0, 0) to (1, 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Confidence, 0 to 1; not calibrated.
    pub confidence: f32,
    /// Centre of the box.
    pub centre: [f32; 2],
    /// Width and height of the box, above 0.
    pub size: [f32; 2],
    /// Centres of the subject's eyes.
    pub eyes: PerEye<[f32; 2]>,
}

impl Detection {
    /// Intersection over union of two boxes.
    fn overlap(&self, other: &Self) -> f32 {
        let shared = |axis: usize| {
            let low = |d: &Self| d.centre[axis] - d.size[axis] / 2.0;
            let high = |d: &Self| d.centre[axis] + d.size[axis] / 2.0;
            (high(self).min(high(other)) - low(self).max(low(other))).max(0.0)
        };
        let area = |d: &Self| d.size[0] * d.size[1];
        let intersection = shared(0) * shared(1);
        intersection / (area(self) + area(other) - intersection)
    }

    /// Converts to a face in pixels of the image that `region` is a part of.
    pub fn in_image(&self, region: &Roi) -> Face {
        Face {
            confidence: self.confidence,
            square: Roi {
                centre: region.to_image(self.centre),
                side: self.size[0].max(self.size[1]) * region.side,
                angle: 0.0,
            },
            eyes: PerEye::from_fn(|eye| region.to_image(*self.eyes.get(eye))),
        }
    }
}

/// Decodes the raw outputs of one grid: logits, and [`COORDS`] for each, in input pixels from the cell's
/// centre. Candidates below the confidence `threshold` or with coordinates that are not finite or out of
/// reach are dropped; a surplus on either side is ignored.
pub fn decode(
    grid: Grid,
    logits: &[f32],
    coordinates: &[f32],
    threshold: f32,
    found: &mut Vec<Detection>,
) {
    let rows = logits.iter().zip(coordinates.chunks_exact(COORDS));
    // Nearly all candidates fail, so compare before the costly sigmoid; just after a tract kernel,
    // which leaves AVX registers in use, each call of `exp` was seen to take 0.2 microseconds.
    let least_logit = (threshold / (1.0 - threshold)).ln();
    for (index, (logit, coordinates)) in rows.take(grid.candidates()).enumerate() {
        // A comparison with NaN is false, so that NaN is dropped, too.
        let passes = *logit >= least_logit;
        if !passes {
            continue;
        }
        let confidence = 1.0 / (1.0 + (-logit).exp());
        let cell = index / grid.per_cell;
        let anchor = [cell % grid.cells, cell / grid.cells]
            .map(|position| (position as f32 + 0.5) / grid.cells as f32);
        let point = |at: usize| {
            [
                coordinates[at] / SIDE as f32 + anchor[0],
                coordinates[at + 1] / SIDE as f32 + anchor[1],
            ]
        };
        let detection = Detection {
            confidence,
            centre: point(0),
            size: [coordinates[2] / SIDE as f32, coordinates[3] / SIDE as f32],
            // Keypoint 0 is the subject's right eye, keypoint 1 the left one.
            eyes: PerEye {
                left: point(6),
                right: point(4),
            },
        };
        if is_plausible(&detection) {
            found.push(detection);
        }
    }
}

/// Whether every coordinate is finite and within [`REACH`]; any comparison with NaN is false.
fn is_plausible(detection: &Detection) -> bool {
    let near = |point: [f32; 2]| point.iter().all(|v| (-REACH..=1.0 + REACH).contains(v));
    // A box below one input pixel is no face, and would make the next region a point.
    let sized = |v: &f32| (1.0 / SIDE as f32..=REACH).contains(v);
    near(detection.centre)
        && near(detection.eyes.left)
        && near(detection.eyes.right)
        && detection.size.iter().all(sized)
}

/// Merges candidates of the same face (weighted non-maximum suppression) into their mean weighted by
/// confidence, which steadies the eyes' positions; the best candidate's confidence stays. Best face first.
pub fn merge(mut candidates: Vec<Detection>) -> Vec<Detection> {
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut faces = Vec::new();
    while let Some(best) = candidates.first().copied() {
        let (same, others): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .enumerate()
            // The best belongs to its own group even if its overlap is lost to rounding.
            .partition(|(index, other)| *index == 0 || best.overlap(other) > SAME_FACE);
        let total: f32 = same.iter().map(|(_, face)| face.confidence).sum();
        let mean = |of: &dyn Fn(&Detection) -> [f32; 2]| {
            let mut sum = [0.0; 2];
            for (_, face) in &same {
                let value = of(face);
                sum[0] += face.confidence * value[0];
                sum[1] += face.confidence * value[1];
            }
            sum.map(|v| v / total)
        };
        faces.push(Detection {
            confidence: best.confidence,
            centre: mean(&|face| face.centre),
            size: mean(&|face| face.size),
            eyes: PerEye {
                left: mean(&|face| face.eyes.left),
                right: mean(&|face| face.eyes.right),
            },
        });
        candidates = others.into_iter().map(|(_, face)| face).collect();
    }
    faces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detection(x: f32, y: f32, confidence: f32) -> Detection {
        Detection {
            confidence,
            centre: [x, y],
            size: [0.2, 0.2],
            eyes: PerEye {
                left: [x + 0.05, y],
                right: [x - 0.05, y],
            },
        }
    }

    #[test]
    fn a_confident_candidate_at_an_anchor_gives_the_box_around_its_cell() {
        for grid in GRIDS {
            let (column, row) = (3, grid.cells - 2);
            let index = (row * grid.cells + column) * grid.per_cell + 1;
            let mut logits = vec![-20.0; grid.candidates()];
            let mut coordinates = vec![0.0; grid.candidates() * COORDS];
            logits[index] = 3.0;
            let candidate = &mut coordinates[index * COORDS..][..COORDS];
            // Box of a quarter of the input; right eye up and left on screen, left eye up and right.
            candidate[2..8].copy_from_slice(&[32.0, 32.0, -8.0, -4.0, 8.0, -4.0]);
            let mut found = Vec::new();
            decode(grid, &logits, &coordinates, 0.5, &mut found);
            let centre = [column, row].map(|p| (p as f32 + 0.5) / grid.cells as f32);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].centre, centre);
            assert_eq!(found[0].size, [0.25; 2]);
            assert_eq!(
                found[0].eyes.right,
                [centre[0] - 0.0625, centre[1] - 0.03125]
            );
            assert_eq!(
                found[0].eyes.left,
                [centre[0] + 0.0625, centre[1] - 0.03125]
            );
            assert!((found[0].confidence - 0.95257).abs() < 1e-4);
        }
    }

    #[test]
    fn overlapping_candidates_become_their_weighted_mean() {
        let faces = merge(vec![
            detection(0.30, 0.5, 0.6),
            detection(0.34, 0.5, 0.9),
            detection(0.80, 0.5, 0.7),
        ]);
        assert_eq!(faces.len(), 2);
        assert_eq!(faces[0].confidence, 0.9);
        assert!((faces[0].centre[0] - 0.324).abs() < 1e-5);
        assert!((faces[0].eyes.left[0] - 0.374).abs() < 1e-5);
        assert!((faces[1].centre[0] - 0.80).abs() < 1e-6);
    }

    #[test]
    fn a_face_in_a_turned_region_lands_where_the_region_lies() {
        let region = Roi {
            centre: [100.0, 200.0],
            side: 50.0,
            angle: std::f32::consts::FRAC_PI_2,
        };
        let face = detection(0.5, 0.5, 0.9).in_image(&region);
        // The region's x axis points down, so the subject's left eye lies below.
        assert!((face.eyes.left[0] - 100.0).abs() < 1e-4);
        assert!((face.eyes.left[1] - 202.5).abs() < 1e-4);
        assert!((face.roll() - std::f32::consts::FRAC_PI_2).abs() < 1e-4);
        assert_eq!(face.square.side, 10.0);
    }

    /// Ordinary numbers, extreme ones and NaN.
    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => -200.0_f32..200.0,
            1 => any::<f32>(),
            1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX]),
        ]
    }

    proptest! {
        #[test]
        fn whatever_the_network_predicts_faces_are_finite(
            logits in prop::collection::vec(number(), 0..100),
            coordinates in prop::collection::vec(number(), 0..1700),
            threshold in 0.0_f32..1.0,
        ) {
            let mut found = Vec::new();
            for grid in GRIDS {
                decode(grid, &logits, &coordinates, threshold, &mut found);
            }
            let region = Roi { centre: [320.0, 240.0], side: 640.0, angle: 0.4 };
            for detection in merge(found) {
                let face = detection.in_image(&region);
                prop_assert!(detection.confidence >= threshold - 1e-5 && detection.confidence <= 1.0);
                prop_assert!(face.square.side > 0.0 && face.square.side < 2000.0);
                prop_assert!(face.roll().is_finite() && face.eye_distance().is_finite());
                prop_assert!(face.square.centre.iter().all(|v| v.is_finite()));
            }
        }

        #[test]
        fn merged_faces_do_not_overlap_the_best_of_another(
            places in prop::collection::vec((0.0_f32..1.0, 0.0_f32..1.0, 0.5_f32..1.0), 1..12),
        ) {
            let candidates: Vec<_> = places.iter().map(|(x, y, s)| detection(*x, *y, *s)).collect();
            let faces = merge(candidates.clone());
            prop_assert!(!faces.is_empty() && faces.len() <= candidates.len());
            prop_assert!(faces.is_sorted_by(|a, b| a.confidence >= b.confidence));
            let best = places.iter().map(|p| p.2).fold(0.0, f32::max);
            prop_assert_eq!(faces[0].confidence, best);
        }
    }
}
