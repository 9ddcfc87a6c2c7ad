//! What may be wrong with the bytes of one frame.

/// Why a buffer holds no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It ends before the image does.
    Truncated,
    /// It is whole but cannot be decoded, or is of another size than was negotiated.
    Undecodable,
}
