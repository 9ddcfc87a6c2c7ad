//! Vector instructions of the processor that runs the program, and loops compiled once for each kind.
//!
//! The only `unsafe` of the runtime is here; what the loops compute is left to [`crate::convolution`],
//! [`crate::locate::crop`] and [`crate::frame`].

/// Most pixels that are summed at once: with vectors of 16 floats as many as AVX-512 needs to hide the latency
/// of its multiplications.
pub(crate) const MOST_PIXELS: usize = 8;

/// Vector instructions beyond the baseline of the architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Baseline,
}

/// Loops to compile for each kind of instructions.
pub(crate) trait Loops {
    /// Runs the loops. `PIXELS` is how many pixels are best summed at once. `FUSED` says that the processor
    /// multiplies and adds in one instruction; where it does not, `mul_add` would be a function call.
    ///
    /// To be marked `#[inline(always)]`: the loops are compiled for what calls them.
    fn run<const PIXELS: usize, const FUSED: bool>(self);
}

impl Instructions {
    /// Lists what this processor has, the fastest first; never empty.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = [
            is_x86_feature_detected!("avx512f").then_some(Self::Avx512),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
                .then_some(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [None::<Self>; 0];
        wide.into_iter().flatten().chain([Self::Baseline])
    }

    /// Returns the fastest that this processor has.
    pub fn fastest() -> Self {
        Self::available().next().unwrap_or(Self::Baseline)
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
            Self::Baseline if cfg!(target_arch = "aarch64") => loops.run::<4, true>(),
            Self::Baseline => loops.run::<2, false>(),
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
