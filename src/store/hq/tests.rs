use std::collections::HashMap;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Nullable, Text};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::money::{Money, MoneySum};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::sync_state::Refusal;
use crate::domain::time::parse_wall;
use crate::protocol::message::{Answer, Batch, Downlink, Hello, Receipt, Taken};
use crate::protocol::verdict::{self, Verdict};
use crate::store::OpenError;

/// 2026-11-22 14:07:31.
const NOW: UtcMillis = UtcMillis(1_795_356_451_000);
const LEDGER: LedgerId = LedgerId::from_random(7);

struct Hq {
    db: HqDb,
    folder: TempDir,
}

fn hq() -> Hq {
    let folder = tempfile::tempdir().unwrap();
    let db = HqDb::create(&folder.path().join("hq.db"), 5, NOW).unwrap();
    Hq { db, folder }
}

fn branch() -> BranchCode {
    BranchCode::parse("TUNIS-01").unwrap()
}

fn sale(id: i64) -> Sale {
    Sale {
        id: SaleId::new(id).unwrap(),
        ledger: LEDGER,
        revision: Revision::FIRST,
        content: SaleContent {
            date: parse_wall("2026-11-22 14:00").unwrap(),
            product: format!("LANTERN {id}"),
            region: "East".into(),
            qty: 6,
            cost: Money::parse("3.39").unwrap(),
            tax: Money::parse("4.07").unwrap(),
        },
        created_at: NOW,
        updated_at: NOW,
        deleted_at: None,
    }
}

fn revised(id: i64, revision: u32, product: &str) -> Sale {
    let mut sale = sale(id);
    sale.revision = Revision::new(revision).unwrap();
    sale.content.product = product.into();
    sale
}

fn batch_of(branch: BranchCode, sales: Vec<Sale>) -> Incoming {
    Incoming::Message {
        login: Login::Own,
        message: Uplink::Batch(Batch {
            branch,
            ledger: sales[0].ledger,
            id: BatchId::from_random(77),
            sales,
        }),
    }
}

fn batch(sales: Vec<Sale>) -> Incoming {
    batch_of(branch(), sales)
}

fn hello(login: Login) -> Incoming {
    Incoming::Message {
        login,
        message: Uplink::Hello(Hello {
            branch: branch(),
            ledger: LEDGER,
            nonce: Nonce::from_random(3),
            first_id: 1,
            highest_id: 40,
            sales: 39,
            amount: MoneySum(1_234_500),
            clock: UtcMillis(NOW.0 - 1_500),
            writes: vec![1],
        }),
    }
}

fn suspect(bytes: &[u8]) -> Suspect {
    Suspect {
        reason: "it can't be read".into(),
        routing_key: "TUNIS-01.sales".into(),
        user_id: Some("TUNIS-01".into()),
        headers: "{}".into(),
        bytes: bytes.into(),
    }
}

impl Hq {
    fn commit(&mut self, group: &[Incoming]) -> Vec<Option<Downlink>> {
        self.db.commit_group(NOW, &[1], group).unwrap()
    }

    fn receipt(&mut self, incoming: Incoming) -> Receipt {
        match self.commit(&[incoming]).pop().flatten() {
            Some(Downlink::Receipt(receipt)) => receipt,
            other => panic!("no receipt but {other:?}"),
        }
    }

    /// The answer to a batch: what was stored (id, revision), refused and held, and the applied count before and after.
    fn take(&mut self, sales: Vec<Sale>) -> (Vec<(i64, u32)>, Taken, (u64, u64)) {
        let receipt = self.receipt(batch(sales));
        let Outcome::Taken(taken) = receipt.outcome else {
            panic!("the batch was not taken");
        };
        let stored = taken
            .stored
            .iter()
            .flat_map(|run| run.ids().map(|id| (id.get(), run.revision.get())));
        (
            stored.collect(),
            taken.clone(),
            (receipt.applied_before, receipt.applied_after),
        )
    }

    fn number(&mut self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let sql = format!("SELECT ({sql}) AS number");
        diesel::sql_query(sql)
            .get_result::<Number>(&mut self.db.conn)
            .unwrap()
            .number
    }

