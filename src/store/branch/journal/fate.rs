//! What a receipt makes of one row of its batch: a decision without SQL.
//!
//! A receipt may come late, twice or out of order, and the row may have been edited meanwhile. So a row's fate depends on where its newest revision is now, and
//! an answer about an older revision never changes where the newest one is.

use crate::domain::ids::{BranchCode, Run};
use crate::domain::money::MoneySum;
use crate::domain::sale::Sale;
use crate::domain::sync_state::{Refusal, SyncKind};
use crate::domain::time::UtcMillis;
use crate::protocol::message::{Outcome, Taken};
use crate::protocol::verdict;

/// Where the newest revision of a row of the answered batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowPlace {
    /// In the answered batch: it is still out, and the row has not been touched.
    Here,
    /// In the outbox: given back, or edited.
    Outbox,
    /// Refused, or in conflict.
    Held(SyncKind),
    /// At HQ, by another batch's receipt, or on its way in another batch.
    Elsewhere,
}

/// A row of the answered batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) id: i64,
    pub(super) day: String,
    /// The revision that the batch has.
    pub(super) revision: i64,
    /// The newest one.
    pub(super) newest: i64,
    /// When the newest one was written.
    pub(super) written_at: UtcMillis,
    pub(super) last_acked: i64,
    pub(super) counted: bool,
    pub(super) money: MoneySum,
    pub(super) place: RowPlace,
}

impl Carried {
    const fn is_newest(&self) -> bool {
        self.revision == self.newest
    }
}

/// What the receipt says of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Stored,
    Refused(&'a Refusal),
    Holds(&'a Sale),
    Nothing,
    Unreadable,
}

/// What becomes of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate<'a> {
    /// HQ has its newest revision.
    Acked,
    /// It needs a person: HQ refused it.
    Rejected(Refusal),
    /// It needs a person: HQ holds this.
    Conflict(&'a Sale),
    /// It shares its key with another sale, so it goes into its ledger's annex.
    Moves,
    /// It waits again, in the outbox, for a batch of at most so many rows.
    Waits { cap: Option<i64> },
    /// It waits already; its next batch has at most so many rows.
    Capped(i64),
    /// It stays where it is, but HQ is known to have had the batch's revision.
    Known,
    /// Nothing.
    Stays,
}

/// The receipt's words, by row.
#[derive(Debug)]
pub(super) enum Words<'a> {
    Taken { stored: Vec<Run>, taken: &'a Taken },
    Unreadable,
    NothingTaken,
}

impl<'a> Words<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Taken(taken) => {
                let mut stored = taken.stored.clone();
                stored.sort_unstable_by_key(|run| (run.first, run.revision));
                Self::Taken { stored, taken }
            }
            Outcome::Unreadable => Self::Unreadable,
            Outcome::TooNew | Outcome::UnknownProducts => Self::NothingTaken,
        }
    }

    /// Whether the receipt names all these rows as stored; `rows` are in the order of their ids.
    pub(super) fn stores_all(&self, rows: impl IntoIterator<Item = Run>) -> bool {
        let Self::Taken { stored, taken } = self else {
            return false;
        };
        taken.refused.is_empty() && taken.held.is_empty() && covers(stored, rows)
    }

    pub(super) fn about(&self, row: &Carried) -> Said<'a> {
        match self {
            Self::Unreadable => Said::Unreadable,
            Self::NothingTaken => Said::Nothing,
            Self::Taken { stored, taken } => {
                // Several runs may begin at one id, each at a revision of its own; a receipt has few of them.
                let begun = stored.partition_point(|run| run.first.get() <= row.id);
                let names = |run: &Run| i64::from(run.revision.get()) == row.revision && run.last().get() >= row.id;
                if stored[..begun].iter().rev().any(names) {
                    return Said::Stored;
                }
                let refused = taken
                    .refused
                    .iter()
                    .find(|(id, revision, _)| id.get() == row.id && i64::from(revision.get()) == row.revision);
                if let Some((_, _, refusal)) = refused {
                    return Said::Refused(refusal);
                }
                let held = taken.held.iter().find(|sale| sale.id.get() == row.id);
                held.map_or(Said::Nothing, Said::Holds)
            }
        }
    }
}

