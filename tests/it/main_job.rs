//! The main job with the real program and a real broker: sell at a branch, watch it arrive at head office, whatever is killed on the way.

use std::process::Stdio;

use branchline::domain::ids::SaleId;
use branchline::domain::sync_state::{Refusal, SyncState};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::support::books::rows_at_hq;
use crate::support::broker::Broker;
use crate::support::place::{Place, urls};
use crate::support::until;

#[derive(Debug, PartialEq, Eq, QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = BigInt)]
    qty: i64,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = BigInt)]
    tax: i64,
}

/// What somebody who comes with SQL reads of one branch at head office.
fn sums_at_hq(place: &Place, branch: &str) -> Sums {
    let mut hq = SqliteConnection::establish(place.db("hq").to_str().unwrap()).unwrap();
    diesel::sql_query(
        "SELECT count(*) AS count, coalesce(sum(qty), 0) AS qty, coalesce(sum(qty * cost), 0) AS amount, coalesce(sum(tax), 0) AS tax \
         FROM sales WHERE branch = ? AND deleted_at IS NULL",
    )
    .bind::<Text, _>(branch)
    .get_result(&mut hq)
    .unwrap()
}

/// The same from the branch's own database.
fn sums_at_branch(place: &Place, branch: &str) -> Sums {
    let totals = place
        .branch(branch)
        .totals(&branchline::domain::read::Filter::default())
        .unwrap();
    Sums {
        count: i64::try_from(totals.sales).unwrap(),
        qty: i64::try_from(totals.qty).unwrap(),
        amount: i64::try_from(totals.amount.0).unwrap(),
        tax: i64::try_from(totals.tax.0).unwrap(),
    }
}

#[derive(Debug, PartialEq, Eq, QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Text)]
    product: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    deleted_at: Option<i64>,
}

