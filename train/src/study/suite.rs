//! The suites of the study as lists of cells.
//!
//! Every network is trained with `--keep last`: the held-out people of a fold measure it, so they
//! must not have chosen its epoch.

use super::cell::{Cell, Evaluation, Work};
use crate::attack::budget::Norm;
use parseye_vision::{
    names::{self, UnknownName},
    snr::STUDY_SNRS_DB,
};
use std::{collections::BTreeMap, str::FromStr};

/// The study's levels and those beyond, where hardened networks give way.
const SNRS_DB: [f64; 7] = [50.0, 45.0, 40.0, 33.0, 30.0, 25.0, 20.0];

/// Levels of a quick study: the study's, and one where plain networks fail.
const QUICK_SNRS_DB: [f64; 5] = [50.0, 45.0, 40.0, 33.0, 25.0];

/// Levels of random noise: above 20 dB it hurts no network.
const NOISE_SNRS_DB: [f64; 11] = [
    50.0, 45.0, 40.0, 33.0, 30.0, 25.0, 20.0, 15.0, 10.0, 5.0, 0.0,
];

/// Levels of the transfer matrix: the study's hardest, and one where plain networks fail.
const MATRIX_SNRS_DB: [f64; 2] = [33.0, 25.0];

/// The range of epsilons that the study hardened against.
const HARDENING_EPSILONS: &str = "0.001..0.03";

/// Epsilons of added examples (tables 6, 7, 9), from the study's smallest to its largest.
const ADDED_EPSILONS: [&str; 4] = ["0.001", "0.003", "0.01", "0.03"];

/// Shares of the training set that are added as examples.
const ADDED_FRACTIONS: [&str; 4] = ["0.25", "0.5", "0.75", "1.0"];

/// A part of the study.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum Suite {
    /// Learning rate, weight decay, batch, epochs, width.
    Grid,
    /// Examples added to the training set: tables 6, 7, 9.
    Added,
    /// All networks under white-box and transfer attacks: tables 8 and 10.
    Whitebox,
    /// All networks under random noise: figures 20 and 21.
    Noise,
    /// All networks against examples of all.
    Transfer,
}

impl Suite {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Title for headings.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Grid => "Learning rate, weight decay, batch, epochs, width",
            Self::Added => "Examples added to the training set",
            Self::Whitebox => "Networks under white-box and transfer attacks",
            Self::Noise => "Networks under random noise",
            Self::Transfer => "Examples of every network against every network",
        }
    }

    /// Its cells, each after those that it needs, without doubles.
    pub fn cells(self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for fold in 0..scale.folds {
            match self {
                Self::Grid => grid(scale, fold, &mut cells),
                Self::Added => added(scale, fold, &mut cells),
                Self::Whitebox => whitebox(scale, fold, &mut cells),
                Self::Noise => noise(scale, fold, &mut cells),
                Self::Transfer => transfer(scale, fold, &mut cells),
            }
        }
        in_order(cells)
    }
}

impl FromStr for Suite {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        names::parse("suite", name)
    }
}

/// Scale of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Number of folds.
    pub folds: usize,
    /// Fewer epochs and crops, for a small machine.
    pub quick: bool,
    /// Seed of all randomness.
    pub seed: u64,
}

impl Scale {
    const fn epochs(self) -> u64 {
        if self.quick { 8 } else { 15 }
    }

    const fn epoch_crops(self) -> u64 {
        if self.quick { 10_000 } else { 20_000 }
    }

    /// Crops that a model is measured on: PGD on a whole fold takes hours on two cores.
    const fn at_most(self) -> Option<usize> {
        if self.quick { Some(1_000) } else { None }
    }

    const fn attack_snrs_db(self) -> &'static [f64] {
        if self.quick { &QUICK_SNRS_DB } else { &SNRS_DB }
    }
}

/// A training before it is a cell: the flags that differ from the study's defaults.
#[derive(Clone, Debug)]
struct Recipe {
    group: String,
    settings: BTreeMap<String, String>,
    flags: BTreeMap<&'static str, String>,
}

impl Recipe {
    fn new(group: &str, flags: &[(&'static str, &str)]) -> Self {
        let flags = flags
            .iter()
            .map(|(flag, value)| (*flag, (*value).to_owned()));
        Self {
            group: group.into(),
            settings: BTreeMap::new(),
            flags: flags.collect(),
        }
    }

    fn train(&self, scale: Scale, fold: usize, base: Option<&Cell>) -> Cell {
        let mut flags = BTreeMap::from([
            ("--epochs", scale.epochs().to_string()),
            ("--epoch-crops", scale.epoch_crops().to_string()),
            ("--seed", scale.seed.to_string()),
            ("--folds", scale.folds.to_string()),
            ("--fold", fold.to_string()),
            ("--keep", "last".into()),
            // Cells are compared with each other, so none may choose its own arithmetic.
            ("--precision", "f32".into()),
        ]);
        flags.extend(self.flags.clone());
        let arguments = flags
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value]);
        Cell {
            group: self.group.clone(),
            fold,
            settings: self.settings.clone(),
            work: Work::Train {
                arguments: arguments.collect(),
                base: base.map(Cell::id),
            },
        }
    }
}

