//! Taking a group of messages: one transaction, after which every answer is true.
//!
//! If the database refuses something in the group for what it is, the group is taken again message by message, and the message at fault row by row, so that one bad row
//! is refused and the others are not held up.

use std::borrow::Cow;

use diesel::prelude::*;
use foldhash::{HashSet, HashSetExt};

use super::books::Books;
use super::bulk::{self, Key};
use super::schema::hq;
use super::{
    HqDb, Incoming, NameCache, Question, UnreadMessage, blames_rows, conflicts, quarantine, replayed, sales,
    transaction,
};
use crate::domain::ids::{Revision, Run, SaleId, StoreId};
use crate::domain::sale::{Sale, clean, is_clean};
use crate::domain::sync_state::Refusal;
use crate::domain::time::UtcMillis;
use crate::protocol::dictionary::Holding;
use crate::protocol::identity::Login;
use crate::protocol::message::{Answer, Batch, Downlink, HqStamp, Outcome, Receipt, Taken, Uplink, Version};
use crate::protocol::verdict::{self, Verdict};
use crate::store::StoreError;

/// How carefully rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Many at once: what the database refuses fails the transaction.
    Together,
    /// One by one: what the database refuses is refused by row.
    RowByRow,
}

/// Whether a branch hears the answer to what is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ear {
    /// It waits for the answer: the message has just come.
    Open,
    /// It had its answer long ago: the message comes out of the quarantine.
    Closed,
}

/// Who answers, and when.
#[derive(Debug)]
struct Moment<'a> {
    ear: Ear,
    store: StoreId,
    replaces: Vec<StoreId>,
    reads: &'a [Version],
    now: UtcMillis,
}

impl HqDb {
    /// Takes a group of messages and commits it; returns the answer to each, where it has one, in order. What a batch brings is applied or not by
    /// [`verdict`]; a revision that a newer one replaces is kept.
    ///
    /// # Errors
    /// When the database fails. Then some messages of the group may have been taken, but each wholly or not at all, so that taking it again does no harm.
    pub fn commit_group(
        &mut self,
        now: UtcMillis,
        reads: &[Version],
        group: &[Incoming],
    ) -> Result<Vec<Option<Downlink>>, StoreError> {
        let moment = self.moment(now, reads, Ear::Open);
        match commit(&mut self.conn, &mut self.names, &moment, group, Care::Together) {
            Err(error) if blames_rows(&error) => {
                let answers = group
                    .iter()
                    .map(|one| commit_alone(&mut self.conn, &mut self.names, &moment, one));
                answers.collect()
            }
            taken => taken,
        }
    }

    /// Takes a message out of the quarantine as [`Self::commit_group`] takes one that has just come, but nobody is told: its branch had its answer when the message was
    /// kept, and what it brings counts as applied only once the branch has sent it again. A hello changes nothing: it told of a moment that is gone.
    ///
    /// # Errors
    /// When the database fails; then nothing of it was taken.
    pub fn commit_kept(&mut self, now: UtcMillis, message: &Incoming) -> Result<(), StoreError> {
        let moment = self.moment(now, &[], Ear::Closed);
        commit_alone(&mut self.conn, &mut self.names, &moment, message).map(|_| ())
    }

    fn moment<'a>(&self, now: UtcMillis, reads: &'a [Version], ear: Ear) -> Moment<'a> {
        Moment {
            ear,
            store: self.store,
            replaces: self.replaces.clone(),
            reads,
            now,
        }
    }
}

fn commit_alone(
    conn: &mut SqliteConnection,
    names: &mut NameCache,
    moment: &Moment<'_>,
    one: &Incoming,
) -> Result<Option<Downlink>, StoreError> {
    let alone = std::slice::from_ref(one);
    let answers = match commit(conn, names, moment, alone, Care::Together) {
        Err(error) if blames_rows(&error) => commit(conn, names, moment, alone, Care::RowByRow),
        taken => taken,
    };
    answers.map(|mut answers| answers.pop().flatten())
}

fn commit(
    conn: &mut SqliteConnection,
    names: &mut NameCache,
    moment: &Moment<'_>,
    group: &[Incoming],
    care: Care,
) -> Result<Vec<Option<Downlink>>, StoreError> {
    let taken = transaction::immediate(conn, |conn| {
        let mut books = Books::default();
        let mut answers = Vec::with_capacity(group.len());
        for incoming in group {
            let mut answer = take(conn, &mut books, moment, incoming, care)?;
            names.attend(conn, incoming, answer.as_mut())?;
            answers.push(answer);
        }
        books.close(conn, moment.now)?;
        diesel::update(hq::table)
            .filter(hq::newest_received_at.lt(moment.now.0))
            .set(hq::newest_received_at.eq(moment.now.0))
            .execute(conn)?;
        Ok(answers)
    });
    if taken.is_err() {
        names.clear();
    }
    taken
}

