//! A line that is slow, goes dead, breaks in the middle of a frame, or ends at somebody who is no broker. Each is done with the real programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use branchline::domain::event::{LinkTrouble, LogEvent};
use branchline::domain::line::Traffic;
use branchline::protocol::backoff::Backoff;
use branchline::protocol::uplink::Limits;
use branchline::sync::service::{Lookout, Service};
use branchline::transport::{LinkEvent, Session, Transport};
use branchline::{clock, shutdown, wire};
use tokio::sync::mpsc;

use super::scene::Scene;
use crate::support::broker::{Broker, code};
use crate::support::place::{BRANCH, Place};
use crate::support::proxy::Door;
use crate::support::till::Till;
use crate::support::until;

fn is_down(event: &LogEvent) -> bool {
    matches!(event, LogEvent::LinkDown { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_of_sales_goes_over_a_line_of_64_kbit_with_a_long_delay() {
    let scene = Scene::set(Broker::shared().vhost(), 1).await;
    scene.line.weather(|weather| {
        weather.delay = Duration::from_millis(300);
        weather.bytes_per_s = Some(8_000);
    });
    let before = scene.line.carried();
    scene.place.import_sample(BRANCH);
    scene.ends_well().await;
    let (up, down) = scene.line.carried();
    let rows = scene.db().status().unwrap().rows;
    // What goes twice over a slow line is paid twice: one month is a few dozen kilobytes.
    assert!(
        up - before.0 + down - before.1 < 30 * rows,
        "{rows} sales took {} bytes up, {} down",
        up - before.0,
        down - before.1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_goes_dead_without_a_word_is_noticed_and_what_it_swallowed_goes_again() {
    let scene = Scene::set(Broker::shared().vhost(), 2).await;
    let mut till = Till::open(&scene.place, BRANCH, 2);
    let before = scene.last_line();
    scene.line.weather(|weather| weather.frozen = true);
    (0..20).for_each(|_| till.work());
    scene.until_logged("the dead line is noticed", before, is_down).await;
    (0..20).for_each(|_| till.work());
    assert!(!scene.place.in_step(BRANCH));
    scene.line.weather(|weather| weather.frozen = false);
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_in_mid_frame_again_and_again_still_drains() {
    let scene = Scene::set(Broker::shared().vhost(), 3).await;
    let mut till = Till::open(&scene.place, BRANCH, 3);
    scene.place.import_sample(BRANCH);
    let before = scene.last_line();
    for _ in 0..10 {
        let after = scene.line.cut_within(9_000);
        until(&format!("the line breaks after {after} bytes"), || {
            // Something is always on its way when it breaks.
            if scene.place.in_step(BRANCH) {
                till.work();
            }
            !scene.line.cut_is_due()
        })
        .await;
    }
    scene.until_logged("the broken line is noticed", before, is_down).await;
    scene.ends_well().await;
}

/// Breaks the line so that somebody else opens to new connections, sells meanwhile, and lets the broker open again once the branch has said twice what is wrong.
async fn behind_another_door(seed: u64, door: Door, said: LinkTrouble) {
    let scene = Scene::set(Broker::shared().vhost(), seed).await;
    let mut till = Till::open(&scene.place, BRANCH, seed);
    let before = scene.last_line();
    scene.line.weather(|weather| weather.door = door);
    scene.line.cut();
    (0..20).for_each(|_| till.work());
    let mut db = scene.db();
    until("the branch says twice what is wrong", || {
        let lines = db.log_after(before, u32::MAX).unwrap();
        let says = |event: &LogEvent| matches!(event, LogEvent::LinkDown { trouble, .. } if *trouble == said);
        lines.iter().filter(|line| says(&line.event)).count() >= 2
    })
    .await;
    assert_eq!(scene.place.line(BRANCH), "down");
    scene.line.weather(|weather| weather.door = Door::Broker);
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_takes_the_call_and_hangs_up_is_survived() {
    behind_another_door(4, Door::Closed, LinkTrouble::Unreachable).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captive_portal_is_named_and_the_real_broker_is_found_again() {
    behind_another_door(5, Door::Portal, LinkTrouble::NotABroker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_files_and_memory_of_both_sides_are_back_where_they_began_after_a_flapping_line() {
    let mut scene = Scene::prepare(Broker::shared().vhost(), 6).await;
    let hq_line = crate::support::proxy::Proxy::start(scene.vhost.port(), 7).await;
    let hq_url = scene.vhost.url("guest:guest", hq_line.port(), "?heartbeat=5");
    scene.hq = Some(scene.place.start("hq", &hq_url));
    scene.branch = Some(scene.place.start(BRANCH, &scene.branch_url));
    scene.place.sell(BRANCH, "BEFORE", None);
    scene.settle("the first sale is at head office").await;
    let mut till = Till::open(&scene.place, BRANCH, 6);
    let footprints = |scene: &Scene| [&scene.branch, &scene.hq].map(|running| running.as_ref().unwrap().footprint());
    // The first break brings what is made once for the process.
    let mut before = None;
    for round in 0..15 {
        (0..5).for_each(|_| till.work());
        match round % 3 {
            0 => scene.line.cut(),
            1 => hq_line.cut(),
            _ => {
                scene.line.cut_within(3_000);
                hq_line.cut_within(3_000);
            }
        }
        scene.settle("the line is up again").await;
        if round == 2 {
            before = Some(footprints(&scene));
        }
    }
    let before = before.expect("there was a third round");
    let began = clock::tick();
    until("threads, files and memory are back", || {
        let now = footprints(&scene);
        let back = now.iter().zip(before).all(|(now, before)| now.is_back_at(before));
        // Said once in a while, so that a failure shows by how much.
        if !back && clock::tick().since(began) > 60_000 {
            println!("before {before:?}, now {now:?}");
        }
        back
    })
    .await;
    scene.ends_well().await;
}

/// A line at whose end nobody is.
struct DeadEnd {
    tries: Arc<AtomicU32>,
}

impl Transport for DeadEnd {
    fn open(&self) -> Session {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let (tell, events) = mpsc::channel(1);
        tell.try_send(LinkEvent::Down(LinkTrouble::Unreachable)).unwrap();
        Session {
            outgoing: mpsc::channel(1).0,
            events,
        }
    }

    fn broker(&self) -> String {
        "nobody".into()
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_without_a_line_does_nothing_between_two_tries() {
    let place = Place::new();
    place.sell(BRANCH, "WAITS", None);
    let tries = Arc::new(AtomicU32::new(0));
    let service = Service {
        path: place.db(BRANCH),
        branch: code(BRANCH),
        transport: DeadEnd {
            tries: Arc::clone(&tries),
        },
        limits: Limits {
            reconnect: Backoff {
                first_ms: 200,
                cap_ms: 1_000,
            },
            ..Limits::real(wire::WRITES.to_vec())
        },
        hours: None,
        lookout: Lookout::Own,
    };
    let (trigger, shutdown) = shutdown::channel();
    let handle = service.start(shutdown);
    until("the line was tried five times", || tries.load(Ordering::Relaxed) >= 5).await;
    // A try is told once, when it has failed.
    let told = *handle.changed.borrow();
    assert!((4..=15).contains(&told), "{told} changes for five tries");
    trigger.request();
    tokio::task::spawn_blocking(|| handle.join()).await.unwrap();
}
