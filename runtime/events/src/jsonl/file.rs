//! Where the lines of a log end up: a file that is rotated and opened again when another program removed
//! it, a pipe, a device. Lines go in whole; what to do when they do not is left to the modules above.

use super::{
    Existing, STANDARD,
    rotation::{Day, Removed, Rotation, put_aside, remove_oldest},
};
use crate::event::{Event, StartEvent};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

/// Where lines are written to.
pub trait LineOutput: Send {
    /// Returns its name for messages.
    fn name(&self) -> String;

    /// Notes the line that every further file of this run begins with.
    fn begin(&mut self, start: &StartEvent);

    /// Takes out a line for the user, where there is something to tell.
    fn take_note(&mut self) -> Option<String> {
        None
    }

    /// Returns whether nobody can read what is written any more: standard output is a pipe whose reader is
    /// gone.
    fn is_over(&self) -> bool {
        false
    }

    /// Writes lines, each with its line end.
    ///
    /// # Errors
    /// When not all could be written; none of those that were is cut.
    fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten>;
}

/// Lines that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unwritten {
    /// Bytes that were, all of them whole lines.
    pub written: usize,
    /// The system's reason.
    pub reason: io::Error,
}

/// An open file, pipe or device.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    existing: Existing,
    /// `None` while it cannot be opened, or a pipe has no reader.
    file: Option<File>,
    /// Whether it is a file, which has a length and can be renamed.
    regular: bool,
    rotation: Rotation,
    /// Rotating failed until then, and is not tried again before.
    no_rotation_before: Option<Instant>,
    start: Option<StartEvent>,
    /// Whether a line of this run was written.
    begun: bool,
    /// Bytes in the present part that are not its first line.
    filled: u64,
    length: u64,
    /// Day of the last line.
    day: Option<Day>,
    /// Whether standard output has lost its reader.
    over: bool,
    /// Something to tell the user.
    note: Option<String>,
    /// Whether the user was told that old parts are removed.
    told_of_removal: bool,
}

/// Pause before rotating is tried again after it failed: the log continues in its present file.
const ROTATE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Longest time that a pipe's reader may take for the rest of a line.
const PIPE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes at the end of a file in which a torn last line is looked for.
const LONGEST_LINE: u64 = 64 << 10;

impl LogFile {
    /// Opens a log.
    ///
    /// # Errors
    /// When it cannot be opened for writing. A pipe without a reader is no error: it is opened
    /// when there is one.
    pub fn open(path: &Path, existing: Existing) -> io::Result<Self> {
        let mut log = Self {
            path: path.into(),
            existing,
            file: None,
            regular: false,
            rotation: Rotation::default(),
            no_rotation_before: None,
            start: None,
            begun: false,
            filled: 0,
            length: 0,
            day: None,
            over: false,
            note: None,
            told_of_removal: false,
        };
        // Once only: a folder that goes later may be that of a disk that was taken out.
        if !log.is_standard() {
            make_folder_of(path)?;
        }
        match log.connect() {
            Err(error) if has_no_reader(&error) => {}
            outcome => outcome?,
        }
        Ok(log)
    }

    /// Begins new parts when `rotation` says so, from now on.
    pub fn set_rotation(&mut self, rotation: Rotation) {
        self.rotation = rotation;
    }

    fn is_standard(&self) -> bool {
        self.path.as_os_str() == STANDARD
    }

    fn connect(&mut self) -> io::Result<()> {
        let file = if self.is_standard() {
            standard_output()?
        } else {
            match self.existing {
                Existing::Replace => open_to_replace(&self.path)?,
                Existing::Continue => {
                    let mut file = open_to_continue(&self.path)?;
                    lock(&file)?;
                    end_last_line(&mut file)?;
                    file
                }
            }
        };
        let about = file.metadata()?;
        self.regular = about.is_file();
        self.length = about.len();
        self.filled = about.len();
        self.day = about
            .modified()
            .ok()
            .map(Day::of)
            .filter(|_| about.len() > 0);
        self.file = Some(file);
        Ok(())
    }