    fn text(&mut self, sql: &str) -> Option<String> {
        #[derive(QueryableByName)]
        struct Word {
            #[diesel(sql_type = Nullable<Text>)]
            word: Option<String>,
        }
        let sql = format!("SELECT ({sql}) AS word");
        diesel::sql_query(sql)
            .get_result::<Word>(&mut self.db.conn)
            .unwrap()
            .word
    }

    fn reopened(self) -> Self {
        let path = self.db.path.clone();
        drop(self.db);
        Self {
            db: HqDb::open(&path).unwrap(),
            folder: self.folder,
        }
    }
}

#[test]
fn a_fresh_batch_is_stored_and_counted() {
    let mut hq = hq();
    let (stored, taken, applied) = hq.take((1..=600).map(sale).collect());
    assert_eq!(stored.len(), 600);
    assert_eq!(
        (taken.stored.len(), taken.refused.len(), taken.held.len(), applied),
        (1, 0, 0, (0, 600))
    );
    assert_eq!(
        hq.number("SELECT count(*) FROM sales WHERE branch = 'TUNIS-01' AND product = 'LANTERN ' || external_id"),
        600
    );
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 600);
    assert_eq!(hq.number("SELECT highest_id FROM ledgers"), 600);
}

#[test]
fn a_repeated_batch_is_receipted_again_and_stored_once() {
    let mut hq = hq();
    hq.take(vec![sale(1), sale(2)]);
    let mut hq = hq.reopened();
    let (stored, _, applied) = hq.take(vec![sale(1), sale(2), sale(3)]);
    assert_eq!((stored, applied), (vec![(1, 1), (2, 1), (3, 1)], (2, 3)));
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 3);
}

#[test]
fn a_newer_revision_replaces_the_older_and_keeps_it() {
    let mut hq = hq();
    hq.take(vec![sale(1), sale(2)]);
    let (stored, _, applied) = hq.take(vec![revised(1, 3, "PENS")]);
    assert_eq!((stored, applied), (vec![(1, 3)], (2, 3)));
    assert_eq!(
        hq.text("SELECT product FROM sales WHERE external_id = 1").as_deref(),
        Some("PENS")
    );
    assert_eq!(
        hq.text("SELECT revision || product FROM sale_revisions").as_deref(),
        Some("1LANTERN 1")
    );
}

#[test]
fn an_older_revision_changes_nothing_and_is_told_what_is_held() {
    let mut hq = hq();
    hq.take(vec![revised(1, 5, "PENS")]);
    let (stored, taken, applied) = hq.take(vec![revised(1, 4, "PAPER")]);
    assert_eq!((stored, applied), (vec![], (1, 1)));
    assert_eq!(taken.held, [revised(1, 5, "PENS")]);
    assert_eq!(hq.number("SELECT count(*) FROM sale_revisions"), 0);
}

#[test]
fn another_content_under_one_revision_is_a_conflict_that_is_kept_once() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    for _ in 0..2 {
        let (stored, taken, applied) = hq.take(vec![revised(1, 1, "PENS")]);
        assert_eq!((stored, applied), (vec![], (1, 1)));
        assert_eq!(taken.held, [sale(1)]);
    }
    assert_eq!(hq.text("SELECT product FROM sales").as_deref(), Some("LANTERN 1"));
    assert_eq!(
        hq.text("SELECT group_concat(product) FROM sale_conflicts").as_deref(),
        Some("PENS")
    );
}

#[test]
fn a_sale_too_far_ahead_is_refused_and_the_others_are_not() {
    let mut hq = hq();
    let mut ahead = sale(2);
    ahead.content.date = parse_wall("2027-01-01").unwrap();
    let (stored, taken, _) = hq.take(vec![sale(1), ahead.clone(), sale(3)]);
    assert_eq!(stored, [(1, 1), (3, 1)]);
    assert_eq!(
        taken.refused,
        [(ahead.id, Revision::FIRST, Refusal::DateAhead { days: 40 })]
    );
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 2);
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 2);
}

#[test]
fn what_is_stored_is_no_longer_refused_when_the_clock_goes_back() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    let earlier = UtcMillis(NOW.0 - 100 * 86_400_000);
    let answers = hq.db.commit_group(earlier, &[1], &[batch(vec![sale(1)])]).unwrap();
    let Some(Downlink::Receipt(Receipt {
        outcome: Outcome::Taken(taken),
        ..
    })) = &answers[0]
    else {
        panic!("no receipt");
    };
    assert_eq!((taken.stored.len(), taken.refused.len()), (1, 0));
}

