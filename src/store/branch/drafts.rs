//! What is being typed on each screen, kept so that it survives a dropped line, a kill and a power cut.

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
    /// Keeps what is typed on a screen, in place of what was kept for it before.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn keep_draft(&mut self, draft: &KeptDraft) -> Result<(), StoreError> {
        let row = columns(draft);
        transaction::in_turn(&mut self.conn, |conn| {
            diesel::insert_into(drafts::table)
                .values(&row)
                .on_conflict(drafts::screen)
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

    /// Forgets what was typed on a screen.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn drop_draft(&mut self, screen: &str) -> Result<(), StoreError> {
        transaction::in_turn(&mut self.conn, |conn| drop(conn, Some(screen)))
    }

    /// Takes over the newest draft of a screen that is no longer alive: it belongs to `screen` from now on, so it is offered once. A screen that has a draft of
    /// its own takes over none.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn adopt_draft(&mut self, alive: &dyn Fn(&str) -> bool, screen: &str) -> Result<Option<KeptDraft>, StoreError> {
        transaction::in_turn(&mut self.conn, |conn| {
            let newest_first = drafts::table.order(drafts::kept_at.desc()).load::<DraftRow>(conn)?;
            if newest_first.iter().any(|row| row.screen == screen) {
                return Ok(None);
            }
            let left = newest_first.into_iter().find(|row| !alive(&row.screen));
            let Some(mut row) = left else { return Ok(None) };
            diesel::update(drafts::table.find(&row.screen))
                .set(drafts::screen.eq(screen))
                .execute(conn)?;
            screen.clone_into(&mut row.screen);
            draft(row).map(Some)
        })
    }
}

/// Forgets what was typed on a screen, if it is one.
pub(super) fn drop(conn: &mut SqliteConnection, screen: Option<&str>) -> Result<(), StoreError> {
    if let Some(screen) = screen {
        diesel::delete(drafts::table.find(screen)).execute(conn)?;
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
