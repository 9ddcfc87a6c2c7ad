//! BlazeFace's outputs as faces: whatever numbers the network gives, faces are finite, within reach,
//! and do not overlap. The input is a threshold and then f32 numbers, logits and coordinates in turn.

use parseye_vision::locate::{
    blazeface::{COORDS, Detection, GRIDS, decode, merge},
    crop::Roi,
};

/// How far outside its region, in sides of it, a face may be.
const REACH: f32 = 2.0;

fn is_sound(face: &Detection) {
    assert!((0.0..=1.0).contains(&face.confidence), "{face:?}");
    let points = [face.centre, face.eyes.left, face.eyes.right];
    let near = |v: &f32| (-REACH - 1e-3..=1.0 + REACH + 1e-3).contains(v);
    assert!(points.iter().flatten().all(near), "{face:?}");
    assert!(
        face.size.iter().all(|v| *v > 0.0 && *v <= REACH + 1e-3),
        "{face:?}"
    );
}

/// Panics where the reader breaks that promise.
pub fn check(input: &[u8]) {
    let Some((threshold, input)) = input.split_first() else {
        return;
    };
    let threshold = (1.0 + f32::from(*threshold)) / 257.0;
    let (numbers, _) = input.as_chunks::<4>();
    let numbers: Vec<f32> = numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let mut found = Vec::new();
    // A candidate is a logit and its coordinates; both grids get the same.
    let candidates = numbers.chunks_exact(1 + COORDS);
    let logits: Vec<f32> = candidates.clone().map(|candidate| candidate[0]).collect();
    let coordinates: Vec<f32> = candidates
        .flat_map(|candidate| &candidate[1..])
        .copied()
        .collect();
    for grid in GRIDS {
        decode(grid, &logits, &coordinates, threshold, &mut found);
    }
    // Also outputs that are too short on one side.
    decode(GRIDS[0], &numbers, &coordinates, threshold, &mut found);
    for face in &found {
        is_sound(face);
        assert!(face.confidence >= threshold - 1e-5);
    }
    let candidates = found.len();
    let faces = merge(found);
    assert!(faces.len() <= candidates && faces.is_empty() == (candidates == 0));
    assert!(
        faces
            .windows(2)
            .all(|pair| pair[0].confidence >= pair[1].confidence)
    );
    let region = Roi {
        centre: [4000.0, -4000.0],
        side: 8192.0,
        angle: 1.0,
    };
    for face in &faces {
        is_sound(face);
        let face = face.in_image(&region);
        assert!(face.square.side.is_finite() && face.square.side > 0.0);
        assert!(face.roll().is_finite());
    }
}
