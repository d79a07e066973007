//! The checkers: each promise of the design, asked of both databases as anybody could ask.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use branchline::domain::ids::BranchCode;
use branchline::domain::read::SaleRow;
use branchline::domain::sale::Sale;
use branchline::domain::sync_state::SyncState;
use branchline::domain::time::UtcMillis;
use branchline::sync::worker::Worker;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};

use super::world::{World, limits};

/// One row of HQ's `sales`, read with plain SQL.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(crate) struct HqRow {
    #[diesel(sql_type = Text)]
    pub(crate) branch: String,
    #[diesel(sql_type = Binary)]
    pub(crate) ledger: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    pub(crate) external_id: i64,
    #[diesel(sql_type = Integer)]
    pub(crate) revision: i32,
    #[diesel(sql_type = Text)]
    pub(crate) product: String,
    #[diesel(sql_type = BigInt)]
    pub(crate) qty: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) cost: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) tax: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) created_at: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(crate) deleted_at: Option<i64>,
}

/// What HQ holds, by branch, ledger and id.
pub(crate) type AtHq = BTreeMap<(String, Vec<u8>, i64), HqRow>;

/// Reads what HQ holds, unless it can't have changed.
fn at_hq(world: &mut World) -> Rc<AtHq> {
    if let Some(rows) = &world.hq.rows {
        return Rc::clone(rows);
    }
    let path = world.hq.path.to_str().unwrap();
    let reader = world
        .hq
        .reader
        .get_or_insert_with(|| SqliteConnection::establish(path).unwrap());
    let rows = diesel::sql_query(
        "SELECT branch, ledger, external_id, revision, product, qty, cost, tax, created_at, deleted_at FROM sales",
    );
    let rows: Vec<HqRow> = rows.load(reader).unwrap();
    let rows = rows
        .into_iter()
        .map(|row| ((row.branch.clone(), row.ledger.clone(), row.external_id), row));
    let rows: Rc<AtHq> = Rc::new(rows.collect());
    world.hq.rows = Some(Rc::clone(&rows));
    rows
}

/// What must hold at every moment.
pub(crate) fn each_step(world: &mut World) -> Result<(), String> {
    let hq = at_hq(world);
    let changed = world.hq.held.as_ref().is_none_or(|held| !Rc::ptr_eq(held, &hq));
    if changed {
        once_and_only_what_was_sold(world, &hq)?;
        nothing_is_overwritten(world.hq.held.as_deref(), &hq)?;
        world.hq.held = Some(Rc::clone(&hq));
    }
    for at in 0..world.offices.len() {
        let out = world.offices[at]
            .worker
            .as_ref()
            .map_or(0, |worker| Worker::machine(worker).in_flight());
        if out > limits().window {
            return Err(format!("{out} batches are out"));
        }
        let rows = world.rows(at);
        no_gap_in_the_ids(at, &rows)?;
        what_was_saved_is_there(world, at, &rows)?;
        if !world.hq_forgot {
            // Another box with a copy may have written a newer revision meanwhile.
            acked_is_stored(world, at, &rows, &hq, world.branch_forgot)?;
        }
    }
    if world.rng.percent(6) {
        audits(world)?;
        every_revision_is_counted(world)?;
    }
    Ok(())
}

/// What must hold when all faults have ended and everybody has been heard.
pub(crate) fn converged(world: &mut World) -> Result<(), String> {
    let hq = at_hq(world);
    once_and_only_what_was_sold(world, &hq)?;
    audits(world)?;
    every_revision_is_counted(world)?;
    for at in 0..world.offices.len() {
        let status = world.offices[at].till().status().unwrap();
        if status.pending + status.sent > 0 {
            return Err(format!("office {at} does not settle: {status:?}"));
        }
        if status.conflicts > 0 && !world.branch_forgot {
            return Err(format!(
                "office {at} has conflicts, though no branch's database was copied or restored: {status:?}"
            ));
        }
        if status.in_step() != (status.rejected + status.conflicts == 0) {
            return Err(format!("office {at} does not know whether it is in step: {status:?}"));
        }
        let rows = world.rows(at);
        no_gap_in_the_ids(at, &rows)?;
        what_was_saved_is_there(world, at, &rows)?;
        // What another box has written since is told by HQ's count, but for as many revisions as were sent, replaced and never answered.
        acked_is_stored(world, at, &rows, &hq, world.branch_forgot)?;
        if !world.branch_forgot {
            same_sums(world, at, &rows, &hq)?;
        }
    }
    Ok(())
}

fn audits(world: &mut World) -> Result<(), String> {
    for at in 0..world.offices.len() {
        let audit = world.offices[at].till().audit().unwrap();
        if !audit.is_clean() {
            return Err(format!("office {at}: {audit:?}"));
        }
    }
    Ok(())
}

