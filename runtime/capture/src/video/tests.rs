//! Decodes small clips that ffmpeg generates.

use super::*;
use crate::ffmpeg::version;
use parseye_test_needs::needs;
use parseye_testkit::places::recordings;
use parseye_vision::frame::MAX_SIDE;
use std::process::Command;
use tempfile::TempDir;

/// Runs ffmpeg to make a file below `folder`.
fn make(folder: &TempDir, name: &str, arguments: &str) -> PathBuf {
    let path = folder.path().join(name);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .expect("the tests need ffmpeg on the PATH");
    assert!(status.success(), "ffmpeg could not make {name}");
    path
}

/// All frames, and the error that ended them, if any.
fn read_all(path: &Path) -> (Vec<Frame>, Option<SourceError>) {
    let mut source = match VideoFile::open(path) {
        Ok(source) => source,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut frames = Vec::new();
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            end => {
                let error = end.err();
                if let Some(error) = &error {
                    assert!(!error.to_string().contains('\n'), "{error}");
                }
                assert!(
                    source.next_frame().unwrap().is_none(),
                    "the end stays the end"
                );
                return (frames, error);
            }
        }
    }
}

fn milliseconds(frames: &[Frame]) -> Vec<u128> {
    frames.iter().map(|frame| frame.time.as_millis()).collect()
}

#[test]
fn frames_have_their_own_times_and_the_same_pixels_on_every_run() {
    let folder = tempfile::tempdir().unwrap();
    // Frame n at n * n * 10 ms from 5 s on: a variable rate, and a start that is not 0.
    let clip = make(
        &folder,
        "a clip: 1.mkv",
        "-f lavfi -i testsrc=size=64x48:rate=25 -frames:v 6 -vf settb=1/1000,setpts=5000+N*N*10 -fps_mode passthrough -enc_time_base 1:1000",
    );
    let (frames, error) = read_all(&clip);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(milliseconds(&frames), [0, 10, 40, 90, 160, 250]);
    assert!(
        frames
            .iter()
            .enumerate()
            .all(|(i, f)| f.sequence == i as u64)
    );
    assert!(frames.iter().all(|f| f.rgb.dimensions() == (64, 48)));
    let (again, _) = read_all(&clip);
    assert!(frames.iter().zip(&again).all(|(a, b)| a.rgb == b.rgb));
    assert_eq!(VideoFile::open(&clip).unwrap().name(), "a clip: 1");
}

#[test]
fn a_change_of_size_amid_the_stream_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let raw = "-frames:v 3 -c:v mpeg4 -f m4v";
    let small = make(
        &folder,
        "s.m4v",
        &format!("-f lavfi -i color=c=red:size=64x48 {raw}"),
    );
    let large = make(
        &folder,
        "l.m4v",
        &format!("-f lavfi -i color=c=blue:size=96x80 {raw}"),
    );
    let both = folder.path().join("both.m4v");
    let bytes = [fs::read(small).unwrap(), fs::read(large).unwrap()].concat();
    fs::write(&both, bytes).unwrap();
    let (frames, error) = read_all(&both);
    assert!(error.is_none(), "{error:?}");
    let sizes: Vec<_> = frames.iter().map(|frame| frame.rgb.dimensions()).collect();
    assert_eq!(sizes, [[(64, 48); 3], [(96, 80); 3]].concat());
    let [red, blue] = [0, 5].map(|at: usize| frames[at].rgb.get_pixel(10, 10).0);
    assert!(
        red[0] > 200 && red[2] < 60 && blue[2] > 200 && blue[0] < 60,
        "{red:?} {blue:?}"
    );
    // A raw stream has no times: they go on at its nominal rate.
    assert!(
        frames.is_sorted_by(|a, b| a.time < b.time),
        "{:?}",
        milliseconds(&frames)
    );
}

#[test]
fn a_rotated_recording_is_read_upright() {
    let folder = tempfile::tempdir().unwrap();
    let flat = make(
        &folder,
        "flat.mp4",
        "-f lavfi -i testsrc=size=64x48 -frames:v 2 -c:v mpeg4",
    );
    let output = Command::new("ffmpeg")
        .arg("-version")
        .output()
        .unwrap()
        .stdout;
    let is_old = version(&String::from_utf8_lossy(&output)).is_some_and(|version| version < (6, 0));
    // The tag was replaced by an option in ffmpeg 6.0.
    let (before, after) = if is_old {
        ("", "-metadata:s:v:0 rotate=90")
    } else {
        ("-display_rotation 90", "")
    };
    let arguments = format!("{before} -i {} -c copy {after}", flat.display());
    let turned = make(&folder, "turned.mp4", &arguments);
    let (frames, error) = read_all(&turned);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(frames[0].rgb.dimensions(), (48, 64));
}

