//! The table of the crate docs that says which tests defend which promise, held to the tests that there are.

use std::fs;
use std::path::Path;

/// Every source file under a folder, in one text.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.extension() {
            None if path.is_dir() => sources(&path),
            Some(kind) if kind == "rs" => fs::read_to_string(&path).unwrap(),
            Some(_) | None => String::new(),
        })
        .collect()
}

#[test]
fn every_promise_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let all = sources(&root.join("src")) + &sources(&root.join("tests"));
    let is_row =
        |line: &&str| line.starts_with("//! | ") && line[6..].starts_with(|first: char| first.is_ascii_digit());
    for (row, promise) in docs.lines().filter(is_row).zip(1..) {
        assert!(
            row[6..].starts_with(&format!("{promise} ")),
            "promise {promise} is missing before: {row}"
        );
        let names: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "nothing defends promise {promise}");
        for name in names {
            assert!(
                all.contains(&format!("fn {name}(")),
                "promise {promise} names `{name}`, which is no test"
            );
        }
    }
    assert_eq!(docs.lines().filter(is_row).count(), 10);
}