fn take(
    conn: &mut SqliteConnection,
    books: &mut Books,
    moment: &Moment<'_>,
    incoming: &Incoming,
    care: Care,
) -> Result<Option<Downlink>, StoreError> {
    match incoming {
        Incoming::Message {
            message: Uplink::Hello(_),
            ..
        } if moment.ear == Ear::Closed => Ok(None),
        Incoming::Message {
            login,
            message: Uplink::Hello(hello),
        } => {
            books.heard(&hello.branch, *login);
            books.said(conn, hello, moment.now)?;
            let remembers = books.remember(conn, &hello.branch, hello.ledger, &hello.marks)?;
            let mark = books.ledger(conn, &hello.branch, hello.ledger)?.mark;
            Ok(Some(Downlink::Answer(Answer {
                hq: moment.stamp(*login),
                ledger: hello.ledger,
                nonce: hello.nonce,
                mark,
                asked: hello.marks.clone(),
                remembers,
                holding: Holding::default(),
            })))
        }
        Incoming::Message {
            login,
            message: Uplink::Batch(batch),
        } => {
            books.heard(&batch.branch, *login);
            let receipt = take_batch(conn, books, moment, *login, batch, care)?;
            Ok(Some(Downlink::Receipt(receipt)))
        }
        Incoming::Unread(unread) => take_unread(conn, books, moment, unread).map(Some),
        Incoming::Refused(suspect) => {
            quarantine::keep(conn, suspect, moment.now)?;
            Ok(None)
        }
    }
}

/// Answers a message whose body can't be read.
fn take_unread(
    conn: &mut SqliteConnection,
    books: &mut Books,
    moment: &Moment<'_>,
    unread: &UnreadMessage,
) -> Result<Downlink, StoreError> {
    if let Some(suspect) = &unread.suspect {
        quarantine::keep(conn, suspect, moment.now)?;
    }
    books.heard(&unread.branch, unread.login);
    let mark = books.ledger(conn, &unread.branch, unread.ledger)?.mark;
    let hq = moment.stamp(unread.login);
    Ok(match &unread.question {
        Question::Hello(nonce) => Downlink::Answer(Answer {
            hq,
            ledger: unread.ledger,
            nonce: *nonce,
            mark,
            asked: Vec::new(),
            remembers: true,
            holding: Holding::default(),
        }),
        Question::Batch(batch, outcome) => Downlink::Receipt(Receipt {
            hq,
            batch: *batch,
            mark,
            newly_applied: 0,
            outcome: outcome.clone(),
        }),
    })
}

fn take_batch(
    conn: &mut SqliteConnection,
    books: &mut Books,
    moment: &Moment<'_>,
    login: Login,
    batch: &Batch,
    care: Care,
) -> Result<Receipt, StoreError> {
    let key = Key {
        branch: &batch.branch,
        ledger: batch.ledger,
        now: moment.now,
    };
    let sales = with_clean_voids(&batch.sales);
    let mut fates = Fates::default();
    match care {
        Care::Together => {
            for rows in without_repeats(&sales) {
                fates.add(take_rows(conn, key, rows)?);
            }
        }
        Care::RowByRow => {
            for row in sales.iter() {
                fates.add(take_row(conn, key, row)?);
            }
        }
    }
    let ledger = books.ledger(conn, &batch.branch, batch.ledger)?;
    let stored = Run::group(fates.stored);
    let newly_applied = match moment.ear {
        Ear::Open => {
            let mut counted: Vec<SaleId> = fates.applied.iter().map(|(id, _)| *id).collect();
            counted.extend(replayed::take(conn, key, &fates.told)?);
            ledger.applied(batch.id, &counted, &stored)
        }
        Ear::Closed => {
            ledger.named(fates.applied.iter().map(|(id, _)| *id));
            replayed::note(conn, key, &fates.applied)?;
            0
        }
    };
    Ok(Receipt {
        hq: moment.stamp(login),
        batch: batch.id,
        mark: ledger.mark,
        newly_applied,
        outcome: Outcome::Taken(Taken {
            stored,
            refused: fates.refused,
            held: fates.held,
        }),
    })
}

