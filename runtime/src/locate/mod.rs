//! Where the eyes are: a face locator, its tracking from frame to frame, and the levelled square
//! around each eye.

pub mod crop;
