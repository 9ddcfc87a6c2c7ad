//! Model files: an ONNX file with its card is run or refused, in bounded memory and time. A file
//! without a card is given one, so that the fuzzer need not keep two kilobytes of JSON whole.

use parseye_vision::{
    classify::{
        EyeStateModel, ModelCard, StandardisedCrop,
        card::METADATA_KEY,
        gradient::{GRADIENT_OF_KEY, GradientModel},
    },
    eye_state::EyeState,
};
use prost::Message;
use std::sync::LazyLock;
use tract_onnx::pb::{ModelProto, StringStringEntryProto};

/// A model whose gradient the same bytes may be.
const SMALL: &[u8] = include_bytes!("../../../fuzz/seeds/model_card/flat.onnx");
static SMALL_MODEL: LazyLock<EyeStateModel> =
    LazyLock::new(|| EyeStateModel::from_bytes(SMALL, "small").expect("the seed is a model"));

fn run(bytes: &[u8]) {
    let crop = StandardisedCrop::new(&std::array::from_fn::<_, 1024, _>(|pixel| {
        (pixel % 251) as f32
    }));
    match EyeStateModel::from_bytes(bytes, "fuzzed") {
        Ok(model) => {
            let card = model.card();
            let text = serde_json::to_string(card).expect("a card is JSON");
            let again: ModelCard = serde_json::from_str(&text).expect("it was just written");
            assert_eq!(again.check(), Ok(()));
            let mut classifier = model.classifier().expect("it was loaded");
            if let Ok(probabilities) = classifier.probabilities(&crop) {
                let sum: f32 = probabilities.iter().sum();
                assert!((sum - 1.0).abs() < 1e-4, "{probabilities:?}");
                assert!(
                    probabilities.iter().all(|p| (0.0..=1.0).contains(p)),
                    "{probabilities:?}"
                );
            }
        }
        Err(error) => assert!(error.to_string().starts_with("fuzzed: ")),
    }
    match GradientModel::from_bytes(bytes, "fuzzed", &SMALL_MODEL) {
        Ok(gradient) => {
            let mut runner = gradient.runner().expect("it was loaded");
            if let Ok(gradient) = runner.gradient(&crop, EyeState::Closed) {
                assert!(gradient.values.iter().all(|value| value.is_finite()));
            }
        }
        Err(error) => assert!(error.to_string().starts_with("fuzzed: ")),
    }
}

/// Panics where the reader breaks that promise.
pub fn check(bytes: &[u8]) {
    run(bytes);
    let Ok(mut model) = ModelProto::decode(bytes) else {
        return;
    };
    if model
        .metadata_props
        .iter()
        .any(|entry| entry.key == METADATA_KEY)
    {
        return;
    }
    let card = serde_json::to_string(SMALL_MODEL.card()).expect("a card is JSON");
    let sha256 = SMALL_MODEL.file().sha256.clone();
    for (key, value) in [(METADATA_KEY, card), (GRADIENT_OF_KEY, sha256)] {
        let key = key.into();
        model
            .metadata_props
            .push(StringStringEntryProto { key, value });
    }
    run(&model.encode_to_vec());
}
