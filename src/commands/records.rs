//! A CSV file, record by record, in bounded memory whatever the file holds.
//!
//! The `csv` crate's parser gets one record at a time here rather than the whole stream, because a quote that is never closed would otherwise swallow the
//! rest of a file of any size into one field. What the fields mean is said by those who read them.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use csv_core::ReadRecordResult;

/// The longest record, in bytes; a sale takes some hundred.
const MAX_RECORD_BYTES: usize = 64 * 1024;
/// The most lines that a record with line breaks inside quotes may span.
const MAX_RECORD_LINES: usize = 50;

/// The most bytes of a spoilt line that are kept to show it.
const MAX_SHOWN_BYTES: usize = 1_000;

/// Why a file can't be read as a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has no first line.
    #[error("{} is empty: its first line must name the columns", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// The file is not in UTF-8 at all.
    #[error("{} is UTF-16: save it as UTF-8 (\"CSV UTF-8\")", path.display())]
    Utf16 {
        /// Which.
        path: PathBuf,
    },
}

impl TableError {
    /// Says that a file can't be read.
    pub(super) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Unreadable {
            path: path.to_owned(),
            source,
        }
    }
}

/// One record of a file, or what stands where one should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The number of the line where it begins, from 1.
    pub(super) line: u64,
    /// What it is.
    pub(super) content: Content,
}

/// What a [`Piece`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// The fields, still as bytes.
    Record(ByteRecord),
    /// A line with a quote that isn't closed.
    Unclosed(Vec<u8>),
    /// A line that is too long; its beginning.
    TooLong(Vec<u8>),
}

/// Reads records. Line breaks may be LF or CRLF; empty lines are skipped; a byte order mark at the beginning is, too.
#[derive(Debug)]
pub(super) struct Records<R> {
    reader: R,
    delimiter: u8,
    splitter: Splitter,
    next_line: u64,
    bytes_read: u64,
    put_back: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl<R: BufRead> Records<R> {
    /// Begins to read; fields are separated by whichever of `,`, `;` and the tabulator the first line has most of.
    pub(super) fn new(mut reader: R) -> io::Result<Self> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        let mut records = Self {
            reader,
            delimiter: b',',
            splitter: Splitter::at(b','),
            next_line: 1,
            bytes_read: 0,
            put_back: VecDeque::new(),
        };
        if let Some(header) = records.read_line()? {
            records.delimiter = delimiter_of(&header.bytes);
            records.splitter = Splitter::at(records.delimiter);
            records.put_back.push_back(header);
        }
        Ok(records)
    }

    /// How many bytes have been read so far.
    pub(super) const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The first record: the names of the columns. `path` is for the error.
    pub(super) fn header(&mut self, path: &Path) -> Result<ByteRecord, TableError> {
        let first = self.next().map_err(TableError::unreadable(path))?;
        let path = path.to_owned();
        match first.map(|piece| piece.content) {
            None => Err(TableError::Empty { path }),
            Some(Content::Record(header))
                if header[0].starts_with(b"\xff\xfe") || header[0].starts_with(b"\xfe\xff") =>
            {
                Err(TableError::Utf16 { path })
            }
            Some(Content::Record(header)) => Ok(header),
            Some(Content::Unclosed(line) | Content::TooLong(line)) => Ok(shown(&line)),
        }
    }

