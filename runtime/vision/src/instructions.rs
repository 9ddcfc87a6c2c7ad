//! Which instructions a processor has, and loops compiled once for each kind of them.

/// Pixels that are summed up at once, at most: with vectors of 16 numbers as many as AVX-512 needs to hide
/// the latency of its multiplications.
pub(crate) const MOST_PIXELS: usize = 8;

/// What a processor may have beyond its architecture's common instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Common,
}

/// Loops that are worth compiling for each kind of instructions.
pub(crate) trait Loops {
    /// As many `PIXELS` as are best summed up at once. `FUSED` says that the processor multiplies and adds in one
    /// instruction; where it does not, `mul_add` would call a function for each number.
    ///
    /// To be marked `#[inline(always)]`: the loops are compiled for what calls them.
    fn run<const PIXELS: usize, const FUSED: bool>(self);
}

impl Instructions {
    /// What this processor has, the fastest first; never empty.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = [
            is_x86_feature_detected!("avx512f").then_some(Self::Avx512),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
                .then_some(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [None::<Self>; 0];
        wide.into_iter().flatten().chain([Self::Common])
    }

    /// The fastest that this processor has.
    pub fn fastest() -> Self {
        Self::available().next().unwrap_or(Self::Common)
    }

    /// Runs loops on these instructions, which [`Self::available`] must have given.
    pub fn run(self, loops: impl Loops) {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Self::available` gives only what the processor has.
            #[allow(unsafe_code)]
            Self::Avx512 => unsafe { avx512(loops) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            #[allow(unsafe_code)]
            Self::Avx2 => unsafe { avx2(loops) },
            Self::Common if cfg!(target_arch = "aarch64") => loops.run::<4, true>(),
            Self::Common => loops.run::<2, false>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(loops: impl Loops) {
    loops.run::<MOST_PIXELS, true>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(loops: impl Loops) {
    loops.run::<6, true>();
}
