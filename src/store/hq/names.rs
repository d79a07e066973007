//! The names of products that branches have told, by number: what their batches lean on from then on. What that is good for is [`crate::protocol::dictionary`]'s to say.
//!
//! Names that came in one batch are one row of the table, written with the batch's sales. No row is ever changed, so the first name that came under a number stays; a branch
//! that means another one is found out by its fingerprint.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::{Incoming, open};
use crate::domain::ids::{BranchCode, LedgerId};
use crate::protocol::dictionary::{Holding, ProductNo, Span, is_kept};
use crate::protocol::message::{Downlink, Outcome, Uplink};
use crate::store::statement::sql;
use crate::store::{OpenError, StoreError};

/// So many names are kept in memory, about four megabytes. One ledger may have more: it is what the batch in hand needs.
const MAX_CACHED: usize = 50_000;

/// The names that head office holds, for whoever reads messages. Reads with a connection of its own, so that reading waits for no commit; it is open only while names are read that
/// are not known yet, for as long as it is open whoever closes the database leaves its log beside it.
pub struct HqNames {
    path: PathBuf,
    cache: Cache,
}

impl HqNames {
    /// The names in head office's database at this place.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            cache: Cache::default(),
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
        if let Some(names) = self.cache.ledger(branch, ledger).all(numbers) {
            return Ok(Some(names));
        }
        let mut conn = open::to_read(&self.path)?;
        let names = self.cache.caught_up(&mut conn, branch, ledger)?;
        Ok(names.all(numbers))
    }
}

impl std::fmt::Debug for HqNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HqNames")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What was read of the names.
#[derive(Debug, Default)]
pub(super) struct Cache {
    ledgers: HashMap<(BranchCode, LedgerId), Names>,
}

/// The names of one ledger's products.
#[derive(Debug, Default)]
struct Names {
    /// The last row of the table that was read.
    read_to: i64,
    names: BTreeMap<ProductNo, Arc<str>>,
}

impl Cache {
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
                let names = self.caught_up(conn, &hello.branch, hello.ledger)?;
                answer.holding = Holding::of(names.names.iter().map(|(no, name)| (*no, name.as_ref())));
            }
            (Uplink::Batch(batch), Some(Downlink::Receipt(receipt)))
                if matches!(receipt.outcome, Outcome::Taken(_)) =>
            {
                let told = batch.products.iter().filter(|product| product.told);
                let told: BTreeMap<_, _> = told.map(|product| (product.no, &*product.name)).collect();
                self.keep(conn, &batch.branch, batch.ledger, told)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Forgets what was read, because the transaction in which it was written may have been undone.
    pub(super) fn clear(&mut self) {
        self.ledgers.clear();
    }

    fn keep(
        &mut self,
        conn: &mut SqliteConnection,
        branch: &BranchCode,
        ledger: LedgerId,
        mut told: BTreeMap<ProductNo, &str>,
    ) -> Result<(), StoreError> {
        told.retain(|_, name| is_kept(name));
        if told.is_empty() {
            return Ok(());
        }
        let known = self.caught_up(conn, branch, ledger)?;
        told.retain(|no, _| !known.names.contains_key(no));
        if told.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = told.values().copied().collect();
        known.read_to = sql::<BigInt>(
            "INSERT INTO product_names (branch, ledger, numbers, names) VALUES (?, ?, ?, ?) RETURNING no",
        )
        .text(branch.as_str())
        .blob(ledger.as_bytes())
        .text(&written(&Span::group(told.keys().copied())))
        .text(&names.join("\n"))
        .get_result(conn)?;
        known.names.extend(told.into_iter().map(|(no, name)| (no, name.into())));
        Ok(())
    }

    fn ledger(&mut self, branch: &BranchCode, ledger: LedgerId) -> &mut Names {
        let key = (branch.clone(), ledger);
        let cached: usize = self.ledgers.values().map(|names| names.names.len()).sum();
        if cached > MAX_CACHED && !self.ledgers.contains_key(&key) {
            self.ledgers.clear();
        }
        self.ledgers.entry(key).or_default()
    }

    /// The names of a ledger, with those that were written since they were last read.
    fn caught_up(
        &mut self,
        conn: &mut SqliteConnection,
        branch: &BranchCode,
        ledger: LedgerId,
    ) -> Result<&mut Names, StoreError> {
        let names = self.ledger(branch, ledger);
        let rows: Vec<(i64, String, String)> = sql::<(BigInt, Text, Text)>(
            "SELECT no, numbers, names FROM product_names WHERE branch = ? AND ledger = ? AND no > ? ORDER BY no",
        )
        .text(branch.as_str())
        .blob(ledger.as_bytes())
        .int(names.read_to)
        .load(conn)?;
        for (no, numbers, told) in rows {
            let spans = read(&numbers).ok_or_else(|| StoreError::nonsense(format!("the numbers `{numbers}`")))?;
            let numbers = spans.iter().flat_map(|span| span.first..=span.last);
            for (no, name) in numbers.zip(told.split('\n')) {
                names.names.entry(no).or_insert_with(|| name.into());
            }
            names.read_to = no;
        }
        Ok(names)
    }
}

impl Names {
    fn all(&self, numbers: &[ProductNo]) -> Option<Vec<Arc<str>>> {
        numbers.iter().map(|no| self.names.get(no).cloned()).collect()
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
        Some(Span {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
        })
    };
    text.split(' ').map(span).collect()
}