/// HQ's applied counts are what its tables hold, and it remembers the marks that it is at.
fn every_revision_is_counted(world: &mut World) -> Result<(), String> {
    at_hq(world);
    let reader = world.hq.reader.as_mut().expect("HQ was read a moment ago");
    let wrong: Vec<Wrong> = diesel::sql_query(
        "SELECT count(*) AS ledgers FROM ledgers l WHERE l.applied <> \
           (SELECT count(*) FROM sales s WHERE s.branch = l.branch AND s.ledger = l.ledger) \
         + (SELECT count(*) FROM sale_revisions r WHERE r.branch = l.branch AND r.ledger = l.ledger) \
         OR (l.applied > 0) <> EXISTS (SELECT 1 FROM ledger_marks m WHERE m.branch = l.branch AND m.ledger = l.ledger \
           AND m.applied = l.applied AND m.chain = l.chain)",
    )
    .load(reader)
    .unwrap();
    match wrong.first() {
        Some(Wrong { ledgers: 0 }) => Ok(()),
        _ => Err("HQ miscounts what it has applied".into()),
    }
}

#[derive(QueryableByName)]
struct Wrong {
    #[diesel(sql_type = BigInt)]
    ledgers: i64,
}

fn once_and_only_what_was_sold(world: &World, hq: &AtHq) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for row in hq.values() {
        if !seen.insert((&row.branch, row.created_at)) {
            return Err(format!("HQ counts a sale twice: {row:?}"));
        }
        let branch = BranchCode::parse(&row.branch).map_err(|error| error.to_string())?;
        let written = world.written.get(&(branch, UtcMillis(row.created_at)));
        if !written.is_some_and(|revisions| revisions.iter().any(|sale| is_copy_of(row, sale))) {
            return Err(format!("HQ holds what nobody sold: {row:?}"));
        }
    }
    Ok(())
}

fn is_copy_of(row: &HqRow, sale: &Sale) -> bool {
    sale.created_at.0 == row.created_at
        && i64::from(sale.revision.get()) == i64::from(row.revision)
        && *sale.content.product == *row.product
        && i64::from(sale.content.qty) == row.qty
        && sale.content.cost.units() == row.cost
        && sale.content.tax.units() == row.tax
        && sale.deleted_at.map(|at| at.0) == row.deleted_at
}

/// No older revision, and no other sale, takes the place of what HQ held; and nothing of it is gone.
fn nothing_is_overwritten(before: Option<&AtHq>, now: &AtHq) -> Result<(), String> {
    for (key, old) in before.into_iter().flatten() {
        let kept = now
            .get(key)
            .is_some_and(|new| new == old || (new.created_at == old.created_at && new.revision > old.revision));
        if !kept {
            return Err(format!("HQ held {old:?}, and now {:?}", now.get(key)));
        }
    }
    Ok(())
}

/// What the till called saved is in the branch's database.
fn what_was_saved_is_there(world: &mut World, at: usize, rows: &[SaleRow]) -> Result<(), String> {
    let newest = || rows.iter().map(|row| (row.sale.id, row.sale.revision));
    let saved = world.offices[at].saved.get_or_insert_with(|| newest().collect());
    if newest().rev().eq(saved.iter().map(|(id, revision)| (*id, *revision))) {
        Ok(())
    } else {
        Err(format!("office {at} has lost what it saved"))
    }
}

fn no_gap_in_the_ids(at: usize, rows: &[SaleRow]) -> Result<(), String> {
    let ids = rows.iter().map(|row| row.sale.id.get());
    let expected = (1..=i64::try_from(rows.len()).unwrap()).rev();
    if ids.eq(expected) {
        Ok(())
    } else {
        Err(format!("office {at} has a gap in its ids"))
    }
}

/// What the screen shows as acked is at HQ: this sale, at that revision or, where others may have written it, a newer one.
fn acked_is_stored(world: &World, at: usize, rows: &[SaleRow], hq: &AtHq, or_newer: bool) -> Result<(), String> {
    let branch = world.offices[at].code.as_str();
    for row in rows.iter().filter(|row| row.sync == SyncState::Acked) {
        let key = (
            branch.to_owned(),
            row.sale.ledger.as_bytes().to_vec(),
            row.sale.id.get(),
        );
        let held = hq.get(&key);
        let stored = held.is_some_and(|held| {
            let newer = i64::from(held.revision) > i64::from(row.sale.revision.get());
            (or_newer && newer && held.created_at == row.sale.created_at.0) || is_copy_of(held, &row.sale)
        });
        if !stored {
            return Err(format!("office {at} shows {row:?} as acked, and HQ holds {held:?}"));
        }
    }
    Ok(())
}

/// Counts, quantities and amounts are the same on both sides, but for what HQ refused.
fn same_sums(world: &World, at: usize, rows: &[SaleRow], hq: &AtHq) -> Result<(), String> {
    let branch = world.offices[at].code.to_string();
    let here = rows
        .iter()
        .filter(|row| row.sync == SyncState::Acked && !row.sale.is_void());
    let here = here.fold((0, 0, 0), |(count, qty, amount), row| {
        let sold = i64::from(row.sale.content.qty);
        (count + 1, qty + sold, amount + sold * row.sale.content.cost.units())
    });
    let refused: BTreeSet<_> = rows
        .iter()
        .filter(|row| row.sync != SyncState::Acked)
        .map(|row| row.sale.id.get())
        .collect();
    let there = hq
        .values()
        .filter(|row| row.branch == branch && row.deleted_at.is_none());
    let there = there.filter(|row| !refused.contains(&row.external_id));
    let there = there.fold((0, 0, 0), |(count, qty, amount), row| {
        (count + 1, qty + row.qty, amount + row.qty * row.cost)
    });
    if here == there {
        Ok(())
    } else {
        Err(format!("office {at} has {here:?}, HQ {there:?}"))
    }
}