impl Moment<'_> {
    fn stamp(&self, login: Login) -> HqStamp {
        HqStamp {
            store: self.store,
            replaces: self.replaces.clone(),
            clock: self.now,
            trial: login == Login::Trial,
            reads: self.reads.to_vec(),
        }
    }
}

/// What became of some rows; each is stored, refused or held.
#[derive(Debug, Default)]
struct Fates {
    stored: Vec<(SaleId, Revision)>,
    refused: Vec<(SaleId, Revision, Refusal)>,
    held: Vec<Sale>,
    /// Those of `stored` that were not there before.
    applied: Vec<(SaleId, Revision)>,
    /// What was there before of the rows that were not applied: the answer tells of it.
    told: Vec<(SaleId, Revision)>,
}

impl Fates {
    fn add(&mut self, more: Self) {
        self.stored.extend(more.stored);
        self.refused.extend(more.refused);
        self.held.extend(more.held);
        self.applied.extend(more.applied);
        self.told.extend(more.told);
    }
}

/// Takes one row, and undoes it and refuses it if the database does.
fn take_row(conn: &mut SqliteConnection, key: Key<'_>, row: &Sale) -> Result<Fates, StoreError> {
    match transaction::savepoint(conn, |conn| take_rows(conn, key, std::slice::from_ref(row))) {
        Err(error) if blames_rows(&error) => {
            tracing::warn!(branch = %key.branch, ledger = %key.ledger, sale = row.id.get(), %error, "the database refused a sale");
            Ok(Fates {
                refused: vec![(row.id, row.revision, Refusal::Storage)],
                ..Fates::default()
            })
        }
        taken => taken,
    }
}

/// Takes rows of which no two have the same id.
fn take_rows(conn: &mut SqliteConnection, key: Key<'_>, rows: &[Sale]) -> Result<Fates, StoreError> {
    let held = sales::held(conn, key, rows)?;
    let mut fates = Fates::default();
    let (mut newer, mut replaced) = (Vec::with_capacity(rows.len()), Vec::new());
    let mut repeated = Vec::new();
    for row in rows {
        let here = held.get(&row.id);
        let verdict = verdict::judge(key.branch, here, row);
        if verdict != Verdict::Apply {
            fates.told.extend(here.map(|sale| (sale.id, sale.revision)));
        }
        match (verdict, here) {
            (Verdict::Apply, _) => match verdict::admit(row, key.now) {
                Ok(()) => {
                    newer.push(row);
                    replaced.extend(here.map(|sale| sale.id));
                    fates.stored.push((row.id, row.revision));
                    fates.applied.push((row.id, row.revision));
                }
                Err(refusal) => fates.refused.push((row.id, row.revision, refusal)),
            },
            (Verdict::Duplicate, _) => {
                fates.stored.push((row.id, row.revision));
                repeated.push(row);
            }
            (Verdict::Conflict, here) => {
                conflicts::keep(conn, key, row)?;
                fates.held.extend(here.cloned());
            }
            (Verdict::Stale, here) => fates.held.extend(here.cloned()),
        }
    }
    sales::keep_revisions(conn, key, &replaced)?;
    bulk::upsert(conn, key, &newer)?;
    conflicts::settle(conn, key, &newer)?;
    conflicts::settle(conn, key, &repeated)?;
    Ok(fates)
}

/// Rows as they are judged. A void is storable whatever its content is, so nothing has judged its texts; they are cleaned, each time alike, for whoever reads them here.
fn with_clean_voids(rows: &[Sale]) -> Cow<'_, [Sale]> {
    let is_dirty = |row: &Sale| row.is_void() && !(is_clean(&row.content.product) && is_clean(&row.content.region));
    if !rows.iter().any(is_dirty) {
        return Cow::Borrowed(rows);
    }
    let mut rows = rows.to_vec();
    for row in rows.iter_mut().filter(|row| is_dirty(row)) {
        row.content.product = clean(&row.content.product).into();
        row.content.region = clean(&row.content.region).into();
    }
    Cow::Owned(rows)
}

/// Cuts rows where an id comes again, so that the later row is judged by what the earlier one has left.
fn without_repeats(rows: &[Sale]) -> Vec<&[Sale]> {
    if rows.windows(2).all(|pair| pair[0].id < pair[1].id) {
        return vec![rows];
    }
    let (mut parts, mut from, mut seen) = (Vec::new(), 0, HashSet::with_capacity(rows.len()));
    for (at, row) in rows.iter().enumerate() {
        if !seen.insert(row.id) {
            parts.push(&rows[from..at]);
            from = at;
            seen.clear();
            seen.insert(row.id);
        }
    }
    parts.push(&rows[from..]);
    parts
}
