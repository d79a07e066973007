//! Names that were read, in memory: those of the ledgers that were last asked about, as many as a budget has room for. What is read, and when, is decided outside.
//!
//! The branches of one firm sell much the same goods, so a name is here once, whoever has told it, and a ledger has only its place: a thousand ledgers of
//! the same 600 names weigh 2.7 MB.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;

use lru::LruCache;
use slab::Slab;

use crate::domain::ids::{BranchCode, LedgerId};
use crate::protocol::dictionary::ProductNo;

/// So many bytes of names are kept. One ledger may have more: it is what the batch in hand needs.
const BUDGET: usize = 8 << 20;
/// About what a ledger takes beside the places of its names.
const LEDGER_BYTES: usize = 256;
/// About what a name takes beside its text.
const NAME_BYTES: usize = 96;

/// Whose names they are.
pub(super) type LedgerKey = (BranchCode, LedgerId);

/// The names of ledgers, within a budget; who was asked about the longest time ago goes first.
#[derive(Debug)]
pub(in super::super) struct NameCache {
    ledgers: LruCache<LedgerKey, LedgerNames>,
    shared: SharedNames,
    /// What the ledgers weigh, without the names that they share.
    ledger_bytes: usize,
    budget: usize,
}

/// The names of one ledger's products.
#[derive(Debug, Default)]
struct LedgerNames {
    /// The last row of the table that was read.
    read_to: i64,
    /// By number, from zero on.
    places: Vec<Option<Place>>,
}

impl Default for NameCache {
    fn default() -> Self {
        Self::within(BUDGET)
    }
}

impl NameCache {
    fn within(budget: usize) -> Self {
        Self {
            ledgers: LruCache::unbounded(),
            shared: SharedNames::default(),
            ledger_bytes: 0,
            budget,
        }
    }

    /// The names under these numbers, in their order; `None` if not all of them are here.
    pub(super) fn all(&mut self, key: &LedgerKey, numbers: &[ProductNo]) -> Option<Vec<Arc<str>>> {
        let (ledger, shared) = (self.ledgers.get(key)?, &self.shared);
        let name = |no: &ProductNo| Some(Arc::clone(shared.name(ledger.place(*no)?)));
        numbers.iter().map(name).collect()
    }

    /// Whether there is a name under this number.
    pub(super) fn has(&self, key: &LedgerKey, no: ProductNo) -> bool {
        self.ledgers.peek(key).is_some_and(|ledger| ledger.place(no).is_some())
    }

    /// All names of a ledger, by number.
    pub(super) fn numbered(&mut self, key: &LedgerKey) -> impl Iterator<Item = (ProductNo, &str)> + Clone {
        let (ledger, shared) = (self.ledgers.get(key), &self.shared);
        let places = ledger.map_or(&[][..], |ledger| &ledger.places[..]);
        let named = (0..=ProductNo::MAX).zip(places);
        named.filter_map(|(no, place)| Some((no, &**shared.name((*place)?))))
    }

    /// The last row of the table that was read of a ledger.
    pub(super) fn read_to(&self, key: &LedgerKey) -> i64 {
        self.ledgers.peek(key).map_or(0, |ledger| ledger.read_to)
    }

    /// Adds the names of a row of the table. One that is here under its number stays.
    pub(super) fn add(&mut self, key: &LedgerKey, row: i64, names: &[(ProductNo, &str)]) {
        let before = self.ledgers.peek(key).map_or(0, LedgerNames::bytes);
        let ledger = self.ledgers.get_or_insert_mut(key.clone(), LedgerNames::default);
        ledger.read_to = row;
        ledger.reach(names.iter().map(|(no, _)| *no).max().unwrap_or(0));
        for (no, name) in names {
            ledger.places[usize::from(*no)].get_or_insert_with(|| self.shared.take(name));
        }
        self.ledger_bytes = self.ledger_bytes - before + ledger.bytes();
        self.make_room();
    }

    /// Forgets everything.
    pub(in super::super) fn clear(&mut self) {
        *self = Self::within(self.budget);
    }

    fn make_room(&mut self) {
        while self.bytes() > self.budget && self.ledgers.len() > 1 {
            let (_, gone) = self.ledgers.pop_lru().expect("there are two ledgers or more");
            self.ledger_bytes -= gone.bytes();
            for place in gone.places.into_iter().flatten() {
                self.shared.give_back(place);
            }
        }
    }

    /// About how much memory all of this takes.
    pub(in super::super) const fn bytes(&self) -> usize {
        self.ledger_bytes + self.shared.bytes
    }
}

impl LedgerNames {
    fn place(&self, no: ProductNo) -> Option<Place> {
        self.places.get(usize::from(no)).copied().flatten()
    }

    /// Makes a place for this number.
    fn reach(&mut self, no: ProductNo) {
        let length = usize::from(no) + 1;
        if self.places.len() < length {
            self.places.reserve_exact(length - self.places.len());
            self.places.resize(length, None);
        }
    }

    const fn bytes(&self) -> usize {
        LEDGER_BYTES + self.places.capacity() * size_of::<Option<Place>>()
    }
}

/// Names, each once.
#[derive(Debug, Default)]
struct SharedNames {
    places: HashMap<Arc<str>, Place>,
    /// By place, with how many times ledgers have it.
    names: Slab<(Arc<str>, usize)>,
    bytes: usize,
}

