//! Lists the video nodes of this machine: which are cameras, and what formats each offers.

use super::{
    super::{
        CameraDescription,
        choose::{Node, NodeFault},
        format_preferences::{FormatCandidate, Offer, Size, format_rate},
        pixels::PixelFormat,
    },
    device_error::DeviceError,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use v4l::{
    FourCC, capability::Flags, frameinterval::FrameIntervalEnum, framesize::FrameSizeEnum,
    video::Capture,
};

/// Drivers whose nodes process frames of other devices rather than capture their own, though they
/// report themselves as capture devices: the Raspberry Pi's image signal processors and codecs.
const PROCESSORS: [&str; 4] = ["bcm2835-isp", "bcm2835-codec", "pispbe", "pisp_be"];

/// Lists every video node of this machine in the order of their numbers.
pub(super) fn nodes() -> Vec<Node> {
    let Ok(entries) = fs::read_dir("/dev") else {
        return Vec::new();
    };
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_prefix("video")?
                .parse()
                .ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
        .into_iter()
        .map(|number| {
            let path = PathBuf::from(format!("/dev/video{number}"));
            let camera = describe(&path);
            Node { path, camera }
        })
        .collect()
}

/// Describes the camera of a node.
///
/// # Errors
/// Why it is no camera that can be read.
fn describe(path: &Path) -> Result<CameraDescription, NodeFault> {
    let device = v4l::Device::with_path(path).map_err(cannot_be_opened)?;
    let name = check_capability(path, &device)?;
    let formats = device.enum_formats().map_err(cannot_be_opened)?;
    let offered: Vec<PixelFormat> = PixelFormat::ALL
        .iter()
        .copied()
        .filter(|format| {
            formats
                .iter()
                .any(|offer| offer.fourcc.repr == *format.code())
        })
        .collect();
    if offered.is_empty() {
        let codes: Vec<String> = formats.iter().map(|f| f.fourcc.to_string()).collect();
        return Err(if codes.is_empty() {
            NodeFault::NoFormat
        } else {
            NodeFault::NoReadableFormat {
                offered: codes.join(" "),
                readable: PixelFormat::names(),
            }
        });
    }
    let formats = offered
        .into_iter()
        .flat_map(|format| size_lines(&device, format));
    Ok(CameraDescription {
        path: path.into(),
        name,
        formats: formats.collect(),
    })
}

fn cannot_be_opened(error: io::Error) -> NodeFault {
    NodeFault::CannotBeOpened {
        message: DeviceError::from(error).to_string(),
    }
}

/// Returns the camera's name.
///
/// # Errors
/// When the node does not capture video, or does not answer.
pub(super) fn check_capability(path: &Path, device: &v4l::Device) -> Result<String, NodeFault> {
    let node = path.file_name().unwrap_or_default();
    let listed = Path::new("/sys/class/video4linux").join(node).join("name");
    // The v4l crate panics on a name that is not UTF-8, and the kernel truncates long names at any byte.
    // The name in sysfs is the same, so it is read first.
    if let Ok(bytes) = fs::read(&listed)
        && std::str::from_utf8(&bytes).is_err()
    {
        return Ok(String::from_utf8_lossy(&bytes).trim().to_owned());
    }
    let about = device.query_caps().map_err(cannot_be_opened)?;
    let (flags, card) = (about.capabilities, about.card);
    if flags.intersects(Flags::VIDEO_M2M | Flags::VIDEO_M2M_MPLANE)
        || PROCESSORS
            .iter()
            .any(|name| about.driver.contains(name) || card.contains(name))
    {
        return Err(NodeFault::ImageProcessor { card });
    }
    if flags.contains(Flags::META_CAPTURE) && !flags.contains(Flags::VIDEO_CAPTURE) {
        return Err(NodeFault::Metadata);
    }
    if !flags.contains(Flags::VIDEO_CAPTURE) {
        return Err(NodeFault::NoCapture { card });
    }
    if !flags.contains(Flags::STREAMING) {
        return Err(NodeFault::NoStreaming { card });
    }
    Ok(card)
}

/// Lists what the camera offers near the wanted size. A driver that lists no sizes chooses the nearest
/// itself.
///
/// # Errors
/// When the device does not answer.
pub(super) fn offers(device: &v4l::Device, wanted: Size) -> io::Result<Vec<Offer>> {
    let codes: Vec<FourCC> = device.enum_formats()?.iter().map(|f| f.fourcc).collect();
    let mut offers = Vec::new();
    for format in PixelFormat::ALL.iter().copied() {
        let code = FourCC::new(format.code());
        if !codes.contains(&code) {
            continue;
        }
        let mut sizes: Vec<Size> = sizes(device, format)
            .iter()
            .map(|size| nearest_within(size, wanted))
            .collect();
        if sizes.is_empty() {
            sizes.push(wanted);
        }
        for size in sizes {
            let rates = rates(device, format, size);
            let fastest = rates.iter().copied().reduce(f64::max);
            offers.push((FormatCandidate { format, size }, fastest));
        }
    }
    Ok(offers)
}

/// Returns the listed frame interval nearest to the wanted rate, as frames over seconds; `None` where the
/// driver lists none, or a range.
pub(super) fn nearest_interval(
    device: &v4l::Device,
    candidate: FormatCandidate,
    rate: f64,
) -> Option<(u32, u32)> {
    intervals(device, candidate.format, candidate.size)
        .into_iter()
        .filter_map(|interval| match interval {
            FrameIntervalEnum::Discrete(fraction) => {
                Some((fraction.denominator, fraction.numerator))
            }
            FrameIntervalEnum::Stepwise(_) => None,
        })
        .min_by(|a, b| {
            let distance = |&(frames, seconds): &(u32, u32)| {
                (f64::from(frames) / f64::from(seconds.max(1)) - rate).abs()
            };
            distance(a).total_cmp(&distance(b))
        })
}

fn nearest_within(size: &FrameSizeEnum, wanted: Size) -> Size {
    match size {
        FrameSizeEnum::Discrete(size) => (size.width, size.height),
        FrameSizeEnum::Stepwise(range) => {
            let fit = |wanted: u32, least: u32, most: u32, step: u32| {
                let within = wanted.max(least).min(most);
                within - (within.saturating_sub(least)) % step.max(1)
            };
            (
                fit(wanted.0, range.min_width, range.max_width, range.step_width),
                fit(
                    wanted.1,
                    range.min_height,
                    range.max_height,
                    range.step_height,
                ),
            )
        }
    }
}

fn sizes(device: &v4l::Device, format: PixelFormat) -> Vec<FrameSizeEnum> {
    device
        .enum_framesizes(FourCC::new(format.code()))
        .unwrap_or_default()
        .into_iter()
        .map(|size| size.size)
        .collect()
}

fn intervals(device: &v4l::Device, format: PixelFormat, size: Size) -> Vec<FrameIntervalEnum> {
    device
        .enum_frameintervals(FourCC::new(format.code()), size.0, size.1)
        .unwrap_or_default()
        .into_iter()
        .map(|interval| interval.interval)
        .collect()
}

/// Lists the rates in frames per second, the highest first; of a range, its ends.
fn rates(device: &v4l::Device, format: PixelFormat, size: Size) -> Vec<f64> {
    let rate = |fraction: &v4l::Fraction| {
        f64::from(fraction.denominator) / f64::from(fraction.numerator.max(1))
    };
    let mut rates: Vec<f64> = intervals(device, format, size)
        .iter()
        .flat_map(|interval| match interval {
            FrameIntervalEnum::Discrete(fraction) => vec![rate(fraction)],
            FrameIntervalEnum::Stepwise(range) => vec![rate(&range.min), rate(&range.max)],
        })
        .collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    rates.dedup();
    rates
}

/// Describes a format's sizes with their rates, one line each.
fn size_lines(device: &v4l::Device, format: PixelFormat) -> Vec<String> {
    let at = |size: Size| {
        let rates: Vec<String> = rates(device, format, size)
            .into_iter()
            .map(format_rate)
            .collect();
        match rates.is_empty() {
            true => String::new(),
            false => format!(" at {} frames/s", rates.join(", ")),
        }
    };
    let lines: Vec<String> = sizes(device, format)
        .iter()
        .map(|size| match size {
            FrameSizeEnum::Discrete(size) => {
                let (width, height) = (size.width, size.height);
                format!("{format} {width}x{height}{}", at((width, height)))
            }
            FrameSizeEnum::Stepwise(range) => format!(
                "{format} {}x{} to {}x{}{}",
                range.min_width,
                range.min_height,
                range.max_width,
                range.max_height,
                at((range.max_width, range.max_height))
            ),
        })
        .collect();
    match lines.is_empty() {
        true => vec![format!("{format} of any size")],
        false => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::framesize::{Discrete, Stepwise};

    #[test]
    fn the_nearest_size_of_a_range_is_on_its_steps() {
        let discrete = FrameSizeEnum::Discrete(Discrete {
            width: 800,
            height: 600,
        });
        assert_eq!(nearest_within(&discrete, (640, 480)), (800, 600));
        let mut range = Stepwise {
            min_width: 16,
            max_width: 512,
            step_width: 0,
            min_height: 16,
            max_height: 4096,
            step_height: 1,
        };
        let nearest = |range: &Stepwise| {
            let size = Stepwise { ..*range };
            nearest_within(&FrameSizeEnum::Stepwise(size), (640, 481))
        };
        assert_eq!(nearest(&range), (512, 481));
        range.step_height = 16;
        assert_eq!(nearest(&range), (512, 480));
    }
}
