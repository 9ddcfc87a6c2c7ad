//! Which device and how many threads to compute with.

use crate::{
    network::{
        module::{Mode, Network, Precision},
        spec::NetworkSpec,
    },
    optimiser,
};
use parseye_vision::classify::input::SIDE;
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

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("unknown device '{other}'; give auto, cpu or cuda:0")),
        }
    }
}

/// Loads libtorch's CUDA half, which the linker leaves out because nothing calls it by name: one
/// binary then runs with and without CUDA.
///
/// # Errors
/// The loader's words: commonly a CPU-only libtorch or a missing CUDA library.
#[allow(unsafe_code)]
fn load_cuda() -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    let folder = option_env!("LIBTORCH_LIB_DIR").unwrap_or("");
    let path = format!("{folder}/libtorch_cuda.so");
    // SAFETY: loading runs the library's initialisers. It is libtorch's own, of the very version
    // this program is linked with, made to be loaded this way, and never unloaded.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) };
    let library = library.map_err(|error| error.to_string())?;
    std::mem::forget(library);
    Ok(())
}

/// Picks the device.
///
/// # Errors
/// Says what is missing for the CUDA device that was asked for.
pub fn choose(choice: DeviceChoice) -> Result<Device, String> {
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
            Err(reason) => format!(
                "no device cuda:{number}: libtorch's CUDA half does not load ({reason}); fetch the \
                 full libtorch with `make libtorch` on a machine with an NVIDIA GPU, or give --device cpu"
            ),
            Ok(()) => format!(
                "no device cuda:{number}: libtorch sees {count} CUDA devices; check the NVIDIA driver, \
                 or give --device cpu"
            ),
        }),
    }
}

/// Pictures and steps of the measurement that chooses the arithmetic: about a second on two cores
/// for the smallest network. A wide one, whose steps take longer than [`PROBE_TIME`], does one.
const PROBE_PICTURES: i64 = 64;
const PROBE_STEPS: usize = 6;
const PROBE_TIME: Duration = Duration::from_secs(2);

/// How much faster bf16 must be to be taken: clearly, so that the same command chooses the same on a
/// machine whose speed wavers. Where it pays it is 1.2 to 2 times as fast.
const CLEARLY: f64 = 1.15;

/// The arithmetic in which this network trains faster here, measured: bf16 takes half the time of
/// f32 on some processors and more of it on others that have the same instructions. f32 where they
/// are close or the measurement fails; the training will then say why.
pub fn faster_precision(spec: &NetworkSpec, device: Device, threads: usize) -> Precision {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    let times =
        [Precision::F32, Precision::Bf16].map(|precision| step_time(spec, device, precision));
    match times {
        [Some(single), Some(half)] if half.mul_f64(CLEARLY) < single => Precision::Bf16,
        _ => Precision::F32,
    }
}

/// The shortest time of a training step on pictures of zeros.
fn step_time(spec: &NetworkSpec, device: Device, precision: Precision) -> Option<Duration> {
    let network = Network::new(spec, precision, device, 0).ok()?;
    let side = SIDE as i64;
    let images = Tensor::f_zeros([PROBE_PICTURES, 1, side, side], (Kind::Float, device)).ok()?;
    let labels = Tensor::f_zeros([PROBE_PICTURES], (Kind::Int64, device)).ok()?;
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
                .contains("cuda:0")
        );
    }
}
