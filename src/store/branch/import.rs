//! Files of sales into the database, part by part, each in one transaction together with how far the file has been taken.
//!
//! Reading and checking the file is not done here. The caller pauses between the chunks, so that the till gets its turn.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::dictionary::{self, Named};
use super::schema::imports;
use super::statement::{Value, sql};
use super::{BranchDb, ledgers, log, sales, values};
use crate::domain::event::{LogEvent, Sales};
use crate::domain::money::MoneySum;
use crate::domain::sale::SaleContent;
use crate::domain::time::UtcMillis;
use crate::store::{StoreError, transaction};

/// How far a file has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportProgress {
    /// The last line that was taken or refused.
    pub last_line: u64,
    /// Whether the file was taken to its end.
    pub finished: bool,
}

/// One statement inserts so many sales.
const ROWS_A_STATEMENT: usize = 64;

impl BranchDb {
    /// How far the file with this digest has been taken; `None`: not at all.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn import_progress(&mut self, digest: &[u8; 32]) -> Result<Option<ImportProgress>, StoreError> {
        let record: Option<(i64, bool)> = imports::table
            .find(digest.as_slice())
            .select((imports::last_line, imports::finished))
            .first(&mut self.conn)
            .optional()?;
        record
            .map(|(last_line, finished)| {
                Ok(ImportProgress {
                    last_line: values::natural(last_line)?,
                    finished,
                })
            })
            .transpose()
    }

    /// Takes a part of a file in: its sales, and the line that it ends with. The caller sees to it that they are so few that nobody waits
    /// long for the transaction to end.
    ///
    /// # Errors
    /// When the database can't be written; then nothing of this part is taken.
    pub fn import_chunk(
        &mut self,
        digest: &[u8; 32],
        sales: &[SaleContent],
        last_line: u64,
        finished: bool,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        self.write(|conn, kept| {
            let before = sales::highest_id(conn)?;
            insert(conn, sales, before, now)?;
            for content in sales {
                kept.rows += 1;
                kept.sales += 1;
                kept.qty += i128::from(content.qty);
                kept.amount += content.amount().into();
                kept.tax += content.tax.into();
            }
            let rows = i64::try_from(sales.len()).unwrap_or(i64::MAX);
            let money: MoneySum = sales.iter().map(SaleContent::total).sum();
            kept.waits(now, rows, money);
            note(conn, digest, last_line, finished, now)?;
            if rows > 0 {
                let sales = Sales {
                    count: values::count(rows)?,
                    first: values::sale_id(before + 1)?,
                    last: values::sale_id(before + rows)?,
                };
                log::write(conn, LogEvent::Imported { sales }, now)?;
            }
            Ok(())
        })
    }

    /// Forgets that the file with this digest was taken, so that it is taken again from its first line.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn import_again(&mut self, digest: &[u8; 32]) -> Result<(), StoreError> {
        transaction::immediate(&mut self.conn, |conn| {
            diesel::delete(imports::table.find(digest.as_slice())).execute(conn)?;
            Ok(())
        })
    }
}

fn note(
    conn: &mut SqliteConnection,
    digest: &[u8; 32],
    last_line: u64,
    finished: bool,
    now: UtcMillis,
) -> Result<(), StoreError> {
    diesel::insert_into(imports::table)
        .values((
            imports::digest.eq(digest.as_slice()),
            imports::last_line.eq(values::stored(last_line)),
            imports::finished.eq(finished),
            imports::updated_at.eq(now.0),
        ))
        .on_conflict(imports::digest)
        .do_update()
        .set((
            imports::last_line.eq(excluded(imports::last_line)),
            imports::finished.eq(excluded(imports::finished)),
            imports::updated_at.eq(excluded(imports::updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Inserts new sales behind id `before`, and into the outbox.
fn insert(
    conn: &mut SqliteConnection,
    contents: &[SaleContent],
    before: i64,
    now: UtcMillis,
) -> Result<(), StoreError> {
    let ledger = ledgers::current(conn)?.no;
    let names = Names::note(conn, contents, before)?;
    for chunk in contents.chunks(ROWS_A_STATEMENT) {
        let dates: Vec<String> = chunk.iter().map(|content| values::date_text(content.date)).collect();
        let rows = vec!["(?, 1, ?, ?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ");
        let mut statement = sql::<()>(format!(
            "INSERT INTO sales (ledger_no, revision, date, product_no, region_no, qty, cost, tax, created_at, updated_at) VALUES {rows}"
        ));
        for (content, date) in chunk.iter().zip(&dates) {
            let number = |number: i64| Value::Int(Some(number));
            statement = statement.values([
                number(ledger),
                Value::Text(date),
                number(names.products[&*content.product]),
                number(names.regions[&*content.region]),
                number(i64::from(content.qty)),
                number(content.cost.units()),
                number(content.tax.units()),
                number(now.0),
                number(now.0),
            ]);
        }
        statement.execute(conn)?;
    }
    sql::<()>(
        "INSERT INTO outbox (day, id, revision) SELECT substr(date, 1, 10), id, revision FROM sales WHERE id > ?",
    )
    .int(before)
    .execute(conn)?;
    Ok(())
}

/// The numbers of the names in a part of a file.
struct Names<'a> {
    products: BTreeMap<String, i64>,
    regions: BTreeMap<&'a str, i64>,
}

impl<'a> Names<'a> {
    /// Notes each name once, with the last sale that has it. New products are numbered in the order in which they first appear, in which their sales go: so the numbers of a
    /// batch mostly follow one another.
    fn note(conn: &mut SqliteConnection, contents: &'a [SaleContent], before: i64) -> Result<Self, StoreError> {
        let mut products = BTreeMap::new();
        let mut last_regions = BTreeMap::new();
        for (content, id) in contents.iter().zip(before + 1..) {
            let (_, cost, last) = products.entry(&*content.product).or_insert((id, content.cost, id));
            (*cost, *last) = (content.cost, id);
            last_regions.insert(&*content.region, id);
        }
        let mut products: Vec<_> = products.into_iter().collect();
        products.sort_unstable_by_key(|(_, (first, ..))| *first);
        let named: Vec<Named<'_>> = products
            .into_iter()
            .map(|(name, (_, cost, sale))| Named { name, cost, sale })
            .collect();
        let products = dictionary::products(conn, &named)?.into_iter().collect();
        let regions = last_regions
            .into_iter()
            .map(|(name, id)| Ok((name, dictionary::region(conn, name, id)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Self { products, regions })
    }
}
