//! The alarms of a live run. Whoever runs live makes a [`Fanout`], starts them before the source is
//! opened, so that a mistyped command is told at once, and finishes them after [`Fanout::end`].

use super::complain;
use parseye::{
    config::Settings,
    pipeline::Fanout,
    report::alarm::{Alarm, CAPACITY},
};

/// Starts what alerts set off.
///
/// # Errors
/// When the command of the settings is not to be found, or a thread cannot be started.
pub fn start(settings: &Settings, fanout: &Fanout) -> anyhow::Result<Alarm> {
    let events = fanout.subscribe(CAPACITY);
    Ok(Alarm::start(&settings.alarm, events, |line| {
        complain(&line);
    })?)
}
