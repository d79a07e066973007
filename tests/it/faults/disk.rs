//! Disks that are full, on either side. A limit on the size of files stands in for them: it needs no rights, it can be set and lifted while a program runs, and what the
//! program meets is a write that fails in its middle, as at a quota. What SQLite's own word for a full disk does is tested beside the stores.

use std::fs;

use branchline::store::branch::BranchDb;

use super::scene::Scene;
use crate::support::books::{assert_same, rows_at_hq};
use crate::support::broker::Broker;
use crate::support::place::BRANCH;
use crate::support::strace;
use crate::support::till::Till;
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_office_with_a_full_disk_acks_nothing_that_it_has_not_stored_and_goes_on_by_itself() {
    let mut scene = Scene::prepare(Broker::shared().vhost(), 21).await;
    scene.hq = Some(scene.place.start_confined("hq", &scene.hq_url));
    scene.branch = Some(scene.place.start(BRANCH, &scene.branch_url));
    scene.place.sell(BRANCH, "BEFORE", None);
    scene.settle("the first sale is at head office").await;
    let hq = scene.hq.as_ref().unwrap();
    let room = fs::metadata(scene.place.path("hq.db-wal")).unwrap().len() + 8_192;
    hq.confine(Some(room));
    scene.place.import_sample(BRANCH);
    until("head office says that it takes nothing", || {
        scene.place.log("hq").contains("nothing is taken until it works again")
    })
    .await;
    let log = scene.place.log("hq");
    assert!(log.contains("check that the disk has room"), "{log}");
    let acked = i64::try_from(scene.db().status().unwrap().acked).unwrap();
    let stored = rows_at_hq(&scene.place).unwrap();
    assert!(acked <= stored, "{acked} are acknowledged, {stored} are stored");
    assert!(!scene.place.in_step(BRANCH));
    scene.place.sell(BRANCH, "MEANWHILE", None);
    hq.confine(None);
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_that_finds_the_disk_full_is_not_saved_at_all_and_says_so() {
    let scene = Scene::set(Broker::shared().vhost(), 22).await;
    let rows = |scene: &Scene| scene.db().status().unwrap().rows;
    let before = rows(&scene);
    let sell = ["add", "--product", "TOO MUCH", "--qty", "1", "--cost", "1"];
    let room = fs::metadata(scene.place.path(&format!("{BRANCH}.db-wal")))
        .unwrap()
        .len();
    let output = scene.place.run_confined(BRANCH, room, &sell);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("check that the disk has room"), "{said}");
    assert!(output.stdout.is_empty(), "it called the sale saved");
    let mut db = scene.db();
    assert_eq!(rows(&scene), before);
    assert!(db.audit().unwrap().is_clean());
    scene.place.sell(BRANCH, "AFTER", None);
    assert_eq!(
        scene.db().status().unwrap().highest_id,
        i64::try_from(before + 1).unwrap(),
        "the failure burnt an id"
    );
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_disk_was_full_goes_on_by_itself() {
    let mut scene = Scene::prepare(Broker::shared().vhost(), 23).await;
    scene.hq = Some(scene.place.start("hq", &scene.hq_url));
    scene.branch = Some(scene.place.start_confined(BRANCH, &scene.branch_url));
    scene.place.sell(BRANCH, "BEFORE", None);
    scene.settle("the first sale is at head office").await;
    let branch = scene.branch.as_ref().unwrap();
    branch.confine(Some(4_096));
    let mut till = Till::open(&scene.place, BRANCH, 23);
    (0..20).for_each(|_| till.work());
    until("the worker says that it failed", || {
        scene.place.log(BRANCH).contains("the sync worker failed")
    })
    .await;
    // Others have room: a counter beside the worker sells on.
    (0..20).for_each(|_| till.work());
    branch.confine(None);
    scene.ends_well().await;
    assert_same(&scene.place, "hq", &[BRANCH]);
}

#[test]
fn a_backup_goes_to_a_stick_that_has_no_hard_links() {
    if !strace::is_allowed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let run = |calls: &[&str], arguments: &[&str]| {
        let mut command = strace::failing(calls, &path("strace"));
        command.arg("--db").arg(path("A-1.db")).args(["--branch", "A-1"]);
        command.env("HOME", folder.path()).args(arguments).output().unwrap()
    };
    let no_links = ["link:error=EPERM", "linkat:error=EPERM"];
    let old_stick = [&no_links[..], &["renameat2:error=EINVAL"]].concat();
    let sell = ["add", "--create", "--product", "PENS", "--qty", "1", "--cost", "1"];
    assert!(run(&[], &sell).status.success());
    for (number, calls) in [&no_links[..], &old_stick].into_iter().enumerate() {
        let copy = path(&format!("copy-{number}.db"));
        let backup = ["backup", copy.to_str().unwrap()];
        let made = run(calls, &backup);
        assert!(made.status.success(), "{calls:?}: {made:?}");
        let again = run(calls, &backup);
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(!again.status.success() && said.contains("is there already"), "{said}");
        let mut copied = BranchDb::open(&copy, None).unwrap();
        assert_eq!(copied.status().unwrap().rows, 1);
    }
}
