//! Classifies images of single eyes with a model of your own, as `train` writes them.
//!
//! `cargo run -p parseye --example own_model -- MODEL.onnx EYE.png...`
#![allow(clippy::print_stdout)]

use anyhow::Context;
use parseye::{
    EyeState, EyeStateModel,
    vision::{eye_crop::eye_crop, locate::Roi},
};
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().context("give a model and images")?;
    let model = EyeStateModel::from_file(&path)?;
    let card = model.card();
    println!("{}: {} parameters", card.name, card.parameters);
    let mut classifier = model.classifier()?;
    for path in arguments {
        let image = image::open(&path)?.into_luma8();
        let square = Roi::whole(image.width(), image.height());
        let crop = eye_crop(&image, &square, model.side());
        let probabilities = classifier.probabilities(&crop)?;
        let state = EyeState::most_likely(&probabilities);
        println!("{}: {state} {probabilities:.3?}", path.display());
    }
    Ok(())
}
