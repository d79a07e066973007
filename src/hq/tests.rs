//! Head office as a whole: a session, its group and its end, with a broker in memory.

mod ahead;
mod broker;
mod clocks;
mod names;
mod suspects;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::domain::ids::{BatchId, BranchCode, LedgerId, Nonce, Revision, SaleId};
use crate::domain::money::{Money, MoneySum};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::time::parse_wall;
use crate::protocol::dictionary::Product;
use crate::protocol::identity::Login;
use crate::protocol::lineage::{Lineage, Standing};
use crate::protocol::message::{Batch, Downlink, Hello, Outcome, Receipt, Uplink};
use crate::shutdown::{self, Trigger};
use crate::store::hq::{Incoming, MessageDigest, Suspect, fixture};
use crate::transport::{DeadLetter, Delivery};
use crate::wire::{encode_uplink, topology};
use broker::{Broker, Step};

/// 2026-11-22 14:07:31.
const NOW: UtcMillis = UtcMillis(1_795_356_451_000);
const LEDGER: LedgerId = LedgerId::from_random(7);

const QUICK: Options = Options {
    trial: false,
    wall: || NOW,
    decode: decode_uplink,
    encode: encode_downlink,
    built: UtcMillis(0),
    retry: Backoff { first_ms: 1, cap_ms: 1 },
};

/// A head office that runs beside a broker in memory.
struct Office {
    broker: Broker,
    trigger: Trigger,
    running: JoinHandle<Result<(), HqError>>,
    folder: TempDir,
}

impl Office {
    fn start(options: Options) -> Self {
        Self::prepared(options, |_, _| {})
    }

    /// Starts after something was done to the database and the broker.
    fn prepared(options: Options, prepare: impl FnOnce(&mut HqDb, &Broker)) -> Self {
        Self::inside(tempfile::tempdir().unwrap(), options, prepare)
    }

    fn inside(folder: TempDir, options: Options, prepare: impl FnOnce(&mut HqDb, &Broker)) -> Self {
        let path = folder.path().join("hq.db");
        let mut db = HqDb::create(&path, 5, NOW).unwrap();
        let broker = Broker::beside(path);
        prepare(&mut db, &broker);
        let (trigger, shutdown) = shutdown::channel();
        let running = tokio::spawn(run(broker.clone(), db, options, shutdown));
        Self {
            broker,
            trigger,
            running,
            folder,
        }
    }

    /// Stops it in an orderly way; returns its database.
    async fn stopped(self) -> (HqDb, TempDir) {
        self.trigger.request();
        self.running.await.unwrap().unwrap();
        (HqDb::open(&self.folder.path().join("hq.db")).unwrap(), self.folder)
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("hq.db")
    }

    fn receipts(&self) -> Vec<Receipt> {
        let answers = self.broker.state().answers.clone();
        answers
            .into_iter()
            .filter_map(|answer| match answer {
                Downlink::Receipt(receipt) => Some(receipt),
                Downlink::Answer(_) => None,
            })
            .collect()
    }
}

fn branch() -> BranchCode {
    BranchCode::parse("TUNIS-01").unwrap()
}

fn batch(id: u128, ids: std::ops::RangeInclusive<i64>) -> Uplink {
    let sale = |id| Sale {
        id: SaleId::new(id).unwrap(),
        ledger: LEDGER,
        revision: Revision::FIRST,
        content: SaleContent {
            date: parse_wall("2026-11-22 14:00").unwrap(),
            product: "PENS".into(),
            region: "East".into(),
            qty: 6,
            cost: Money::parse("3.39").unwrap(),
            tax: Money::parse("4.07").unwrap(),
        },
        created_at: NOW,
        updated_at: NOW,
        deleted_at: None,
    };
    Uplink::Batch(Batch {
        branch: branch(),
        ledger: LEDGER,
        id: BatchId::from_random(id),
        sales: ids.map(sale).collect(),
        products: Vec::new(),
    })
}

/// The same of one product that has number 4: its name travels along, or is leant on.
fn numbered(id: u128, ids: std::ops::RangeInclusive<i64>, told: bool) -> Uplink {
    let Uplink::Batch(mut batch) = batch(id, ids) else {
        unreachable!("a batch is a batch");
    };
    let name = "PENS".into();
    batch.products = vec![Product { no: 4, name, told }];
    Uplink::Batch(batch)
}