#[test]
fn a_truncated_file_gives_its_good_frames_and_then_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let source = "-f lavfi -i testsrc=size=160x120:rate=25 -frames:v 100 -c:v mpeg4";
    for (name, options) in [
        ("front.mp4", "-movflags +faststart"),
        ("cut.mkv", ""),
        ("cut.avi", "-c:v mjpeg"),
    ] {
        let whole = make(&folder, name, &format!("{source} {options}"));
        let (all, error) = read_all(&whole);
        assert!(error.is_none() && all.len() == 100, "{name}: {error:?}");
        let bytes = fs::read(&whole).unwrap();
        fs::write(&whole, &bytes[..bytes.len() * 6 / 10]).unwrap();
        let (frames, error) = read_all(&whole);
        assert!(
            (20..100).contains(&frames.len()),
            "{name}: {} frames",
            frames.len()
        );
        // The last frame may be partial; all before it are untouched.
        let good = frames.len() - 1;
        assert!(
            frames[..good]
                .iter()
                .zip(&all)
                .all(|(a, b)| a.rgb == b.rgb && a.time == b.time)
        );
        let Some(SourceError::Damaged { frames: count, .. }) = &error else {
            panic!("{name}: {error:?}");
        };
        assert_eq!(*count, frames.len() as u64);
    }
}

#[test]
fn the_error_says_why_a_file_is_no_video() {
    let folder = tempfile::tempdir().unwrap();
    let plain = make(
        &folder,
        "end.mp4",
        "-f lavfi -i testsrc=size=64x48 -frames:v 50 -c:v mpeg4",
    );
    let bytes = fs::read(&plain).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let ansi = "line of text\n".repeat(500);
    let sound = make(&folder, "tone.wav", "-f lavfi -i sine -t 0.2");
    for (path, expected) in [
        (write("cut.mp4", &bytes[..bytes.len() / 2]), "cut off"),
        (write("empty.mp4", b""), "the file is empty"),
        (
            write("letter.mp4", b"Dear Sir or Madam"),
            "not a readable video",
        ),
        (write("letter.txt", ansi.as_bytes()), "not a readable video"),
        (sound, "no video stream"),
    ] {
        let (frames, error) = read_all(&path);
        assert!(frames.is_empty());
        let Some(error @ SourceError::NotAVideo { .. }) = &error else {
            panic!("{}: {error:?}", path.display());
        };
        let line = error.to_string();
        assert!(
            line.contains(expected) && line.contains(path.to_str().unwrap()),
            "{line}"
        );
    }
}

#[test]
fn the_error_says_that_a_path_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none.mp4"), folder.path().into()] {
        let (_, error) = read_all(&path);
        assert!(
            matches!(error, Some(SourceError::Unreadable { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn a_playlist_cannot_reach_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.m3u8");
    // Nothing listens on port 9 of this machine; an attempt would be refused, not forbidden.
    let list =
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n";
    fs::write(&path, list).unwrap();
    let (frames, error) = read_all(&path);
    assert!(frames.is_empty());
    let line = error.unwrap().to_string();
    assert!(!line.contains("refused"), "{line}");
}

#[test]
fn an_enormous_frame_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let wide = format!(
        "-f lavfi -i color=size={}x16 -frames:v 2 -c:v ffv1",
        MAX_SIDE + 2
    );
    let (frames, error) = read_all(&make(&folder, "wide.mkv", &wide));
    assert!(frames.is_empty());
    assert!(
        matches!(error, Some(SourceError::TooLarge { height: 16, .. })),
        "{error:?}"
    );
    // Neither of its sides alone would be too large.
    let area = "-f lavfi -i color=size=8000x8000:c=gray -frames:v 1 -c:v png";
    let (_, error) = read_all(&make(&folder, "area.mkv", area));
    assert!(
        matches!(error, Some(SourceError::TooLarge { .. })),
        "{error:?}"
    );
    let both = format!(
        "-f lavfi -i color=size={0}x{0}:c=gray -frames:v 1 -c:v png",
        MAX_SIDE + 2
    );
    let (_, error) = read_all(&make(&folder, "both.mkv", &both));
    assert!(
        matches!(error, Some(SourceError::TooLarge { .. })),
        "{error:?}"
    );
}

#[test]
fn without_ffmpeg_the_error_names_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("no-ffmpeg-here");
    let error = Ffmpeg::at(program.as_os_str()).unwrap_err();
    assert!(error.to_string().contains("apt install ffmpeg"), "{error}");
}

#[test]
fn leaving_early_ends_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let clip = make(
        &folder,
        "long.mkv",
        "-f lavfi -i testsrc=size=320x240 -frames:v 500 -c:v mpeg4",
    );
    let mut source = VideoFile::open(&clip).unwrap();
    source.next_frame().unwrap();
    let id = source.decoder.as_ref().unwrap().child.id();
    drop(source);
    assert!(!Path::new(&format!("/proc/{id}")).exists());
}

