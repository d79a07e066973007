//! What one group of messages changes about branches and ledgers: read when first needed, written once at the end of the group's transaction.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};

use super::schema::ledgers;
use crate::domain::ids::{BranchCode, LedgerId};
use crate::domain::time::UtcMillis;
use crate::protocol::identity::Login;
use crate::protocol::message::Hello;
use crate::store::StoreError;

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
    /// How many revisions were ever applied.
    pub(super) applied: u64,
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
        diesel::sql_query(
            "INSERT INTO branches (branch, had_own_login, first_seen_at, last_seen_at, clock_skew_ms) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (branch) DO UPDATE SET had_own_login = max(had_own_login, excluded.had_own_login), \
             last_seen_at = excluded.last_seen_at, clock_skew_ms = coalesce(excluded.clock_skew_ms, clock_skew_ms)",
        )
        .bind::<Text, _>(branch.as_str())
        .bind::<Integer, _>(i32::from(self.own_login))
        .bind::<BigInt, _>(now.0)
        .bind::<BigInt, _>(now.0)
        .bind::<Nullable<BigInt>, _>(self.skew_ms)
        .execute(conn)?;
        Ok(())
    }
}

impl LedgerNote {
    /// Notes that a revision of this sale was applied.
    pub(super) fn applied(&mut self, id: i64) {
        self.applied += 1;
        self.highest_id = self.highest_id.max(id);
    }

    fn write(
        &self,
        conn: &mut SqliteConnection,
        branch: &BranchCode,
        ledger: LedgerId,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        let hello = self.hello.as_ref();
        let applied =
            i64::try_from(self.applied).map_err(|_| StoreError::nonsense("an applied count beyond 63 bits"))?;
        diesel::sql_query(
            "INSERT INTO ledgers (branch, ledger, applied, highest_id, first_seen_at, hello_at, first_id, hello_sales, hello_amount) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (branch, ledger) DO UPDATE SET applied = excluded.applied, highest_id = excluded.highest_id, \
             hello_at = coalesce(excluded.hello_at, hello_at), first_id = coalesce(excluded.first_id, first_id), \
             hello_sales = coalesce(excluded.hello_sales, hello_sales), hello_amount = coalesce(excluded.hello_amount, hello_amount)",
        )
        .bind::<Text, _>(branch.as_str())
        .bind::<Binary, _>(ledger.as_bytes().as_slice())
        .bind::<BigInt, _>(applied)
        .bind::<BigInt, _>(self.highest_id)
        .bind::<BigInt, _>(now.0)
        .bind::<Nullable<BigInt>, _>(hello.map(|hello| hello.at.0))
        .bind::<Nullable<BigInt>, _>(hello.map(|hello| hello.first_id))
        .bind::<Nullable<BigInt>, _>(hello.map(|hello| hello.sales))
        .bind::<Nullable<Text>, _>(hello.map(|hello| hello.amount.as_str()))
        .execute(conn)?;
        Ok(())
    }
}

fn read_ledger(conn: &mut SqliteConnection, branch: &BranchCode, ledger: LedgerId) -> Result<LedgerNote, StoreError> {
    let row: Option<(i64, i64)> = ledgers::table
        .find((branch.as_str(), ledger.as_bytes().as_slice()))
        .select((ledgers::applied, ledgers::highest_id))
        .first(conn)
        .optional()?;
    let (applied, highest_id) = row.unwrap_or_default();
    let applied = u64::try_from(applied).map_err(|_| StoreError::nonsense(format!("the applied count {applied}")))?;
    Ok(LedgerNote {
        applied,
        highest_id,
        hello: None,
    })
}
