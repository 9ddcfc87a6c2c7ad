//! Where everything stands in the plot, in pixels, and its colours.

use parseye_plot::{PALETTE, TEXT_SIZE};
use parseye_vision::eye_state::PerEye;
use plotters::style::RGBColor;

/// Width of the plot.
pub(super) const WIDTH: i32 = RIGHT + 26;
/// Left edge of the data.
pub(super) const LEFT: i32 = 118;
/// Width of the data: a pixel for each column that a [`Timeline`](crate::session::Timeline) can have.
pub(super) const DATA: i32 = crate::session::MOST_COLUMNS as i32;
/// Right edge of the data.
pub(super) const RIGHT: i32 = LEFT + DATA;

/// Height of the heading.
pub(super) const HEADING: i32 = 86;
/// Height of an eye's band of states.
pub(super) const BAND: i32 = 34;
/// Height of a row of blinks.
pub(super) const BLINK_ROW: i32 = 20;
/// Height of a row of long closures or alerts.
pub(super) const SPAN_ROW: i32 = 15;
/// Height of a panel of values.
pub(super) const PANEL: i32 = 92;
/// Space between groups.
pub(super) const SPACE: i32 = 16;
/// Height of the axis of time.
pub(super) const AXIS: i32 = 52;
/// Size of small text.
pub(super) const SMALL: i32 = TEXT_SIZE - 2;

/// Lightness falls from open to closed, so that gray prints tell them apart; not visible is striped.
pub(super) const OPEN: RGBColor = RGBColor(176, 217, 242);
pub(super) const PARTIALLY: RGBColor = RGBColor(230, 159, 0);
pub(super) const CLOSED: RGBColor = RGBColor(16, 52, 96);
pub(super) const HIDDEN: [RGBColor; 2] = [RGBColor(236, 236, 236), RGBColor(150, 150, 150)];
/// Text of less importance.
pub(super) const SOFT: RGBColor = RGBColor(80, 80, 80);
/// Lines of the left and the right eye: dark and light.
pub(super) const EYES: PerEye<RGBColor> = PerEye {
    left: PALETTE[0],
    right: PALETTE[5],
};
