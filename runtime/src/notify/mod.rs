//! Notifiers: what alerts set off (bell, command, sound, desktop notification), an MQTT broker, systemd.
//!
//! Each reads the run's [channels](crate::channels) on threads of its own and delays nothing. When to
//! warn is decided by [`parseye_vision::temporal`].

pub(crate) mod alarm;
pub mod mqtt;
#[cfg(target_os = "linux")]
pub(crate) mod service;
