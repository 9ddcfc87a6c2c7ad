//! Cameras: choosing one, and reading it frame by frame with true capture times.
//!
//! On Linux cameras are read through V4L2; on other systems there is none yet. What to
//! do when a camera stalls or is unplugged is left to the pipeline: here it is an error.

mod pixels;
#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(target_os = "linux")]
mod v4l2;

#[cfg(not(target_os = "linux"))]
use unsupported as backend;
#[cfg(target_os = "linux")]
use v4l2 as backend;

use super::{Frame, FrameSource, SourceError};
use crate::nearest;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longest wait for a picture. A camera in the dark may slow down to 5 frames a second and needs
/// up to a second to start; one that is silent for longer than this has stalled.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What camera is wanted, and how it should deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraRequest {
    /// A number (`0`), a device path (`/dev/video0`) or a part of the camera's name; `None` takes
    /// the first that can capture.
    pub id: Option<String>,
    /// Wanted width in pixels; the nearest size that the camera has is taken.
    pub width: u32,
    /// Wanted height in pixels.
    pub height: u32,
    /// Wanted frames a second; the camera decides.
    pub frame_rate: u32,
}

impl Default for CameraRequest {
    /// The first camera at 640x480 and 30 frames a second, which nearly every camera has.
    fn default() -> Self {
        Self {
            id: None,
            width: 640,
            height: 480,
            frame_rate: 30,
        }
    }
}

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraDescription {
    /// Its device, such as `/dev/video0`.
    pub path: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// The formats that Parseye reads with their sizes, such as `MJPG 640x480`.
    pub formats: Vec<String>,
}

/// Pictures that did not arrive whole, since the camera was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraCounters {
    /// Pictures that arrived damaged and were skipped.
    pub corrupt: u64,
    /// Pictures that the driver lost before they could be read, by its own numbering.
    pub lost: u64,
}

/// An open camera that delivers pictures.
#[derive(Debug)]
pub struct Camera {
    device: backend::Device,
}

impl Camera {
    /// Opens a camera and starts it.
    ///
    /// # Errors
    /// [`SourceError::Camera`] when there is no such camera, it is in use, or it has no format
    /// that can be read; without any camera the error lists what was looked at.
    pub fn open(request: &CameraRequest) -> Result<Self, SourceError> {
        let nodes = backend::nodes();
        let path = choose(request.id.as_deref(), &nodes)?;
        Ok(Self {
            device: backend::Device::open(path, request)?,
        })
    }

    /// Pictures that were damaged or lost so far.
    pub fn counters(&self) -> CameraCounters {
        self.device.counters()
    }

    /// The moment that is 0 in [`Frame::time`].
    pub fn opened(&self) -> Instant {
        self.device.opened()
    }

    /// The format in use, such as `MJPG 640x480`.
    pub fn format(&self) -> String {
        self.device.format()
    }
}

impl FrameSource for Camera {
    fn name(&self) -> &str {
        self.device.name()
    }

    /// Waits for the next picture that is whole, at most [`READ_TIMEOUT`] for each that is not.
    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        self.device.next_frame().map(Some)
    }
}

/// The cameras of this machine; devices that cannot capture a video are left out.
pub fn list_cameras() -> Vec<CameraDescription> {
    backend::nodes()
        .into_iter()
        .filter_map(|node| node.camera.ok())
        .collect()
}

/// A device node: a camera, or why it is none.
#[derive(Clone, Debug)]
struct Node {
    path: PathBuf,
    camera: Result<CameraDescription, String>,
}

