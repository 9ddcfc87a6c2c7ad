//! Checks of a recording, summed up: what `parseye check` prints and writes.

use super::{
    CheckFrame, CheckReading, Checker, Headroom, HeadroomState, Measurement, Missing, Parts,
    SelfCheckSettings,
    adversarial::fgsm_direction,
    agreement::{Agreement, AgreementRecord},
    camera_snr::CameraSnr,
    corruptions::Corruption,
    noise::{NoiseShape, noisy},
};
use crate::{
    classify::{
        EyeClassifier, EyeStateModel, ModelError, StandardisedCrop,
        gradient::{GradientModel, GradientRunner},
        input::CONTRAST_FLOOR,
    },
    eye_crop::eye_crop,
    eye_state::{Eye, EyeState, PerEye},
    frame::Frame,
    reading::FrameReading,
    snr::epsilon_of_db,
    statistics,
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Draws of noise for each crop and SNR of the table.
const TABLE_DRAWS: u64 = 4;

/// SNR in dB below which the table has no FGSM: such steps are visible.
const LOWEST_FGSM_DB: f64 = 20.0;

/// The first check waits for this long, so that pairs of frames have shown the noise.
const NOISE_FIRST: Duration = Duration::from_millis(200);

/// Streams of the table's draws, apart from the checker's.
const TABLE_STREAMS: u64 = 1 << 40;

/// Width of a bin of the margins' histogram in dB.
const MARGIN_BIN_DB: f64 = 5.0;

/// Options of an offline check.
#[derive(Clone, Debug, PartialEq)]
pub struct OfflineOptions {
    /// Settings of the checks.
    pub settings: SelfCheckSettings,
    /// SNRs of the table in dB.
    pub snrs_db: Vec<f64>,
    /// Least time between two checked frames.
    pub every: Duration,
}

/// Quantiles of a measurement over the checks that measured it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// Half are below; `None` where nothing was measured, and so for the others.
    pub median: Option<f64>,
    /// One in twenty is below.
    pub p05: Option<f64>,
    /// One in twenty is above.
    pub p95: Option<f64>,
    /// How many were measured.
    pub n: usize,
    /// How many were not, by reason.
    pub missing: BTreeMap<Missing, u64>,
}

impl Distribution {
    /// Takes measurements; quantiles are interpolated linearly ([`statistics::interpolated`]).
    pub fn of(measurements: impl IntoIterator<Item = Measurement>) -> Self {
        let (mut values, mut missing) = (Vec::new(), BTreeMap::new());
        for measurement in measurements {
            match measurement {
                Ok(value) if value.is_finite() => values.push(value),
                Ok(_) => *missing.entry(Missing::ModelFailed).or_insert(0) += 1,
                Err(reason) => *missing.entry(reason).or_insert(0) += 1,
            }
        }
        let values = statistics::sorted(values);
        let at = |share| statistics::interpolated(&values, share);
        Self {
            median: at(0.5),
            p05: at(0.05),
            p95: at(0.95),
            n: values.len(),
            missing,
        }
    }
}

/// Statistics of one eye, or of both.
#[derive(Clone, Debug, Serialize)]
pub struct EyeStatistics {
    /// 20 log10(contrast of the crop / sigma of the camera's noise on it), dB.
    pub camera_snr_db: Distribution,
    /// Highest SNR at which an FGSM step changes the state, dB.
    pub adversarial_margin_db: Distribution,
    /// SNR of noise that changes one prediction of ten, dB.
    pub noise_flip_snr_db: Distribution,
    /// Camera SNR less noise flip SNR, dB.
    pub headroom_db: Distribution,
    /// First-order chance that the camera's own noise changes the state.
    pub flip_probability: Distribution,
    /// Checks by state of the headroom.
    pub trust: BTreeMap<&'static str, u64>,
    /// Predictions under noise at the camera's own SNR.
    pub agreement: AgreementRecord,
    /// Margins for which a stronger step than the margin's did not change the state, or a weaker
    /// one did.
    pub not_monotone: u64,
    /// Margins by range: its lower end in dB, and how many.
    pub margins: Vec<(f64, u64)>,
    /// Share of predictions that each corruption left unchanged.
    #[serde(rename = "natural")]
    pub corruptions: BTreeMap<Corruption, f64>,
}