/// Every revision of a sale that head office holds, oldest first.
fn versions_at_hq(place: &Place, branch: &str, id: i64) -> Vec<Version> {
    let mut hq = SqliteConnection::establish(place.db("hq").to_str().unwrap()).unwrap();
    diesel::sql_query(
        "SELECT revision, product, deleted_at FROM sale_revisions WHERE branch = ? AND external_id = ? \
         UNION ALL SELECT revision, product, deleted_at FROM sales WHERE branch = ? AND external_id = ? ORDER BY revision",
    )
    .bind::<Text, _>(branch)
    .bind::<BigInt, _>(id)
    .bind::<Text, _>(branch)
    .bind::<BigInt, _>(id)
    .load(&mut hq)
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_is_entered_edited_and_voided_and_head_office_follows() {
    let (place, vhost) = (Place::new(), Broker::shared().vhost());
    let (hq_url, branch_url) = urls(&vhost, "TUNIS-01");
    place.sell("TUNIS-01", "WHITE METAL LANTERN", None);
    place.sell("TUNIS-01", "PENS", None);
    let status = || place.run("TUNIS-01", &["status"]).status.code();
    assert_eq!(status(), Some(1), "nobody has carried them yet");
    let _hq = place.start("hq", &hq_url);
    let branch = place.start("TUNIS-01", &branch_url);
    until("both sales are at head office", || status() == Some(0)).await;

    place.done("TUNIS-01", &["edit", "1", "--product", "RED METAL LANTERN"]);
    place.done("TUNIS-01", &["void", "2"]);
    until("the edit and the void are there too", || place.in_step("TUNIS-01")).await;
    let edited = versions_at_hq(&place, "TUNIS-01", 1);
    let products: Vec<_> = edited
        .iter()
        .map(|version| (version.revision, version.product.as_str()))
        .collect();
    assert_eq!(products, [(1, "WHITE METAL LANTERN"), (2, "RED METAL LANTERN")]);
    let voided = versions_at_hq(&place, "TUNIS-01", 2);
    assert!(voided[0].deleted_at.is_none() && voided[1].deleted_at.is_some());
    assert_eq!(sums_at_hq(&place, "TUNIS-01"), sums_at_branch(&place, "TUNIS-01"));
    branch.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_sale_says_why_holds_up_nobody_and_flows_once_mended() {
    let (place, vhost) = (Place::new(), Broker::shared().vhost());
    let (hq_url, branch_url) = urls(&vhost, "TUNIS-01");
    let far = branchline::clock::local().date() + chrono::Days::new(40);
    place.sell("TUNIS-01", "TOO EARLY", Some(&far.to_string()));
    place.sell("TUNIS-01", "PENS", None);
    let _hq = place.start("hq", &hq_url);
    let _branch = place.start("TUNIS-01", &branch_url);
    let mut db = place.branch("TUNIS-01");
    until("one sale is at head office, the other refused", || {
        let status = db.status().unwrap();
        (status.acked, status.rejected) == (1, 1)
    })
    .await;
    let refused = db.sale(SaleId::new(1).unwrap()).unwrap().unwrap();
    assert!(
        matches!(refused.sync, SyncState::Rejected(Refusal::DateAhead { days: 39..=41 })),
        "{:?}",
        refused.sync
    );
    assert_eq!(sums_at_hq(&place, "TUNIS-01").count, 1);
    let today = branchline::clock::local().date().to_string();
    place.done("TUNIS-01", &["edit", "1", "--date", &today]);
    until("the mended sale is there", || place.in_step("TUNIS-01")).await;
    assert_eq!(sums_at_hq(&place, "TUNIS-01"), sums_at_branch(&place, "TUNIS-01"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_both_sides_in_mid_transfer_lose_and_double_nothing() {
    let (place, vhost) = (Place::new(), Broker::shared().vhost());
    let (hq_url, branch_url) = urls(&vhost, "TUNIS-01");
    place.import_sample("TUNIS-01");
    let mut hq = place.start("hq", &hq_url);
    let mut branch = place.start("TUNIS-01", &branch_url);
    until("head office's database is made", || rows_at_hq(&place).is_some()).await;
    for round in 0..6 {
        // Something new is always on its way when the blow falls.
        place.sell("TUNIS-01", &format!("ROUND {round}"), None);
        let before = rows_at_hq(&place);
        if round % 2 == 0 {
            hq.kill();
            hq = place.start("hq", &hq_url);
        } else {
            branch.kill();
            branch = place.start("TUNIS-01", &branch_url);
        }
        until("head office goes on", || {
            rows_at_hq(&place) > before || place.in_step("TUNIS-01")
        })
        .await;
    }
    until("all is at head office", || place.in_step("TUNIS-01")).await;
    assert_eq!(sums_at_hq(&place, "TUNIS-01"), sums_at_branch(&place, "TUNIS-01"));
    assert!(place.branch("TUNIS-01").audit().unwrap().is_clean());
    drop((hq, branch));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_sells_on_without_a_broker_and_catches_up_by_itself() {
    let place = Place::new();
    let mut broker = Broker::in_turn().await;
    let vhost = broker.vhost();
    let (hq_url, branch_url) = urls(&vhost, "TUNIS-01");
    let _hq = place.start("hq", &hq_url);
    let _branch = place.start("TUNIS-01", &branch_url);
    until("the branch's database is made", || place.db("TUNIS-01").exists()).await;
    place.sell("TUNIS-01", "BEFORE", None);
    until("it is at head office", || place.in_step("TUNIS-01")).await;
    broker.until_written_down(&vhost, "sales").await;
    broker.kill();
    place.sell("TUNIS-01", "MEANWHILE", None);
    assert!(!place.in_step("TUNIS-01"), "it can't be at head office");
    broker.restart();
    until("what was sold meanwhile is there", || place.in_step("TUNIS-01")).await;
    assert_eq!(sums_at_hq(&place, "TUNIS-01").count, 2);
}

#[test]
fn what_add_calls_saved_survives_being_killed_at_any_moment() {
    let place = Place::new();
    place.sell("TUNIS-01", "FIRST", None);
    let mut said = 1;
    for moment in 0..30_u64 {
        let mut command = place.command("TUNIS-01", "amqp://127.0.0.1:1");
        command
            .args(["add", "--product", "PENS", "--qty", "1", "--cost", "1"])
            .stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        // A moment of its own for each try, from before the program has begun to after it has ended.
        std::thread::park_timeout(std::time::Duration::from_micros(moment * 700));
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        said += u64::from(String::from_utf8_lossy(&output.stdout).contains("Saved"));
        let mut db = place.branch("TUNIS-01");
        let status = db.status().unwrap();
        assert!(
            status.rows >= said,
            "{} sales are there, {said} were called saved",
            status.rows
        );
        assert_eq!(
            status.highest_id,
            i64::try_from(status.rows).unwrap(),
            "there is a gap in the ids"
        );
        assert!(db.audit().unwrap().is_clean());
    }
}

#[test]
fn a_program_without_a_terminal_says_what_works_without_one() {
    let place = Place::new();
    let output = place.run("TUNIS-01", &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("terminal") && said.contains("--headless branch"),
        "{said}"
    );
}

#[test]
fn without_a_database_every_command_says_so() {
    let place = Place::new();
    for arguments in [&["status"][..], &["void", "1"], &["export"], &["resend"], &["doctor"]] {
        let output = place.run("TUNIS-01", arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("no database"), "{arguments:?}: {said}");
        assert!(!place.db("TUNIS-01").exists());
    }
}