#[test]
fn a_void_is_stored_whatever_its_content() {
    let mut hq = hq();
    let mut voided = revised(1, 2, "");
    voided.content.qty = u32::MAX;
    voided.content.cost = Money::MAX;
    voided.deleted_at = Some(NOW);
    let (stored, _, _) = hq.take(vec![voided]);
    assert_eq!(stored, [(1, 2)]);
    assert_eq!(hq.text("SELECT amount FROM sales_report"), None);
    assert_eq!(
        hq.text("SELECT voided_utc FROM sales_report").as_deref(),
        Some("2026-11-22 14:07:31")
    );
}

#[test]
fn the_overview_counts_each_branch_from_its_rows() {
    let mut hq = hq();
    let mut void = sale(3);
    void.deleted_at = Some(NOW);
    hq.take(vec![sale(1), sale(2), void]);
    let mut dear = sale(1);
    dear.content.cost = Money::MAX;
    dear.content.qty = 1;
    hq.commit(&[batch_of(BranchCode::parse("SFAX-02").unwrap(), vec![dear])]);
    let overview = hq.db.overview().unwrap();
    let seen = |branch: &BranchOverview| {
        (
            branch.branch.clone(),
            branch.sales,
            branch.voided,
            branch.qty,
            branch.amount.to_string(),
        )
    };
    assert_eq!(
        overview.branches.iter().map(seen).collect::<Vec<_>>(),
        [
            ("SFAX-02".into(), 1, 0, 1, "999999999.9999".into()),
            ("TUNIS-01".into(), 3, 1, 12, "40.68".into())
        ]
    );
    assert_eq!(overview.quarantined, 0);
}

#[test]
fn one_id_twice_in_a_batch_is_judged_in_order() {
    let mut hq = hq();
    let rows = vec![
        sale(1),
        revised(1, 2, "PENS"),
        sale(2),
        revised(1, 2, "PAPER"),
        revised(1, 3, "INK"),
    ];
    let (stored, taken, applied) = hq.take(rows);
    assert_eq!((stored, applied), (vec![(1, 1), (1, 2), (2, 1), (1, 3)], (0, 4)));
    assert_eq!(taken.held, [revised(1, 2, "PENS")]);
    assert_eq!(
        hq.text("SELECT product FROM sales WHERE external_id = 1").as_deref(),
        Some("INK")
    );
}

#[test]
fn the_messages_of_a_group_see_one_another() {
    let mut hq = hq();
    let answers = hq.commit(&[batch(vec![sale(1)]), hello(Login::Own), batch(vec![sale(1), sale(2)])]);
    let counts: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Some(Downlink::Receipt(receipt)) => (receipt.applied_before, receipt.applied_after),
            Some(Downlink::Answer(answer)) => (answer.applied, answer.applied),
            None => panic!("each has an answer"),
        })
        .collect();
    assert_eq!(counts, [(0, 1), (1, 1), (1, 2)]);
}

#[test]
fn branches_and_ledgers_are_never_mixed_up() {
    let mut hq = hq();
    let mut other_ledger = revised(1, 1, "PENS");
    other_ledger.ledger = LedgerId::from_random(8);
    let sfax = BranchCode::parse("SFAX-02").unwrap();
    hq.commit(&[
        batch(vec![sale(1)]),
        batch(vec![other_ledger]),
        batch_of(sfax, vec![revised(1, 1, "INK")]),
    ]);
    assert_eq!(hq.number("SELECT count(*) FROM sales WHERE external_id = 1"), 3);
    assert_eq!(hq.number("SELECT count(*) FROM ledgers WHERE applied = 1"), 3);
    assert_eq!(hq.number("SELECT count(*) FROM sale_conflicts"), 0);
}

