mod broker;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::domain::ids::{BatchId, BranchCode, LedgerId, Nonce, Revision, SaleId};
use crate::domain::money::{Money, MoneySum};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::time::parse_wall;
use crate::protocol::message::{Batch, Downlink, Hello, Outcome, Receipt, Uplink};
use crate::shutdown::{self, Trigger};
use crate::store::hq::{MessageDigest, fixture};
use crate::transport::Delivery;
use crate::wire::{encode_uplink, topology};
use broker::{Broker, Step};

/// 2026-11-22 14:07:31.
const NOW: UtcMillis = UtcMillis(1_795_356_451_000);
const LEDGER: LedgerId = LedgerId::from_random(7);

const QUICK: Options = Options {
    trial: false,
    wall: || NOW,
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
        let folder = tempfile::tempdir().unwrap();
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
    })
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
        dead_letter: false,
        body: encode_uplink(message, 1).unwrap(),
    }
}

fn from_user(user: Option<&str>, message: &Uplink) -> Delivery {
    Delivery {
        user_id: user.map(ToOwned::to_owned),
        ..delivery(message)
    }
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
async fn nobody_speaks_for_another_branch() {
    let office = Office::start(QUICK);
    let message = batch(1, 1..=1);
    let mut other_key = delivery(&message);
    other_key.routing_key = "SFAX-02.s".into();
    office.broker.deliver([
        from_user(Some("SFAX-02"), &message),
        from_user(None, &message),
        from_user(Some("guest"), &message),
        other_key,
    ]);
    office.broker.until_acked(4).await;
    assert!(office.receipts().is_empty());
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        [
            "the message was sent under another user than its branch",
            "the message has no user_id, so the broker has not checked who sent it",
            "the message was sent by `guest`, and head office was not started with --trial",
            "the routing key names another branch than the message",
        ]
    );
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
async fn what_cannot_be_read_is_answered_and_quarantined_and_what_is_too_new_only_answered() {
    let office = Office::start(QUICK);
    let mut damaged = delivery(&batch(1, 1..=9));
    *damaged.body.last_mut().unwrap() ^= 1;
    let mut too_new = delivery(&batch(2, 1..=9));
    too_new.body[4] = 200;
    let mut nothing = delivery(&hello());
    nothing.body = b"GET / HTTP/1.1".to_vec();
    let mut damaged_by_other = damaged.clone();
    damaged_by_other.user_id = Some("SFAX-02".into());
    let mut dead = delivery(&batch(3, 1..=9));
    dead.dead_letter = true;
    office.broker.deliver([
        damaged,
        too_new,
        nothing,
        damaged_by_other,
        dead,
        delivery(&batch(4, 1..=9)),
    ]);
    office.broker.until_acked(6).await;
    let outcomes: Vec<_> = office.receipts().into_iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes[..2], [Outcome::Unreadable, Outcome::TooNew]);
    assert!(matches!(outcomes[2], Outcome::Taken(_)));
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        [
            "the message from TUNIS-01 has a body that can't be read: it was damaged on its way: its checksum is wrong",
            "the message has no envelope that can be read: it ends too early",
            "the message was sent under another user than its branch",
            "the broker gave the message up",
        ]
    );
}

#[tokio::test]
async fn a_message_is_not_blamed_for_being_delivered_often() {
    let office = Office::start(QUICK);
    let mut often = delivery(&batch(1, 1..=3));
    often.redelivered = 500;
    office
        .broker
        .deliver([delivery(&batch(2, 4..=4)), often, delivery(&batch(3, 5..=5))]);
    office.broker.until_acked(3).await;
    let receipts: Vec<_> = office
        .receipts()
        .iter()
        .map(|receipt| (receipt.mark.applied - receipt.newly_applied, receipt.mark.applied))
        .collect();
    assert_eq!(receipts, [(0, 1), (1, 4), (4, 5)]);
}

