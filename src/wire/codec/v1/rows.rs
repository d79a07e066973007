//! Rows of sales as columns.
//!
//! In the numbers, in this order; [columns](super::column) have one number for each row unless said otherwise, differences are to the row before (to zero for the
//! first), modulo 2^64:
//!
//! | field | what |
//! | --- | --- |
//! | runs | [ids and revisions](super::runs); how many rows there are |
//! | date | column: differences of the date, in seconds since 1970 |
//! | product | column: zero for the first row of a product, which is the next of the list of products; else the product's place in the list, from 1 |
//! | region | column: the region's place in the list of regions, from 0 |
//! | qty | column: the quantity less 1 |
//! | first costs | column, one number for each product: its cost in its first row |
//! | costs | column, one number for each other row: its cost less that in the product's row before |
//! | tax rate | `u`: ten-thousandths of a percent |
//! | tax | column: the tax less the amount times the rate, rounded half up to two decimals and at most 999,999,999.9999 |
//! | created as | `u`: 0 = differences of the creation; 1 = differences of the creation less the row's date, read as UTC; 2 = the creation less that date |
//! | created | column: that |
//! | updated | column: the update less the creation |
//! | voids | list of how many rows that are not void are before each void (`u`) |
//! | voided | column, one number for each void: the deletion less the update |
//! | numbered | 0 = no product of these rows has a number; 1, and the following |
//! | held | column, one number for each product: 0 = its name is in the texts, 1 = HQ holds it |
//! | numbers | column, one number for each product that HQ holds: the one under which it does |
//! | told | column, one number for each other product: 0 = it has no number; else its number less that of the one before that has one |
//! | fingerprint | 0 = no name is held; 1, and the first four bytes of the [fingerprint](crate::protocol::dictionary::fingerprint) of those that are |
//!
//! Columns that are written in bits have theirs in the section of bits, in this order. Where products have numbers, no two have the same name or the same number. HQ
//! holds the name of one that is told under its number from then on.
//!
//! In the texts: products whose names are not held, regions, each 0 and one text, in which every product ends in a line feed; or, where one has a line feed in it,
//! 1, the list of their lengths in bytes (`u`), and one text.

use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::super::capped::Capped;
use super::super::{EncodeError, Flaw, MAX_PRODUCT_BYTES, MAX_REGION_BYTES, MAX_ROWS};
use super::column::{Column, Plan, gaps, marked};
use super::products::{NamesUnder, Numbered, Products};
use super::runs::Runs;
use super::tax::TaxGuess;
use super::texts::{Distinct, Texts};
use crate::domain::ids::{LedgerId, Run};
use crate::domain::money::Money;
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::time::{FIRST_YEAR, LAST_YEAR, UtcMillis};
use crate::protocol::dictionary::Product;

/// The numbers of some rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct RowNumbers {
    runs: Runs,
    date: Column,
    product: Column,
    region: Column,
    qty: Column,
    first_costs: Column,
    costs: Column,
    tax_rate: u32,
    tax: Column,
    created_as: CreatedAs,
    created: Column,
    updated: Column,
    voids: Capped<u32, MAX_ROWS>,
    voided: Column,
    numbered: Option<Numbered>,
}

/// How the creation of rows is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum CreatedAs {
    /// From row to row.
    Steps,
    /// How long after the date, from row to row.
    StepsSinceDate,
    /// How long after the date.
    SinceDate,
}

/// The texts of some rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct RowTexts<'a> {
    #[serde(borrow)]
    products: Texts<'a>,
    #[serde(borrow)]
    regions: Texts<'a>,
}

/// Rows as they travel.
pub(super) struct Packed {
    pub(super) numbers: RowNumbers,
    pub(super) texts: RowTexts<'static>,
    pub(super) bits: Vec<u8>,
}

/// Turns rows of one ledger, at most [`MAX_ROWS`], into columns.
pub(super) fn pack(sales: &[Sale], products: &[Product]) -> Result<Packed, EncodeError> {
    let mut regions = Distinct::default();
    let region: Vec<_> = sales
        .iter()
        .map(|sale| place(regions.number(&sale.content.region)))
        .collect();
    let goods = Goods::of(sales);
    let guess = TaxGuess::of(sales.iter().map(|sale| &sale.content));
    let tax = |c: &SaleContent| c.tax.units() - guess.tax(c.qty, c.cost);
    let voided: Vec<_> = sales
        .iter()
        .filter_map(|sale| Some(sale.deleted_at?.0.wrapping_sub(sale.updated_at.0)))
        .collect();
    let (created_as, created) = plan_created(sales);
    let products = Products::of(&goods.products.texts, products);
    let mut bits = Vec::new();
    let mut column = |numbers| Plan::of(numbers).pack(&mut bits);
    let numbers = RowNumbers {
        runs: Runs::pack(&Run::group(sales.iter().map(|sale| (sale.id, sale.revision)))),
        date: column(differences(sales.iter().map(wall_seconds))),
        product: column(goods.product),
        region: column(region),
        qty: column(of_each(sales, |sale| i64::from(sale.content.qty) - 1)),
        first_costs: column(goods.first_costs),
        costs: column(goods.costs),
        tax_rate: guess.0,
        tax: column(of_each(sales, |sale| tax(&sale.content))),
        created_as,
        created: created.pack(&mut bits),
        updated: Plan::of(of_each(sales, |sale| sale.updated_at.0.wrapping_sub(sale.created_at.0))).pack(&mut bits),
        voids: Capped(gaps(sales.iter().map(Sale::is_void))),
        voided: Plan::of(voided).pack(&mut bits),
        numbered: products.pack(&mut bits),
    };
    let texts = RowTexts {
        products: Texts::pack(&products.texts, MAX_PRODUCT_BYTES)?,
        regions: Texts::pack(&regions.texts, MAX_REGION_BYTES)?,
    };
    Ok(Packed { numbers, texts, bits })
}

