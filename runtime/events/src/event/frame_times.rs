//! The events of frames that come too rarely, or not at all.

use super::Event;
use crate::rounding::{seconds, thousandths};
use parseye_vision::temporal::{FrameRateChange, Gap, Untold};
use serde::{Deserialize, Serialize};

/// Time without a frame, of which nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapEvent {
    /// Source.
    pub clip: String,
    /// Time in seconds of the last frame before it.
    pub from: f64,
    /// Time in seconds of the first frame after it.
    pub to: f64,
    /// Seconds from `from` to `to`.
    pub duration: f64,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// What frames that come so rarely cannot show, changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameRateEvent {
    /// Source.
    pub clip: String,
    /// Time in seconds of the frame that showed it.
    pub time: f64,
    /// Frames processed a second.
    pub frames_per_second: f64,
    /// What can no longer be told; empty where all can be told again.
    pub untold: Vec<Untold>,
    /// The same for people.
    pub message: String,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// Says for people what this many frames a second do not show.
pub fn untold_message(frames_per_second: f64, untold: &[Untold]) -> String {
    let rate = format!("{frames_per_second:.1} frames/s");
    if untold.contains(&Untold::Closures) {
        format!(
            "{rate}: too few to tell anything of blinks or of closed eyes, no alarm can come; give more light, a smaller frame or a faster machine"
        )
    } else if untold.contains(&Untold::Blinks) {
        format!(
            "{rate}: too few to count blinks, which fall in between; eyes that stay closed are still told"
        )
    } else {
        format!("{rate}: blinks and closures are told again")
    }
}

pub(super) fn of_gap(clip: &str, gap: &Gap, unix_time: Option<f64>) -> Event {
    Event::Gap(GapEvent {
        clip: clip.into(),
        from: seconds(gap.from),
        to: seconds(gap.to),
        duration: seconds(gap.to.saturating_sub(gap.from)),
        unix_time,
    })
}

pub(super) fn of_frame_rate(clip: &str, change: &FrameRateChange, unix_time: Option<f64>) -> Event {
    Event::FrameRate(FrameRateEvent {
        clip: clip.into(),
        time: seconds(change.time),
        frames_per_second: thousandths(change.frames_per_second),
        untold: change.untold.to_vec(),
        message: untold_message(change.frames_per_second, change.untold),
        unix_time,
    })
}
