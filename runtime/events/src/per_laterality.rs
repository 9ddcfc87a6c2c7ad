//! A value for the left eye, the right eye, and both together.

use parseye_vision::temporal::Laterality;
use serde::Serialize;

/// A value for each eye and for both together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PerLaterality<T> {
    /// The subject's left eye.
    pub left: T,
    /// The subject's right eye.
    pub right: T,
    /// Both eyes together.
    pub both: T,
}

impl<T> PerLaterality<T> {
    /// Makes each value with the same function, in the order of [`Laterality::ALL`].
    pub fn from_fn(mut make: impl FnMut(Laterality) -> T) -> Self {
        let [left, right, both] = Laterality::ALL.map(&mut make);
        Self { left, right, both }
    }

    /// Borrows one value.
    pub const fn get(&self, eye: Laterality) -> &T {
        match eye {
            Laterality::Left => &self.left,
            Laterality::Right => &self.right,
            Laterality::Both => &self.both,
        }
    }

    /// Borrows one value, to change it.
    pub const fn get_mut(&mut self, eye: Laterality) -> &mut T {
        match eye {
            Laterality::Left => &mut self.left,
            Laterality::Right => &mut self.right,
            Laterality::Both => &mut self.both,
        }
    }
}