/// The device path of the wanted camera among the nodes of this machine.
fn choose<'a>(id: Option<&str>, nodes: &'a [Node]) -> Result<&'a Path, SourceError> {
    let failed = |camera: &str, reason: String, remedy: &str| SourceError::Camera {
        camera: camera.into(),
        reason,
        remedy: remedy.into(),
    };
    let cameras = || nodes.iter().filter_map(|node| node.camera.as_ref().ok());
    let Some(id) = id else {
        return cameras()
            .next()
            .map(|camera| camera.path.as_path())
            .ok_or_else(|| failed("(any)", none_because(nodes), backend::WITHOUT_CAMERA));
    };
    let path = match id.parse::<u32>() {
        Ok(number) => Some(PathBuf::from(format!("/dev/video{number}"))),
        Err(_) => id.starts_with('/').then(|| PathBuf::from(id)),
    };
    if let Some(path) = path {
        // A link such as /dev/v4l/by-id/... stands for its node.
        let target = path.canonicalize().unwrap_or_else(|_| path.clone());
        let node = nodes
            .iter()
            .find(|node| node.path == path || node.path == target);
        return match node {
            Some(Node {
                path,
                camera: Ok(_),
            }) => Ok(path),
            Some(Node {
                camera: Err(reason),
                ..
            }) => Err(failed(
                id,
                reason.clone(),
                "`parseye cameras` lists those that can be used",
            )),
            None => Err(failed(
                id,
                format!("there is no such device; {}", seen(nodes)),
                "check its cable, or choose one that `parseye cameras` lists",
            )),
        };
    }
    let wanted = id.to_lowercase();
    let named = cameras().find(|camera| camera.name.to_lowercase().contains(&wanted));
    named.map(|camera| camera.path.as_path()).ok_or_else(|| {
        if cameras().next().is_none() {
            return failed(id, none_because(nodes), backend::WITHOUT_CAMERA);
        }
        let hint = nearest::hint(id, cameras().map(|camera| camera.name.as_str()));
        failed(
            id,
            format!("no camera has this in its name{hint}; {}", seen(nodes)),
            "give a number, a device path or a part of a name that `parseye cameras` lists",
        )
    })
}

/// Why none of the nodes can be used.
fn none_because(nodes: &[Node]) -> String {
    let reasons: Vec<String> = nodes
        .iter()
        .filter_map(|node| {
            let reason = node.camera.as_ref().err()?;
            Some(format!("{} {reason}", node.path.display()))
        })
        .collect();
    if reasons.is_empty() {
        format!("no camera was found: {}", backend::NO_NODE)
    } else {
        format!("no camera was found: {}", reasons.join(", "))
    }
}

/// The cameras that could have been meant.
fn seen(nodes: &[Node]) -> String {
    let cameras: Vec<String> = nodes
        .iter()
        .filter_map(|node| node.camera.as_ref().ok())
        .map(|camera| format!("{} ({})", camera.path.display(), camera.name))
        .collect();
    if cameras.is_empty() {
        none_because(nodes)
    } else {
        format!("there is {}", cameras.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str, camera: Result<&str, &str>) -> Node {
        Node {
            path: path.into(),
            camera: camera
                .map(|name| CameraDescription {
                    path: path.into(),
                    name: name.into(),
                    formats: vec!["MJPG 640x480".into()],
                })
                .map_err(str::to_owned),
        }
    }

    fn nodes() -> Vec<Node> {
        vec![
            node("/dev/video0", Err("holds no video but data about one")),
            node("/dev/video2", Ok("Integrated Camera: Front")),
            node("/dev/video4", Ok("BRIO 4K")),
        ]
    }

    #[test]
    fn cameras_are_chosen_by_number_path_name_or_order() {
        let nodes = nodes();
        for (id, path) in [
            (None, "/dev/video2"),
            (Some("4"), "/dev/video4"),
            (Some("/dev/video2"), "/dev/video2"),
            (Some("brio"), "/dev/video4"),
        ] {
            assert_eq!(choose(id, &nodes).unwrap(), Path::new(path), "{id:?}");
        }
    }

    #[test]
    fn a_wrong_choice_says_what_there_is() {
        for (id, words) in [
            ("0", "holds no video"),
            ("7", "/dev/video4 (BRIO 4K)"),
            ("BRIO 4X", "did you mean 'BRIO 4K'?"),
        ] {
            let line = choose(Some(id), &nodes()).unwrap_err().to_string();
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn without_a_camera_the_error_lists_what_was_looked_at() {
        let line = choose(None, &[]).unwrap_err().to_string();
        assert!(
            line.contains(backend::NO_NODE) && line.contains("parseye replay"),
            "{line}"
        );
        let line = choose(None, &nodes()[..1]).unwrap_err().to_string();
        assert!(line.contains("/dev/video0 holds no video"), "{line}");
    }
}
