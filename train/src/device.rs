//! Which device and how many threads to compute with.

use tch::Device;

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

/// Whether 16-bit brain floats pay on this device: measured to be 1.2 to 1.5 times as fast as f32
/// where the processor multiplies them itself, and slower elsewhere.
pub fn bf16_pays(device: Device) -> bool {
    match device {
        Device::Cpu => processor_multiplies_bf16(),
        _ => true,
    }
}

#[cfg(target_arch = "x86_64")]
fn processor_multiplies_bf16() -> bool {
    std::arch::is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_multiplies_bf16() -> bool {
    false
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