    /// The next record; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let line = self.next_line;
            let Some(first) = self.take_line()? else {
                return Ok(None);
            };
            if first.is_cut {
                let content = Content::TooLong(first.bytes);
                return Ok(Some(Piece { line, content }));
            }
            if first.bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let content = self.complete(first)?;
            return Ok(Some(Piece { line, content }));
        }
    }

    /// Adds the lines that a quote opened on the first one spans. If it is never closed, they are lines of their own again.
    fn complete(&mut self, first: Line) -> io::Result<Content> {
        let mut place = Place::FieldStart.after(&first.bytes, self.delimiter);
        if place != Place::Quoted {
            return Ok(Content::Record(self.splitter.split(&first.bytes)));
        }
        let mut record = first.bytes.clone();
        let mut more = Vec::new();
        while let Some(line) = self.take_line()? {
            place = place.after(&line.bytes, self.delimiter);
            record.extend_from_slice(&line.bytes);
            let is_too_much = line.is_cut || record.len() > MAX_RECORD_BYTES || more.len() + 2 > MAX_RECORD_LINES;
            more.push(line);
            if is_too_much {
                break;
            }
            if place != Place::Quoted {
                return Ok(Content::Record(self.splitter.split(&record)));
            }
        }
        self.next_line -= u64::try_from(more.len()).expect("a record spans some dozen lines");
        for line in more.into_iter().rev() {
            self.put_back.push_front(line);
        }
        Ok(Content::Unclosed(first.bytes))
    }

    fn take_line(&mut self) -> io::Result<Option<Line>> {
        let line = match self.put_back.pop_front() {
            Some(line) => Some(line),
            None => self.read_line()?,
        };
        self.next_line += u64::from(line.is_some());
        Ok(line)
    }

    /// Reads up to and with the next LF. Of a line that is too long only the beginning is kept.
    fn read_line(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let limit = MAX_RECORD_BYTES as u64;
        let mut read = (&mut self.reader).take(limit).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        let is_cut = read == MAX_RECORD_BYTES && !bytes.ends_with(b"\n");
        if is_cut {
            read += self.reader.skip_until(b'\n')?;
        }
        self.bytes_read += read as u64;
        Ok(Some(Line { bytes, is_cut }))
    }
}

/// Where in a record a byte stands, as far as quotes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Plain,
    Quoted,
    /// Just behind a quote inside quotes: the end of the field, or the first half of a doubled quote.
    PerhapsClosed,
}

impl Place {
    fn after(self, bytes: &[u8], delimiter: u8) -> Self {
        bytes.iter().fold(self, |place, byte| match (place, *byte) {
            (Self::FieldStart | Self::PerhapsClosed, b'"') => Self::Quoted,
            (Self::Quoted, byte) if byte != b'"' => Self::Quoted,
            (Self::Quoted, _) => Self::PerhapsClosed,
            (Self::FieldStart | Self::Plain | Self::PerhapsClosed, byte) if byte == delimiter => Self::FieldStart,
            (Self::FieldStart | Self::Plain | Self::PerhapsClosed, _) => Self::Plain,
        })
    }
}