#[test]
fn a_hello_is_answered_and_written_down() {
    let mut hq = hq();
    hq.db.replace(StoreId::from_random(4), NOW).unwrap();
    let answers = hq.commit(&[batch(vec![sale(1)]), hello(Login::Trial)]);
    let Some(Downlink::Answer(Answer {
        hq: stamp,
        nonce,
        applied,
        ledger,
    })) = &answers[1]
    else {
        panic!("no answer");
    };
    assert_eq!((*nonce, *applied, *ledger), (Nonce::from_random(3), 1, LEDGER));
    assert_eq!(
        (stamp.store, stamp.clock, stamp.trial),
        (StoreId::from_random(5), NOW, true)
    );
    assert_eq!(
        (stamp.replaces.as_slice(), stamp.reads.as_slice()),
        (&[StoreId::from_random(4)][..], &[1][..])
    );
    assert_eq!(hq.number("SELECT clock_skew_ms FROM branches"), -1_500);
    assert_eq!(
        hq.text("SELECT highest_id || ' ' || hello_sales || ' ' || hello_amount FROM ledgers")
            .as_deref(),
        Some("40 39 123.45")
    );
}

#[test]
fn a_login_of_ones_own_is_never_forgotten() {
    let mut hq = hq();
    hq.commit(&[hello(Login::Trial)]);
    assert!(hq.db.with_own_login(&[&branch()]).unwrap().is_empty());
    hq.commit(&[hello(Login::Own)]);
    hq.commit(&[hello(Login::Trial)]);
    let mut hq = hq.reopened();
    let other = BranchCode::parse("SFAX-02").unwrap();
    assert_eq!(
        hq.db.with_own_login(&[&branch(), &other]).unwrap(),
        HashSet::from([branch()])
    );
}

#[test]
fn what_cannot_be_read_is_kept_once_with_a_count_and_answered() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    let unread = Incoming::Unread {
        login: Login::Own,
        branch: branch(),
        ledger: LEDGER,
        question: Question::Batch(BatchId::from_random(9), Outcome::Unreadable),
        suspect: Some(suspect(b"???")),
    };
    for _ in 0..2 {
        let receipt = hq.receipt(unread.clone());
        assert_eq!(
            (receipt.batch, &receipt.outcome),
            (BatchId::from_random(9), &Outcome::Unreadable)
        );
        assert_eq!((receipt.applied_before, receipt.applied_after), (1, 1));
    }
    assert_eq!(hq.commit(&[Incoming::Refused(suspect(b"other"))]), [None]);
    let kept = hq.db.quarantined(0, 10).unwrap();
    assert_eq!(kept.iter().map(|message| message.count).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(kept[0].suspect, suspect(b"???"));
    assert_eq!(hq.db.quarantined_message(kept[1].id).unwrap().as_ref(), Some(&kept[1]));
    assert!(hq.db.discard_quarantined(kept[0].id).unwrap());
    assert!(!hq.db.discard_quarantined(kept[0].id).unwrap());
    assert_eq!(hq.db.quarantined(0, 10).unwrap().len(), 1);
}

#[test]
fn a_row_that_the_database_refuses_is_refused_alone() {
    let mut hq = hq();
    hq.db
        .conn
        .batch_execute(
            "CREATE TRIGGER no_poison BEFORE INSERT ON sales WHEN NEW.product = 'POISON' BEGIN SELECT RAISE(ABORT, 'no poison'); END",
        )
        .unwrap();
    let group = [
        batch(vec![sale(1)]),
        batch(vec![sale(2), revised(3, 1, "POISON"), sale(4)]),
        batch(vec![sale(5)]),
    ];
    let answers = hq.commit(&group);
    let Some(Downlink::Receipt(receipt)) = &answers[1] else {
        panic!("no receipt");
    };
    let Outcome::Taken(taken) = &receipt.outcome else {
        panic!("not taken");
    };
    assert_eq!(
        taken.refused,
        [(SaleId::new(3).unwrap(), Revision::FIRST, Refusal::Storage)]
    );
    assert_eq!((receipt.applied_before, receipt.applied_after), (1, 3));
    assert_eq!(
        hq.text("SELECT group_concat(external_id) FROM sales").as_deref(),
        Some("1,2,4,5")
    );
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 4);
}

#[test]
fn a_row_that_ends_the_transaction_takes_nothing_with_it() {
    let mut hq = hq();
    hq.db
        .conn
        .batch_execute(
            "CREATE TRIGGER no_poison BEFORE INSERT ON sales WHEN NEW.product = 'POISON' BEGIN SELECT RAISE(ROLLBACK, 'no poison'); END",
        )
        .unwrap();
    let group = [batch(vec![sale(1), revised(2, 1, "POISON"), sale(3)])];
    assert!(hq.db.commit_group(NOW, &[1], &group).is_err());
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 0);
    hq.take(vec![sale(1)]);
}