#[needs(clips)]
#[test]
fn all_real_clips_are_whole() {
    let mut clips = 0;
    for entry in fs::read_dir(recordings().join("clips")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "mp4") {
            let mut source = VideoFile::open(&path).unwrap();
            let mut frames = 0;
            let mut last = None;
            while let Some(frame) = source.next_frame().unwrap() {
                assert!(
                    last < Some(frame.time),
                    "{}: time does not advance",
                    path.display()
                );
                last = Some(frame.time);
                frames += 1;
            }
            let rows = fs::read_to_string(path.with_extension("ear.csv"))
                .unwrap()
                .lines()
                .count();
            // The landmark table has a row for every frame, below its header.
            assert_eq!(frames + 1, rows, "{}", path.display());
            clips += 1;
        }
    }
    assert_eq!(clips, 12);
}

#[test]
fn a_file_on_which_ffmpeg_hangs_times_out() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("ffmpeg");
    fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let clip = folder.path().join("clip.mkv");
    fs::write(&clip, "x").unwrap();
    let ffmpeg = Ffmpeg::of(program.as_os_str(), None);
    let mut source = VideoFile::start(ffmpeg, &clip).unwrap();
    assert_eq!(source.timeout, FRAME_TIMEOUT);
    source.timeout = Duration::from_millis(20);
    let line = source.next_frame().unwrap_err().to_string();
    assert!(
        line.contains("clip.mkv") && line.contains("no further frame"),
        "{line}"
    );
    assert!(source.next_frame().unwrap().is_none());
}

/// The numbers of the damaged frames, and the remarks, of a whole recording that has no error.
fn reports_of(path: &Path) -> (Vec<Frame>, Vec<u64>, Vec<String>) {
    let mut source = super::super::open_recording(path, 25.0).unwrap();
    let (mut frames, mut damaged, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let next = source.next_frame();
        for notice in source.notices() {
            match notice {
                Notice::Damaged { frame, .. } => damaged.push(frame),
                Notice::Note(note) => notes.push(note),
                Notice::Gap { .. } => unreachable!("a recording's leaps are in its times"),
            }
        }
        match next.unwrap() {
            Some(frame) => frames.push(frame),
            None => return (frames, damaged, notes),
        }
    }
}

#[test]
fn pixels_that_are_not_square_are_made_square() {
    let folder = tempfile::tempdir().unwrap();
    for (name, aspect, size) in [
        ("wide.mkv", "2", (128, 48)),
        ("pal.mp4", "16/15", (68, 48)),
        ("narrow.mkv", "1/2", (32, 48)),
        // Nobody means these.
        ("hostile.mkv", "200", (64, 48)),
    ] {
        let source = "-f lavfi -i testsrc=size=64x48 -frames:v 3 -c:v mpeg4";
        let clip = make(&folder, name, &format!("{source} -vf setsar={aspect}"));
        let (frames, _, _) = reports_of(&clip);
        let sizes: Vec<_> = frames.iter().map(|frame| frame.rgb.dimensions()).collect();
        assert_eq!(sizes, [size; 3], "{name}");
    }
}

/// How much lines differ from their neighbours rather than from the lines beyond those: the comb of two fields.
fn comb(frame: &Frame) -> f64 {
    let luma = |x, y| f64::from(frame.luma.get_pixel(x, y).0[0]);
    let (width, height) = frame.luma.dimensions();
    let mut sum = 0.0;
    for y in 2..height {
        for x in 0..width {
            sum += (luma(x, y) - luma(x, y - 1)).abs() - (luma(x, y) - luma(x, y - 2)).abs();
        }
    }
    sum / f64::from(width * (height - 2))
}

