//! What is sold: the real sales of `assets/sample-sales.csv`, as often as they are needed.
//!
//! Each repetition is the whole sample some weeks later, ending about now, so that dates, products, quantities and prices keep the order and the mixture of a real shop;
//! nothing else about them is changed, and nothing is chosen. Tax is 20 % of the amount.

use std::fmt::Write as _;
use std::path::Path;

use branchline::clock;
use branchline::domain::draft::{Defaults, Draft, Field};
use branchline::domain::ids::{LedgerId, Revision, SaleId};
use branchline::domain::money::TaxRate;
use branchline::domain::sale::{Sale, SaleContent};
use branchline::domain::time::{UtcMillis, wall_text};
use chrono::{Days, NaiveDate};

/// The tax in percent.
pub(crate) const TAX: &str = "20";

/// The real sales, in the order of the file.
pub(crate) struct Goods {
    sample: Vec<SaleContent>,
    today: NaiveDate,
    last_day: NaiveDate,
}

impl Goods {
    pub(crate) fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sample-sales.csv");
        let defaults = Defaults {
            region: String::new(),
            tax_rate: TaxRate::parse(TAX).expect("a good rate"),
            date: clock::local(),
        };
        let mut file = csv::Reader::from_path(path).expect("the sample is there");
        let sample: Vec<SaleContent> = file
            .records()
            .filter_map(|record| {
                let record = record.expect("the sample is a table");
                let mut draft = Draft::default();
                // Of the columns: Description, Quantity, InvoiceDate, UnitPrice, Country. What is no sale (a return, a gift) is left out.
                for (field, column) in [
                    (Field::Product, 2),
                    (Field::Qty, 3),
                    (Field::Date, 4),
                    (Field::Cost, 5),
                    (Field::Region, 7),
                ] {
                    record[column].clone_into(draft.field_mut(field));
                }
                draft.check(&defaults).ok()
            })
            .collect();
        let last_day = sample.iter().map(|sale| sale.date.date()).max();
        Self {
            last_day: last_day.expect("there are sales in the sample"),
            sample,
            today: clock::local().date(),
        }
    }

    /// The sale at this place of a backlog of `total`.
    pub(crate) fn content(&self, at: usize, total: usize) -> SaleContent {
        let repetitions = total.div_ceil(self.sample.len());
        // Four weeks apart, or closer where that would reach back further than a shop's books.
        let apart = if repetitions <= 800 { 28 } else { 7 };
        let later = (self.today - self.last_day).num_days().unsigned_abs();
        let back = (repetitions - 1 - at / self.sample.len()) as u64 * apart;
        let mut content = self.sample[at % self.sample.len()].clone();
        content.date = content.date + Days::new(later) - Days::new(back);
        content
    }

    /// The same as a sale, entered a few seconds after it was made.
    pub(crate) fn sale(&self, at: usize, total: usize, ledger: LedgerId) -> Sale {
        let content = self.content(at, total);
        let created_at = entered_at(&content, at);
        Sale {
            id: SaleId::new(i64::try_from(at).expect("a small number") + 1).expect("ids begin with 1"),
            ledger,
            revision: Revision::FIRST,
            content,
            created_at,
            updated_at: created_at,
            deleted_at: None,
        }
    }

    /// Writes the first `total` sales as a file for `branchline import`.
    pub(crate) fn write_csv(&self, path: &Path, total: usize) {
        let mut text = String::from("date,product,region,qty,cost\n");
        for at in 0..total {
            let sale = self.content(at, total);
            let _ = writeln!(
                text,
                "{},\"{}\",\"{}\",{},{}",
                wall_text(sale.date),
                sale.product.replace('"', "\"\""),
                sale.region,
                sale.qty,
                sale.cost
            );
        }
        std::fs::write(path, text).expect("there is room for the file");
    }
}

/// When a sale was entered: some seconds after its date, to the millisecond, by chance each time (`SplitMix64`): steps of a fixed length would be foreseen.
pub(crate) fn entered_at(content: &SaleContent, at: usize) -> UtcMillis {
    let mut chance = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    chance = (chance ^ (chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    chance = (chance ^ (chance >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let jitter = (chance ^ (chance >> 31)) >> 50;
    UtcMillis(content.date.and_utc().timestamp_millis() + i64::try_from(jitter).expect("fourteen bits"))
}