/// Agreement of the predictions at one SNR.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TableRow {
    /// Perturbation SNR in dB.
    pub snr_db: f64,
    /// The same as a step on every pixel in standardised units.
    pub epsilon: f64,
    /// Under white noise.
    pub noise: AgreementRecord,
    /// Under a white-box FGSM step with the model's own prediction as label; `None` where there is no
    /// gradient graph, and below 20 dB.
    pub fgsm: Option<AgreementRecord>,
}

/// The camera's noise over the recording.
#[derive(Clone, Debug, Serialize)]
pub struct NoiseStatistics {
    /// Sigma of a frame's pixel at the crops' gray levels, before rounding.
    pub sigma_frame: Distribution,
    /// Standard error of the camera SNR in dB.
    pub standard_error_db: Distribution,
    /// Checks by how the noise was measured.
    pub methods: BTreeMap<&'static str, u64>,
}

/// Report of `parseye check` on a recording.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Version of the program.
    pub version: &'static str,
    /// What was checked.
    pub source: String,
    /// Name of the model.
    pub model: String,
    /// Hash of its file.
    pub model_sha256: String,
    /// Whether there was a gradient graph.
    pub gradient_graph: bool,
    /// Seed of the random draws.
    pub seed: u64,
    /// Frames that were read.
    pub frames: u64,
    /// Of them those with a face.
    pub frames_with_face: u64,
    /// Of all those that were checked.
    pub checked: u64,
    /// The subject's left eye.
    pub left: EyeStatistics,
    /// The subject's right eye.
    pub right: EyeStatistics,
    /// Both together.
    pub both: EyeStatistics,
    /// The camera's noise.
    pub noise: NoiseStatistics,
    /// Agreement at each SNR, both eyes together, from the highest.
    pub table: Vec<TableRow>,
}

/// Checks a recording frame by frame.
#[derive(Debug)]
pub struct OfflineCheck {
    model: EyeStateModel,
    options: OfflineOptions,
    checker: Checker,
    table: Table,
    frames: u64,
    frames_with_face: u64,
    last: Option<CheckFrame>,
    next: Duration,
    readings: Vec<PerEye<Checked>>,
    headroom: PerEye<Headroom>,
}

/// The check of one eye, and the headroom's state after it.
#[derive(Debug)]
struct Checked {
    reading: CheckReading,
    state: Option<HeadroomState>,
}

/// Agreement at fixed SNRs.
#[derive(Debug)]
struct Table {
    classifier: EyeClassifier,
    gradient: Option<GradientRunner>,
    rows: Vec<RobustnessRow>,
    seed: u64,
}

#[derive(Debug)]
struct RobustnessRow {
    snr_db: f64,
    noise: Agreement,
    fgsm: Agreement,
}

impl OfflineCheck {
    /// Readies the checks; without a gradient graph there are no white-box ones.
    ///
    /// # Errors
    /// When tract cannot set up its state.
    pub fn new(
        model: &EyeStateModel,
        gradient: Option<&GradientModel>,
        options: OfflineOptions,
    ) -> Result<Self, ModelError> {
        let mut snrs_db = options.snrs_db.clone();
        snrs_db.sort_by(|a, b| b.total_cmp(a));
        let headroom = Headroom::new(&options.settings);
        Ok(Self {
            model: model.clone(),
            checker: Checker::new(model, gradient, &options.settings, Parts::ALL)?,
            table: Table {
                classifier: model.classifier()?,
                gradient: gradient.map(GradientModel::runner).transpose()?,
                rows: snrs_db
                    .iter()
                    .map(|snr_db| RobustnessRow {
                        snr_db: *snr_db,
                        noise: Agreement::default(),
                        fgsm: Agreement::default(),
                    })
                    .collect(),
                seed: options.settings.seed,
            },
            options,
            frames: 0,
            frames_with_face: 0,
            last: None,
            next: NOISE_FIRST,
            readings: Vec::new(),
            headroom: PerEye {
                left: headroom.clone(),
                right: headroom,
            },
        })
    }

