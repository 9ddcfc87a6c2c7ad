//! The alarms of a live run. Its caller makes the [`Dashboards`], starts the alarms before the source is
//! opened, so that a mistyped command is reported at once, and finishes them after
//! [`Fanout::end`](crate::live::Fanout::end).

use super::dashboards::Dashboards;
use crate::{
    config::Settings,
    notify::alarm::{Alarm, CAPACITY},
};

/// Starts what alerts set off.
///
/// # Errors
/// When the command of the settings is not found, or a thread cannot be started.
pub(super) fn start(settings: &Settings, dashboards: &Dashboards) -> anyhow::Result<Alarm> {
    let events = dashboards.fanout().subscribe(CAPACITY);
    let report = dashboards.reporter();
    Ok(Alarm::start(&settings.alarm, events, report)?)
}
