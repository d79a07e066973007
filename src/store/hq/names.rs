//! The names of products that branches have told, by number: what their batches lean on from then on. What that is good for is
//! [`crate::protocol::dictionary`]'s to say.
//!
//! Names that came in one batch are one row of the table, written with the batch's sales. No row is ever changed, so the first name that came under a number
//! stays. A branch that means another one is found out by its fingerprint.

mod cache;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::{HqDb, Incoming, open};
use crate::domain::ids::{BranchCode, LedgerId};
use crate::protocol::dictionary::{Holding, ProductNo, Span, is_kept};
use crate::protocol::message::{Downlink, Outcome, Uplink};
use crate::store::statement::sql;
use crate::store::{OpenError, StoreError};
use cache::LedgerKey;
pub(super) use cache::NameCache;

impl HqDb {
    /// The names that are held for a ledger under these numbers, in their order; `None` if not all of them are.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn product_names(
        &mut self,
        branch: &BranchCode,
        ledger: LedgerId,
        numbers: &[ProductNo],
    ) -> Result<Option<Vec<Arc<str>>>, StoreError> {
        let key = (branch.clone(), ledger);
        if let Some(names) = self.names.all(&key, numbers) {
            return Ok(Some(names));
        }
        self.names.catch_up(&mut self.conn, &key)?;
        Ok(self.names.all(&key, numbers))
    }
}

/// The names that head office holds, for whoever reads messages while others are committed: they are read with a connection of its own, so that reading waits
/// for no commit. It is open only while names are read that are not known yet, because whoever closes the database while it is open leaves the log beside it.
pub struct HqNames {
    path: PathBuf,
    cache: NameCache,
}

impl HqNames {
    /// The names in head office's database at this place.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            cache: NameCache::default(),
        }
    }

    /// The names that are held for a ledger under these numbers, in their order; `None` if not all of them are.
    ///
    /// # Errors
    /// When the database can't be opened or read.
    pub fn of(
        &mut self,
        branch: &BranchCode,
        ledger: LedgerId,
        numbers: &[ProductNo],
    ) -> Result<Option<Vec<Arc<str>>>, OpenError> {
        let key = (branch.clone(), ledger);
        if let Some(names) = self.cache.all(&key, numbers) {
            return Ok(Some(names));
        }
        self.cache.catch_up(&mut open::to_read(&self.path)?, &key)?;
        Ok(self.cache.all(&key, numbers))
    }
}

impl std::fmt::Debug for HqNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HqNames")
            .field("path", &self.path)
            .field("bytes", &self.cache.bytes())
            .finish()
    }
}

impl NameCache {
    /// Does what a message asks of the names, once it is taken: keeps those that it tells, or says which are held.
    pub(super) fn attend(
        &mut self,
        conn: &mut SqliteConnection,
        incoming: &Incoming,
        answer: Option<&mut Downlink>,
    ) -> Result<(), StoreError> {
        let Incoming::Message { message, .. } = incoming else {
            return Ok(());
        };
        match (message, answer) {
            (Uplink::Hello(hello), Some(Downlink::Answer(answer))) => {
                let key = (hello.branch.clone(), hello.ledger);
                self.catch_up(conn, &key)?;
                answer.holding = Holding::of(self.numbered(&key));
            }
            (Uplink::Batch(batch), Some(Downlink::Receipt(receipt)))
                if matches!(receipt.outcome, Outcome::Taken(_)) =>
            {
                let told = batch.products.iter().filter(|product| product.told);
                let told = told.map(|product| (product.no, &*product.name));
                let told: BTreeMap<_, _> = told.collect();
                if !told.is_empty() {
                    self.keep(conn, &(batch.branch.clone(), batch.ledger), told)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn keep(
        &mut self,
        conn: &mut SqliteConnection,
        key: &LedgerKey,
        mut told: BTreeMap<ProductNo, &str>,
    ) -> Result<(), StoreError> {
        self.catch_up(conn, key)?;
        told.retain(|no, name| !self.has(key, *no) && is_kept(name));
        if told.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = told.values().copied().collect();
        let row = sql::<BigInt>(
            "INSERT INTO product_names (branch, ledger, numbers, names) VALUES (?, ?, ?, ?) RETURNING no",
        )
        .text(key.0.as_str())
        .blob(key.1.as_bytes())
        .text(&written(&Span::group(told.keys().copied())))
        .text(&names.join("\n"))
        .get_result(conn)?;
        self.add(key, row, &told.into_iter().collect::<Vec<_>>());
        Ok(())
    }

    /// Reads the names of a ledger that were written since they were last read. A ledger without any takes no room.
    fn catch_up(&mut self, conn: &mut SqliteConnection, key: &LedgerKey) -> Result<(), StoreError> {
        let (branch, ledger) = key;
        let rows: Vec<(i64, String, String)> = sql::<(BigInt, Text, Text)>(
            "SELECT no, numbers, names FROM product_names WHERE branch = ? AND ledger = ? AND no > ? ORDER BY no",
        )
        .text(branch.as_str())
        .blob(ledger.as_bytes())
        .int(self.read_to(key))
        .load(conn)?;
        for (row, numbers, names) in rows {
            let spans = read(&numbers).unwrap_or_else(|| {
                // Its names are not held then, and the branch tells them again.
                tracing::error!(%branch, %ledger, row, numbers, "a row of product names has no numbers that can be read, and is passed over");
                Vec::new()
            });
            let numbers = spans.iter().flat_map(|span| span.first..=span.last);
            self.add(key, row, &numbers.zip(names.split('\n')).collect::<Vec<_>>());
        }
        Ok(())
    }
}

/// Spans as text: `1-600 602`.
fn written(spans: &[Span]) -> String {
    let mut text = String::new();
    for Span { first, last } in spans {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a text can't fail.
        let _ = if first == last {
            write!(text, "{space}{first}")
        } else {
            write!(text, "{space}{first}-{last}")
        };
    }
    text
}

fn read(text: &str) -> Option<Vec<Span>> {
    let span = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (1 <= first && first <= last).then_some(Span { first, last })
    };
    text.split(' ').map(span).collect()
}