/// Splits records into fields. It is made once for a file: to make the parser takes longer than to split a record.
#[derive(Debug)]
struct Splitter {
    parser: csv_core::Reader,
    /// The fields of a record, one behind the other.
    text: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Splitter {
    fn at(delimiter: u8) -> Self {
        Self {
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn split(&mut self, record: &[u8]) -> ByteRecord {
        // No record has more text than bytes, or more fields than separators and one.
        self.text.resize(record.len() + 1, 0);
        self.ends.resize(record.len() + 1, 0);
        self.parser.reset();
        let (result, _, written, mut fields) = self.parser.read_record(record, &mut self.text, &mut self.ends);
        if result == ReadRecordResult::InputEmpty {
            // The last line of a file may have no end of its own.
            let (_, _, _, last) = self
                .parser
                .read_record(&[], &mut self.text[written..], &mut self.ends[fields..]);
            fields += last;
        }
        let mut from = 0;
        let field = |to: &usize| &self.text[std::mem::replace(&mut from, *to)..*to];
        self.ends[..fields].iter().map(field).collect()
    }
}

/// A spoilt line as one field, without its line break.
pub(super) fn shown(line: &[u8]) -> ByteRecord {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    vec![&line[..line.len().min(MAX_SHOWN_BYTES)]].into()
}

fn delimiter_of(header: &[u8]) -> u8 {
    let mut counts = [(b'\t', 0_usize), (b';', 0), (b',', 0)];
    for byte in header {
        for (delimiter, count) in &mut counts {
            *count += usize::from(byte == delimiter);
        }
    }
    // Of equals, the last one wins: the comma.
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(delimiter, _)| delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(u64, Vec<String>)> {
        let mut records = Records::new(text).unwrap();
        let mut all = Vec::new();
        while let Some(piece) = records.next().unwrap() {
            let fields = match piece.content {
                Content::Record(record) => record
                    .iter()
                    .map(|field| String::from_utf8_lossy(field).into_owned())
                    .collect(),
                Content::Unclosed(line) => vec!["unclosed".to_owned(), String::from_utf8_lossy(&line).into_owned()],
                Content::TooLong(line) => vec!["too long".to_owned(), line.len().to_string()],
            };
            all.push((piece.line, fields));
        }
        assert_eq!(
            records.bytes_read(),
            text.len() as u64 - if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
        );
        all
    }

    fn fields(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    #[test]
    fn a_byte_order_mark_crlf_and_empty_lines_are_no_content() {
        assert_eq!(
            read(b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n \n3,4"),
            [
                (1, fields(&["a", "b"])),
                (3, fields(&["1", "2"])),
                (5, fields(&["3", "4"]))
            ]
        );
    }

    #[test]
    fn a_quoted_field_may_hold_commas_quotes_and_line_breaks() {
        assert_eq!(
            read(b"a,b\n\"x,\"\"y\"\"\nz\",1\n2,3\" PIPE\n"),
            [
                (1, fields(&["a", "b"])),
                (2, fields(&["x,\"y\"\nz", "1"])),
                (4, fields(&["2", "3\" PIPE"]))
            ]
        );
    }

    #[test]
    fn a_quote_that_is_never_closed_spoils_its_own_line_only() {
        assert_eq!(
            read(b"a,b\n\"open,1\n2,3\n\n4,5\n"),
            [
                (1, fields(&["a", "b"])),
                (2, fields(&["unclosed", "\"open,1\n"])),
                (3, fields(&["2", "3"])),
                (5, fields(&["4", "5"]))
            ]
        );
    }

    #[test]
    fn an_open_quote_does_not_reach_further_than_a_record_can() {
        let mut text = b"a,b\n\"open,1\n".to_vec();
        let rows: Vec<_> = (0..200).map(|row| format!("{row},x\n")).collect();
        text.extend(rows.concat().bytes());
        text.extend(b"\"closes far below\",1\n");
        let all = read(&text);
        assert_eq!(all.len(), 203);
        assert_eq!((all[1].0, all[1].1[0].as_str()), (2, "unclosed"));
        assert_eq!((all[202].0, all[202].1[0].as_str()), (203, "closes far below"));
    }

    #[test]
    fn a_line_without_end_is_skipped_and_the_next_one_read() {
        let mut text = b"a,b\n".to_vec();
        text.extend(vec![b'x'; 200_000]);
        text.extend(b"\n1,2\n");
        assert_eq!(
            read(&text),
            [
                (1, fields(&["a", "b"])),
                (2, fields(&["too long", "65536"])),
                (3, fields(&["1", "2"]))
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn a_record_is_split_as_the_csv_crate_splits_it(record in "[a,;\"\r\t \u{e9}]{1,40}\n?", semicolons in proptest::bool::ANY) {
            let delimiter = if semicolons { b';' } else { b',' };
            let mut expected = ByteRecord::new();
            let mut whole = csv::ReaderBuilder::new();
            let mut whole = whole.has_headers(false).flexible(true).delimiter(delimiter).from_reader(record.as_bytes());
            whole.read_byte_record(&mut expected).unwrap();
            let mut splitter = Splitter::at(delimiter);
            let _ = splitter.split(b"\"an open quote,");
            proptest::prop_assert_eq!(splitter.split(record.as_bytes()), expected);
        }
    }

    #[test]
    fn semicolons_and_tabulators_are_told_by_the_first_line() {
        assert_eq!(read(b"a;b\n1,5;2\n")[1].1, fields(&["1,5", "2"]));
        assert_eq!(read(b"a\tb\n1\t2\n")[1].1, fields(&["1", "2"]));
        assert_eq!(read(b"a\n1\n")[1].1, fields(&["1"]));
        assert_eq!(read(b""), []);
    }
}