#[test]
fn interlaced_frames_are_deinterlaced_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    // A bar that moves by eight pixels from field to field.
    let moving = "-f lavfi -i nullsrc=size=128x96:rate=50,geq=lum='255*lt(mod(X+8*N,64),32)':cb=128:cr=128 -t 1";
    let interlaced = make(
        &folder,
        "interlaced.mpg",
        &format!(
            "{moving} -vf tinterlace=interleave_top,fieldorder=tff -flags +ildct+ilme -c:v mpeg2video -q:v 1"
        ),
    );
    let progressive = make(
        &folder,
        "progressive.mkv",
        &format!("{moving} -r 25 -c:v mpeg2video -q:v 1"),
    );
    let mut plain = VideoFile::open(&interlaced).unwrap();
    plain.can_restart = false;
    let combed = comb(&plain.next_frame().unwrap().unwrap());
    assert!(
        combed > 20.0,
        "the test's own clip is not interlaced: {combed}"
    );
    for (path, count) in [(interlaced, 25), (progressive, 25)] {
        let (frames, damaged, _) = reports_of(&path);
        assert_eq!(
            (frames.len(), damaged.len()),
            (count, 0),
            "{}",
            path.display()
        );
        assert!(
            frames
                .iter()
                .enumerate()
                .all(|(number, frame)| frame.sequence == number as u64)
        );
        assert!(frames.windows(2).all(|pair| pair[0].time < pair[1].time));
        let worst = frames.iter().map(comb).fold(f64::MIN, f64::max);
        assert!(
            worst < combed / 4.0,
            "{}: {worst} of {combed}",
            path.display()
        );
    }
}

#[test]
fn the_default_stream_of_several_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let sources = "-f lavfi -i color=c=red:size=64x48 -f lavfi -i color=c=blue:size=64x48";
    for (name, marks, is_blue) in [
        (
            "second.mkv",
            "-disposition:v:0 0 -disposition:v:1 default",
            true,
        ),
        (
            "first.mkv",
            "-disposition:v:0 default -disposition:v:1 0",
            false,
        ),
        (
            "neither.mkv",
            "-disposition:v:0 0 -disposition:v:1 0 -default_mode infer_no_subs",
            false,
        ),
    ] {
        let clip = make(
            &folder,
            name,
            &format!("{sources} -map 0 -map 1 -frames:v 4 -c:v mpeg4 {marks}"),
        );
        let (frames, _, notes) = reports_of(&clip);
        assert!(frames.len() >= 3);
        for frame in &frames {
            let [red, _, blue] = frame.rgb.get_pixel(30, 20).0;
            assert_eq!(blue > red, is_blue, "{name}");
        }
        let number = usize::from(is_blue);
        assert!(
            matches!(&notes[..], [note] if note.contains("of 2 video streams") && note.ends_with(&format!("number {number}"))),
            "{name}: {notes:?}"
        );
    }
}

#[test]
fn damaged_pictures_amid_others_are_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let clip = make(
        &folder,
        "clip.avi",
        "-f lavfi -i testsrc2=size=160x120:rate=25 -frames:v 30 -c:v mjpeg",
    );
    let whole = fs::read(&clip).unwrap();
    let starts: Vec<usize> = (0..whole.len() - 3)
        .filter(|at| whole[*at..].starts_with(&[0xFF, 0xD8, 0xFF]))
        .collect();
    assert_eq!(starts.len(), 30);
    let (all, damaged, _) = reports_of(&clip);
    assert_eq!((all.len(), damaged.len()), (30, 0));
    // Data overwritten with what is no code, and a picture of which nothing is left.
    let mut bytes = whole;
    for number in [0, 3, 4, 17] {
        let middle = starts[number] + (starts[number + 1] - starts[number]) / 2;
        bytes[middle..middle + 200].fill(0xFE);
    }
    bytes[starts[9]..starts[10] - 8].fill(0);
    fs::write(&clip, bytes).unwrap();
    let (frames, damaged, _) = reports_of(&clip);
    assert_eq!(damaged, [0, 3, 4, 9, 17]);
    assert_eq!(frames.len(), 25);
    for frame in frames {
        let other = &all[usize::try_from(frame.sequence).unwrap()];
        assert!(frame.rgb == other.rgb, "frame {}", frame.sequence);
    }
}

#[test]
fn a_length_that_disagrees_with_the_frames_is_a_remark() {
    let folder = tempfile::tempdir().unwrap();
    let part = |name, offset: u32| {
        let source = "-f lavfi -i testsrc=size=64x48:rate=25 -frames:v 50 -c:v mpeg2video";
        let path = make(
            &folder,
            name,
            &format!("{source} -output_ts_offset {offset}"),
        );
        fs::read(path).unwrap()
    };
    let path = folder.path().join("joined.ts");
    fs::write(&path, [part("a.ts", 7_000), part("b.ts", 0)].concat()).unwrap();
    let (frames, damaged, notes) = reports_of(&path);
    assert_eq!((frames.len(), damaged.len()), (100, 0));
    assert!(frames.last().unwrap().time < Duration::from_secs(6));
    assert!(
        matches!(&notes[..], [note] if note.contains("joined.ts") && note.contains("claims")),
        "{notes:?}"
    );
}
