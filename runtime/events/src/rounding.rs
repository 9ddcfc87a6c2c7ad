//! Numbers as reports show them: rounded to what is meaningful, so that a log is small and two runs write
//! the same bytes.

use std::time::Duration;

/// Rounds to millionths: probabilities, shares, and seconds that are no [`Duration`].
pub fn millionths(value: f64) -> f64 {
    rounded(value, 1e6)
}

/// Rounds to thousandths: pixels, degrees, rates, and what charts show.
pub fn thousandths(value: f64) -> f64 {
    rounded(value, 1e3)
}

/// Rounds to hundredths: decibels, which scatter by more from one measurement to the next.
pub fn hundredths(value: f64) -> f64 {
    rounded(value, 1e2)
}

fn rounded(value: f64, per_unit: f64) -> f64 {
    // Adding zero turns a negative zero, which JSON would show, into zero.
    (value * per_unit).round() / per_unit + 0.0
}

/// Seconds, rounded to microseconds.
pub fn seconds(time: Duration) -> f64 {
    microseconds(time) as f64 / 1e6
}

/// Milliseconds, rounded to microseconds.
pub fn milliseconds(time: Duration) -> f64 {
    microseconds(time) as f64 / 1e3
}

fn microseconds(time: Duration) -> u128 {
    const HALF_A_MICROSECOND: u128 = 500;
    (time.as_nanos() + HALF_A_MICROSECOND) / 1000
}

/// Formats seconds for people: `5.25 s`, `3:05.2` or `2:03:05`.
pub fn clock(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3600.0;
    if seconds < MINUTE {
        return format!("{seconds:.2} s");
    }
    if seconds < HOUR {
        let tenths = (seconds * 10.0).round();
        let minutes = (tenths / 600.0).floor();
        return format!("{minutes:.0}:{:04.1}", (tenths - 600.0 * minutes) / 10.0);
    }
    let whole = seconds.round();
    let hours = (whole / HOUR).floor();
    let minutes = ((whole - HOUR * hours) / MINUTE).floor();
    format!(
        "{hours:.0}:{minutes:02.0}:{:02.0}",
        whole - HOUR * hours - MINUTE * minutes
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_kept_and_zero_has_no_sign() {
        assert_eq!(millionths(0.123_456_7), 0.123_457);
        assert_eq!(thousandths(-0.0001).to_string(), "0");
        assert_eq!(hundredths(12.345), 12.35);
        let time = Duration::from_nanos(1_233_333_500);
        assert_eq!((seconds(time), milliseconds(time)), (1.233_334, 1233.334));
    }

    #[test]
    fn clocks_have_the_unit_that_is_read_best() {
        let texts = [5.25, 185.24, 7385.4].map(clock);
        assert_eq!(texts, ["5.25 s", "3:05.2", "2:03:05"]);
    }
}
