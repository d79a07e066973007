//! Who may import whom, and which crate lives where: the tables of the crate docs, enforced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each module may import, of ours. `main` and `app` may import all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("shutdown", &[]),
    ("cli", &[]),
    ("protocol", &["domain"]),
    // The store executes the protocol's decisions inside its transactions, so it knows them.
    ("store", &["domain", "protocol"]),
    ("text", &["domain"]),
    ("wire", &["domain", "protocol"]),
    ("transport", &["domain", "wire"]),
    (
        "sync",
        &["domain", "protocol", "wire", "store", "transport", "clock", "shutdown"],
    ),
    (
        "hq",
        &["domain", "protocol", "wire", "store", "transport", "clock", "shutdown"],
    ),
    (
        "commands",
        &[
            "domain",
            "protocol",
            "wire",
            "store",
            "transport",
            "sync",
            "hq",
            "clock",
            "shutdown",
            "text",
            "cli",
            "config",
        ],
    ),
    ("tui", &["domain", "protocol", "text", "clock", "shutdown"]),
    // A URL is read by who uses it, and a language is named by who has it: bad ones are refused in one place.
    ("config", &["cli", "domain", "transport", "text"]),
    ("telemetry", &["cli", "domain", "config"]),
];

/// The only places where a crate may be used: a path under `src`, without `.rs`.
const LIVES_IN: &[(&str, &[&str])] = &[
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("libsqlite3_sys", &["store"]),
    ("lapin", &["transport/amqp"]),
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("tui_input", &["tui"]),
    ("serde", &["wire", "config", "commands"]),
    ("serde_json", &["commands", "telemetry"]),
    ("postcard", &["wire"]),
    ("zstd", &["wire"]),
    ("clap", &["cli", "commands", "main"]),
    ("anyhow", &["app", "main"]),
    ("rust_decimal", &["domain/money"]),
    (
        "blake3",
        &[
            "domain/sale",
            "protocol/dictionary",
            "protocol/lineage",
            "commands",
            "wire",
            "store",
        ],
    ),
];

/// One source file: where it is under `src` (without `.rs`), and its production code.
struct Source {
    place: String,
    code: Vec<String>,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let place = path
            .strip_prefix(root)
            .unwrap()
            .with_extension("")
            .to_str()
            .unwrap()
            .to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        // Whatever else is for tests alone is a file of its own.
        let production = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code = production
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default().to_owned())
            .collect();
        Self { place, code }
    }

    fn module(&self) -> &str {
        self.place.split('/').next().unwrap()
    }

    /// The words that follow `prefix` in the code, e.g. the modules after `crate::`.
    fn words_after(&self, prefix: &str) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        for line in &self.code {
            for (at, _) in line.match_indices(prefix) {
                let before = line[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let rest = &line[at + prefix.len()..];
                assert!(
                    !rest.starts_with('{'),
                    "{}: write one `use {prefix}…` a line, so that imports can be checked",
                    self.place
                );
                words.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
        words
    }

    fn uses_crate(&self, name: &str) -> bool {
        let path = format!("{name}::");
        self.code.iter().any(|line| {
            line.match_indices(&path).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            })
        })
    }
}

/// Whether a file is compiled for tests alone: `tests.rs`, or a room below `tests/`.
fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests") || path.components().any(|part| part.as_os_str() == "tests")
}

fn sources() -> Vec<Source> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                sources.push(Source::read(&root, &path));
            }
        }
    }
    sources
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.module();
        if ["main", "lib", "app"].contains(&module) {
            continue;
        }
        let Some(allowed) = table.get(module) else {
            wrong.push(format!("src/{}.rs is in no row of the import table", source.place));
            continue;
        };
        for used in source.words_after("crate::") {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!(
                    "src/{}.rs imports `{used}`, which `{module}` may not",
                    source.place
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_screen_knows_no_more_of_the_protocol_than_its_status() {
    for source in sources().iter().filter(|source| source.module() == "tui") {
        let known = source.words_after("crate::protocol::");
        assert!(known.is_empty(), "src/{}.rs uses {known:?}", source.place);
    }
}

#[test]
fn each_crate_stays_where_it_lives() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, places) in LIVES_IN {
            let at_home = places
                .iter()
                .any(|place| source.place == *place || source.place.starts_with(&format!("{place}/")));
            if source.uses_crate(name) && !at_home {
                wrong.push(format!(
                    "src/{}.rs uses `{name}`, which lives in {places:?}",
                    source.place
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_folder_has_a_mod_rs() {
    let found: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.place.ends_with("/mod"))
        .map(|source| source.place)
        .collect();
    assert!(found.is_empty(), "{found:?}");
}
