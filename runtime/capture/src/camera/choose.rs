//! Chooses the camera that a request means among the devices of this machine.

use super::{CameraDescription, CameraFault, SourceError};
use parseye_vision::nearest;
use std::path::{Path, PathBuf};

/// A device: a camera, or why it is none.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) path: PathBuf,
    pub(super) camera: Result<CameraDescription, NodeFault>,
}

/// Why a device is no camera that can be read. Messages continue a sentence that begins with the device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
// Backends of other systems list only cameras.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(super) enum NodeFault {
    #[error("{message}")]
    CannotBeOpened { message: String },
    #[error("offers no pixel format (is anything feeding it?)")]
    NoFormat,
    #[error("offers only {offered}, none of {readable}")]
    NoReadableFormat { offered: String, readable: String },
    #[error("is a codec or image processor ({card})")]
    ImageProcessor { card: String },
    #[error("holds no video but data about one")]
    Metadata,
    #[error("cannot capture video ({card})")]
    NoCapture { card: String },
    #[error("cannot stream ({card})")]
    NoStreaming { card: String },
}

/// Why a camera that was chosen before is not to be had now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Absence {
    #[error("it is not there")]
    Gone,
    #[error("{name} is in its place")]
    Replaced { name: String },
    #[error(transparent)]
    Unusable(#[from] NodeFault),
}

/// What to do without a camera.
pub(super) const WITHOUT_CAMERA: &str = "plug one in, give a network camera (--camera rtsp://HOST/... or http://HOST/...), a recording (--camera FILE) or a program ('pipe:COMMAND'), or use `parseye replay FILE`";

/// The parts of the messages for a missing camera that differ between backends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advice {
    /// Why nothing was found on a machine without devices.
    pub(super) no_node: &'static str,
    /// What to do without a camera.
    pub(super) without_camera: &'static str,
    /// Returns the path of the device with this number.
    pub(super) path_of: fn(u32) -> PathBuf,
}

/// Chooses the camera with this id among the devices; the first one for `None`.
///
/// # Errors
/// When there is no such camera; the message lists what there is.
pub(super) fn choose(
    id: Option<&str>,
    nodes: &[Node],
    advice: Advice,
) -> Result<CameraDescription, SourceError> {
    let failed = |camera: &str, fault, reason: String, remedy: &str| SourceError::Camera {
        camera: camera.into(),
        fault,
        reason,
        remedy: remedy.into(),
    };
    let missing = |camera: &str, reason: String, remedy: &str| {
        failed(camera, CameraFault::Missing, reason, remedy)
    };
    let cameras = || nodes.iter().filter_map(|node| node.camera.as_ref().ok());
    let Some(id) = id else {
        return cameras()
            .next()
            .cloned()
            .ok_or_else(|| missing("(any)", none_because(nodes, advice), advice.without_camera));
    };
    let path = match id.parse::<u32>() {
        Ok(number) => Some((advice.path_of)(number)),
        Err(_) => id.starts_with('/').then(|| PathBuf::from(id)),
    };
    if let Some(path) = path {
        return match node_at(&path, nodes).map(|node| &node.camera) {
            Some(Ok(camera)) => Ok(camera.clone()),
            Some(Err(reason)) => Err(failed(
                id,
                CameraFault::Failed,
                reason.to_string(),
                "`parseye cameras` lists those that can be used",
            )),
            None => Err(missing(
                id,
                format!("there is no such device; {}", listed(nodes, advice)),
                "check its cable, or choose one that `parseye cameras` lists",
            )),
        };
    }
    let wanted = id.to_lowercase();
    let named = cameras().find(|camera| camera.name.to_lowercase().contains(&wanted));
    named.cloned().ok_or_else(|| {
        if looks_like_a_file(id) {
            return missing(
                id,
                "there is no such file, nor a camera with this in its name".into(),
                "check the path, or choose a camera that `parseye cameras` lists",
            );
        }
        if cameras().next().is_none() {
            return missing(id, none_because(nodes, advice), advice.without_camera);
        }
        let hint = nearest::hint(id, cameras().map(|camera| camera.name.as_str()));
        missing(
            id,
            format!(
                "no camera has this in its name{hint}; {}",
                listed(nodes, advice)
            ),
            "give a number, a device path or a part of a name that `parseye cameras` lists",
        )
    })
}

/// Tells whether something that is neither a camera nor there was meant as a recording.
fn looks_like_a_file(id: &str) -> bool {
    let ending = id.rsplit_once('.').map_or("", |(_, ending)| ending);
    id.contains('/')
        || ((2..=4).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Finds a camera again after it was lost: at its former path, or wherever the system has put it since,
/// but never another camera.
///
/// # Errors
/// Why it is not to be had now.
pub(super) fn choose_again(
    id: Option<&str>,
    before: &CameraDescription,
    nodes: &[Node],
) -> Result<CameraDescription, Absence> {
    let cameras = || nodes.iter().filter_map(|node| node.camera.as_ref().ok());
    let in_place = cameras().find(|camera| camera.path == before.path);
    // A request by path or number means whatever is plugged in there.
    let by_path = id.is_some_and(|id| id.starts_with('/') || id.parse::<u32>().is_ok());
    in_place
        .filter(|camera| by_path || camera.name == before.name)
        .or_else(|| cameras().find(|camera| camera.name == before.name))
        .cloned()
        .ok_or_else(|| {
            let in_place = node_at(&before.path, nodes);
            match in_place.map(|node| &node.camera) {
                Some(Err(fault)) => Absence::Unusable(fault.clone()),
                Some(Ok(other)) => Absence::Replaced {
                    name: other.name.clone(),
                },
                None => Absence::Gone,
            }
        })
}

fn node_at<'a>(path: &Path, nodes: &'a [Node]) -> Option<&'a Node> {
    // A link such as /dev/v4l/by-id/... refers to its node.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    nodes
        .iter()
        .find(|node| node.path == path || node.path == target)
}

