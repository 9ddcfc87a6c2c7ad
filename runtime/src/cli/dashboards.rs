//! The dashboards around a live run: the web server, the terminal, and what a closed terminal means. The
//! caller starts them before the source is opened, publishes everything through their [`Fanout`], and
//! drops them at the end.

use super::complain;
use crate::{
    config::Settings,
    dashboard::{
        messages::Messages,
        terminal,
        terminal::{TerminalDashboard, TerminalOptions},
        web,
        web::WebServer,
    },
    live::{Fanout, Stop},
};
use std::{
    io::{self, Write},
    sync::{Arc, atomic::AtomicBool},
};

/// The dashboards of a live run; dropping them ends them and restores the terminal.
#[derive(Debug)]
pub(super) struct Dashboards {
    fanout: Fanout,
    messages: Messages,
    // The terminal is restored first, so that what follows can be read.
    terminal: Option<TerminalDashboard>,
    web: Option<WebServer>,
    hung_up: Arc<AtomicBool>,
}

impl Dashboards {
    /// Starts the web dashboard where one was asked for, before anything else is touched.
    ///
    /// # Errors
    /// When it cannot listen there, or a signal cannot be caught.
    pub(super) fn listen(settings: &Settings, stop: &Stop) -> anyhow::Result<Self> {
        let fanout = Fanout::new();
        let web = web::serve(&settings.web, &fanout)?;
        if let Some(web) = &web {
            // A closed stderr is no reason to end.
            let _ = writeln!(io::stderr(), "parseye: web dashboard at {}", url(web));
        }
        let hung_up = Arc::new(AtomicBool::new(false));
        // A terminal that closes must not cut off the log; a run that nothing else shows or records ends
        // with it.
        #[cfg(unix)]
        {
            use signal_hook::{consts::SIGHUP, flag};
            flag::register(SIGHUP, Arc::clone(&hung_up))?;
            if alone(settings) {
                flag::register_usize(SIGHUP, stop.signal(), usize::try_from(SIGHUP)?)?;
            }
        }
        Ok(Self {
            fanout,
            messages: Messages::to_stderr(|line| complain(&line)),
            terminal: None,
            web,
            hung_up,
        })
    }

    /// Returns where events and status are published.
    pub(super) fn fanout(&self) -> &Fanout {
        &self.fanout
    }

    /// Returns a function that reports a line to the user without garbling a dashboard on the terminal.
    pub(super) fn reporter(&self) -> impl FnMut(&str) + Send + 'static {
        let messages = self.messages.clone();
        move |line| messages.report(line)
    }

    /// Fills the terminal, where there is one that was not declined, once the source is open and its errors
    /// are reported. Returns whether it did; else a status line is due.
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
        match terminal::start(&self.fanout, stop, options) {
            Ok(terminal) => self.terminal = Some(terminal),
            Err(error) => complain(&format!(
                "the terminal cannot show the dashboard: {error}; a status line follows instead"
            )),
        }
        self.terminal.is_some()
    }
}

/// Returns whether nothing but the terminal shows or records the run.
fn alone(settings: &Settings) -> bool {
    settings.web.address.is_none()
        && settings.report.log.is_none()
        && settings.mqtt.broker.is_none()
        && settings.alarm.command.is_none()
}

fn url(web: &WebServer) -> String {
    format!("http://{}/", web.address())
}
