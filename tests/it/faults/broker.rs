//! A broker that takes nothing for want of memory, forgets all it had, or waits for a head office that is away.

use branchline::clock;
use branchline::domain::event::LogEvent;

use super::scene::Scene;
use crate::support::books::number;
use crate::support::broker::Broker;
use crate::support::place::BRANCH;
use crate::support::till::Till;
use crate::support::until;

/// How long head office may take from its start until a branch that waits for it has its receipts, in milliseconds; far less than any wait between hellos.
const SECONDS_MS: u64 = 30_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_short_of_memory_is_shown_as_blocked_selling_goes_on_and_it_drains_afterwards() {
    let broker = Broker::in_turn().await;
    let scene = Scene::set(broker.vhost(), 11).await;
    let mut till = Till::open(&scene.place, BRANCH, 11);
    let before = scene.last_line();
    broker.memory_alarm(true);
    // The broker tells so those who publish.
    till.sell();
    scene
        .until_logged("the branch knows", before, |event| *event == LogEvent::BrokerBlocked)
        .await;
    until("others are told", || scene.place.line(BRANCH) == "blocked").await;
    (0..20).for_each(|_| till.work());
    scene.place.sell(BRANCH, "MEANWHILE", None);
    assert!(!scene.place.in_step(BRANCH));
    let doctor = scene.place.doctor(BRANCH, &scene.branch_url);
    assert!(doctor.contains("takes nothing for now"), "{doctor}");
    broker.memory_alarm(false);
    scene.ends_well().await;
    until("the line is shown as up again", || scene.place.line(BRANCH) == "up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_lay_in_a_broker_that_was_wiped_go_again() {
    let mut broker = Broker::in_turn().await;
    let mut scene = Scene::set(broker.vhost(), 12).await;
    let mut till = Till::open(&scene.place, BRANCH, 12);
    scene.silence_hq(&mut till).await;
    assert!(parked(&scene) > 0, "nothing lies in the broker");
    broker.wipe();
    scene.vhost.make();
    let _ = scene.vhost.branch(BRANCH);
    scene.start_hq();
    till.sell();
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_silent_head_office_is_back_sales_flow_within_seconds() {
    let mut scene = Scene::set(Broker::shared().vhost(), 13).await;
    let mut till = Till::open(&scene.place, BRANCH, 13);
    scene.silence_hq(&mut till).await;
    assert_eq!(scene.place.line(BRANCH), "up");
    (0..30).for_each(|_| till.work());
    assert!(!scene.place.in_step(BRANCH));
    let began = clock::tick();
    scene.start_hq();
    scene.settle("all is at head office").await;
    let took_ms = clock::tick().since(began);
    assert!(took_ms < SECONDS_MS, "it took {took_ms} ms");
    scene.ends_well().await;
}

/// How many batches lie in the broker while head office is silent.
fn parked(scene: &Scene) -> i64 {
    number(
        &scene.place.db(BRANCH),
        "SELECT count(*) AS count FROM batches WHERE state = 'parked'",
    )
}
