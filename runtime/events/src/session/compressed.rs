//! Logs that are compressed, as programs that put logs aside leave them: gzip and Zstandard, told by their
//! first bytes, whatever the file is called.

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A log's text, decompressed where it was not plain.
pub(super) struct LogText<'a> {
    /// The text.
    pub(super) text: BufReader<Box<dyn Read + 'a>>,
    /// Whether it was compressed.
    pub(super) compressed: bool,
}

/// Returns the text of a log.
///
/// # Errors
/// When its first bytes cannot be read.
pub(super) fn text_of<'a>(log: impl Read + 'a) -> io::Result<LogText<'a>> {
    let mut log = BufReader::with_capacity(BUFFER, log);
    // A pipe may deliver less at first; a line of a log is longer than these bytes.
    let begin = log.fill_buf()?;
    let (is_gzip, is_zstandard) = (begin.starts_with(GZIP), begin.starts_with(ZSTANDARD));
    let text: Box<dyn Read + 'a> = if is_gzip {
        Box::new(MultiGzDecoder::new(log))
    } else if is_zstandard {
        Box::new(ZstandardFrames {
            compressed: Some(log),
            frame: None,
        })
    } else {
        Box::new(log)
    };
    Ok(LogText {
        text: BufReader::with_capacity(BUFFER, text),
        compressed: is_gzip || is_zstandard,
    })
}

/// One frame of Zstandard after the other, as `cat` joins files and `zstd` writes in parallel.
struct ZstandardFrames<R: BufRead> {
    compressed: Option<R>,
    frame: Option<Box<Decoder<R>>>,
}

type Decoder<R> = StreamingDecoder<R, ruzstd::decoding::FrameDecoder>;

impl<R: BufRead> Read for ZstandardFrames<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(mut compressed) = self.compressed.take() {
                if compressed.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                let frame = StreamingDecoder::new(compressed).map_err(io::Error::other)?;
                self.frame = Some(Box::new(frame));
            }
            let Some(frame) = &mut self.frame else {
                return Ok(0);
            };
            match frame.read(bytes)? {
                0 if !bytes.is_empty() => {}
                read => return Ok(read),
            }
            self.compressed = self.frame.take().map(|frame| frame.into_inner());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn read(bytes: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        let log = text_of(io::Cursor::new(bytes))?;
        { log.text }.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn plain_gzip_and_zstandard_logs_are_told_by_their_first_bytes() {
        let text = "a line of a log\n".repeat(10_000);
        assert_eq!(read(text.clone().into_bytes()).unwrap(), text);
        assert_eq!(read(gzip(text.as_bytes())).unwrap(), text);
        assert_eq!(read(zstandard(text.as_bytes())).unwrap(), text);
        assert_eq!(read(Vec::new()).unwrap(), "");
    }

    #[test]
    fn parts_that_were_joined_after_compression_are_read_to_the_end() {
        for compress in [gzip, zstandard] {
            let joined = [compress(b"first\n"), compress(b"second\n")].concat();
            assert_eq!(read(joined).unwrap(), "first\nsecond\n");
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_no_panic() {
        for compress in [gzip, zstandard] {
            let whole = compress("a line of a log, and another\n".repeat(500).as_bytes());
            for length in 4..whole.len() {
                assert!(read(whole[..length].to_vec()).is_err(), "{length}");
            }
        }
    }
}
