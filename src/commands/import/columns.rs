//! Which column is which field, and a record as a sale.

use csv::ByteRecord;

use super::ImportError;
use crate::config::field_name;
use crate::domain::draft::{Defaults, Draft, Field, FieldError, FieldProblem};
use crate::domain::sale::SaleContent;
use crate::text::Text;

/// Which column is which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    count: usize,
    places: Vec<(Field, usize)>,
}

/// Why a line is no sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LineProblem {
    /// It has more or fewer fields than the header.
    Ragged { found: usize, expected: usize },
    /// A field that matters is not UTF-8.
    NotUtf8(Field),
    /// A quote is opened and not closed.
    Unclosed,
    /// It is longer than any sale.
    TooLong,
    /// Fields break the rules of a sale.
    Fields(Vec<FieldError>),
}

impl Columns {
    /// Finds the fields in a header: where `map` names a column, there; else in a column of the field's own name. Tax and region may be missing.
    pub(super) fn find(header: &ByteRecord, map: &[(Field, String)]) -> Result<Self, ImportError> {
        let names: Vec<_> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        let mut places = Vec::new();
        for field in Field::ALL {
            let mapped = map.iter().find(|(known, _)| *known == field);
            let wanted = mapped.map_or(field_name(field), |(_, column)| column);
            let is_it = |name: &&String| match mapped {
                Some(_) => name.as_str() == wanted,
                None => name.eq_ignore_ascii_case(wanted),
            };
            match names.iter().filter(is_it).count() {
                0 if mapped.is_none() && matches!(field, Field::Tax | Field::Region) => {}
                1 => places.extend(names.iter().position(|name| is_it(&name)).map(|place| (field, place))),
                found => {
                    return Err(ImportError::Column {
                        field: field_name(field),
                        column: wanted.to_owned(),
                        found,
                        columns: names
                            .iter()
                            .map(|name| format!("`{}`", name.escape_debug()))
                            .collect::<Vec<_>>()
                            .join(", "),
                    });
                }
            }
        }
        Ok(Self {
            count: names.len(),
            places,
        })
    }

    /// Turns a record into a sale. `defaults` fill an empty region and tax; a date that is missing is not today's.
    pub(super) fn sale(&self, record: &ByteRecord, defaults: &Defaults) -> Result<SaleContent, LineProblem> {
        if record.len() != self.count {
            return Err(LineProblem::Ragged {
                found: record.len(),
                expected: self.count,
            });
        }
        let mut draft = Draft::default();
        for (field, place) in &self.places {
            let text = std::str::from_utf8(&record[*place]).map_err(|_| LineProblem::NotUtf8(*field))?;
            text.clone_into(draft.field_mut(*field));
        }
        let missing_date = draft.date.trim().is_empty().then_some(FieldError {
            field: Field::Date,
            problem: FieldProblem::Missing,
        });
        let checked = draft.check(defaults);
        match missing_date {
            None => checked.map_err(LineProblem::Fields),
            Some(error) => {
                let mut errors = checked.err().unwrap_or_default();
                errors.push(error);
                Err(LineProblem::Fields(errors))
            }
        }
    }
}

impl LineProblem {
    /// The reason in words.
    pub(super) fn sentence(&self, text: &Text) -> String {
        match self {
            Self::Ragged { found, expected } => format!("The line has {found} fields, and the header has {expected}."),
            Self::NotUtf8(field) => format!("{}: The text is not UTF-8.", field_name(*field)),
            Self::Unclosed => "A quote is opened and not closed.".to_owned(),
            Self::TooLong => "The line is longer than any sale.".to_owned(),
            Self::Fields(errors) => field_sentences(errors, text).join(" "),
        }
    }
}

/// What is wrong with each field, behind the name that it has on the command line and in a header.
pub(in crate::commands) fn field_sentences(errors: &[FieldError], text: &Text) -> Vec<String> {
    let sentence = |error: &FieldError| format!("{}: {}", field_name(error.field), text.field_problem(error));
    errors.iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::TaxRate;
    use crate::domain::time::parse_wall;

    const HEADER: [&str; 5] = ["InvoiceDate", "Description", "Qty", " cost ", "TAX"];

    fn map(pairs: &[(Field, &str)]) -> Vec<(Field, String)> {
        pairs
            .iter()
            .map(|(field, column)| (*field, (*column).to_owned()))
            .collect()
    }

    fn columns() -> Columns {
        let mapped = map(&[(Field::Date, "InvoiceDate"), (Field::Product, "Description")]);
        Columns::find(&HEADER.to_vec().into(), &mapped).unwrap()
    }

    fn defaults() -> Defaults {
        Defaults {
            date: parse_wall("2026-11-22").unwrap(),
            region: "East".into(),
            tax_rate: TaxRate::parse("20").unwrap(),
        }
    }

    fn sale(fields: &[&[u8]]) -> Result<SaleContent, String> {
        let record = ByteRecord::from(fields.to_vec());
        columns()
            .sale(&record, &defaults())
            .map_err(|problem| problem.sentence(&Text::english()))
    }

    #[test]
    fn unmapped_fields_are_read_from_the_columns_of_their_names() {
        let sale = sale(&[b"2010-12-01 08:26:00", b"PENS", b"6", b"3.39", b""]).unwrap();
        assert_eq!((&*sale.product, sale.qty, &*sale.region), ("PENS", 6, "East"));
        assert_eq!(sale.tax.to_string(), "4.07");
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let says = |header: &[&str], pairs: &[(Field, &str)]| {
            Columns::find(&header.to_vec().into(), &map(pairs))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            says(&HEADER, &[(Field::Date, "Date"), (Field::Product, "Description")]),
            "the file has no column `Date` for date; its columns are `InvoiceDate`, `Description`, `Qty`, `cost`, `TAX`: use --map FIELD=COLUMN,..."
        );
        assert!(says(&["product", "qty", "cost"], &[]).starts_with("the file has no column `date` for date"));
        assert!(says(&["A", "A"], &[(Field::Product, "A")]).starts_with("the file has 2 columns `A` for product"));
    }

    #[test]
    fn a_line_that_is_no_sale_says_why() {
        let date: &[u8] = b"2010-12-01";
        assert_eq!(
            sale(&[date, b"PENS"]).unwrap_err(),
            "The line has 2 fields, and the header has 5."
        );
        assert_eq!(
            sale(&[date, b"P\xff", b"6", b"1", b""]).unwrap_err(),
            "product: The text is not UTF-8."
        );
        // A sale without a date was not made today.
        assert!(
            sale(&[b" ", b"PENS", b"6", b"1", b"0"])
                .unwrap_err()
                .starts_with("date: ")
        );
        let both = sale(&[b"", b"PENS", b"-6", b"1", b"0"]).unwrap_err();
        assert!(both.contains("qty: ") && both.contains("date: "), "{both}");
    }
}
