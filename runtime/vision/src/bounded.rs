//! Whole files in memory, but never more of one than a file of its kind has: a device, a pipe without
//! an end or the wrong file must not fill the memory.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The bytes of a file that has at most `most` of them.
///
/// What is read is counted rather than the size asked for, which devices and pipes give as 0.
///
/// # Errors
/// The system's; of kind [`io::ErrorKind::FileTooLarge`] where the file has more.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_from(File::open(path)?, most)
}

/// The same of anything that can be read.
fn read_from(source: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than the {most} bytes accepted"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_given_up() {
        assert_eq!(read_from(&b"abc"[..], 3).unwrap(), b"abc");
        for endless in [&mut &b"abcd"[..] as &mut dyn Read, &mut io::repeat(7)] {
            let error = read_from(endless, 3).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert!(error.to_string().contains("3 bytes"), "{error}");
        }
    }
}
