//! Databases that are not what they were: copied, restored, replaced, doubled, on either side. Each is noticed, said in one sentence, explained by `doctor`, and healed.

use branchline::clock;
use branchline::domain::event::LogEvent;
use branchline::domain::ids::SaleId;
use branchline::domain::sale::SaleContent;
use branchline::store::branch::Choice;

use super::scene::Scene;
use crate::support::books::{assert_same, assert_settled};
use crate::support::broker::Broker;
use crate::support::place::BRANCH;
use crate::support::till::Till;
use crate::support::until;

/// A second database of the same branch.
const COPY: &str = "TUNIS-01@copy";

/// A scene whose branch has some sales at head office and is stopped, with a copy of its database as it is now.
async fn with_a_copy(seed: u64) -> Scene {
    let mut scene = Scene::set(Broker::shared().vhost(), seed).await;
    let mut till = Till::open(&scene.place, BRANCH, seed);
    (0..20).for_each(|_| till.sell());
    drop(till);
    scene.settle("they are at head office").await;
    scene.branch.take().unwrap().stop();
    scene.place.copy_db(BRANCH, COPY);
    scene
}

/// Requires that the branch's log says something of this kind, and that `doctor` explains it.
async fn told(scene: &Scene, name: &str, what: &str, is: impl Fn(&LogEvent) -> bool, doctor_says: &str) {
    let mut db = scene.place.branch(name);
    until(what, || {
        db.log_tail(u32::MAX).unwrap().iter().any(|line| is(&line.event))
    })
    .await;
    let doctor = scene.place.doctor(name, &scene.branch_url);
    assert!(doctor.contains(doctor_says), "{doctor}");
}

