//! A log file that does not grow without end, even where several programs write to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The size in bytes from which a new file is begun.
const MAX_BYTES: u64 = 4 << 20;
/// How many older files are kept: `branch.log.1` is the newest of them.
const OLDER_FILES: u32 = 3;

/// A file that is set aside for a new one when it has grown to 4 MiB; three older ones are kept. A record is one write and is never split.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    max_bytes: u64,
}

impl RotatingFile {
    /// Opens a log file, and makes it and its folder if they aren't there. Only its owner reads it.
    ///
    /// # Errors
    /// When the file can't be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::bounded(path, MAX_BYTES)
    }

    fn bounded(path: &Path, max_bytes: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file: append(path)?,
            max_bytes,
        })
    }

    /// Makes sure that what is written next goes to the file that has the name now, and that it isn't full.
    fn catch_up(&mut self) -> io::Result<()> {
        if !self.is_current()? {
            self.file = append(&self.path)?;
        }
        if self.file.metadata()?.len() < self.max_bytes {
            return Ok(());
        }
        // Of several programs that find the file full, the first to lock it sets it aside; the others then find that it lost its name.
        self.file.lock()?;
        if self.is_current()? {
            for number in (1..OLDER_FILES).rev() {
                rename_if_there(&self.older(number), &self.older(number + 1))?;
            }
            rename_if_there(&self.path, &self.older(1))?;
        }
        self.file = append(&self.path)?;
        Ok(())
    }

    fn is_current(&self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for RotatingFile {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.catch_up()?;
        self.file.write_all(record)?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(folder: &Path) -> Vec<u32> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            numbers.extend(text.lines().map(|line| line.parse::<u32>().unwrap()));
        }
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn the_newest_records_are_kept_and_the_rest_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("branch.log");
        let mut log = RotatingFile::bounded(&path, 40).unwrap();
        for number in 1000..1100 {
            log.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        // 40 bytes are eight records; three full files and the one in use.
        assert_eq!(numbers(folder.path()), (1072..1100).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn two_programs_on_one_log_lose_nothing_that_should_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("branch.log");
        let mut logs = [1, 2].map(|_| RotatingFile::bounded(&path, 40).unwrap());
        for number in 1000..1024 {
            let line = format!("{number}\n");
            logs[number % 2].write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(numbers(folder.path()), (1000..1024).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_that_was_removed_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/branch.log");
        let mut log = RotatingFile::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        log.write_all(b"1\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }
}
