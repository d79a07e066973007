//! A disk without power: what is on it for certain, and what may be.
//!
//! Names and contents are apart, as POSIX has them: a file's content is safe once the file was synced, its name once its folder was. Of changes to one file since
//! its last sync any may be there, in any order; changes of names in one folder come one after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::luck::Luck;

/// What a disk keeps whole, at the least.
const SECTOR: usize = 512;

/// A change that the program made.
#[derive(Debug, Clone)]
pub(super) enum Change {
    MakeFolder(PathBuf),
    MakeFile(PathBuf),
    Write {
        path: PathBuf,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        length: usize,
    },
    Remove(PathBuf),
    Sync(PathBuf),
}

/// The folder that is watched, with all below it.
pub(super) struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// What the program sees: each name's file.
    seen: BTreeMap<PathBuf, usize>,
    /// What is certain.
    certain: BTreeMap<PathBuf, usize>,
    /// Names given and taken since their folders were synced.
    names: Vec<(PathBuf, Option<usize>)>,
}

#[derive(Default)]
struct File {
    is_folder: bool,
    synced: Vec<u8>,
    pending: Vec<Edit>,
}

enum Edit {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Disk {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            seen: BTreeMap::new(),
            certain: BTreeMap::new(),
            names: Vec::new(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::MakeFolder(path) => self.make(path, true),
            Change::MakeFile(path) => self.make(path, false),
            Change::Write { path, offset, bytes } => self.edit(&path, Edit::Write(offset, bytes)),
            Change::Truncate { path, length } => self.edit(&path, Edit::Length(length)),
            Change::Remove(path) => {
                if self.seen.remove(&path).is_some() {
                    self.names.push((path, None));
                }
            }
            Change::Sync(path) => self.sync(&path),
        }
    }

    /// What is there if the disk has kept nothing that it didn't have to.
    pub(super) fn synced(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.image(&self.certain, |file| file.synced.clone())
    }

    /// What is there if the disk has kept what it liked.
    pub(super) fn anything(&self, rng: &Luck) -> Vec<(PathBuf, Vec<u8>)> {
        let mut names = self.certain.clone();
        let kept = rng.index(self.names.len() + 1);
        for (path, number) in &self.names[..kept] {
            set_name(&mut names, path, *number);
        }
        let mut content = |file: &File| {
            let mut bytes = file.synced.clone();
            for edit in &file.pending {
                match edit {
                    Edit::Write(offset, written) if rng.percent(50) => {
                        let torn = rng.percent(20).then(|| rng.index(written.len() / SECTOR + 1) * SECTOR);
                        put(&mut bytes, *offset, &written[..torn.unwrap_or(written.len())]);
                    }
                    Edit::Length(length) if rng.percent(50) => bytes.resize(*length, 0),
                    Edit::Write(..) | Edit::Length(_) => {}
                }
            }
            bytes
        };
        self.image(&names, &mut content)
    }

    /// The database's index of its log is left out: it is in memory, and made anew.
    fn image(
        &self,
        names: &BTreeMap<PathBuf, usize>,
        mut content: impl FnMut(&File) -> Vec<u8>,
    ) -> Vec<(PathBuf, Vec<u8>)> {
        let is_reached = |path: &Path| {
            let above = path.ancestors().skip(1).take_while(|folder| *folder != self.root);
            above.into_iter().all(|folder| names.contains_key(folder))
        };
        let lasts = |path: &Path| !path.to_string_lossy().ends_with("-shm");
        names
            .iter()
            .filter(|(path, number)| !self.files[**number].is_folder && is_reached(path) && lasts(path))
            .map(|(path, &number)| {
                let relative = path.strip_prefix(&self.root).expect("all names are below the root");
                (relative.to_owned(), content(&self.files[number]))
            })
            .collect()
    }

    fn make(&mut self, path: PathBuf, is_folder: bool) {
        if !path.starts_with(&self.root) || self.seen.contains_key(&path) {
            return;
        }
        self.files.push(File {
            is_folder,
            ..File::default()
        });
        let number = self.files.len() - 1;
        self.seen.insert(path.clone(), number);
        self.names.push((path, Some(number)));
    }

    fn edit(&mut self, path: &Path, edit: Edit) {
        if let Some(&number) = self.seen.get(path) {
            self.files[number].pending.push(edit);
        }
    }

    fn sync(&mut self, path: &Path) {
        if let Some(&number) = self.seen.get(path) {
            let file = &mut self.files[number];
            for edit in file.pending.drain(..) {
                match edit {
                    Edit::Write(offset, bytes) => put(&mut file.synced, offset, &bytes),
                    Edit::Length(length) => file.synced.resize(length, 0),
                }
            }
        }
        let certain = &mut self.certain;
        self.names.retain(|(name, number)| {
            let is_here = name.parent() == Some(path);
            if is_here {
                set_name(certain, name, *number);
            }
            !is_here
        });
    }
}

fn set_name(names: &mut BTreeMap<PathBuf, usize>, path: &Path, number: Option<usize>) {
    match number {
        Some(number) => names.insert(path.to_owned(), number),
        None => names.remove(path),
    };
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}
