//! Version 1 of the bodies.
//!
//! Numbers and texts are in [postcard's format](https://postcard.jamesmunns.com/wire-format): unsigned integers (`u`) as LEB128 varints, signed ones (`i`)
//! zig-zagged first, a byte and a flag as one byte, a list as `u` elements and the elements, a text as `u` bytes and UTF-8, an enum as `u` and its fields; ids
//! are their 16 bytes. Fields stand in this order, with nothing between them. Times are milliseconds since 1970, UTC. Bits are what [columns](mod@column) put there.
//!
//! | hello: numbers | | answer: numbers | | receipt: numbers | |
//! | --- | --- | --- | --- | --- | --- |
//! | first id | `i` | stamp | below | stamp | below |
//! | highest id | `i` | mark | below | mark | below |
//! | sales | `u` | marks it was asked about | list | newly applied revisions | `u` |
//! | amount, ten-thousandths | `i`, 128 bits | remembers them all | flag | outcome | below |
//! | clock | `i` | product names that it holds | list of spans | taken only: stored, [runs] | lists |
//! | versions it writes | list of bytes | their fingerprint | 8 bytes | refused | list |
//! | marks it asks about | list | | | held | below |
//!
//! A mark is: applied count (`u`), chain (16 bytes). A stamp is: store (16 bytes), list of the stores it replaces, clock (`i`), trial (flag), list of the
//! versions it reads. A span of product numbers is: numbers between it and the one before (`u`), numbers in it less 1 (`u`).
//!
//! An outcome is: 0 = taken, 1 = unreadable, 2 = too new, 3 = unknown products (`u`). A refused row is: its id less the id before (`i`), revision (`u`), and
//! 0 and the days ahead (`u`); 1 and the problem of the content: 0 = no product, 1 = product too long, 2 = unclean text, 3 = no region, 4 = region too long,
//! 5 = no quantity, 6 = amount too large; 2 = unreadable; 3 = storage. Held is: 0 = none; 1, the ledger (16 bytes) and [rows].
//!
//! A batch's numbers are [rows]. Texts and bits are empty unless there are rows.

pub mod column;
mod products;
pub mod rows;
pub mod runs;
mod tax;
mod texts;

use serde::{Deserialize, Serialize};

use super::capped::Capped;
use super::seal::Sections;
use super::{EncodeError, Flaw, MAX_REPLACED, MAX_ROWS, MAX_VERSIONS, NamesOf};
use crate::domain::ids::{BatchId, LedgerId, Nonce, Revision, Run, SaleId, StoreId};
use crate::domain::money::MoneySum;
use crate::domain::sale::{ContentProblem, Sale};
use crate::domain::sync_state::Refusal;
use crate::domain::time::UtcMillis;
use crate::protocol::dictionary::{Fingerprint, Holding, MAX_SPANS, Product, Span};
use crate::protocol::lineage::{MAX_ASKED, Mark};
use crate::protocol::message::{Answer, Batch, Hello, HqStamp, Outcome, Receipt, Taken, Version};
use crate::wire::envelope::Envelope;
use rows::{Packed, RowNumbers, RowTexts};
use runs::Runs;

/// The number of this version.
pub const VERSION: Version = 1;

#[derive(Serialize, Deserialize)]
struct HelloBody {
    first_id: i64,
    highest_id: i64,
    sales: u64,
    amount: i128,
    clock: i64,
    writes: Capped<Version, MAX_VERSIONS>,
    marks: Marks,
}

type MarkBody = (u64, [u8; 16]);
type Marks = Capped<MarkBody, MAX_ASKED>;

#[derive(Serialize, Deserialize)]
struct Stamp {
    store: [u8; 16],
    replaces: Capped<[u8; 16], MAX_REPLACED>,
    clock: i64,
    trial: bool,
    reads: Capped<Version, MAX_VERSIONS>,
}

#[derive(Serialize, Deserialize)]
struct AnswerBody {
    stamp: Stamp,
    mark: MarkBody,
    asked: Marks,
    remembers: bool,
    spans: Capped<(u16, u16), MAX_SPANS>,
    fingerprint: Fingerprint,
}

#[derive(Serialize, Deserialize)]
struct ReceiptBody {
    stamp: Stamp,
    mark: MarkBody,
    newly_applied: u64,
    outcome: OutcomeBody,
}

#[derive(Serialize, Deserialize)]
enum OutcomeBody {
    Taken(Box<TakenBody>),
    Unreadable,
    TooNew,
    UnknownProducts,
}

