//! Product names that travel once: a branch's database numbers its products, HQ keeps the names that it was told with their numbers, and from then on the number
//! is enough.
//!
//! A batch leans on what HQ holds only if HQ has said so in this session. The answer to a hello lists the numbers that HQ holds for the ledger ([`Holding`]), with a
//! [`fingerprint`] of their names; if that is the fingerprint of the branch's own names under these numbers, the branch may lean on them. The receipt of a batch says the same
//! of the names that the batch told.
//!
//! Numbers alone would be dangerous: two copies of one database number what they sell next alike. So every batch that leans has the fingerprint of the names it
//! leans on, and HQ takes it only if the names that it holds have that same one. Else, as when HQ was restored meanwhile, it answers
//! [`Outcome::UnknownProducts`], and the branch tells all names until HQ's next answer.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::message::{Answer, Batch, Outcome, Receipt};
use crate::domain::ids::{BatchId, LedgerId};
use crate::domain::sale::is_clean;

/// The number of a product in its branch's database. Products beyond the last number are told each time.
pub type ProductNo = u16;

/// A product of a batch's rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Product {
    /// Its number.
    pub no: ProductNo,
    /// Its name, as the rows have it.
    pub name: Arc<str>,
    /// Whether the name travels with the batch; else HQ holds it under the number.
    pub told: bool,
}

/// Numbers that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first number.
    pub first: ProductNo,
    /// The last one, not below the first.
    pub last: ProductNo,
}

impl Span {
    /// The fewest spans for numbers in rising order.
    #[must_use]
    pub fn group(numbers: impl IntoIterator<Item = ProductNo>) -> Vec<Self> {
        let mut spans: Vec<Self> = Vec::new();
        for no in numbers {
            match spans.last_mut() {
                Some(span) if span.last.checked_add(1) == Some(no) => span.last = no,
                _ => spans.push(Self { first: no, last: no }),
            }
        }
        spans
    }
}

/// The most spans of a [`Holding`]; what HQ holds beyond them is told again.
pub const MAX_SPANS: usize = 64;

/// Which names of one ledger's products HQ holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Holding {
    /// Their numbers, in rising order; at most [`MAX_SPANS`].
    pub spans: Vec<Span>,
    /// The [`fingerprint`] of these names.
    pub fingerprint: Fingerprint,
}

impl Holding {
    /// Describes names by number, in rising order.
    #[must_use]
    pub fn of<'a>(names: impl Iterator<Item = (ProductNo, &'a str)> + Clone) -> Self {
        let mut spans = Span::group(names.clone().map(|(no, _)| no));
        spans.truncate(MAX_SPANS);
        let last = spans.last().map_or(0, |span| span.last);
        Self {
            fingerprint: fingerprint(names.take_while(|(no, _)| *no <= last)),
            spans,
        }
    }
}

/// A hash over names and their numbers.
pub type Fingerprint = [u8; 8];

/// The first bytes of the hash over names and their numbers, in this order: a [`Fingerprint`], or fewer.
#[must_use]
pub fn fingerprint<'a, const BYTES: usize>(names: impl Iterator<Item = (ProductNo, &'a str)>) -> [u8; BYTES] {
    let mut hasher = blake3::Hasher::new();
    for (no, name) in names {
        hasher.update(&no.to_be_bytes()).update(name.as_bytes()).update(b"\n");
    }
    let mut fingerprint = [0; BYTES];
    hasher.finalize_xof().fill(&mut fingerprint);
    fingerprint
}

/// Whether HQ holds a name that it is told: both sides must judge alike.
#[must_use]
pub fn is_kept(name: &str) -> bool {
    !name.is_empty() && is_clean(name)
}

/// What a branch's worker knows of the names that HQ holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Lexicon {
    /// The numbers that HQ holds, of each ledger that it has answered about in this session.
    held: BTreeMap<LedgerId, BTreeSet<ProductNo>>,
    /// The numbers that batches have told and no receipt has come for, with their ledger.
    told: BTreeMap<BatchId, (LedgerId, Vec<ProductNo>)>,
}

impl Lexicon {
    /// A session begins: HQ has not said anything in it.
    pub fn begin(&mut self) {
        self.held.clear();
    }