#[test]
fn a_full_disk_takes_nothing_and_blames_no_row() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    let pages = hq.number("SELECT page_count FROM pragma_page_count");
    hq.db
        .conn
        .batch_execute(&format!("PRAGMA max_page_count = {}", pages + 2))
        .unwrap();
    let many = [batch((2..2_000).map(sale).collect())];
    assert!(matches!(hq.db.commit_group(NOW, &[1], &many), Err(StoreError::Full(_))));
    assert!(matches!(hq.db.probe(100_000), Err(StoreError::Full(_))));
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 1);
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 1);
    hq.db.conn.batch_execute("PRAGMA max_page_count = 1000000").unwrap();
    hq.db.probe(100_000).unwrap();
    hq.commit(&many);
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 1_999);
}

#[test]
fn another_writer_is_waited_for_and_blames_no_row() {
    let mut hq = hq();
    let mut other = SqliteConnection::establish(hq.db.path.to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    hq.db.conn.batch_execute("PRAGMA busy_timeout = 1").unwrap();
    let refused = hq.db.commit_group(NOW, &[1], &[batch(vec![sale(1)])]);
    assert!(matches!(refused, Err(StoreError::Busy(_))));
    other.batch_execute("COMMIT").unwrap();
    hq.take(vec![sale(1)]);
}

#[test]
fn a_try_counts_until_it_has_ended() {
    let mut hq = hq();
    let message = MessageDigest::of("TUNIS-01.sales", Some("TUNIS-01"), b"poison");
    let nobody = MessageDigest::of("TUNIS-01.sales", None, b"poison");
    assert_ne!(message, nobody);
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 0);
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 1);
    let mut hq = hq.reopened();
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 2);
    hq.db.try_ended(message).unwrap();
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 0);
    hq.db.forgive_tries().unwrap();
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 0);
}

#[test]
fn a_report_shows_decimals_and_times_that_people_read() {
    let mut hq = hq();
    let mut fine = sale(1);
    fine.content.cost = Money::parse("0.1205").unwrap();
    fine.content.tax = Money::parse("0.105").unwrap();
    hq.take(vec![fine, sale(2)]);
    let line = "SELECT group_concat(concat_ws(' ', ledger, cost, tax, amount, total, date, received_utc), ';') FROM sales_report";
    let ledger = LEDGER.to_string();
    let expected = format!(
        "{ledger} 0.1205 0.105 0.723 0.828 2026-11-22 14:00:00 2026-11-22 14:07:31;\
         {ledger} 3.39 4.07 20.34 24.41 2026-11-22 14:00:00 2026-11-22 14:07:31"
    );
    assert_eq!(hq.text(line), Some(expected));
}

#[test]
fn a_database_knows_itself_and_what_it_replaces() {
    let mut hq = hq();
    let gone = [StoreId::from_random(1), StoreId::from_random(2)];
    for store in gone {
        hq.db.replace(store, NOW).unwrap();
        hq.db.replace(store, NOW).unwrap();
    }
    let own = hq.db.store();
    assert!(matches!(hq.db.replace(own, NOW), Err(open::ReplaceError::Itself(_))));
    for more in 3..=32 {
        hq.db.replace(StoreId::from_random(more + 10), NOW).unwrap();
    }
    assert!(matches!(
        hq.db.replace(StoreId::from_random(99), NOW),
        Err(open::ReplaceError::TooMany)
    ));
    let hq = hq.reopened();
    assert_eq!((hq.db.store(), &hq.db.replaces()[..2]), (own, &gone[..]));
    assert_eq!(hq.db.replaces().len(), 32);
    // Whoever makes it a second time gets the first one.
    let again = HqDb::create(&hq.db.path, 1_000, NOW).unwrap();
    assert_eq!(again.store(), own);
}

