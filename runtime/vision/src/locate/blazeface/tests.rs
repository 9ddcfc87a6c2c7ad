//! The network predicts what tract does with the same file, and no other file is accepted.

use super::*;
use crate::{classify::engine::tests::by_whole_reader, locate::FACE_DETECTOR_FILE};
use parseye_test_needs::needs;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Farthest that an output may be from tract's, of values up to 200: the order of summation differs in
/// each of 38 layers.
const ROUNDING: f32 = 2e-3;

#[test]
fn another_file_is_refused_by_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.onnx");
    std::fs::write(&path, b"something else").unwrap();
    let line = BlazeFace::open(&path).unwrap_err().to_string();
    assert!(
        line.contains("other.onnx") && line.contains("make models"),
        "{line}"
    );
    let line = BlazeFace::open(folder.path().join("none").as_path())
        .unwrap_err()
        .to_string();
    assert!(line.contains("cannot be read"), "{line}");
}

/// Noise, flat and sharp patches of all colours.
fn drawn_input(seed: u64) -> Vec<f32> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let noise = chance.random_range(0.0..1.0_f32);
    let patches: Vec<_> = (0..24)
        .map(|_| {
            let colour: [f32; 3] = std::array::from_fn(|_| chance.random_range(-1.0..1.0));
            let centre = [0, 1].map(|_| chance.random_range(0.0..SIDE as f32));
            (centre, chance.random_range(4.0..40.0_f32), colour)
        })
        .collect();
    (0..SIDE * SIDE * 3)
        .map(|at| {
            let (x, y) = ((at / 3 % SIDE) as f32, (at / 3 / SIDE) as f32);
            let patch = patches
                .iter()
                .rev()
                .find(|([across, down], radius, _)| (x - across).hypot(y - down) < *radius);
            let level = patch.map_or(0.0, |(.., colour)| colour[at % 3]);
            (level + noise * chance.random_range(-1.0..1.0_f32)).clamp(-1.0, 1.0)
        })
        .collect()
}

#[needs(face_detector)]
#[test]
fn the_layers_predict_as_tract_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/face-detector");
    let path = folder.join(FACE_DETECTOR_FILE);
    let plan = by_whole_reader(&std::fs::read(&path).unwrap(), &[&[1, SIDE, SIDE, 3]]);
    let mut face = BlazeFace::open(&path).unwrap();
    // The second run is on what the first one left in memory.
    for seed in 0..12 {
        let input = drawn_input(seed);
        let tensor = Tensor::from_shape(&[1, SIDE, SIDE, 3], &input).unwrap();
        let expected: Vec<Vec<f32>> = plan
            .run(tvec!(tensor.into_tvalue()))
            .unwrap()
            .iter()
            .map(|output| {
                let view = output.to_plain_array_view::<f32>().unwrap();
                view.iter().copied().collect()
            })
            .collect();
        let outputs = face.infer(&input);
        for (at, (found, expected)) in outputs.tables().into_iter().zip(&expected).enumerate() {
            assert_eq!(found.len(), expected.len(), "output {at}");
            for (found, expected) in found.iter().zip(expected) {
                let apart = (found - expected).abs();
                assert!(
                    apart < ROUNDING,
                    "output {at}, image {seed}: {found}, {expected}"
                );
            }
        }
    }
}
