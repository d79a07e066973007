//! The tax that a row probably has: its amount times the rate at which most rows of its batch were taxed.

use crate::domain::money::Money;
use crate::domain::sale::SaleContent;

/// A rate in ten-thousandths of a percent: 20 % is 200,000. What it makes of an amount is part of the format and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaxGuess(pub(super) u32);

/// How many rows a rate is judged by.
const SAMPLE: usize = 64;
/// How many of these rates are read from: those with the largest amounts, where rounding hides least.
const WITNESSES: usize = 8;
/// Rates are mostly round: to a whole percent, an eighth, a tenth, or to finer parts. Of rates that explain as much the roundest is taken.
const ROUNDINGS: [i128; 5] = [10_000, 1_250, 1_000, 100, 10];
/// 100 %.
const MAX_RATE: i128 = 1_000_000;

impl TaxGuess {
    /// The rate that explains most taxes of a sample of the rows.
    pub(super) fn of<'a>(rows: impl ExactSizeIterator<Item = &'a SaleContent>) -> Self {
        let step = rows.len().div_ceil(SAMPLE).max(1);
        let mut sample: Vec<_> = rows.step_by(step).collect();
        sample.sort_unstable_by_key(|row| std::cmp::Reverse(amount(row.qty, row.cost)));
        let mut rates: Vec<_> = sample
            .iter()
            .take(WITNESSES)
            .flat_map(|row| possible_rates(row))
            .collect();
        rates.sort_unstable();
        rates.dedup();
        let explained = |guess: Self| {
            let explains = |row: &&&SaleContent| guess.tax(row.qty, row.cost) == row.tax.units();
            sample.iter().filter(explains).count()
        };
        let best = rates
            .into_iter()
            .max_by_key(|(rate, roundness)| (explained(Self(*rate)), *roundness));
        Self(best.map_or(0, |(rate, _)| rate))
    }

    /// The tax on a row in ten-thousandths, rounded half up to hundredths of one; at most [`Money::MAX`].
    pub(super) fn tax(self, qty: u32, cost: Money) -> i64 {
        let exact = amount(qty, cost) * i128::from(self.0);
        let tax = (exact + 50_000_000) / 100_000_000 * 100;
        i64::try_from(tax).map_or(Money::MAX.units(), |tax| tax.min(Money::MAX.units()))
    }
}

/// The round rates near the one at which a row was taxed, each with what it is rounded to.
fn possible_rates(row: &SaleContent) -> Vec<(u32, i128)> {
    let amount = amount(row.qty, row.cost);
    if amount == 0 {
        return Vec::new();
    }
    let exact = i128::from(row.tax.units()) * MAX_RATE;
    let rounded = |to: &i128| {
        let rate = (exact + amount * to / 2) / (amount * to) * to;
        u32::try_from(rate.min(MAX_RATE)).ok().map(|rate| (rate, *to))
    };
    ROUNDINGS.iter().filter_map(rounded).collect()
}

fn amount(qty: u32, cost: Money) -> i128 {
    i128::from(qty) * i128::from(cost.units())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_wall;

    fn row(qty: u32, cost: i64, tax: i64) -> SaleContent {
        SaleContent {
            date: parse_wall("2026-11-22").unwrap(),
            product: "".into(),
            region: "".into(),
            qty,
            cost: Money::from_units(cost).unwrap(),
            tax: Money::from_units(tax).unwrap(),
        }
    }

    #[test]
    fn the_common_rate_is_found_among_exceptions() {
        for rate in [0, 55_000, 77_000, 88_750, 200_000] {
            let taxed = |at: i64| {
                let mut row = row(1, at * 1_300, 12_300);
                if at % 10 > 0 {
                    row.tax = Money::from_units(TaxGuess(rate).tax(row.qty, row.cost)).unwrap();
                }
                row
            };
            let rows: Vec<_> = (1..500).map(taxed).collect();
            assert_eq!(TaxGuess::of(rows.iter()), TaxGuess(rate));
        }
    }

    #[test]
    fn a_guess_is_rounded_half_up_and_never_too_large() {
        assert_eq!(TaxGuess(200_000).tax(1, Money::from_units(1_250).unwrap()), 300);
        assert_eq!(TaxGuess(200_000).tax(1, Money::from_units(1_249).unwrap()), 200);
        assert_eq!(TaxGuess(u32::MAX).tax(u32::MAX, Money::MAX), Money::MAX.units());
    }

    #[test]
    fn rows_without_money_have_no_rate() {
        assert_eq!(TaxGuess::of([].iter()), TaxGuess(0));
        assert_eq!(TaxGuess::of([row(0, 0, 5), row(3, 0, 0)].iter()), TaxGuess(0));
        assert_eq!(
            TaxGuess::of([row(1, 1, Money::MAX.units())].iter()),
            TaxGuess(1_000_000)
        );
    }
}