    /// Takes the next frame with its reading; checks it when a check is due.
    ///
    /// # Errors
    /// When the model fails on a crop of the table.
    pub fn frame(&mut self, frame: &Frame, reading: &FrameReading) -> Result<(), ModelError> {
        let luma = Arc::new(frame.luma.clone());
        self.frames += 1;
        self.frames_with_face += u64::from(reading.face.is_some());
        self.checker.observe(&luma, frame.time);
        let frame = CheckFrame::new(luma, reading);
        if self.options.every.is_zero() || frame.time >= self.next {
            self.next = frame.time + self.options.every;
            self.last = None;
            self.check(&frame)
        } else {
            self.last = Some(frame);
            Ok(())
        }
    }

    fn check(&mut self, frame: &CheckFrame) -> Result<(), ModelError> {
        let readings = self.checker.check_observed(frame);
        self.readings.push(PerEye::from_fn(|eye| {
            let reading = readings.get(eye).clone();
            let headroom = self.headroom.get_mut(eye);
            headroom.add(frame.time, reading.headroom_db);
            let state = headroom.state(frame.time);
            Checked { reading, state }
        }));
        for eye in Eye::ALL {
            if let (Ok(square), Some(state)) = (frame.squares.get(eye), readings.get(eye).state) {
                let crop = eye_crop(&frame.luma, square, self.table.side());
                if crop.contrast > CONTRAST_FLOOR {
                    self.table
                        .add(&crop, state, 2 * frame.number + eye.index() as u64)?;
                }
            }
        }
        Ok(())
    }

    /// The report of a source called `source`. A recording too short for a check has its last frame
    /// checked.
    ///
    /// # Errors
    /// As [`Self::frame`].
    pub fn report(mut self, source: &str) -> Result<CheckReport, ModelError> {
        if self.readings.is_empty()
            && let Some(frame) = self.last.take()
        {
            self.check(&frame)?;
        }
        let of = |eyes: &[Eye]| -> Vec<&Checked> {
            let all = self.readings.iter();
            all.flat_map(|reading| eyes.iter().map(|eye| reading.get(*eye)))
                .collect()
        };
        let both = of(&Eye::ALL);
        let mut methods = BTreeMap::new();
        for checked in &both {
            if let Ok(camera) = checked.reading.camera {
                *methods.entry(camera.method.into()).or_insert(0) += 1;
            }
        }
        let camera = |value: fn(CameraSnr) -> f64| {
            Distribution::of(both.iter().map(|checked| checked.reading.camera.map(value)))
        };
        Ok(CheckReport {
            version: env!("CARGO_PKG_VERSION"),
            source: source.into(),
            model: self.model.card().name.clone(),
            model_sha256: self.model.file().sha256.clone(),
            gradient_graph: self.table.gradient.is_some(),
            seed: self.options.settings.seed,
            frames: self.frames,
            frames_with_face: self.frames_with_face,
            checked: self.readings.len() as u64,
            left: statistics_of(&of(&[Eye::Left])),
            right: statistics_of(&of(&[Eye::Right])),
            noise: NoiseStatistics {
                sigma_frame: camera(|snr| snr.sigma_frame),
                standard_error_db: camera(|snr| snr.standard_error_db),
                methods,
            },
            both: statistics_of(&both),
            table: self.table.rows(),
        })
    }
}

impl Table {
    fn side(&self) -> usize {
        self.classifier.model().side()
    }

