//! What one group of messages changes about branches and ledgers: read when first needed, written once at the end of the group's transaction.
//!
//! Here is HQ's memory of what it has told: what its marks are good for is [`crate::protocol::lineage`]'s to say.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::schema::{ledger_marks, ledgers};
use crate::domain::ids::{BatchId, BranchCode, LedgerId, Run, SaleId};
use crate::domain::time::UtcMillis;
use crate::protocol::identity::Login;
use crate::protocol::lineage::Mark;
use crate::protocol::message::Hello;
use crate::store::StoreError;
use crate::store::statement::{Value, sql};

/// So many of the newest marks of each ledger are kept. A branch asks about one that is older only if the answers to so many of its batches were lost in a row, or from an old
/// backup of its database; then it sends again what it could have known to be here.
const MARKS_KEPT: i64 = 1_000;

/// The branches and ledgers of one group.
#[derive(Debug, Default)]
pub(super) struct Books {
    branches: BTreeMap<BranchCode, BranchNote>,
    ledgers: BTreeMap<(BranchCode, LedgerId), LedgerNote>,
}

#[derive(Debug, Default)]
struct BranchNote {
    own_login: bool,
    skew_ms: Option<i64>,
}

/// What is known of one ledger.
#[derive(Debug, Default)]
pub(super) struct LedgerNote {
    /// How many revisions were ever applied, and by what; those that came out of the quarantine count once their branch was told of them.
    pub(super) mark: Mark,
    /// The marks that this group has led to.
    new_marks: Vec<Mark>,
    /// The highest id that a row or a hello has named.
    highest_id: i64,
    hello: Option<HelloNote>,
}

#[derive(Debug)]
struct HelloNote {
    at: UtcMillis,
    first_id: i64,
    sales: i64,
    amount: String,
}

impl Books {
    /// Notes that a branch has spoken.
    pub(super) fn heard(&mut self, branch: &BranchCode, login: Login) {
        let note = self.branches.entry(branch.clone()).or_default();
        note.own_login |= login == Login::Own;
    }