/// Whether sorted runs together name all rows of other sorted runs.
fn covers(stored: &[Run], rows: impl IntoIterator<Item = Run>) -> bool {
    let mut at = 0;
    for row in rows {
        let mut next = row.first.get();
        while next <= row.last().get() {
            match stored.get(at) {
                Some(run) if run.last().get() < next => at += 1,
                Some(run) if run.first.get() <= next && run.revision == row.revision => next = run.last().get() + 1,
                _ => return false,
            }
        }
    }
    true
}

/// What the answered batch is to its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    pub(super) row_count: i64,
}

/// Decides about one row. `mine` tells its newest revision, and whether another batch is out with it; that is wanted only where HQ holds something.
pub(super) fn decide<'a>(
    branch: &BranchCode,
    batch: Batch,
    row: &Carried,
    said: Said<'a>,
    mine: impl FnOnce() -> Option<(Sale, bool)>,
) -> Fate<'a> {
    match said {
        Said::Stored => stored(row),
        Said::Refused(refusal) => refused(row, refusal),
        Said::Holds(held) => match mine() {
            Some((mine, out_elsewhere)) => holds(branch, row, &mine, held, out_elsewhere),
            None => Fate::Stays,
        },
        Said::Unreadable if batch.row_count <= 1 => refused(row, &Refusal::Unreadable),
        Said::Unreadable => {
            let cap = (batch.row_count + 1) / 2;
            match row.place {
                RowPlace::Here => Fate::Waits { cap: Some(cap) },
                RowPlace::Outbox if row.is_newest() => Fate::Capped(cap),
                RowPlace::Outbox | RowPlace::Held(_) | RowPlace::Elsewhere => Fate::Stays,
            }
        }
        Said::Nothing if row.place == RowPlace::Here => Fate::Waits { cap: None },
        Said::Nothing => Fate::Stays,
    }
}

fn stored<'a>(row: &Carried) -> Fate<'a> {
    match row.place {
        RowPlace::Outbox | RowPlace::Held(_) if !row.is_newest() => Fate::Known,
        RowPlace::Here | RowPlace::Outbox | RowPlace::Held(SyncKind::Rejected) => Fate::Acked,
        // What HQ holds against it was heard after HQ stored it, or is for a person to see in any case.
        RowPlace::Held(_) | RowPlace::Elsewhere => Fate::Stays,
    }
}

fn refused<'a>(row: &Carried, refusal: &Refusal) -> Fate<'a> {
    match row.place {
        RowPlace::Here => Fate::Rejected(refusal.clone()),
        RowPlace::Outbox if row.is_newest() => Fate::Rejected(refusal.clone()),
        RowPlace::Outbox | RowPlace::Held(_) | RowPlace::Elsewhere => Fate::Stays,
    }
}

fn holds<'a>(branch: &BranchCode, row: &Carried, mine: &Sale, held: &'a Sale, out_elsewhere: bool) -> Fate<'a> {
    if !verdict::same_sale(mine, held) {
        return another_sale(row);
    }
    if !verdict::differs(branch, mine, held) {
        return match row.place {
            // HQ has what we have, by whatever way it came there.
            RowPlace::Here if held.revision == mine.revision => Fate::Acked,
            RowPlace::Outbox if held.revision == mine.revision && row.is_newest() => Fate::Acked,
            RowPlace::Here => Fate::Waits { cap: None },
            RowPlace::Outbox | RowPlace::Held(_) | RowPlace::Elsewhere => Fate::Stays,
        };
    }
    let waits_for_another_word = row.place == RowPlace::Elsewhere && out_elsewhere;
    if waits_for_another_word || row.place == RowPlace::Held(SyncKind::Conflict) {
        return Fate::Stays;
    }
    Fate::Conflict(held)
}

/// HQ knows the row's key as another sale. A key is never taken from the sale that had it first, so this one has never been at HQ under it.
fn another_sale<'a>(row: &Carried) -> Fate<'a> {
    match row.place {
        RowPlace::Here => Fate::Moves,
        RowPlace::Outbox if row.last_acked == 0 => Fate::Moves,
        // The word may be older than what HQ acknowledged; the row is on its way to a new one, or has had it.
        RowPlace::Outbox | RowPlace::Held(_) | RowPlace::Elsewhere => Fate::Stays,
    }
}
