//! Choice of the device and of the arithmetic to compute with.

use crate::{
    network::{
        module::{Mode, Network, Precision},
        spec::NetworkSpec,
    },
    optimiser,
};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// A device as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device, or the processor where there is none.
    Auto,
    /// The processor.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
}

/// Why there is no device to compute on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The name is none of a device.
    #[error("unknown device '{0}'; give auto, cpu or cuda:0")]
    Unknown(String),
    /// libtorch's CUDA half is not there.
    #[error(
        "no device cuda:{number}: libtorch's CUDA half does not load ({reason}); fetch the full libtorch with `make libtorch` on a machine with an NVIDIA GPU, or give --device cpu"
    )]
    NoCuda {
        /// Number of the device.
        number: usize,
        /// The loader's message.
        reason: String,
    },
    /// There are fewer devices.
    #[error(
        "no device cuda:{number}: libtorch sees {count} CUDA devices; check the NVIDIA driver, or give --device cpu"
    )]
    TooFew {
        /// Number of the device.
        number: usize,
        /// Devices that libtorch sees.
        count: usize,
    },
}

impl std::str::FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| DeviceError::Unknown(other.into())),
        }
    }
}

/// Loads libtorch's CUDA half, which the linker leaves out because nothing calls it by name: one
/// binary then runs with and without CUDA.
///
/// # Errors
/// The loader's: commonly a CPU-only libtorch or a missing CUDA library.
#[allow(unsafe_code)]
fn load_cuda() -> Result<(), libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    let folder = option_env!("LIBTORCH_LIB_DIR").unwrap_or("");
    let path = format!("{folder}/libtorch_cuda.so");
    // SAFETY: loading runs the library's initialisers. It is libtorch's own, of the very version
    // this program is linked with, made to be loaded this way, and never unloaded.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) }?;
    std::mem::forget(library);
    Ok(())
}

/// Picks the device.
///
/// # Errors
/// Names what is missing for the requested CUDA device.
pub(crate) fn choose(choice: DeviceChoice) -> Result<Device, DeviceError> {
    if choice == DeviceChoice::Cpu {
        return Ok(Device::Cpu);
    }
    let loaded = load_cuda();
    let count = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto if count > 0 => Ok(Device::Cuda(0)),
        DeviceChoice::Auto => Ok(Device::Cpu),
        DeviceChoice::Cuda(number) if number < count => Ok(Device::Cuda(number)),
        DeviceChoice::Cuda(number) => Err(match loaded {
            Err(error) => DeviceError::NoCuda {
                number,
                reason: error.to_string(),
            },
            Ok(()) => DeviceError::TooFew { number, count },
        }),
    }
}

/// Images and steps of the measurement that chooses the arithmetic: about a second on two cores
/// for the smallest network. A wide one, whose steps take longer than [`PROBE_TIME`], does one.
const PROBE_IMAGES: i64 = 64;
const PROBE_STEPS: usize = 6;
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Speed-up that bf16 must reach to be chosen: clear enough that the same command chooses the same on a
/// machine whose speed wavers. Where it pays it is 1.2 to 2 times as fast.
const CLEARLY: f64 = 1.15;

/// The arithmetic in which this network trains faster here, measured: bf16 takes half the time of
/// f32 on some processors and more of it on others that have the same instructions. f32 where they
/// are close or the measurement fails; the training will then say why.
pub(crate) fn faster_precision(spec: &NetworkSpec, device: Device, threads: usize) -> Precision {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    let times =
        [Precision::F32, Precision::Bf16].map(|precision| step_time(spec, device, precision));
    match times {
        [Some(single), Some(half)] if half.mul_f64(CLEARLY) < single => Precision::Bf16,
        _ => Precision::F32,
    }
}

/// The shortest time of a training step on images of zeros.
fn step_time(spec: &NetworkSpec, device: Device, precision: Precision) -> Option<Duration> {
    let network = Network::new(spec, precision, device, 0).ok()?;
    let side = spec.side as i64;
    let images = Tensor::f_zeros([PROBE_IMAGES, 1, side, side], (Kind::Float, device)).ok()?;
    let labels = Tensor::f_zeros([PROBE_IMAGES], (Kind::Int64, device)).ok()?;
    let mut shortest = Duration::MAX;
    let first = Instant::now();
    for step in 0..PROBE_STEPS {
        if step > 0 && first.elapsed() > PROBE_TIME {
            break;
        }
        let begun = Instant::now();
        let logits = network.forward(&images, Mode::Train);
        let loss = logits.cross_entropy_for_logits(&labels);
        let gradients = optimiser::gradients(&network, &loss).ok()?;
        // Reading a value waits for the device.
        gradients
            .first()?
            .sum(Kind::Float)
            .f_double_value(&[])
            .ok()?;
        shortest = shortest.min(begun.elapsed());
    }
    Some(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_by_name() {
        assert_eq!("cuda:1".parse(), Ok(DeviceChoice::Cuda(1)));
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert!(
            "gpu"
                .parse::<DeviceChoice>()
                .unwrap_err()
                .to_string()
                .contains("cuda:0")
        );
    }
}
