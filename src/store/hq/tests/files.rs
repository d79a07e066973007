//! The file: made, opened, refused.

use super::*;

#[test]
fn a_database_knows_itself_and_what_it_replaces() {
    let mut hq = hq();
    let gone = [StoreId::from_random(1), StoreId::from_random(2)];
    for store in gone {
        hq.db.replace(store, NOW).unwrap();
        hq.db.replace(store, NOW).unwrap();
    }
    let own = hq.db.store();
    assert!(matches!(hq.db.replace(own, NOW), Err(open::ReplaceError::Itself(_))));
    for more in 3..=32 {
        hq.db.replace(StoreId::from_random(more + 10), NOW).unwrap();
    }
    assert!(matches!(
        hq.db.replace(StoreId::from_random(99), NOW),
        Err(open::ReplaceError::TooMany)
    ));
    let hq = hq.reopened();
    assert_eq!((hq.db.store(), &hq.db.replaces()[..2]), (own, &gone[..]));
    assert_eq!(hq.db.replaces().len(), 32);
    // Whoever makes it a second time gets the first one.
    let again = HqDb::create(&hq.db.path, 1_000, NOW).unwrap();
    assert_eq!(again.store(), own);
}

#[test]
fn only_a_head_office_database_that_is_there_is_opened() {
    let hq = hq();
    let path = |name: &str| hq.folder.path().join(name);
    assert!(matches!(
        HqDb::open(&path("none.db")),
        Err(OpenError::NoDatabase { .. })
    ));
    assert!(!path("none.db").exists());
    std::fs::write(path("empty.db"), b"").unwrap();
    assert!(matches!(
        HqDb::open(&path("empty.db")),
        Err(OpenError::NoDatabase { .. })
    ));
    std::fs::write(path("text.db"), "not a database at all, but rather long".repeat(100)).unwrap();
    assert!(matches!(HqDb::open(&path("text.db")), Err(OpenError::NotOurs { .. })));
    let mut other = SqliteConnection::establish(path("other.db").to_str().unwrap()).unwrap();
    other.batch_execute("CREATE TABLE branch (x)").unwrap();
    assert!(matches!(HqDb::open(&path("other.db")), Err(OpenError::NotOurs { .. })));
    assert!(matches!(
        HqDb::create(&path("other.db"), 1, NOW),
        Err(OpenError::NotOurs { .. })
    ));
}

#[test]
fn a_newer_database_is_refused() {
    let mut hq = hq();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')";
    hq.db.conn.batch_execute(newer).unwrap();
    let path = hq.db.path.clone();
    assert!(matches!(HqDb::open(&path), Err(OpenError::Newer { version, .. }) if version == "29991231235959"));
}

#[test]
fn two_that_start_at_once_make_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = &folder.path().join("deep/down/hq.db");
    let stores: Vec<_> = std::thread::scope(|scope| {
        let makers: Vec<_> = (1..=4)
            .map(|bits| scope.spawn(move || HqDb::create(path, bits, NOW).unwrap().store()))
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    assert!(stores.windows(2).all(|pair| pair[0] == pair[1]), "{stores:?}");
}

#[test]
fn commits_are_on_the_disk_before_they_are_told() {
    let mut hq = hq();
    assert_eq!(hq.number("SELECT synchronous FROM pragma_synchronous"), 2);
    assert_eq!(
        hq.text("SELECT journal_mode FROM pragma_journal_mode").as_deref(),
        Some("wal")
    );
    assert_eq!(hq.number("SELECT foreign_keys FROM pragma_foreign_keys"), 1);
}
