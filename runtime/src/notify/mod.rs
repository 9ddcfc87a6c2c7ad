//! Notifiers: what alerts set off (bell, command, sound, desktop notification), commands on what eyes do, an
//! MQTT broker, systemd.
//!
//! Each reads the run's [channels](crate::channels) on threads of its own and delays nothing. When to
//! warn is decided by [`parseye_vision::temporal`].

pub(crate) mod alarm;
mod command;
pub(crate) mod event_commands;
pub mod mqtt;
#[cfg(target_os = "linux")]
pub(crate) mod service;
