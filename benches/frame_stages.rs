//! Times every stage of a frame's way from pixels to two eye states, at 640x480.
//!
//! `cargo bench -p parseye-benches --bench frame_stages`. Needs the face detector (`make models`). The
//! frame is the image `PARSEYE_BENCH_IMAGE` where that is set (scaled to 640x480 with bars; PARSEYE_BENCH_PICTURE
//! was its name before), else a drawn one; the networks take the same time on any image.

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use image::{GrayImage, Rgb, RgbImage, imageops};
use parseye_vision::{
    classify::{EyeClassifier, EyeStateModel, StandardisedCrop, input::USUAL_SIDE},
    eye_crop::eye_crop,
    eye_state::{Eye, PerEye, STATES},
    frame::{Frame, luma_of},
    locate::{
        DetectorSettings, FACE_DETECTOR_FILE, Face, FaceTracker, Roi, blazeface,
        blazeface::BlazeFace,
        crop::{Averaging, sample_rgb_letterboxed},
        track::region_around,
    },
};
use std::{error::Error, ffi::OsString, hint::black_box, path::Path, time::Duration};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// Side of an eye's square in eye distances, as the training crops are cut.
const EYE_SQUARE: f32 = 0.85;

fn given_image() -> Option<OsString> {
    let names = ["PARSEYE_BENCH_IMAGE", "PARSEYE_BENCH_PICTURE"];
    names.into_iter().find_map(std::env::var_os)
}

/// The frame to work on: with bars rather than stretched, so that a face stays one.
fn frame() -> Result<RgbImage, Box<dyn Error>> {
    let Some(path) = given_image() else {
        return Ok(RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let wave = ((x as f32 / 17.0).sin() * (y as f32 / 23.0).cos() * 60.0 + 128.0) as u8;
            Rgb([wave, wave / 2 + 60, 255 - wave])
        }));
    };
    let given = image::open(&path)
        .map_err(|error| format!("{}: {error}", path.display()))?
        .resize(WIDTH, HEIGHT, imageops::FilterType::Triangle)
        .into_rgb8();
    let mut frame = RgbImage::new(WIDTH, HEIGHT);
    let x = i64::from((WIDTH - given.width()) / 2);
    imageops::replace(&mut frame, &given, x, 0);
    Ok(frame)
}

/// A face as large as that of someone at a desk, for frames in which none is found.
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

/// Detection in every frame.
fn every_frame() -> DetectorSettings {
    DetectorSettings {
        detect_every: 1,
        ..DetectorSettings::default()
    }
}

/// What the stages work on: a frame, its luma, the face in it, and the networks.
struct Stages {
    frame: Frame,
    /// Whether the tracker found the face; else it is an assumed one.
    found: bool,
    face: Face,
    detector: BlazeFace,
    tracker: FaceTracker,
    classifier: EyeClassifier,
}

impl Stages {
    fn open() -> Result<Self, Box<dyn Error>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let file = root.join("models/face-detector").join(FACE_DETECTOR_FILE);
        let frame = Frame::from_rgb(0, Duration::ZERO, frame()?);
        let mut tracker = FaceTracker::open(&file, &every_frame())?;
        let found = tracker.track(&frame).face;
        Ok(Self {
            found: found.is_some(),
            face: found.unwrap_or_else(assumed_face),
            detector: BlazeFace::open(&file)?,
            tracker,
            classifier: EyeStateModel::built_in()?.classifier()?,
            frame,
        })
    }

    fn crop(&self, eye: Eye) -> StandardisedCrop {
        crop(&self.frame.luma, &self.face, eye)
    }

    /// All stages of a frame whose face is followed. Without a face in the frame, the same work on the assumed
    /// one, so that no stage is left out.
    fn whole(&mut self) -> PerEye<Option<[f32; STATES]>> {
        self.frame.luma = luma_of(black_box(&self.frame.rgb));
        let face = if self.found {
            self.tracker.track(&self.frame).face.unwrap_or(self.face)
        } else {
            let region = region_around(&self.face);
            black_box(
                self.detector
                    .detect(&self.frame.rgb, &region, Averaging::Sparse, 0.5),
            );
            self.face
        };
        PerEye::from_fn(|eye| {
            self.classifier
                .probabilities(&crop(&self.frame.luma, &face, eye))
                .ok()
        })
    }
}

fn crop(luma: &GrayImage, face: &Face, eye: Eye) -> StandardisedCrop {
    let squares = face.eye_rois(EYE_SQUARE);
    eye_crop(luma, squares.get(eye), USUAL_SIDE)
}

/// A region of the frame as the detector's input.
fn sample(frame: &RgbImage, region: &Roi, input: &mut [f32]) {
    sample_rgb_letterboxed(frame, region, blazeface::SIDE, Averaging::Sparse, input);
}

fn measure(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let mut stages = Stages::open()?;
    let found = if stages.found {
        "yes"
    } else {
        "no, one is assumed"
    };
    eprintln!("face in the frame: {found}");
    let mut group = criterion.benchmark_group("frame");
    measure_detection(&mut group, &mut stages);
    let crops = PerEye::from_fn(|eye| stages.crop(eye));
    group.bench_function("sample both eyes", |b| {
        b.iter(|| PerEye::from_fn(|eye| stages.crop(black_box(eye))));
    });
    let classifier = &mut stages.classifier;
    group.bench_function("classify both eyes", |b| {
        b.iter(|| PerEye::from_fn(|eye| classifier.probabilities(black_box(crops.get(eye))).ok()));
    });
    group.bench_function("whole", |b| b.iter(|| stages.whole()));
    group.finish();
    Ok(())
}

/// The stages from the frame to the face.
fn measure_detection(group: &mut BenchmarkGroup<'_, WallTime>, stages: &mut Stages) {
    let frame = &stages.frame.rgb;
    let region = region_around(&stages.face);
    let whole = Roi {
        centre: [320.0, 240.0],
        side: 640.0,
        angle: 0.0,
    };
    let mut input = vec![0.0; blazeface::SIDE * blazeface::SIDE * 3];
    group.bench_function("luma", |b| b.iter(|| luma_of(black_box(frame))));
    group.bench_function("sample face region", |b| {
        b.iter(|| sample(black_box(frame), &region, &mut input));
    });
    group.bench_function("sample whole frame", |b| {
        b.iter(|| sample(black_box(frame), &whole, &mut input));
    });
    sample(frame, &region, &mut input);
    let detector = &mut stages.detector;
    let outputs = detector.infer(&input);
    group.bench_function("detector inference", |b| {
        b.iter(|| detector.infer(black_box(&input)));
    });
    group.bench_function("decode faces", |b| {
        b.iter(|| blazeface::merge(black_box(&outputs).detections(0.5)));
    });
}

fn bench(criterion: &mut Criterion) {
    if let Err(error) = measure(criterion) {
        eprintln!("frame_stages: {error}");
        std::process::exit(1);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
