//! The dashboards of a live run: the web server, the terminal, and what a closed terminal means. They are
//! started before the source is opened and dropped at the end.

use super::LiveRunError;
use crate::{
    channels::{LiveChannels, Stop},
    config::Settings,
    dashboard::{
        messages::Messages,
        terminal,
        terminal::{TerminalDashboard, TerminalOptions},
        web,
        web::WebServer,
    },
};
use std::sync::{Arc, atomic::AtomicBool};

/// What shows a live run; dropping it ends it and gives the terminal back.
#[derive(Debug)]
pub(super) struct Dashboards {
    channels: LiveChannels,
    messages: Messages,
    // The terminal is given back first, so that what follows can be read.
    terminal: Option<TerminalDashboard>,
    web: Option<WebServer>,
    hung_up: Arc<AtomicBool>,
    /// Writes a line to stderr, whatever fills the terminal.
    report: fn(&str),
}

impl Dashboards {
    /// Listens where the web dashboard was asked for, before anything else is touched.
    ///
    /// # Errors
    /// When it cannot listen there, or a signal cannot be caught.
    pub(super) fn listen(
        channels: &LiveChannels,
        settings: &Settings,
        stop: &Stop,
        report: fn(&str),
    ) -> Result<Self, LiveRunError> {
        let web = web::serve(&settings.web, channels)?;
        if let Some(web) = &web {
            report(&format!("web dashboard at {}", url(web)));
        }
        let hung_up = Arc::new(AtomicBool::new(false));
        // A terminal that closes must not cut off the log; a run that nothing else shows ends with
        // it, since nobody would know of it.
        #[cfg(unix)]
        {
            use signal_hook::{consts::SIGHUP, flag};
            flag::register(SIGHUP, Arc::clone(&hung_up)).map_err(LiveRunError::Signal)?;
            if alone(settings) {
                flag::register_usize(SIGHUP, stop.signal(), SIGHUP as usize)
                    .map_err(LiveRunError::Signal)?;
            }
        }
        Ok(Self {
            channels: channels.clone(),
            messages: Messages::to_stderr(report),
            terminal: None,
            web,
            hung_up,
            report,
        })
    }

    /// Returns a function that reports a line to the user without garbling a dashboard on the terminal.
    pub(super) fn reporter(&self) -> impl FnMut(&str) + Send + 'static {
        let messages = self.messages.clone();
        move |line| messages.report(line)
    }

    /// Fills the terminal, where there is one that was not declined, once the source is open and
    /// its errors are reported. Returns whether it did; else a status line is due.
    pub(super) fn fill_terminal(&mut self, settings: &Settings, stop: &Stop) -> bool {
        if !settings.terminal.dashboard || !terminal::is_possible() {
            return false;
        }
        let options = TerminalOptions {
            web: self.web.as_ref().map(url),
            hung_up: Arc::clone(&self.hung_up),
            messages: self.messages.clone(),
            alone: alone(settings),
        };
        match terminal::start(&self.channels.events, &self.channels.status, stop, options) {
            Ok(terminal) => self.terminal = Some(terminal),
            Err(error) => (self.report)(&format!(
                "the terminal cannot show the dashboard: {error}; a status line follows instead"
            )),
        }
        self.terminal.is_some()
    }
}

/// Whether nobody but the terminal gets anything of the run.
fn alone(settings: &Settings) -> bool {
    settings.web.address.is_none()
        && settings.report.log.is_none()
        && settings.mqtt.broker.is_none()
        && settings.alarm.command.is_none()
        && !settings.on_event.is_any()
}

fn url(web: &WebServer) -> String {
    format!("http://{}/", web.address())
}
