//! The product names that HQ holds.

use super::super::HqNames;
use super::*;
use crate::protocol::dictionary::{Holding, Product, fingerprint};

/// A batch of one sale that tells these names.
fn telling(id: i64, told: &[(u16, &str)]) -> Incoming {
    let Incoming::Message {
        login,
        message: Uplink::Batch(mut batch),
    } = batch(vec![sale(id)])
    else {
        unreachable!("a batch is a batch");
    };
    batch.products = told
        .iter()
        .map(|(no, name)| Product {
            no: *no,
            name: (*name).into(),
            told: true,
        })
        .collect();
    let message = Uplink::Batch(batch);
    Incoming::Message { login, message }
}

impl Hq {
    fn holding(&mut self) -> Holding {
        match self.commit(&[hello(Login::Own)]).pop().flatten() {
            Some(Downlink::Answer(answer)) => answer.holding,
            other => panic!("no answer but {other:?}"),
        }
    }

    fn names(&self) -> HqNames {
        HqNames::at(self.db.path.clone())
    }
}

fn found(names: &mut HqNames, numbers: &[u16]) -> Option<Vec<String>> {
    let found = names.of(&branch(), LEDGER, numbers).unwrap();
    found.map(|names| names.iter().map(ToString::to_string).collect())
}

#[test]
fn names_are_held_from_the_commit_on_and_after_a_restart() {
    let mut hq = hq();
    let mut names = hq.names();
    assert_eq!(found(&mut names, &[4]), None);
    hq.commit(&[telling(1, &[(4, "PENS"), (5, "CAF\u{c9}"), (9, "CUPS")])]);
    assert_eq!(found(&mut names, &[9, 4]), Some(vec!["CUPS".into(), "PENS".into()]));
    assert_eq!(found(&mut names, &[4, 6]), None);
    hq.commit(&[telling(2, &[(6, "MUGS")])]);
    assert_eq!(found(&mut names, &[4, 6]), Some(vec!["PENS".into(), "MUGS".into()]));
    let mut hq = hq.reopened();
    let all = [(4, "PENS"), (5, "CAF\u{c9}"), (6, "MUGS"), (9, "CUPS")];
    assert_eq!(hq.holding(), Holding::of(all.into_iter()));
    assert_eq!(hq.holding().fingerprint, fingerprint(all.into_iter()));
}

#[test]
fn the_first_name_under_a_number_stays_and_none_is_kept_twice() {
    let mut hq = hq();
    hq.commit(&[telling(1, &[(4, "PENS")]), telling(2, &[(4, "CUPS"), (5, "MUGS")])]);
    hq.commit(&[telling(3, &[(4, "PENS"), (5, "MUGS")])]);
    assert_eq!(
        found(&mut hq.names(), &[4, 5]),
        Some(vec!["PENS".into(), "MUGS".into()])
    );
    assert_eq!(hq.number("SELECT count(*) FROM product_names"), 2);
    let mut hq = hq.reopened();
    hq.commit(&[telling(4, &[(5, "CUPS")])]);
    assert_eq!(hq.number("SELECT count(*) FROM product_names"), 2);
}

#[test]
fn names_of_one_ledger_are_nobody_else_s() {
    let mut hq = hq();
    hq.commit(&[telling(1, &[(4, "PENS")])]);
    let mut names = hq.names();
    let other = BranchCode::parse("SFAX-02").unwrap();
    assert_eq!(names.of(&other, LEDGER, &[4]).unwrap(), None);
    assert_eq!(names.of(&branch(), LedgerId::from_random(9), &[4]).unwrap(), None);
}

#[test]
fn what_no_sound_sale_has_is_not_kept() {
    let mut hq = hq();
    hq.commit(&[telling(1, &[(4, "TWO\nLINES"), (5, ""), (6, "PENS")])]);
    assert_eq!(hq.holding(), Holding::of([(6, "PENS")].into_iter()));
}

#[test]
fn names_of_a_group_that_failed_are_not_believed_to_be_held() {
    let mut hq = hq();
    diesel::sql_query("CREATE TRIGGER full BEFORE UPDATE ON hq BEGIN SELECT RAISE(ABORT, 'out of memory'); END")
        .execute(&mut hq.db.conn)
        .unwrap();
    assert!(
        hq.db
            .commit_group(NOW.plus(1), &[1], &[telling(1, &[(4, "PENS")])])
            .is_err()
    );
    diesel::sql_query("DROP TRIGGER full").execute(&mut hq.db.conn).unwrap();
    hq.commit(&[telling(1, &[(4, "PENS")])]);
    assert_eq!(found(&mut hq.names(), &[4]), Some(vec!["PENS".into()]));
}

#[test]
fn whoever_takes_messages_reads_the_names_as_well() {
    let mut hq = hq();
    let held = |hq: &mut Hq, numbers: &[u16]| hq.db.product_names(&branch(), LEDGER, numbers).unwrap();
    assert_eq!(held(&mut hq, &[4]), None);
    hq.commit(&[telling(1, &[(4, "PENS")])]);
    assert_eq!(held(&mut hq, &[4]), Some(vec!["PENS".into()]));
    let mut hq = hq.reopened();
    assert_eq!(held(&mut hq, &[4]), Some(vec!["PENS".into()]));
    assert_eq!(held(&mut hq, &[4, 5]), None);
}

#[test]
fn a_row_whose_numbers_cannot_be_read_holds_nothing_until_its_names_are_told_again() {
    for numbers in ["", "x", "4-", "4,5", "0", "5-4", "4 70000"] {
        let mut hq = hq();
        hq.commit(&[telling(1, &[(4, "PENS"), (5, "MUGS")]), telling(2, &[(9, "CUPS")])]);
        diesel::sql_query(format!("UPDATE product_names SET numbers = '{numbers}' WHERE no = 1"))
            .execute(&mut hq.db.conn)
            .unwrap();
        let mut hq = hq.reopened();
        assert_eq!(hq.holding(), Holding::of([(9, "CUPS")].into_iter()), "`{numbers}`");
        assert_eq!(found(&mut hq.names(), &[4]), None);
        hq.commit(&[telling(3, &[(4, "PENS"), (5, "MUGS")])]);
        let all = [(4, "PENS"), (5, "MUGS"), (9, "CUPS")];
        assert_eq!(hq.holding(), Holding::of(all.into_iter()));
        assert_eq!(hq.reopened().holding(), Holding::of(all.into_iter()));
    }
}

#[test]
fn ledgers_without_names_take_no_memory() {
    let mut hq = hq();
    let mut names = hq.names();
    for ledger in 100..200 {
        let ledger = LedgerId::from_random(ledger);
        assert_eq!(hq.db.product_names(&branch(), ledger, &[4]).unwrap(), None);
        assert_eq!(names.of(&branch(), ledger, &[4]).unwrap(), None);
    }
    hq.holding();
    assert_eq!(hq.db.names.bytes(), 0);
    assert!(format!("{names:?}").ends_with("bytes: 0 }"), "{names:?}");
    hq.commit(&[telling(1, &[(4, "PENS")])]);
    assert!(hq.db.names.bytes() > 0);
}
