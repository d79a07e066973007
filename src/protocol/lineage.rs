//! Who has lost what: telling a restored HQ, and a copied branch database, by marks and counts.
//!
//! HQ counts, for each ledger, the revisions that it has applied, and keeps a [`Mark`] of each batch that applied any: a hash chained over all of them. It
//! keeps the marks with the sales, in one transaction, so an HQ that was restored has lost the marks that came after its backup together with what they stand
//! for. A mark comes back only if the very same batches are applied again with the very same outcome, and then HQ has what it stands for.
//!
//! Every receipt brings the mark that HQ had reached with it. So a receipt is true for as long as HQ remembers its mark, and a branch need not remember every one:
//! one that follows another in the chain vouches for it. A [`Standing`] holds the marks that no later one is known to vouch for, nearly always just one. Each hello
//! asks about them, and HQ's answer brings the mark that vouches for all of them, or says that it remembers one of them not.
//!
//! # When HQ has forgotten
//!
//! Everything that it acknowledged of the ledger is sent again. Sending again what HQ has is cheap and does no harm; believing a receipt that is void would be a
//! false green. It doesn't matter what HQ has applied since, from whom, or how high its count is. Receipts of the HQ that was, if they come later, bring marks of
//! their own, and the next hello asks about those.
//!
//! HQ may drop old marks, as long as it keeps a good number of the newest of each ledger: a mark is asked about again only until the next answer replaces it.
//! "Not remembered" then means "forgotten, or very old", and the cure is the same: what would have been known is sent again.
//!
//! # When this database is a copy
//!
//! A branch knows how high HQ's count can be: as high as it was ever heard to be, plus all that was ever sent and had no answer. If an HQ that has forgotten
//! nothing counts more, another box, or an earlier life of this one, writes to the same ledger. New sales go into a new one then. What was entered before
//! keeps its key, because the other box may have brought it to HQ. Where HQ holds another sale under the key, this one moves to the ledger's [annex], which
//! is the same in every copy: so a sale that two boxes move is still one sale. A key tells two sales apart by itself, so nothing is confused before the copy
//! is noticed. And HQ is asked once more about every sale of the ledger: whoever writes to it may have edited what is acked here.
//!
//! Counts leave one gap: revisions of this database that were sent, replaced and never answered, because HQ never saw them, stay possible for ever; so many
//! revisions of another box can hide behind them until something else gives that box away.
//!
//! The two are told apart exactly, and may happen at once: marks tell what HQ has lost, whoever else adds to the count; and the count is weighed only by an
//! answer that remembers all marks.

use super::message::{Answer, Outcome, Receipt};
use crate::domain::ids::{BatchId, LedgerId, Run};

/// How much of a ledger HQ had applied at some moment, and a hash over all that led there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mark {
    /// The applied count: how many revisions.
    pub applied: u64,
    /// The hash; zeros before the first.
    pub chain: [u8; 16],
}

impl Mark {
    /// The mark after a batch of which HQ has applied some revisions and holds `stored` of its rows.
    #[must_use]
    pub fn after(self, batch: BatchId, newly_applied: u64, stored: &[Run]) -> Self {
        if newly_applied == 0 {
            return self;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.chain).update(batch.as_bytes());
        hasher.update(&newly_applied.to_be_bytes());
        for run in stored {
            hasher.update(&run.first.get().to_be_bytes());
            hasher.update(&run.count.to_be_bytes());
            hasher.update(&run.revision.get().to_be_bytes());
        }
        Self {
            applied: self.applied.saturating_add(newly_applied),
            chain: first_half(&hasher),
        }
    }
}

/// The most marks that a hello asks about.
pub const MAX_ASKED: usize = 32;

/// What a branch has written down about one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Standing {
    /// The highest applied count that HQ was heard to have.
    pub seen: u64,
    /// How many revisions are in batches of this ledger that were sent, or may have been, and never answered.
    pub unanswered: u64,
    /// What the truth of all that is acked rests on: marks that HQ must remember, oldest first. None vouches for another as far as is known.
    pub marks: Vec<Mark>,
}

/// What an answer tells of both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lineage {
    /// Both are the databases they were.
    Same,
    /// HQ has forgotten something of what it acknowledged, so what it acknowledged of the ledger counts for nothing.
    HqForgot,
    /// HQ has applied revisions that this database never sent: it is a copy or a backup.
    ThisIsACopy,
}