impl RowNumbers {
    /// The rows, of this ledger, and the numbers of their products. Takes all of `bits`. `names` tells the names that the rows lean on.
    pub(super) fn unpack(
        self,
        texts: &RowTexts<'_>,
        mut bits: &[u8],
        ledger: LedgerId,
        names: &mut NamesUnder<'_>,
    ) -> Result<(Vec<Sale>, Vec<Product>), Flaw> {
        let bits = &mut bits;
        let runs = self.runs.unpack()?;
        let rows = runs.iter().map(|run| run.count as usize).sum();
        if rows == 0 {
            return Err(Flaw::Rows);
        }
        let dates = unpack_dates(self.date.unpack(rows, bits)?)?;
        let product = self.product.unpack(rows, bits)?;
        let firsts = product.iter().filter(|place| **place == 0).count();
        let region = self.region.unpack(rows, bits)?;
        let qty = self.qty.unpack(rows, bits)?;
        let goods = unpack_goods(product, firsts, self.first_costs, self.costs, bits)?;
        let tax = self.tax.unpack(rows, bits)?;
        let created = unpack_created(self.created.unpack(rows, bits)?, self.created_as, &dates);
        let updated = self.updated.unpack(rows, bits)?;
        let voids = marked(self.voids.0, rows)?;
        let voided = self.voided.unpack(voids.len(), bits)?;
        let told = texts.products.unpack(MAX_PRODUCT_BYTES)?;
        let products = Products::unpack(self.numbered, firsts, told, bits)?;
        if !bits.is_empty() {
            return Err(Flaw::Trailing);
        }
        let leant_on = products.look_up(names)?;
        let contents = Contents {
            products: products.names(leant_on)?,
            goods,
            regions: texts
                .regions
                .unpack(MAX_REGION_BYTES)?
                .into_iter()
                .map(Arc::from)
                .collect(),
            region,
            qty,
            guess: TaxGuess(self.tax_rate),
            tax,
        };
        let mut sales = Vec::with_capacity(rows);
        for run in runs {
            for id in run.ids() {
                let at = sales.len();
                sales.push(Sale {
                    id,
                    ledger,
                    revision: run.revision,
                    content: contents.row(at, dates[at])?,
                    created_at: UtcMillis(created[at]),
                    updated_at: UtcMillis(created[at].wrapping_add(updated[at])),
                    deleted_at: None,
                });
            }
        }
        for (at, after) in voids.iter().zip(voided) {
            let sale = &mut sales[*at];
            sale.deleted_at = Some(UtcMillis(sale.updated_at.0.wrapping_add(after)));
        }
        let products = products.list(&contents.products)?;
        Ok((sales, products))
    }
}

/// The columns of what was sold, each with one number for each row.
struct Contents {
    products: Vec<Arc<str>>,
    goods: Vec<(i64, Money)>,
    regions: Vec<Arc<str>>,
    region: Vec<i64>,
    qty: Vec<i64>,
    guess: TaxGuess,
    tax: Vec<i64>,
}

impl Contents {
    fn row(&self, at: usize, date: NaiveDateTime) -> Result<SaleContent, Flaw> {
        let (product, cost) = self.goods[at];
        let qty = self.qty[at]
            .checked_add(1)
            .and_then(|qty| u32::try_from(qty).ok())
            .ok_or(Flaw::Columns)?;
        Ok(SaleContent {
            date,
            product: listed(&self.products, product)?.clone(),
            region: listed(&self.regions, self.region[at])?.clone(),
            qty,
            cost,
            tax: money(self.guess.tax(qty, cost).checked_add(self.tax[at]))?,
        })
    }
}

/// What the rows have of products and costs.
struct Goods<'a> {
    products: Distinct<'a>,
    product: Vec<i64>,
    first_costs: Vec<i64>,
    costs: Vec<i64>,
}

