//! The web dashboard: a page that shows the monitor live, its status as JSON, a health check, and
//! metrics for Prometheus, served by one thread that reads the [`LiveChannels`] like every other reader.
//!
//! Nobody who looks can slow the monitor down: the number of clients and what is kept for each are
//! bounded, and a client that does not read is cut off. Who may look is decided in `access`.

mod access;
mod connection;
mod feed;
mod preview;
mod routes;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::{Token, WebSettings};

use crate::channels::LiveChannels;
use access::Access;
use connection::BoundedListener;
use feed::{Feed, TICK};
use preview::Preview;
use routes::{Shared, router};
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::{runtime, sync::oneshot, time::MissedTickBehavior};

/// How long the pages have at the end to take the last message.
const FAREWELL: Duration = Duration::from_millis(50);

/// Why the dashboard cannot be served: one line with the address, the reason and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The settings mean nothing, or would let anybody in.
    #[error("web.{0}")]
    Settings(String),
    /// The address cannot be listened on.
    #[error("the web dashboard cannot listen on {address}: {reason}")]
    Address {
        /// What was asked for.
        address: SocketAddr,
        /// What was wrong and what to do.
        reason: String,
    },
    /// The system lets the process open too few files.
    #[error("the web dashboard cannot start: {0}")]
    Limit(String),
    /// The system refused a thread or what it needs.
    #[error("the web dashboard cannot start: {0}; close other programs and try again")]
    Start(io::Error),
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Serves a monitor on the address of the settings until the server is dropped; `None` where no
/// address is given. It listens on return, so call it before anything that cannot be undone.
///
/// # Errors
/// When the settings are wrong or the address cannot be listened on.
pub fn serve(
    settings: &WebSettings,
    channels: &LiveChannels,
) -> Result<Option<WebServer>, WebError> {
    settings.check().map_err(WebError::Settings)?;
    let Some(address) = settings.socket_address().map_err(WebError::Settings)? else {
        return Ok(None);
    };
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // For encoding pictures.
        .max_blocking_threads(1)
        .thread_name("web-picture")
        .build()
        .map_err(WebError::Start)?;
    let clients = settings::places(settings.clients, most_open_files()).map_err(WebError::Limit)?;
    let refused = |error: &io::Error| WebError::Address {
        address,
        reason: explain(error, address),
    };
    let listener = {
        let _within = runtime.enter();
        BoundedListener::bind(address, clients).map_err(|error| refused(&error))?
    };
    let address = listener.address().map_err(|error| refused(&error))?;
    let feed = Arc::new(Feed::new(
        channels.clone(),
        settings.preview,
        Instant::now(),
    ));
    let shared = Shared {
        feed: Arc::clone(&feed),
        preview: settings.preview.then(Arc::<Preview>::default),
        streams: clients.saturating_sub(settings::RESERVED),
    };
    let app = router(shared, Access::new(settings, address.port()));
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("web".into())
        .spawn(move || {
            runtime.block_on(async {
                let server = axum::serve(listener, app);
                tokio::select! {
                    _ = server => {}
                    () = tick(&feed) => {}
                    _ = stopped => {}
                }
                feed.close();
                tokio::time::sleep(FAREWELL).await;
            });
            // Waits for no picture that is being encoded.
            runtime.shutdown_background();
        })
        .map_err(WebError::Start)?;
    Ok(Some(WebServer {
        address,
        stop: Some(stop),
        thread: Some(thread),
    }))
}

/// How many files this process may have open, connections included, as Linux tells it.
fn most_open_files() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|line| line.split_whitespace().next())
        // `unlimited`, or another system.
        .map_or(u64::MAX, |soft| soft.parse().unwrap_or(u64::MAX))
}

async fn tick(feed: &Feed) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        feed.tick(Instant::now());
    }
}

fn explain(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program uses this port; end it or give another port with --web".into()
        }
        io::ErrorKind::PermissionDenied => format!(
            "{error}; ports below 1024 are kept for the system, give a higher one such as {}",
            SocketAddr::new(address.ip(), 8080)
        ),
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; give 127.0.0.1 or one that `ip address` lists".into()
        }
        _ => format!("{error}; give another address with --web"),
    }
}

impl WebServer {
    /// Where it listens; with the real port where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
