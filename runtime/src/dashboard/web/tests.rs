//! The server over real connections, by a client that knows nothing of it.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use super::*;
use crate::channels::FrameSnapshot;
use parseye_testkit::script;
use parseye_vision::temporal::Laterality;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

const TOKEN: &str = "0123456789abcdef0123";

fn settings() -> WebSettings {
    WebSettings {
        address: Some("127.0.0.1:0".into()),
        ..WebSettings::default()
    }
}

fn started(settings: &WebSettings) -> (LiveChannels, WebServer) {
    let channels = LiveChannels::new();
    let server = serve(settings, &channels).unwrap().unwrap();
    (channels, server)
}

fn connect(server: &WebServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// A response: status, head, body.
struct Response(u16, String, Vec<u8>);

impl Response {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.2).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.1.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

fn ask(server: &WebServer, request: &str) -> Response {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A refused connection may be reset after its response.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .expect("a whole head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response(status, head, bytes[end + 4..].to_vec())
}

fn get_with(server: &WebServer, path: &str, headers: &str) -> Response {
    let host = server.address();
    ask(
        server,
        &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n"),
    )
}

fn get(server: &WebServer, path: &str) -> Response {
    get_with(server, path, "")
}

/// An open event stream, without the head.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(server: &WebServer) -> Self {
        let mut stream = connect(server);
        let host = server.address();
        write!(stream, "GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The data of the next event of that name; earlier ones of other names are left out.
    fn next(&mut self, name: &str) -> serde_json::Value {
        let mut line = String::new();
        let mut found = false;
        loop {
            line.clear();
            assert_ne!(
                self.0.read_line(&mut line).unwrap(),
                0,
                "the stream ended before {name}"
            );
            match line.trim_end().split_once(": ") {
                Some(("event", event)) => found = event == name,
                Some(("data", data)) if found => return serde_json::from_str(data).unwrap(),
                _ => {}
            }
        }
    }
}

#[test]
fn the_page_comes_whole_and_asks_for_nothing_from_elsewhere() {
    let (_channels, server) = started(&settings());
    let page = get(&server, "/");
    assert_eq!(page.0, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let text = page.text();
    // The policy forbids it, so it would only be broken.
    for inline in ["<style", "style=", "onclick=", "<script>"] {
        assert!(!text.contains(inline), "{inline}");
    }
    let mut parts = 0;
    for attribute in text
        .split(['"', ' '])
        .filter(|word| word.ends_with(".js") || word.ends_with(".css") || word.ends_with(".svg"))
    {
        let part = get(&server, &format!("/{attribute}"));
        assert_eq!(part.0, 200, "{attribute}");
        assert!(
            !part
                .text()
                .replace("http://www.w3.org/2000/svg", "")
                .contains("http"),
            "{attribute}"
        );
        parts += 1;
    }
    assert!(parts >= 4, "{parts} parts");
    assert!(!text.contains("http:") && !text.contains("https:"));
    assert_eq!(get(&server, "/../Cargo.toml").0, 404);
    assert_eq!(
        get(&server, "/picture.jpg").0,
        404,
        "the preview was not asked for"
    );
    let host = server.address();
    let post = ask(
        &server,
        &format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
    );
    assert_eq!(post.0, 405);
}

#[test]
fn status_health_and_metrics_follow_the_monitor() {
    let (channels, server) = started(&settings());
    assert_eq!(get(&server, "/api/status").0, 503);
    let health = get(&server, "/healthz");
    assert_eq!((health.0, health.text().trim()), (503, "no frame yet"));
    assert_eq!(get(&server, "/metrics").0, 200);

    let mut events = Events::open(&server);
    channels.status.set(script::status());
    channels.frame_ages.observe(Duration::from_millis(20));
    // Once the page has it, the health check has it, too.
    events.next("status");
    let status: serde_json::Value = serde_json::from_slice(&get(&server, "/api/status").2).unwrap();
    assert_eq!(status["right"]["state"], "closed");
    assert_eq!(status["lost"]["dropped"], 17);
    assert_eq!(get(&server, "/healthz").0, 200);
    let metrics = get(&server, "/metrics");
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(metrics.text().contains("parseye_frames_total 22580\n"));
    assert!(metrics.text().contains("parseye_source_delivering 1\n"));

    let mut down = script::status();
    down.source.down = Some("unplugged".into());
    channels.status.set(down);
    while events.next("status")["source"]["down"].is_null() {}
    let health = get(&server, "/healthz");
    assert_eq!((health.0, health.text().trim()), (503, "unplugged"));
}

#[test]
fn a_page_gets_the_past_and_then_what_happens() {
    let (channels, server) = started(&settings());
    let mut first = Events::open(&server);
    assert_eq!(first.next("history")["slices"].as_array().unwrap().len(), 0);
    for frame in 0..90_u64 {
        channels
            .events
            .publish(script::eyes(frame, frame as f64 / 30.0, 0.1));
    }
    channels
        .events
        .publish(script::blink(Laterality::Both, 1.0, 0.2));
    assert_eq!(first.next("mark")["duration"], 0.2);
    while first.next("session")["session"]["blinks"] != 1 {}
    let mut second = Events::open(&server);
    let history = second.next("history");
    // Three seconds in halves, of which the last is not over.
    assert_eq!(history["slices"].as_array().unwrap().len(), 5);
    assert_eq!(
        history["slices"][0],
        serde_json::json!([0.0, [0.1, 0.1, 0.9], [0.1, 0.1, 0.9], null])
    );
    assert_eq!(history["marks"].as_array().unwrap().len(), 1);
    channels.events.publish(script::eyes(90, 3.0, 0.9));
    // Its earlier slices came before the session message.
    assert_eq!(first.next("slice")[0], 2.5);
    assert_eq!(second.next("slice")[0], 2.5);
    channels.events.end();
    assert_eq!(second.next("end"), serde_json::Value::Null);
    assert_eq!(
        get(&server, "/healthz").text().trim(),
        "the monitor has ended"
    );
}

#[test]
fn without_the_token_nothing_is_shown() {
    let settings = WebSettings {
        token: Some(TOKEN.to_owned().into()),
        ..settings()
    };
    let (channels, server) = started(&settings);
    channels.status.set(script::status());
    for path in [
        "/",
        "/style.css",
        "/events",
        "/api/status",
        "/healthz",
        "/metrics",
        "/nothing",
        "/?token=wrong",
    ] {
        let response = get(&server, path);
        assert_eq!(response.0, 401, "{path}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        assert!(response.header("set-cookie").is_none() && !response.text().contains(TOKEN));
    }
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(get_with(&server, "/api/status", &bearer).0, 200);
    let opened = get(&server, &format!("/?token={TOKEN}"));
    assert_eq!(opened.0, 200);
    let cookie = opened.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Strict")
            && !cookie.contains(TOKEN)
    );
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(
        get_with(&server, "/metrics", &format!("Cookie: {cookie}\r\n")).0,
        200
    );
}

#[test]
fn a_foreign_name_is_refused() {
    let (_channels, server) = started(&settings());
    for host in [
        "Host: evil.example\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "",
    ] {
        let response = ask(
            &server,
            &format!("GET /api/status HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        );
        assert!([400, 421].contains(&response.0), "{host}: {}", response.0);
    }
    assert_eq!(get(&server, "/").0, 200);
}

#[test]
fn an_address_that_cannot_be_had_is_explained() {
    let (channels, server) = started(&settings());
    let taken = WebSettings {
        address: Some(server.address().to_string()),
        ..settings()
    };
    let error = serve(&taken, &channels).unwrap_err().to_string();
    assert!(
        error.contains(&server.address().to_string()) && error.contains("--web"),
        "{error}"
    );
    let elsewhere = WebSettings {
        address: Some("192.0.2.1:8080".into()),
        token: Some(TOKEN.to_owned().into()),
        ..settings()
    };
    let error = serve(&elsewhere, &channels).unwrap_err().to_string();
    assert!(error.contains("no such address"), "{error}");
    let open = WebSettings {
        address: Some("0.0.0.0:0".into()),
        ..settings()
    };
    assert!(
        serve(&open, &channels)
            .unwrap_err()
            .to_string()
            .contains("--token")
    );
    assert!(serve(&WebSettings::default(), &channels).unwrap().is_none());
}

#[test]
fn a_preview_is_encoded_only_on_request() {
    let settings = WebSettings {
        preview: true,
        ..settings()
    };
    let (channels, server) = started(&settings);
    assert!(!channels.preview.is_requested());
    let theirs = channels.clone();
    let pipeline = std::thread::spawn(move || {
        while !theirs.preview.is_requested() {
            std::thread::sleep(Duration::from_millis(5));
        }
        theirs.preview.set(FrameSnapshot {
            rgb: image::RgbImage::from_pixel(960, 480, image::Rgb([200, 100, 50])),
            reading: parseye_vision::reading::FrameReading {
                frame: 0,
                time: Duration::ZERO,
                face: None,
                eyes: parseye_vision::eye_state::PerEye::from_fn(|_| {
                    parseye_vision::reading::EyeReading::Unmeasured(
                        parseye_vision::reading::Unseen::NoFace,
                    )
                }),
            },
        });
    });
    let response = get(&server, "/picture.jpg?1");
    pipeline.join().unwrap();
    assert_eq!(
        (response.0, response.header("content-type")),
        (200, Some("image/jpeg"))
    );
    let preview = image::load_from_memory(&response.2).unwrap().to_rgb8();
    assert_eq!(preview.dimensions(), (480, 240));
    assert!(
        preview
            .get_pixel(9, 9)
            .0
            .iter()
            .zip([200, 100, 50])
            .all(|(a, b)| a.abs_diff(b) < 8)
    );
    assert!(!channels.preview.is_requested());
    assert_eq!(get(&server, "/picture.jpg").0, 503, "no further frame came");
}

/// Resident memory in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn clients_that_never_read_cost_nothing_and_hold_up_nobody() {
    let (channels, server) = started(&settings());
    let slow: Vec<Events> = (0..50).map(|_| Events::open(&server)).collect();
    let mut reads = Events::open(&server);
    reads.next("history");
    let before = resident();
    let event = script::eyes(0, 0.0, 0.1);
    for frame in 0..100_000_u64 {
        channels.events.publish(event.clone());
        if frame % 100 == 0 {
            let mut status = script::status();
            status.frames = frame;
            channels.status.set(status);
        }
    }
    let mut last = script::status();
    last.frames = 100_000;
    channels.status.set(last);
    // The one that reads gets to the newest, and others are served.
    while reads.next("status")["frames"] != 100_000 {}
    assert_eq!(get(&server, "/api/status").0, 200);
    assert_eq!(get(&server, "/metrics").0, 200);
    let grown = resident().saturating_sub(before);
    // The events alone would be 50 MB if anything kept them.
    assert!(grown < 16 << 20, "{} MB more", grown >> 20);
    drop(slow);
}

#[test]
fn more_clients_than_places_are_turned_away_and_the_places_come_back() {
    let settings = WebSettings {
        clients: 9,
        ..settings()
    };
    let (_channels, server) = started(&settings);
    let mut stream = Events::open(&server);
    stream.next("history");
    // Only event streams are limited to what is not kept for others.
    let second = get(&server, "/events");
    assert_eq!(
        (second.0, second.text().trim()),
        (503, "too many pages are open")
    );
    let idle: Vec<TcpStream> = (0..8).map(|_| connect(&server)).collect();
    let turned_away = |server: &WebServer| {
        let mut stream = connect(server);
        let host = server.address();
        let _ = write!(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        );
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response);
        !response.contains("no frame yet")
    };
    let becomes = |wanted: bool| {
        (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            turned_away(&server) == wanted
        })
    };
    assert!(becomes(true), "everybody gets in");
    drop(idle);
    assert!(becomes(false), "nobody gets in any more");
    // The stream that was there all the time still lives.
    stream.next("session");
}