impl Standing {
    /// Bases what a receipt acknowledges on its mark, while the batch still counts as unanswered. What HQ counts beyond all that was ever sent is not taken as seen: the
    /// next answer tells what it means.
    pub fn rest_on(&mut self, receipt: &Receipt) {
        let mark = receipt.mark;
        self.seen = self.seen.max(mark.applied.min(self.known()));
        let Outcome::Taken(taken) = &receipt.outcome else {
            // It acknowledges nothing, and neither does an HQ that has applied nothing.
            return;
        };
        if mark.applied > 0 {
            let next = |before: &Mark| before.after(receipt.batch, receipt.newly_applied, &taken.stored);
            self.marks.retain(|before| *before != mark && next(before) != mark);
            self.marks.push(mark);
        }
    }

    /// The marks to ask HQ about: the oldest, as many as a hello has room for.
    #[must_use]
    pub fn to_ask(&self) -> Vec<Mark> {
        self.marks.iter().take(MAX_ASKED).copied().collect()
    }

    /// Whether some of what is acked rests on a mark of which nobody knows whether the others' HQ has it: somebody should ask soon.
    #[must_use]
    pub const fn in_doubt(&self) -> bool {
        self.marks.len() > 1
    }

    /// Takes an answer in, as far as these numbers go; what was acked by an HQ that has forgotten it is for the caller to send again.
    #[must_use]
    pub fn weigh(&mut self, answer: &Answer) -> Lineage {
        if !answer.remembers {
            self.forget(answer.mark);
            return Lineage::HqForgot;
        }
        let lineage = if answer.mark.applied > self.known() {
            Lineage::ThisIsACopy
        } else {
            Lineage::Same
        };
        self.seen = self.seen.max(answer.mark.applied);
        let before = self.marks.len();
        self.marks.retain(|mark| !answer.asked.contains(mark));
        if self.marks.len() < before && !self.marks.contains(&answer.mark) {
            self.marks.push(answer.mark);
        }
        lineage
    }

    /// How high HQ's count can be, as far as this database knows.
    const fn known(&self) -> u64 {
        self.seen.saturating_add(self.unanswered)
    }

    /// Forgets all that HQ has acknowledged; `now` is how far it says it is.
    pub fn forget(&mut self, now: Mark) {
        self.seen = now.applied;
        self.marks.clear();
    }
}

/// The ledger for sales of `ledger` whose keys HQ knows as other sales: the same wherever it is asked.
#[must_use]
pub fn annex(ledger: LedgerId) -> LedgerId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"branchline annex").update(ledger.as_bytes());
    LedgerId::from_bytes(first_half(&hasher))
}

