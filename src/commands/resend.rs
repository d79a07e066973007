//! `branchline resend`: puts acknowledged sales back among those that wait. HQ takes what it has lost and answers for the rest.

use super::{CommandError, Console, Exit};
use crate::clock;
use crate::config::DayRange;
use crate::store::branch::BranchDb;
use crate::text::Text;

pub(super) fn run(db: &mut BranchDb, days: DayRange, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let sales = db.resend(days.from, days.to, clock::wall())?;
    let text = Text::english();
    let sentence = match sales {
        0 => "Head office has acknowledged no sale of these days: nothing to send again.".to_owned(),
        1 => "1 sale waits to be sent again.".to_owned(),
        _ => format!("{} sales wait to be sent again.", text.count(sales.into())),
    };
    console.say(&sentence)?;
    Ok(Exit::Done)
}
