use super::*;
use std::collections::BTreeSet;
use strum::VariantArray;

const SCALE: Scale = Scale {
    folds: 3,
    quick: false,
    seed: 7,
};

fn ids(suite: Suite) -> Vec<String> {
    suite.cells(SCALE).iter().map(Cell::id).collect()
}

#[test]
fn every_cell_comes_once_and_after_what_it_needs() {
    for &suite in Suite::VARIANTS {
        let mut seen = BTreeSet::new();
        for cell in suite.cells(SCALE) {
            for needed in cell.needs() {
                assert!(
                    seen.contains(needed),
                    "{suite}: {} needs {needed}",
                    cell.id()
                );
            }
            assert!(seen.insert(cell.id()), "{suite}: {} twice", cell.id());
        }
    }
}

#[test]
fn noise_and_transfer_train_nothing_that_whitebox_did_not() {
    let trained = |suite: Suite| -> BTreeSet<String> {
        let cells = suite.cells(SCALE);
        let trainings = cells
            .iter()
            .filter(|cell| matches!(cell.work, Work::Train { .. }));
        trainings.map(Cell::id).collect()
    };
    assert_eq!(trained(Suite::Noise), trained(Suite::Whitebox));
    assert_eq!(trained(Suite::Transfer), trained(Suite::Whitebox));
    assert_eq!(trained(Suite::Whitebox).len(), 8 * SCALE.folds);
}

#[test]
fn a_hardened_network_is_attacked_from_its_clean_twin_of_the_same_fold() {
    let cells = Suite::Whitebox.cells(SCALE);
    let find = |id: &str| cells.iter().find(|cell| cell.id() == id).unwrap();
    let mut transfers = 0;
    for cell in &cells {
        let Work::Evaluate {
            model,
            from: Some(from),
            ..
        } = &cell.work
        else {
            continue;
        };
        let (model, from) = (find(model), find(from));
        assert_eq!((model.fold, cell.fold), (from.fold, from.fold));
        assert!(!from.group.contains("hardened"));
        assert!(model.group.starts_with(&from.group));
        transfers += 1;
    }
    assert_eq!(transfers, 5 * SCALE.folds);
}

#[test]
fn added_examples_are_made_from_the_clean_model_of_the_same_fold() {
    let cells = Suite::Added.cells(SCALE);
    let bases = cells.iter().filter_map(|cell| match &cell.work {
        Work::Train {
            base: Some(base), ..
        } => Some((cell.fold, base)),
        _ => None,
    });
    let bases: Vec<_> = bases.collect();
    assert_eq!(bases.len(), 4 * 4 * 2 * SCALE.folds);
    for (fold, base) in bases {
        assert!(base.starts_with(&format!("wrn-16-1-fold{fold}-")));
    }
}

#[test]
fn ids_change_with_what_decides_the_result_and_with_nothing_else() {
    assert_eq!(ids(Suite::Whitebox), ids(Suite::Whitebox));
    let other = Scale { seed: 8, ..SCALE };
    let others: BTreeSet<_> = Suite::Whitebox.cells(other).iter().map(Cell::id).collect();
    assert!(ids(Suite::Whitebox).iter().all(|id| !others.contains(id)));
    let mut cell = Suite::Noise.cells(SCALE).remove(0);
    let id = cell.id();
    cell.settings
        .insert("note".into(), "only for tables".into());
    assert_eq!(cell.id(), id);
}

#[test]
fn quick_keeps_every_cell_and_trains_less() {
    let quick = Scale {
        quick: true,
        ..SCALE
    };
    for &suite in Suite::VARIANTS {
        let (full, less) = (suite.cells(SCALE), suite.cells(quick));
        assert_eq!(full.len(), less.len());
        let images = |cells: &[Cell]| cells.iter().map(Cell::images).sum::<u64>();
        assert!(images(&less) * 3 < images(&full), "{suite}");
    }
    let first = &Suite::Whitebox.cells(quick)[0];
    assert_eq!(first.images(), 8 * 10_000);
}

#[test]
fn an_unknown_suite_names_the_nearest() {
    let error = "witebox".parse::<Suite>().unwrap_err().to_string();
    assert!(error.contains("did you mean 'whitebox'") && error.contains("grid"));
}
