//! `kill -9` of branch, head office and broker at seeded moments, while somebody sells, edits and voids.

use super::scene::Scene;
use crate::support::broker::Broker;
use crate::support::luck::Luck;
use crate::support::place::BRANCH;
use crate::support::till::Till;
use crate::support::until;

/// How often somebody is killed.
const BLOWS: u64 = 24;

/// Every so many blows fall on the broker: it takes seconds to rise again.
const BROKER_EVERY: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_at_whatever_moment_both_sides_end_with_the_same_sales() {
    let mut broker = Broker::in_turn().await;
    let mut scene = Scene::set(broker.vhost(), 31).await;
    broker.until_written_down(&scene.vhost, "sales").await;
    let mut till = Till::open(&scene.place, BRANCH, 31);
    let luck = Luck::new(31);
    for blow in 1..=BLOWS {
        // Some blows fall while nothing moves, some in the thick of it.
        (0..luck.below(40)).for_each(|_| till.work());
        if luck.below(3) == 0 {
            scene.settle("it has gone on after the last blow").await;
            (0..luck.below(5)).for_each(|_| till.work());
        }
        if blow % BROKER_EVERY == 0 {
            broker.kill();
            (0..20).for_each(|_| till.work());
            broker.restart();
        } else if luck.below(2) == 0 {
            scene.branch.take().unwrap().kill();
            till.work();
            scene.branch = Some(scene.place.start(BRANCH, &scene.branch_url));
        } else {
            scene.hq.take().unwrap().kill();
            till.work();
            scene.start_hq();
        }
    }
    let done = till.done;
    assert!(done.sales > 100 && done.edits > 10 && done.voids > 10, "{done:?}");
    until("head office is there again", || {
        scene.hq.as_mut().unwrap().ended().is_none()
    })
    .await;
    scene.ends_well().await;
}