    fn add(
        &mut self,
        crop: &StandardisedCrop,
        state: EyeState,
        number: u64,
    ) -> Result<(), ModelError> {
        let direction = match &mut self.gradient {
            Some(runner) => fgsm_direction(runner, crop, state)?,
            None => None,
        };
        let white = NoiseShape::white(crop.side());
        for (index, row) in self.rows.iter_mut().enumerate() {
            for draw in 0..TABLE_DRAWS {
                let stream = TABLE_STREAMS + (index as u64) * TABLE_DRAWS + draw;
                let drawn = white.draw(self.seed ^ number, stream);
                let logits = self.classifier.logits(&noisy(crop, &drawn, row.snr_db))?;
                row.noise.add(EyeState::most_likely(&logits) == state);
            }
            if let Some(direction) = direction.as_ref().filter(|_| row.snr_db >= LOWEST_FGSM_DB) {
                let stepped = direction.step(crop, epsilon_of_db(row.snr_db));
                let logits = self.classifier.logits(&stepped)?;
                row.fgsm.add(EyeState::most_likely(&logits) == state);
            }
        }
        Ok(())
    }

    fn rows(&self) -> Vec<TableRow> {
        let rows = self.rows.iter();
        rows.map(|row| TableRow {
            snr_db: row.snr_db,
            epsilon: epsilon_of_db(row.snr_db),
            noise: row.noise.into(),
            fgsm: (row.fgsm.draws > 0).then(|| row.fgsm.into()),
        })
        .collect()
    }
}

fn statistics_of(checks: &[&Checked]) -> EyeStatistics {
    let of = |measurement: fn(&CheckReading) -> Measurement| {
        Distribution::of(checks.iter().map(|checked| measurement(&checked.reading)))
    };
    let mut trust = BTreeMap::new();
    let mut agreement = Agreement::default();
    let mut margins: BTreeMap<i64, u64> = BTreeMap::new();
    let mut corruptions: BTreeMap<Corruption, Agreement> = BTreeMap::new();
    let mut not_monotone = 0;
    for Checked { reading, state } in checks {
        let name = state.map_or("unknown", HeadroomState::name);
        *trust.entry(name).or_insert(0) += 1;
        if let Ok(draws) = reading.agreement {
            agreement.merge(&draws);
        }
        if let Ok(margin) = reading.adversarial {
            not_monotone += u64::from(!margin.monotone);
            *margins
                .entry((margin.db / MARGIN_BIN_DB).floor() as i64)
                .or_insert(0) += 1;
        }
        for (corruption, corrupted) in &reading.corruptions {
            let agreement = corruptions.entry(*corruption).or_default();
            agreement.add(Some(*corrupted) == reading.state);
        }
    }
    EyeStatistics {
        camera_snr_db: of(CheckReading::camera_snr_db),
        adversarial_margin_db: of(CheckReading::adversarial_margin_db),
        noise_flip_snr_db: of(|reading| reading.noise_flip_snr_db),
        headroom_db: of(|reading| reading.headroom_db),
        flip_probability: of(|reading| reading.flip_probability),
        trust,
        agreement: agreement.into(),
        not_monotone,
        margins: margins
            .into_iter()
            .map(|(bin, count)| (bin as f64 * MARGIN_BIN_DB, count))
            .collect(),
        corruptions: corruptions
            .into_iter()
            .filter_map(|(corruption, agreement)| Some((corruption, agreement.share()?)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_measured_and_the_rest_is_counted() {
        let measured = (0..=20).map(|v| Ok(f64::from(v)));
        let missing = [Err(Missing::NoFace), Err(Missing::NoFace), Ok(f64::NAN)];
        let distribution = Distribution::of(measured.chain(missing));
        assert_eq!(distribution.median, Some(10.0));
        assert_eq!(
            (distribution.p05, distribution.p95),
            (Some(1.0), Some(19.0))
        );
        assert_eq!(distribution.n, 21);
        assert_eq!(distribution.missing[&Missing::NoFace], 2);
        assert_eq!(distribution.missing[&Missing::ModelFailed], 1);
        let nothing = Distribution::of([Err(Missing::Black)]);
        assert_eq!((nothing.median, nothing.p05, nothing.n), (None, None, 0));
        assert_eq!(
            serde_json::to_string(&nothing).unwrap(),
            r#"{"median":null,"p05":null,"p95":null,"n":0,"missing":{"black":1}}"#
        );
    }
}