#[derive(Serialize, Deserialize)]
struct TakenBody {
    stored: Runs,
    refused: Capped<(i64, u32, RefusalBody), MAX_ROWS>,
    held: Option<([u8; 16], RowNumbers)>,
}

#[derive(Serialize, Deserialize)]
enum RefusalBody {
    DateAhead(u32),
    Content(ProblemBody),
    Unreadable,
    Storage,
}

#[derive(Serialize, Deserialize)]
enum ProblemBody {
    ProductMissing,
    ProductTooLong,
    Unclean,
    RegionMissing,
    RegionTooLong,
    QtyZero,
    AmountTooLarge,
}

/// Writes the body of a hello.
pub(super) fn write_hello(hello: &Hello) -> Result<Sections<'static>, EncodeError> {
    let body = HelloBody {
        first_id: hello.first_id,
        highest_id: hello.highest_id,
        sales: hello.sales,
        amount: hello.amount.0,
        clock: hello.clock.0,
        writes: capped(&hello.writes)?,
        marks: pack_marks(&hello.marks)?,
    };
    numbers_only(&body)
}

/// Reads the body of a hello.
pub(super) fn read_hello(envelope: &Envelope, sections: &Sections<'_>) -> Result<Hello, Flaw> {
    let body: HelloBody = read_numbers_only(sections)?;
    Ok(Hello {
        branch: envelope.branch.clone(),
        ledger: envelope.ledger,
        nonce: Nonce::from_bytes(envelope.id),
        first_id: body.first_id,
        highest_id: body.highest_id,
        sales: body.sales,
        amount: MoneySum(body.amount),
        clock: UtcMillis(body.clock),
        writes: body.writes.0,
        marks: unpack_marks(body.marks),
    })
}

/// Writes the body of a batch.
pub(super) fn write_batch(batch: &Batch) -> Result<Sections<'static>, EncodeError> {
    let rows = pack_rows(&batch.sales, &batch.products, batch.ledger)?;
    Ok(Sections {
        numbers: write(&rows.numbers)?.into(),
        texts: write(&rows.texts)?.into(),
        bits: rows.bits.into(),
    })
}

/// Reads the body of a batch.
pub(super) fn read_batch(envelope: &Envelope, sections: &Sections<'_>, names: &mut NamesOf<'_>) -> Result<Batch, Flaw> {
    let numbers: RowNumbers = read(&sections.numbers)?;
    let texts: RowTexts<'_> = read(&sections.texts)?;
    let (sales, products) = numbers.unpack(&texts, &sections.bits, envelope.ledger, &mut |numbers| {
        names(envelope, numbers)
    })?;
    Ok(Batch {
        branch: envelope.branch.clone(),
        ledger: envelope.ledger,
        id: BatchId::from_bytes(envelope.id),
        sales,
        products,
    })
}

/// Writes the body of an answer.
pub(super) fn write_answer(answer: &Answer) -> Result<Sections<'static>, EncodeError> {
    let body = AnswerBody {
        stamp: Stamp::of(&answer.hq)?,
        mark: pack_mark(&answer.mark),
        asked: pack_marks(&answer.asked)?,
        remembers: answer.remembers,
        spans: pack_spans(&answer.holding.spans)?,
        fingerprint: answer.holding.fingerprint,
    };
    numbers_only(&body)
}

/// Reads the body of an answer.
pub(super) fn read_answer(nonce: Nonce, ledger: LedgerId, sections: &Sections<'_>) -> Result<Answer, Flaw> {
    let body: AnswerBody = read_numbers_only(sections)?;
    Ok(Answer {
        hq: body.stamp.into(),
        ledger,
        nonce,
        mark: unpack_mark(body.mark),
        asked: unpack_marks(body.asked),
        remembers: body.remembers,
        holding: Holding {
            spans: unpack_spans(body.spans)?,
            fingerprint: body.fingerprint,
        },
    })
}