#[tokio::test]
async fn a_message_that_is_taken_each_time_is_never_blamed() {
    let office = Office::start(QUICK);
    let mut often = delivery(&batch(1, 1..=3));
    often.redelivered = 500;
    for times in 1..=7 {
        office.broker.deliver([often.clone()]);
        office.broker.until_acked(times).await;
    }
    assert_eq!(office.receipts().len(), 7);
}

#[tokio::test]
async fn a_message_that_ended_head_office_five_times_is_not_read_again() {
    let mut poison = delivery(&batch(1, 1..=3));
    poison.redelivered = 9;
    let digest = MessageDigest::of(&poison.routing_key, poison.user_id.as_deref(), &poison.body);
    let office = Office::prepared(QUICK, |db, broker| {
        for _ in 0..5 {
            db.try_begins(digest, NOW).unwrap();
        }
        broker.deliver([poison, delivery(&batch(2, 4..=4))]);
    });
    office.broker.until_acked(2).await;
    assert_eq!(office.receipts().len(), 1);
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        ["head office ended 5 times while it handled the message, and has not read it again"]
    );
    // Somebody has looked at it, and lets it in.
    let id = db.quarantined(0, 1).unwrap()[0].id;
    replay(&mut db, id, false, NOW).unwrap();
    assert!(matches!(
        replay(&mut db, id, false, NOW),
        Err(ReplayError::NoMessage(_))
    ));
    assert!(db.quarantined(0, 1).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_still_wrong_stays_in_the_quarantine() {
    let office = Office::start(QUICK);
    office.broker.deliver([from_user(Some("guest"), &hello())]);
    office.broker.until_acked(1).await;
    let (mut db, _folder) = office.stopped().await;
    let id = db.quarantined(0, 1).unwrap()[0].id;
    assert!(matches!(
        replay(&mut db, id, false, NOW),
        Err(ReplayError::StillRefused { .. })
    ));
    replay(&mut db, id, true, NOW).unwrap();
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
async fn a_database_that_fails_for_long_makes_no_message_suspicious() {
    let office = Office::start(QUICK);
    fixture::break_disk(&office.database());
    office.broker.deliver([delivery(&batch(1, 1..=3))]);
    office.broker.until("given up often", |state| state.drops() >= 15).await;
    fixture::mend_disk(&office.database());
    office.broker.until_acked(1).await;
    assert_eq!(office.receipts().len(), 1);
}

#[tokio::test]
async fn nothing_is_taken_while_the_clock_cannot_be_right() {
    static CLOCK: AtomicI64 = AtomicI64::new(0);
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    CLOCK.store(NOW.0 - 86_400_000, Ordering::SeqCst);
    let wall = || {
        LOOKS.fetch_add(1, Ordering::SeqCst);
        UtcMillis(CLOCK.load(Ordering::SeqCst))
    };
    let office = Office::prepared(Options { wall, ..QUICK }, |db, broker| {
        db.commit_group(NOW, &[1], &[]).unwrap();
        broker.deliver([delivery(&batch(1, 1..=3))]);
    });
    while LOOKS.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    assert!(office.broker.state().steps.is_empty());
    CLOCK.store(NOW.0, Ordering::SeqCst);
    office.broker.until_acked(1).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_under_way_ends_the_session() {
    static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
    let wall = || UtcMillis(CLOCK.load(Ordering::SeqCst));
    let office = Office::start(Options { wall, ..QUICK });
    office.broker.deliver([delivery(&batch(1, 1..=3))]);
    office.broker.until_acked(1).await;
    CLOCK.store(0, Ordering::SeqCst);
    office.broker.deliver([delivery(&batch(2, 4..=6))]);
    office
        .broker
        .until("session given up", |state| state.drops() == 1)
        .await;
    assert_eq!(office.receipts().len(), 1);
    CLOCK.store(NOW.0 + 1, Ordering::SeqCst);
    office.broker.until_acked(2).await;
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
