//! HQ's verdict on one row of a batch.

use crate::domain::ids::{BranchCode, Revision};
use crate::domain::sale::Sale;
use crate::domain::sync_state::{MAX_DAYS_AHEAD, Refusal};
use crate::domain::time::UtcMillis;

/// What HQ does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// New, or newer than what HQ holds: store it, and keep what it replaces.
    Apply,
    /// HQ holds this very revision with this very content: say so again.
    Duplicate,
    /// HQ holds this revision with another content, or another sale altogether.
    Conflict,
    /// HQ holds a newer revision.
    Stale,
}

/// Compares a row with what HQ holds under its key.
#[must_use]
pub fn judge(branch: &BranchCode, held: Option<&Sale>, incoming: &Sale) -> Verdict {
    let Some(held) = held else { return Verdict::Apply };
    if !same_sale(held, incoming) {
        return Verdict::Conflict;
    }
    match incoming.revision.cmp(&held.revision) {
        std::cmp::Ordering::Greater => Verdict::Apply,
        std::cmp::Ordering::Less => Verdict::Stale,
        std::cmp::Ordering::Equal if incoming.digest(branch) == held.digest(branch) => Verdict::Duplicate,
        std::cmp::Ordering::Equal => Verdict::Conflict,
    }
}

/// Whether two sales under one key are one sale. A copied or restored database gives ids out a second time; no edit changes when a sale was entered.
#[must_use]
pub fn same_sale(one: &Sale, other: &Sale) -> bool {
    one.created_at == other.created_at
}

/// Whether a row may be stored at all, whatever HQ holds. A void is always storable: its content was judged, or never will be counted.
///
/// # Errors
/// The reason that goes into the receipt.
pub fn admit(incoming: &Sale, hq_clock: UtcMillis) -> Result<(), Refusal> {
    if incoming.is_void() {
        return Ok(());
    }
    incoming.content.validate().map_err(Refusal::Content)?;
    if incoming.content.date.and_utc().timestamp_millis() <= hq_clock.0 {
        // Nearly every sale is of the past, and to compare days takes longer.
        return Ok(());
    }
    let days = (incoming.content.date.date() - hq_clock.to_utc().date_naive()).num_days();
    match u32::try_from(days) {
        Ok(days) if days > MAX_DAYS_AHEAD => Err(Refusal::DateAhead { days }),
        _ => Ok(()),
    }
}

/// What a held sale means for a branch that has the same sale at `newest`: whether the two differ, so that somebody must choose.
#[must_use]
pub fn differs(branch: &BranchCode, newest: &Sale, held: &Sale) -> bool {
    match held.revision.cmp(&newest.revision) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => held.digest(branch) != newest.digest(branch),
        // What is newer here is still on its way and will be applied above what HQ holds.
        std::cmp::Ordering::Less => false,
    }
}

/// The revision that a branch writes to have its own content win over what HQ holds.
#[must_use]
pub fn above(mine: Revision, held: Revision) -> Revision {
    mine.max(held).next()
}
