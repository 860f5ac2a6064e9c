//! Opens the file, finds out how its text is encoded, and reads it with a bound on the length of one record.

use std::{
    borrow::Cow,
    cell::Cell,
    fs::File,
    io::{self, Read},
    path::Path,
    rc::Rc,
};

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::failure::Failure;

/// Bytes looked at before anything is decided.
const SAMPLE_BYTES: usize = 64 << 10;
/// One record. A quote that is never closed would otherwise swallow the rest of the file into memory.
const RECORD_BYTES_MAX: u64 = 16 << 20;
/// Text of the error that carries the bound through the CSV parser.
const RECORD_TOO_LONG: &str = "record too long";

/// How the text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    #[default]
    Utf8,
    Windows1252,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1252 => "windows-1252",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }
}

/// Decodes a field. Fields that are not UTF-8 are taken for Windows-1252, which decodes anything.
pub(super) fn decode<'a>(field: &'a [u8], encoding: &mut Encoding) -> Cow<'a, str> {
    if let Ok(text) = std::str::from_utf8(field) {
        return Cow::Borrowed(text);
    }
    *encoding = Encoding::Windows1252;
    WINDOWS_1252.decode_without_bom_handling(field).0
}

/// Counts what was read; shared with the reader below the CSV parser.
#[derive(Clone, Default)]
pub(super) struct Meter {
    read: Rc<Cell<u64>>,
    record_start: Rc<Cell<u64>>,
}

impl Meter {
    /// Bytes of the file read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read.get()
    }

    /// Marks that the parser got to the end of a record.
    pub(super) fn start_record(&self) {
        self.record_start.set(self.read.get());
    }
}

/// An open file.
pub(super) struct SourceFile {
    pub(super) bytes: u64,
    pub(super) bom: bool,
    pub(super) encoding: Encoding,
    /// The first part of the text, as UTF-8 or a superset of ASCII.
    pub(super) sample: Vec<u8>,
    pub(super) meter: Meter,
    /// The whole text, without a byte order mark.
    pub(super) reader: Box<dyn Read>,
}

impl SourceFile {
    /// Opens `path` and looks at its beginning.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let fail = |error: &io::Error| Failure::io("read", path, error);
        let metadata = std::fs::metadata(path).map_err(|error| fail(&error))?;
        if metadata.is_dir() {
            return Err(Failure::new("NOT_A_FILE", format!("{} is a folder", path.display()))
                .hint("give the path of one CSV file"));
        }
        // Opening a pipe waits for somebody to write into it, and a device may never end.
        if !metadata.is_file() {
            return Err(Failure::new("NOT_A_FILE", format!("{} is a pipe, a socket or a device", path.display()))
                .hint("write the data into a file first, and give its path"));
        }
        let mut file = File::open(path).map_err(|error| fail(&error))?;
        let mut head = Vec::new();
        (&mut file).take(SAMPLE_BYTES as u64).read_to_end(&mut head).map_err(|error| fail(&error))?;
        let (encoding, bom_bytes) = match head.as_slice() {
            [0xEF, 0xBB, 0xBF, ..] => (Encoding::Utf8, 3),
            [0xFF, 0xFE, ..] => (Encoding::Utf16Le, 2),
            [0xFE, 0xFF, ..] => (Encoding::Utf16Be, 2),
            _ => (Encoding::Utf8, 0),
        };
        let meter = Meter::default();
        let head_text = head[bom_bytes..].to_vec();
        let raw = io::Cursor::new(head_text.clone()).chain(file);
        let metered = Metered { inner: raw, meter: meter.clone() };
        let (sample, reader): (_, Box<dyn Read>) = match encoding {
            Encoding::Utf16Le | Encoding::Utf16Be => {
                let table = if encoding == Encoding::Utf16Le { UTF_16LE } else { UTF_16BE };
                let sample = table.decode_without_bom_handling(&head_text).0.into_owned().into_bytes();
                (sample, Box::new(Transcoded::new(metered, table.new_decoder_without_bom_handling())))
            }
            _ => (head_text, Box::new(metered)),
        };
        if sample.contains(&0) {
            return Err(Failure::new("NOT_CSV", format!("{} holds binary data, not text", path.display()))
                .hint("export the table as CSV first; spreadsheets (.xlsx, .ods) and archives are not read"));
        }
        Ok(Self { bytes: metadata.len(), bom: bom_bytes > 0, encoding, sample, meter, reader })
    }
}

/// Turns an error of the CSV parser into one for a person.
pub(super) fn explain(error: &csv::Error, path: &Path) -> Failure {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Io(cause) if cause.to_string() == RECORD_TOO_LONG => Failure::new(
            "RECORD_TOO_LONG",
            format!("a record of {} is longer than {RECORD_BYTES_MAX} bytes", path.display()),
        )
        .hint("look for a quotation mark that is opened and never closed"),
        csv::ErrorKind::Io(cause) => Failure::io("read", path, cause),
        _ => Failure::new("NOT_CSV", format!("line {line} of {} can't be read: {error}", path.display())),
    }
}

/// Counts, and fails once a record is over its bound.
struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.read.get() - self.meter.record_start.get() > RECORD_BYTES_MAX {
            return Err(io::Error::other(RECORD_TOO_LONG));
        }
        let count = self.inner.read(buffer)?;
        self.meter.read.set(self.meter.read.get() + count as u64);
        Ok(count)
    }
}

/// Reads UTF-16 as UTF-8.
struct Transcoded<R> {
    inner: R,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R: Read> Transcoded<R> {
    fn new(inner: R, decoder: Decoder) -> Self {
        Self { inner, decoder, input: vec![0; 16 << 10], output: Vec::new(), taken: 0, ended: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        let count = self.inner.read(&mut self.input)?;
        self.ended = count == 0;
        let room = self.decoder.max_utf8_buffer_length(count).unwrap_or(count * 3 + 16);
        self.output.resize(room, 0);
        let (result, _, written, _) = self.decoder.decode_to_utf8(&self.input[..count], &mut self.output, self.ended);
        debug_assert_eq!(result, CoderResult::InputEmpty, "the buffer is as long as the decoder asked for");
        self.output.truncate(written);
        self.taken = 0;
        Ok(())
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.output.len() && !self.ended {
            self.refill()?;
        }
        let count = buffer.len().min(self.output.len() - self.taken);
        buffer[..count].copy_from_slice(&self.output[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}
