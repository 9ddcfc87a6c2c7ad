//! Which of a camera's formats to ask for, and which next when it refuses.
//!
//! First comes the wanted size at the wanted rate in any format that is read, then Motion JPEG,
//! YUYV and GREY at the sizes nearest to it. A driver may list what it cannot do (an uncompressed
//! picture that does not fit through a shared USB port, for one), so the whole ladder is kept.

use super::pixels::PixelFormat;

/// A rate this much below the wanted one is as good: cameras call 29.97 "30" and the reverse.
const FAST_ENOUGH: f64 = 0.95;

/// A picture size in pixels, width first.
pub(super) type Size = (u32, u32);

/// One way to ask a camera for pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FormatCandidate {
    pub(super) format: PixelFormat,
    pub(super) size: Size,
}

/// What a camera offers: a candidate, and its highest rate in frames a second where that is known.
pub(super) type Offer = (FormatCandidate, Option<f64>);

/// The offers in the order in which they should be tried.
pub(super) fn ladder(mut offers: Vec<Offer>, wanted: Size, rate: f64) -> Vec<FormatCandidate> {
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

/// A rate in words: whole numbers as such, others with two digits.
pub(super) fn rate_in_words(rate: f64) -> String {
    let words = format!("{rate:.2}");
    words.trim_end_matches('0').trim_end_matches('.').to_owned()
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
        ladder(offers.to_vec(), VGA, rate)
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
    fn fractional_rates_are_named_as_they_are() {
        assert_eq!(rate_in_words(30.0), "30");
        assert_eq!(rate_in_words(30_000.0 / 1001.0), "29.97");
        assert_eq!(rate_in_words(7.5), "7.5");
        assert_eq!(rate_in_words(100.0), "100");
    }
}
