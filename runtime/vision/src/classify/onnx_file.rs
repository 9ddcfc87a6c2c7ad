//! Reads ONNX files from outside within bounds of memory.
//!
//! Decoding a protobuf message makes hundreds of bytes of memory out of two bytes of a file, so the parts of
//! a file are counted before it is decoded. What its graph computes is checked by [`super::graph`].

use super::foreign_file::ForeignFile;
use crate::bounded;
use prost::Message as _;
use std::{io, path::Path};
use tract_onnx::pb;

/// Largest model file accepted, in bytes: ten times the widest network that `train` makes for the
/// edge. A larger file is none of `train`'s, and must not fill the memory.
const MAX_BYTES: u64 = 256 << 20;

/// Most parts of a file: messages, names and packed integers, none of which takes more than a few
/// hundred bytes of memory. The gradient graph of WRN-16-1 has 1,731.
const MAX_PARTS: usize = 1 << 17;

/// Why a file is not decoded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxFileError {
    /// It is larger than any model of `train`.
    #[error("the file has {0} bytes, more than the {MAX_BYTES} accepted")]
    Large(usize),
    /// It has more messages, names and integers than any model of `train`.
    #[error("the file has more than {MAX_PARTS} parts, too many for an eye-state model")]
    Parts,
    /// It is a file of another format.
    #[error("{0}")]
    Foreign(ForeignFile),
    /// Its weights are in files beside it.
    #[error(
        "keeps its weights in other files (ONNX external data), where one whole file is needed"
    )]
    ExternalData,
    /// It is cut off, damaged or no ONNX file.
    #[error("not a whole ONNX model ({0})")]
    Malformed(String),
    /// It holds something that no model of `train` has.
    #[error("the file has {0}, which is not supported")]
    Unsupported(&'static str),
}

impl OnnxFileError {
    fn malformed(reason: &str) -> Self {
        Self::Malformed(reason.into())
    }

    /// What to do, where that is another thing than with any file that `train` did not make.
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Foreign(file) => Some(file.remedy()),
            Self::ExternalData => Some(
                "write it as one file in Python: onnx.save(onnx.load('FILE.onnx'), 'WHOLE.onnx')",
            ),
            _ => None,
        }
    }
}

/// Reads the bytes of a model file.
///
/// # Errors
/// The system's; of kind [`io::ErrorKind::FileTooLarge`] above 256 MiB.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    bounded::read(path, MAX_BYTES)
}

/// Decodes the bytes of a model file.
///
/// # Errors
/// When the file is too large, is no ONNX or not whole, or has parts that no model has that can be run here:
/// functions, graphs within graphs, data in other files.
pub fn decode(bytes: &[u8]) -> Result<pb::ModelProto, OnnxFileError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(OnnxFileError::Large(bytes.len()));
    }
    if let Some(file) = ForeignFile::recognise(bytes) {
        return Err(OnnxFileError::Foreign(file));
    }
    let mut parts = 0;
    count(Message::Model, bytes, &mut parts)?;
    pb::ModelProto::decode(bytes).map_err(|error| OnnxFileError::Malformed(error.to_string()))
}

/// The messages of ONNX that a model of `train` consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// Holds no messages itself.
    Plain,
}

/// What a field with a length holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// A message.
    Holds(Message),
    /// Bytes that take as much memory as they do in the file: text, floats, raw data.
    AsItIs,
    /// Integers of variable length, each of which takes eight bytes.
    Packed,
    /// Nothing that a model of `train` has.
    Unsupported(&'static str),
    /// The place of data outside of the file.
    ExternalData,
}

impl Message {
    /// The field of a number (onnx.proto). Fields that are not known are skipped by the decoder, too.
    const fn field(self, number: u64) -> Field {
        match (self, number) {
            (Self::Model, 7) => Field::Holds(Self::Graph),
            (Self::Model, 8 | 14) => Field::Holds(Self::Plain),
            (Self::Model, 20) => Field::Unsupported("a training graph"),
            (Self::Model, 25) => Field::Unsupported("functions of its own"),
            (Self::Graph, 1) => Field::Holds(Self::Node),
            (Self::Graph, 5) => Field::Holds(Self::Tensor),
            (Self::Graph, 11..=13) => Field::Holds(Self::ValueInfo),
            (Self::Graph, 14 | 15) => Field::Unsupported("quantised or sparse constants"),
            (Self::Node, 5) => Field::Holds(Self::Attribute),
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7 | 11) => Field::Packed,
            (Self::Attribute, 6 | 11) => Field::Unsupported("graphs within its graph"),
            // Exporters write constants as nodes. No operator that is run reads one.
            (Self::Attribute, 5) => Field::Holds(Self::Tensor),
            (Self::Attribute, 10 | 14 | 15 | 22 | 23) => {
                Field::Unsupported("lists of tensors, or types, as attributes")
            }
            (Self::Tensor, 3) => Field::Unsupported("constants in several parts"),
            (Self::Tensor, 13) => Field::ExternalData,
            (Self::ValueInfo, 2) => Field::Holds(Self::Type),
            (Self::Type, 1) => Field::Holds(Self::TensorType),
            (Self::TensorType, 2) => Field::Holds(Self::Shape),
            (Self::Shape, 1) => Field::Holds(Self::Plain),
            _ => Field::AsItIs,
        }
    }
}

