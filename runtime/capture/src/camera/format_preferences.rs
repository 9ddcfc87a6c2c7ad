//! Format preferences: the order in which a camera is asked for its formats, until it accepts one.
//!
//! First comes the wanted size at the wanted rate in any format that can be read, then Motion JPEG,
//! YUYV, NV12 and GREY at the sizes nearest to it. A driver may list what it cannot do (uncompressed
//! frames that exceed the bandwidth of a shared USB port, for one), so all candidates are kept.

use super::pixels::PixelFormat;

/// A rate this much below the wanted one is as good: cameras report 29.97 as 30 and the reverse.
const FAST_ENOUGH: f64 = 0.95;

/// A frame size in pixels, width first.
pub(super) type Size = (u32, u32);

/// A format and size to ask a camera for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FormatCandidate {
    pub(super) format: PixelFormat,
    pub(super) size: Size,
}

/// A candidate that a camera offers, with its highest rate in frames per second where that is known.
pub(super) type Offer = (FormatCandidate, Option<f64>);

/// Sorts the offers into the order in which to try them.
pub(super) fn candidates(mut offers: Vec<Offer>, wanted: Size, rate: f64) -> Vec<FormatCandidate> {
    let distance =
        |size: Size| u64::from(size.0.abs_diff(wanted.0)) + u64::from(size.1.abs_diff(wanted.1));
    offers.sort_by_key(|(candidate, fastest)| {
        let fast = fastest.is_none_or(|fastest| fastest >= FAST_ENOUGH * rate);
        let fits = candidate.size == wanted && fast;
        (!fits, candidate.format, distance(candidate.size), !fast)
    });
    let mut candidates: Vec<FormatCandidate> =
        offers.into_iter().map(|(candidate, _)| candidate).collect();
    candidates.dedup();
    candidates
}

/// Formats a rate: whole numbers as such, others with at most two decimals.
pub(super) fn format_rate(rate: f64) -> String {
    let text = format!("{rate:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use PixelFormat::{Grey, Mjpeg, Yuyv};

    const VGA: Size = (640, 480);

    fn offer(format: PixelFormat, size: Size, fastest: f64) -> Offer {
        (FormatCandidate { format, size }, Some(fastest))
    }

    fn order(offers: &[Offer], rate: f64) -> Vec<(PixelFormat, Size)> {
        candidates(offers.to_vec(), VGA, rate)
            .into_iter()
            .map(|candidate| (candidate.format, candidate.size))
            .collect()
    }

    #[test]
    fn the_wanted_size_comes_first_and_motion_jpeg_before_the_rest() {
        let offers = [
            offer(Grey, VGA, 30.0),
            offer(Yuyv, VGA, 30.0),
            offer(Mjpeg, (1920, 1080), 30.0),
            offer(Mjpeg, VGA, 30.0),
            offer(Mjpeg, (800, 600), 30.0),
        ];
        let expected = [
            (Mjpeg, VGA),
            (Yuyv, VGA),
            (Grey, VGA),
            (Mjpeg, (800, 600)),
            (Mjpeg, (1920, 1080)),
        ];
        assert_eq!(order(&offers, 30.0), expected);
    }

    #[test]
    fn an_exact_size_in_another_format_beats_a_near_one() {
        let offers = [offer(Mjpeg, (1280, 720), 30.0), offer(Yuyv, VGA, 29.97)];
        assert_eq!(order(&offers, 30.0)[0], (Yuyv, VGA));
    }

    #[test]
    fn an_exact_size_that_is_too_slow_does_not() {
        let offers = [
            offer(Yuyv, VGA, 10.0),
            offer(Mjpeg, (800, 600), 30.0),
            offer(Grey, (320, 240), 30.0),
        ];
        let expected = [(Mjpeg, (800, 600)), (Yuyv, VGA), (Grey, (320, 240))];
        assert_eq!(order(&offers, 30.0), expected);
        assert_eq!(order(&offers, 10.0)[0], (Yuyv, VGA));
    }

    #[test]
    fn fractional_rates_keep_two_decimals() {
        assert_eq!(format_rate(30.0), "30");
        assert_eq!(format_rate(30_000.0 / 1001.0), "29.97");
        assert_eq!(format_rate(7.5), "7.5");
        assert_eq!(format_rate(100.0), "100");
    }
}
