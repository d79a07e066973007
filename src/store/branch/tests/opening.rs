//! Making, opening and electing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Barrier;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::super::fixture::{Fixture, at, code};
use super::super::{BranchDb, WorkerLock};
use crate::store::OpenError;

#[test]
fn two_programs_that_start_at_once_make_one_ledger() {
    const PROGRAMS: u128 = 8;
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.db");
        let start = Barrier::new(usize::try_from(PROGRAMS).unwrap());
        let ledgers: Vec<_> = std::thread::scope(|scope| {
            let programs: Vec<_> = (0..PROGRAMS)
                .map(|bits| {
                    let (path, start) = (&path, &start);
                    scope.spawn(move || {
                        start.wait();
                        let mut db = BranchDb::create(path, &code("A"), bits, at(0).wall).unwrap();
                        db.status().unwrap().ledger
                    })
                })
                .collect();
            programs.into_iter().map(|program| program.join().unwrap()).collect()
        });
        assert!(ledgers.iter().all(|ledger| *ledger == ledgers[0]), "{ledgers:?}");
    }
}

#[test]
fn opening_with_another_code_names_both() {
    let branch = Fixture::new();
    for error in [
        BranchDb::open(&branch.path(), Some(&code("B"))).unwrap_err(),
        BranchDb::open_read_only(&branch.path(), Some(&code("B"))).unwrap_err(),
        BranchDb::create(&branch.path(), &code("B"), 1, at(0).wall).unwrap_err(),
    ] {
        let said = error.to_string();
        assert!(
            matches!(error, OpenError::OtherBranch { .. }) && said.contains("branch A") && said.contains("to B"),
            "{said}"
        );
    }
    assert_eq!(BranchDb::open(&branch.path(), None).unwrap().branch(), &code("A"));
}

#[test]
fn a_missing_database_is_not_made_by_opening_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    assert!(matches!(BranchDb::open(&path, None), Err(OpenError::NoDatabase { .. })));
    assert!(matches!(
        BranchDb::open_read_only(&path, None),
        Err(OpenError::NoDatabase { .. })
    ));
    assert!(!path.exists());
}

#[test]
fn an_empty_file_is_no_database_and_can_be_made_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    fs::write(&path, "").unwrap();
    assert!(matches!(BranchDb::open(&path, None), Err(OpenError::NoDatabase { .. })));
    BranchDb::create(&path, &code("A"), 1, at(0).wall).unwrap();
    assert!(BranchDb::open(&path, None).is_ok());
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("sales.csv");
    fs::write(&text, "date,product\n".repeat(100)).unwrap();
    assert!(matches!(BranchDb::open(&text, None), Err(OpenError::NotOurs { .. })));
    assert!(matches!(
        BranchDb::create(&text, &code("A"), 1, at(0).wall),
        Err(OpenError::NotOurs { .. })
    ));
    assert_eq!(fs::read_to_string(&text).unwrap(), "date,product\n".repeat(100));

    let other = folder.path().join("other.db");
    let mut conn = SqliteConnection::establish(other.to_str().unwrap()).unwrap();
    conn.batch_execute("CREATE TABLE branch (name TEXT)").unwrap();
    let before = fs::read(&other).unwrap();
    assert!(matches!(BranchDb::open(&other, None), Err(OpenError::NotOurs { .. })));
    assert!(matches!(
        BranchDb::create(&other, &code("A"), 1, at(0).wall),
        Err(OpenError::NotOurs { .. })
    ));
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[test]
fn a_newer_database_is_refused() {
    let mut branch = Fixture::new();
    branch
        .db
        .conn
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')")
        .unwrap();
    for error in [
        BranchDb::open(&branch.path(), None).unwrap_err(),
        BranchDb::open_read_only(&branch.path(), None).unwrap_err(),
        BranchDb::create(&branch.path(), &code("A"), 1, at(0).wall).unwrap_err(),
    ] {
        assert!(
            matches!(&error, OpenError::Newer { version, .. } if version == "29991231000000"),
            "{error}"
        );
    }
}

#[test]
fn strange_letters_in_a_path_are_only_letters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("50% of #1?mode=memory é.db");
    BranchDb::create(&path, &code("A"), 1, at(0).wall).unwrap();
    assert!(path.exists());
    assert!(BranchDb::open(&path, None).is_ok());
}

#[test]
fn what_is_opened_to_be_read_is_not_written() {
    let mut branch = Fixture::new();
    branch.sell();
    let mut reader = BranchDb::open_read_only(&branch.path(), Some(&code("A"))).unwrap();
    assert_eq!(reader.status().unwrap().rows, 1);
    assert!(reader.audit().unwrap().is_clean());
    let written = reader.save_sale(&super::super::fixture::lantern(), None, at(2).wall);
    assert!(
        matches!(written, Err(crate::store::StoreError::ReadOnly(_))),
        "{written:?}"
    );
}

#[test]
fn a_group_that_may_write_the_folder_may_write_the_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let path = folder.path().join("a.db");
    let mut db = BranchDb::create(&path, &code("A"), 1, at(0).wall).unwrap();
    db.save_sale(&super::super::fixture::lantern(), None, at(1).wall)
        .unwrap();
    let _lock = WorkerLock::try_take(&path).unwrap().unwrap();
    for name in ["a.db", "a.db-wal", "a.db-shm", "a.db.worker-lock"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().mode();
        assert_eq!(mode & 0o060, 0o060, "{name}: {mode:o}");
    }
}

#[test]
fn one_program_wins_the_election_and_the_next_one_follows_it() {
    let branch = Fixture::new();
    let holder = WorkerLock::try_take(&branch.path()).unwrap();
    assert!(holder.is_some());
    assert!(WorkerLock::try_take(&branch.path()).unwrap().is_none());
    drop(holder);
    assert!(WorkerLock::try_take(&branch.path()).unwrap().is_some());
}

#[test]
fn another_program_sees_what_was_committed() {
    let mut branch = Fixture::new();
    let mut other = BranchDb::open(&branch.path(), Some(&code("A"))).unwrap();
    let before = other.data_version().unwrap();
    let sale = branch.sell();
    assert_ne!(other.data_version().unwrap(), before);
    assert_eq!(other.last_sale().unwrap(), Some(sale));
}
