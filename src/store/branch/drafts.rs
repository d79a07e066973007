//! What is being typed on each screen, kept so that it survives a dropped line, a kill and a power cut. A screen may have several drafts; it numbers them from one.

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::schema::drafts;
use super::{BranchDb, values};
use crate::domain::draft::Draft;
use crate::domain::read::KeptDraft;
use crate::domain::time::UtcMillis;
use crate::store::{StoreError, transaction};

#[derive(Debug, Queryable, Insertable)]
#[diesel(table_name = drafts, treat_none_as_default_value = false)]
struct DraftRow {
    screen: String,
    no: i64,
    kept_at: i64,
    editing_id: Option<i64>,
    editing_revision: Option<i64>,
    product: String,
    qty: String,
    cost: String,
    tax: String,
    date: String,
    region: String,
}

impl BranchDb {
    /// Keeps what is typed on a screen, in place of what was kept under the same number before.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn keep_draft(&mut self, draft: &KeptDraft) -> Result<(), StoreError> {
        let row = columns(draft);
        transaction::in_turn(&mut self.conn, |conn| {
            diesel::insert_into(drafts::table)
                .values(&row)
                .on_conflict((drafts::screen, drafts::no))
                .do_update()
                .set((
                    drafts::kept_at.eq(excluded(drafts::kept_at)),
                    drafts::editing_id.eq(excluded(drafts::editing_id)),
                    drafts::editing_revision.eq(excluded(drafts::editing_revision)),
                    drafts::product.eq(excluded(drafts::product)),
                    drafts::qty.eq(excluded(drafts::qty)),
                    drafts::cost.eq(excluded(drafts::cost)),
                    drafts::tax.eq(excluded(drafts::tax)),
                    drafts::date.eq(excluded(drafts::date)),
                    drafts::region.eq(excluded(drafts::region)),
                ))
                .execute(conn)?;
            Ok(())
        })
    }

    /// Forgets a draft of a screen.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn drop_draft(&mut self, screen: &str, no: i64) -> Result<(), StoreError> {
        transaction::in_turn(&mut self.conn, |conn| drop(conn, Some((screen, no))))
    }

    /// Takes over the drafts of the screen that typed last of those that are no longer alive, the newest last: they belong to `screen` from now on, so they are offered
    /// once, under numbers below zero, which no screen gives itself. A screen that has a draft of its own takes over none.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn adopt_drafts(&mut self, alive: &dyn Fn(&str) -> bool, screen: &str) -> Result<Vec<KeptDraft>, StoreError> {
        transaction::in_turn(&mut self.conn, |conn| {
            let mut rows = drafts::table.order(drafts::kept_at.asc()).load::<DraftRow>(conn)?;
            if rows.iter().any(|row| row.screen == screen) {
                return Ok(Vec::new());
            }
            let Some(dead) = rows.iter().rfind(|row| !alive(&row.screen)) else {
                return Ok(Vec::new());
            };
            let dead = dead.screen.clone();
            rows.retain(|row| row.screen == dead);
            let take = |(row, taken): (DraftRow, i64)| {
                let no = -taken;
                diesel::update(drafts::table.find((&row.screen, row.no)))
                    .set((drafts::screen.eq(screen), drafts::no.eq(no)))
                    .execute(conn)?;
                let screen = screen.to_owned();
                draft(DraftRow { screen, no, ..row })
            };
            rows.into_iter().zip(1..).map(take).collect()
        })
    }
}

/// Forgets the draft of a screen with a number, if it is one.
pub(super) fn drop(conn: &mut SqliteConnection, typed: Option<(&str, i64)>) -> Result<(), StoreError> {
    if let Some(key) = typed {
        diesel::delete(drafts::table.find(key)).execute(conn)?;
    }
    Ok(())
}

fn columns(kept: &KeptDraft) -> DraftRow {
    let Draft {
        product,
        qty,
        cost,
        tax,
        date,
        region,
    } = kept.draft.clone();
    DraftRow {
        screen: kept.screen.clone(),
        no: kept.no,
        kept_at: kept.at.0,
        editing_id: kept.editing.map(|(id, _)| id.get()),
        editing_revision: kept.editing.map(|(_, revision)| i64::from(revision.get())),
        product,
        qty,
        cost,
        tax,
        date,
        region,
    }
}

fn draft(row: DraftRow) -> Result<KeptDraft, StoreError> {
    let editing = row.editing_id.zip(row.editing_revision);
    Ok(KeptDraft {
        screen: row.screen,
        no: row.no,
        draft: Draft {
            product: row.product,
            qty: row.qty,
            cost: row.cost,
            tax: row.tax,
            date: row.date,
            region: row.region,
        },
        editing: editing
            .map(|(id, revision)| Ok::<_, StoreError>((values::sale_id(id)?, values::revision(revision)?)))
            .transpose()?,
        at: UtcMillis(row.kept_at),
    })
}
