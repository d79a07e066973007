//! A draft: a sale as it is being typed, or as a line of a file has it, before it is known to be right.

use chrono::NaiveDateTime;

use super::money::{Money, MoneyError, MoneySum, TaxRate};
use super::sale::{ContentProblem, SaleContent, clean};
use super::time::parse_wall;

/// The fields that an operator fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// What was sold.
    Product,
    /// How many.
    Qty,
    /// The price of one.
    Cost,
    /// The tax on all of them.
    Tax,
    /// When.
    Date,
    /// Where.
    Region,
}

impl Field {
    /// All fields, in the order in which the form asks for them.
    pub const ALL: [Self; 6] = [
        Self::Product,
        Self::Qty,
        Self::Cost,
        Self::Tax,
        Self::Date,
        Self::Region,
    ];
}

/// What is wrong with one field; the sentence for it is in [`crate::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldProblem {
    /// The field is empty and has no default.
    Missing,
    /// The quantity is not a whole number from 1 to 4,294,967,295.
    NotAQuantity,
    /// The text is not a sum of money.
    NotMoney(MoneyProblem),
    /// The text is not a date.
    NotADate,
    /// The content as a whole breaks a rule.
    Content(ContentProblem),
}

/// [`MoneyError`] as a value that can be hashed and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MoneyProblem {
    /// There is no number in the text.
    NotANumber,
    /// The number is below zero.
    Negative,
    /// The number has more than four decimals.
    TooFine,
    /// The number is over 999,999,999.9999.
    TooLarge,
}

impl From<MoneyError> for MoneyProblem {
    fn from(error: MoneyError) -> Self {
        match error {
            MoneyError::NotANumber => Self::NotANumber,
            MoneyError::Negative => Self::Negative,
            MoneyError::TooFine => Self::TooFine,
            MoneyError::TooLarge => Self::TooLarge,
        }
    }
}

/// One field and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldError {
    /// The field.
    pub field: Field,
    /// What is wrong.
    pub problem: FieldProblem,
}

/// What stands in for a field that was left empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// The branch's wall-clock time now.
    pub date: NaiveDateTime,
    /// The branch's own region.
    pub region: String,
    /// The rate that fills the tax.
    pub tax_rate: TaxRate,
}

/// A sale as text, field by field; an empty field asks for its default.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Draft {
    /// What was sold.
    pub product: String,
    /// How many.
    pub qty: String,
    /// The price of one.
    pub cost: String,
    /// The tax on all of them; empty: from the rate.
    pub tax: String,
    /// When; empty: now.
    pub date: String,
    /// Where; empty: the branch's region.
    pub region: String,
}

impl Draft {
    /// Writes an existing content as a draft, to be edited.
    #[must_use]
    pub fn of(content: &SaleContent) -> Self {
        Self {
            product: content.product.to_string(),
            qty: content.qty.to_string(),
            cost: content.cost.to_string(),
            tax: content.tax.to_string(),
            date: super::time::wall_text(content.date),
            region: content.region.to_string(),
        }
    }

    /// The text of one field.
    #[must_use]
    pub fn field(&self, field: Field) -> &str {
        match field {
            Field::Product => &self.product,
            Field::Qty => &self.qty,
            Field::Cost => &self.cost,
            Field::Tax => &self.tax,
            Field::Date => &self.date,
            Field::Region => &self.region,
        }
    }

    /// The text of one field, to be changed.
    pub fn field_mut(&mut self, field: Field) -> &mut String {
        match field {
            Field::Product => &mut self.product,
            Field::Qty => &mut self.qty,
            Field::Cost => &mut self.cost,
            Field::Tax => &mut self.tax,
            Field::Date => &mut self.date,
            Field::Region => &mut self.region,
        }
    }

