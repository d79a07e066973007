//! Where files are looked for and kept: the machine's folders, and those of the user.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::file::ConfigFile;
use super::key::Key;
use crate::domain::ids::BranchCode;

/// The name of the configuration file in each folder.
const FILE_NAME: &str = "branchline.toml";

/// The folders that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The user's own configuration; `None` for a user without a home.
    pub user_config: Option<PathBuf>,
    /// The user's own databases.
    pub user_data: Option<PathBuf>,
    /// The user's own logs.
    pub user_state: Option<PathBuf>,
    /// The machine's configuration.
    pub system_config: PathBuf,
    /// The databases that the users of this machine share.
    pub system_data: PathBuf,
}

impl Places {
    /// The folders as the environment tells them, by the rules of the XDG Base Directory specification.
    #[must_use]
    pub fn of(environment: &BTreeMap<String, String>) -> Self {
        let absolute = |name: &str| {
            let folder = PathBuf::from(environment.get(name)?);
            folder.is_absolute().then_some(folder)
        };
        let user = |variable: &str, below_home: &str| {
            let folder = absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)));
            folder.map(|folder| folder.join("branchline"))
        };
        Self {
            user_config: user("XDG_CONFIG_HOME", ".config"),
            user_data: user("XDG_DATA_HOME", ".local/share"),
            user_state: user("XDG_STATE_HOME", ".local/state"),
            system_config: "/etc/branchline".into(),
            system_data: "/var/lib/branchline".into(),
        }
    }

    /// The configuration file that counts: the user's if there is one, or else the machine's.
    ///
    /// # Errors
    /// When a file is there and can't be used.
    pub fn config_file(&self) -> Result<Option<ConfigFile>, ConfigError> {
        if let Some(folder) = &self.user_config
            && let Some(file) = ConfigFile::read(&folder.join(FILE_NAME))?
        {
            return Ok(Some(file));
        }
        ConfigFile::read(&self.system_config.join(FILE_NAME))
    }

    /// The file in which a user writes down what they want.
    #[must_use]
    pub fn own_config_file(&self) -> PathBuf {
        self.user_config.as_ref().unwrap_or(&self.system_config).join(FILE_NAME)
    }

    /// What this machine shares among its users.
    #[must_use]
    pub fn shared(&self) -> Shared {
        let mut shared = Shared::default();
        for path in files(&self.system_config, "toml") {
            // A file that this user may not read, or that is broken, names nobody; it is reported when it is the one that counts.
            if let Ok(Some(file)) = ConfigFile::read(&path) {
                let says = |key| file.get(key).map(|(text, _)| text.to_owned());
                shared.names.extend(
                    says(Key::Branch)
                        .and_then(|code| BranchCode::parse(&code).ok())
                        .map(|code| database_name(&code)),
                );
                if says(Key::Headless).as_deref() == Some("hq") {
                    shared.names.insert(HQ_DATABASE.to_owned());
                }
            }
        }
        let databases = files(&self.system_data, "db");
        shared.names.extend(
            databases
                .iter()
                .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())),
        );
        shared
    }

    /// Where a database is kept if nobody says: shared if this machine's configuration names it (or it is there already), else the user's own.
    #[must_use]
    pub fn database(&self, name: &str, shared: &Shared) -> Option<PathBuf> {
        if shared.names.contains(name) {
            return Some(self.system_data.join(name));
        }
        Some(self.user_data.as_ref()?.join(name))
    }
}

/// The file name of head office's database.
pub(super) const HQ_DATABASE: &str = "hq.db";

/// The file name of a branch's database.
pub(super) fn database_name(branch: &BranchCode) -> String {
    format!("{branch}.db")
}

/// The databases that the users of a machine share: those of a branch or a head office that its configuration names, and those that are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shared {
    names: BTreeSet<String>,
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn user_folders_follow_xdg_and_else_the_home_folder() {
        let places = Places::of(&environment(&[
            ("HOME", "/home/a"),
            ("XDG_DATA_HOME", "/data"),
            ("XDG_CONFIG_HOME", "relative"),
        ]));
        assert_eq!(places.user_config.unwrap(), Path::new("/home/a/.config/branchline"));
        assert_eq!(places.user_data.unwrap(), Path::new("/data/branchline"));
        assert_eq!(places.user_state.unwrap(), Path::new("/home/a/.local/state/branchline"));
        assert_eq!(Places::of(&BTreeMap::new()).user_data, None);
    }

    #[test]
    fn a_branch_that_the_machine_names_has_a_shared_database() {
        let machine = tempfile::tempdir().unwrap();
        let mut places = Places::of(&environment(&[("HOME", "/home/a")]));
        places.system_config = machine.path().join("etc");
        places.system_data = machine.path().join("lib");
        let database = |places: &Places, name| places.database(name, &places.shared()).unwrap();
        let own = |name: &str| PathBuf::from("/home/a/.local/share/branchline").join(name);
        assert_eq!(database(&places, "TUNIS-01.db"), own("TUNIS-01.db"));

        fs::create_dir_all(&places.system_config).unwrap();
        fs::create_dir_all(&places.system_data).unwrap();
        fs::write(places.system_config.join("branchline.toml"), "branch = 'tunis-01'").unwrap();
        fs::write(places.system_config.join("hq.toml"), "headless = 'hq'").unwrap();
        fs::write(places.system_data.join("SFAX.db"), "").unwrap();
        for shared in ["TUNIS-01.db", "hq.db", "SFAX.db"] {
            assert_eq!(database(&places, shared), places.system_data.join(shared));
        }
        assert_eq!(database(&places, "OTHER.db"), own("OTHER.db"));
    }
}
