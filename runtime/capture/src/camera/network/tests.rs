//! Network cameras on this machine.

use super::{super::CameraOpener, *};
use crate::{Camera, CameraSettings, FrameSource, LiveOpener, url::CameraUrl};
use parseye_test_needs::needs;
use parseye_testkit::{
    mjpeg_server::{MjpegServer, number_in, numbered},
    rtsp_server::RtspServer,
};

const PERIOD: Duration = Duration::from_millis(20);

/// Longest wait for what must come; no result depends on it.
const SOON: Duration = Duration::from_secs(60);

fn settings(id: String) -> CameraSettings {
    CameraSettings {
        id: Some(id),
        ..CameraSettings::default()
    }
}

/// Reads until `enough`, or the source fails.
fn read_until(
    source: &mut dyn LiveSource,
    mut enough: impl FnMut(&Frame) -> bool,
) -> Result<u64, SourceError> {
    let begin = Instant::now();
    let mut frames = 0;
    while begin.elapsed() < SOON {
        match source.read(Duration::from_millis(100))? {
            Read::Frame(frame) => {
                frames += 1;
                if enough(&frame) {
                    return Ok(frames);
                }
            }
            Read::Nothing => {}
            Read::Ended => panic!("a network camera has no end"),
        }
    }
    panic!("nothing within {SOON:?}");
}

#[test]
fn frames_come_in_order_and_a_cut_connection_is_made_again() {
    let server = MjpegServer::start(PERIOD, None, numbered);
    let url = format!("http://{}/video.mjpg?key=secret", server.address());
    let mut opener = CameraOpener::new(settings(url)).unwrap();
    assert_eq!(
        opener.name(),
        format!("http://{}/video.mjpg?...", server.address())
    );
    let mut last = None;
    for _ in 0..3 {
        let mut source = opener.open().unwrap();
        read_until(&mut *source, |frame| {
            let number = number_in(&frame.luma);
            assert!(last < Some(number), "{last:?} {number}");
            last = Some(number);
            frame.sequence >= 10
        })
        .unwrap();
        assert_eq!(source.format(), "mpjpeg mjpeg 320x240");
        server.cut();
        let error = read_until(&mut *source, |_| false).unwrap_err();
        assert_eq!(error.fault(), Some(CameraFault::Unplugged), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.contains("key=secret"))
    );
}

#[test]
fn a_port_that_looks_like_a_refusal_is_none() {
    let of = |cause: &str| {
        let url = "http://127.0.0.1:40303/401/404.mjpg";
        let stream = Stream::Url(CameraUrl::parse(url).unwrap().unwrap());
        explain(true, Some(cause), &stream).0
    };
    let lost = "http://127.0.0.1:40303/401/404.mjpg: Input/output error";
    assert_eq!(of(lost), CameraFault::Unplugged);
    assert_eq!(
        of("Server returned 401 Unauthorized (authorization failed)"),
        CameraFault::Failed
    );
    assert_eq!(
        of("method DESCRIBE failed: 404 Not Found"),
        CameraFault::Failed
    );
}

#[test]
fn a_password_is_sent_to_the_camera_and_shown_nowhere() {
    let server = MjpegServer::start(PERIOD, Some("Basic YWRtaW46czNjcjN0"), numbered);
    let open = |user: &str| {
        let url = format!("http://{user}{}/video.mjpg", server.address());
        CameraOpener::new(settings(url)).and_then(|mut opener| opener.open().map(|_| ()))
    };
    open("admin:s3cr3t@").unwrap();
    for user in ["", "admin:wr0ng-pass@"] {
        let error = open(user).unwrap_err();
        let line = error.to_string();
        assert!(
            line.contains("401") && line.contains("USER:PASSWORD@"),
            "{line}"
        );
        assert!(line.contains(&server.address()), "{line}");
        assert!(!line.contains("wr0ng") && !line.contains("admin"), "{line}");
        assert_eq!(error.fault(), Some(CameraFault::Failed));
    }
    let shown = settings(format!("http://admin:s3cr3t@{}/", server.address()));
    assert!(!format!("{shown:?}").contains("s3cr3t"));
    let opener = CameraOpener::new(shown).unwrap();
    assert!(!format!("{opener:?}").contains("s3cr3t"));
}

#[test]
fn garbage_in_the_stream_never_becomes_a_frame() {
    let server = MjpegServer::start(PERIOD, None, numbered);
    let url = format!("http://{}/", server.address());
    let mut opener = CameraOpener::new(settings(url)).unwrap();
    let mut source = opener.open().unwrap();
    let mut last = 0;
    for _ in 0..3 {
        let mut until = last + 10;
        let mut see = |frame: &Frame| {
            let number = number_in(&frame.luma);
            assert!(number > last && number < last + 500, "{last} {number}");
            last = number;
            number >= until
        };
        read_until(&mut *source, &mut see).unwrap();
        server.send_garbage();
        until = last + 30;
        let mut see = |frame: &Frame| {
            let number = number_in(&frame.luma);
            assert!(number > last && number < last + 500, "{last} {number}");
            last = number;
            number >= until
        };
        // ffmpeg gets over it, or gives up and is started again.
        if read_until(&mut *source, &mut see).is_err() {
            source = opener.open().unwrap();
        }
    }
}

