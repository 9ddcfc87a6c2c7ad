//! Recognises by content, not by ending, what a file is that was given as a model and is no ONNX: so that the
//! error says what it is and what to do.
//!
//! ONNX itself has no mark at its beginning; what is none of these is left to [`super::onnx_file`].

use std::fmt;

/// Bytes at either end of a file that are searched: names of an archive's members and the beginning of a text.
const SEARCHED: usize = 64 << 10;

/// Beginning of a PyTorch file from before 1.6: a pickle of PyTorch's magic number.
const OLD_PYTORCH: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Beginnings that identify a format.
const BEGINNINGS: [(&[u8], ForeignFile); 15] = [
    (
        b"version https://git-lfs.github.com/spec/",
        ForeignFile::LfsPointer,
    ),
    (
        b"version https://hawser.github.com/spec/",
        ForeignFile::LfsPointer,
    ),
    (b"\x89HDF\r\n\x1a\n", ForeignFile::Hdf5),
    (OLD_PYTORCH, ForeignFile::PyTorch),
    // The version of a SavedModel's layout is 1, that of ONNX at least 3.
    (b"\x08\x01\x12", ForeignFile::SavedModel),
    (b"\x93NUMPY", ForeignFile::NumPy),
    (b"\x89PNG\r\n\x1a\n", ForeignFile::Image),
    (b"\xff\xd8\xff", ForeignFile::Image),
    (b"GIF8", ForeignFile::Image),
    (b"\x1f\x8b", ForeignFile::Compressed),
    (b"\xfd7zXZ\0", ForeignFile::Compressed),
    (b"\x28\xb5\x2f\xfd", ForeignFile::Compressed),
    (b"7z\xbc\xaf\x27\x1c", ForeignFile::Compressed),
    (b"BZh", ForeignFile::Compressed),
    (b"Rar!\x1a\x07", ForeignFile::Compressed),
];

/// A file that is no ONNX model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignFile {
    /// It has no bytes.
    Empty,
    /// The text that Git keeps in the place of a large file.
    LfsPointer,
    /// A page of a web site.
    Html,
    /// Any other text.
    Text,
    /// A picture.
    Image,
    /// Weights or a program of PyTorch.
    PyTorch,
    /// Objects of Python.
    Pickle,
    /// A model of TensorFlow Lite.
    TensorFlowLite,
    /// Weights or a model of Keras.
    Hdf5,
    /// A Keras 3 archive.
    Keras,
    /// A model of TensorFlow.
    SavedModel,
    /// Weights without a network.
    Safetensors,
    /// Arrays of NumPy.
    NumPy,
    /// ONNX Runtime's own format.
    OnnxRuntime,
    /// An archive.
    Zip,
    /// A compressed file.
    Compressed,
}

impl ForeignFile {
    /// Recognises the bytes of a whole file; `None` for what may be ONNX.
    pub fn recognise(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::Empty);
        }
        let known = BEGINNINGS
            .iter()
            .find(|(beginning, _)| bytes.starts_with(beginning));
        if let Some((_, format)) = known {
            return Some(*format);
        }
        match bytes.get(4..8) {
            Some(b"TFL3") => return Some(Self::TensorFlowLite),
            Some(b"ORTM") => return Some(Self::OnnxRuntime),
            _ => {}
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Some(Self::archive(bytes));
        }
        // Eight bytes of the header's length, then its JSON.
        if bytes.get(8..10) == Some(b"{\"") && bytes.get(6..8) == Some(&[0, 0]) {
            return Some(Self::Safetensors);
        }
        // The protocols of pickles that hold more than a number; each ends with a full stop.
        if matches!(bytes, [0x80, 2..=5, .., b'.']) {
            return Some(Self::Pickle);
        }
        Self::text(bytes)
    }

    /// What a ZIP archive holds, by the names of its members.
    fn archive(bytes: &[u8]) -> Self {
        let holds = |name: &[u8]| {
            let ends = [
                &bytes[..bytes.len().min(SEARCHED)],
                &bytes[bytes.len().saturating_sub(SEARCHED)..],
            ];
            ends.iter()
                .any(|end| end.windows(name.len()).any(|at| at == name))
        };
        if holds(b"data.pkl") || holds(b"constants.pkl") {
            Self::PyTorch
        } else if holds(b"model.weights.h5") {
            Self::Keras
        } else if holds(b".tflite") {
            Self::TensorFlowLite
        } else if holds(b".npy") {
            Self::NumPy
        } else {
            Self::Zip
        }
    }

    /// Text, and pages among it: characters alone, none of those that only programs write.
    fn text(bytes: &[u8]) -> Option<Self> {
        let part = &bytes[..bytes.len().min(SEARCHED)];
        let text = match std::str::from_utf8(part) {
            Ok(text) => text,
            // A character may be cut in two at the end of the part.
            Err(error) if error.error_len().is_none() && part.len() < bytes.len() => {
                std::str::from_utf8(&part[..error.valid_up_to()]).ok()?
            }
            Err(_) => return None,
        };
        if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return None;
        }
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let start: String = start
            .chars()
            .take(16)
            .collect::<String>()
            .to_ascii_lowercase();
        let page = ["<!doctype html", "<html", "<head", "<body"];
        if page.iter().any(|beginning| start.starts_with(beginning)) {
            Some(Self::Html)
        } else {
            Some(Self::Text)
        }
    }

    /// What to do, for whoever gave the file as a model.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Empty => "copy or download the model again",
            Self::LfsPointer => {
                "fetch the model itself by `git lfs pull` in its repository, or download it from the forge's page"
            }
            Self::Html => {
                "download the file itself, not the page that shows it (`Download raw file`)"
            }
            Self::Text | Self::Image | Self::NumPy => {
                "give a model in ONNX, or leave out --model to use the one built in"
            }
            Self::PyTorch | Self::Pickle | Self::Safetensors => {
                "export the network by torch.onnx.export in Python, then `train card --adopt` makes it usable"
            }
            Self::TensorFlowLite => {
                "convert it by `python -m tf2onnx.convert --tflite FILE --output model.onnx`, then `train card --adopt` makes it usable"
            }
            Self::Hdf5 | Self::Keras | Self::SavedModel => {
                "convert it by tf2onnx (`python -m tf2onnx.convert`), then `train card --adopt` makes it usable"
            }
            Self::OnnxRuntime => "give the .onnx file that it was made from",
            Self::Zip | Self::Compressed => "unpack it, and give the .onnx file in it",
        }
    }
}

