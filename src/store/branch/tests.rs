//! Truths of the branch's database, each by name.

use super::fixture::{Fixture, all_stored, at, receipt};
use crate::protocol::journal::Journal;

#[test]
fn a_sale_goes_from_pending_over_sent_to_acked() {
    let mut branch = Fixture::new();
    branch.sell();
    assert_eq!(branch.state(1), "pending");
    let formed = branch.form(1);
    assert_eq!(branch.state(1), "sent");
    branch.check();
    branch.settle(&receipt(&formed, 0, all_stored(&formed)));
    assert_eq!(branch.state(1), "acked");
    assert!(branch.db.status().unwrap().in_step());
    assert_eq!(
        branch.db.form_batch(super::fixture::batch_id(2), 10, at(30)).unwrap(),
        None
    );
}