    /// Writes lines at a moment of the wall clock.
    fn append_at(&mut self, lines: &[u8], now: SystemTime) -> Result<(), Unwritten> {
        let none = |reason| Unwritten { written: 0, reason };
        self.find_again().map_err(none)?;
        let today = Day::of(now);
        self.rotate_if_due(lines.len() as u64, today)
            .map_err(none)?;
        let (written, outcome) = match (&mut self.file, self.regular) {
            (Some(file), true) => write_whole(file, lines),
            (Some(pipe), false) => write_by_line(pipe, lines),
            (None, _) => (0, Err(io::ErrorKind::NotConnected.into())),
        };
        self.length += written as u64;
        self.filled += written as u64;
        if written > 0 {
            self.day = Some(today);
            self.begun = true;
        }
        outcome.map_err(|reason| {
            if reason.kind() == io::ErrorKind::BrokenPipe {
                // The reader is gone; the next one gets a pipe of its own.
                self.file = None;
                self.over = self.is_standard();
            }
            Unwritten { written, reason }
        })
    }

    /// Opens the log again when its name leads elsewhere: it was deleted, or moved by another
    /// program that keeps logs short.
    fn find_again(&mut self) -> io::Result<()> {
        if self.is_standard() && self.file.is_some() {
            return Ok(());
        }
        let lost = match &self.file {
            None => true,
            // Kept wherever its name leads.
            Some(_) if self.existing == Existing::Replace => false,
            Some(file) => self.regular && !is_at(file, &self.path)?,
        };
        if !lost {
            return self.begin_if_truncated();
        }
        self.file = None;
        self.connect()?;
        self.begin_part()
    }

    /// Begins a further part where another program has emptied the file in its place, as `: > LOG` does and
    /// some that keep logs short.
    fn begin_if_truncated(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_mut().filter(|_| self.regular) else {
            return Ok(());
        };
        let length = file.metadata()?.len();
        if length >= self.length {
            return Ok(());
        }
        end_last_line(file)?;
        // Where it was not opened to append, or the emptied part stays as a hole.
        let length = file.seek(SeekFrom::End(0))?;
        (self.length, self.filled) = (length, length);
        self.begin_part()
    }

    fn rotate_if_due(&mut self, more: u64, today: Day) -> io::Result<()> {
        let too_long = self
            .rotation
            .bytes
            .is_some_and(|most| self.length + more > most);
        let new_day = self.rotation.daily && self.day.is_some_and(|day| day != today);
        let blocked = self
            .no_rotation_before
            .is_some_and(|then| Instant::now() < then);
        let can_be = self.regular && !self.is_standard();
        if !(too_long || new_day) || self.filled == 0 || !can_be || blocked {
            return Ok(());
        }
        if put_aside(&self.path, self.day.unwrap_or(today)).is_err() {
            // A log that grows too long is better than none.
            self.no_rotation_before = Some(Instant::now() + ROTATE_AGAIN_AFTER);
            return Ok(());
        }
        self.no_rotation_before = None;
        self.file = None;
        // What cannot be removed now is removed with the next part.
        if let Ok(removed) = remove_oldest(&self.path, self.rotation) {
            self.tell_of_removal(removed);
        }
        self.connect()?;
        self.begin_part()
    }

    fn tell_of_removal(&mut self, removed: Removed) {
        let (1.., Some(reason)) = (removed.parts, removed.reason) else {
            return;
        };
        if !std::mem::replace(&mut self.told_of_removal, true) {
            self.note = Some(format!(
                "note: {}: the oldest parts of the event log are removed, {reason}",
                self.path.display()
            ));
        }
    }

    /// Begins a further file of the run with its own first line, so that it can be read alone.
    fn begin_part(&mut self) -> io::Result<()> {
        let Some(start) = self.start.as_mut().filter(|_| self.begun) else {
            return Ok(());
        };
        start.part = Some(start.part.unwrap_or(0) + 1);
        let mut line = serde_json::to_vec(&Event::Start(start.clone()))?;
        line.push(b'\n');
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let (_, outcome) = if self.regular {
            write_whole(file, &line)
        } else {
            write_by_line(file, &line)
        };
        if outcome.is_err() {
            // The whole part is begun anew once there is space.
            start.part = start
                .part
                .and_then(|part| part.checked_sub(1))
                .filter(|part| *part > 0);
            self.file = None;
        } else {
            self.length += line.len() as u64;
        }
        outcome
    }
}

impl LineOutput for LogFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn begin(&mut self, start: &StartEvent) {
        self.start = Some(start.clone());
    }

    fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        self.append_at(lines, SystemTime::now())
    }
}

/// Makes the folder of a log where it is missing.
fn make_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            fs::create_dir_all(folder)
        }
        _ => Ok(()),
    }
}

