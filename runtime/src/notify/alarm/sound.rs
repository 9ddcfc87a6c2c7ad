//! A tone, by a thread of its own: a sound server may not respond.

use super::AlarmError;
use crossbeam::channel::{Sender, bounded};
use rodio::{
    DeviceSinkBuilder, DeviceSinkError, MixerDeviceSink, Player, Source, source::SineWave,
};
use std::time::Duration;

/// Pitch of the tone in hertz: where hearing is keen at any age.
const PITCH_HZ: f32 = 1000.0;

/// Share of full volume.
const VOLUME: f32 = 0.5;

/// Length of the tone where the eyes stay closed.
const LENGTH: Duration = Duration::from_secs(3);

/// Plays the tone.
#[derive(Debug)]
pub(super) struct Sound {
    commands: Sender<ToneCommand>,
}

#[derive(Clone, Copy, Debug)]
enum ToneCommand {
    Play,
    Silence,
}

impl Sound {
    /// Starts the thread, which opens the sound device. It ends with this value, or with the
    /// program where the device holds it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(
        report: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<Self, AlarmError> {
        // A tone and its silence.
        let (commands, waiting) = bounded(2);
        std::thread::Builder::new()
            .name("sound".into())
            .spawn(move || {
                // ALSA writes what it thinks of a device to stderr, where a dashboard may be.
                #[cfg(target_os = "linux")]
                let _quiet = alsa::Output::local_error_handler();
                let mut device = match open(report.clone()) {
                    Ok(device) => device,
                    Err(error) => {
                        report(&format!(
                            "no sound device can be opened: {error}; set alarm.sound to false where there is none"
                        ));
                        return;
                    }
                };
                device.log_on_drop(false);
                let player = Player::connect_new(device.mixer());
                for command in waiting {
                    match command {
                        ToneCommand::Play => {
                            let tone = SineWave::new(PITCH_HZ).amplify(VOLUME);
                            player.append(tone.take_duration(LENGTH));
                            player.play();
                        }
                        ToneCommand::Silence => player.clear(),
                    }
                }
            })
            .map_err(AlarmError::Thread)?;
        Ok(Self { commands })
    }

    /// Starts the tone.
    pub(super) fn play(&self) {
        let _ = self.commands.try_send(ToneCommand::Play);
    }

    /// Ends the tone.
    pub(super) fn silence(&self) {
        let _ = self.commands.try_send(ToneCommand::Silence);
    }
}

/// Opens the default device in the first of its configurations that it accepts. Its later failures are
/// reported like all others, instead of written to stderr.
fn open(
    report: impl Fn(&str) + Clone + Send + 'static,
) -> Result<MixerDeviceSink, DeviceSinkError> {
    DeviceSinkBuilder::from_default_device()?
        .with_error_callback(move |error| {
            report(&format!(
                "the sound device failed: {error}; check that it is still there"
            ));
        })
        .open_sink_or_fallback()
}