fn hello() -> Uplink {
    Uplink::Hello(Hello {
        branch: branch(),
        ledger: LEDGER,
        nonce: Nonce::from_random(3),
        first_id: 1,
        highest_id: 9,
        sales: 9,
        amount: MoneySum(0),
        clock: NOW,
        writes: vec![1],
        marks: Vec::new(),
    })
}

fn delivery(message: &Uplink) -> Delivery {
    Delivery {
        tag: 0,
        user_id: Some("TUNIS-01".into()),
        routing_key: topology::sales_key(&branch()),
        redelivered: 0,
        headers: "{}".into(),
        dead_letter: None,
        body: encode_uplink(message, 1).unwrap(),
    }
}

fn from_user(user: Option<&str>, message: &Uplink) -> Delivery {
    Delivery {
        user_id: user.map(ToOwned::to_owned),
        ..delivery(message)
    }
}

/// Has whoever opens this database hold the name that [`numbered`] sales lean on, and know nothing of it before it looks.
fn hold_names(database: &Path) {
    let told = Incoming::Message {
        login: Login::Trial,
        message: numbered(99, 99..=99, true),
    };
    let mut db = HqDb::open(database).unwrap();
    db.commit_group(NOW, &[1], &[told]).unwrap();
}

fn reasons(db: &mut HqDb) -> Vec<String> {
    let kept = db.quarantined(0, 100).unwrap();
    kept.into_iter().map(|message| message.suspect.reason).collect()
}

#[tokio::test]
async fn a_batch_is_committed_then_answered_then_acked() {
    let office = Office::start(QUICK);
    office.broker.deliver([delivery(&batch(1, 1..=3)), delivery(&hello())]);
    office.broker.until_acked(2).await;
    let steps = office.broker.state().steps.clone();
    assert_eq!(
        steps,
        [Step::Opened, Step::Replied { answers: 2, sales: 3 }, Step::Acked(2)]
    );
    let receipt = office.receipts().remove(0);
    assert_eq!(
        (receipt.batch, receipt.mark.applied, receipt.hq.clock),
        (BatchId::from_random(1), 3, NOW)
    );
    let broker = office.broker.clone();
    office.stopped().await;
    assert_eq!(broker.state().steps.last(), Some(&Step::Closed));
}

#[tokio::test]
async fn what_was_committed_and_not_answered_is_answered_as_stored() {
    let office = Office::prepared(QUICK, |_, broker| {
        broker.state().failing_replies = 1;
        broker.deliver([delivery(&batch(1, 1..=3))]);
    });
    office.broker.until_acked(1).await;
    let steps = office.broker.state().steps.clone();
    let answered = Step::Replied { answers: 1, sales: 3 };
    assert_eq!(
        steps,
        [Step::Opened, Step::Dropped, Step::Opened, answered, Step::Acked(1)]
    );
    let receipts = office.receipts();
    assert_eq!((receipts[0].newly_applied, receipts[0].mark.applied), (0, 3));
    assert!(matches!(&receipts[0].outcome, Outcome::Taken(taken) if taken.stored.len() == 1));
}

#[tokio::test]
async fn what_was_answered_and_not_acked_is_answered_again() {
    let office = Office::prepared(QUICK, |_, broker| {
        broker.state().failing_acks = 1;
        broker.state().failing_opens = 3;
        broker.deliver([delivery(&batch(1, 1..=3))]);
    });
    office.broker.until_acked(1).await;
    assert_eq!(office.receipts().len(), 2);
    assert_eq!(office.broker.state().drops(), 1);
}

#[tokio::test]
async fn a_trial_ends_for_a_branch_with_its_first_login_of_its_own() {
    let office = Office::start(Options { trial: true, ..QUICK });
    office.broker.deliver([
        from_user(Some("guest"), &batch(1, 1..=1)),
        delivery(&batch(2, 2..=2)),
        from_user(Some("guest"), &batch(3, 3..=3)),
    ]);
    office.broker.until_acked(3).await;
    let trials: Vec<_> = office.receipts().iter().map(|receipt| receipt.hq.trial).collect();
    assert_eq!(trials, [true, false]);
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        ["the message was sent by `guest` for a branch that has a login of its own"]
    );
}

#[tokio::test]
async fn another_head_office_is_said_and_ends_this_one() {
    let office = Office::prepared(QUICK, |_, broker| broker.state().another_hq = true);
    let error = office.running.await.unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("another head office already serves this broker")
    );
}

