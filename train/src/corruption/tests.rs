use super::*;
use image::{GrayImage, Luma};
use parseye_vision::{
    evaluate::manifest::{LabelKind, Sample, Split},
    eye_state::EyeState,
};

const SIDE_OF_IMAGE: u32 = 64;
const SIDE: usize = USUAL_SIDE;
const PIXELS: usize = SIDE * SIDE;

fn clean(crop: &Crop) -> Gray {
    cut(crop, &crop.whole(), SIDE)
}

/// A lid opening with an iris on skin; `number` moves and sizes it.
fn eye(number: u32) -> Crop {
    let (dx, dy) = ((number % 5) as f32 - 2.0, (number % 3) as f32 - 1.0);
    let gap = 8.0 + 3.0 * (number % 4) as f32;
    let image = GrayImage::from_fn(SIDE_OF_IMAGE, SIDE_OF_IMAGE, |x, y| {
        let (x, y) = (x as f32 - 31.5 - dx, y as f32 - 31.5 - dy);
        let lid = gap * (1.0 - (x / 26.0).powi(2));
        let level = if y.abs() > lid {
            130.0 + 0.4 * y
        } else if x.hypot(y) < 10.0 {
            35.0
        } else {
            205.0
        };
        // A texture, for an image without any hides what resampling does.
        let texture = ((x * 12.9898 + y * 78.233).sin() * 43_758.547).fract();
        Luma([(level + 10.0 * texture) as u8])
    });
    crop_of(image)
}

fn crop_of(image: GrayImage) -> Crop {
    Crop {
        sample: Sample {
            path: "drawn.png".into(),
            label: EyeState::Open,
            source: "drawn".into(),
            subject: "nobody".into(),
            eye: None,
            split: Split::Test,
            label_kind: LabelKind::Human,
            openness: None,
            gaze: None,
            note: String::new(),
        },
        image,
    }
}

fn distance(a: &StandardisedCrop, b: &StandardisedCrop) -> f64 {
    let squares = a.values.iter().zip(&b.values).map(|(x, y)| (x - y).powi(2));
    f64::from(squares.sum::<f32>() / PIXELS as f32).sqrt()
}

fn mean_distance(family: Family, severity: u8) -> f64 {
    const EYES: u32 = 24;
    let of = |number: u32| {
        let crop = eye(number);
        let changed = apply(family, severity, &crop, SIDE, u64::from(number)).unwrap();
        distance(&changed, &crop.standardised(SIDE))
    };
    (0..EYES).map(of).sum::<f64>() / f64::from(EYES)
}

#[test]
fn severer_goes_further_from_the_clean_crop() {
    for &family in Family::VARIANTS {
        let distances: Vec<f64> = SEVERITY_RANGE.map(|s| mean_distance(family, s)).collect();
        assert!(distances[0] > 0.0, "{family}: {distances:?}");
        for pair in distances.windows(2) {
            assert!(pair[1] > pair[0], "{family}: {distances:?}");
        }
        // Two unrelated standardised crops are sqrt(2) apart. Pixels that stay where they are must
        // be nearer than that, or there is no eye left; a moved eye is one all the same.
        let moved = [Family::Rotation, Family::Shift, Family::Scale];
        let bound = 2.0_f64.sqrt();
        assert!(
            moved.contains(&family) || distances[4] < bound,
            "{family}: {distances:?}"
        );
    }
}

#[test]
fn severities_outside_one_to_five_are_refused() {
    for severity in [0, 6, u8::MAX] {
        let error = apply(Family::Glare, severity, &eye(0), SIDE, 0).unwrap_err();
        assert!(error.to_string().contains("1 to 5"), "{error}");
    }
}

#[test]
fn seeds_repeat_and_differ_where_there_is_chance() {
    for &family in Family::VARIANTS {
        let draw = |seed| apply(family, 4, &eye(1), SIDE, seed).unwrap();
        assert_eq!(draw(3), draw(3), "{family}");
        let fixed = [
            Family::Blur,
            Family::Brightness,
            Family::Contrast,
            Family::Jpeg,
            Family::LowResolution,
        ];
        // A direction may be drawn alike by a few seeds; not by all.
        let varies = (4..12).any(|seed| draw(seed) != draw(3));
        assert_eq!(varies, !fixed.contains(&family), "{family}");
    }
}

#[test]
fn every_result_is_what_eight_bits_can_hold() {
    let black_and_white = crop_of(GrayImage::from_fn(40, 40, |x, y| {
        Luma([if (x / 5 + y / 5) % 2 == 0 { 0 } else { 255 }])
    }));
    for &family in Family::VARIANTS {
        for severity in SEVERITY_RANGE {
            let gray = corrupted(family, severity, &black_and_white, SIDE, 7).unwrap();
            assert!(gray.iter().all(|v| (0.0..=255.0).contains(v)), "{family}");
        }
    }
    let rounded = [
        Family::Blur,
        Family::MotionBlur,
        Family::Brightness,
        Family::Contrast,
        Family::Gamma,
        Family::GaussianNoise,
        Family::ShotNoise,
        Family::OcclusionBar,
        Family::Glare,
    ];
    for family in rounded {
        let gray = corrupted(family, 2, &eye(2), SIDE, 7).unwrap();
        assert!(gray.iter().all(|v| v.fract() == 0.0), "{family}");
    }
}

