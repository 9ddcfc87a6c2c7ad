//! Reads ONNX files that nobody vouches for, within bounds of memory.
//!
//! Decoding a message makes hundreds of bytes of memory out of two bytes of a file, so the parts of a
//! file are counted before it is decoded. What its graph computes is [`super::graph`]'s to judge.

use crate::{bounded, onnx, onnx::messages as pb};
use std::{io, path::Path};

/// Largest model file accepted, in bytes: ten times the widest network that `train` makes for the
/// edge. A larger file is not one of ours, and must not fill the memory.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// Most parts of a file: messages, names and packed whole numbers, none of which takes more than a few
/// hundred bytes of memory. The gradient graph of WRN-16-1 has 1,731.
const MOST_PARTS: usize = 1 << 17;

/// The bytes of a model file.
///
/// # Errors
/// The system's; of kind [`io::ErrorKind::FileTooLarge`] above [`MOST_BYTES`].
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    bounded::read(path, MOST_BYTES)
}

/// The messages in the bytes of a model file.
///
/// # Errors
/// A sentence about a file that is too large, is no ONNX or not whole, or has parts that no model of
/// ours has: functions, graphs within graphs, data in other files.
pub(super) fn decode(bytes: &[u8]) -> Result<pb::ModelProto, String> {
    if bytes.len() as u64 > MOST_BYTES {
        let size = bytes.len();
        return Err(format!("{size} bytes are too many for an eye-state model"));
    }
    let mut parts = 0;
    count(Message::Model, bytes, &mut parts)?;
    onnx::decode(bytes).map_err(|error| format!("{NOT_WHOLE} ({error})"))
}

const NOT_WHOLE: &str = "not a whole ONNX model";

/// The messages of ONNX that a model of ours consists of.
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

/// What a field with a length is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// A message.
    Holds(Message),
    /// Bytes that take as much memory as they do in the file: text, floats, raw data.
    AsItIs,
    /// Whole numbers of variable length, each of which takes eight bytes.
    Packed,
    /// Nothing that a model of ours has.
    Foreign(&'static str),
}

impl Message {
    /// The field of a number (onnx.proto). Fields that are not known are skipped by the decoder, too.
    const fn field(self, number: u64) -> Field {
        match (self, number) {
            (Self::Model, 7) => Field::Holds(Self::Graph),
            (Self::Model, 8 | 14) => Field::Holds(Self::Plain),
            (Self::Model, 20) => Field::Foreign("a training graph"),
            (Self::Model, 25) => Field::Foreign("functions of its own"),
            (Self::Graph, 1) => Field::Holds(Self::Node),
            (Self::Graph, 5) => Field::Holds(Self::Tensor),
            (Self::Graph, 11..=13) => Field::Holds(Self::ValueInfo),
            (Self::Graph, 14 | 15) => Field::Foreign("quantised or sparse constants"),
            (Self::Node, 5) => Field::Holds(Self::Attribute),
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7 | 11) => Field::Packed,
            (Self::Attribute, 6 | 11) => Field::Foreign("graphs within its graph"),
            (Self::Attribute, 5 | 10 | 14 | 15 | 22 | 23) => {
                Field::Foreign("tensors or types as attributes")
            }
            (Self::Tensor, 3 | 13) => Field::Foreign("data in other places or files"),
            (Self::ValueInfo, 2) => Field::Holds(Self::Type),
            (Self::Type, 1) => Field::Holds(Self::TensorType),
            (Self::TensorType, 2) => Field::Holds(Self::Shape),
            (Self::Shape, 1) => Field::Holds(Self::Plain),
            _ => Field::AsItIs,
        }
    }
}

/// Counts the parts of a message, its own fields and those of the messages in it.
fn count(message: Message, mut bytes: &[u8], parts: &mut usize) -> Result<(), String> {
    const WIRE_VARINT: u64 = 0;
    const WIRE_8_BYTES: u64 = 1;
    const WIRE_LENGTH: u64 = 2;
    const WIRE_4_BYTES: u64 = 5;
    let take = |parts: &mut usize, number: usize| {
        *parts = parts.saturating_add(number);
        if *parts > MOST_PARTS {
            return Err(format!(
                "it has more than {MOST_PARTS} parts, too many for an eye-state model"
            ));
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
            _ => return Err(format!("{NOT_WHOLE} (a field of unknown form)")),
        };
        let cut = || format!("{NOT_WHOLE} (it is cut off)");
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
            Field::Foreign(what) => {
                return Err(format!("it has {what}, as no model of `train` has"));
            }
        }
    }
    Ok(())
}

/// A number of seven bits a byte, the least first.
fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
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
    Err(format!("{NOT_WHOLE} (a number without an end)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

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
    fn our_models_have_a_small_part_of_what_is_accepted() {
        for bytes in BUILT_IN {
            let mut parts = 0;
            count(Message::Model, bytes, &mut parts).unwrap();
            assert!((100..MOST_PARTS / 20).contains(&parts), "{parts}");
            decode(bytes).unwrap();
        }
    }

    #[test]
    fn a_file_that_would_grow_in_memory_is_refused_undecoded() {
        let many = MOST_PARTS + 1;
        let refused = |bytes: Vec<u8>| {
            let reason = decode(&bytes).unwrap_err();
            assert!(reason.contains("parts"), "{reason}");
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
    fn parts_that_no_model_of_ours_has_are_named() {
        let inner = graph(|graph| {
            graph.node[0].attribute[0].g = Some(pb::GraphProto::default());
        });
        assert!(decode(&inner).unwrap_err().contains("graphs within"));
        let outside = graph(|graph| {
            graph.initializer[0].external_data = vec![pb::StringStringEntryProto {
                key: "location".into(),
                value: "/dev/zero".into(),
            }];
        });
        assert!(decode(&outside).unwrap_err().contains("other places"));
    }

    #[test]
    fn what_is_cut_off_or_no_message_says_so() {
        let whole = BUILT_IN[0];
        for bytes in [&whole[..whole.len() - 1], b"\x0F", b"\x0A\xFF", &[0x80; 20]] {
            let reason = decode(bytes).unwrap_err();
            assert!(reason.starts_with(NOT_WHOLE), "{reason}");
        }
    }
}
