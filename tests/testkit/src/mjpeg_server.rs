//! A network camera on this machine: an HTTP server that sends Motion JPEG, and can cut its connections, fall
//! silent, send garbage, hold frames back and ask for a password.
//!
//! Its images show their own numbers, so that whoever receives one knows when it was sent.

use image::{GrayImage, Luma, Rgb, RgbImage, codecs::jpeg::JpegEncoder};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Bits of a number in an image, and the side of the square that each is drawn as.
const BITS: u32 = 16;
const SQUARE: u32 = 16;

/// Draws an image of 320x240 pixels that shows a number from 0 to 65535 in its upper rows.
pub fn numbered(number: u64) -> RgbImage {
    RgbImage::from_fn(320, 240, |x, y| {
        let bit = x / SQUARE;
        let shade = match (y < SQUARE, bit < BITS) {
            (true, true) => 255 * (number >> bit & 1) as u8,
            _ => (60 + (x * 7 + y * 3) % 130) as u8,
        };
        Rgb([shade; 3])
    })
}

/// Reads the number that [`numbered`] drew.
pub fn number_in(image: &GrayImage) -> u64 {
    (0..BITS)
        .map(|bit| {
            let Luma([shade]) = image.get_pixel(bit * SQUARE + SQUARE / 2, SQUARE / 2);
            u64::from(*shade > 127) << bit
        })
        .sum()
}

/// What the server does, changed while it runs.
#[derive(Debug, Default)]
struct Behaviour {
    /// Connections of before the last cut end.
    cuts: AtomicU64,
    silent: AtomicBool,
    garbage: AtomicBool,
    ends: AtomicBool,
    sent: Mutex<Vec<Instant>>,
    requests: Mutex<Vec<String>>,
}

/// The server. Dropping it ends it and all its connections.
#[derive(Debug)]
pub struct MjpegServer {
    port: u16,
    behaviour: Arc<Behaviour>,
    thread: Option<JoinHandle<()>>,
}

impl MjpegServer {
    /// Starts a server that sends the images which `draw` makes of their numbers, one each `period`. With an
    /// `authorization` it answers only requests with this value of the header.
    pub fn start(
        period: Duration,
        authorization: Option<&'static str>,
        draw: impl Fn(u64) -> RgbImage + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on this machine");
        let port = listener.local_addr().expect("it is bound").port();
        let behaviour = Arc::new(Behaviour::default());
        let shared = Arc::clone(&behaviour);
        let draw = Arc::new(draw);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.ends.load(Ordering::SeqCst) {
                    break;
                }
                let (shared, draw) = (Arc::clone(&shared), Arc::clone(&draw));
                std::thread::spawn(move || serve(stream, period, authorization, &shared, &*draw));
            }
        });
        Self {
            port,
            behaviour,
            thread: Some(thread),
        }
    }

    /// Returns where it listens, such as `127.0.0.1:41234`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.behaviour.cuts.fetch_add(1, Ordering::SeqCst);
    }

    /// Falls silent, without closing a connection, or goes on.
    pub fn be_silent(&self, silent: bool) {
        self.behaviour.silent.store(silent, Ordering::SeqCst);
    }

    /// Sends bytes that are no image in place of the next one.
    pub fn send_garbage(&self) {
        self.behaviour.garbage.store(true, Ordering::SeqCst);
    }

    /// Returns when the image with this number was sent.
    pub fn sent(&self, number: u64) -> Option<Instant> {
        let sent = locked(&self.behaviour.sent);
        sent.get(usize::try_from(number).ok()?).copied()
    }

    /// Returns the requests so far, each with its header.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.behaviour.requests).clone()
    }
}

impl Drop for MjpegServer {
    fn drop(&mut self) {
        self.behaviour.ends.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(
    mut stream: TcpStream,
    period: Duration,
    authorization: Option<&str>,
    behaviour: &Behaviour,
    draw: &(dyn Fn(u64) -> RgbImage + Send + Sync),
) {
    let Some(request) = read_request(&stream) else {
        return;
    };
    let expected = authorization.map(|value| format!("Authorization: {value}\r\n"));
    let is_welcome = expected.is_none_or(|header| request.contains(&header));
    locked(&behaviour.requests).push(request);
    let answer = match is_welcome {
        true => {
            "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
        }
        false => {
            "HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"camera\"\r\nContent-Length: 0\r\n\r\n"
        }
    };
    if stream.write_all(answer.as_bytes()).is_err() || !is_welcome {
        return;
    }
    let cuts = behaviour.cuts.load(Ordering::SeqCst);
    let mut due = Instant::now();
    while behaviour.cuts.load(Ordering::SeqCst) == cuts {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due += period;
        if behaviour.silent.load(Ordering::SeqCst) {
            continue;
        }
        let part = match behaviour.garbage.swap(false, Ordering::SeqCst) {
            true => (0..5000_u32)
                .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect(),
            false => part_of(behaviour, draw),
        };
        if stream.write_all(&part).is_err() {
            return;
        }
    }
}

/// Draws and encodes the next image as a part of the stream, and notes when it is sent.
fn part_of(behaviour: &Behaviour, draw: &(dyn Fn(u64) -> RgbImage + Send + Sync)) -> Vec<u8> {
    let mut sent = locked(&behaviour.sent);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 90)
        .encode_image(&draw(sent.len() as u64))
        .expect("an image in memory");
    sent.push(Instant::now());
    let length = jpeg.len();
    let mut part =
        format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    part.extend(jpeg);
    part.extend(b"\r\n");
    part
}

fn read_request(stream: &TcpStream) -> Option<String> {
    let mut request = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        if line.is_empty() {
            return Some(request);
        }
        request += &line;
        request += "\r\n";
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_shows_its_number() {
        for number in [0, 1, 4711, 65_535] {
            let gray = image::DynamicImage::from(numbered(number)).into_luma8();
            assert_eq!(number_in(&gray), number);
        }
    }
}
