//! What a training does where its arguments do not say.

/// What a run does where the arguments do not say.
pub(super) struct Usual {
    /// Number of epochs.
    pub epochs: u32,
    /// Crops drawn for an epoch.
    pub epoch_crops: u32,
    /// Learning rate at the start.
    pub learning_rate: f64,
}

impl Usual {
    /// Those of a training from the beginning; shorter ones for drawn eyes, which are quickly learnt, and where a
    /// training goes on, which must not go far.
    pub(super) const fn of(goes_on: bool, is_demo: bool) -> Self {
        match (goes_on, is_demo) {
            (true, _) => Self {
                epochs: 6,
                epoch_crops: 4_000,
                learning_rate: 0.01,
            },
            (false, true) => Self {
                epochs: 8,
                epoch_crops: 8_000,
                learning_rate: 0.1,
            },
            (false, false) => Self {
                epochs: 15,
                epoch_crops: 20_000,
                learning_rate: 0.1,
            },
        }
    }
}
