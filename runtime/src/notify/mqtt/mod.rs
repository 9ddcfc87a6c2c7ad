//! Tells an MQTT broker what the monitor sees, and Home Assistant how to show it.
//!
//! The newest state goes out at most once a second, retained, so that whoever subscribes sees the
//! present; events go out once. A broker that is away is tried again and misses what happened
//! meanwhile: the event log is what keeps everything.
//!
//! # Layout
//! [`settings`] says where the broker is, [`messages`] are the topics and what is said in them; the
//! threads and the connection come with the feature `mqtt`.

pub mod messages;
#[cfg(feature = "mqtt")]
mod publisher;
pub mod settings;

#[cfg(feature = "mqtt")]
pub use publisher::MqttPublisher;
pub use settings::MqttSettings;

use crate::channels::LatestStatus;
use parseye_events::{event::Event, fanout::Fanout};

/// Why nothing can be told to a broker: one line with the remedy.
#[derive(Debug, thiserror::Error)]
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

/// Starts to tell the broker of the settings, where there is one. `tell` gets a line when it cannot
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
    tell: impl FnMut(&str) + Send + 'static,
) -> Result<Option<MqttPublisher>, MqttError> {
    let Some(broker) = settings.address() else {
        return Ok(None);
    };
    Ok(Some(MqttPublisher::start(
        events, status, settings, broker, tell,
    )?))
}

/// What [`start`] gives where there is no MQTT: nothing ever.
#[cfg(not(feature = "mqtt"))]
#[derive(Debug)]
pub enum MqttPublisher {}

#[cfg(not(feature = "mqtt"))]
impl MqttPublisher {
    /// Says goodbye to the broker.
    pub fn finish(self) {
        match self {}
    }
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
