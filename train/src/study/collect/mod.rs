//! Tables and plots of the cells that are done.
//!
//! # Layout
//! [`pool`] brings the folds of a network together, [`table`] writes them as CSV and Markdown,
//! [`plot_writer`] writes SVG ([`crate::chart`]) and PNG; [`snr`], [`learning`],
//! [`roc`], [`confusion`], [`frames`], [`balance`] and [`gallery`] each make one kind of plot or table; [`mod@reference`]
//! holds the original study's published results. How metrics are counted is left to the runner.

pub mod balance;
pub mod confusion;
pub mod frames;
pub mod gallery;
pub mod learning;
pub mod plot_writer;
pub mod pool;
pub mod reference;
pub mod roc;
pub mod snr;
pub mod table;

use super::{
    StudyError,
    cell::{Cell, Work},
    execute::Runner,
    folder::{StudyFolder, make},
    suite::{Scale, Suite},
};
use crate::robustness::roc::roc_curves;
use plot_writer::PlotWriter;
use std::path::PathBuf;

/// Files that were collected.
#[derive(Debug)]
pub struct Collected {
    /// The files that were written.
    pub written: Vec<PathBuf>,
    /// Number of cells that are not done yet and so not in the tables.
    pub missing: usize,
    /// Why there are no PNG plots, where there are none.
    pub no_png: Option<String>,
}

/// Writes the tables and plots of a suite into the folder `OUT/SUITE`.
///
/// # Errors
/// When no cell is done, a cell's files are damaged, or nothing can be written.
pub fn collect(
    suite: Suite,
    cells: &[Cell],
    folder: &StudyFolder,
    scale: Scale,
    runner: &mut dyn Runner,
) -> Result<Collected, StudyError> {
    let missing = cells
        .iter()
        .filter(|cell| !folder.is_done(&cell.id()))
        .count();
    if missing == cells.len() {
        return Err(StudyError::NothingDone {
            path: folder.path.clone(),
            suite: suite.name(),
            cells: cells.len(),
        });
    }
    let out = folder.path.join(suite.name());
    make(&out)?;
    let mut plots = PlotWriter::new(&out);
    let pooled = pool::pool(cells, folder, scale, runner)?;
    let mut written = table::write(suite, &pooled, &out)?;
    written.push(frames::write(cells, folder, &out)?);
    plots.write("balance", &balance::draw(&runner.samples())?)?;
    for (name, chart) in learning::charts(cells, folder)? {
        plots.write(&name, &chart.draw()?)?;
    }
    match suite {
        Suite::Grid | Suite::Added | Suite::Transfer => {}
        Suite::Noise => {
            for (name, chart) in snr::charts(&pooled) {
                plots.write(&name, &chart.draw()?)?;
            }
        }
        Suite::Whitebox => {
            let mut all = pooled;
            // Random noise of the same models, where the suite that measures it was run.
            let noise = Suite::Noise.cells(scale);
            let with_noise = pool::pool(&noise, folder, scale, runner)?;
            for (name, chart) in snr::charts(&[all.as_slice(), with_noise.as_slice()].concat()) {
                plots.write(&name, &chart.draw()?)?;
            }
            all.retain(|pooled| pooled.evaluation == "whitebox");
            for pooled in &all {
                if let Some(clean) = pooled.measured.first() {
                    let group = &pooled.group;
                    let title = format!("{group}: clean images, {} folds", pooled.folds);
                    let confusion = confusion::draw(&title, &clean.metrics.confusion)?;
                    plots.write(&format!("confusion-{group}"), &confusion)?;
                    let samples = pooled.samples(runner);
                    // The logits are calibrated already.
                    let curves = roc_curves(&samples, &clean.logits, 1.0);
                    let chart = roc::chart(&title, &curves);
                    plots.write(&format!("roc-{group}"), &chart.draw()?)?;
                }
            }
            for cell in trained(cells, folder) {
                gallery::draw(cell, folder, scale, runner, &mut plots)?;
            }
        }
    }
    written.extend(plots.written);
    Ok(Collected {
        written,
        missing,
        no_png: plots.no_png,
    })
}

/// The trained networks of the first fold: one of each for the gallery.
fn trained<'a>(cells: &'a [Cell], folder: &StudyFolder) -> Vec<&'a Cell> {
    let first = |cell: &&Cell| cell.fold == 0 && matches!(cell.work, Work::Train { .. });
    let done = |cell: &&Cell| folder.is_done(&cell.id());
    cells.iter().filter(first).filter(done).collect()
}
