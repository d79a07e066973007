//! Exact money: whole numbers of ten-thousandths, never floats.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use rust_decimal::Decimal;

/// How many ten-thousandths make one.
pub const SCALE: i64 = 10_000;

/// A sum of money that is zero or more, in ten-thousandths: one price, tax or amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

/// Why a text or a number is not a sum of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// There is no number in the text.
    #[error("it is not a number")]
    NotANumber,
    /// The number is below zero.
    #[error("it is below zero")]
    Negative,
    /// The number has more than four decimals.
    #[error("it has more than four decimals")]
    TooFine,
    /// The number is over [`Money::MAX`].
    #[error("it is over 999,999,999.9999")]
    TooLarge,
}

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest sum: 999,999,999.9999.
    pub const MAX: Self = Self(9_999_999_999_999);

    /// Takes a number of ten-thousandths.
    ///
    /// # Errors
    /// When the number is below zero or over [`Money::MAX`].
    pub const fn from_units(units: i64) -> Result<Self, MoneyError> {
        if units < 0 {
            Err(MoneyError::Negative)
        } else if units > Self::MAX.0 {
            Err(MoneyError::TooLarge)
        } else {
            Ok(Self(units))
        }
    }

    /// The number of ten-thousandths.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Reads a decimal number; `.` and `,` are both decimal points, so there are no thousands separators.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let decimal = parse_decimal(text)?;
        if decimal.is_sign_negative() && !decimal.is_zero() {
            return Err(MoneyError::Negative);
        }
        if decimal.normalize().scale() > 4 {
            return Err(MoneyError::TooFine);
        }
        let units = decimal
            .checked_mul(Decimal::from(SCALE))
            .and_then(|d| i64::try_from(d).ok());
        Self::from_units(units.ok_or(MoneyError::TooLarge)?)
    }

    /// This price times a quantity.
    ///
    /// # Errors
    /// When the product is over [`Money::MAX`].
    pub fn times(self, qty: u32) -> Result<Self, MoneyError> {
        self.0
            .checked_mul(i64::from(qty))
            .map_or(Err(MoneyError::TooLarge), Self::from_units)
    }

    /// The tax on this amount, rounded half up to two decimals.
    ///
    /// # Errors
    /// When the tax is over [`Money::MAX`].
    pub fn tax_at(self, rate: TaxRate) -> Result<Self, MoneyError> {
        // amount [1/10^4] * rate [percent/10^4] / 100 / 10^4, kept in hundredths of one: divide by 10^8 at once.
        let exact = i128::from(self.0) * i128::from(rate.0);
        let cents = (exact + 50_000_000) / 100_000_000;
        i64::try_from(cents * 100).map_or(Err(MoneyError::TooLarge), Self::from_units)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        MoneySum::from(*self).fmt(f)
    }
}

/// A tax rate in ten-thousandths of a percent: `20` percent is 200,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TaxRate(u32);

impl TaxRate {
    /// Reads a percentage from 0 to 100 with at most four decimals.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let money = Money::parse(text.trim().trim_end_matches('%').trim_end())?;
        u32::try_from(money.units())
            .ok()
            .filter(|units| *units <= 1_000_000)
            .map(Self)
            .ok_or(MoneyError::TooLarge)
    }

    /// Whether the rate is zero percent.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for TaxRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::new(i64::from(self.0), 4).normalize().fmt(f)
    }
}

fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let text = text.trim();
    let digits = |c: char| c.is_ascii_digit();
    let plain = text.chars().all(|c| digits(c) || matches!(c, '.' | ',' | '-' | '+')) && text.chars().any(digits);
    if !plain || text.matches(['.', ',']).count() > 1 || text.rfind(['-', '+']).is_some_and(|at| at > 0) {
        return Err(MoneyError::NotANumber);
    }
    let text = text.replace(',', ".");
    Decimal::from_str_exact(&text).map_err(|_| {
        if text.len() > 20 {
            MoneyError::TooLarge
        } else {
            MoneyError::NotANumber
        }
    })
}

/// A sum of many amounts, in ten-thousandths; exact beyond 64 bits, and below zero where it is a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MoneySum(pub i128);

impl MoneySum {
    /// Nothing.
    pub const ZERO: Self = Self(0);
}

impl From<Money> for MoneySum {
    fn from(money: Money) -> Self {
        Self(i128::from(money.0))
    }
}

impl Add for MoneySum {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for MoneySum {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl AddAssign for MoneySum {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for MoneySum {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl std::iter::Sum for MoneySum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for MoneySum {
    /// Two decimals, more where they are not zero: `3.39`, `0.1234`, `-2.50`. No thousands separators.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = SCALE.unsigned_abs();
        let units = self.0.unsigned_abs();
        let (whole, part) = (units / u128::from(scale), units % u128::from(scale));
        let mut text = format!("{}{whole}.{part:04}", if self.0 < 0 { "-" } else { "" });
        while text.ends_with('0') && !text[..text.len() - 2].ends_with('.') {
            text.pop();
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_points_and_commas_exactly() {
        for (text, units) in [
            ("2.55", 25_500),
            ("2,55", 25_500),
            ("0", 0),
            (".5", 5_000),
            ("0.0001", 1),
            (" 7 ", 70_000),
            ("1.50000", 15_000),
        ] {
            assert_eq!(Money::parse(text), Money::from_units(units), "{text}");
        }
        assert_eq!(Money::parse("999999999.9999"), Ok(Money::MAX));
    }

    #[test]
    fn money_says_what_is_wrong() {
        for (text, error) in [
            ("", MoneyError::NotANumber),
            ("abc", MoneyError::NotANumber),
            ("1e5", MoneyError::NotANumber),
            ("1,000.5", MoneyError::NotANumber),
            ("1_0", MoneyError::NotANumber),
            ("-1", MoneyError::Negative),
            ("0.00001", MoneyError::TooFine),
            ("1000000000", MoneyError::TooLarge),
            ("99999999999999999999999999999999999999", MoneyError::TooLarge),
        ] {
            assert_eq!(Money::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn money_shows_two_decimals_or_what_is_there() {
        let show = |units| MoneySum(units).to_string();
        assert_eq!(
            [show(33_900), show(1_234), show(-25_000), show(10), show(0)],
            ["3.39", "0.1234", "-2.50", "0.001", "0.00"]
        );
        assert_eq!(MoneySum(i128::from(i64::MAX) * 4).to_string(), "3689348814741910.3228");
    }

    #[test]
    fn tax_is_rounded_half_up_to_two_decimals() {
        let tax = |amount, rate| {
            Money::parse(amount)
                .unwrap()
                .tax_at(TaxRate::parse(rate).unwrap())
                .map(|tax| tax.to_string())
        };
        assert_eq!(tax("0.125", "20"), Ok("0.03".into()));
        assert_eq!(tax("0.124", "20"), Ok("0.02".into()));
        assert_eq!(tax("10.00", "5.5%"), Ok("0.55".into()));
        assert_eq!(tax("999999999.9999", "100"), Err(MoneyError::TooLarge));
    }
}