fn first_half(hasher: &blake3::Hasher) -> [u8; 16] {
    let hash = hasher.finalize();
    std::array::from_fn(|at| hash.as_bytes()[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Nonce, Revision, SaleId, StoreId};
    use crate::protocol::dictionary::Holding;
    use crate::protocol::message::{HqStamp, Taken};

    /// HQ's answer to a batch of one row: it had this mark before, and applies the row.
    fn receipt(before: Mark, batch: u128) -> Receipt {
        let stored = vec![Run {
            first: SaleId::new(1).unwrap(),
            count: 1,
            revision: Revision::FIRST,
        }];
        let batch = BatchId::from_random(batch);
        Receipt {
            hq: HqStamp::of(StoreId::from_random(1), vec![1]),
            batch,
            mark: before.after(batch, 1, &stored),
            newly_applied: 1,
            outcome: Outcome::Taken(Taken {
                stored,
                ..Taken::default()
            }),
        }
    }

    fn answer(asked: &[Mark], remembers: bool, mark: Mark) -> Answer {
        Answer {
            hq: HqStamp::of(StoreId::from_random(1), vec![1]),
            ledger: LedgerId::from_random(1),
            nonce: Nonce::from_random(1),
            mark,
            asked: asked.to_vec(),
            remembers,
            holding: Holding::default(),
        }
    }

    /// The receipt of a batch that this database has sent.
    fn settle(standing: &mut Standing, receipt: &Receipt) {
        standing.unanswered += 1;
        standing.rest_on(receipt);
        standing.unanswered -= 1;
    }

    /// A standing that has heard these receipts, one batch after the other.
    fn heard(batches: &[u128]) -> Standing {
        let (mut standing, mut mark) = (Standing::default(), Mark::default());
        for batch in batches {
            let receipt = receipt(mark, *batch);
            mark = receipt.mark;
            settle(&mut standing, &receipt);
        }
        standing
    }

    #[test]
    fn receipts_in_order_rest_on_the_last_one() {
        let standing = heard(&[1, 2, 3]);
        assert_eq!((standing.marks.len(), standing.seen), (1, 3));
        assert_eq!(standing.marks[0].applied, 3);
        assert!(!standing.in_doubt());
    }

    #[test]
    fn a_repeat_of_what_hq_has_rests_on_the_same_mark() {
        let mut standing = heard(&[1]);
        let mut repeat = receipt(Mark::default(), 1);
        repeat.batch = BatchId::from_random(2);
        repeat.newly_applied = 0;
        settle(&mut standing, &repeat);
        assert!(!standing.in_doubt());
    }

    #[test]
    fn a_receipt_behind_one_that_was_lost_rests_on_itself_until_hq_vouches_for_both() {
        let lost = receipt(heard(&[1]).marks[0], 2);
        let mut standing = heard(&[1]);
        let third = receipt(lost.mark, 3);
        standing.unanswered = 1;
        settle(&mut standing, &third);
        assert!(standing.in_doubt());
        let asked = standing.marks.clone();
        assert_eq!(standing.weigh(&answer(&asked, true, third.mark)), Lineage::Same);
        assert_eq!(standing.marks, [third.mark]);
    }

    #[test]
    fn an_equal_count_of_another_history_is_another_mark() {
        let (one, other) = (heard(&[1, 2]), heard(&[1, 3]));
        assert_eq!(one.marks[0].applied, other.marks[0].applied);
        assert_ne!(one.marks, other.marks);
        let mut both = one;
        settle(&mut both, &receipt(heard(&[1]).marks[0], 3));
        assert!(both.in_doubt(), "HQ went back, and on by another batch");
    }

    #[test]
    fn a_mark_depends_on_which_rows_are_stored() {
        let run = |first| Run {
            first: SaleId::new(first).unwrap(),
            count: 1,
            revision: Revision::FIRST,
        };
        let after = |first| Mark::default().after(BatchId::from_random(1), 1, &[run(first)]);
        assert_ne!(after(1), after(2));
    }

    #[test]
    fn an_hq_that_remembers_not_has_forgotten_however_high_it_counts() {
        let mut standing = heard(&[1, 2]);
        let asked = standing.marks.clone();
        let far = Mark {
            applied: 99,
            chain: [7; 16],
        };
        assert_eq!(standing.weigh(&answer(&asked, false, far)), Lineage::HqForgot);
        assert_eq!((standing.seen, standing.marks.len()), (99, 0));
    }

    #[test]
    fn what_was_heard_after_the_question_is_asked_about_the_next_time() {
        let mut standing = heard(&[1]);
        let asked = standing.marks.clone();
        let second = receipt(asked[0], 2);
        settle(&mut standing, &second);
        assert_eq!(standing.weigh(&answer(&asked, true, asked[0])), Lineage::Same);
        assert_eq!(standing.marks, [second.mark]);
    }

    #[test]
    fn a_count_above_all_that_was_sent_means_that_this_is_a_copy() {
        let mut standing = heard(&[1]);
        standing.unanswered = 2;
        let asked = standing.marks.clone();
        let far = |applied| Mark {
            applied,
            chain: [7; 16],
        };
        assert_eq!(standing.clone().weigh(&answer(&asked, true, far(3))), Lineage::Same);
        assert_eq!(standing.weigh(&answer(&asked, true, far(4))), Lineage::ThisIsACopy);
    }

    #[test]
    fn what_others_have_written_is_no_secret_because_a_receipt_came_first() {
        let mut standing = heard(&[1]);
        let others = receipt(standing.marks[0], 9);
        let receipt = receipt(others.mark, 2);
        settle(&mut standing, &receipt);
        assert!(standing.in_doubt());
        let asked = standing.marks.clone();
        assert_eq!(
            standing.weigh(&answer(&asked, true, receipt.mark)),
            Lineage::ThisIsACopy
        );
    }

    #[test]
    fn an_annex_is_the_same_everywhere_and_has_an_annex_of_its_own() {
        let ledger = LedgerId::from_random(1);
        assert_eq!(annex(ledger).to_string(), annex(ledger).to_string());
        assert_ne!(annex(ledger), ledger);
        assert_ne!(annex(annex(ledger)), annex(ledger));
    }
}