    /// The note of one ledger.
    pub(super) fn ledger(
        &mut self,
        conn: &mut SqliteConnection,
        branch: &BranchCode,
        ledger: LedgerId,
    ) -> Result<&mut LedgerNote, StoreError> {
        use std::collections::btree_map::Entry;
        match self.ledgers.entry((branch.clone(), ledger)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(read_ledger(conn, branch, ledger)?)),
        }
    }

    /// Whether HQ has ever been at all these marks of a ledger, as far as it goes back.
    pub(super) fn remember(
        &mut self,
        conn: &mut SqliteConnection,
        branch: &BranchCode,
        ledger: LedgerId,
        marks: &[Mark],
    ) -> Result<bool, StoreError> {
        let note = self.ledger(conn, branch, ledger)?;
        for mark in marks {
            let here = *mark == Mark::default() || *mark == note.mark || note.new_marks.contains(mark);
            if !here && !is_kept(conn, branch, ledger, *mark)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes what a hello says of its branch and ledger.
    pub(super) fn said(
        &mut self,
        conn: &mut SqliteConnection,
        hello: &Hello,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        if let Some(note) = self.branches.get_mut(&hello.branch) {
            note.skew_ms = Some(hello.clock.0.saturating_sub(now.0));
        }
        let note = self.ledger(conn, &hello.branch, hello.ledger)?;
        note.highest_id = note.highest_id.max(hello.highest_id);
        note.hello = Some(HelloNote {
            at: now,
            first_id: hello.first_id,
            // No branch sells so much; one that says so may.
            sales: i64::try_from(hello.sales).unwrap_or(i64::MAX),
            amount: hello.amount.to_string(),
        });
        Ok(())
    }

    /// Writes all of it down.
    pub(super) fn close(&self, conn: &mut SqliteConnection, now: UtcMillis) -> Result<(), StoreError> {
        for (branch, note) in &self.branches {
            note.write(conn, branch, now)?;
        }
        for ((branch, ledger), note) in &self.ledgers {
            note.write(conn, branch, *ledger, now)?;
        }
        Ok(())
    }
}

impl BranchNote {
    fn write(&self, conn: &mut SqliteConnection, branch: &BranchCode, now: UtcMillis) -> Result<(), StoreError> {
        sql::<()>(
            "INSERT INTO branches (branch, had_own_login, first_seen_at, last_seen_at, clock_skew_ms) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (branch) DO UPDATE SET had_own_login = max(had_own_login, excluded.had_own_login), \
             last_seen_at = excluded.last_seen_at, clock_skew_ms = coalesce(excluded.clock_skew_ms, clock_skew_ms)",
        )
        .text(branch.as_str())
        .int(self.own_login.into())
        .int(now.0)
        .int(now.0)
        .maybe(self.skew_ms)
        .execute(conn)?;
        Ok(())
    }
}

impl LedgerNote {
    /// Notes that revisions of these sales are here.
    pub(super) fn named(&mut self, ids: impl Iterator<Item = SaleId>) {
        self.highest_id = ids.map(SaleId::get).fold(self.highest_id, i64::max);
    }

    /// Notes that revisions of these sales were applied, and that all of `stored` are here; returns how many revisions they are.
    pub(super) fn applied(&mut self, batch: BatchId, ids: &[SaleId], stored: &[Run]) -> u64 {
        let newly_applied = ids.len() as u64;
        if newly_applied > 0 {
            self.mark = self.mark.after(batch, newly_applied, stored);
            self.new_marks.push(self.mark);
        }
        self.named(ids.iter().copied());
        newly_applied
    }

    fn write(
        &self,
        conn: &mut SqliteConnection,
        branch: &BranchCode,
        ledger: LedgerId,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        let hello = self.hello.as_ref();
        sql::<()>(
            "INSERT INTO ledgers (branch, ledger, applied, chain, highest_id, first_seen_at, hello_at, first_id, hello_sales, hello_amount) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (branch, ledger) DO UPDATE SET applied = excluded.applied, chain = excluded.chain, highest_id = excluded.highest_id, \
             hello_at = coalesce(excluded.hello_at, hello_at), first_id = coalesce(excluded.first_id, first_id), \
             hello_sales = coalesce(excluded.hello_sales, hello_sales), hello_amount = coalesce(excluded.hello_amount, hello_amount)",
        )
        .text(branch.as_str())
        .blob(ledger.as_bytes())
        .int(count(self.mark)?)
        .blob(&self.mark.chain)
        .int(self.highest_id)
        .int(now.0)
        .maybe(hello.map(|hello| hello.at.0))
        .maybe(hello.map(|hello| hello.first_id))
        .maybe(hello.map(|hello| hello.sales))
        .value(hello.map_or(Value::Int(None), |hello| Value::Text(&hello.amount)))
        .execute(conn)?;
        for mark in &self.new_marks {
            keep(conn, branch, ledger, *mark)?;
        }
        if hello.is_some() {
            drop_old_marks(conn, branch, ledger)?;
        }
        Ok(())
    }
}

fn keep(conn: &mut SqliteConnection, branch: &BranchCode, ledger: LedgerId, mark: Mark) -> Result<(), StoreError> {
    sql::<()>("INSERT INTO ledger_marks (branch, ledger, applied, chain) VALUES (?, ?, ?, ?)")
        .text(branch.as_str())
        .blob(ledger.as_bytes())
        .int(count(mark)?)
        .blob(&mark.chain)
        .execute(conn)?;
    Ok(())
}

fn drop_old_marks(conn: &mut SqliteConnection, branch: &BranchCode, ledger: LedgerId) -> Result<(), StoreError> {
    let oldest_kept: Option<i64> = ledger_marks::table
        .filter(ledger_marks::branch.eq(branch.as_str()))
        .filter(ledger_marks::ledger.eq(ledger.as_bytes().as_slice()))
        .order(ledger_marks::applied.desc())
        .offset(MARKS_KEPT - 1)
        .select(ledger_marks::applied)
        .first(conn)
        .optional()?;
    if let Some(oldest_kept) = oldest_kept {
        diesel::delete(ledger_marks::table)
            .filter(ledger_marks::branch.eq(branch.as_str()))
            .filter(ledger_marks::ledger.eq(ledger.as_bytes().as_slice()))
            .filter(ledger_marks::applied.lt(oldest_kept))
            .execute(conn)?;
    }
    Ok(())
}

fn count(mark: Mark) -> Result<i64, StoreError> {
    i64::try_from(mark.applied).map_err(|_| StoreError::nonsense("an applied count beyond 63 bits"))
}

fn is_kept(conn: &mut SqliteConnection, branch: &BranchCode, ledger: LedgerId, mark: Mark) -> Result<bool, StoreError> {
    // What is beyond 63 bits was never here; a branch may say so all the same.
    let Ok(applied) = count(mark) else { return Ok(false) };
    let kept: Option<Vec<u8>> = ledger_marks::table
        .find((branch.as_str(), ledger.as_bytes().as_slice(), applied))
        .select(ledger_marks::chain)
        .first(conn)
        .optional()?;
    Ok(kept.as_deref() == Some(mark.chain.as_slice()))
}

fn read_ledger(conn: &mut SqliteConnection, branch: &BranchCode, ledger: LedgerId) -> Result<LedgerNote, StoreError> {
    let row: Option<(i64, Vec<u8>, i64)> = ledgers::table
        .find((branch.as_str(), ledger.as_bytes().as_slice()))
        .select((ledgers::applied, ledgers::chain, ledgers::highest_id))
        .first(conn)
        .optional()?;
    let Some((applied, chain, highest_id)) = row else {
        return Ok(LedgerNote::default());
    };
    let applied = u64::try_from(applied).map_err(|_| StoreError::nonsense(format!("the applied count {applied}")))?;
    let chain = <[u8; 16]>::try_from(chain.as_slice())
        .map_err(|_| StoreError::nonsense(format!("a mark of {} bytes", chain.len())))?;
    Ok(LedgerNote {
        mark: Mark { applied, chain },
        highest_id,
        ..LedgerNote::default()
    })
}