/// Locks a log for this program alone, until it is closed.
///
/// # Errors
/// Of kind [`io::ErrorKind::ResourceBusy`] when another program has locked it. File systems that know no locks
/// are used without.
fn lock(file: &File) -> io::Result<()> {
    match (file.metadata()?.is_file(), file.try_lock()) {
        (true, Err(TryLockError::WouldBlock)) => Err(io::ErrorKind::ResourceBusy.into()),
        _ => Ok(()),
    }
}

/// Standard output as a file of its own, which is not closed with this one.
fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
    }
}

/// Opens a log and empties it, once it is locked.
fn open_to_replace(path: &Path) -> io::Result<File> {
    let regular = will_be_file(path);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        // To see its last line where another program empties it; a pipe that is read here has a reader.
        .read(regular)
        .open(path)?;
    lock(&file)?;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Whether what a path opens is a file: one that is there, or else a new one.
fn will_be_file(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |about| about.is_file())
}

/// Opens a log to add to it. A pipe is opened without waiting for its reader, and written to
/// without waiting for it.
fn open_to_continue(path: &Path) -> io::Result<File> {
    let regular = will_be_file(path);
    let mut options = OpenOptions::new();
    if regular {
        return options.create(true).append(true).read(true).open(path);
    }
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        options.custom_flags(flags.cast_signed());
    }
    options.append(true).open(path)
}

/// Returns whether an error means that a pipe has no reader, as Linux says it: "no such device or address", ENXIO.
fn has_no_reader(error: &io::Error) -> bool {
    const ENXIO: i32 = 6;
    cfg!(target_os = "linux") && error.raw_os_error() == Some(ENXIO)
}

/// Returns whether a path still leads to a file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let mine = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (mine.dev(), mine.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

/// Writes to a file and takes back what is not a whole line; returns the bytes of whole lines.
fn write_whole(file: &mut File, lines: &[u8]) -> (usize, io::Result<()>) {
    let (written, outcome) = write(file, lines, |_| false);
    let whole = whole_lines(&lines[..written]);
    let cut = written - whole;
    if cut > 0 {
        // A line that stays torn here is left out by every reader.
        let _ = take_back(file, cut as u64);
    }
    (whole, outcome)
}

/// Takes back the last bytes of a file, and continues where they began: a file that is not opened for
/// appending would leave a hole of zeros in their place.
fn take_back(file: &mut File, bytes: u64) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?.saturating_sub(bytes);
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(())
}

/// Writes to a pipe or device, line by line: pipes take pieces of up to 4096 bytes whole or not at
/// all.
fn write_by_line(pipe: &mut File, lines: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let begin = Instant::now();
        let (bytes, outcome) = write(pipe, line, |so_far| {
            so_far > 0 && begin.elapsed() < PIPE_TIMEOUT
        });
        if outcome.is_err() {
            if bytes > 0 {
                // The line comes again as a whole.
                let _ = pipe.write(b"\n");
            }
            return (written, outcome);
        }
        written += bytes;
    }
    (written, Ok(()))
}

/// Writes all bytes; returns how many were written. `wait_for` decides, from that number, whether a full
/// pipe is waited for.
fn write(
    file: &mut File,
    bytes: &[u8],
    wait_for: impl Fn(usize) -> bool,
) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && wait_for(written) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Returns the length of the whole lines at the beginning of `bytes`.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1)
}

/// Ends the last line of a file, so that the next one begins on its own after a program that was killed,
/// or a power cut. A torn line of an event log is removed; anything else, which may be another program's,
/// gets a line end.
fn end_last_line(file: &mut File) -> io::Result<()> {
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let end = file.seek(SeekFrom::End(0))?;
    let begin = end.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(begin))?;
    let mut tail = Vec::new();
    (&*file).take(LONGEST_LINE).read_to_end(&mut tail)?;
    let torn = &tail[whole_lines(&tail)..];
    if torn.is_empty() {
        return Ok(());
    }
    let beginning: &[u8] = br#"{"event":""#;
    // A kill may leave less than what all lines of event logs begin with.
    let of_event_log = torn.starts_with(beginning) || beginning.starts_with(torn);
    if of_event_log && serde_json::from_slice::<serde::de::IgnoredAny>(torn).is_err() {
        file.set_len(end - torn.len() as u64)
    } else {
        file.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests;
