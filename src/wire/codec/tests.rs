//! Messages to bytes and back, and what bytes there are for them.

mod forged;

use std::sync::Arc;

use super::*;
use crate::domain::ids::{BatchId, BranchCode, Nonce, Revision, Run, SaleId, StoreId};
use crate::domain::money::{Money, MoneySum};
use crate::domain::sale::{ContentProblem, Sale, SaleContent};
use crate::domain::sync_state::Refusal;
use crate::domain::time::{UtcMillis, parse_wall};
use crate::protocol::dictionary::{Holding, Product, Span};
use crate::protocol::lineage::Mark;
use crate::protocol::message::{Answer, Batch, Hello, HqStamp, Outcome, Receipt, Taken};

const LEDGER: LedgerId = LedgerId::from_random(0x001e_d9e4);

fn branch() -> BranchCode {
    BranchCode::parse("TUNIS-01").unwrap()
}

fn sale(id: i64) -> Sale {
    let qty = u32::try_from(id % 12 + 1).unwrap();
    let cost = Money::from_units(100 * (95 + id * id % 800)).unwrap();
    Sale {
        id: SaleId::new(id).unwrap(),
        ledger: LEDGER,
        revision: Revision::FIRST,
        content: SaleContent {
            date: parse_wall("2026-11-22 09:00").unwrap() + chrono::Duration::seconds(id * 37),
            product: format!("LANTERN {}", id * id % 97).into(),
            region: "East".into(),
            qty,
            cost,
            tax: Money::from_units(cost.units() * i64::from(qty) / 500 * 100).unwrap(),
        },
        created_at: UtcMillis(1_795_338_000_000 + id * 37_003),
        updated_at: UtcMillis(1_795_338_000_000 + id * 37_003),
        deleted_at: None,
    }
}

/// The names that HQ holds here.
const HELD: [(u16, &str); 4] = [
    (12, "LANTERN 1"),
    (300, "LANTERN 9"),
    (13, "LANTERN 16"),
    (14, "LANTERN 25"),
];

/// Reads a message from a branch.
fn read_uplink(bytes: &[u8]) -> Result<Uplink, Unread> {
    decode_uplink(bytes, &mut holds(&HELD))
}

