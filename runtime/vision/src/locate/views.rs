//! The views of a frame that a search goes through: squares of several sizes that overlap, so that a face of any
//! size lies whole in one of them, large enough for the network's small input.
//!
//! The order of views over frames is left to [`super::search`].

use super::{Roi, watch::PixelRect};

/// Side in pixels of the smallest faces that are searched for.
pub const SMALLEST_FACE: f32 = 48.0;

/// Smallest share of a view's side at which a face is found well.
///
/// 0.15, 19 pixels of the network's input: of upright faces of 17 pixels more than a third was missed, of 19 a tenth.
const SMALLEST_SHARE: f32 = 0.15;

/// Ratio of the sides of views of neighbouring levels.
const LEVEL_RATIO: f32 = 2.0;

/// Share of a view that overlaps the next one of its level: what a face measures that the next level, of views
/// twice as large, finds as well.
const OVERLAP: f32 = SMALLEST_SHARE * LEVEL_RATIO;

/// Share of its side by which a view at the frame's edge reaches beyond it: the network wants some room around a
/// face.
const MARGIN: f32 = 0.08;

/// Side of the widest view in shorter sides of the frame: a face of 1.3 times the frame's height fills two thirds
/// of it.
const WIDEST: f32 = 2.0;

/// A square to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    pub(super) region: Roi,
    /// 0 for the widest views, 1 for the next smaller ones and so on.
    pub(super) level: usize,
}

impl View {
    /// Side in pixels of the smallest faces that it shows well.
    pub(super) fn smallest_face(&self) -> f32 {
        SMALLEST_SHARE * self.region.side
    }
}

/// Lists the views of an image of this size for heads upright at each of `angles`, the smallest views at each of
/// `finest_angles`; the widest first, of these those of the first angle; only those that show some of `area`. None
/// for an empty image or area.
pub(super) fn views(
    size: [f32; 2],
    area: &PixelRect,
    angles: &[f32],
    finest_angles: &[f32],
) -> Vec<View> {
    let [shorter, longer] = [size[0].min(size[1]), size[0].max(size[1])];
    // Also false for what is not a number.
    let shows_something = shorter >= 1.0 && !area.is_empty();
    if !shows_something {
        return Vec::new();
    }
    let mut sides = vec![SMALLEST_FACE / SMALLEST_SHARE];
    while let Some(side) = sides.last()
        && LEVEL_RATIO * side < longer
    {
        sides.push(LEVEL_RATIO * side);
    }
    // Small frames have no smaller views than themselves.
    sides.retain(|side| *side < longer);
    sides.push(longer);
    if WIDEST * shorter > longer {
        sides.push(WIDEST * shorter);
    }
    sides.reverse();
    let mut views = Vec::new();
    let finest = sides.len() - 1;
    for (level, side) in sides.into_iter().enumerate() {
        for angle in if level == finest {
            finest_angles
        } else {
            angles
        } {
            let of_level = positions(size[1], side)
                .into_iter()
                .flat_map(|y| positions(size[0], side).into_iter().map(move |x| [x, y]));
            let shown = of_level.filter(|centre| shows(*centre, side, area));
            views.extend(shown.map(|centre| View {
                region: Roi {
                    centre,
                    side,
                    angle: *angle,
                },
                level,
            }));
        }
    }
    views
}

/// Centres of views of this side that cover a length, evenly spread.
fn positions(length: f32, side: f32) -> Vec<f32> {
    if side >= length {
        return vec![length / 2.0];
    }
    let (first, last) = (-MARGIN * side, length - side + MARGIN * side);
    let steps = ((last - first) / ((1.0 - OVERLAP) * side)).ceil().max(1.0);
    (0..=steps as usize)
        .map(|step| first + (last - first) * step as f32 / steps + side / 2.0)
        .collect()
}

/// Whether a face whose centre lies in the area may be in the view.
fn shows(centre: [f32; 2], side: f32, area: &PixelRect) -> bool {
    [0, 1].iter().all(|axis| {
        let reach = side / 2.0;
        centre[*axis] + reach > area.from[*axis] && centre[*axis] - reach < area.to[*axis]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(width: f32, height: f32) -> Vec<View> {
        let size = [width, height];
        views(size, &PixelRect::whole(size), &[0.0], &[0.0])
    }

    #[test]
    fn the_number_of_views_grows_with_the_frame() {
        let numbers = [
            [320.0, 240.0],
            [640.0, 480.0],
            [1280.0, 720.0],
            [1920.0, 1080.0],
        ]
        .map(|[width, height]| whole(width, height).len());
        assert_eq!(numbers, [2, 8, 32, 64]);
    }

    #[test]
    fn an_empty_image_or_region_has_no_views() {
        assert_eq!(whole(0.0, 480.0), []);
        let outside = PixelRect {
            from: [700.0, 0.0],
            to: [640.0, 480.0],
        };
        assert_eq!(views([640.0, 480.0], &outside, &[0.0], &[0.0]), []);
    }

    #[test]
    fn a_region_leaves_fewer_views_and_a_second_turn_doubles_them() {
        let size = [1920.0, 1080.0];
        let left = PixelRect {
            from: [0.0; 2],
            to: [480.0, 1080.0],
        };
        let of = |area: &PixelRect, angles: &[f32]| views(size, area, angles, angles).len();
        let all = of(&PixelRect::whole(size), &[0.0]);
        assert!(of(&left, &[0.0]) < all / 2);
        assert_eq!(of(&PixelRect::whole(size), &[0.0, 3.1]), 2 * all);
    }

    proptest! {
        /// From 48 pixels to 1.3 times the height, with its centre anywhere in the frame.
        #[test]
        fn every_face_lies_in_a_view_in_which_it_is_large_enough(
            size in prop::sample::select(vec![[320.0_f32, 240.0], [640.0, 480.0], [1280.0, 720.0], [1920.0, 1080.0], [480.0, 640.0]]),
            x in 0.0_f32..=1.0, y in 0.0_f32..=1.0, share in 0.0_f32..=1.0,
        ) {
            let most = 1.3 * size[0].min(size[1]);
            let side = SMALLEST_FACE * (most / SMALLEST_FACE).powf(share);
            let centre = [x * size[0], y * size[1]];
            let views = views(size, &PixelRect::whole(size), &[0.0], &[0.0]);
            let good = views.iter().any(|view| {
                let large = side >= view.smallest_face() * 0.999 && side <= 0.98 * view.region.side;
                // As much of it as the frame shows, but for a tenth of it.
                let whole = [0, 1].iter().all(|axis| {
                    let reach = view.region.side / 2.0;
                    let from = (centre[*axis] - 0.4 * side).max(0.0);
                    let to = (centre[*axis] + 0.4 * side).min(size[*axis]);
                    view.region.centre[*axis] - reach <= from + 1e-3
                        && view.region.centre[*axis] + reach >= to - 1e-3
                });
                large && whole
            });
            prop_assert!(good, "{side} at {centre:?} of {size:?}");
        }
    }
}