    /// Has a batch lean on what HQ holds. A name that another batch tells at this very time goes without its number: that would be told twice.
    pub fn lean(&mut self, batch: &mut Batch) {
        let held = self.held.get(&batch.ledger);
        let is_held = |product: &Product| held.is_some_and(|held| held.contains(&product.no));
        let others = self.told.values().filter(|(ledger, _)| *ledger == batch.ledger);
        let underway: HashSet<ProductNo> = others.flat_map(|(_, told)| told).copied().collect();
        batch
            .products
            .retain(|product| is_held(product) || (!underway.contains(&product.no) && is_kept(&product.name)));
        for product in &mut batch.products {
            product.told = !is_held(product);
        }
        let told = batch.products.iter().filter(|product| product.told);
        let told: Vec<_> = told.map(|product| product.no).collect();
        if !told.is_empty() {
            self.told.insert(batch.id, (batch.ledger, told));
        }
    }

    /// Takes in an answer; `names` is the fingerprint that this branch's names have under the numbers that HQ lists.
    pub fn answered(&mut self, answer: &Answer, names: Fingerprint) {
        if answer.holding.fingerprint == names {
            let numbers = answer.holding.spans.iter().flat_map(|span| span.first..=span.last);
            self.held.insert(answer.ledger, numbers.collect());
        } else {
            self.held.remove(&answer.ledger);
        }
    }

    /// Takes in a receipt.
    pub fn settled(&mut self, receipt: &Receipt) {
        let told = self.told.remove(&receipt.batch);
        match receipt.outcome {
            Outcome::Taken(_) => {
                if let Some((ledger, told)) = told
                    && let Some(held) = self.held.get_mut(&ledger)
                {
                    held.extend(told);
                }
            }
            Outcome::UnknownProducts => self.held.clear(),
            Outcome::Unreadable | Outcome::TooNew => {}
        }
    }

