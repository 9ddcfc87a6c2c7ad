//! Open and closed eyes of the validation split by the side of their crop, scaled down before the model sees it.

use super::clips::print_line;
use anyhow::Context;
use image::{GrayImage, imageops};
use parseye_vision::{
    classify::EyeStateModel,
    evaluate::{
        manifest::{Manifest, Split},
        metrics::Confusion,
    },
    eye_crop::eye_crop,
    eye_state::EyeState,
    frame::luma_of,
    locate::Roi,
};
use std::path::Path;

/// Sides in pixels that are tried.
const SIDES: [u32; 10] = [32, 24, 20, 16, 14, 12, 10, 8, 6, 4];

/// Crops of fewer pixels are left out: they are small already.
const LEAST_NATIVE: u32 = 32;

/// Prints a row for each side.
pub fn run(data: &Path) -> anyhow::Result<()> {
    let crops = crops(data)?;
    let mut classifier = EyeStateModel::built_in()?.classifier()?;
    let labelled = |state| crops.iter().filter(|(_, label)| *label == state).count();
    print_line(&format!(
        "{} crops of {LEAST_NATIVE} pixels or more of the validation split: {} open, {} closed, {} partially open",
        crops.len(),
        labelled(EyeState::Open),
        labelled(EyeState::Closed),
        labelled(EyeState::PartiallyOpen)
    ))?;
    print_line("side px   open as open   closed as closed   open as closed   closed as open")?;
    for side in SIDES {
        let mut confusion = Confusion::default();
        for (crop, label) in &crops {
            let small = imageops::resize(crop, side, side, imageops::FilterType::Triangle);
            let square = Roi::whole(side, side);
            let crop = eye_crop(&small, &square, classifier.model().side());
            let probabilities = classifier.probabilities(&crop)?;
            confusion.add(*label, EyeState::most_likely(&probabilities));
        }
        let share = |truth: EyeState, predicted: EyeState| {
            let row = confusion.0[truth.index()];
            100.0 * row[predicted.index()] as f64 / row.iter().sum::<u64>().max(1) as f64
        };
        print_line(&format!(
            "{side:7} {:12.1} % {:16.1} % {:14.1} % {:14.1} %",
            share(EyeState::Open, EyeState::Open),
            share(EyeState::Closed, EyeState::Closed),
            share(EyeState::Open, EyeState::Closed),
            share(EyeState::Closed, EyeState::Open)
        ))?;
    }
    Ok(())
}

/// Crops of the validation split with their labels, all but hidden eyes.
fn crops(data: &Path) -> anyhow::Result<Vec<(GrayImage, EyeState)>> {
    let mut crops = Vec::new();
    for folder in ["eyes", "eyes-wild"] {
        let manifest = Manifest::read(&data.join(folder).join("manifest.csv"))?;
        for sample in manifest.of_split(Split::Val)? {
            if sample.label == EyeState::NotVisible {
                continue;
            }
            let path = data.join(folder).join(&sample.path);
            let image = image::open(&path)
                .with_context(|| format!("{}: not a readable image", path.display()))?;
            let gray = luma_of(&image.into_rgb8());
            if gray.width().min(gray.height()) >= LEAST_NATIVE {
                crops.push((gray, sample.label));
            }
        }
    }
    Ok(crops)
}
