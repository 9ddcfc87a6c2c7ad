//! BlazeFace short range: one run of the network on a square region of an image.
//!
//! Which region to search, and which of several faces to track, is left to [`super::track`].

mod candidates;
mod network;
mod weights;

pub use candidates::{COORDS, Detection, GRIDS, Grid, decode, merge};

use super::{
    Face, LocateError,
    crop::{Averaging, Roi, sample_rgb_letterboxed},
};
use crate::{bounded, classify::engine::root_cause};
use image::RgbImage;
use network::{Network, Predictions};
use prost::Message;
use sha2::{Digest, Sha256};
use std::{io, path::Path};
use tract_hir::internal::*;
use tract_onnx::pb::ModelProto;

/// sha256 of the one file that the layers are built for.
pub const SHA256: &str = "d388b1cf8a5f6f1af2b3f4c14f6d0f138bab970cd618cccd12dddb7484e82e51";

/// Side of the network's input in pixels.
pub const SIDE: usize = 128;

/// The network, ready to run on one thread.
#[derive(Debug)]
pub struct BlazeFace {
    network: Network,
    input: Vec<f32>,
}

/// Raw outputs of one run.
#[derive(Debug)]
pub struct Outputs([Predictions; 2]);

impl BlazeFace {
    /// Loads the network from its file.
    ///
    /// # Errors
    /// When the file cannot be read or is not the one of [`SHA256`].
    pub fn open(path: &Path) -> Result<Self, LocateError> {
        let unreadable = |error: io::Error| LocateError::Unreadable {
            path: path.into(),
            reason: error.to_string(),
        };
        let wrong = |found: String| LocateError::Wrong {
            path: path.into(),
            found,
        };
        /// The true file has 442,005 bytes; another must not fill the memory only to be hashed.
        const MAX_BYTES: u64 = 1 << 24;
        let bytes = bounded::read(path, MAX_BYTES).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => wrong(format!("not computed, since {error}")),
            _ => unreadable(error),
        })?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found != SHA256 {
            return Err(wrong(found));
        }
        Self::from_bytes(&bytes).map_err(failed)
    }

    fn from_bytes(bytes: &[u8]) -> TractResult<Self> {
        let file = ModelProto::decode(bytes)?;
        let graph = file.graph.as_ref().context("the file holds no graph")?;
        Ok(Self {
            network: Network::new(graph)?,
            input: vec![0.0; SIDE * SIDE * 3],
        })
    }

    /// Detects faces of at least the given confidence in a square region of an image: best first, in pixels
    /// of the image.
    pub fn detect(
        &mut self,
        image: &RgbImage,
        region: &Roi,
        averaging: Averaging,
        threshold: f32,
    ) -> Vec<Face> {
        sample_rgb_letterboxed(image, region, SIDE, averaging, &mut self.input);
        let outputs = Outputs(self.network.run(&self.input));
        let faces = merge(outputs.detections(threshold));
        faces.iter().map(|face| face.in_image(region)).collect()
    }

    /// Runs the network on [`SIDE`] x [`SIDE`] RGB triples from -1 to 1. Missing ones count as 0, surplus
    /// ones are ignored.
    pub fn infer(&mut self, input: &[f32]) -> Outputs {
        Outputs(self.network.run(input))
    }
}

impl Outputs {
    /// The outputs in the file's order: the logits of both of [`GRIDS`], then their coordinates.
    pub fn tables(&self) -> [&[f32]; 4] {
        let [first, second] = &self.0;
        [
            &first.logits,
            &second.logits,
            &first.coordinates,
            &second.coordinates,
        ]
    }

    /// Every candidate whose confidence reaches `threshold`, not yet merged.
    pub fn detections(&self, threshold: f32) -> Vec<Detection> {
        let mut found = Vec::new();
        for (
            grid,
            Predictions {
                logits,
                coordinates,
            },
        ) in GRIDS.into_iter().zip(&self.0)
        {
            decode(grid, logits, coordinates, threshold, &mut found);
        }
        found
    }
}

fn failed(error: TractError) -> LocateError {
    LocateError::Failed {
        reason: root_cause(&error),
    }
}

#[cfg(test)]
mod tests;
