//! One eye crop by Parseye and by onnxruntime, one thread each, in turns.

use super::{clips::say, median_and_p99};
use anyhow::{Context, ensure};
use ort::{session::Session, value::TensorRef};
use parseye::{
    classify::{
        EyeStateModel, StandardisedCrop,
        input::{PIXELS, SIDE},
    },
    eye_state::STATES,
    selfcheck::noise::Normal,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::{path::Path, time::Instant};

/// Crops of a turn, and turns of each engine.
const CROPS: usize = 100;
const TURNS: usize = 40;

/// Farthest that the logits of the two may be apart: what other orders of sums make of 32 bits.
const APART: f32 = 1e-3;

/// Crops of random levels; the networks take the same time on any picture.
fn crops() -> Vec<StandardisedCrop> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut crop = || {
        let mut gray = [0.0; PIXELS];
        for level in &mut gray {
            *level = (128.0 + 40.0 * Normal.draw(&mut rng) as f32).clamp(0.0, 255.0);
        }
        StandardisedCrop::new(&gray)
    };
    (0..CROPS).map(|_| crop()).collect()
}

struct OnnxRuntime {
    session: Session,
    input: String,
}

impl OnnxRuntime {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let builder = Session::builder().map_err(words)?;
        let builder = builder.with_intra_threads(1).map_err(words)?;
        let mut builder = builder.with_inter_threads(1).map_err(words)?;
        let session = builder.commit_from_file(path).map_err(words)?;
        let input = session.inputs().first().context("the model has no input")?;
        let input = input.name().to_owned();
        Ok(Self { session, input })
    }

    fn logits(&mut self, crop: &StandardisedCrop) -> anyhow::Result<[f32; STATES]> {
        let shape = [1_usize, 1, SIDE, SIDE];
        let tensor = TensorRef::from_array_view((shape, crop.values.as_slice())).map_err(words)?;
        let outputs = self
            .session
            .run(ort::inputs![self.input.as_str() => tensor]);
        let outputs = outputs.map_err(words)?;
        let (_, logits) = outputs[0].try_extract_tensor::<f32>().map_err(words)?;
        logits
            .try_into()
            .context("the model answers other than four logits")
    }
}

/// Its errors carry what is no `Send`.
fn words<R>(error: ort::Error<R>) -> anyhow::Error {
    anyhow::anyhow!("onnxruntime: {error}")
}

/// The file of onnxruntime, whose name ends in its version.
fn library() -> String {
    let path = std::env::var_os("ORT_DYLIB_PATH").unwrap_or_default();
    let name = Path::new(&path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Prints medians of both for each model.
pub fn run(models: &[&str]) -> anyhow::Result<()> {
    let crops = crops();
    say(&format!(
        "milliseconds a crop, one thread, medians of {TURNS} turns of {CROPS} crops; {}",
        library()
    ))?;
    say("model                    Parseye  onnxruntime  Parseye/onnxruntime  logits apart")?;
    for path in models {
        let path = Path::new(path);
        let model = EyeStateModel::from_file(path)?;
        let mut parseye = model.classifier()?;
        let mut onnx_runtime = OnnxRuntime::open(path)?;
        let mut apart = 0.0_f32;
        for crop in &crops {
            let (ours, theirs) = (parseye.logits(crop)?, onnx_runtime.logits(crop)?);
            for (a, b) in ours.iter().zip(theirs) {
                apart = apart.max((a - b).abs());
            }
        }
        ensure!(
            apart < APART,
            "{}: the engines' logits are {apart} apart",
            path.display()
        );
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            let begin = Instant::now();
            for crop in &crops {
                std::hint::black_box(parseye.logits(crop)?);
            }
            let between = Instant::now();
            for crop in &crops {
                std::hint::black_box(onnx_runtime.logits(crop)?);
            }
            let each = |seconds: f64| 1000.0 * seconds / CROPS as f64;
            times[0].push(each((between - begin).as_secs_f64()));
            times[1].push(each(between.elapsed().as_secs_f64()));
        }
        let [ours, theirs] = times.map(|mut times| median_and_p99(&mut times).0);
        say(&format!(
            "{:24} {ours:7.3} {theirs:12.3} {:20.2} {apart:13.1e}",
            model.card().name,
            ours / theirs
        ))?;
    }
    Ok(())
}