/// Where a name is among the shared ones, counted from 1, so that none takes no room.
#[derive(Debug, Clone, Copy)]
struct Place(NonZero<u32>);

impl Place {
    fn of(at: usize) -> Self {
        let place = u32::try_from(at + 1).ok().and_then(NonZero::new);
        Self(place.expect("four billion names are over any budget"))
    }

    const fn at(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl SharedNames {
    fn name(&self, place: Place) -> &Arc<str> {
        &self.names[place.at()].0
    }

    /// The place of a name that some ledger has once more.
    fn take(&mut self, name: &str) -> Place {
        if let Some(place) = self.places.get(name) {
            self.names[place.at()].1 += 1;
            return *place;
        }
        let name = Arc::<str>::from(name);
        let place = Place::of(self.names.insert((Arc::clone(&name), 1)));
        self.bytes += NAME_BYTES + name.len();
        self.places.insert(name, place);
        place
    }

    /// Some ledger that had this name is gone.
    fn give_back(&mut self, place: Place) {
        let (_, times) = &mut self.names[place.at()];
        *times -= 1;
        if *times == 0 {
            let (name, _) = self.names.remove(place.at());
            self.bytes -= NAME_BYTES + name.len();
            self.places.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ledger: u128) -> LedgerKey {
        (BranchCode::parse("TUNIS-01").unwrap(), LedgerId::from_random(ledger))
    }

    /// So many names, from number 1 on.
    fn names(kind: &str, count: ProductNo) -> Vec<String> {
        (1..=count).map(|no| format!("{kind} LANTERN {no}")).collect()
    }

    fn add(cache: &mut NameCache, key: &LedgerKey, names: &[String]) {
        let numbered: Vec<_> = (1..).zip(names.iter().map(String::as_str)).collect();
        cache.add(key, 1, &numbered);
    }

    #[test]
    fn a_thousand_ledgers_of_the_same_goods_are_all_kept() {
        let mut cache = NameCache::default();
        let goods = names("WHITE METAL", 600);
        for ledger in 0..1_000 {
            add(&mut cache, &key(ledger), &goods);
        }
        assert_eq!((cache.ledgers.len(), cache.shared.names.len()), (1_000, 600));
        assert!(cache.bytes() < 2_800_000, "{} bytes", cache.bytes());
        let (one, other) = (cache.all(&key(0), &[7]), cache.all(&key(999), &[7]));
        assert!(Arc::ptr_eq(&one.unwrap()[0], &other.unwrap()[0]));
    }

    #[test]
    fn above_the_budget_the_ledger_that_was_last_asked_about_the_longest_ago_goes() {
        let mut cache = NameCache::within(3 * (LEDGER_BYTES + 11 * (4 + NAME_BYTES + 20)));
        for ledger in 1..=3 {
            add(&mut cache, &key(ledger), &names(&ledger.to_string(), 10));
        }
        assert!(cache.all(&key(1), &[1]).is_some());
        add(&mut cache, &key(4), &names("4", 10));
        let kept = [1, 2, 3, 4].map(|ledger| cache.has(&key(ledger), 1));
        assert_eq!(kept, [true, false, true, true]);
        assert_eq!(cache.read_to(&key(2)), 0, "so that it is read from the beginning");
        assert_eq!(cache.shared.names.len(), 30, "nobody has the others");
    }

    #[test]
    fn ledgers_that_grow_stay_within_the_budget_together() {
        let mut cache = NameCache::within(100_000);
        for ledger in 0..1_000 {
            add(&mut cache, &key(ledger), &[]);
        }
        assert!(cache.ledgers.len() < 500, "an empty ledger has its weight");
        for ledger in (0..1_000).rev() {
            add(&mut cache, &key(ledger), &names(&ledger.to_string(), 50));
            assert!(cache.bytes() <= 100_000, "and so has one that was here before");
        }
        assert!(cache.ledgers.len() > 1);
    }

    #[test]
    fn one_ledger_may_be_over_the_budget_and_leaves_nothing_behind() {
        let mut cache = NameCache::within(1_000);
        add(&mut cache, &key(1), &names("A", 500));
        assert_eq!(cache.all(&key(1), &[1, 500]).unwrap().len(), 2);
        add(&mut cache, &key(2), &[]);
        assert!(!cache.has(&key(1), 1));
        assert_eq!((cache.bytes(), cache.shared.places.len()), (LEDGER_BYTES + 4, 0));
    }

    #[test]
    fn names_come_by_number_and_the_first_one_stays() {
        let mut cache = NameCache::default();
        cache.add(&key(1), 1, &[(9, "PENS"), (4, "CUPS")]);
        cache.add(&key(1), 2, &[(4, "MUGS"), (6, "MUGS")]);
        let all: Vec<_> = cache.numbered(&key(1)).collect();
        assert_eq!(all, [(4, "CUPS"), (6, "MUGS"), (9, "PENS")]);
        assert_eq!(cache.numbered(&key(2)).count(), 0);
        assert_eq!(cache.all(&key(1), &[4, 5]), None);
        assert_eq!(cache.read_to(&key(1)), 2);
    }
}