/// Writes the body of a receipt.
pub(super) fn write_receipt(receipt: &Receipt) -> Result<Sections<'static>, EncodeError> {
    let (mut texts, mut bits) = (Vec::new(), Vec::new());
    let outcome = match &receipt.outcome {
        Outcome::Unreadable => OutcomeBody::Unreadable,
        Outcome::TooNew => OutcomeBody::TooNew,
        Outcome::UnknownProducts => OutcomeBody::UnknownProducts,
        Outcome::Taken(taken) => {
            let held = match taken.held.first() {
                None => None,
                Some(Sale { ledger, .. }) => {
                    let rows = pack_rows(&taken.held, &[], *ledger)?;
                    (texts, bits) = (write(&rows.texts)?, rows.bits);
                    Some((*ledger.as_bytes(), rows.numbers))
                }
            };
            OutcomeBody::Taken(Box::new(TakenBody {
                stored: pack_runs(&taken.stored)?,
                refused: pack_refused(&taken.refused)?,
                held,
            }))
        }
    };
    let body = ReceiptBody {
        stamp: Stamp::of(&receipt.hq)?,
        mark: pack_mark(&receipt.mark),
        newly_applied: receipt.newly_applied,
        outcome,
    };
    Ok(Sections {
        numbers: write(&body)?.into(),
        texts: texts.into(),
        bits: bits.into(),
    })
}

/// Reads the body of a receipt.
pub(super) fn read_receipt(batch: BatchId, sections: &Sections<'_>) -> Result<Receipt, Flaw> {
    let body: ReceiptBody = read(&sections.numbers)?;
    let outcome = match body.outcome {
        OutcomeBody::Unreadable => Outcome::Unreadable,
        OutcomeBody::TooNew => Outcome::TooNew,
        OutcomeBody::UnknownProducts => Outcome::UnknownProducts,
        OutcomeBody::Taken(taken) => {
            let TakenBody { stored, refused, held } = *taken;
            Outcome::Taken(Taken {
                stored: stored.unpack()?,
                refused: unpack_refused(refused.0)?,
                held: match held {
                    None if sections.texts.is_empty() && sections.bits.is_empty() => Vec::new(),
                    None => return Err(Flaw::Trailing),
                    Some((ledger, numbers)) => {
                        let texts = read(&sections.texts)?;
                        let ledger = LedgerId::from_bytes(ledger);
                        numbers.unpack(&texts, &sections.bits, ledger, &mut |_| None)?.0
                    }
                },
            })
        }
    };
    Ok(Receipt {
        hq: body.stamp.into(),
        batch,
        mark: unpack_mark(body.mark),
        newly_applied: body.newly_applied,
        outcome,
    })
}

const fn pack_mark(mark: &Mark) -> MarkBody {
    (mark.applied, mark.chain)
}

const fn unpack_mark((applied, chain): MarkBody) -> Mark {
    Mark { applied, chain }
}

fn pack_marks(marks: &[Mark]) -> Result<Marks, EncodeError> {
    let bodies: Vec<MarkBody> = marks.iter().map(pack_mark).collect();
    capped(&bodies)
}

fn unpack_marks(marks: Marks) -> Vec<Mark> {
    marks.0.into_iter().map(unpack_mark).collect()
}

fn pack_spans(spans: &[Span]) -> Result<Capped<(u16, u16), MAX_SPANS>, EncodeError> {
    let mut after = Some(0_u16);
    let packed = spans.iter().map(|span| {
        let gap = after.and_then(|after| span.first.checked_sub(after));
        after = span.last.checked_add(1);
        gap.zip(span.last.checked_sub(span.first)).ok_or(EncodeError::Spans)
    });
    capped(&packed.collect::<Result<Vec<_>, _>>()?)
}

fn unpack_spans(spans: Capped<(u16, u16), MAX_SPANS>) -> Result<Vec<Span>, Flaw> {
    let mut after = Some(0_u16);
    let read = spans.0.into_iter().map(|(gap, more)| {
        let first = after.and_then(|after| after.checked_add(gap)).ok_or(Flaw::Columns)?;
        let last = first.checked_add(more).ok_or(Flaw::Columns)?;
        after = last.checked_add(1);
        Ok(Span { first, last })
    });
    read.collect()
}

fn pack_rows(sales: &[Sale], products: &[Product], ledger: LedgerId) -> Result<Packed, EncodeError> {
    if sales.is_empty() || sales.len() > MAX_ROWS {
        return Err(EncodeError::Rows(sales.len()));
    }
    if let Some(sale) = sales.iter().find(|sale| sale.ledger != ledger) {
        return Err(EncodeError::Ledger {
            row: sale.ledger,
            message: ledger,
        });
    }
    rows::pack(sales, products)
}

fn pack_runs(runs: &[Run]) -> Result<Runs, EncodeError> {
    let rows: usize = runs.iter().map(|run| run.count as usize).sum();
    if rows > MAX_ROWS {
        return Err(EncodeError::Rows(rows));
    }
    Ok(Runs::pack(runs))
}