impl<'a> Goods<'a> {
    fn of(sales: &'a [Sale]) -> Self {
        let mut goods = Self {
            products: Distinct::default(),
            product: Vec::with_capacity(sales.len()),
            first_costs: Vec::new(),
            costs: Vec::with_capacity(sales.len()),
        };
        let mut last_costs = Vec::new();
        for content in sales.iter().map(|sale| &sale.content) {
            let (at, cost) = (goods.products.number(&content.product), content.cost.units());
            if let Some(last) = last_costs.get_mut(at) {
                goods.product.push(place(at + 1));
                goods.costs.push(cost - *last);
                *last = cost;
            } else {
                goods.product.push(0);
                goods.first_costs.push(cost);
                last_costs.push(cost);
            }
        }
        goods
    }
}

/// For each row the place of its product in the list, and its cost; so many rows are the first of their product.
fn unpack_goods(
    product: Vec<i64>,
    firsts: usize,
    first_costs: Column,
    costs: Column,
    bits: &mut &[u8],
) -> Result<Vec<(i64, Money)>, Flaw> {
    let mut first_costs = first_costs.unpack(firsts, bits)?.into_iter();
    let mut later_costs = costs.unpack(product.len() - firsts, bits)?.into_iter();
    let mut seen: Vec<Money> = Vec::with_capacity(firsts);
    let mut goods = Vec::with_capacity(product.len());
    for told in product {
        let at = if told == 0 {
            seen.push(money(first_costs.next())?);
            place(seen.len() - 1)
        } else {
            let at = told.checked_sub(1).ok_or(Flaw::Columns)?;
            let last = usize::try_from(at)
                .ok()
                .and_then(|at| seen.get_mut(at))
                .ok_or(Flaw::Columns)?;
            let step = later_costs.next().ok_or(Flaw::Columns)?;
            *last = money(last.units().checked_add(step))?;
            at
        };
        goods.push((at, *listed(&seen, at)?));
    }
    Ok(goods)
}

/// Creation, told as is shortest: by the date for sales that were entered as they were made, but not for imported ones.
fn plan_created(sales: &[Sale]) -> (CreatedAs, Plan) {
    let steps = Plan::of(differences(sales.iter().map(|sale| sale.created_at.0)));
    let since_date = of_each(sales, |sale| sale.created_at.0.wrapping_sub(wall_seconds(sale) * 1_000));
    let steps_since_date = Plan::of(differences(since_date.iter().copied()));
    let ways = [
        (CreatedAs::Steps, steps),
        (CreatedAs::StepsSinceDate, steps_since_date),
        (CreatedAs::SinceDate, Plan::of_unforeseen(since_date)),
    ];
    let shortest = ways.into_iter().min_by_key(|(_, plan)| plan.bytes);
    shortest.expect("there are three ways")
}

fn unpack_created(told: Vec<i64>, told_as: CreatedAs, dates: &[NaiveDateTime]) -> Vec<i64> {
    let mut created = match told_as {
        CreatedAs::Steps => return sums(told),
        CreatedAs::StepsSinceDate => sums(told),
        CreatedAs::SinceDate => told,
    };
    for (created, date) in created.iter_mut().zip(dates) {
        *created = created.wrapping_add(date.and_utc().timestamp_millis());
    }
    created
}

fn unpack_dates(steps: Vec<i64>) -> Result<Vec<NaiveDateTime>, Flaw> {
    let date = |seconds| {
        let date = DateTime::from_timestamp(seconds, 0)?.naive_utc();
        (FIRST_YEAR..=LAST_YEAR).contains(&date.year()).then_some(date)
    };
    sums(steps)
        .into_iter()
        .map(|seconds| date(seconds).ok_or(Flaw::Date))
        .collect()
}

fn wall_seconds(sale: &Sale) -> i64 {
    sale.content.date.and_utc().timestamp()
}

fn of_each(sales: &[Sale], number: impl Fn(&Sale) -> i64) -> Vec<i64> {
    sales.iter().map(number).collect()
}

fn differences(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut last = 0;
    numbers
        .map(|number| {
            let step = number.wrapping_sub(last);
            last = number;
            step
        })
        .collect()
}

fn sums(steps: Vec<i64>) -> Vec<i64> {
    let mut last = 0_i64;
    steps
        .into_iter()
        .map(|step| {
            last = last.wrapping_add(step);
            last
        })
        .collect()
}

fn listed<T>(list: &[T], place: i64) -> Result<&T, Flaw> {
    usize::try_from(place)
        .ok()
        .and_then(|place| list.get(place))
        .ok_or(Flaw::Columns)
}

fn money(units: Option<i64>) -> Result<Money, Flaw> {
    units.and_then(|units| Money::from_units(units).ok()).ok_or(Flaw::Money)
}

fn place(at: usize) -> i64 {
    i64::try_from(at).expect("a place in a list of at most MAX_ROWS texts")
}
