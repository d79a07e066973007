//! How tests outside the store do to head office's database what no program does.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// Makes every insertion of a sale fail as a broken disk does.
pub(crate) fn break_disk(database: &Path) {
    execute(
        database,
        "CREATE TRIGGER broken BEFORE INSERT ON sales BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END",
    );
}

/// Undoes [`break_disk`].
pub(crate) fn mend_disk(database: &Path) {
    execute(database, "DROP TRIGGER broken");
}

fn execute(database: &Path, sql: &str) {
    let mut conn = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    conn.batch_execute(sql).unwrap();
}
