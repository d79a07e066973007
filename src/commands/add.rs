//! `branchline add`: enters one sale, as the screen's form does.

use super::{CommandError, Console, Exit, defaults, in_one_line, wrong_fields};
use crate::clock;
use crate::config::Settings;
use crate::domain::draft::Draft;
use crate::store::branch::BranchDb;

pub(super) fn run(
    db: &mut BranchDb,
    draft: &Draft,
    settings: &Settings,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let defaults = defaults(settings, db.branch());
    let content = draft.check(&defaults).map_err(|errors| wrong_fields(&errors))?;
    let sale = db.save_sale(&content, None, clock::wall())?;
    console.say(&format!("Saved {}.", in_one_line(&sale)))?;
    Ok(Exit::Done)
}