fn pack_refused(
    refused: &[(SaleId, Revision, Refusal)],
) -> Result<Capped<(i64, u32, RefusalBody), MAX_ROWS>, EncodeError> {
    if refused.len() > MAX_ROWS {
        return Err(EncodeError::Rows(refused.len()));
    }
    let mut last = 0;
    let rows = refused.iter().map(|(id, revision, refusal)| {
        let step = id.get() - last;
        last = id.get();
        (step, revision.get(), RefusalBody::from(refusal))
    });
    Ok(Capped(rows.collect()))
}

fn unpack_refused(rows: Vec<(i64, u32, RefusalBody)>) -> Result<Vec<(SaleId, Revision, Refusal)>, Flaw> {
    let mut last = 0_i64;
    rows.into_iter()
        .map(|(step, revision, refusal)| {
            let id = last.checked_add(step).and_then(SaleId::new).ok_or(Flaw::Id)?;
            last = id.get();
            Ok((id, Revision::new(revision).ok_or(Flaw::Id)?, refusal.into()))
        })
        .collect()
}

impl Stamp {
    fn of(hq: &HqStamp) -> Result<Self, EncodeError> {
        let replaces: Vec<_> = hq.replaces.iter().map(|store| *store.as_bytes()).collect();
        Ok(Self {
            store: *hq.store.as_bytes(),
            replaces: capped(&replaces)?,
            clock: hq.clock.0,
            trial: hq.trial,
            reads: capped(&hq.reads)?,
        })
    }
}

impl From<Stamp> for HqStamp {
    fn from(stamp: Stamp) -> Self {
        Self {
            store: StoreId::from_bytes(stamp.store),
            replaces: stamp.replaces.0.into_iter().map(StoreId::from_bytes).collect(),
            clock: UtcMillis(stamp.clock),
            trial: stamp.trial,
            reads: stamp.reads.0,
        }
    }
}

impl From<&Refusal> for RefusalBody {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::DateAhead { days } => Self::DateAhead(*days),
            Refusal::Content(problem) => Self::Content(match problem {
                ContentProblem::ProductMissing => ProblemBody::ProductMissing,
                ContentProblem::ProductTooLong => ProblemBody::ProductTooLong,
                ContentProblem::Unclean => ProblemBody::Unclean,
                ContentProblem::RegionMissing => ProblemBody::RegionMissing,
                ContentProblem::RegionTooLong => ProblemBody::RegionTooLong,
                ContentProblem::QtyZero => ProblemBody::QtyZero,
                ContentProblem::AmountTooLarge => ProblemBody::AmountTooLarge,
            }),
            Refusal::Unreadable => Self::Unreadable,
            Refusal::Storage => Self::Storage,
        }
    }
}

impl From<RefusalBody> for Refusal {
    fn from(refusal: RefusalBody) -> Self {
        match refusal {
            RefusalBody::DateAhead(days) => Self::DateAhead { days },
            RefusalBody::Content(problem) => Self::Content(match problem {
                ProblemBody::ProductMissing => ContentProblem::ProductMissing,
                ProblemBody::ProductTooLong => ContentProblem::ProductTooLong,
                ProblemBody::Unclean => ContentProblem::Unclean,
                ProblemBody::RegionMissing => ContentProblem::RegionMissing,
                ProblemBody::RegionTooLong => ContentProblem::RegionTooLong,
                ProblemBody::QtyZero => ContentProblem::QtyZero,
                ProblemBody::AmountTooLarge => ContentProblem::AmountTooLarge,
            }),
            RefusalBody::Unreadable => Self::Unreadable,
            RefusalBody::Storage => Self::Storage,
        }
    }
}

fn capped<T: Clone, const MAX: usize>(list: &[T]) -> Result<Capped<T, MAX>, EncodeError> {
    if list.len() > MAX {
        return Err(EncodeError::List(list.len()));
    }
    Ok(Capped(list.to_vec()))
}

fn numbers_only<T: Serialize>(body: &T) -> Result<Sections<'static>, EncodeError> {
    Ok(Sections {
        numbers: write(body)?.into(),
        ..Sections::default()
    })
}

fn read_numbers_only<'a, T: Deserialize<'a>>(sections: &'a Sections<'_>) -> Result<T, Flaw> {
    if !sections.texts.is_empty() || !sections.bits.is_empty() {
        return Err(Flaw::Trailing);
    }
    read(&sections.numbers)
}

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    postcard::to_stdvec(value).map_err(|_| EncodeError::Packing)
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Flaw> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| Flaw::Body)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(Flaw::Trailing)
    }
}
