//! Folders of images, or a single one, as a recording with a constant frame rate.

use super::{FrameSource, MAX_RATE, Notice, SourceError, still};
use parseye_vision::frame::Frame;
use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
    time::Duration,
    vec,
};

/// Most files without an image that are named.
const NAMED: usize = 3;

/// The images of a folder in the natural order of their names: `frame9` before `frame10`.
#[derive(Debug)]
pub struct ImageFolder {
    path: PathBuf,
    name: String,
    files: vec::IntoIter<PathBuf>,
    frames: u64,
    rate: f64,
    notices: Vec<Notice>,
}

impl ImageFolder {
    /// Opens a folder of images, or a single image, as a recording of `frames_per_second`.
    ///
    /// # Errors
    /// When the path cannot be read, holds no image, or the rate is not above 0 or exceeds
    /// [`MAX_RATE`].
    pub fn open(path: &Path, frames_per_second: f64) -> Result<Self, SourceError> {
        let rate_is_good = frames_per_second > 0.0 && frames_per_second <= MAX_RATE;
        if !rate_is_good {
            return Err(SourceError::BadRate {
                path: path.into(),
                rate: frames_per_second,
            });
        }
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        let (files, others) = if metadata.is_dir() {
            images_in(path)?
        } else {
            (vec![path.to_path_buf()], Vec::new())
        };
        if files.is_empty() {
            return Err(SourceError::EmptyFolder {
                path: path.into(),
                others: others.len(),
            });
        }
        Ok(Self {
            path: path.into(),
            name: super::name_of(path),
            files: files.into_iter(),
            frames: 0,
            rate: frames_per_second,
            notices: left_out(path, &others).into_iter().collect(),
        })
    }
}