#[test]
fn what_cannot_be_reached_is_told_from_what_sends_no_video() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let open = |url: String| {
        let opened = CameraOpener::new(settings(url)).and_then(|mut opener| opener.open());
        opened.map(|_| ()).unwrap_err()
    };
    for scheme in ["http", "rtsp"] {
        let error = open(format!("{scheme}://u:secret@127.0.0.1:{port}/x"));
        let line = error.to_string();
        assert!(
            line.contains("refused") && !line.contains("secret"),
            "{line}"
        );
        assert!(
            line.contains(&format!("{scheme}://127.0.0.1:{port}/x")),
            "{line}"
        );
        assert_eq!(error.fault(), Some(CameraFault::Missing));
    }
    let line = open("gopher://cam/".into()).to_string();
    assert!(line.contains("gopher") && line.contains("rtsp"), "{line}");
}

#[test]
fn a_silent_camera_delivers_nothing_and_comes_back_by_itself() {
    let server = MjpegServer::start(PERIOD, None, numbered);
    let mut camera = Camera::open(&settings(format!("http://{}/", server.address()))).unwrap();
    assert!(camera.next_frame().unwrap().is_some());
    server.be_silent(true);
    let error = loop {
        match camera.next_frame() {
            Ok(frame) => assert!(frame.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.fault(), Some(CameraFault::Stalled), "{error}");
    server.be_silent(false);
    assert!(camera.next_frame().unwrap().is_some());
}

#[test]
fn frames_held_back_are_left_out_and_told() {
    // Slow, so that a busy machine still hands out faster what was held back.
    let server = MjpegServer::start(3 * PERIOD, None, numbered);
    let mut opener = CameraOpener::new(settings(format!("http://{}/", server.address()))).unwrap();
    let mut source = opener.open().unwrap();
    read_until(&mut *source, |frame| frame.sequence >= 30).unwrap();
    assert_eq!(source.notices(), []);
    // Stopped and continued, a decoder hands out at once what came meanwhile.
    let children = children(&server.address());
    assert!(!children.is_empty());
    let signal = |name: &str| {
        for child in &children {
            let sent = std::process::Command::new("kill")
                .args([name, child])
                .status();
            assert!(sent.unwrap().success());
        }
    };
    signal("-STOP");
    std::thread::sleep(Duration::from_millis(2000));
    signal("-CONT");
    let mut told = Vec::new();
    let mut last = Duration::ZERO;
    for _ in 0..40 {
        if let Read::Frame(frame) = source.read(Duration::from_millis(100)).unwrap() {
            assert!(frame.time >= last);
            last = frame.time;
        }
        told.extend(source.notices());
    }
    assert!(
        told.iter().any(|notice| matches!(notice, Notice::Gap { length, .. } if *length > Duration::from_millis(900))),
        "{told:?}"
    );
}

#[needs(rtsp_server)]
#[test]
fn an_rtsp_camera_is_read_with_its_password_and_survives_a_loss_of_power() {
    for codec in ["h264", "jpeg"] {
        let source = MjpegServer::start(Duration::from_millis(33), None, numbered);
        let mut server = RtspServer::start(&source, codec, "0", "viewer:s3cr3t");
        let port = server.port().to_owned();
        let open = |user: &str| {
            let url = format!("rtsp://{user}127.0.0.1:{port}/stream");
            let mut opener = CameraOpener::new(settings(url))?;
            assert_eq!(opener.name(), format!("rtsp://127.0.0.1:{port}/stream"));
            opener.open()
        };
        let line = open("viewer:wr0ng@").map(|_| ()).unwrap_err().to_string();
        assert!(line.contains("401") && !line.contains("wr0ng"), "{line}");
        let mut last = None;
        for _ in 0..2 {
            let mut camera = open("viewer:s3cr3t@").unwrap();
            let mut times = Vec::new();
            read_until(&mut *camera, |frame| {
                let number = number_in(&frame.luma);
                assert!(last < Some(number), "{codec}: {last:?} {number}");
                last = Some(number);
                times.push(frame.time);
                times.len() >= 40
            })
            .unwrap();
            assert!(times.is_sorted(), "{times:?}");
            assert!(camera.format().starts_with("rtsp "), "{}", camera.format());
            drop(server);
            let error = read_until(&mut *camera, |_| false).unwrap_err();
            assert_eq!(error.fault(), Some(CameraFault::Unplugged), "{error}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
            server = RtspServer::start(&source, codec, &port, "viewer:s3cr3t");
        }
    }
}

/// The ffmpeg processes of this one that read from an address.
fn children(address: &str) -> Vec<String> {
    let own = std::process::id();
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{own}/task")).unwrap() {
        let path = thread.unwrap().path().join("children");
        let list = std::fs::read_to_string(path).unwrap_or_default();
        found.extend(list.split_whitespace().map(str::to_owned));
    }
    found.retain(|id| {
        let words = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(address)
    });
    found
}
