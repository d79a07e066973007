//! `branchline void`: voids one sale; the row stays, as a revision that counts for nothing.

use super::{CommandError, Console, Exit, in_one_line};
use crate::clock;
use crate::domain::ids::SaleId;
use crate::store::branch::{BranchDb, ChangeError};

pub(super) fn run(db: &mut BranchDb, id: SaleId, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let sale = db.sale(id)?.ok_or(ChangeError::NoSuchSale(id))?.sale;
    let sale = db.void_sale(id, sale.revision, clock::wall())?;
    console.say(&format!("Voided {}.", in_one_line(&sale)))?;
    Ok(Exit::Done)
}