/// Measures `model`; attacks are made from `from` where one is given.
fn evaluate(
    scale: Scale,
    model: &Cell,
    from: Option<&Cell>,
    name: &str,
    attacks: &[&str],
    (snrs_db, noise_snrs_db): (&[f64], &[f64]),
) -> Cell {
    let mut settings = model.settings.clone();
    if let Some(from) = from {
        settings.insert("from".into(), from.group.clone());
    }
    Cell {
        group: model.group.clone(),
        fold: model.fold,
        settings,
        work: Work::Evaluate {
            model: model.id(),
            from: from.map(Cell::id),
            evaluation: Evaluation {
                name: name.into(),
                attacks: attacks.iter().map(|attack| (*attack).to_owned()).collect(),
                snrs_db: snrs_db.to_vec(),
                noise_snrs_db: noise_snrs_db.to_vec(),
                norm: Norm::Linf,
                at_most: scale.at_most(),
                seed: scale.seed,
                folds: scale.folds,
            },
        },
    }
}

/// Learning rate and weight decay in all combinations, for they act together (a large rate decays
/// more); batch, epochs and width one at a time around the defaults.
fn grid(scale: Scale, fold: usize, cells: &mut Vec<Cell>) {
    let default = [
        ("--arch", "wrn-16-1".to_owned()),
        ("--learning-rate", "0.1".into()),
        ("--weight-decay", "0.0005".into()),
        ("--batch-size", "128".into()),
        ("--epochs", scale.epochs().to_string()),
    ];
    let mut changes: Vec<Vec<(usize, String)>> = Vec::new();
    for rate in ["0.01", "0.03", "0.1", "0.3"] {
        for decay in ["0", "0.0001", "0.0005", "0.001"] {
            changes.push(vec![(1, rate.into()), (2, decay.into())]);
        }
    }
    changes.extend(["64", "256"].map(|batch| vec![(3, batch.to_owned())]));
    let epochs = [scale.epochs().div_ceil(3), scale.epochs() * 2];
    changes.extend(epochs.map(|epochs| vec![(4, epochs.to_string())]));
    changes.extend(["wrn-16-2", "wrn-16-4"].map(|arch| vec![(0, arch.to_owned())]));
    for change in changes {
        let mut flags = default.clone();
        for (position, value) in change {
            flags[position].1 = value;
        }
        let [arch, rate, decay, batch, epochs] = &flags;
        let group = format!(
            "{}-lr{}-wd{}-batch{}-epochs{}",
            arch.1, rate.1, decay.1, batch.1, epochs.1
        );
        let settings = [
            ("network", arch),
            ("learning rate", rate),
            ("weight decay", decay),
            ("batch", batch),
            ("epochs", epochs),
        ];
        let recipe = Recipe {
            group,
            settings: settings
                .map(|(name, flag)| (name.into(), flag.1.clone()))
                .into(),
            flags: flags.clone().into(),
        };
        let model = recipe.train(scale, fold, None);
        let clean = evaluate(scale, &model, None, "clean", &[], (&[], &[]));
        cells.extend([model, clean]);
    }
}

fn added(scale: Scale, fold: usize, cells: &mut Vec<Cell>) {
    let all = networks(scale, fold).into_iter();
    let Some(base) = all
        .map(|network| network.cell)
        .find(|cell| cell.group == "wrn-16-1")
    else {
        return;
    };
    let measured = |model: &Cell| {
        let levels: (&[f64], &[f64]) = (&STUDY_SNRS_DB, &[]);
        evaluate(scale, model, None, "fgsm", &["fgsm"], levels)
    };
    cells.extend([base.clone(), measured(&base)]);
    for kind in ["fgsm", "noise"] {
        for epsilon in ADDED_EPSILONS {
            for fraction in ADDED_FRACTIONS {
                let mut recipe = Recipe::new(
                    &format!("wrn-16-1-added-{kind}-eps{epsilon}-fraction{fraction}"),
                    &[
                        ("--arch", "wrn-16-1"),
                        ("--augment", kind),
                        ("--fgsm-eps", epsilon),
                        ("--fraction", fraction),
                    ],
                );
                recipe.settings = [("kind", kind), ("epsilon", epsilon), ("fraction", fraction)]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into();
                let model = recipe.train(scale, fold, Some(&base));
                let measured = measured(&model);
                cells.extend([model, measured]);
            }
        }
    }
}

