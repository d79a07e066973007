//! A counter at which somebody sells, edits and voids all day, as its seed decides, on a connection of its own.

use branchline::clock;
use branchline::domain::ids::SaleId;
use branchline::domain::money::Money;
use branchline::domain::sale::SaleContent;
use branchline::store::branch::BranchDb;

use super::luck::Luck;
use super::place::Place;

const PRODUCTS: [&str; 6] = [
    "PENS",
    "PAPER",
    "WHITE METAL LANTERN",
    "CRÈME BRÛLÉE",
    "日本茶",
    "O'NEILL \"X\", 2\"",
];
const REGIONS: [&str; 3] = ["East", "Tunis", "Île-de-France"];

/// What was done at a till.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) sales: u64,
    pub(crate) edits: u64,
    pub(crate) voids: u64,
}

/// A till.
pub(crate) struct Till {
    db: BranchDb,
    luck: Luck,
    pub(crate) done: Done,
}

impl Till {
    pub(crate) fn open(place: &Place, name: &str, seed: u64) -> Self {
        Self {
            db: place.branch(name),
            luck: Luck::new(seed),
            done: Done::default(),
        }
    }

    /// Enters a sale, or now and then edits or voids an earlier one.
    pub(crate) fn work(&mut self) {
        let highest = self.db.status().unwrap().highest_id;
        match self.luck.below(10) {
            0 | 1 if highest > 0 => self.change(highest, false),
            2 if highest > 0 => self.change(highest, true),
            _ => self.sell(),
        }
    }

    /// Enters a sale.
    pub(crate) fn sell(&mut self) {
        let content = self.content();
        self.db
            .save_sale(&content, None, clock::wall())
            .expect("a sale can be saved at any time");
        self.done.sales += 1;
    }

    fn change(&mut self, highest: i64, void: bool) {
        let id = i64::try_from(self.luck.below(highest.unsigned_abs())).unwrap() + 1;
        let id = SaleId::new(id).unwrap();
        let sale = self.db.sale(id).unwrap().expect("ids have no gaps").sale;
        if sale.is_void() {
            return;
        }
        if void {
            self.db
                .void_sale(id, sale.revision, clock::wall())
                .expect("nobody else changes it");
            self.done.voids += 1;
        } else {
            let content = self.content();
            self.db
                .save_edit(id, sale.revision, &content, None, clock::wall())
                .expect("nobody else changes it");
            self.done.edits += 1;
        }
    }

    fn content(&self) -> SaleContent {
        let money = |below| Money::from_units(i64::try_from(self.luck.below(below)).unwrap()).unwrap();
        SaleContent {
            date: clock::local(),
            product: (*self.luck.pick(&PRODUCTS)).into(),
            region: (*self.luck.pick(&REGIONS)).into(),
            qty: u32::try_from(self.luck.below(200) + 1).unwrap(),
            cost: money(1_000_000),
            tax: money(1_000_000),
        }
    }
}
