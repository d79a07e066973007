//! Several programs on one branch's database: one is elected to carry the sales; when it ends, or is stopped, another does.

use branchline::clock;
use branchline::domain::event::LogEvent;

use super::scene::Scene;
use crate::support::books::change;
use crate::support::broker::Broker;
use crate::support::place::{BRANCH, Running};
use crate::support::till::Till;
use crate::support::until;

/// Within how many milliseconds another program takes over from one that was killed; well before its stamp would be old.
const SECONDS_MS: u64 = 20_000;

/// Ages the worker's stamp as if it had been written this many milliseconds earlier: the time that a stopped worker would be waited for.
const AGE_STAMP: &str = "UPDATE worker SET at = at - 60000";

fn worker(scene: &Scene) -> Option<u32> {
    scene.db().status().unwrap().worker.map(|stamp| stamp.pid)
}

/// A scene with a second worker beside the elected one.
async fn with_two_workers(seed: u64) -> (Scene, Running, Running) {
    let mut scene = Scene::set(Broker::shared().vhost(), seed).await;
    let first = scene.branch.take().unwrap();
    let second = scene.place.start(BRANCH, &scene.branch_url);
    until("the second program has begun", || {
        scene.place.log(BRANCH).matches("the branch is served").count() == 2
    })
    .await;
    (scene, first, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_and_many_counters_on_one_database_burn_no_id_and_double_no_sale() {
    let (scene, first, second) = with_two_workers(41).await;
    let mut counters = Vec::new();
    for counter in 0..4 {
        let mut add = scene.place.command(BRANCH, "amqp://127.0.0.1:1");
        add.args(["add", "--product", "PENS", "--qty", "1", "--cost", "2"]);
        let mut till = Till::open(&scene.place, BRANCH, 410 + counter);
        counters.push(tokio::task::spawn_blocking(move || {
            for _ in 0..8 {
                assert!(add.output().unwrap().status.success());
                till.sell();
            }
        }));
    }
    for counter in counters {
        counter.await.unwrap();
    }
    scene.ends_well().await;
    assert_eq!(scene.db().status().unwrap().highest_id, 1 + 4 * 16);
    assert_eq!(worker(&scene), Some(first.pid()));
    drop((first, second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_elected_worker_is_killed_another_takes_over_within_seconds() {
    let (scene, first, second) = with_two_workers(42).await;
    let before = scene.last_line();
    let began = clock::tick();
    first.kill();
    scene.place.sell(BRANCH, "AFTER", None);
    scene
        .until_logged("the other one is elected", before, |event| {
            *event == LogEvent::WorkerElected
        })
        .await;
    let took_ms = clock::tick().since(began);
    assert!(took_ms < SECONDS_MS, "it took {took_ms} ms");
    scene.ends_well().await;
    assert_eq!(worker(&scene), Some(second.pid()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_worker_is_noticed_and_replaced_and_stands_back_when_it_goes_on() {
    let (scene, first, second) = with_two_workers(43).await;
    let mut till = Till::open(&scene.place, BRANCH, 43);
    let before = scene.last_line();
    first.signal("STOP");
    change(&scene.place.db(BRANCH), AGE_STAMP);
    let doctor = scene.place.doctor(BRANCH, &scene.branch_url);
    assert!(doctor.contains(&format!("kill -CONT {}", first.pid())), "{doctor}");
    scene
        .until_logged("it is noticed", before, |event| *event == LogEvent::WorkerElected)
        .await;
    (0..10).for_each(|_| till.work());
    scene.settle("the other one carries the sales").await;
    assert_eq!(worker(&scene), Some(second.pid()));

    first.signal("CONT");
    until("the first one stands back", || {
        scene.place.log(BRANCH).contains("another program has taken over")
    })
    .await;
    (0..10).for_each(|_| till.work());
    scene.ends_well().await;
    assert_eq!(
        worker(&scene),
        Some(second.pid()),
        "they take it from each other in turns"
    );
    // The first one is elected in its turn when the second is gone.
    second.kill();
    till.sell();
    until("the first one has it again", || worker(&scene) == Some(first.pid())).await;
    scene.ends_well().await;
}
