//! Who has lost what: telling a restored HQ, and a copied branch database, by the applied counts.
//!
//! HQ counts, for each ledger, the revisions that it has applied. A branch knows how high that count must be: as high as it ever was in an answer, and
//! at least as many as there are revisions that HQ has acknowledged. It also knows how high it can be: all that it has seen, plus all that it ever sent
//! and had no answer to. A *fresh* answer (to a message that was first sent after those facts were written down) outside these bounds means that one of
//! the two databases is not the one that made the facts.

/// What a branch has written down about one ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Standing {
    /// The highest applied count that an answer has brought.
    pub seen: u64,
    /// How many revisions HQ has acknowledged and not been found to have forgotten.
    pub acked: u64,
    /// How many revisions are in batches of this ledger that were sent, or may have been, and never answered.
    pub unanswered: u64,
    /// HQ was found to have forgotten something, and no answer since has shown that what went again was all of it.
    pub doubted: bool,
}

/// What a fresh answer tells of both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lineage {
    /// Both are the databases they were.
    Same,
    /// HQ has forgotten what it acknowledged: receipts whose applied count is above `keep_through` no longer count. Zero: none counts.
    HqForgot {
        /// The highest applied count that is still good.
        keep_through: u64,
    },
    /// HQ has applied revisions that this database never sent: it is a copy or a backup.
    ThisIsACopy,
}

/// What a fresh answer reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Report {
    /// HQ's count before it handled the message that it answers.
    pub before: u64,
    /// HQ's count after.
    pub after: u64,
    /// The least that the count must have been: [`Standing::floor`] when the message was first sent.
    pub floor: u64,
}

impl Standing {
    /// The least that a fresh answer must report.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        if self.seen > self.acked { self.seen } else { self.acked }
    }

    /// Weighs a fresh answer. `self` is the standing just before the answer is written down, with the answered batch's revisions still unanswered;
    /// `confirms` is how many revisions the answer newly acknowledges.
    #[must_use]
    pub const fn weigh(&self, report: Report, confirms: u64) -> Lineage {
        // Only the floor of its own message binds an answer: others may have been sent later and heard earlier.
        if report.before < report.floor {
            // What HQ applied since it was restored is at most what we have no answer to, so this much of the old history is surely there. If it goes wrong
            // twice, the counts don't tell what is missing (a revision that was replaced since, say, and never goes again): then nothing is kept.
            let keep = report.before.saturating_sub(self.unanswered.saturating_sub(confirms));
            return Lineage::HqForgot {
                keep_through: if self.doubted { 0 } else { keep },
            };
        }
        if report.after > self.seen_or_sent() {
            return Lineage::ThisIsACopy;
        }
        Lineage::Same
    }

    /// Whether there is a doubt about HQ's memory after this answer; only the answer to a hello, with nothing of its own to add, ends one.
    #[must_use]
    pub const fn doubted_after(&self, lineage: Lineage, answers_hello: bool) -> bool {
        match lineage {
            Lineage::HqForgot { .. } => true,
            Lineage::Same => self.doubted && !answers_hello,
            Lineage::ThisIsACopy => self.doubted,
        }
    }

    const fn seen_or_sent(&self) -> u64 {
        self.floor() + self.unanswered
    }
}