impl fmt::Display for ForeignFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is an empty file, no ONNX model",
            Self::LfsPointer => {
                "is a Git LFS pointer, the text that stands for a model, no ONNX model itself"
            }
            Self::Html => "is a web page (HTML), no ONNX model",
            Self::Text => "is a text file, no ONNX model",
            Self::Image => "is a picture, no ONNX model",
            Self::PyTorch => "is a PyTorch file (.pt, .pth), no ONNX model",
            Self::Pickle => "is a Python pickle, no ONNX model",
            Self::TensorFlowLite => "is a TensorFlow Lite model (.tflite), no ONNX model",
            Self::Hdf5 => "is an HDF5 file (.h5, as Keras writes), no ONNX model",
            Self::Keras => "is a Keras archive (.keras), no ONNX model",
            Self::SavedModel => "is a TensorFlow SavedModel (.pb), no ONNX model",
            Self::Safetensors => "is a file of weights alone (safetensors), no ONNX model",
            Self::NumPy => "holds NumPy arrays, no ONNX model",
            Self::OnnxRuntime => "is in ONNX Runtime's own format (.ort), no ONNX model",
            Self::Zip => "is a ZIP archive, no ONNX model",
            Self::Compressed => "is a compressed file, no ONNX model",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_taken_for_nothing_else() {
        for bytes in [
            &include_bytes!("../../../../models/default.onnx")[..],
            include_bytes!("../../../../models/default.gradient.onnx"),
            include_bytes!("../../../../models/tiny.onnx"),
        ] {
            assert_eq!(ForeignFile::recognise(bytes), None);
            assert_eq!(ForeignFile::recognise(&bytes[..bytes.len() / 2]), None);
        }
    }

    #[test]
    fn formats_are_recognised_by_content() {
        let of = |bytes: &[u8]| ForeignFile::recognise(bytes);
        let zip = |name: &str| [b"PK\x03\x04", &[0; 26][..], name.as_bytes(), b"rest"].concat();
        assert_eq!(of(b""), Some(ForeignFile::Empty));
        assert_eq!(
            of(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
            Some(ForeignFile::LfsPointer)
        );
        assert_eq!(
            of(b"\xef\xbb\xbf\n <!DOCTYPE HTML><p>"),
            Some(ForeignFile::Html)
        );
        assert_eq!(
            of("not a model, schön\n".as_bytes()),
            Some(ForeignFile::Text)
        );
        assert_eq!(of(&zip("archive/data.pkl")), Some(ForeignFile::PyTorch));
        assert_eq!(of(&zip("model.weights.h5")), Some(ForeignFile::Keras));
        assert_eq!(of(&zip("model.onnx")), Some(ForeignFile::Zip));
        assert_eq!(of(b"\x80\x04K\x05."), Some(ForeignFile::Pickle));
        assert_eq!(of(b"\x1c\0\0\0TFL3\0\0"), Some(ForeignFile::TensorFlowLite));
        assert_eq!(of(b"\x89HDF\r\n\x1a\n\0"), Some(ForeignFile::Hdf5));
        assert_eq!(of(b"\x08\x01\x12\x90"), Some(ForeignFile::SavedModel));
        assert_eq!(
            of(b"\x20\0\0\0\0\0\0\0{\"w\":{}}"),
            Some(ForeignFile::Safetensors)
        );
        // A text longer than what is searched, with a character across its end.
        let long = format!("{}é{}", "x".repeat(SEARCHED - 1), "y".repeat(9));
        assert_eq!(of(long.as_bytes()), Some(ForeignFile::Text));
    }
}
