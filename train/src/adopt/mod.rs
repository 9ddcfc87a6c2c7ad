//! `train card --adopt`: makes an ONNX model of others usable. Its graph is written with the operators that the
//! runtime knows ([`lower`]), and a card says what it is fed and which states its outputs stand for.
//!
//! Nothing is trained and no weight is changed. What a model cannot say (partially open, not visible) is left out
//! of what the runtime reports, not made up.

mod constants;
mod kernels;
mod lower;
mod shapes;

pub use lower::LowerError;

use crate::{
    corruption::obstruction::from_centre,
    export::graph::file_bytes,
    files::{WriteError, write_atomically},
};
use parseye_vision::{
    bounded,
    classify::{
        EyeStateModel, ModelCard, ModelError, OnnxFileError, PrecisionFault, StandardisedCrop,
        adopted::{ImageLayout, PixelScaling},
        card::{AccuracyCard, ConfidenceHistogram, FORMAT, InputCard, METADATA_KEY, TrainingCard},
        check_precision, describe,
        input::{CONTRAST_FLOOR, SIDES},
        onnx_file,
    },
    eye_state::EyeState,
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use tract_onnx::pb::{
    self, tensor_shape_proto::dimension::Value as Dimension, type_proto::Value as Type,
};

/// Largest file that is adopted, in bytes: what the runtime accepts.
const MOST_BYTES: u64 = 256 << 20;

/// Number of crops that a model is tried with.
const PROBES: usize = 4;

/// What a model of others is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Adopting a model of others")]
pub struct AdoptArguments {
    /// ONNX model to make usable: one gray or RGB image of 16 to 128 pixels in, two to four eye states out.
    #[arg(long, value_name = "MODEL.onnx")]
    pub adopt: Option<PathBuf>,
    /// States in the order of the outputs, such as open,closed; of a single output the state at 0, then at 1.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "STATE,...",
        requires = "adopt"
    )]
    pub classes: Vec<EyeState>,
    /// Value that white has before the mean is taken off.
    #[arg(long, default_value_t = 1.0, value_name = "1|255", requires = "adopt")]
    pub white: f32,
    /// What is taken off every pixel: one number, or one for each channel.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0",
        value_name = "M,...",
        allow_hyphen_values = true,
        requires = "adopt"
    )]
    pub mean: Vec<f32>,
    /// What every pixel is divided by then: one number, or one for each channel.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1",
        value_name = "S,...",
        requires = "adopt"
    )]
    pub scale: Vec<f32>,
    /// Side of the input in pixels, where the model leaves it open.
    #[arg(long, value_name = "PIXELS", requires = "adopt")]
    pub side: Option<usize>,
    /// Name of the adopted model; without it that of the file.
    #[arg(long, value_name = "NAME", requires = "adopt")]
    pub name: Option<String>,
    /// File to write; without it NAME.adopted.onnx beside the model.
    #[arg(long, value_name = "FILE.onnx", requires = "adopt")]
    pub out: Option<PathBuf>,
}

