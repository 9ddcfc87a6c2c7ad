//! Times every stage of a frame's way from pixels to two eye states, at 640x480.
//!
//! `cargo bench -p parseye-benches --bench frame_stages`. Needs the face detector (`make models`). The
//! picture is `PARSEYE_BENCH_PICTURE` where that is set (scaled to 640x480 with bars), else a
//! drawn one; the networks take the same time on any picture.

use criterion::{Criterion, criterion_group, criterion_main};
use image::{Rgb, RgbImage, imageops};
use parseye_vision::{
    classify::{
        EyeStateModel,
        input::{PIXELS, SIDE, StandardisedCrop},
    },
    eye_state::{Eye, PerEye},
    frame::luma_of,
    locate::{
        FACE_DETECTOR_FILE, Face, FaceTracker, Roi, blazeface,
        blazeface::BlazeFace,
        crop::{Averaging, sample_gray, sample_rgb_letterboxed},
        track::region_around,
    },
};
use std::{error::Error, hint::black_box, path::Path};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// Side of an eye's square in eye distances, as the training crops are cut.
const EYE_SQUARE: f32 = 0.85;

/// The picture to work on: with bars rather than stretched, so that a face stays one.
fn picture() -> Result<RgbImage, Box<dyn Error>> {
    let Some(path) = std::env::var_os("PARSEYE_BENCH_PICTURE") else {
        return Ok(RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let wave = ((x as f32 / 17.0).sin() * (y as f32 / 23.0).cos() * 60.0 + 128.0) as u8;
            Rgb([wave, wave / 2 + 60, 255 - wave])
        }));
    };
    let given = image::open(&path)
        .map_err(|error| format!("{}: {error}", path.display()))?
        .resize(WIDTH, HEIGHT, imageops::FilterType::Triangle)
        .into_rgb8();
    let mut picture = RgbImage::new(WIDTH, HEIGHT);
    let x = i64::from((WIDTH - given.width()) / 2);
    imageops::replace(&mut picture, &given, x, 0);
    Ok(picture)
}

/// A face as large as that of someone at a desk, for pictures in which none is found.
fn assumed_face() -> Face {
    Face {
        confidence: 1.0,
        square: Roi {
            centre: [320.0, 260.0],
            side: 180.0,
            angle: 0.0,
        },
        eyes: PerEye {
            left: [358.0, 222.0],
            right: [282.0, 228.0],
        },
    }
}

fn stages(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let picture = picture()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = root.join("models/face-detector").join(FACE_DETECTOR_FILE);
    let mut network = BlazeFace::open(&file)?;
    let mut tracker = FaceTracker::open(&file, 1)?;
    let model = EyeStateModel::built_in()?;
    let mut classifier = model.classifier()?;

    let luma = luma_of(&picture);
    let found = tracker.track(&picture, &luma);
    eprintln!(
        "face in the picture: {}",
        if found.is_some() {
            "yes"
        } else {
            "no, one is assumed"
        }
    );
    let face = found.unwrap_or_else(assumed_face);
    let region = region_around(&face);
    let squares = face.eye_rois(EYE_SQUARE);
    let luma = luma_of(&picture);
    let mut input = vec![0.0; blazeface::SIDE * blazeface::SIDE * 3];
    sample_rgb_letterboxed(
        &picture,
        &region,
        blazeface::SIDE,
        Averaging::Sparse,
        &mut input,
    );
    let outputs = network.infer(&input);
    let crop = |eye: Eye| {
        let mut gray = [0.0; PIXELS];
        sample_gray(&luma, squares.get(eye), SIDE, &mut gray);
        StandardisedCrop::new(&gray)
    };
    let crops = PerEye::from_fn(crop);

    let mut group = criterion.benchmark_group("frame");
    group.bench_function("luma", |b| b.iter(|| luma_of(black_box(&picture))));
    group.bench_function("sample face region", |b| {
        b.iter(|| {
            sample_rgb_letterboxed(
                black_box(&picture),
                &region,
                blazeface::SIDE,
                Averaging::Sparse,
                &mut input,
            );
        });
    });
    group.bench_function("sample whole frame", |b| {
        let whole = Roi {
            centre: [320.0, 240.0],
            side: 640.0,
            angle: 0.0,
        };
        let mut input = vec![0.0; blazeface::SIDE * blazeface::SIDE * 3];
        b.iter(|| {
            sample_rgb_letterboxed(
                black_box(&picture),
                &whole,
                blazeface::SIDE,
                Averaging::Sparse,
                &mut input,
            )
        });
    });
    group.bench_function("detector inference", |b| {
        b.iter(|| network.infer(black_box(&input)))
    });
    group.bench_function("decode faces", |b| {
        b.iter(|| blazeface::merge(black_box(&outputs).detections(0.5)));
    });
    group.bench_function("sample both eyes", |b| {
        b.iter(|| PerEye::from_fn(|eye| crop(black_box(eye))));
    });
    group.bench_function("classify both eyes", |b| {
        b.iter(|| PerEye::from_fn(|eye| classifier.probabilities(black_box(crops.get(eye))).ok()));
    });
    group.bench_function("whole", |b| {
        b.iter(|| {
            // A frame of a followed face: without one in the picture, the same work on the
            // assumed one, so that the figure never leaves a stage out.
            let luma = luma_of(black_box(&picture));
            let face = match found {
                Some(_) => tracker.track(&picture, &luma).unwrap_or(face),
                None => {
                    black_box(network.detect(&picture, &region, Averaging::Sparse, 0.5));
                    face
                }
            };
            let squares = face.eye_rois(EYE_SQUARE);
            PerEye::from_fn(|eye| {
                let mut gray = [0.0; PIXELS];
                sample_gray(&luma, squares.get(eye), SIDE, &mut gray);
                classifier.probabilities(&StandardisedCrop::new(&gray)).ok()
            })
        });
    });
    group.finish();
    Ok(())
}

fn bench(criterion: &mut Criterion) {
    if let Err(error) = stages(criterion) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
