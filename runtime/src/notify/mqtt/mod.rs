//! Publishes states and events to an MQTT broker, and to Home Assistant how to show them.
//!
//! The newest state is published at most once a second, retained, so that a new subscriber gets it at
//! once; events are published once. A broker that cannot be reached is tried again and misses what
//! happened meanwhile: the event log is what keeps everything.
//!
//! # Layout
//! `settings` says where the broker is, `topics` names the topics and describes them to Home Assistant, and
//! `publisher` holds threads and connection; the latter two come with the feature `mqtt`.

#[cfg(feature = "mqtt")]
mod publisher;
mod settings;
#[cfg(feature = "mqtt")]
mod topics;

pub use settings::MqttSettings;

use crate::channels::LatestStatus;
use parseye_events::{event::Event, fanout::Fanout};

/// Why nothing can be published: one line with the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MqttError {
    /// This program has no MQTT.
    #[error(
        "mqtt.broker is {broker}, but this parseye was built without MQTT; build it with `--features mqtt`, or leave the setting out"
    )]
    NotBuilt {
        /// What was asked for.
        broker: String,
    },
    /// The system refused a thread.
    #[error("cannot start a thread: {0}; close other programs and try again")]
    Thread(#[from] std::io::Error),
}

/// The threads that publish to a broker.
#[derive(Debug)]
pub struct MqttPublisher {
    #[cfg(feature = "mqtt")]
    running: publisher::PublisherThreads,
}

impl MqttPublisher {
    /// Waits, after the end of the events, until the broker knows that the monitor has ended; at most half a
    /// second and a little.
    pub fn finish(self) {
        #[cfg(feature = "mqtt")]
        self.running.finish();
    }
}

/// Starts publishing to the broker of the settings, where there is one. `report` gets a line when it cannot
/// be reached, and when it can again.
///
/// # Errors
/// When this program was built without MQTT, or the system refuses a thread. A broker that cannot
/// be reached is no error.
#[cfg(feature = "mqtt")]
pub fn start(
    events: &Fanout<Event>,
    status: &LatestStatus,
    settings: &MqttSettings,
    report: impl FnMut(&str) + Send + 'static,
) -> Result<Option<MqttPublisher>, MqttError> {
    let Some(broker) = settings.address() else {
        return Ok(None);
    };
    let running = publisher::start(events, status, settings, broker, report)?;
    Ok(Some(MqttPublisher { running }))
}

/// Refuses a broker, since this program was built without MQTT.
///
/// # Errors
/// When there is a broker in the settings.
#[cfg(not(feature = "mqtt"))]
pub fn start(
    _: &Fanout<Event>,
    _: &LatestStatus,
    settings: &MqttSettings,
    _: impl FnMut(&str) + Send + 'static,
) -> Result<Option<MqttPublisher>, MqttError> {
    match &settings.broker {
        None => Ok(None),
        Some(broker) => Err(MqttError::NotBuilt {
            broker: broker.clone(),
        }),
    }
}

#[cfg(all(test, not(feature = "mqtt")))]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_refused_by_a_program_without_mqtt() {
        let mut settings = MqttSettings::default();
        let start = |settings: &MqttSettings| {
            start(&Fanout::new(), &LatestStatus::default(), settings, |_| {})
        };
        assert!(start(&settings).unwrap().is_none());
        settings.broker = Some("localhost".into());
        let error = start(&settings).unwrap_err();
        assert!(error.to_string().contains("--features mqtt"), "{error}");
    }
}