/// Why a model cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The system cannot read it.
    #[error("{path}: cannot be read: {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// It is no whole ONNX file.
    #[error("{path}: {error}; {remedy}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it is.
        error: OnnxFileError,
        /// What to do.
        remedy: &'static str,
    },
    /// It does not compute in f32.
    #[error(
        "{path}: {fault}; export it again with f32 weights, before any conversion or quantisation"
    )]
    Precision {
        /// The file.
        path: PathBuf,
        /// Its numbers.
        fault: PrecisionFault,
    },
    /// It has a card.
    #[error("{0}: has a card already and is used as it is; leave out --adopt")]
    HasCard(PathBuf),
    /// Its inputs or outputs are not those of an eye-state model.
    #[error(
        "{path}: {found}; needed is one image as input, [1, C, S, S] or [1, S, S, C] with 1 or 3 channels and {min} to {max} pixels, and one output",
        min = SIDES.start(), max = SIDES.end()
    )]
    Interface {
        /// The file.
        path: PathBuf,
        /// Its inputs and outputs.
        found: String,
    },
    /// The states are not said.
    #[error(
        "{path}: has {outputs} outputs; say what they stand for, in their order, by --classes open,closed, --classes closed,open or all four of {}",
        EyeState::ALL.map(EyeState::name).join(",")
    )]
    NoClasses {
        /// The file.
        path: PathBuf,
        /// Number of its outputs.
        outputs: usize,
    },
    /// Another number of states than outputs.
    #[error(
        "{path}: has {outputs} outputs, and --classes gives {given} states; give one for each (two for a single output)"
    )]
    ClassCount {
        /// The file.
        path: PathBuf,
        /// Number of its outputs.
        outputs: usize,
        /// States given.
        given: usize,
    },
    /// A state twice, or neither open nor closed.
    #[error("--classes {0}: give different states, open and closed among them")]
    Classes(String),
    /// Its graph computes something that the runtime does not.
    #[error("{path}: {error}; export it without that, in evaluation mode and with a batch of one")]
    Graph {
        /// The file.
        path: PathBuf,
        /// The part that is not supported.
        error: LowerError,
    },
    /// The runtime refuses the result.
    #[error("the adopted model cannot be used")]
    Result(#[from] ModelError),
    /// It says the same of every crop.
    #[error(
        "{0}: gives the same answer for every crop; check --mean, --scale and --white, with which the model was trained"
    )]
    Constant(PathBuf),
    /// The card cannot be written as JSON.
    #[error("the card cannot be written as JSON")]
    Card(#[from] serde_json::Error),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// An adopted model in memory.
#[derive(Debug)]
pub struct Adopted {
    /// The bytes of its file.
    pub bytes: Vec<u8>,
    /// Ready to run.
    pub model: EyeStateModel,
    /// Where it belongs.
    pub path: PathBuf,
}

/// Adopts the model at `path`: reads it, writes its graph with the runtime's operators, gives it a card and runs it
/// on a few crops.
///
/// # Errors
/// Says what the file is, or which part of it cannot be used.
pub fn adopt(path: &Path, arguments: &AdoptArguments) -> Result<Adopted, AdoptError> {
    let bytes = bounded::read(path, MOST_BYTES).map_err(|error| AdoptError::Unreadable {
        path: path.into(),
        reason: error.to_string(),
    })?;
    let proto = onnx_file::decode(&bytes).map_err(|error| AdoptError::File {
        path: path.into(),
        remedy: error
            .remedy()
            .unwrap_or("give an ONNX model of one network, whole"),
        error,
    })?;
    if proto
        .metadata_props
        .iter()
        .any(|entry| entry.key == METADATA_KEY)
    {
        return Err(AdoptError::HasCard(path.into()));
    }
    let graph = proto.graph.clone().unwrap_or_default();
    check_precision(&graph).map_err(|fault| AdoptError::Precision {
        path: path.into(),
        fault,
    })?;
    let shape = input_shape(&graph, arguments.side).ok_or_else(|| AdoptError::Interface {
        path: path.into(),
        found: describe(&graph),
    })?;
    let lowered = lower::lower(&proto, shape).map_err(|error| AdoptError::Graph {
        path: path.into(),
        error,
    })?;
    let states = states(path, arguments, lowered.outputs)?;
    let card = card(path, arguments, &bytes, &lowered, shape, &states);
    let bytes = model_bytes(lowered.graph, &card)?;
    let model = EyeStateModel::from_bytes(&bytes, "adopted model")?;
    if !tells_crops_apart(&model)? {
        return Err(AdoptError::Constant(path.into()));
    }
    Ok(Adopted {
        bytes,
        model,
        path: arguments
            .out
            .clone()
            .unwrap_or_else(|| path.with_extension("adopted.onnx")),
    })
}

/// Writes an adopted model.
///
/// # Errors
/// When the file cannot be written.
pub fn write(adopted: &Adopted) -> Result<(), AdoptError> {
    Ok(write_atomically(&adopted.path, &adopted.bytes)?)
}

/// The adopted model with another card.
///
/// # Errors
/// When the runtime refuses the card.
pub fn with_card(adopted: &Adopted, card: &ModelCard) -> Result<Adopted, AdoptError> {
    let proto = onnx_file::decode(&adopted.bytes).map_err(|error| AdoptError::File {
        path: adopted.path.clone(),
        error,
        remedy: "please report this with the model at hand",
    })?;
    let bytes = model_bytes(proto.graph.unwrap_or_default(), card)?;
    Ok(Adopted {
        model: EyeStateModel::from_bytes(&bytes, "adopted model")?,
        bytes,
        path: adopted.path.clone(),
    })
}

/// The shape of the one image that the graph reads, its batch fixed to 1; `None` where it is no such image.
fn input_shape(graph: &pb::GraphProto, side: Option<usize>) -> Option<[usize; 4]> {
    let is_constant = |name: &str| graph.initializer.iter().any(|c| c.name == name);
    let mut inputs = graph.input.iter().filter(|input| !is_constant(&input.name));
    let (Some(input), None, [_]) = (inputs.next(), inputs.next(), graph.output.as_slice()) else {
        return None;
    };
    let Type::TensorType(tensor) = input.r#type.as_ref()?.value.as_ref()?;
    let dimensions = tensor
        .shape
        .as_ref()?
        .dim
        .iter()
        .map(|dimension| match dimension.value {
            Some(Dimension::DimValue(size)) => usize::try_from(size).ok().filter(|size| *size > 0),
            _ => None,
        });
    let dimensions: [Option<usize>; 4] = dimensions.collect::<Vec<_>>().try_into().ok()?;
    let channels = |size: Option<usize>| matches!(size, Some(1 | 3));
    // Rows and columns that are left open are the given side; the batch is one, or open.
    let open = |size: Option<usize>| size.or(side).unwrap_or_default();
    let [batch, a, b, c] = dimensions;
    if batch.is_some_and(|batch| batch != 1) {
        return None;
    }
    let shape = if channels(a) {
        [1, a.unwrap_or_default(), open(b), open(c)]
    } else if channels(c) {
        [1, open(a), open(b), c.unwrap_or_default()]
    } else {
        return None;
    };
    ImageLayout::of(shape).map(|_| shape)
}

/// The states of the outputs; a single output is the logit of the second state.
fn states(
    path: &Path,
    arguments: &AdoptArguments,
    outputs: usize,
) -> Result<Vec<EyeState>, AdoptError> {
    let given = &arguments.classes;
    if given.is_empty() {
        return Err(AdoptError::NoClasses {
            path: path.into(),
            outputs,
        });
    }
    if given.len() != outputs.max(2) {
        return Err(AdoptError::ClassCount {
            path: path.into(),
            outputs,
            given: given.len(),
        });
    }
    let different: BTreeSet<EyeState> = given.iter().copied().collect();
    let both = [EyeState::Open, EyeState::Closed];
    if different.len() != given.len() || !both.iter().all(|state| different.contains(state)) {
        let names: Vec<&str> = given.iter().map(|state| state.name()).collect();
        return Err(AdoptError::Classes(names.join(",")));
    }
    Ok(given.clone())
}

fn card(
    path: &Path,
    arguments: &AdoptArguments,
    bytes: &[u8],
    lowered: &lower::Lowered,
    shape: [usize; 4],
    states: &[EyeState],
) -> ModelCard {
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let list = |values: &[f32]| {
        values
            .iter()
            .map(f32::to_string)
            .collect::<Vec<_>>()
            .join(",")
    };
    let names: Vec<&str> = states.iter().map(|state| state.name()).collect();
    let command = format!(
        "train card --adopt MODEL --classes {} --white {} --mean {} --scale {}",
        names.join(","),
        arguments.white,
        list(&arguments.mean),
        list(&arguments.scale)
    );
    ModelCard {
        format: FORMAT,
        name: arguments.name.clone().or(stem).unwrap_or_else(|| "adopted".into()),
        architecture: "adopted".into(),
        parameters: lowered.parameters,
        labels: names.iter().map(|name| (*name).to_owned()).collect(),
        input: InputCard {
            name: "image".into(),
            shape,
            preprocessing: "full-range BT.601 luma, levelled square around the eye, area average, the same in every \
                            channel, scaled as `pixels` says"
                .into(),
            contrast_floor: CONTRAST_FLOOR,
            pixels: Some(PixelScaling {
                white: arguments.white,
                mean: arguments.mean.clone(),
                scale: arguments.scale.clone(),
            }),
        },
        temperature: 1.0,
        training: TrainingCard {
            command,
            seed: 0,
            commit: env!("PARSEYE_COMMIT").into(),
            data_sha256: String::new(),
            files_sha256: BTreeMap::from([("MODEL".into(), hex::encode(Sha256::digest(bytes)))]),
            crops_by_source: BTreeMap::new(),
            data_credit: "made by others, from data that its card does not know".into(),
            epochs: 0,
            chosen_epoch: 0,
            precision: "f32".into(),
            device: "unknown".into(),
            threads: 0,
        },
        validation: AccuracyCard::default(),
        lids: None,
        robustness: Vec::new(),
        reference_confidence: ConfidenceHistogram::default(),
        reference_quantiles: None,
    }
}

fn model_bytes(graph: pb::GraphProto, card: &ModelCard) -> Result<Vec<u8>, AdoptError> {
    let metadata = vec![(METADATA_KEY, serde_json::to_string(card)?)];
    Ok(file_bytes(graph, metadata))
}

/// Whether the model's logits differ between a few crops of stripes, rings and ramps.
fn tells_crops_apart(model: &EyeStateModel) -> Result<bool, ModelError> {
    let mut classifier = model.classifier()?;
    let mut all = Vec::with_capacity(PROBES);
    for probe in 0..PROBES {
        let side = model.side();
        let level = |index: usize| {
            // Patterns are those of 32 pixels, whatever the size.
            let [x, y] = from_centre(index, side).map(|at| at * 32.0 / side as f32);
            let wave = match probe {
                0 => x.hypot(y) / 3.0,
                1 => y / 2.0,
                2 => x / 5.0,
                _ => (x + y) / 40.0,
            };
            128.0 + 100.0 * wave.sin()
        };
        let gray: Vec<f32> = (0..side * side).map(level).collect();
        let crop = StandardisedCrop::new(&gray);
        all.push(classifier.logits(&crop)?);
    }
    Ok(all.iter().any(|logits| *logits != all[0]))
}
