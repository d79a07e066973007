//! The README says what the program does, and the crate's documentation which tests defend it: their tables are held against the program's own, and against the tests.

use std::collections::BTreeSet;
use std::path::Path;

use branchline::cli::Cli;
use branchline::text::Text;
use branchline::tui::keymap::Keymap;
use clap::CommandFactory;

const README: &str = include_str!("../../README.md");

#[test]
fn the_key_table_is_the_keymap() {
    let table = Keymap::default().markdown(&Text::english());
    assert!(
        README.contains(&table),
        "put this table between the key marks of README.md:\n{table}"
    );
}

#[test]
fn every_command_is_in_the_command_table() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(README.contains(&format!("`{name}")), "README.md does not name `{name}`");
    }
}

#[test]
fn both_commands_of_a_fresh_machine_are_named() {
    assert!(README.contains("make demo") && README.contains("make test"));
}

/// The names of all tests in the sources under a folder.
fn tests(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.extend(tests_in(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The names of the functions that are tests, in one source.
fn tests_in(source: &str) -> Vec<String> {
    let (mut is_test, mut names) = (false, Vec::new());
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name = rest.split('(').next().unwrap_or_default();
            names.extend(std::mem::take(&mut is_test).then(|| name.to_owned()));
        }
    }
    names
}

#[test]
fn only_a_function_that_is_run_as_a_test_counts_as_one() {
    let source = "#[test]\n#[should_panic]\nfn one() {}\nfn other() {}\n  #[tokio::test(flavor = \"x\")]\n  async fn two() {}\n// #[test]\nfn third() {}";
    assert_eq!(tests_in(source), ["one", "two"]);
}

#[test]
fn every_test_that_defends_a_promise_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    tests(&root.join("src"), &mut known);
    tests(&root.join("tests"), &mut known);
    let rows: Vec<&str> = include_str!("../../src/lib.rs")
        .lines()
        .filter(|line| line.starts_with("//! | ") && line.contains('`'))
        .collect();
    assert_eq!(rows.len(), 11, "one row for each promise, and one for most of them");
    for row in rows {
        let named = row.split('`').skip(1).step_by(2);
        for name in named {
            assert!(
                known.contains(name),
                "src/lib.rs names the test `{name}`, which is not there"
            );
        }
    }
}
