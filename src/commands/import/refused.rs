//! The file of refused lines: what stood there, its number, and why it is no sale.
//!
//! It is written, and on the disk, before the database takes the lines around it; so after an interruption it may be ahead of the database, never
//! behind. [`RefusedFile::resume`] cuts off what the database doesn't know of, because that will be read again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

/// A line that is no sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefusedLine {
    /// Its number.
    pub(super) line: u64,
    /// Why.
    pub(super) reason: String,
    /// Its fields as they were.
    pub(super) fields: ByteRecord,
}

/// The file of refused lines; made with its first line.
#[derive(Debug)]
pub(super) struct RefusedFile {
    path: PathBuf,
    header: ByteRecord,
    file: Option<File>,
    lines: u64,
}

impl RefusedFile {
    /// Where the refused lines of a file go: `FILE.csv.refused.csv`.
    pub(super) fn path_for(file: &Path) -> PathBuf {
        let mut path = file.as_os_str().to_owned();
        path.push(".refused.csv");
        path.into()
    }

    /// Begins anew. What an earlier import left there goes.
    pub(super) fn begin(path: PathBuf, header: ByteRecord) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Ok(Self {
            path,
            header,
            file: None,
            lines: 0,
        })
    }

    /// Goes on where the database stands: lines up to `last_line` are kept, later ones cut off.
    pub(super) fn resume(path: PathBuf, header: ByteRecord, last_line: u64) -> io::Result<Self> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::begin(path, header),
            Err(error) => return Err(error),
        };
        let (lines, good_bytes) = known_lines(&file, last_line)?;
        if lines == 0 {
            return Self::begin(path, header);
        }
        file.set_len(good_bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            path,
            header,
            file: Some(file),
            lines,
        })
    }

    /// How many lines it holds.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines; they are on the disk when this returns.
    pub(super) fn append(&mut self, lines: &[RefusedLine]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            write_record(&mut text, b"line", b"reason", &self.header)?;
            self.file.insert(File::create(&self.path)?)
        };
        for line in lines {
            write_record(
                &mut text,
                line.line.to_string().as_bytes(),
                line.reason.as_bytes(),
                &line.fields,
            )?;
        }
        let text = text.into_inner().map_err(csv::IntoInnerError::into_error)?;
        file.write_all(&text)?;
        file.sync_data()?;
        self.lines += lines.len() as u64;
        Ok(())
    }
}

fn write_record(writer: &mut csv::Writer<Vec<u8>>, line: &[u8], reason: &[u8], fields: &ByteRecord) -> io::Result<()> {
    writer.write_record([line, reason].into_iter().chain(fields))?;
    Ok(())
}

/// How many lines up to `last_line` the file has, and where the last of them ends. What a power cut tore has a number that can't be read, or one above
/// `last_line`, or no reason behind it.
fn known_lines(file: &File, last_line: u64) -> io::Result<(u64, u64)> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(BufReader::new(file));
    let (mut good, mut good_bytes) = (0, 0);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        let number = std::str::from_utf8(&record[0])
            .ok()
            .and_then(|text| text.parse::<u64>().ok());
        if record.len() < 2 || number.is_none_or(|number| number > last_line) {
            break;
        }
        good += 1;
        good_bytes = reader.position().byte();
    }
    Ok((good, good_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: u64) -> RefusedLine {
        RefusedLine {
            line,
            reason: "qty: \"x\", really".into(),
            fields: vec!["a,b", "c\nd"].into(),
        }
    }

    fn header() -> ByteRecord {
        vec!["Product", "Qty"].into()
    }

    #[test]
    fn a_file_without_refused_lines_is_not_made_and_an_old_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = RefusedFile::path_for(&folder.path().join("sales.csv"));
        assert!(path.ends_with("sales.csv.refused.csv"));
        fs::write(&path, "old").unwrap();
        let mut refused = RefusedFile::begin(path.clone(), header()).unwrap();
        refused.append(&[]).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn resuming_keeps_what_the_database_knows_and_cuts_off_the_rest_however_it_was_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        let mut refused = RefusedFile::begin(path.clone(), header()).unwrap();
        refused.append(&[line(7), line(90)]).unwrap();
        let known = fs::read(&path).unwrap();
        refused.append(&[line(1203), line(1204)]).unwrap();
        let whole = fs::read(&path).unwrap();
        for torn in known.len()..=whole.len() {
            fs::write(&path, &whole[..torn]).unwrap();
            let refused = RefusedFile::resume(path.clone(), header(), 1000).unwrap();
            assert_eq!(refused.lines(), 2, "torn at {torn}");
            assert_eq!(fs::read(&path).unwrap(), known, "torn at {torn}");
        }
    }

    #[test]
    fn after_a_resume_lines_follow_without_a_second_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        RefusedFile::begin(path.clone(), header())
            .unwrap()
            .append(&[line(7)])
            .unwrap();
        let mut refused = RefusedFile::resume(path.clone(), header(), 7).unwrap();
        refused.append(&[line(9)]).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        assert_eq!(reader.headers().unwrap(), vec!["line", "reason", "Product", "Qty"]);
        let lines: Vec<_> = reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
        assert_eq!(lines, ["7", "9"]);

        fs::remove_file(&path).unwrap();
        let mut refused = RefusedFile::resume(path.clone(), header(), 9).unwrap();
        refused.append(&[line(11)]).unwrap();
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .starts_with("line,reason,Product,Qty\n11,")
        );
    }
}
