//! What fails inside: a worker that panics, a database that somebody holds or that is damaged. Each is a clear state, and selling goes on where it can.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use branchline::domain::event::LogEvent;
use branchline::domain::line::Traffic;
use branchline::protocol::uplink::Limits;
use branchline::shutdown;
use branchline::sync::service::{Lookout, Service};
use branchline::transport::amqp::BranchAmqp;
use branchline::transport::{Session, Transport};
use branchline::{clock, wire};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::scene::Scene;
use crate::support::books::{assert_settled, number};
use crate::support::broker::{Broker, PASSWORD, code};
use crate::support::place::BRANCH;
use crate::support::till::Till;
use crate::support::until;

/// A line that has a fault in its program the first times it is opened.
struct Faulty {
    line: BranchAmqp,
    faults: Arc<AtomicU32>,
}

impl Transport for Faulty {
    fn open(&self) -> Session {
        let left = self
            .faults
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        assert!(left.is_err(), "this is the planted fault");
        self.line.open()
    }

    fn broker(&self) -> String {
        self.line.broker()
    }

    fn traffic(&self) -> Traffic {
        self.line.traffic()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_panics_is_started_again_and_status_and_doctor_say_so() {
    let mut scene = Scene::prepare(Broker::shared().vhost(), 61).await;
    scene.start_hq();
    scene.place.sell(BRANCH, "BEFORE", None);
    let mut till = Till::open(&scene.place, BRANCH, 61);
    let address = scene
        .vhost
        .address(&format!("{BRANCH}:{PASSWORD}"), scene.vhost.port(), "");
    let faults = Arc::new(AtomicU32::new(2));
    let service = Service {
        path: scene.place.db(BRANCH),
        branch: code(BRANCH),
        transport: Faulty {
            line: BranchAmqp::new(address, code(BRANCH), clock::wall(), None),
            faults: Arc::clone(&faults),
        },
        limits: Limits::real(wire::WRITES.to_vec()),
        hours: None,
        lookout: Lookout::Own,
    };
    let (trigger, shutdown) = shutdown::channel();
    let handle = service.start(shutdown);
    until("the planted faults are used up", || {
        till.work();
        faults.load(Ordering::Relaxed) == 0
    })
    .await;
    scene.settle("the worker has recovered").await;
    let restarts = scene.db().log_tail(u32::MAX).unwrap();
    let restarts = restarts.iter().filter(|line| line.event == LogEvent::WorkerRestarted);
    assert_eq!(restarts.count(), 2);
    let said = scene.place.run(BRANCH, &["status"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("failed and was started again"), "{said}");
    let doctor = scene.place.doctor(BRANCH, &scene.branch_url);
    assert!(doctor.contains("failed and was started again"), "{doctor}");
    assert_settled(&scene.place, "hq", BRANCH);
    trigger.request();
    tokio::task::spawn_blocking(|| handle.join()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_somebody_holds_the_database_a_sale_is_refused_in_a_sentence_and_later_all_goes_on() {
    let scene = Scene::set(Broker::shared().vhost(), 62).await;
    scene.place.sell(BRANCH, "WAITS", None);
    let mut holder = SqliteConnection::establish(scene.place.db(BRANCH).to_str().unwrap()).unwrap();
    holder
        .batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")
        .unwrap();
    let add = ["add", "--product", "PENS", "--qty", "1", "--cost", "1"];
    let output = scene.place.run(BRANCH, &add);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("another program holds the database"), "{said}");
    // Whoever only reads is not held up.
    let status = scene.place.run(BRANCH, &["status"]);
    assert!(
        matches!(status.status.code(), Some(0 | 1)),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    until("the worker says that it failed", || {
        scene.place.log(BRANCH).contains("another program holds the database")
    })
    .await;
    holder.batch_execute("ROLLBACK").unwrap();
    scene.place.sell(BRANCH, "AFTER", None);
    scene.ends_well().await;
}

#[test]
fn a_damaged_database_is_called_damaged_by_every_command_and_doctor_says_what_to_do() {
    let place = crate::support::place::Place::new();
    place.import_sample(BRANCH);
    let db = place.db(BRANCH);
    let page = number(&db, "SELECT rootpage AS count FROM sqlite_master WHERE name = 'sales'");
    let size = number(&db, "SELECT page_size AS count FROM pragma_page_size");
    let mut file = OpenOptions::new().write(true).open(&db).unwrap();
    let at = u64::try_from((page - 1) * size).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[0xff; 256]).unwrap();
    drop(file);
    let add = ["add", "--product", "PENS", "--qty", "1", "--cost", "1"];
    for arguments in [&["status"][..], &["export"], &add] {
        let output = place.run(BRANCH, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains("is damaged: run `branchline doctor`"),
            "{arguments:?}: {said}"
        );
    }
    let output = place.run(BRANCH, &["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("is damaged") && said.contains("put the last backup in its place"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_asks_the_broker_itself_and_takes_no_receipt_from_the_worker() {
    let scene = Scene::set(Broker::shared().vhost(), 63).await;
    for _ in 0..3 {
        let doctor = scene.place.doctor(BRANCH, &scene.branch_url);
        assert!(doctor.contains("lets this branch in"), "{doctor}");
        assert!(doctor.contains("ok    SQLite 3."), "{doctor}");
        scene.place.sell(BRANCH, "BETWEEN", None);
    }
    scene.ends_well().await;
    let wrong = scene.vhost.url(&format!("{BRANCH}:wrong"), scene.vhost.port(), "");
    let doctor = scene.place.doctor(BRANCH, &wrong);
    assert!(doctor.contains("Mend the user or the password"), "{doctor}");
    let nobody = scene.place.doctor(BRANCH, "amqp://127.0.0.1:1");
    assert!(nobody.contains("whether --amqp names the right host"), "{nobody}");
}
