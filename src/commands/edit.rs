//! `branchline edit`: writes a new revision of one sale in which only the given fields differ.

use super::{CommandError, Console, Exit, defaults, in_one_line, wrong_fields};
use crate::clock;
use crate::config::Settings;
use crate::domain::draft::{Draft, Field};
use crate::domain::ids::SaleId;
use crate::store::branch::{BranchDb, ChangeError};

pub(super) fn run(
    db: &mut BranchDb,
    id: SaleId,
    changes: &[(Field, String)],
    settings: &Settings,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    if changes.is_empty() {
        return Err(CommandError::NoChange(id));
    }
    let sale = db.sale(id)?.ok_or(ChangeError::NoSuchSale(id))?.sale;
    if sale.is_void() {
        return Err(ChangeError::AlreadyVoid(id).into());
    }
    let mut draft = Draft::of(&sale.content);
    for (field, text) in changes {
        text.clone_into(draft.field_mut(*field));
    }
    let defaults = defaults(settings, db.branch());
    let content = draft.check(&defaults).map_err(|errors| wrong_fields(&errors))?;
    if content == sale.content {
        console.say(&format!(
            "Nothing changed: {} is like that already.",
            in_one_line(&sale)
        ))?;
        return Ok(Exit::Done);
    }
    let sale = db.save_edit(id, sale.revision, &content, None, clock::wall())?;
    console.say(&format!("Changed {}.", in_one_line(&sale)))?;
    Ok(Exit::Done)
}