const fn begins_a_ledger(event: &LogEvent) -> bool {
    matches!(event, LogEvent::LedgerBegun { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_restored_from_an_old_copy_begins_a_ledger_of_its_own() {
    let mut scene = with_a_copy(51).await;
    // Its life goes on, and is lost.
    scene.branch = Some(scene.place.start(BRANCH, &scene.branch_url));
    let mut till = Till::open(&scene.place, BRANCH, 510);
    (0..10).for_each(|_| till.sell());
    drop(till);
    let mut db = scene.db();
    let [edited, voided] = [1, 2].map(|id| SaleId::new(id).unwrap());
    let sale = db.sale(edited).unwrap().unwrap().sale;
    let content = SaleContent {
        qty: sale.content.qty + 7,
        ..sale.content
    };
    db.save_edit(edited, sale.revision, &content, None, clock::wall())
        .unwrap();
    let sale = db.sale(voided).unwrap().unwrap().sale;
    db.void_sale(voided, sale.revision, clock::wall()).unwrap();
    drop(db);
    scene.settle("what the copy does not know is at head office").await;
    scene.branch.take().unwrap().stop();

    // The copy takes its place; its next sales have the numbers of those that are lost.
    let _branch = scene.place.start(COPY, &scene.branch_url);
    let mut till = Till::open(&scene.place, COPY, 511);
    (0..5).for_each(|_| till.sell());
    told(
        &scene,
        COPY,
        "the copy is noticed",
        begins_a_ledger,
        "only one computer",
    )
    .await;
    (0..5).for_each(|_| till.sell());
    // What the lost life did to sales that the copy has acked is shown, and taken over.
    let mut db = scene.place.branch(COPY);
    until("the copy hears of the edit and the void", || {
        db.status().unwrap().conflicts == 2
    })
    .await;
    for id in [edited, voided] {
        db.resolve(id, Choice::TakeHq, clock::wall()).unwrap();
    }
    until("all of the copy is at head office", || scene.place.in_step(COPY)).await;
    assert_eq!(db.sale(edited).unwrap().unwrap().sale.content, content);
    assert!(db.sale(voided).unwrap().unwrap().sale.is_void());
    assert_eq!(db.status().unwrap().rows, 31);
    assert!(db.audit().unwrap().is_clean());
    // Head office holds what either has sold, as either knows it.
    assert_same(&scene.place, "hq", &[BRANCH, COPY]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_boxes_that_sell_with_copies_of_one_database_are_told_and_neither_loses_a_sale() {
    let mut scene = with_a_copy(52).await;
    scene.branch = Some(scene.place.start(BRANCH, &scene.branch_url));
    let copy = scene.place.start(COPY, &scene.branch_url);
    let mut tills = [BRANCH, COPY].map(|name| Till::open(&scene.place, name, 520));
    let mut dbs = [BRANCH, COPY].map(|name| scene.place.branch(name));
    // Both drain one queue of receipts: whoever is handed the other's says so.
    until("one of them hears what is not for it", || {
        tills.iter_mut().for_each(Till::sell);
        let mut hears = |db: &mut branchline::store::branch::BranchDb| {
            let lines = db.log_tail(u32::MAX).unwrap();
            lines.iter().any(|line| line.event == LogEvent::ForeignReceipt)
        };
        dbs.iter_mut().any(&mut hears)
    })
    .await;
    // The one that is handed none finds out from the broker.
    for name in [BRANCH, COPY] {
        let doctor = scene.place.doctor(name, &scene.branch_url);
        assert!(doctor.contains("2 programs take its receipts"), "{name}: {doctor}");
        assert!(doctor.contains("Find a second computer"), "{name}: {doctor}");
    }
    // One computer is found and switched off, and later on again alone.
    copy.stop();
    tills[0].sell();
    until("the one is in step", || scene.place.in_step(BRANCH)).await;
    scene.branch.take().unwrap().stop();
    let _copy = scene.place.start(COPY, &scene.branch_url);
    tills[1].sell();
    until("and so is the other", || scene.place.in_step(COPY)).await;
    let status = scene.place.branch(COPY).status().unwrap();
    assert_eq!((status.conflicts, status.rejected), (0, 0));
    assert_same(&scene.place, "hq", &[BRANCH, COPY]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restored_head_office_has_forgotten_is_sent_again() {
    let mut scene = Scene::set(Broker::shared().vhost(), 53).await;
    let mut till = Till::open(&scene.place, BRANCH, 53);
    (0..20).for_each(|_| till.work());
    scene.settle("they are at head office").await;
    scene.stop_hq();
    scene.place.copy_db("hq", "hq@backup");
    scene.start_hq();
    (0..20).for_each(|_| till.work());
    scene.settle("what the backup does not know is there").await;
    scene.stop_hq();
    scene.place.copy_db("hq@backup", "hq");
    scene.start_hq();
    till.sell();
    let restored = |event: &LogEvent| matches!(event, LogEvent::HqRestored { .. });
    told(&scene, BRANCH, "it is noticed", restored, "was restored from a backup").await;
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_head_office_acks_nothing_until_it_says_whom_it_replaces() {
    let mut scene = Scene::set(Broker::shared().vhost(), 54).await;
    let mut till = Till::open(&scene.place, BRANCH, 54);
    (0..20).for_each(|_| till.work());
    scene.settle("they are at head office").await;
    let old = scene
        .db()
        .status()
        .unwrap()
        .store
        .expect("head office was heard")
        .to_string();
    scene.stop_hq();
    let new = scene.place.start("hq@new", &scene.hq_url);
    till.sell();
    let stranger = |event: &LogEvent| matches!(event, LogEvent::ForeignStore { .. });
    told(&scene, BRANCH, "a stranger answers", stranger, "--replaces").await;
    until("others are told", || scene.place.line(BRANCH) == "stranger").await;
    assert!(!scene.place.in_step(BRANCH), "a stranger's receipt was believed");
    new.stop();
    let _new = scene.place.start_with("hq@new", &scene.hq_url, &["--replaces", &old]);
    let replaced = |event: &LogEvent| matches!(event, LogEvent::StoreReplaced { .. });
    told(&scene, BRANCH, "it is believed", replaced, "replaced on purpose").await;
    scene.settle("everything is at the new head office").await;
    assert_settled(&scene.place, "hq@new", BRANCH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_head_office_on_one_queue_is_refused_in_one_sentence() {
    let scene = Scene::set(Broker::shared().vhost(), 55).await;
    let mut second = scene.place.start("hq@second", &scene.hq_url);
    until("it ends", || second.ended().is_some()).await;
    assert_eq!(second.ended().unwrap().code(), Some(2));
    let log = scene.place.log("hq@second");
    assert!(
        log.contains("branchline: another head office already serves this broker"),
        "{log}"
    );
    scene.place.sell(BRANCH, "AFTER", None);
    scene.ends_well().await;
}
