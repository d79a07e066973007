//! How tests outside the store do to head office's database what no program does.

use std::path::Path;

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation};
use diesel::prelude::*;

/// A product whose sales end the program, as a mistake in it would; only in databases that have this word in their path.
pub(crate) const POISON: &str = "POISON";

/// Has every database that is opened from now on, and has [`POISON`] in its path, end the program that writes a sale of that name.
pub(crate) fn be_poisonous() {
    set_default_instrumentation(|| Some(Box::new(Poisonous { here: false }))).unwrap();
}

struct Poisonous {
    here: bool,
}

impl Instrumentation for Poisonous {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => self.here = url.contains(POISON),
            InstrumentationEvent::StartQuery { query, .. } if self.here => {
                assert!(!query.to_string().contains(POISON), "a mistake on purpose");
            }
            _ => {}
        }
    }
}

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

/// Makes the product names unreadable, as a damaged page does.
pub(crate) fn hide_names(database: &Path) {
    execute(database, "ALTER TABLE product_names RENAME TO hidden_names");
}

/// Undoes [`hide_names`].
pub(crate) fn show_names(database: &Path) {
    execute(database, "ALTER TABLE hidden_names RENAME TO product_names");
}

fn execute(database: &Path, sql: &str) {
    let mut conn = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    conn.batch_execute(sql).unwrap();
}
