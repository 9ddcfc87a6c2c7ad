//! Connections that cannot do harm: their number is bounded, each has small buffers, and one on
//! which nothing can be written for a while is closed.
//!
//! The deadline starts when a client connects and again with every byte written to it. So it disconnects
//! clients that send nothing, that send their request byte by byte, that do not read, and idle ones;
//! an event stream, on which something is written every second, lasts.

use axum::serve::Listener;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};

/// Time after which a connection is closed on which nothing could be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Wait after the system refused a connection, for instance for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Bytes that the system keeps for a client that does not read. Linux doubles it.
const SEND_BUFFER: u32 = 64 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
Content-Length: 56\r\nConnection: close\r\nRetry-After: 5\r\n\r\n\
Too many pages are open; close some, or try again later\n";

/// Accepts a bounded number of connections.
#[derive(Debug)]
pub(super) struct BoundedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
    write_timeout: Duration,
}

impl BoundedListener {
    /// Listens for at most `clients` connections at a time; must be called within a runtime.
    pub(super) fn bind(address: SocketAddr, clients: usize) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // A restart need not wait until the system forgets the connections of the last run.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        Ok(Self {
            listener: socket.listen(BACKLOG)?,
            places: Arc::new(Semaphore::new(clients)),
            write_timeout: WRITE_TIMEOUT,
        })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            };
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => return (Connection::new(stream, self.write_timeout, place), address),
                // A refused client is not waited for.
                Err(_) => {
                    let _ = stream.try_write(FULL);
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A client, holding one of the bounded number of places.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    write_timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, write_timeout: Duration, place: OwnedSemaphorePermit) -> Self {
        // Events are small and should come at once; without it they only come later.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            write_timeout,
            deadline: Box::pin(tokio::time::sleep(write_timeout)),
            _place: place,
        }
    }

    fn overdue(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        self.deadline
            .as_mut()
            .poll(context)
            .map(|()| io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => self.overdue(context).map(Err),
            ready => ready,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.overdue(context).map(Err),
            Poll::Ready(Ok(written)) => {
                let deadline = Instant::now() + self.write_timeout;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(Ok(written))
            }
            failed => failed,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// Runs `work` on a connection whose client does nothing, with a short deadline.
    fn with_silent_client(work: impl AsyncFnOnce(&mut Connection) -> io::ErrorKind) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let kind = runtime.block_on(async {
            let here = SocketAddr::from(([127, 0, 0, 1], 0));
            let mut listener = BoundedListener::bind(here, 1).unwrap();
            listener.write_timeout = Duration::from_millis(50);
            let _client = std::net::TcpStream::connect(listener.address().unwrap()).unwrap();
            let (mut connection, _) = listener.accept().await;
            work(&mut connection).await
        });
        assert_eq!(kind, io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_client_that_sends_nothing_is_cut_off() {
        with_silent_client(async |connection| {
            let mut bytes = [0; 16];
            poll_fn(|context| {
                let mut buffer = ReadBuf::new(&mut bytes);
                Pin::new(&mut *connection).poll_read(context, &mut buffer)
            })
            .await
            .unwrap_err()
            .kind()
        });
    }

    #[test]
    fn a_client_that_does_not_read_is_cut_off() {
        with_silent_client(async |connection| {
            loop {
                let write = |context: &mut Context<'_>| {
                    Pin::new(&mut *connection).poll_write(context, &[0; 65_536])
                };
                if let Err(error) = poll_fn(write).await {
                    return error.kind();
                }
            }
        });
    }

    #[test]
    fn the_refusal_states_its_length() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
    }
}
