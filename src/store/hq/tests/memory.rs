//! What HQ remembers of what it has told, and what it can't once its database is an older one.

use super::*;
use crate::protocol::lineage::Mark;

fn batch_named(name: u128, sales: Vec<Sale>) -> Incoming {
    Incoming::Message {
        login: Login::Own,
        message: Uplink::Batch(Batch {
            branch: branch(),
            ledger: LEDGER,
            id: BatchId::from_random(name),
            sales,
            products: Vec::new(),
        }),
    }
}

impl Hq {
    fn mark_after(&mut self, name: u128, sales: Vec<Sale>) -> Mark {
        self.receipt(batch_named(name, sales)).mark
    }

    fn asked(&mut self, marks: &[Mark]) -> Answer {
        let Incoming::Message {
            login,
            message: Uplink::Hello(mut hello),
        } = hello(Login::Own)
        else {
            unreachable!("a hello is a hello");
        };
        hello.marks = marks.to_vec();
        let message = Uplink::Hello(hello);
        match self.commit(&[Incoming::Message { login, message }]).pop().flatten() {
            Some(Downlink::Answer(answer)) => answer,
            other => panic!("no answer but {other:?}"),
        }
    }

    /// HQ as a backup that is made now has it.
    fn backup(&mut self, name: &str) -> Self {
        let path = self.folder.path().join(name);
        self.db
            .conn
            .batch_execute(&format!("VACUUM INTO '{}'", path.display()))
            .unwrap();
        Self {
            db: HqDb::open(&path).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

#[test]
fn every_mark_that_a_receipt_brought_is_remembered() {
    let mut hq = hq();
    let marks = [
        hq.mark_after(1, vec![sale(1)]),
        hq.mark_after(2, vec![sale(2), sale(3)]),
        hq.mark_after(3, vec![revised(1, 2, "PENS")]),
    ];
    assert_eq!(marks.map(|mark| mark.applied), [1, 3, 4]);
    let mut hq = hq.reopened();
    let answer = hq.asked(&marks);
    assert_eq!((answer.remembers, answer.mark), (true, marks[2]));
    assert_eq!(answer.asked, marks);
}

#[test]
fn what_is_repeated_or_refused_leads_to_no_new_mark() {
    let mut hq = hq();
    let first = hq.mark_after(1, vec![sale(1)]);
    let mut far = sale(2);
    far.content.date = parse_wall("2027-11-22 14:00").unwrap();
    assert_eq!(hq.mark_after(2, vec![sale(1)]), first);
    assert_eq!(hq.mark_after(3, vec![far]), first);
    assert_eq!(hq.number("SELECT count(*) FROM ledger_marks"), 1);
}

#[test]
fn a_restored_hq_does_not_know_what_it_told_after_its_backup_however_high_it_counts() {
    let mut hq = hq();
    let kept = hq.mark_after(1, vec![sale(1)]);
    let mut restored = hq.backup("backup.db");
    let lost = hq.mark_after(2, vec![sale(2)]);
    assert!(!restored.asked(&[kept, lost]).remembers);
    let other = restored.mark_after(3, vec![sale(3)]);
    assert_eq!(other.applied, lost.applied);
    assert!(!restored.asked(&[lost]).remembers);
    assert!(restored.asked(&[kept, other]).remembers);
}

#[test]
fn an_hq_to_which_the_broker_delivers_again_what_it_has_lost_has_lost_nothing() {
    let mut hq = hq();
    let mut restored = hq.backup("backup.db");
    let told = hq.mark_after(1, vec![sale(1), sale(2)]);
    assert!(!restored.asked(&[told]).remembers);
    assert_eq!(restored.mark_after(1, vec![sale(1), sale(2)]), told);
    assert!(restored.asked(&[told]).remembers);
}

#[test]
fn only_the_newest_thousand_marks_of_a_ledger_are_kept() {
    let mut hq = hq();
    let group: Vec<_> = (1..=1_005_i64)
        .map(|id| batch_named(id.unsigned_abs().into(), vec![sale(id)]))
        .collect();
    let mut marks = Vec::new();
    for answer in hq.commit(&group) {
        let Some(Downlink::Receipt(receipt)) = answer else {
            panic!("no receipt")
        };
        marks.push(receipt.mark);
    }
    assert!(hq.asked(&marks[..1]).remembers, "nobody has asked before");
    assert_eq!(hq.number("SELECT count(*) FROM ledger_marks"), 1_000);
    assert!(!hq.asked(&marks[4..5]).remembers);
    assert!(hq.asked(&marks[5..]).remembers);
}

#[test]
fn marks_that_no_hq_gives_out_are_not_remembered() {
    let mut hq = hq();
    let mark = hq.mark_after(1, vec![sale(1)]);
    for applied in [0, 2, u64::MAX] {
        assert!(!hq.asked(&[Mark { applied, ..mark }]).remembers);
    }
    assert!(hq.asked(&[Mark::default()]).remembers, "where every ledger begins");
    let other = BranchCode::parse("SFAX-02").unwrap();
    let theirs = hq.receipt(batch_of(other, vec![revised(1, 1, "INK")])).mark;
    assert!(!hq.asked(&[theirs]).remembers, "it is another branch's");
}