impl FrameSource for ImageFolder {
    fn name(&self) -> &str {
        &self.name
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let Some(file) = self.files.next() else {
            return Ok(None);
        };
        let rgb = still::read(&file).inspect_err(|_| self.files = Vec::new().into_iter());
        let rgb = match rgb {
            Err(SourceError::NotAVideo { path, reason }) if self.path != path => {
                return Err(SourceError::Damaged {
                    path,
                    frames: self.frames,
                    reason,
                });
            }
            other => other?,
        };
        // From the count rather than by addition, so that rounding errors do not accumulate.
        let time = Duration::from_secs_f64(self.frames as f64 / self.rate);
        let frame = Frame::from_rgb(self.frames, time, rgb);
        self.frames += 1;
        Ok(Some(frame))
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

/// Says which files of a folder are no images.
fn left_out(folder: &Path, others: &[PathBuf]) -> Option<Notice> {
    let named: Vec<String> = others
        .iter()
        .take(NAMED)
        .map(|path| name_text(path))
        .collect();
    let named = named.join(", ");
    let message = match others.len() {
        0 => return None,
        1 => format!("left out {named}, which is no image"),
        count if count <= NAMED => format!("left out {named}, which are no images"),
        count => format!(
            "left out {count} files that are no images: {named} and {} others",
            count - NAMED
        ),
    };
    Some(Notice::Note(format!("{}: {message}", folder.display())))
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> SourceError {
    SourceError::Unreadable {
        path: path.into(),
        reason: error.to_string(),
    }
}

/// Lists the images of a folder, and its other files, in order. Hidden files (`._1.png` of other systems) are
/// no frames.
fn images_in(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), SourceError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let path = entry.path();
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort_by(|a, b| natural_order(&name_text(a), &name_text(b)).then_with(|| a.cmp(b)));
    // One that is named as an image and is none is an error when its turn comes.
    let is_image = |path: &PathBuf| still::is_image(path) || is_named_image(path);
    Ok(files.into_iter().partition(is_image))
}

/// Tells whether a name promises an image.
fn is_named_image(path: &Path) -> bool {
    const ENDINGS: [&str; 9] = [
        "png", "jpg", "jpeg", "jpe", "bmp", "gif", "webp", "tif", "tiff",
    ];
    path.extension().is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

fn name_text(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Compares names with runs of digits by their value, however long or padded: `frame9` before
/// `frame10`, `frame000005` after `frame3` and equal to `frame5`. The crates for natural order put padded
/// numbers first, or before or after equal ones.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let (digits_a, digits_b) = (leading_digits(a), leading_digits(b));
        let order = if digits_a.is_empty() || digits_b.is_empty() {
            let (x, y) = (a.chars().next(), b.chars().next());
            a = &a[x.map_or(0, char::len_utf8)..];
            b = &b[y.map_or(0, char::len_utf8)..];
            x.cmp(&y)
        } else {
            a = &a[digits_a.len()..];
            b = &b[digits_b.len()..];
            // Without leading zeros the longer number is the larger, however long.
            let (x, y) = (
                digits_a.trim_start_matches('0'),
                digits_b.trim_start_matches('0'),
            );
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

fn leading_digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb, RgbImage};
    use parseye_vision::frame::MAX_SIDE;
    use proptest::prelude::*;

    fn save(folder: &Path, name: &str, gray: u8, side: u32) {
        let image = RgbImage::from_pixel(side, side, Rgb([gray; 3]));
        image.save(folder.join(name)).unwrap();
    }

    fn line(error: &SourceError) -> String {
        let line = error.to_string();
        assert!(!line.contains('\n'), "{line}");
        line
    }

    #[test]
    fn images_are_read_in_the_order_of_their_numbers_whatever_their_size() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "f10.png", 30, 8);
        save(folder.path(), "f9.bmp", 20, 16);
        save(folder.path(), "f1.PNG", 10, 4);
        fs::write(folder.path().join("notes.txt"), "no image").unwrap();
        fs::write(folder.path().join("._f1.png"), "no image either").unwrap();
        let mut source = ImageFolder::open(folder.path(), 10.0).unwrap();
        for (index, (gray, side)) in [(10, 4), (20, 16), (30, 8)].into_iter().enumerate() {
            let frame = source.next_frame().unwrap().unwrap();
            assert_eq!(frame.sequence, index as u64);
            assert_eq!(frame.time, Duration::from_millis(100 * index as u64));
            assert_eq!(frame.rgb.get_pixel(0, 0).0, [gray; 3]);
            assert_eq!(frame.rgb.dimensions(), (side, side));
        }
        assert!(source.next_frame().unwrap().is_none());
        assert!(source.next_frame().unwrap().is_none());
        let [Notice::Note(note)] = &source.notices()[..] else {
            unreachable!("one file is no image")
        };
        assert!(
            note.ends_with("left out notes.txt, which is no image"),
            "{note}"
        );
    }

    #[test]
    fn images_are_told_by_their_content_and_read_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let image = RgbImage::from_pixel(8, 6, Rgb([200, 100, 50]));
        // The names say nothing, or something else.
        for (name, format) in [
            ("1", ImageFormat::Png),
            ("2.png", ImageFormat::WebP),
            ("3.dat", ImageFormat::Tiff),
            ("4.jpg", ImageFormat::Gif),
            ("5.webp", ImageFormat::Bmp),
            ("6.tif", ImageFormat::Jpeg),
        ] {
            image
                .save_with_format(folder.path().join(name), format)
                .unwrap();
            let mut single = super::super::open_recording(&folder.path().join(name), 25.0).unwrap();
            assert!(single.next_frame().unwrap().is_some(), "{name}");
            assert!(single.next_frame().unwrap().is_none(), "{name}");
        }
        let mut source = ImageFolder::open(folder.path(), 25.0).unwrap();
        for name in 1..=6 {
            let frame = source.next_frame().unwrap().unwrap();
            let colour = frame.rgb.get_pixel(4, 3).0;
            let off = [200, 100, 50].into_iter().zip(colour);
            assert!(
                off.clone().all(|(a, b): (u8, u8)| a.abs_diff(b) < 12),
                "{name}: {colour:?}"
            );
        }
        assert!(source.next_frame().unwrap().is_none());
        assert_eq!(source.notices(), []);
    }

