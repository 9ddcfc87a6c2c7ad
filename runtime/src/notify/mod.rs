//! Whoever is told of events: the alarm's bell, command, sound and notification, an MQTT broker, systemd.

pub mod alarm;
pub mod mqtt;
#[cfg(target_os = "linux")]
pub mod service;
