//! Who has lost what: telling a restored HQ, and a copied branch database, by the applied counts.
//!
//! HQ counts, for each ledger, the revisions that it has applied. A branch knows how high that count must be: as high as it ever was in an answer, and
//! at least as many as there are revisions that HQ has acknowledged. It also knows how high it can be: all that it has seen, plus all that it ever sent
//! and had no answer to. A *fresh* answer (to a message that was first sent after those facts were written down) outside these bounds means that one of
//! the two databases is not the one that made the facts. So do two receipts that claim one and the same step of the count, whatever order they come in.
//!
//! # When HQ has forgotten
//!
//! Everything that it acknowledged of the ledger is sent again, not only what lies above the count that is left: what a restored HQ has applied since (a
//! message that the broker delivered again, a batch that was on its way) counts like what it has kept, so a count does not tell which receipts are still
//! true. Sending again what HQ has is cheap and does no harm; believing a receipt that is void would be a false green.
//!
//! # What is not promised
//!
//! A count is only a number. HQ's loss stays unseen if, before anything fresh is answered, it applies as many revisions that this branch will never ask about
//! again as it has lost: batches that were on their way when it was restored, whose receipts were lost, and whose sales were all edited before they went again. And while
//! two boxes sell with copies of one database, each makes up for what HQ forgot of the other. `branchline resend` heals both.
//!
//! # When this database is a copy
//!
//! New sales go into a new ledger. What was entered before keeps its key, because the other box, or an earlier life of this one, may have brought it to HQ. Where HQ holds
//! another sale under the key, this one moves to the ledger's [annex], which is the same in every copy: so a sale that two boxes move is still one sale.

use crate::domain::ids::LedgerId;

/// What a branch has written down about one ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Standing {
    /// The highest applied count that an answer has brought.
    pub seen: u64,
    /// How many revisions HQ has acknowledged and not been found to have forgotten.
    pub acked: u64,
    /// How many revisions are in batches of this ledger that were sent, or may have been, and never answered.
    pub unanswered: u64,
}

/// What an answer tells of both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lineage {
    /// Both are the databases they were.
    Same,
    /// HQ has forgotten something of what it acknowledged, so what it acknowledged before this answer counts for nothing.
    HqForgot {
        /// Whether the answer itself counts: it is younger than what was forgotten. If not, it may be what was forgotten.
        answer_counts: bool,
    },
    /// HQ has applied revisions that this database never sent: it is a copy or a backup.
    ThisIsACopy,
}

/// What an answer reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Report {
    /// HQ's count before it handled the message that it answers.
    pub before: u64,
    /// HQ's count after.
    pub after: u64,
    /// The least that the count must have been: [`Standing::floor`] when the message was first sent.
    pub floor: u64,
    /// Another receipt claims a step of the count between `before` and `after`. One HQ takes each step once.
    pub claimed: bool,
}

impl Standing {
    /// The least that a fresh answer must report.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        if self.seen > self.acked { self.seen } else { self.acked }
    }

    /// Weighs an answer. `self` is the standing just before the answer is written down, with the answered batch's revisions still unanswered.
    #[must_use]
    pub const fn weigh(&self, report: Report) -> Lineage {
        // Only the floor of its own message binds an answer: others may have been sent later and heard earlier.
        let below = report.before < report.floor;
        if below || report.claimed {
            return Lineage::HqForgot { answer_counts: below };
        }
        if report.after > self.floor() + self.unanswered {
            return Lineage::ThisIsACopy;
        }
        Lineage::Same
    }
}

/// Whether two receipts of one ledger claim the same step of the applied count; each claims those after `before` up to `after`.
#[must_use]
pub const fn claim_the_same((before, after): (u64, u64), (other_before, other_after): (u64, u64)) -> bool {
    let latest_begin = if before > other_before { before } else { other_before };
    let first_end = if after < other_after { after } else { other_after };
    latest_begin < first_end
}

/// The ledger for sales of `ledger` whose keys HQ knows as other sales: the same wherever it is asked.
#[must_use]
pub fn annex(ledger: LedgerId) -> LedgerId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"branchline annex").update(ledger.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    LedgerId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDING: Standing = Standing {
        seen: 10,
        acked: 9,
        unanswered: 3,
    };

    const fn report(before: u64, after: u64) -> Report {
        Report {
            before,
            after,
            floor: 10,
            claimed: false,
        }
    }

    #[test]
    fn an_answer_within_its_bounds_changes_nothing() {
        assert_eq!(STANDING.weigh(report(10, 13)), Lineage::Same);
    }

    #[test]
    fn a_count_below_the_floor_of_its_message_means_that_hq_forgot() {
        let forgot = Lineage::HqForgot { answer_counts: true };
        assert_eq!(STANDING.weigh(report(9, 12)), forgot);
        let old = Report {
            floor: 4,
            ..report(9, 12)
        };
        assert_eq!(
            STANDING.weigh(old),
            Lineage::Same,
            "its message is older than the facts"
        );
    }

    #[test]
    fn what_is_acknowledged_is_a_floor_of_its_own() {
        let standing = Standing { acked: 12, ..STANDING };
        assert_eq!(standing.floor(), 12);
    }

    #[test]
    fn a_step_that_two_receipts_claim_was_taken_by_two_histories() {
        let claimed = Report {
            claimed: true,
            ..report(10, 13)
        };
        assert_eq!(STANDING.weigh(claimed), Lineage::HqForgot { answer_counts: false });
        assert!(claim_the_same((6, 10), (8, 16)));
        assert!(!claim_the_same((6, 10), (10, 16)));
        assert!(!claim_the_same((6, 10), (8, 8)), "a repeat takes no step");
    }

    #[test]
    fn a_count_above_all_that_was_sent_means_that_this_is_a_copy() {
        assert_eq!(STANDING.weigh(report(10, 14)), Lineage::ThisIsACopy);
    }

    #[test]
    fn an_annex_is_the_same_everywhere_and_has_an_annex_of_its_own() {
        let ledger = LedgerId::from_random(1);
        assert_eq!(annex(ledger).to_string(), annex(ledger).to_string());
        assert_ne!(annex(ledger), ledger);
        assert_ne!(annex(annex(ledger)), annex(ledger));
    }
}