/// Says why none of the nodes can be used.
fn none_because(nodes: &[Node], advice: Advice) -> String {
    let reasons: Vec<String> = nodes
        .iter()
        .filter_map(|node| {
            let reason = node.camera.as_ref().err()?;
            Some(format!("{} {reason}", node.path.display()))
        })
        .collect();
    if reasons.is_empty() {
        format!("no camera was found: {}", advice.no_node)
    } else {
        format!("no camera was found: {}", reasons.join(", "))
    }
}

/// Lists the cameras that could have been meant.
fn listed(nodes: &[Node], advice: Advice) -> String {
    let cameras: Vec<String> = nodes
        .iter()
        .filter_map(|node| node.camera.as_ref().ok())
        .map(|camera| format!("{} ({})", camera.path.display(), camera.name))
        .collect();
    if cameras.is_empty() {
        none_because(nodes, advice)
    } else {
        format!("there is {}", cameras.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADVICE: Advice = Advice {
        no_node: "there is no /dev/video* device",
        without_camera: "plug one in, or use `parseye replay FILE`",
        path_of: |number| PathBuf::from(format!("/dev/video{number}")),
    };

    fn node(path: &str, camera: Result<&str, NodeFault>) -> Node {
        Node {
            path: path.into(),
            camera: camera.map(|name| CameraDescription {
                path: path.into(),
                name: name.into(),
                formats: vec!["MJPG 640x480".into()],
            }),
        }
    }

    fn nodes() -> Vec<Node> {
        vec![
            node("/dev/video0", Err(NodeFault::Metadata)),
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
            let chosen = choose(id, &nodes, ADVICE).unwrap();
            assert_eq!(chosen.path, Path::new(path), "{id:?}");
        }
    }

    #[test]
    fn the_error_of_a_wrong_choice_lists_the_cameras() {
        for (id, expected, fault) in [
            ("0", "holds no video", CameraFault::Failed),
            ("7", "/dev/video4 (BRIO 4K)", CameraFault::Missing),
            ("BRIO 4X", "did you mean 'BRIO 4K'?", CameraFault::Missing),
            ("drive.mp4", "no such file", CameraFault::Missing),
        ] {
            let error = choose(Some(id), &nodes(), ADVICE).unwrap_err();
            let line = error.to_string();
            assert!(line.contains(expected) && !line.contains('\n'), "{line}");
            assert_eq!(error.fault(), Some(fault));
        }
    }

    #[test]
    fn without_a_camera_the_error_lists_the_devices() {
        let line = choose(None, &[], ADVICE).unwrap_err().to_string();
        assert!(
            line.contains(ADVICE.no_node) && line.contains("parseye replay"),
            "{line}"
        );
        let line = choose(None, &nodes()[..1], ADVICE).unwrap_err().to_string();
        assert!(line.contains("/dev/video0 holds no video"), "{line}");
    }

    #[test]
    fn a_lost_camera_is_found_where_it_comes_back_and_no_other_is_taken() {
        let before = nodes()[2].camera.clone().unwrap();
        let again = |id, nodes: &[Node]| {
            let chosen = choose_again(id, &before, nodes);
            chosen
                .map(|camera| camera.path)
                .map_err(|absence| absence.to_string())
        };
        assert_eq!(again(None, &nodes()), Ok("/dev/video4".into()));
        // It is back under another number.
        let moved = [
            node("/dev/video2", Ok("Integrated Camera: Front")),
            node("/dev/video6", Ok("BRIO 4K")),
        ];
        for id in [None, Some("4"), Some("brio")] {
            assert_eq!(again(id, &moved), Ok("/dev/video6".into()), "{id:?}");
        }
        // Only another one is there.
        assert!(again(None, &moved[..1]).unwrap_err().contains("not there"));
        // Another camera was plugged in at the path that was asked for.
        let other = [node("/dev/video4", Ok("C920"))];
        assert_eq!(again(Some("4"), &other), Ok("/dev/video4".into()));
        assert!(again(Some("BRIO"), &other).unwrap_err().contains("C920"));
        // It is there but does not answer yet.
        let message = "it was unplugged".to_owned();
        let silent = [node(
            "/dev/video4",
            Err(NodeFault::CannotBeOpened { message }),
        )];
        assert!(again(None, &silent).unwrap_err().contains("unplugged"));
    }
}
