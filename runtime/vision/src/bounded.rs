//! Reading of whole files, never more of one than a file of its kind has: a device, an endless pipe or the
//! wrong file must not fill the memory.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Stands for standard input wherever a file to read may be given, and for standard output wherever one to
/// write may.
pub const STANDARD: &str = "-";

/// Reads a file of at most `limit` bytes; [`STANDARD`] is standard input.
///
/// Bytes are counted as they are read, since devices and pipes report a size of 0.
///
/// # Errors
/// Those of the system; of kind [`io::ErrorKind::FileTooLarge`] where the file has more.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if path.as_os_str() == STANDARD {
        return read_from(io::stdin().lock(), limit);
    }
    read_from(File::open(path)?, limit)
}

fn read_from(source: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than the {limit} bytes accepted"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_of_an_endless_source_stops_at_the_limit() {
        assert_eq!(read_from(&b"abc"[..], 3).unwrap(), b"abc");
        for endless in [&mut &b"abcd"[..] as &mut dyn Read, &mut io::repeat(7)] {
            let error = read_from(endless, 3).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert!(error.to_string().contains("3 bytes"), "{error}");
        }
    }
}
