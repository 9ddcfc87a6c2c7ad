//! The alarms of a live run. Whoever runs live makes its [`Dashboards`], starts them before the source
//! is opened, so that a mistyped command is told at once, and finishes them after
//! [`Fanout::end`](crate::live::Fanout::end).

use super::dashboards::Dashboards;
use crate::{
    config::Settings,
    notify::alarm::{Alarm, CAPACITY},
};

/// Starts what alerts set off.
///
/// # Errors
/// When the command of the settings is not to be found, or a thread cannot be started.
pub fn start(settings: &Settings, dashboards: &Dashboards) -> anyhow::Result<Alarm> {
    let events = dashboards.fanout().subscribe(CAPACITY);
    let tell = dashboards.teller();
    Ok(Alarm::start(&settings.alarm, events, tell)?)
}