    #[test]
    fn an_image_that_is_cut_off_is_an_error_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let image = RgbImage::from_fn(64, 48, |x, y| {
            Rgb([(x * 3) as u8, (y * 5) as u8, (x * y) as u8])
        });
        for format in [
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Tiff,
            ImageFormat::Bmp,
            ImageFormat::Jpeg,
        ] {
            let path = folder.path().join("cut");
            image.save_with_format(&path, format).unwrap();
            let bytes = fs::read(&path).unwrap();
            for share in [0.3, 0.7, 0.95] {
                fs::write(&path, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
                let mut source = ImageFolder::open(&path, 25.0).unwrap();
                let read = source.next_frame();
                assert!(
                    matches!(read, Err(SourceError::NotAVideo { .. })),
                    "{format:?} {share}: {read:?}"
                );
            }
        }
    }

    #[test]
    fn a_broken_image_ends_the_recording_with_its_own_path() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "1.png", 10, 64);
        save(folder.path(), "3.png", 10, 64);
        let whole = fs::read(folder.path().join("1.png")).unwrap();
        fs::write(folder.path().join("2.png"), &whole[..whole.len() / 2]).unwrap();
        let mut source = ImageFolder::open(folder.path(), 25.0).unwrap();
        assert!(source.next_frame().unwrap().is_some());
        let error = source.next_frame().unwrap_err();
        assert!(
            matches!(&error, SourceError::Damaged { path, frames: 1, .. } if path.ends_with("2.png")),
            "{error:?}"
        );
        line(&error);
        assert!(source.next_frame().unwrap().is_none());
    }

    #[test]
    fn a_single_image_is_a_recording_of_one_frame() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "face.png", 50, 8);
        let mut source = ImageFolder::open(&folder.path().join("face.png"), 25.0).unwrap();
        assert_eq!(source.name(), "face");
        assert!(source.next_frame().unwrap().is_some());
        assert!(source.next_frame().unwrap().is_none());
        let broken = folder.path().join("broken.jpg");
        fs::write(&broken, "no image").unwrap();
        let error = ImageFolder::open(&broken, 25.0)
            .unwrap()
            .next_frame()
            .unwrap_err();
        assert!(matches!(error, SourceError::NotAVideo { .. }), "{error:?}");
    }

    #[test]
    fn each_misuse_has_its_error() {
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &Path, rate| ImageFolder::open(path, rate).map(|_| ()).unwrap_err();
        assert!(matches!(
            open(folder.path(), 25.0),
            SourceError::EmptyFolder { .. }
        ));
        assert!(matches!(
            open(&folder.path().join("none"), 25.0),
            SourceError::Unreadable { .. }
        ));
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            let error = open(folder.path(), rate);
            assert!(matches!(error, SourceError::BadRate { .. }), "{rate}");
            line(&error);
        }
    }

    #[test]
    fn an_enormous_image_is_refused_before_it_is_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.png");
        RgbImage::new(MAX_SIDE + 1, 1).save(&path).unwrap();
        let error = ImageFolder::open(&path, 25.0)
            .unwrap()
            .next_frame()
            .unwrap_err();
        assert!(
            matches!(error, SourceError::TooLarge { height: 1, .. }),
            "{error:?}"
        );
    }

    proptest! {
        #[test]
        fn padding_never_changes_the_order(a in 0_u32..5000, b in 0_u32..5000) {
            for (x, y) in [
                (format!("a{a}.png"), format!("a{b}.png")),
                (format!("a{a:06}.png"), format!("a{b}.png")),
            ] {
                let order = natural_order(&x, &y);
                prop_assert!(order == a.cmp(&b), "{} {} {:?}", x, y, order);
            }
        }

        #[test]
        fn the_order_is_an_order(a in "[a-b0-9é]{0,6}", b in "[a-b0-9é]{0,6}", c in "[a-b0-9é]{0,6}") {
            prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            if natural_order(&a, &b).is_lt() && natural_order(&b, &c).is_lt() {
                prop_assert!(natural_order(&a, &c).is_lt());
            }
        }
    }
}
