//! Decompresses lists. The format is detected by the first bytes, not by the name.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// The largest window of a zstd frame: 128 MiB, as in `zstd -d` without `--long`.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Decompresses gzip (RFC 1952) and Zstandard (RFC 8878); other bytes stay as they are.
///
/// # Errors
///
/// If the first bytes cannot be read.
pub(super) fn unpack(mut reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(4);
    // A pipe may return one byte at a time.
    reader.by_ref().take(4).read_to_end(&mut magic)?;
    let packed = match &magic[..] {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        _ => None,
    };
    let whole = Cursor::new(magic).chain(reader);
    Ok(match packed {
        Some("gzip") => Box::new(LabelledDecoder("gzip", MultiGzDecoder::new(whole))),
        Some(name) => {
            let mut decoder = zstd::Decoder::new(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(LabelledDecoder(name, decoder))
        }
        None => Box::new(whole),
    })
}

/// A decoder whose errors name the format.
struct LabelledDecoder<R>(&'static str, R);

impl<R: Read> Read for LabelledDecoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Self(name, decoder) = self;
        decoder.read(out).map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::Interrupted => return error,
                io::ErrorKind::UnexpectedEof => "is truncated",
                _ => "is damaged",
            };
            io::Error::new(error.kind(), format!("its {name} data {what} ({error})"))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: Vec<u8>) -> Result<String, String> {
        let mut text = String::new();
        let mut reader = unpack(Box::new(Cursor::new(bytes))).map_err(|e| e.to_string())?;
        let read = reader.read_to_string(&mut text);
        read.map(|_| text).map_err(|error| error.to_string())
    }

    #[test]
    fn compressed_lists_are_decompressed_and_others_are_unchanged() {
        assert_eq!(read(gzip("a\nb\n")).unwrap(), "a\nb\n");
        assert_eq!(read([gzip("a\n"), gzip("b\n")].concat()).unwrap(), "a\nb\n");
        let zstd = zstd::encode_all(&b"a\nb\n"[..], 1).unwrap();
        assert_eq!(read(zstd).unwrap(), "a\nb\n");
        for plain in ["", "a", "http://a.test/\n"] {
            assert_eq!(read(plain.into()).unwrap(), plain);
        }
    }

    #[test]
    fn truncated_and_damaged_lists_are_told_apart() {
        let whole = gzip(&"http://a.test/\n".repeat(1000));
        let cut = whole[..whole.len() - 10].to_vec();
        assert!(
            read(cut)
                .unwrap_err()
                .starts_with("its gzip data is truncated")
        );
        let mut bad = whole;
        let middle = bad.len() / 2;
        bad[middle] ^= 0xff;
        assert!(read(bad).unwrap_err().starts_with("its gzip data is"));
    }
}
