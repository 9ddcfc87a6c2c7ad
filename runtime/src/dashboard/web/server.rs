//! Serves the dashboard on a thread of its own, which reads the [`LiveChannels`] like every other reader.
//!
//! Nobody who looks can slow the monitor down: the number of clients and what is kept for each are
//! bounded, and a client that does not read is cut off. Who may look is decided in `access`.

use super::{
    WebError, WebSettings,
    access::Access,
    connection::BoundedListener,
    feed::{Feed, TICK},
    preview::Preview,
    routes::{Shared, router},
    settings::{MOST_CLIENTS, RESERVED},
};
use crate::channels::LiveChannels;
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

/// Files that are left to the rest of a run. It holds about a dozen (the camera or ffmpeg's pipes, the log,
/// this server, a broker), and a program that is started takes some more for a moment.
const FILES_OF_A_RUN: u64 = 32;

/// The server's thread. Dropping it ends it.
#[derive(Debug)]
pub(super) struct ServerThread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Listens on `address` and starts serving; returns the address with the real port.
///
/// # Errors
/// When the address cannot be listened on, or the system refuses a thread or files.
pub(super) fn start(
    address: SocketAddr,
    settings: &WebSettings,
    channels: &LiveChannels,
) -> Result<(SocketAddr, ServerThread), WebError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // For encoding previews.
        .max_blocking_threads(1)
        .thread_name("web-preview")
        .build()
        .map_err(WebError::Start)?;
    let clients = connections_within(settings.clients, most_open_files())?;
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
        streams: clients.saturating_sub(RESERVED),
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
            // Waits for no preview that is being encoded.
            runtime.shutdown_background();
        })
        .map_err(WebError::Start)?;
    let running = ServerThread {
        stop: Some(stop),
        thread: Some(thread),
    };
    Ok((address, running))
}

/// Returns how many of `clients` connections leave a run the files it needs where a process may open
/// `limit` files.
///
/// # Errors
/// When not even the reserved connections fit.
fn connections_within(clients: usize, limit: u64) -> Result<usize, WebError> {
    let room = usize::try_from(limit.saturating_sub(FILES_OF_A_RUN)).unwrap_or(usize::MAX);
    if room <= RESERVED {
        return Err(WebError::OpenFiles {
            limit,
            enough: FILES_OF_A_RUN + MOST_CLIENTS as u64,
        });
    }
    Ok(clients.min(room))
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

impl Drop for ServerThread {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_keeps_the_files_it_needs() {
        let within = |clients, limit| connections_within(clients, limit).unwrap();
        assert_eq!(within(64, 1024), 64);
        assert_eq!(within(64, u64::MAX), 64);
        assert_eq!(within(512, 256), 224);
        assert_eq!(within(64, 41), 9);
        let error = connections_within(64, 40).unwrap_err().to_string();
        assert!(error.contains("ulimit -n"), "{error}");
    }
}