    /// Whether nothing has been typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Field::ALL.iter().all(|field| self.field(*field).trim().is_empty())
    }

    /// Quantity times cost, as far as both can be read.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        parse_money(&self.cost).ok()?.times(parse_qty(&self.qty).ok()?).ok()
    }

    /// The tax that was typed, or the one from the rate, as far as it can be known.
    #[must_use]
    pub fn tax(&self, rate: TaxRate) -> Option<Money> {
        if self.tax.trim().is_empty() {
            self.amount()?.tax_at(rate).ok()
        } else {
            parse_money(&self.tax).ok()
        }
    }

    /// Amount and tax, as far as they can be known.
    #[must_use]
    pub fn total(&self, rate: TaxRate) -> Option<MoneySum> {
        Some(MoneySum::from(self.amount()?) + MoneySum::from(self.tax(rate)?))
    }

    /// Turns the draft into a content that is right.
    ///
    /// # Errors
    /// Names every field that is wrong, in the form's order.
    pub fn check(&self, defaults: &Defaults) -> Result<SaleContent, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut note = |field, problem| errors.push(FieldError { field, problem });
        let product = clean(&self.product);
        if product.is_empty() {
            note(Field::Product, FieldProblem::Missing);
        }
        let qty = parse_qty(&self.qty).map_err(|problem| note(Field::Qty, problem));
        let cost = parse_money(&self.cost).map_err(|problem| note(Field::Cost, problem));
        let tax = self
            .checked_tax(qty.ok().zip(cost.ok()), defaults.tax_rate)
            .map_err(|problem| note(Field::Tax, problem));
        let date = if self.date.trim().is_empty() {
            Some(defaults.date)
        } else {
            parse_wall(&self.date)
        };
        if date.is_none() {
            note(Field::Date, FieldProblem::NotADate);
        }
        let region = if self.region.trim().is_empty() {
            clean(&defaults.region)
        } else {
            clean(&self.region)
        };
        if region.is_empty() {
            note(Field::Region, FieldProblem::Missing);
        }
        let (Ok(qty), Ok(cost), Ok(tax), Some(date), true) = (qty, cost, tax, date, errors.is_empty()) else {
            return Err(errors);
        };
        let content = SaleContent {
            date,
            product: product.into(),
            region: region.into(),
            qty,
            cost,
            tax,
        };
        content.validate().map_err(|problem| {
            vec![FieldError {
                field: field_of(problem),
                problem: FieldProblem::Content(problem),
            }]
        })?;
        Ok(content)
    }

    fn checked_tax(&self, priced: Option<(u32, Money)>, rate: TaxRate) -> Result<Money, FieldProblem> {
        if !self.tax.trim().is_empty() {
            return parse_money(&self.tax);
        }
        match priced {
            // An amount that is too large is reported once, at the cost.
            Some((qty, cost)) => cost.times(qty).map_or(Ok(Money::ZERO), |amount| {
                amount.tax_at(rate).map_err(|e| FieldProblem::NotMoney(e.into()))
            }),
            None => Ok(Money::ZERO),
        }
    }
}

const fn field_of(problem: ContentProblem) -> Field {
    match problem {
        ContentProblem::ProductMissing | ContentProblem::ProductTooLong | ContentProblem::Unclean => Field::Product,
        ContentProblem::RegionMissing | ContentProblem::RegionTooLong => Field::Region,
        ContentProblem::QtyZero => Field::Qty,
        ContentProblem::AmountTooLarge => Field::Cost,
    }
}

fn parse_qty(text: &str) -> Result<u32, FieldProblem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(FieldProblem::Missing);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(FieldProblem::NotAQuantity);
    }
    text.parse()
        .ok()
        .filter(|qty| *qty > 0)
        .ok_or(FieldProblem::NotAQuantity)
}

fn parse_money(text: &str) -> Result<Money, FieldProblem> {
    if text.trim().is_empty() {
        return Err(FieldProblem::Missing);
    }
    Money::parse(text).map_err(|error| FieldProblem::NotMoney(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            date: parse_wall("2026-11-22 14:07:31").unwrap(),
            region: "East".into(),
            tax_rate: TaxRate::parse("20").unwrap(),
        }
    }

    fn draft(product: &str, qty: &str, cost: &str, tax: &str) -> Draft {
        Draft {
            product: product.into(),
            qty: qty.into(),
            cost: cost.into(),
            tax: tax.into(),
            ..Draft::default()
        }
    }

    #[test]
    fn empty_fields_take_their_defaults() {
        let content = draft(" PENS ", "14", "2,19", "").check(&defaults()).unwrap();
        assert_eq!((&*content.product, &*content.region, content.qty), ("PENS", "East", 14));
        assert_eq!(
            (content.amount().to_string(), content.tax.to_string()),
            ("30.66".into(), "6.13".into())
        );
        assert_eq!(content.date, defaults().date);
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut bad = draft("", "0", "x", "-1");
        bad.date = "yesterday".into();
        let fields: Vec<_> = bad.check(&defaults()).unwrap_err().iter().map(|e| e.field).collect();
        assert_eq!(
            fields,
            [Field::Product, Field::Qty, Field::Cost, Field::Tax, Field::Date]
        );
    }

    #[test]
    fn the_limits_of_a_sale_hold() {
        assert!(draft("P", "4294967295", "0.01", "0").check(&defaults()).is_ok());
        for (qty, cost) in [("4294967296", "1"), ("1.5", "1"), ("-3", "1"), ("4294967295", "1")] {
            assert_eq!(
                draft("P", qty, cost, "").check(&defaults()).unwrap_err().len(),
                1,
                "{qty} x {cost}"
            );
        }
        assert!(draft(&"É".repeat(200), "1", "1", "").check(&defaults()).is_ok());
        assert!(draft(&"É".repeat(201), "1", "1", "").check(&defaults()).is_err());
    }

    #[test]
    fn a_draft_of_a_content_checks_to_that_content() {
        let content = draft("PENS", "14", "2.1934", "0.5").check(&defaults()).unwrap();
        assert_eq!(Draft::of(&content).check(&defaults()).unwrap(), content);
    }
}
