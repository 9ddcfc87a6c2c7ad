//! The original study's published results: a reference on other data (private, with frames of one
//! person on both sides of its split), never a target.

/// Caption in legends and tables.
pub(crate) const CAPTION: &str = "original study (other data)";

/// A published row.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The network here that it belongs to.
    pub group: &'static str,
    /// Accuracy on clean images.
    pub clean: f64,
    /// Accuracy under FGSM at [`parseye_vision::snr::STUDY_SNRS_DB`].
    pub attacked: [f64; 4],
    /// Whether the examples were another model's: all rows of hardened networks.
    pub transfer: bool,
}

/// Tables 8 and 10.
pub(crate) const PUBLISHED: [Published; 8] = [
    row("parseval-16-1", 0.714, [0.665, 0.629, 0.562, 0.400], false),
    row("wrn-16-1", 0.696, [0.652, 0.623, 0.563, 0.396], false),
    row(
        "parseval-16-1-hardened",
        0.703,
        [0.697, 0.695, 0.687, 0.664],
        true,
    ),
    row(
        "wrn-16-1-hardened",
        0.692,
        [0.685, 0.682, 0.674, 0.652],
        true,
    ),
    row("cnn-4", 0.706, [0.670, 0.650, 0.602, 0.472], false),
    row("cnn-4-decay", 0.705, [0.694, 0.685, 0.665, 0.618], false),
    row(
        "cnn-4-decay-hardened",
        0.703,
        [0.695, 0.689, 0.677, 0.642],
        true,
    ),
    row(
        "cnn-4-orthogonal",
        0.697,
        [0.687, 0.681, 0.668, 0.628],
        false,
    ),
];

const fn row(group: &'static str, clean: f64, attacked: [f64; 4], transfer: bool) -> Published {
    Published {
        group,
        clean,
        attacked,
        transfer,
    }
}

/// The published row of a network.
pub fn of(group: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|published| published.group == group)
}
