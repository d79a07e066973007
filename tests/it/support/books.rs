//! The books of both sides, compared row by row as somebody who comes with SQL would.

use std::fmt::Write;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::place::Place;

/// Every field of a sale at a branch, in the order of [`AT_HQ`].
const AT_BRANCH: &str = "l.ledger, s.id, s.revision, s.date, p.name AS product, r.name AS region, s.qty, s.cost, s.tax, \
    s.created_at, s.updated_at, s.deleted_at";

/// The same at head office.
const AT_HQ: &str =
    "ledger, external_id AS id, revision, date, product, region, qty, cost, tax, created_at, updated_at, deleted_at";

/// How many differing rows a failure shows.
const SHOWN: i64 = 5;

#[derive(QueryableByName)]
struct One {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Head office's books, opened beside those of some databases of one branch.
struct Books {
    hq: SqliteConnection,
    branch: String,
    /// The sales of all databases of the branch, as one query.
    sold: String,
    /// The revisions that newer ones have replaced there.
    replaced: String,
}

impl Books {
    fn open(place: &Place, hq: &str, databases: &[&str]) -> Self {
        let mut hq = connect(&place.db(hq));
        let (mut sold, mut replaced) = (Vec::new(), Vec::new());
        for (number, name) in databases.iter().enumerate() {
            diesel::sql_query(format!("ATTACH ? AS b{number}"))
                .bind::<Text, _>(place.db(name).to_str().unwrap())
                .execute(&mut hq)
                .unwrap();
            let rows = |table: &str| {
                format!(
                    "SELECT {AT_BRANCH} FROM b{number}.{table} s JOIN b{number}.ledgers l ON l.no = s.ledger_no \
                     JOIN b{number}.products p ON p.no = s.product_no JOIN b{number}.regions r ON r.no = s.region_no"
                )
            };
            sold.push(rows("sales"));
            replaced.push(rows("sale_revisions"));
        }
        let branch = databases[0].split('@').next().unwrap().to_owned();
        Self {
            hq,
            branch,
            sold: sold.join(" UNION "),
            replaced: replaced.join(" UNION "),
        }
    }

    fn received(&self, table: &str) -> String {
        format!("SELECT {AT_HQ} FROM main.{table} WHERE branch = '{}'", self.branch)
    }

    /// The rows of one query that another one lacks, as text.
    fn lacking(&mut self, rows: &str, others: &str) -> Vec<String> {
        let query = format!(
            "SELECT format('id %d revision %d %s x%d %d', id, revision, product, qty, cost) AS line FROM \
             (SELECT * FROM ({rows}) EXCEPT SELECT * FROM ({others})) LIMIT {SHOWN}"
        );
        let lines: Vec<Line> = diesel::sql_query(query).load(&mut self.hq).unwrap();
        lines.into_iter().map(|line| line.line).collect()
    }

    fn count(&mut self, what: &str) -> i64 {
        let one: One = diesel::sql_query(format!("SELECT count(*) AS count FROM {what}"))
            .get_result(&mut self.hq)
            .unwrap();
        one.count
    }
}

fn connect(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    diesel::sql_query("PRAGMA busy_timeout = 5000")
        .execute(&mut conn)
        .unwrap();
    conn
}

/// Requires that head office holds just the sales that these databases of one branch hold together: each once, at the same revision, the same in every field.
pub(crate) fn assert_same(place: &Place, hq: &str, databases: &[&str]) {
    let mut books = Books::open(place, hq, databases);
    let (sold, received) = (books.sold.clone(), books.received("sales"));
    let mut wrong = String::new();
    for (what, rows) in [
        ("not at head office", books.lacking(&sold, &received)),
        ("only at head office", books.lacking(&received, &sold)),
    ] {
        for row in rows {
            let _ = writeln!(wrong, "{what}: {row}");
        }
    }
    assert!(wrong.is_empty(), "{databases:?} and {hq} differ:\n{wrong}");
    let count = (books.count(&format!("({sold})")), books.count(&format!("({received})")));
    assert_eq!(count.0, count.1, "some sale is at head office twice");
    assert_eq!(
        books.count("quarantine"),
        0,
        "head office could not read something, or did not trust it"
    );
}

/// Requires that both sides are done with one database of a branch: the same sales, all of them acknowledged, nothing refused, nothing in conflict, every count
/// right, and no replaced revision at head office that the branch never wrote.
pub(crate) fn assert_settled(place: &Place, hq: &str, name: &str) {
    let mut db = place.branch(name);
    let status = db.status().unwrap();
    assert_eq!(
        (status.acked, status.conflicts, status.rejected),
        (status.rows, 0, 0),
        "{status:?}"
    );
    let audit = db.audit().unwrap();
    assert!(audit.is_clean(), "{name}: {audit}");
    assert_same(place, hq, &[name]);
    let mut books = Books::open(place, hq, &[name]);
    assert_eq!(books.count("sale_conflicts"), 0, "head office keeps conflicts");
    let (replaced, received) = (books.replaced.clone(), books.received("sale_revisions"));
    assert_eq!(
        books.lacking(&received, &replaced),
        [""; 0],
        "head office holds revisions that were never written"
    );
}

/// How many sales head office holds, if its database is there and readable by now.
pub(crate) fn rows_at_hq(place: &Place) -> Option<i64> {
    let path = place.db("hq");
    if !path.exists() {
        return None;
    }
    let mut hq = SqliteConnection::establish(path.to_str()?).ok()?;
    diesel::sql_query("PRAGMA busy_timeout = 2000").execute(&mut hq).ok()?;
    let count: One = diesel::sql_query("SELECT count(*) AS count FROM sales")
        .get_result(&mut hq)
        .ok()?;
    Some(count.count)
}

/// Runs one statement on a database, as somebody who comes with SQL.
pub(crate) fn change(path: &Path, statement: &str) {
    diesel::sql_query(statement).execute(&mut connect(path)).unwrap();
}

/// One number out of a database.
pub(crate) fn number(path: &Path, query: &str) -> i64 {
    let one: One = diesel::sql_query(query).get_result(&mut connect(path)).unwrap();
    one.count
}
