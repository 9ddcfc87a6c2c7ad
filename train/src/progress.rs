//! The progress bar of a training run.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over all steps of all epochs; silent where standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
}

const TEMPLATE: &str = "{bar:24} {pos}/{len} {msg} | {eta} left";

impl Progress {
    /// A bar for `epochs` of `steps` each, `done` epochs already behind it.
    pub fn new(epochs: usize, steps: usize, done: usize) -> Self {
        let bar = ProgressBar::new((epochs * steps) as u64).with_position((done * steps) as u64);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.reset_eta();
        Self { bar, epochs }
    }

    /// One step done; metrics are those of the epoch so far.
    pub(crate) fn step(&mut self, epoch: usize, loss: f64, accuracy: f64, images_per_second: f64) {
        self.bar.set_message(format!(
            "epoch {epoch}/{} | loss {loss:.3} | accuracy {:.1} % | {images_per_second:.0} images/s",
            self.epochs,
            100.0 * accuracy
        ));
        self.bar.inc(1);
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}
