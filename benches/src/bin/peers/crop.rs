//! One eye crop, and one run of the face detector, by Parseye and by onnxruntime, one thread each, in turns.

use anyhow::{Context, ensure};
use ort::{session::Session, value::TensorRef};
use parseye_benches::{clips::print_line, statistics::quantile};
use parseye_vision::{
    classify::{EyeStateModel, StandardisedCrop},
    locate::{blazeface, blazeface::BlazeFace},
    selfcheck::noise::Normal,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::{
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};

/// Runs of a turn, and turns of each engine.
const RUNS: usize = 100;
const TURNS: usize = 40;

/// Largest difference of the two engines' outputs, relative to those above 1: what another order of 32-bit
/// sums may make.
const APART: f32 = 1e-3;

/// Crops of `side` rows and columns of random levels; the networks take the same time on any image.
fn crops(side: usize) -> Vec<StandardisedCrop> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut crop = || {
        let mut gray = vec![0.0; side * side];
        for level in &mut gray {
            *level = (128.0 + 40.0 * Normal.draw(&mut rng) as f32).clamp(0.0, 255.0);
        }
        StandardisedCrop::new(&gray)
    };
    (0..RUNS).map(|_| crop()).collect()
}

/// Regions of random colours.
fn face_inputs() -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let numbers = blazeface::SIDE * blazeface::SIDE * 3;
    let mut level = || (0.3 * Normal.draw(&mut rng) as f32).clamp(-1.0, 1.0);
    (0..RUNS)
        .map(|_| (0..numbers).map(|_| level()).collect())
        .collect()
}

struct OnnxRuntime {
    session: Session,
    input: String,
}

impl OnnxRuntime {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let builder = Session::builder().map_err(send)?;
        let builder = builder.with_intra_threads(1).map_err(send)?;
        let mut builder = builder.with_inter_threads(1).map_err(send)?;
        let session = builder.commit_from_file(path).map_err(send)?;
        let input = session.inputs().first().context("the model has no input")?;
        let input = input.name().to_owned();
        Ok(Self { session, input })
    }

    /// All outputs one after the other.
    fn run<const SIDES: usize>(
        &mut self,
        shape: [usize; SIDES],
        input: &[f32],
    ) -> anyhow::Result<Vec<f32>> {
        let tensor = TensorRef::from_array_view((shape, input)).map_err(send)?;
        let outputs = self
            .session
            .run(ort::inputs![self.input.as_str() => tensor]);
        let outputs = outputs.map_err(send)?;
        let mut all = Vec::new();
        for output in outputs.values() {
            all.extend(output.try_extract_tensor::<f32>().map_err(send)?.1);
        }
        Ok(all)
    }
}

/// An error of onnxruntime without the parts that are not `Send`.
fn send<R>(error: ort::Error<R>) -> anyhow::Error {
    anyhow::anyhow!("onnxruntime: {error}")
}

/// The file of onnxruntime, whose name ends in its version.
fn library() -> String {
    let path = std::env::var_os("ORT_DYLIB_PATH").unwrap_or_default();
    let name = Path::new(&path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Prints medians of both for each model and for the face detector.
pub fn run(models: &[PathBuf], detector: &Path) -> anyhow::Result<()> {
    print_line(&format!(
        "milliseconds a run, one thread, medians of {TURNS} turns of {RUNS} runs; {}",
        library()
    ))?;
    print_line(
        "network                  Parseye  onnxruntime  Parseye/onnxruntime  outputs apart",
    )?;
    for path in models {
        let model = EyeStateModel::from_file(path)?;
        let side = model.side();
        let mut parseye = model.classifier()?;
        let mut onnx_runtime = OnnxRuntime::open(path)?;
        compare(
            &model.card().name,
            &crops(side),
            |crop| Ok(parseye.logits(crop)?.to_vec()),
            |crop| onnx_runtime.run([1, 1, side, side], &crop.values),
        )?;
    }
    let mut parseye = BlazeFace::open(detector)?;
    let mut onnx_runtime = OnnxRuntime::open(detector)?;
    let side = blazeface::SIDE;
    compare(
        "face detector",
        &face_inputs(),
        |input| Ok(parseye.infer(input).tables().concat()),
        |input| onnx_runtime.run([1, side, side, 3], input),
    )
}

/// Runs the same inputs through both in turns and prints a row.
fn compare<I>(
    name: &str,
    inputs: &[I],
    mut ours: impl FnMut(&I) -> anyhow::Result<Vec<f32>>,
    mut theirs: impl FnMut(&I) -> anyhow::Result<Vec<f32>>,
) -> anyhow::Result<()> {
    let mut apart = 0.0_f32;
    for input in inputs {
        let (ours, theirs) = (ours(input)?, theirs(input)?);
        ensure!(ours.len() == theirs.len(), "{name}: other outputs");
        for (a, b) in ours.iter().zip(theirs) {
            apart = apart.max((a - b).abs() / b.abs().max(1.0));
        }
    }
    ensure!(
        apart < APART,
        "{name}: the engines' outputs are {apart} apart"
    );
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let begin = Instant::now();
        for input in inputs {
            black_box(ours(input)?);
        }
        let between = Instant::now();
        for input in inputs {
            black_box(theirs(input)?);
        }
        let each = |seconds: f64| 1000.0 * seconds / inputs.len() as f64;
        times[0].push(each((between - begin).as_secs_f64()));
        times[1].push(each(between.elapsed().as_secs_f64()));
    }
    let [ours, theirs] = times.map(|mut times| quantile(&mut times, 0.5));
    print_line(&format!(
        "{name:24} {ours:7.3} {theirs:12.3} {:20.2} {apart:14.1e}",
        ours / theirs
    ))
}