/// A network of the tables, and the clean one that transfer attacks on it come from.
struct Compared {
    cell: Cell,
    twin: Option<Cell>,
}

/// The networks of tables 8 and 10: each clean and hardened, and the plain CNN in its versions.
fn networks(scale: Scale, fold: usize) -> Vec<Compared> {
    let train = |group: &str, flags: &[(&'static str, &str)]| {
        Recipe::new(group, flags).train(scale, fold, None)
    };
    let hardening = ("--fgsm-eps", HARDENING_EPSILONS);
    let mut all = Vec::new();
    let mut add = |cell: &Cell, twin: Option<&Cell>| {
        all.push(Compared {
            cell: cell.clone(),
            twin: twin.cloned(),
        });
    };
    for arch in ["wrn-16-1", "parseval-16-1"] {
        let clean = train(arch, &[("--arch", arch)]);
        let hardened = train(&format!("{arch}-hardened"), &[("--arch", arch), hardening]);
        add(&clean, None);
        add(&hardened, Some(&clean));
    }
    let cnn = ("--arch", "cnn-4");
    let (none, some) = (("--weight-decay", "0"), ("--weight-decay", "0.001"));
    // At the residual networks' rate of 0.1 the weights of its dense layer, which no batch norm
    // holds, grow a hundredfold in the first epoch.
    let rate = ("--learning-rate", "0.02");
    let plain = train("cnn-4", &[cnn, rate, none]);
    let decayed = train("cnn-4-decay", &[cnn, rate, some]);
    let hardened = train("cnn-4-decay-hardened", &[cnn, rate, some, hardening]);
    let orthogonal = train(
        "cnn-4-orthogonal",
        &[cnn, rate, none, ("--constraint", "orthogonality")],
    );
    add(&plain, None);
    add(&decayed, Some(&plain));
    add(&hardened, Some(&decayed));
    add(&orthogonal, Some(&plain));
    all
}

fn whitebox(scale: Scale, fold: usize, cells: &mut Vec<Cell>) {
    for Compared { cell: model, twin } in networks(scale, fold) {
        let levels: (&[f64], &[f64]) = (scale.attack_snrs_db(), &[]);
        cells.push(model.clone());
        let attacks = ["fgsm", "pgd-10"];
        cells.push(evaluate(scale, &model, None, "whitebox", &attacks, levels));
        if let Some(twin) = twin {
            cells.push(twin.clone());
            cells.push(evaluate(
                scale,
                &model,
                Some(&twin),
                "transfer",
                &["fgsm"],
                levels,
            ));
        }
    }
}

fn noise(scale: Scale, fold: usize, cells: &mut Vec<Cell>) {
    for Compared { cell: model, .. } in networks(scale, fold) {
        let levels: (&[f64], &[f64]) = (&[], &NOISE_SNRS_DB);
        cells.push(model.clone());
        cells.push(evaluate(scale, &model, None, "noise", &["uniform"], levels));
    }
}

fn transfer(scale: Scale, fold: usize, cells: &mut Vec<Cell>) {
    let networks = networks(scale, fold);
    cells.extend(networks.iter().map(|network| network.cell.clone()));
    for target in &networks {
        for source in &networks {
            let (target, source) = (&target.cell, &source.cell);
            let own = target.id() == source.id();
            let from = (!own).then_some(source);
            let name = format!("fgsm-of-{}", source.group);
            let levels: (&[f64], &[f64]) = (&MATRIX_SNRS_DB, &[]);
            let mut cell = evaluate(scale, target, from, &name, &["fgsm"], levels);
            cell.settings.insert("from".into(), source.group.clone());
            cells.push(cell);
        }
    }
}

/// Trainings before evaluations and everything after what it needs, each once. Clean networks
/// come before those that build on them, so an interrupted study has whole rows first.
fn in_order(cells: Vec<Cell>) -> Vec<Cell> {
    let mut seen = std::collections::BTreeSet::new();
    let mut unique: Vec<(String, Cell)> = Vec::new();
    for cell in cells {
        let id = cell.id();
        if seen.insert(id.clone()) {
            unique.push((id, cell));
        }
    }
    let levels = levels_of(&unique);
    unique.sort_by_key(|(id, _)| levels.get(id).copied().unwrap_or_default());
    unique.into_iter().map(|(_, cell)| cell).collect()
}

/// For each id, 0 where nothing is needed first, else one more than the highest of what is.
fn levels_of(cells: &[(String, Cell)]) -> BTreeMap<String, usize> {
    let by_id: BTreeMap<&str, &Cell> = cells.iter().map(|(id, cell)| (id.as_str(), cell)).collect();
    let level = |id: &str| super::plan::level(id, &|id| by_id.get(id).copied());
    cells
        .iter()
        .map(|(id, _)| (id.clone(), level(id)))
        .collect()
}

#[cfg(test)]
mod tests;
