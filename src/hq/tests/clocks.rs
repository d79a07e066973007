//! When head office's own clock can't be right.

use super::*;

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

#[test]
fn a_clock_that_is_earlier_than_the_program_takes_nothing() {
    let built = Options {
        built: UtcMillis(NOW.0 + 86_400_000),
        ..QUICK
    };
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::at(HqDb::create(&folder.path().join("hq.db"), 5, NOW).unwrap(), built);
    assert!(matches!(desk.ready(NOW), Err(Trouble::Clock(_))));
    let part = Reader::new(folder.path(), built)
        .read(&mut [delivery(&hello())].into())
        .unwrap()
        .unwrap();
    assert!(matches!(desk.take(part, NOW), Err(Trouble::Clock(_))));
    desk.ready(built.built).unwrap();
}

#[tokio::test]
async fn a_clock_far_ahead_of_most_branches_takes_nothing_until_it_is_set_right() {
    static CLOCK: AtomicI64 = AtomicI64::new(NOW.0 + 30 * 86_400_000);
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    let wall = || {
        LOOKS.fetch_add(1, Ordering::SeqCst);
        UtcMillis(CLOCK.load(Ordering::SeqCst))
    };
    let from = |code: &str| {
        let Uplink::Hello(hello) = hello() else {
            unreachable!("it is a hello")
        };
        let branch = BranchCode::parse(code).unwrap();
        Delivery {
            user_id: Some(code.into()),
            routing_key: topology::hello_key(&branch),
            ..delivery(&Uplink::Hello(Hello { branch, ..hello }))
        }
    };
    let office = Office::start(Options { wall, ..QUICK });
    let hellos = ["TUNIS-01", "SFAX-02", "SOUSSE-03"].map(from);
    office
        .broker
        .deliver(hellos.into_iter().chain([delivery(&batch(1, 1..=3))]));
    office
        .broker
        .until("session given up", |state| state.drops() == 1)
        .await;
    let before = LOOKS.load(Ordering::SeqCst);
    while LOOKS.load(Ordering::SeqCst) < before + 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(office.broker.state().steps, [Step::Opened, Step::Dropped]);
    CLOCK.store(NOW.0, Ordering::SeqCst);
    office.broker.until_acked(4).await;
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        db.newest_received_at().unwrap(),
        NOW,
        "the wrong time was never written down"
    );
}