/// These names, as HQ may hold them.
fn holds<'a>(names: &'a [(u16, &'a str)]) -> impl FnMut(&Envelope, &[u16]) -> Option<Vec<Arc<str>>> + 'a {
    |_, numbers| {
        let name = |no: &u16| {
            names
                .iter()
                .find(|(held, _)| held == no)
                .map(|(_, name)| (*name).into())
        };
        numbers.iter().map(name).collect()
    }
}

fn batch(sales: Vec<Sale>) -> Uplink {
    Uplink::Batch(Batch {
        branch: branch(),
        ledger: LEDGER,
        id: BatchId::from_random(77),
        sales,
        products: Vec::new(),
    })
}

fn hello() -> Uplink {
    Uplink::Hello(Hello {
        branch: branch(),
        ledger: LEDGER,
        nonce: Nonce::from_random(99),
        first_id: 1,
        highest_id: 42_113,
        sales: 42_000,
        amount: MoneySum(8_237_461_400),
        clock: UtcMillis(1_795_338_000_000),
        writes: vec![1],
        marks: vec![mark(42_000)],
    })
}

fn stamp() -> HqStamp {
    HqStamp {
        store: StoreId::from_random(5),
        replaces: vec![StoreId::from_random(4)],
        clock: UtcMillis(1_795_338_000_500),
        trial: true,
        reads: vec![1],
    }
}

fn receipt(outcome: Outcome) -> Downlink {
    Downlink::Receipt(Receipt {
        hq: stamp(),
        batch: BatchId::from_random(77),
        mark: mark(1_002_000),
        newly_applied: 2_000,
        outcome,
    })
}

fn mark(applied: u64) -> Mark {
    Mark {
        applied,
        chain: std::array::from_fn(|at| u8::try_from(at * 7).unwrap()),
    }
}

fn run(first: i64, count: u32, revision: u32) -> Run {
    Run {
        first: SaleId::new(first).unwrap(),
        count,
        revision: Revision::new(revision).unwrap(),
    }
}

fn mixed_receipt() -> Downlink {
    let id = |id| SaleId::new(id).unwrap();
    let refused = [
        Refusal::DateAhead { days: 40 },
        Refusal::Content(ContentProblem::Unclean),
        Refusal::Unreadable,
        Refusal::Storage,
    ];
    receipt(Outcome::Taken(Taken {
        stored: vec![run(1, 9, 1), run(12, 1, 3)],
        refused: (20..)
            .zip(refused)
            .map(|(at, why)| (id(at), Revision::FIRST, why))
            .collect(),
        held: vec![sale(10), sale(11)],
    }))
}

fn answer() -> Downlink {
    Downlink::Answer(Answer {
        hq: stamp(),
        ledger: LEDGER,
        nonce: Nonce::from_random(99),
        mark: mark(42_100),
        asked: vec![mark(42_000)],
        remembers: true,
        holding: Holding {
            spans: vec![Span { first: 1, last: 600 }, Span { first: 602, last: 602 }],
            fingerprint: *b"8 bytes!",
        },
    })
}

/// A batch of five products, of which these travel with it; the second one has no number.
fn numbered(told: &[bool]) -> Uplink {
    let sales: Vec<Sale> = (1..=5).map(sale).collect();
    let numbers = [12, 0, 300, 13, 14];
    let products = sales.iter().zip(numbers).zip(told).map(|((sale, no), told)| Product {
        no,
        name: sale.content.product.clone(),
        told: *told,
    });
    let Uplink::Batch(plain) = batch(sales.clone()) else {
        unreachable!("a batch is a batch");
    };
    Uplink::Batch(Batch {
        products: products.filter(|product| product.no > 0).collect(),
        ..plain
    })
}

fn uplinks() -> Vec<Uplink> {
    let mut voided = sale(4);
    voided.revision = Revision::new(3).unwrap();
    voided.updated_at = voided.updated_at.plus(90_000);
    voided.deleted_at = Some(voided.updated_at);
    vec![
        hello(),
        batch(vec![sale(1)]),
        batch(vec![sale(1), sale(2), sale(3), voided, sale(9)]),
        numbered(&[true; 5]),
        numbered(&[false, true, true, false, true]),
    ]
}

fn downlinks() -> Vec<Downlink> {
    vec![
        answer(),
        mixed_receipt(),
        receipt(Outcome::Unreadable),
        receipt(Outcome::TooNew),
        receipt(Outcome::UnknownProducts),
    ]
}

#[test]
fn every_kind_of_message_reads_back() {
    for message in uplinks() {
        assert_eq!(read_uplink(&encode_uplink(&message, 1).unwrap()).as_ref(), Ok(&message));
    }
    for message in downlinks() {
        assert_eq!(
            decode_downlink(&encode_downlink(&message).unwrap()).as_ref(),
            Ok(&message)
        );
    }
}

/// A released version never changes. A new version gets vectors of its own; these stay.
#[test]
fn version_1_is_what_it_was() {
    let vectors = include_str!("../../../tests/vectors/v1.txt");
    let unhex = |line: &str| -> Vec<u8> {
        let digits = line.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
        digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
    };
    let kept: Vec<_> = vectors
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(unhex)
        .collect();
    let (up, down) = kept.split_at(uplinks().len());
    let read: Vec<_> = up.iter().map(|bytes| read_uplink(bytes).unwrap()).collect();
    assert_eq!(read, uplinks());
    let read: Vec<_> = down.iter().map(|bytes| decode_downlink(bytes).unwrap()).collect();
    assert_eq!(read, downlinks());
    // Another zstd may pack otherwise; what is too short for it is written as it was, too.
    assert_eq!(encode_uplink(&uplinks()[0], 1).unwrap(), up[0]);
    assert_eq!(encode_uplink(&uplinks()[1], 1).unwrap(), up[1]);
}

#[test]
fn an_ordinary_batch_is_under_ten_bytes_a_sale() {
    let bytes = encode_uplink(&batch((1..=1_000).map(sale).collect()), 1).unwrap();
    assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
}

#[test]
fn names_that_hq_holds_do_not_travel() {
    let told = encode_uplink(&numbered(&[true; 5]), 1).unwrap();
    let leans = numbered(&[false, true, false, true, false]);
    let bytes = encode_uplink(&leans, 1).unwrap();
    assert!(bytes.len() < told.len());
    assert_eq!(read_uplink(&bytes), Ok(leans));
    assert!(!bytes.windows(9).any(|part| part == b"LANTERN 9"));
}

#[test]
fn a_batch_that_leans_is_read_only_with_the_very_names_that_it_means() {
    let bytes = encode_uplink(&numbered(&[false; 5]), 1).unwrap();
    assert!(read_uplink(&bytes).is_ok());
    let missing = &HELD[..3];
    let mut other = HELD;
    other[2].1 = "LANTERN 61";
    let mut crosswise = HELD;
    (crosswise[0].1, crosswise[1].1) = (HELD[1].1, HELD[0].1);
    for names in [missing, &other, &crosswise] {
        let read = decode_uplink(&bytes, &mut holds(names));
        assert!(
            matches!(read, Err(Unread::UnknownProducts { .. })),
            "{names:?}: {read:?}"
        );
    }
}

#[test]
fn a_receipt_for_neighbours_is_short() {
    let message = receipt(Outcome::Taken(Taken {
        stored: vec![run(40_001, 2_000, 1)],
        ..Taken::default()
    }));
    let bytes = encode_downlink(&message).unwrap();
    assert!(bytes.len() < 100, "{} bytes", bytes.len());
}

#[test]
fn the_envelope_reads_without_the_body() {
    let mut bytes = encode_uplink(&batch(vec![sale(1)]), 1).unwrap();
    let last = bytes.len() - 6;
    bytes[last] ^= 0xff;
    let Err(Unread::Body { envelope, reason }) = read_uplink(&bytes) else {
        panic!("the body is damaged, not the envelope");
    };
    assert_eq!((envelope.branch, envelope.ledger), (branch(), LEDGER));
    assert_eq!(
        (envelope.id, reason),
        (*BatchId::from_random(77).as_bytes(), Flaw::Checksum)
    );
}

#[test]
fn a_newer_body_is_told_from_a_damaged_one() {
    let mut bytes = encode_uplink(&hello(), 1).unwrap();
    bytes[4] = 2;
    assert!(matches!(read_uplink(&bytes), Err(Unread::TooNew { envelope }) if envelope.kind == UplinkKind::Hello));
    bytes[4] = 0;
    assert!(matches!(
        read_uplink(&bytes),
        Err(Unread::Body {
            reason: Flaw::Version(0),
            ..
        })
    ));
}

#[test]
fn strangers_are_not_ours() {
    let good = encode_uplink(&hello(), 1).unwrap();
    let with = |at: usize, byte| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        read_uplink(&bytes)
    };
    assert_eq!(read_uplink(b""), Err(Unread::NotOurs(Flaw::Short)));
    assert_eq!(with(0, b'X'), Err(Unread::NotOurs(Flaw::Magic)));
    assert_eq!(with(2, 9), Err(Unread::NotOurs(Flaw::EnvelopeVersion(9))));
    assert_eq!(with(3, 4), Err(Unread::NotOurs(Flaw::Kind(4))));
    assert_eq!(with(3, 0), Err(Unread::NotOurs(Flaw::Kind(0))));
    assert_eq!(with(38, b't'), Err(Unread::NotOurs(Flaw::Branch)));
    assert_eq!(with(37, 255), Err(Unread::NotOurs(Flaw::Short)));
}

#[test]
fn an_uplink_is_no_downlink() {
    let up = encode_uplink(&hello(), 1).unwrap();
    let down = encode_downlink(&answer()).unwrap();
    assert!(decode_downlink(&up).is_err());
    assert!(matches!(read_uplink(&down), Err(Unread::NotOurs(_))));
}

#[test]
fn what_is_over_a_limit_is_not_written() {
    let rows = |count| encode_uplink(&batch((1..=count).map(sale).collect()), 1);
    assert_eq!(rows(0), Err(EncodeError::Rows(0)));
    assert_eq!(rows(10_001), Err(EncodeError::Rows(10_001)));
    let mut stranger = sale(1);
    stranger.ledger = LedgerId::from_random(8);
    let ledgers = EncodeError::Ledger {
        row: stranger.ledger,
        message: LEDGER,
    };
    assert_eq!(encode_uplink(&batch(vec![sale(1), stranger]), 1), Err(ledgers));
    assert_eq!(encode_uplink(&hello(), 2), Err(EncodeError::Version(2)));
}

#[test]
fn spans_that_do_not_rise_are_not_written() {
    let written = |spans: &[(u16, u16)]| {
        let Downlink::Answer(mut answer) = answer() else {
            unreachable!("it is an answer")
        };
        let span = |(first, last): &(u16, u16)| Span {
            first: *first,
            last: *last,
        };
        answer.holding.spans = spans.iter().map(span).collect();
        encode_downlink(&Downlink::Answer(answer))
    };
    assert!(written(&[(0, 4), (5, 9), (20, u16::MAX)]).is_ok());
    for spans in [
        &[(5, 9), (9, 12)][..],
        &[(5, 9), (1, 2)],
        &[(9, 5)],
        &[(1, u16::MAX), (1, 2)],
    ] {
        assert_eq!(written(spans), Err(EncodeError::Spans), "{spans:?}");
    }
}

#[test]
fn a_date_that_no_sale_has_is_refused() {
    for year in ["1899", "10000"] {
        let mut row = sale(1);
        row.content.date = chrono::NaiveDate::from_ymd_opt(year.parse().unwrap(), 12, 31)
            .unwrap()
            .into();
        let bytes = encode_uplink(&batch(vec![sale(2), row]), 1).unwrap();
        assert!(
            matches!(read_uplink(&bytes), Err(Unread::Body { reason: Flaw::Date, .. })),
            "{year}"
        );
    }
}

#[test]
fn the_largest_receipt_that_can_be_asked_for_can_be_written() {
    let held = |id| {
        let mut sale = sale(id);
        sale.content.product = format!("{id:0>800}").into();
        sale.content.region = format!("{id:0>400}").into();
        sale
    };
    let message = receipt(Outcome::Taken(Taken {
        held: (1..).map(held).take(MAX_ROWS).collect(),
        ..Taken::default()
    }));
    assert_eq!(decode_downlink(&encode_downlink(&message).unwrap()), Ok(message));
}
