//! Checks of a recording, summed up: what `parseye check` prints and writes.

use super::{
    CheckFrame, CheckReading, Checker, Headroom, HeadroomState, Measurement, Missing,
    SelfCheckSettings,
    adversarial::{CropGradients, Direction},
    camera_snr::NoiseMethod,
    checker::Parts,
    corruptions::{Change, cut},
    noise::{Agreement, NoiseShape, noisy},
};
use crate::{
    classify::{
        EyeClassifier, EyeStateModel, ModelError, StandardisedCrop,
        gradient::{GradientModel, GradientRunner},
        input::CONTRAST_FLOOR,
    },
    eye_state::{Eye, EyeState, PerEye},
    frame::Frame,
    reading::FrameReading,
    snr::epsilon_of_db,
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Draws of noise for each crop and SNR of the table.
const TABLE_DRAWS: u64 = 4;

/// SNR in dB below which the table has no FGSM: such steps are plain to see.
pub const LOWEST_FGSM_DB: f64 = 20.0;

/// The first check waits for this long, so that pairs of frames have shown the noise.
const NOISE_FIRST: Duration = Duration::from_millis(200);

/// Streams of the table's draws, apart from the checker's.
const TABLE_STREAMS: u64 = 1 << 40;

/// Width of a bin of the margins' histogram in dB.
const MARGIN_BIN_DB: f64 = 5.0;

/// What is done.
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
    /// Of figures; quantiles are interpolated linearly between the values in order.
    pub fn of(figures: impl IntoIterator<Item = Measurement>) -> Self {
        let (mut values, mut missing) = (Vec::new(), BTreeMap::new());
        for measurement in figures {
            match measurement {
                Ok(value) if value.is_finite() => values.push(value),
                Ok(_) => *missing.entry(Missing::ModelFailed).or_insert(0) += 1,
                Err(reason) => *missing.entry(reason).or_insert(0) += 1,
            }
        }
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (values.len().checked_sub(1)? as f64);
            let (below, across) = (place.floor() as usize, place.fract());
            let above = (below + 1).min(values.len() - 1);
            Some(values[below] * (1.0 - across) + values[above] * across)
        };
        Self {
            median: at(0.5),
            p05: at(0.05),
            p95: at(0.95),
            n: values.len(),
            missing,
        }
    }
}

/// Figures of one eye, or of both.
#[derive(Clone, Debug, Serialize)]
pub struct EyeStatistics {
    /// 20 log10(contrast of the crop / sigma of the camera's noise on it), dB.
    pub camera_snr_db: Distribution,
    /// Highest SNR at which an FGSM step changes the state, dB.
    pub adversarial_margin_db: Distribution,
    /// SNR of noise that changes one answer of ten, dB.
    pub noise_flip_snr_db: Distribution,
    /// Camera SNR less noise flip SNR, dB.
    pub headroom_db: Distribution,
    /// First-order chance that the camera's own noise changes the answer.
    pub flip_probability: Distribution,
    /// Checks by state of the headroom.
    pub trust: BTreeMap<&'static str, u64>,
    /// Answers under noise at the camera's own SNR.
    pub agreement: AgreementRecord,
    /// Margins for which a stronger step than the margin's did not change the state, or a weaker
    /// one did.
    pub not_monotone: u64,
    /// Margins by range: its lower end in dB, and how many.
    pub margins: Vec<(f64, u64)>,
    /// Share of answers that each natural change left alone.
    pub natural: BTreeMap<Change, f64>,
}

/// Answers that kept their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct AgreementRecord {
    /// Share; `None` without draws.
    pub share: Option<f64>,
    /// What the true share exceeds with 95 % confidence (Clopper-Pearson, one-sided).
    pub at_least: Option<f64>,
    /// Number of draws.
    pub draws: u64,
}

impl From<Agreement> for AgreementRecord {
    fn from(agreement: Agreement) -> Self {
        Self {
            share: agreement.share(),
            at_least: agreement.share().map(|_| agreement.lower_bound()),
            draws: agreement.draws,
        }
    }
}

/// Agreement of the answers at one SNR.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TableRow {
    /// Perturbation SNR in dB.
    pub snr_db: f64,
    /// The same as a step on every pixel in standardised units.
    pub epsilon: f64,
    /// Under white noise.
    pub noise: AgreementRecord,
    /// Under a white-box FGSM step with the model's own answer as label; `None` where there is no
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

/// Everything that `parseye check` says of a recording.
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
    readings: Vec<PerEye<(CheckReading, Option<HeadroomState>)>>,
    headroom: PerEye<Headroom>,
}

#[derive(Debug)]
struct Table {
    classifier: EyeClassifier,
    gradient: Option<GradientRunner>,
    rows: Vec<(f64, Agreement, Agreement)>,
    seed: u64,
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
                    .map(|db| (*db, Agreement::default(), Agreement::default()))
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

