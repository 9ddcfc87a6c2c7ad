//! What a reader of foreign bytes promises, whatever they are: one `check` for each reader, which panics where
//! a promise is broken. The fuzz targets (`make fuzz`) call them with made-up input, the tests with the seeds,
//! so that every run of the tests reads each seed.
#![allow(clippy::expect_used)]

pub mod config;
pub mod event_log;
pub mod face_detector_output;
pub mod manifest;
pub mod mjpeg_frame;
pub mod model_card;
pub mod pixels;
pub mod raw_video;
pub mod truth;