#[test]
fn only_a_head_office_database_that_is_there_is_opened() {
    let hq = hq();
    let path = |name: &str| hq.folder.path().join(name);
    assert!(matches!(
        HqDb::open(&path("none.db")),
        Err(OpenError::NoDatabase { .. })
    ));
    assert!(!path("none.db").exists());
    std::fs::write(path("empty.db"), b"").unwrap();
    assert!(matches!(
        HqDb::open(&path("empty.db")),
        Err(OpenError::NoDatabase { .. })
    ));
    std::fs::write(path("text.db"), "not a database at all, but rather long".repeat(100)).unwrap();
    assert!(matches!(HqDb::open(&path("text.db")), Err(OpenError::NotOurs { .. })));
    let mut other = SqliteConnection::establish(path("other.db").to_str().unwrap()).unwrap();
    other.batch_execute("CREATE TABLE branch (x)").unwrap();
    assert!(matches!(HqDb::open(&path("other.db")), Err(OpenError::NotOurs { .. })));
    assert!(matches!(
        HqDb::create(&path("other.db"), 1, NOW),
        Err(OpenError::NotOurs { .. })
    ));
}

#[test]
fn a_newer_database_is_refused() {
    let mut hq = hq();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')";
    hq.db.conn.batch_execute(newer).unwrap();
    let path = hq.db.path.clone();
    assert!(matches!(HqDb::open(&path), Err(OpenError::Newer { version, .. }) if version == "29991231235959"));
}

#[test]
fn two_that_start_at_once_make_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = &folder.path().join("deep/down/hq.db");
    let stores: Vec<_> = std::thread::scope(|scope| {
        let makers: Vec<_> = (1..=4)
            .map(|bits| scope.spawn(move || HqDb::create(path, bits, NOW).unwrap().store()))
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    assert!(stores.windows(2).all(|pair| pair[0] == pair[1]), "{stores:?}");
}

#[test]
fn commits_are_on_the_disk_before_they_are_told() {
    let mut hq = hq();
    assert_eq!(hq.number("SELECT synchronous FROM pragma_synchronous"), 2);
    assert_eq!(
        hq.text("SELECT journal_mode FROM pragma_journal_mode").as_deref(),
        Some("wal")
    );
    assert_eq!(hq.number("SELECT foreign_keys FROM pragma_foreign_keys"), 1);
}

fn any_rows() -> impl Strategy<Value = Vec<Sale>> {
    let row = (1..40_i64, 1..4_u32, 0..2_u8, 0..20_u8).prop_map(|(id, revision, product, kind)| {
        let mut sale = revised(id, revision, ["PENS", "INK"][usize::from(product)]);
        match kind {
            0 => sale.content.date = parse_wall("2027-06-01").unwrap(),
            1 => sale.content.qty = 0,
            2 => sale.deleted_at = Some(NOW),
            _ => {}
        }
        sale
    });
    proptest::collection::vec(row, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The verdicts, row by row over a map, are what the set-based way over the database must come to.
    #[test]
    fn any_batches_come_to_what_row_by_row_comes_to(batches in proptest::collection::vec(any_rows(), 1..6)) {
        let mut hq = hq();
        let mut model: HashMap<SaleId, Sale> = HashMap::new();
        let mut applied = 0;
        for rows in batches {
            let mut expected = Taken::default();
            let (mut stored, before) = (Vec::new(), applied);
            for row in &rows {
                match verdict::judge(&branch(), model.get(&row.id), row) {
                    Verdict::Apply => match verdict::admit(row, NOW) {
                        Ok(()) => {
                            model.insert(row.id, row.clone());
                            stored.push((row.id.get(), row.revision.get()));
                            applied += 1;
                        }
                        Err(refusal) => expected.refused.push((row.id, row.revision, refusal)),
                    },
                    Verdict::Duplicate => stored.push((row.id.get(), row.revision.get())),
                    Verdict::Conflict | Verdict::Stale => expected.held.push(model[&row.id].clone()),
                }
            }
            let (got, taken, counts) = hq.take(rows);
            prop_assert_eq!(got, stored);
            prop_assert_eq!((&taken.refused, &taken.held), (&expected.refused, &expected.held));
            prop_assert_eq!(counts, (before, applied));
        }
        prop_assert_eq!(hq.number("SELECT count(*) FROM sales"), i64::try_from(model.len()).unwrap());
        // Nothing is erased: what was applied is there, or kept beside what replaced it.
        let kept = hq.number("SELECT count(*) FROM sale_revisions");
        prop_assert_eq!(kept + i64::try_from(model.len()).unwrap(), i64::try_from(applied).unwrap());
    }
}