#[tokio::test]
async fn a_stop_waits_for_the_group_in_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hq.db");
    let db = HqDb::create(&path, 5, NOW).unwrap();
    let broker = Broker::beside(path);
    let (trigger, shutdown) = shutdown::channel();
    broker.state().stop_at_reply = Some(trigger);
    broker.deliver([delivery(&batch(1, 1..=3))]);
    run(broker.clone(), db, QUICK, shutdown).await.unwrap();
    let steps = broker.state().steps.clone();
    let answered = Step::Replied { answers: 1, sales: 3 };
    assert_eq!(steps, [Step::Opened, answered, Step::Acked(1), Step::Closed]);
}

/// As many hellos as are taken at once, and a batch behind them.
fn two_groups() -> impl Iterator<Item = Delivery> {
    let hellos = std::iter::repeat_with(|| delivery(&hello())).take(GROUP_MESSAGES);
    hellos.chain([delivery(&batch(1, 1..=3))])
}

#[tokio::test]
async fn a_group_is_committed_while_the_one_before_it_is_answered() {
    let office = Office::prepared(QUICK, |_, broker| {
        broker.state().failing_replies = 1;
        broker.deliver(two_groups());
    });
    office.broker.until_acked(GROUP_MESSAGES + 1).await;
    assert_eq!(office.broker.state().drops(), 1);
    let receipt = &office.receipts()[0];
    assert_eq!((receipt.newly_applied, receipt.mark.applied), (0, 3));
}

#[tokio::test]
async fn a_group_that_cannot_be_taken_holds_back_no_answer_to_the_one_before_it() {
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    // The first look is before the session, the second at the first group; at the second group the clock is wrong for once.
    let wall = || match LOOKS.fetch_add(1, Ordering::SeqCst) {
        2 => UtcMillis(0),
        _ => NOW,
    };
    let office = Office::prepared(Options { wall, ..QUICK }, |_, broker| broker.deliver(two_groups()));
    office.broker.until_acked(GROUP_MESSAGES + 1).await;
    let steps = office.broker.state().steps[..4].to_vec();
    let answered = Step::Replied {
        answers: GROUP_MESSAGES,
        sales: 0,
    };
    assert_eq!(
        steps,
        [Step::Opened, answered, Step::Acked(GROUP_MESSAGES), Step::Dropped]
    );
}

#[tokio::test]
async fn nothing_is_acked_while_the_database_fails_and_all_is_taken_when_it_works_again() {
    let office = Office::start(QUICK);
    fixture::break_disk(&office.database());
    office.broker.deliver([delivery(&batch(1, 1..=3)), delivery(&hello())]);
    office
        .broker
        .until("given up three times", |state| state.drops() >= 3)
        .await;
    assert!(office.broker.state().answers.is_empty());
    fixture::mend_disk(&office.database());
    office.broker.until_acked(2).await;
    assert_eq!(office.receipts()[0].mark.applied, 3);
    let (mut db, _folder) = office.stopped().await;
    assert!(reasons(&mut db).is_empty());
}

#[tokio::test]
async fn a_fault_of_our_own_costs_one_session() {
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    // The first look is before the session, the second at the first group.
    let wall = || {
        assert!(LOOKS.fetch_add(1, Ordering::SeqCst) != 1, "a fault on purpose");
        NOW
    };
    let office = Office::start(Options { wall, ..QUICK });
    office.broker.deliver([delivery(&batch(1, 1..=3))]);
    office.broker.until_acked(1).await;
    assert_eq!(office.broker.state().drops(), 1);
    assert_eq!(office.receipts()[0].mark.applied, 3);
}

#[tokio::test]
async fn a_fault_in_writing_costs_one_session_and_holds_back_no_other_answer() {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    // The first answer of the first group.
    let encode: Encode = |answer| {
        assert!(WRITTEN.fetch_add(1, Ordering::SeqCst) != 0, "a fault on purpose");
        encode_downlink(answer)
    };
    let office = Office::prepared(Options { encode, ..QUICK }, |_, broker| broker.deliver(two_groups()));
    office.broker.until_acked(GROUP_MESSAGES + 1).await;
    let answered = |answers, sales| Step::Replied { answers, sales };
    assert_eq!(
        office.broker.state().steps,
        [
            Step::Opened,
            answered(1, 3),
            Step::Acked(1),
            Step::Dropped,
            Step::Opened,
            answered(GROUP_MESSAGES, 3),
            Step::Acked(GROUP_MESSAGES)
        ]
    );
}
