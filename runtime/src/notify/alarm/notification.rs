//! Alerts as desktop notifications, by a thread of its own: a desktop may not respond.

use super::AlarmError;
use crossbeam::channel::{Sender, bounded};
use notify_rust::Notification;
use parseye_events::event::AlertEvent;
use parseye_vision::temporal::AlertKind;

/// Shows notifications.
#[derive(Debug)]
pub(super) struct Notifier {
    alerts: Sender<AlertEvent>,
}

impl Notifier {
    /// Starts the thread. It ends with this value, or with the program where the desktop holds it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(report: impl Fn(&str) + Send + 'static) -> Result<Self, AlarmError> {
        // One is shown while the next waits; more would be old by the time they are seen.
        let (alerts, waiting) = bounded::<AlertEvent>(1);
        std::thread::Builder::new()
            .name("notification".into())
            .spawn(move || {
                for alert in waiting {
                    if let Err(error) = show(&alert) {
                        report(&format!(
                            "the desktop shows no notification: {error}; set alarm.notification to false where there is no desktop"
                        ));
                    }
                }
            })
            .map_err(AlarmError::Thread)?;
        Ok(Self { alerts })
    }

    /// Shows an alert, unless others are waiting already.
    pub(super) fn show(&self, alert: &AlertEvent) {
        let _ = self.alerts.try_send(alert.clone());
    }
}

fn show(alert: &AlertEvent) -> Result<(), notify_rust::error::Error> {
    let text = match alert.kind {
        AlertKind::LongClosureWarning | AlertKind::LongClosureAlarm => {
            format!("Eyes closed for {:.1} s", alert.time - alert.since)
        }
        AlertKind::FaceLostAsleep => "Out of sight since the eyes closed".into(),
        AlertKind::Drowsiness => match alert.perclos {
            Some(perclos) => format!("Drowsy: PERCLOS {:.0} %", 100.0 * perclos),
            None => "Drowsy".into(),
        },
        AlertKind::LowBlinkRate => "Blink now and then".into(),
        AlertKind::ScreenTime => format!(
            "Take a break: {:.0} minutes without one",
            (alert.time - alert.since) / 60.0
        ),
    };
    Notification::new()
        .appname("Parseye")
        .summary("Parseye")
        .body(&text)
        .show()
        .map(|_| ())
}
