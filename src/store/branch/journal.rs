//! The branch's database as the sync worker's journal: batches and their leases, receipts, and who has lost what.
//!
//! [`form`] makes batches, [`lease`] gives them up, [`settle`] takes receipts in, [`history`] acts when HQ or this database has lost something. Every rule about
//! what a message may change is in [`crate::protocol`] or beside the SQL that obeys it.

pub(super) mod batch;
mod fate;
mod form;
mod history;
mod lease;
mod settle;

use super::dictionary::ProductNames;
use super::kept::Kept;
use super::statement::sql;
use super::{BranchDb, dictionary, ledgers, retries, values};
use crate::domain::event::LogEvent;
use crate::domain::ids::{BatchId, Nonce, StoreId};
use crate::domain::money::MoneySum;
use crate::protocol::Now;
use crate::protocol::dictionary::Fingerprint;
use crate::protocol::journal::{Formed, Journal, Recalled, Resumed, Settled, Weighed};
use crate::protocol::lineage::Lineage;
use crate::protocol::message::{Answer, Hello, HqStamp, Receipt};
use crate::store::StoreError;
use diesel::prelude::*;

impl Journal for BranchDb {
    type Error = StoreError;

    fn resume(&mut self, broker: &str, now: Now) -> Result<Resumed, StoreError> {
        self.write(|conn, kept| lease::resume(conn, kept, broker, now))
    }

    /// The hello's `writes` is empty: the versions are known to whoever seals it.
    fn hello(&mut self, nonce: Nonce, now: Now) -> Result<Hello, StoreError> {
        let code = self.code.clone();
        self.conn.transaction(|conn| {
            let ledger = ledgers::to_ask_about(conn)?;
            let is_current = ledger.no == ledgers::current(conn)?.no;
            let kept = Kept::load(conn)?;
            Ok(Hello {
                branch: code,
                ledger: ledger.id,
                nonce,
                first_id: ledger.first_id,
                highest_id: ledgers::highest_id(conn, &ledger)?,
                sales: if is_current { values::natural(kept.sales)? } else { 0 },
                amount: if is_current { kept.amount } else { MoneySum::ZERO },
                clock: now.wall,
                writes: Vec::new(),
                marks: ledger.standing.to_ask(),
            })
        })
    }

    fn form_batch(&mut self, id: BatchId, max_rows: u32, now: Now) -> Result<Option<Formed>, StoreError> {
        let code = self.code.clone();
        self.write_with_names(|conn, kept, names| form::form(conn, kept, names, &code, id, max_rows, now))
    }

    fn park(&mut self, batch: BatchId, broker: &str, now: Now) -> Result<(), StoreError> {
        self.write(|conn, kept| lease::park(conn, kept, batch, broker, now))
    }

    fn dissolve(&mut self, batch: BatchId, now: Now) -> Result<(), StoreError> {
        self.write(|conn, kept| match batch::find(conn, batch)? {
            Some(batch) => lease::dissolve(conn, kept, &batch, now),
            None => Ok(()),
        })
    }

    fn settle(&mut self, receipt: &Receipt, now: Now) -> Result<Settled, StoreError> {
        let code = self.code.clone();
        self.write(|conn, kept| settle::settle(conn, kept, &code, receipt, now))
    }

    fn settle_and_form(
        &mut self,
        receipt: &Receipt,
        id: BatchId,
        max_rows: u32,
        now: Now,
    ) -> Result<(Settled, Option<Formed>), StoreError> {
        let code = self.code.clone();
        self.write_with_names(|conn, kept, names| {
            let settled = settle::settle(conn, kept, &code, receipt, now)?;
            let formed = form::form(conn, kept, names, &code, id, max_rows, now)?;
            Ok((settled, formed))
        })
    }

    fn weigh(&mut self, answer: &Answer, now: Now) -> Result<Weighed, StoreError> {
        self.write(|conn, kept| {
            heard(conn, &answer.hq, now)?;
            let current = ledgers::current(conn)?.id;
            let Some(mut ledger) = ledgers::find(conn, answer.ledger)? else {
                // No hello of this database asks about a ledger that it doesn't have.
                return Ok(Weighed {
                    lineage: Lineage::Same,
                    ledger: current,
                    in_doubt: false,
                    names: Fingerprint::default(),
                });
            };
            let lineage = ledger.standing.weigh(answer);
            if lineage == Lineage::HqForgot {
                history::forget(conn, kept, ledger.no, history::Why::Restored, now)?;
            }
            ledgers::weighed(conn, &ledger)?;
            history::part(conn, kept, &ledger, lineage == Lineage::ThisIsACopy, &[], now)?;
            Ok(Weighed {
                lineage,
                ledger: ledgers::current(conn)?.id,
                in_doubt: ledger.standing.in_doubt(),
                names: dictionary::fingerprint_of(conn, &answer.holding.spans)?,
            })
        })
    }

    fn recall(&mut self, now: Now) -> Result<Recalled, StoreError> {
        self.write(|conn, kept| history::recall(conn, kept, now))
    }

    fn adopt_store(&mut self, store: StoreId, now: Now) -> Result<(), StoreError> {
        self.write(|conn, kept| history::adopt(conn, kept, store, now))
    }

    fn retry_refusals(&mut self, now: Now) -> Result<u64, StoreError> {
        self.write(|conn, kept| retries::retry_passing(conn, kept, now.wall))
    }

    fn log(&mut self, event: LogEvent, now: Now) -> Result<(), StoreError> {
        Self::log(self, event, now.wall)
    }
}

impl BranchDb {
    /// Runs one writing transaction with the names at hand that batches have read before.
    fn write_with_names<T>(
        &mut self,
        work: impl FnOnce(&mut SqliteConnection, &mut Kept, &mut ProductNames) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut names = std::mem::take(&mut self.product_names);
        let done = self.write(|conn, kept| work(conn, kept, &mut names));
        self.product_names = names;
        done
    }
}

/// Writes down that HQ was heard, and how far its clock is from ours.
fn heard(conn: &mut SqliteConnection, hq: &HqStamp, now: Now) -> Result<(), StoreError> {
    sql::<()>("UPDATE branch SET last_heard_at = ?, skew_ms = ?")
        .int(now.wall.0)
        .int(hq.clock.0.saturating_sub(now.wall.0))
        .execute(conn)?;
    Ok(())
}