/// Counts the parts of a message, its own fields and those of the messages in it.
fn count(message: Message, mut bytes: &[u8], parts: &mut usize) -> Result<(), OnnxFileError> {
    const WIRE_VARINT: u64 = 0;
    const WIRE_8_BYTES: u64 = 1;
    const WIRE_LENGTH: u64 = 2;
    const WIRE_4_BYTES: u64 = 5;
    let take = |parts: &mut usize, number: usize| {
        *parts = parts.saturating_add(number);
        if *parts > MAX_PARTS {
            return Err(OnnxFileError::Parts);
        }
        Ok(())
    };
    while !bytes.is_empty() {
        take(parts, 1)?;
        let key = varint(&mut bytes)?;
        let length = match key & 7 {
            WIRE_VARINT => {
                varint(&mut bytes)?;
                continue;
            }
            WIRE_8_BYTES => 8,
            WIRE_4_BYTES => 4,
            WIRE_LENGTH => varint(&mut bytes)?,
            // Groups, which ONNX has none of.
            _ => return Err(OnnxFileError::malformed("a field of unknown type")),
        };
        let cut = || OnnxFileError::malformed("it is cut off");
        let length = usize::try_from(length).map_err(|_| cut())?;
        let (content, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
        bytes = rest;
        if key & 7 != WIRE_LENGTH {
            continue;
        }
        match message.field(key >> 3) {
            Field::Holds(inner) => count(inner, content, parts)?,
            Field::Packed => take(parts, content.len())?,
            Field::AsItIs => {}
            Field::Unsupported(what) => return Err(OnnxFileError::Unsupported(what)),
            Field::ExternalData => return Err(OnnxFileError::ExternalData),
        }
    }
    Ok(())
}

/// Reads an integer of seven bits a byte, the least significant first.
fn varint(bytes: &mut &[u8]) -> Result<u64, OnnxFileError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else {
            break;
        };
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(OnnxFileError::malformed("an integer without an end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT_IN: [&[u8]; 2] = [
        include_bytes!("../../../../models/default.onnx"),
        include_bytes!("../../../../models/default.gradient.onnx"),
    ];

    fn graph(change: impl Fn(&mut pb::GraphProto)) -> Vec<u8> {
        let mut model = decode(BUILT_IN[0]).unwrap();
        change(model.graph.as_mut().unwrap());
        model.encode_to_vec()
    }

    #[test]
    fn models_have_a_small_part_of_what_is_accepted() {
        for bytes in BUILT_IN {
            let mut parts = 0;
            count(Message::Model, bytes, &mut parts).unwrap();
            assert!((100..MAX_PARTS / 20).contains(&parts), "{parts}");
            decode(bytes).unwrap();
        }
    }

    #[test]
    fn a_file_that_would_grow_in_memory_is_refused_undecoded() {
        let many = MAX_PARTS + 1;
        let refused = |bytes: Vec<u8>| {
            assert_eq!(decode(&bytes), Err(OnnxFileError::Parts));
        };
        refused(graph(|graph| {
            graph.node = vec![pb::NodeProto::default(); many]
        }));
        refused(graph(|graph| {
            graph.node[0].input = vec![String::new(); many]
        }));
        refused(graph(|graph| {
            graph.node[0].attribute[0].ints = vec![1; many]
        }));
        refused(graph(|graph| graph.initializer[0].dims = vec![1; many]));
        refused(graph(|graph| {
            graph.input = vec![pb::ValueInfoProto::default(); many];
        }));
    }

    #[test]
    fn parts_that_no_model_has_are_named() {
        let inner = graph(|graph| {
            graph.node[0].attribute[0].g = Some(pb::GraphProto::default());
        });
        assert!(
            decode(&inner)
                .unwrap_err()
                .to_string()
                .contains("graphs within")
        );
        let outside = graph(|graph| {
            graph.initializer[0].external_data = vec![pb::StringStringEntryProto {
                key: "location".into(),
                value: "/dev/zero".into(),
            }];
        });
        assert_eq!(decode(&outside), Err(OnnxFileError::ExternalData));
    }

    #[test]
    fn what_is_cut_off_or_no_message_says_so() {
        let whole = BUILT_IN[0];
        for bytes in [&whole[..whole.len() - 1], b"\x0F", b"\x0A\xFF", &[0x80; 20]] {
            let reason = decode(bytes).unwrap_err().to_string();
            assert!(reason.starts_with("not a whole ONNX model"), "{reason}");
        }
    }
}