#[test]
fn a_rotation_is_that_of_an_image_turned_by_hand() {
    // A smooth ramp, for bilinear reading of a turned grid is exact on it.
    let ramp = |turn: f32| {
        let (sin, cos) = turn.to_radians().sin_cos();
        GrayImage::from_fn(SIDE_OF_IMAGE, SIDE_OF_IMAGE, |x, y| {
            let (x, y) = (x as f32 - 31.5, y as f32 - 31.5);
            // The content turned by `-turn` is what a square turned by `turn` sees.
            let (x, y) = (cos * x - sin * y, sin * x + cos * y);
            Luma([(128.0 + 2.0 * x + 0.7 * y).round() as u8])
        })
    };
    for severity in SEVERITY_RANGE {
        let turned = corrupted(Family::Rotation, severity, &crop_of(ramp(0.0)), SIDE, 5).unwrap();
        let degrees = geometric::DEGREES[usize::from(severity) - 1];
        let farthest = |by_hand: Gray| {
            // Corners look beyond the image's edge, which goes on: compare within the circle.
            let within = |i: &usize| {
                let (x, y) = ((i % SIDE) as f32 - 15.5, (i / SIDE) as f32 - 15.5);
                x.hypot(y) < 14.0
            };
            (0..PIXELS)
                .filter(within)
                .map(|i| (turned[i] - by_hand[i]).abs())
                .fold(0.0, f32::max)
        };
        let clockwise = farthest(clean(&crop_of(ramp(degrees))));
        let other = farthest(clean(&crop_of(ramp(-degrees))));
        assert!(clockwise.min(other) < 1.0, "{degrees}: {clockwise} {other}");
        assert!(clockwise.max(other) > 1.5, "{degrees}: {clockwise} {other}");
    }
}

#[test]
fn shifts_and_scales_are_those_of_their_tables() {
    // On the ramp 2x + y a shift by (a, b) adds 2a + b, a scale multiplies the slope.
    let image = GrayImage::from_fn(64, 64, |x, y| Luma([(30 + 2 * x + y) as u8]));
    let crop = crop_of(image);
    let before = clean(&crop);
    let middle = 16 * SIDE + 16;
    for severity in SEVERITY_RANGE {
        let level = usize::from(severity) - 1;
        let moved = corrupted(Family::Shift, severity, &crop, SIDE, 11).unwrap();
        let farthest = geometric::SHIFTS[level] * 64.0 * 5.0_f32.sqrt();
        assert!((moved[middle] - before[middle]).abs() <= farthest + 0.1);
        let scaled = corrupted(Family::Scale, severity, &crop, SIDE, 11).unwrap();
        let slope = |gray: &Gray| gray[middle + 4] - gray[middle - 4];
        let factor = slope(&scaled) / slope(&before);
        let expected = geometric::FACTORS[level];
        let nearest = (factor - expected)
            .abs()
            .min((factor - 1.0 / expected).abs());
        assert!(nearest < 0.01, "{factor} where {expected} was meant");
    }
}

#[test]
fn jpeg_leaves_the_traces_of_its_blocks() {
    // A real encoder keeps a flat image and flattens fine noise within each block of 8x8.
    let flat = crop_of(GrayImage::from_pixel(64, 64, Luma([90])));
    let levels = corrupted(Family::Jpeg, 5, &flat, SIDE, 0).unwrap();
    // One step of the coarsest quantiser at most.
    assert!(levels.iter().all(|v| (v - levels[0]).abs() < 1e-3));
    assert!((levels[0] - 90.0).abs() < 15.0, "{}", levels[0]);
    let checks = crop_of(GrayImage::from_fn(32, 32, |x, y| {
        Luma([if (x + y) % 2 == 0 { 124 } else { 132 }])
    }));
    let spread = |gray: Gray| {
        let (low, high) = gray.iter().fold((255.0_f32, 0.0_f32), |(low, high), v| {
            (low.min(*v), high.max(*v))
        });
        high - low
    };
    assert!(spread(clean(&checks)) > 7.0);
    assert!(spread(corrupted(Family::Jpeg, 5, &checks, SIDE, 0).unwrap()) < 1.0);
}

#[test]
fn noise_has_the_size_of_its_table() {
    let flat = crop_of(GrayImage::from_pixel(32, 32, Luma([128])));
    let deviation = |gray: Gray| {
        let squares = gray.iter().map(|v| f64::from(v - 128.0).powi(2));
        (squares.sum::<f64>() / PIXELS as f64).sqrt()
    };
    for severity in SEVERITY_RANGE {
        let level = usize::from(severity) - 1;
        let gaussian =
            deviation(corrupted(Family::GaussianNoise, severity, &flat, SIDE, 1).unwrap());
        let expected = f64::from(255.0 * noise::SIGMAS[level]);
        // Six standard errors of a deviation over 1,024 pixels are 13 %.
        assert!(
            (gaussian / expected - 1.0).abs() < 0.13,
            "{gaussian} {expected}"
        );
        let shot = deviation(corrupted(Family::ShotNoise, severity, &flat, SIDE, 1).unwrap());
        let photons = f64::from(noise::PHOTONS[level]);
        let expected = (photons * 128.0 / 255.0).sqrt() * 255.0 / photons;
        assert!((shot / expected - 1.0).abs() < 0.13, "{shot} {expected}");
    }
}
