//! What went wrong with a V4L2 device: the system's errors by what a user can do about them.

use crate::camera::CameraFault;
use rustix::io::Errno;
use std::io;

/// An error of a device. Messages continue a sentence about the device.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeviceError {
    #[error("it was unplugged")]
    Unplugged,
    #[error("it is not there")]
    Missing,
    #[error("another program is using it")]
    Busy,
    #[error("may not be opened by you")]
    PermissionDenied,
    #[error("its USB port cannot carry so much")]
    NoBandwidth,
    #[error("a frame that was announced did not come")]
    TimedOut,
    #[error("{0}")]
    Other(io::Error),
}

impl From<io::Error> for DeviceError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::NODEV | Errno::NXIO) => Self::Unplugged,
            Some(Errno::NOENT) => Self::Missing,
            Some(Errno::BUSY) => Self::Busy,
            Some(Errno::ACCESS) => Self::PermissionDenied,
            Some(Errno::NOSPC) => Self::NoBandwidth,
            _ if error.kind() == io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Other(error),
        }
    }
}

impl DeviceError {
    pub(super) const fn fault(&self) -> CameraFault {
        match self {
            Self::Unplugged => CameraFault::Unplugged,
            Self::Missing => CameraFault::Missing,
            Self::Busy => CameraFault::Busy,
            Self::TimedOut => CameraFault::Stalled,
            Self::PermissionDenied | Self::NoBandwidth | Self::Other(_) => CameraFault::Failed,
        }
    }

    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::Unplugged | Self::Missing => "plug it in again",
            Self::Busy => "close the other program, or choose another camera",
            Self::PermissionDenied => {
                "add yourself to the group video (sudo usermod -aG video $USER) and log in again"
            }
            Self::NoBandwidth => {
                "plug it into another port without a hub, or ask for a smaller frame"
            }
            Self::TimedOut => "check its cable, then plug it in again",
            Self::Other(_) => "plug it in again, or choose another that `parseye cameras` lists",
        }
    }
}
