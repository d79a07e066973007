//! The till: entering, editing and voiding sales. Each is one transaction, synced to the disk before it returns.

use diesel::prelude::*;

use super::kept::Kept;
use super::{BranchDb, drafts, ledgers, log, place, sales};
use crate::domain::event::LogEvent;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// Why a sale was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such sale.
    #[error("there is no sale {0}")]
    NoSuchSale(SaleId),
    /// The sale has been changed since the revision that the change was made from.
    #[error("sale {} has been changed meanwhile: it is at revision {}; look at it again, then make your change", now.id, now.revision)]
    Moved {
        /// The sale as it is now.
        now: Box<Sale>,
    },
    /// The sale is voided, and a voided sale stays as it is.
    #[error("sale {0} is voided and can't be changed any more: enter a new sale instead")]
    AlreadyVoid(SaleId),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for ChangeError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

impl BranchDb {
    /// Enters a sale; the draft that it was typed as, by its screen and number, goes with it.
    ///
    /// # Errors
    /// When the database can't be written; then nothing is saved and the draft is still there.
    pub fn save_sale(
        &mut self,
        content: &SaleContent,
        typed: Option<(&str, i64)>,
        now: UtcMillis,
    ) -> Result<Sale, StoreError> {
        self.write(|conn, kept| {
            let ledger = ledgers::current(conn)?;
            let sale = Sale {
                id: sales::insert(conn, ledger.no, content, now)?,
                ledger: ledger.id,
                revision: Revision::FIRST,
                content: content.clone(),
                created_at: now,
                updated_at: now,
                deleted_at: None,
            };
            kept.add(&sale);
            place::enter_outbox(conn, kept, &sale, 0)?;
            drafts::drop(conn, typed)?;
            log::write(conn, LogEvent::Saved(sale.id), now)?;
            Ok(sale)
        })
    }

    /// Gives a sale another content, as the revision after `from`; the draft that it was typed as, by its screen and number, goes with it.
    ///
    /// # Errors
    /// When the sale is not there, is voided, or is no longer at revision `from`, or the database can't be written.
    pub fn save_edit(
        &mut self,
        id: SaleId,
        from: Revision,
        content: &SaleContent,
        typed: Option<(&str, i64)>,
        now: UtcMillis,
    ) -> Result<Sale, ChangeError> {
        self.write(|conn, kept| {
            let sale = change(conn, kept, id, from, |sale| {
                sale.content = content.clone();
                sale.updated_at = now;
            })?;
            drafts::drop(conn, typed)?;
            log::write(conn, LogEvent::Edited(id, sale.revision), now)?;
            Ok(sale)
        })
    }

    /// Voids a sale with the revision after `from`. The row stays.
    ///
    /// # Errors
    /// When the sale is not there, is voided already, or is no longer at revision `from`, or the database can't be written.
    pub fn void_sale(&mut self, id: SaleId, from: Revision, now: UtcMillis) -> Result<Sale, ChangeError> {
        self.write(|conn, kept| {
            let sale = change(conn, kept, id, from, |sale| {
                sale.updated_at = now;
                sale.deleted_at = Some(now);
            })?;
            log::write(conn, LogEvent::Voided(id, sale.revision), now)?;
            Ok(sale)
        })
    }
}

fn change(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    id: SaleId,
    from: Revision,
    edit: impl FnOnce(&mut Sale),
) -> Result<Sale, ChangeError> {
    let (old, place) = place::find(conn, id)?.ok_or(ChangeError::NoSuchSale(id))?;
    if old.revision != from {
        return Err(ChangeError::Moved { now: Box::new(old) });
    }
    if old.is_void() {
        return Err(ChangeError::AlreadyVoid(id));
    }
    let mut new = old.clone();
    edit(&mut new);
    new.revision = old.revision.next();
    supersede(conn, kept, &old, &place, &new)?;
    Ok(new)
}

/// Puts `new` in the place of `old`, wherever that is, and has it wait to be sent.
pub(super) fn supersede(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    old: &Sale,
    place: &place::Place,
    new: &Sale,
) -> Result<(), StoreError> {
    place::leave(conn, kept, old, place)?;
    sales::replace(conn, new)?;
    kept.remove(old);
    kept.add(new);
    place::enter_outbox(conn, kept, new, place.last_acked(old.revision))
}