    /// Takes the next frame as it was judged; checks it when one is due.
    ///
    /// # Errors
    /// When the model fails on an undisturbed crop of the table.
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
        self.checker.begin(frame);
        let readings = loop {
            if let super::Progress::Done(readings) = self.checker.step() {
                break *readings;
            }
        };
        self.readings.push(PerEye::from_fn(|eye| {
            let reading = readings.get(eye).clone();
            let headroom = self.headroom.get_mut(eye);
            headroom.add(frame.time, reading.headroom_db);
            (reading, headroom.trust(frame.time))
        }));
        for eye in Eye::ALL {
            if let (Ok(square), Some(state)) = (frame.squares.get(eye), readings.get(eye).state) {
                let crop = cut(&frame.luma, square);
                if crop.contrast > CONTRAST_FLOOR {
                    self.table
                        .add(&crop, state, 2 * frame.number + eye as u64)?;
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
        let of = |eyes: &[Eye]| -> Vec<&(CheckReading, Option<HeadroomState>)> {
            let all = self.readings.iter();
            all.flat_map(|reading| eyes.iter().map(|eye| reading.get(*eye)))
                .collect()
        };
        let both = of(&Eye::ALL);
        let mut methods = BTreeMap::new();
        for (reading, _) in &both {
            if let Ok(camera) = reading.camera {
                *methods.entry(name_of(camera.method)).or_insert(0) += 1;
            }
        }
        let camera = |value: fn(&super::camera_snr::CameraSnr) -> f64| {
            Distribution::of(
                both.iter()
                    .map(|(reading, _)| reading.camera.as_ref().map(value).map_err(|m| *m)),
            )
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
            left: figures(&of(&[Eye::Left])),
            right: figures(&of(&[Eye::Right])),
            noise: NoiseStatistics {
                sigma_frame: camera(|snr| snr.sigma_frame),
                standard_error_db: camera(|snr| snr.standard_error_db),
                methods,
            },
            both: figures(&both),
            table: self.table.rows(),
        })
    }
}

impl Table {
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
        let white = NoiseShape::white();
        for (index, (snr_db, noise, fgsm)) in self.rows.iter_mut().enumerate() {
            for draw in 0..TABLE_DRAWS {
                let stream = TABLE_STREAMS + (index as u64) * TABLE_DRAWS + draw;
                let drawn = white.draw(self.seed ^ number, stream);
                let logits = self.classifier.logits(&noisy(crop, &drawn, *snr_db))?;
                noise.add(EyeState::most_likely(&logits) == state);
            }
            if let Some(direction) = direction.as_ref().filter(|_| *snr_db >= LOWEST_FGSM_DB) {
                let stepped = direction.step(crop, epsilon_of_db(*snr_db));
                let logits = self.classifier.logits(&stepped)?;
                fgsm.add(EyeState::most_likely(&logits) == state);
            }
        }
        Ok(())
    }

    fn rows(&self) -> Vec<TableRow> {
        let rows = self.rows.iter();
        rows.map(|(snr_db, noise, fgsm)| TableRow {
            snr_db: *snr_db,
            epsilon: epsilon_of_db(*snr_db),
            noise: (*noise).into(),
            fgsm: (fgsm.draws > 0).then(|| (*fgsm).into()),
        })
        .collect()
    }
}

/// Where the FGSM step of a crop goes; `None` where its gradient points nowhere.
///
/// # Errors
/// When the gradient graph fails.
pub fn fgsm_direction(
    runner: &mut GradientRunner,
    crop: &StandardisedCrop,
    state: EyeState,
) -> Result<Option<Direction>, ModelError> {
    let gradients = EyeState::ALL.map(|label| runner.gradient(crop, label));
    let gradients = gradients.into_iter().collect::<Result<Vec<_>, _>>()?;
    let gradients = CropGradients::new(crop, state, gradients);
    Ok(gradients.and_then(|gradients| gradients.direction().ok()))
}

fn name_of(method: NoiseMethod) -> &'static str {
    match method {
        NoiseMethod::Temporal => "temporal",
        NoiseMethod::Spatial => "spatial",
    }
}

fn figures(readings: &[&(CheckReading, Option<HeadroomState>)]) -> EyeStatistics {
    let of = |measurement: fn(&CheckReading) -> Measurement| {
        Distribution::of(readings.iter().map(|(reading, _)| measurement(reading)))
    };
    let mut trust = BTreeMap::new();
    let mut agreement = Agreement::default();
    let mut margins: BTreeMap<i64, u64> = BTreeMap::new();
    let mut natural: BTreeMap<Change, (u64, u64)> = BTreeMap::new();
    let mut not_monotone = 0;
    for (reading, state) in readings {
        let name = match state {
            Some(HeadroomState::Ok) => "ok",
            Some(HeadroomState::Thin) => "thin",
            Some(HeadroomState::None) => "none",
            None => "unknown",
        };
        *trust.entry(name).or_insert(0) += 1;
        if let Ok(draws) = reading.agreement {
            agreement.agreeing += draws.agreeing;
            agreement.draws += draws.draws;
        }
        if let Ok(margin) = reading.adversarial {
            not_monotone += u64::from(!margin.monotone);
            *margins
                .entry((margin.db / MARGIN_BIN_DB).floor() as i64)
                .or_insert(0) += 1;
        }
        for (change, changed) in &reading.natural {
            let (same, all) = natural.entry(*change).or_insert((0, 0));
            *same += u64::from(Some(*changed) == reading.state);
            *all += 1;
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
        natural: natural
            .into_iter()
            .map(|(change, (same, all))| (change, same as f64 / all as f64))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_measured_and_the_rest_is_counted() {
        let figures = (0..=20).map(|v| Ok(f64::from(v)));
        let missing = [Err(Missing::NoFace), Err(Missing::NoFace), Ok(f64::NAN)];
        let distribution = Distribution::of(figures.chain(missing));
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
