//! A row's story: what was written, when it was sent, what HQ said.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};

use super::place::MAX_BATCH_ROWS;
use super::statement::sql;
use super::{BranchDb, place, retries, sales, values};
use crate::domain::ids::SaleId;
use crate::domain::read::{Chapter, ChapterKind, SaleRow, Story};
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

impl BranchDb {
    /// Everything that happened to one sale, oldest first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn story(&mut self, id: SaleId) -> Result<Option<Story>, StoreError> {
        self.conn.transaction(|conn| {
            let Some((sale, place)) = place::find(conn, id)? else {
                return Ok(None);
            };
            let mut chapters: Vec<Chapter> = sales::replaced(conn, id)?
                .into_iter()
                .chain([sale.clone()])
                .map(|sale| Chapter {
                    at: sale.updated_at,
                    what: ChapterKind::Written(Box::new(sale)),
                })
                .collect();
            chapters.extend(journeys(conn, id)?);
            // A stable order: what happened in the same millisecond stays as written, sent, answered.
            chapters.sort_by_key(|chapter| chapter.at);
            let at_hq = retries::at_hq(conn, &sale)?;
            let row = SaleRow {
                sale,
                sync: place.state(),
            };
            Ok(Some(Story { row, chapters, at_hq }))
        })
    }
}

type Journey = (i64, i64, i64, Option<i64>, Option<i64>, Option<i64>, bool);

/// What became of each batch that had the sale.
fn journeys(conn: &mut SqliteConnection, id: SaleId) -> Result<Vec<Chapter>, StoreError> {
    let batches: Vec<Journey> = sql::<(
        BigInt,
        BigInt,
        BigInt,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Bool,
    )>(
        "SELECT r.revision, b.made_at, b.attempt, b.given_up_at, b.answered_at, b.hq_clock, \
           EXISTS (SELECT 1 FROM batch_exceptions x WHERE x.batch_no = b.no AND x.first_id <= ? AND x.first_id + x.count > ?) \
         FROM batch_runs r CROSS JOIN batches b ON b.no = r.batch_no \
         WHERE r.first_id BETWEEN ? - ? AND ? AND r.first_id + r.count > ? ORDER BY b.no",
    )
    .int(id.get())
    .int(id.get())
    .int(id.get())
    .int(i64::from(MAX_BATCH_ROWS))
    .int(id.get())
    .int(id.get())
    .load(conn)?;
    let mut chapters = Vec::new();
    for (revision, made_at, attempt, given_up_at, answered_at, hq_clock, excepted) in batches {
        let revision = values::revision(revision)?;
        let mut chapter = |at: i64, what| {
            chapters.push(Chapter {
                at: UtcMillis(at),
                what,
            });
        };
        let attempt = values::count(attempt)?;
        chapter(made_at, ChapterKind::Sent { revision, attempt });
        if let Some(at) = given_up_at {
            chapter(at, ChapterKind::GivenUp { revision });
        }
        if let (Some(at), Some(hq_clock), false) = (answered_at, hq_clock, excepted) {
            let hq_clock = UtcMillis(hq_clock);
            chapter(at, ChapterKind::Acked { revision, hq_clock });
        }
    }
    Ok(chapters)
}
