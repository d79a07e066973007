//! What is read while something else is committed: no more than one part, nothing that may end the program or beside such a thing, and never at the cost of what
//! is committed.

use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::*;
use crate::hq::Office as HeadOffice;
use crate::hq::reader::Content;
use crate::transport::{HqLink, HqTransport};

/// How long anything may take that is meant to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many messages have been read, for one test each.
struct Count(Mutex<usize>, Condvar);

impl Count {
    const fn new() -> Self {
        Self(Mutex::new(0), Condvar::new())
    }

    fn up(&self) -> usize {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        self.1.notify_all();
        *count
    }

    /// Waits until it is so many; returns how many it is then.
    fn until(&self, least: usize) -> usize {
        let count = self.0.lock().unwrap();
        let counted = self.1.wait_timeout_while(count, PATIENCE, |count| *count < least);
        *counted.unwrap().0
    }
}

#[tokio::test]
async fn a_group_is_read_while_the_one_before_it_is_committed() {
    static READ: Count = Count::new();
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    // The first look is before the session, each other one at the beginning of a commit.
    let wall = || {
        if LOOKS.fetch_add(1, Ordering::SeqCst) == 1 {
            assert_eq!(READ.until(2 * GROUP_MESSAGES), 2 * GROUP_MESSAGES);
        }
        NOW
    };
    let decode: Decode = |bytes, names| {
        READ.up();
        decode_uplink(bytes, names)
    };
    let hellos = std::iter::repeat_with(|| delivery(&hello())).take(3 * GROUP_MESSAGES);
    let office = Office::prepared(Options { wall, decode, ..QUICK }, |_, broker| broker.deliver(hellos));
    office.broker.until_acked(3 * GROUP_MESSAGES).await;
    assert_eq!(office.broker.state().drops(), 0);
}

/// What the parts have in them of these deliveries, by their tags, and whether they are read at once.
fn parts(deliveries: Vec<Delivery>) -> Vec<(Vec<u64>, bool)> {
    let mut waiting: VecDeque<Delivery> = deliveries.into();
    for (tag, delivery) in (1..).zip(&mut waiting) {
        delivery.tag = tag;
    }
    let mut reader = Reader::new(Path::new("hq.db"), QUICK);
    let parts = std::iter::from_fn(|| reader.read(&mut waiting).unwrap());
    parts
        .map(|part| (part.tags, matches!(part.content, Content::Together(_))))
        .collect()
}

#[test]
fn a_part_has_no_more_sales_than_one_transaction_takes_and_the_rest_waits_in_order() {
    let parts = parts(vec![delivery(&batch(1, 1..=5_000)); 24]);
    let lengths: Vec<_> = parts.iter().map(|(tags, _)| tags.len()).collect();
    let (last, full) = lengths.split_last().unwrap();
    assert!(
        !full.is_empty() && full.iter().all(|length| *length == full[0]),
        "{lengths:?}"
    );
    assert!(*last <= full[0], "{lengths:?}");
    let in_order: Vec<_> = parts.into_iter().flat_map(|(tags, _)| tags).collect();
    assert_eq!(in_order, (1..=24).collect::<Vec<_>>());
}

#[test]
fn what_comes_suspiciously_often_is_a_part_of_its_own_and_not_read_yet() {
    let plain = || delivery(&hello());
    let suspicious = || Delivery {
        redelivered: 4,
        ..plain()
    };
    let expired = Delivery {
        dead_letter: Some(DeadLetter::Expired),
        ..plain()
    };
    assert_eq!(
        parts(vec![plain(), expired, suspicious(), suspicious(), plain()]),
        [(vec![1, 2], true), (vec![3], false), (vec![4], false), (vec![5], true)]
    );
}

#[tokio::test]
async fn a_fault_in_reading_costs_one_session_and_holds_back_no_answer_to_what_is_committed() {
    static READ: Count = Count::new();
    // The first message of the second group.
    let decode: Decode = |bytes, names| {
        assert!(READ.up() != GROUP_MESSAGES + 1, "a fault on purpose");
        decode_uplink(bytes, names)
    };
    let office = Office::prepared(Options { decode, ..QUICK }, |_, broker| broker.deliver(two_groups()));
    office.broker.until_acked(GROUP_MESSAGES + 1).await;
    let answered = |answers, sales| Step::Replied { answers, sales };
    assert_eq!(
        office.broker.state().steps,
        [
            Step::Opened,
            answered(GROUP_MESSAGES, 0),
            Step::Acked(GROUP_MESSAGES),
            Step::Dropped,
            Step::Opened,
            answered(1, 3),
            Step::Acked(1)
        ]
    );
}

