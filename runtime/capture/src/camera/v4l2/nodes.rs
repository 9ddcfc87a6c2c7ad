//! Which video nodes of this machine are cameras, and what each offers.

use super::{
    super::{
        CameraDescription,
        choose::Node,
        format_preferences::{FormatCandidate, Offer, Size, rate_in_words},
        pixels::PixelFormat,
    },
    reason_of,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use v4l::{
    FourCC, capability::Flags, frameinterval::FrameIntervalEnum, framesize::FrameSizeEnum,
    video::Capture,
};

/// Drivers whose nodes process pictures of other devices rather than take their own, though they
/// call themselves capture devices: the Raspberry Pi's image signal processors and codecs.
const PROCESSORS: [&str; 4] = ["bcm2835-isp", "bcm2835-codec", "pispbe", "pisp_be"];

/// Every video node of this machine in the order of their numbers.
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

/// What a node is, or why it is no camera that can be read.
fn describe(path: &Path) -> Result<CameraDescription, String> {
    let device = v4l::Device::with_path(path).map_err(|error| reason_of(&error))?;
    let name = check_capability(path, &device)?;
    let formats = device.enum_formats().map_err(|error| reason_of(&error))?;
    let offered: Vec<PixelFormat> = PixelFormat::ALL
        .into_iter()
        .filter(|format| {
            formats
                .iter()
                .any(|offer| offer.fourcc.repr == *format.code())
        })
        .collect();
    if offered.is_empty() {
        let codes: Vec<String> = formats.iter().map(|f| f.fourcc.to_string()).collect();
        return Err(if codes.is_empty() {
            "offers no picture format (is anything feeding it?)".into()
        } else {
            let known = PixelFormat::ALL.map(PixelFormat::name).join(", ");
            format!("offers only {}, none of {known}", codes.join(" "))
        });
    }
    let formats = offered
        .into_iter()
        .flat_map(|format| in_words(&device, format));
    Ok(CameraDescription {
        path: path.into(),
        name,
        formats: formats.collect(),
    })
}

/// The camera's name, if the node captures video.
pub(super) fn check_capability(path: &Path, device: &v4l::Device) -> Result<String, String> {
    let node = path.file_name().unwrap_or_default();
    let listed = Path::new("/sys/class/video4linux").join(node).join("name");
    // The v4l crate takes all names for UTF-8 and panics otherwise, and the kernel cuts long ones
    // anywhere. The name in sysfs is the same one, so look there first.
    if let Ok(bytes) = fs::read(&listed)
        && std::str::from_utf8(&bytes).is_err()
    {
        return Ok(String::from_utf8_lossy(&bytes).trim().to_owned());
    }
    let about = device.query_caps().map_err(|error| reason_of(&error))?;
    let flags = about.capabilities;
    if flags.intersects(Flags::VIDEO_M2M | Flags::VIDEO_M2M_MPLANE)
        || PROCESSORS
            .iter()
            .any(|name| about.driver.contains(name) || about.card.contains(name))
    {
        return Err(format!("is a codec or image processor ({})", about.card));
    }
    if flags.contains(Flags::META_CAPTURE) && !flags.contains(Flags::VIDEO_CAPTURE) {
        return Err("holds no video but data about one".into());
    }
    if !flags.contains(Flags::VIDEO_CAPTURE) {
        return Err(format!("cannot capture video ({})", about.card));
    }
    if !flags.contains(Flags::STREAMING) {
        return Err(format!("cannot stream ({})", about.card));
    }
    Ok(about.card)
}

/// What the camera offers near the wanted size. A driver that lists no sizes picks the nearest on
/// its own.
///
/// # Errors
/// When the device does not answer.
pub(super) fn offers(device: &v4l::Device, wanted: Size) -> io::Result<Vec<Offer>> {
    let codes: Vec<FourCC> = device.enum_formats()?.iter().map(|f| f.fourcc).collect();
    let mut offers = Vec::new();
    for format in PixelFormat::ALL {
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

/// The listed interval nearest to the wanted rate, as frames over seconds; `None` where the driver
/// lists none or any.
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

/// Rates in frames a second, the highest first; of a range, its ends.
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

/// A format's sizes with their rates, a line each.
fn in_words(device: &v4l::Device, format: PixelFormat) -> Vec<String> {
    let at = |size: Size| {
        let rates: Vec<String> = rates(device, format, size)
            .into_iter()
            .map(rate_in_words)
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
                format!("{} {width}x{height}{}", format.name(), at((width, height)))
            }
            FrameSizeEnum::Stepwise(range) => format!(
                "{} {}x{} to {}x{}{}",
                format.name(),
                range.min_width,
                range.min_height,
                range.max_width,
                range.max_height,
                at((range.max_width, range.max_height))
            ),
        })
        .collect();
    match lines.is_empty() {
        true => vec![format!("{} of any size", format.name())],
        false => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::framesize::{Discrete, Stepwise};

    #[test]
    fn a_range_of_sizes_gives_the_nearest_that_is_on_its_steps() {
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
