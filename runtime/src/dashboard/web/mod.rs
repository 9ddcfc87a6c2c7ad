//! The web dashboard: a page that shows the monitor live, its status as JSON, a health check, and
//! metrics for Prometheus.
//!
//! `settings` says where it listens and who may look; the server comes with the feature `web`.

#[cfg(feature = "web")]
mod access;
#[cfg(feature = "web")]
mod connection;
#[cfg(feature = "web")]
mod feed;
#[cfg(feature = "web")]
mod preview;
#[cfg(feature = "web")]
mod routes;
#[cfg(feature = "web")]
mod server;
mod settings;
#[cfg(all(test, feature = "web"))]
mod tests;

pub use settings::{Token, WebSettings};

use crate::channels::LiveChannels;
use parseye_vision::settings::SettingError;
use std::{io, net::SocketAddr};

/// Why the dashboard cannot be served: one line with the address, the reason and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The settings mean nothing, or would let anybody in.
    #[error("web.{0}")]
    Settings(SettingError),
    /// This program has no web dashboard.
    #[error(
        "web.address is {address}, but this parseye was built without the web dashboard; build it with `--features web`, or leave out --web"
    )]
    NotBuilt {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("the web dashboard cannot listen on {address}: {reason}")]
    Address {
        /// What was asked for.
        address: SocketAddr,
        /// What was wrong and what to do.
        reason: String,
    },
    /// The system lets the process open too few files.
    #[error(
        "the web dashboard cannot start: only {limit} files may be open, which leaves none for it; raise the limit with `ulimit -n {enough}` or more"
    )]
    OpenFiles {
        /// Files that this process may open.
        limit: u64,
        /// A limit that is enough for any number of clients.
        enough: u64,
    },
    /// The system refused a thread or what it needs.
    #[error("the web dashboard cannot start: {0}; close other programs and try again")]
    Start(io::Error),
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    #[cfg(feature = "web")]
    _running: server::ServerThread,
}

impl WebServer {
    /// Returns where it listens; with the real port where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves a monitor on the address of the settings until the server is dropped; `None` where no
/// address is given. It listens on return, so call it before anything that cannot be undone.
///
/// # Errors
/// When the settings are wrong, the address cannot be listened on, or this program was built without the
/// web dashboard.
pub fn serve(
    settings: &WebSettings,
    channels: &LiveChannels,
) -> Result<Option<WebServer>, WebError> {
    settings.check().map_err(WebError::Settings)?;
    match settings.socket_address().map_err(WebError::Settings)? {
        None => Ok(None),
        Some(address) => serve_on(address, settings, channels).map(Some),
    }
}

#[cfg(feature = "web")]
fn serve_on(
    address: SocketAddr,
    settings: &WebSettings,
    channels: &LiveChannels,
) -> Result<WebServer, WebError> {
    let (address, running) = server::start(address, settings, channels)?;
    Ok(WebServer {
        address,
        _running: running,
    })
}

#[cfg(not(feature = "web"))]
fn serve_on(address: SocketAddr, _: &WebSettings, _: &LiveChannels) -> Result<WebServer, WebError> {
    Err(WebError::NotBuilt { address })
}

#[cfg(all(test, not(feature = "web")))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_by_a_program_without_the_web_dashboard() {
        let mut settings = WebSettings::default();
        assert!(serve(&settings, &LiveChannels::new()).unwrap().is_none());
        settings.address = Some("8080".into());
        let error = serve(&settings, &LiveChannels::new())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("127.0.0.1:8080") && error.contains("--features web"),
            "{error}"
        );
    }
}