/// A head office that has committed a hello, and has next what may be what ended it before; another message waits behind that.
async fn before_a_suspicious_part(broker: &Broker, db: HqDb) -> (HeadOffice<Broker>, broker::Link, Hands) {
    let mut often = delivery(&batch(1, 1..=3));
    often.redelivered = 4;
    broker.deliver([delivery(&hello()), often, delivery(&batch(2, 4..=4))]);
    let mut office = HeadOffice::new(broker.clone(), db, QUICK);
    let mut link = broker.open().await.unwrap();
    let mut hands = Hands::default();
    hands.waiting.extend(link.next_group(3, usize::MAX).await.unwrap());
    for _ in 0..2 {
        hands = office.turn(&mut link, hands).await.unwrap();
    }
    assert!(hands.owed.is_some() && hands.read.as_ref().is_some_and(Part::is_suspicious));
    (office, link, hands)
}

#[tokio::test]
async fn beside_what_may_end_head_office_nothing_is_read_and_nothing_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hq.db");
    let broker = Broker::beside(path.clone());
    let db = HqDb::create(&path, 5, NOW).unwrap();
    let (mut office, mut link, hands) = before_a_suspicious_part(&broker, db).await;
    let hands = office.turn(&mut link, hands).await.unwrap();
    assert!(hands.read.is_none() && hands.waiting.len() == 1);
    let answered = Step::Replied { answers: 1, sales: 0 };
    assert_eq!(broker.state().steps, [Step::Opened, answered, Step::Acked(1)]);
    let hands = office.turn(&mut link, hands).await.unwrap();
    assert!(hands.read.is_some() && hands.waiting.is_empty());
}

#[tokio::test]
async fn what_may_end_head_office_is_begun_when_what_was_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hq.db");
    let broker = Broker::beside(path.clone());
    let db = HqDb::create(&path, 5, NOW).unwrap();
    let (mut office, mut link, hands) = before_a_suspicious_part(&broker, db).await;
    broker.state().failing_replies = 1;
    assert!(office.turn(&mut link, hands).await.is_err());
    assert_eq!(HqDb::open(&path).unwrap().overview().unwrap().branches[0].sales, 0);
}

/// A head office that has found out the second of three batches, the only one of seven sales, and has taken the others.
async fn with_seven_found_out(options: Options) -> Office {
    let office = Office::start(options);
    office.broker.deliver([
        delivery(&batch(1, 1..=3)),
        delivery(&batch(2, 4..=10)),
        delivery(&batch(3, 11..=12)),
    ]);
    office.broker.until_acked(3).await;
    // Nine times it ended head office: four times among others, then five times alone, and was not read at the tenth.
    assert_eq!(office.broker.state().drops(), 9);
    let outcomes = office.receipts().into_iter().map(|receipt| receipt.outcome);
    let unreadable: Vec<_> = outcomes.map(|outcome| outcome == Outcome::Unreadable).collect();
    assert_eq!(unreadable, [false, true, false]);
    office
}

#[tokio::test]
async fn a_message_that_ends_head_office_when_it_is_read_is_found_out() {
    // By its length: nothing else here has so many sales.
    let decode: Decode = |bytes, names| {
        let read = decode_uplink(bytes, names);
        assert!(
            !matches!(&read, Ok(Uplink::Batch(batch)) if batch.sales.len() == 7),
            "a mistake on purpose"
        );
        read
    };
    let office = with_seven_found_out(Options { decode, ..QUICK }).await;
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        ["head office ended 5 times while it handled the message, and has not read it again"]
    );
}

#[tokio::test]
async fn a_message_whose_answer_ends_head_office_is_found_out() {
    // By its length: nothing else here has so many sales.
    let encode: Encode = |answer| {
        let is_of_seven = matches!(answer, Downlink::Receipt(Receipt { outcome: Outcome::Taken(taken), .. })
            if taken.stored.iter().map(|run| run.count).sum::<u32>() == 7);
        assert!(!is_of_seven, "a mistake on purpose");
        encode_downlink(answer)
    };
    with_seven_found_out(Options { encode, ..QUICK }).await;
}