    /// A batch is given up: if its receipt comes all the same, its names are told again.
    pub fn gave_up(&mut self, batch: BatchId) {
        self.told.remove(&batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BranchCode, Nonce, StoreId};
    use crate::protocol::lineage::Mark;
    use crate::protocol::message::{HqStamp, Taken};

    const LEDGER: LedgerId = LedgerId::from_random(1);
    const NAMES: [(ProductNo, &str); 4] = [(1, "PENS"), (2, "LANTERN"), (3, "CUPS"), (7, "MUGS")];

    fn batch(id: u128, names: &[(ProductNo, &str)]) -> Batch {
        let product = |(no, name): &(ProductNo, &str)| Product {
            no: *no,
            name: (*name).into(),
            told: true,
        };
        Batch {
            branch: BranchCode::parse("TUNIS-01").unwrap(),
            ledger: LEDGER,
            id: BatchId::from_random(id),
            sales: Vec::new(),
            products: names.iter().map(product).collect(),
        }
    }

    /// What HQ answers that holds these names.
    fn answer(names: &[(ProductNo, &str)]) -> Answer {
        Answer {
            hq: HqStamp::of(StoreId::from_random(1), vec![1]),
            ledger: LEDGER,
            nonce: Nonce::from_random(1),
            mark: Mark::default(),
            asked: Vec::new(),
            remembers: true,
            holding: Holding::of(names.iter().copied()),
        }
    }

    fn receipt(id: u128, outcome: Outcome) -> Receipt {
        Receipt {
            hq: HqStamp::of(StoreId::from_random(1), vec![1]),
            batch: BatchId::from_random(id),
            mark: Mark::default(),
            newly_applied: 0,
            outcome,
        }
    }

    fn taken(id: u128) -> Receipt {
        receipt(id, Outcome::Taken(Taken::default()))
    }

    impl Lexicon {
        /// A lexicon that has heard HQ hold these names, which are the branch's too.
        fn heard(names: &[(ProductNo, &str)]) -> Self {
            let mut lexicon = Self::default();
            lexicon.answered(&answer(names), fingerprint(names.iter().copied()));
            lexicon
        }

        /// The numbers of a batch of all names: those that it tells, and those that it leans on.
        fn sends(&mut self, id: u128) -> [Vec<ProductNo>; 2] {
            let mut batch = batch(id, &NAMES);
            self.lean(&mut batch);
            [true, false].map(|told| {
                let products = batch.products.iter().filter(|product| product.told == told);
                products.map(|product| product.no).collect()
            })
        }
    }

    #[test]
    fn names_are_told_until_hq_says_in_this_session_that_it_holds_them() {
        let mut lexicon = Lexicon::default();
        assert_eq!(lexicon.sends(1), [vec![1, 2, 3, 7], vec![]]);
        let mut lexicon = Lexicon::heard(&NAMES[..2]);
        assert_eq!(lexicon.sends(1), [vec![3, 7], vec![1, 2]]);
        lexicon.settled(&taken(1));
        assert_eq!(lexicon.sends(2), [vec![], vec![1, 2, 3, 7]]);
        lexicon.begin();
        assert_eq!(lexicon.sends(3), [vec![1, 2, 3, 7], vec![]]);
    }

    #[test]
    fn a_number_that_is_being_told_is_neither_told_twice_nor_leant_on() {
        let mut lexicon = Lexicon::heard(&NAMES[..2]);
        let _ = lexicon.sends(1);
        assert_eq!(lexicon.sends(2), [vec![], vec![1, 2]], "no receipt has come yet");
        lexicon.gave_up(BatchId::from_random(1));
        assert_eq!(lexicon.sends(3), [vec![3, 7], vec![1, 2]]);
    }

    #[test]
    fn a_receipt_says_nothing_of_names_before_the_session_s_answer() {
        let mut lexicon = Lexicon::default();
        let _ = lexicon.sends(1);
        lexicon.settled(&taken(1));
        assert_eq!(lexicon.sends(2), [vec![1, 2, 3, 7], vec![]]);
    }

    #[test]
    fn who_holds_other_names_under_the_numbers_is_leant_on_in_nothing() {
        let mut lexicon = Lexicon::heard(&NAMES);
        let other = [(1, "PENS"), (2, "LAMP")];
        lexicon.answered(&answer(&other), fingerprint(NAMES[..2].iter().copied()));
        assert_eq!(lexicon.sends(1), [vec![1, 2, 3, 7], vec![]]);
        lexicon.settled(&taken(1));
        assert_eq!(lexicon.sends(2), [vec![1, 2, 3, 7], vec![]]);
    }

    #[test]
    fn an_hq_that_does_not_know_a_name_is_told_all_until_its_next_answer() {
        let mut lexicon = Lexicon::heard(&NAMES);
        assert_eq!(lexicon.sends(1), [vec![], vec![1, 2, 3, 7]]);
        lexicon.settled(&receipt(1, Outcome::UnknownProducts));
        assert_eq!(lexicon.sends(2), [vec![1, 2, 3, 7], vec![]]);
        lexicon.settled(&taken(2));
        assert_eq!(lexicon.sends(3), [vec![1, 2, 3, 7], vec![]]);
        lexicon.settled(&taken(3));
        lexicon.answered(&answer(&NAMES[..1]), fingerprint(NAMES[..1].iter().copied()));
        assert_eq!(lexicon.sends(4), [vec![2, 3, 7], vec![1]]);
    }

    #[test]
    fn what_was_given_up_or_not_read_has_told_nothing() {
        let mut lexicon = Lexicon::heard(&[]);
        let _ = lexicon.sends(1);
        lexicon.gave_up(BatchId::from_random(1));
        lexicon.settled(&taken(1));
        assert_eq!(lexicon.sends(2), [vec![1, 2, 3, 7], vec![]]);
        lexicon.settled(&receipt(2, Outcome::Unreadable));
        assert_eq!(lexicon.sends(3), [vec![1, 2, 3, 7], vec![]]);
    }

    #[test]
    fn what_hq_would_not_keep_has_no_number() {
        let mut lexicon = Lexicon::heard(&[]);
        let mut batch = batch(1, &[(1, "PENS"), (2, "TWO\nLINES"), (3, ""), (4, " CUPS")]);
        lexicon.lean(&mut batch);
        assert_eq!(batch.products.iter().map(|product| product.no).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_holding_lists_its_spans_and_nothing_beyond_what_an_answer_has_room_for() {
        let holding = Holding::of(NAMES.iter().copied());
        assert_eq!(holding.spans, [Span { first: 1, last: 3 }, Span { first: 7, last: 7 }]);
        let scattered: Vec<(ProductNo, &str)> = (1..=200).map(|no| (2 * no, "PENS")).collect();
        let holding = Holding::of(scattered.iter().copied());
        assert_eq!(holding.spans.len(), MAX_SPANS);
        assert_eq!(holding.fingerprint, fingerprint(scattered[..MAX_SPANS].iter().copied()));
        assert_eq!(Span::group([u16::MAX - 1, u16::MAX]).len(), 1);
    }
}
