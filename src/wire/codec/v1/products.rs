//! The products of some rows: which names travel, and which HQ holds by number.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::super::Flaw;
use super::column::{Column, Plan};
use crate::protocol::dictionary::{Product, ProductNo, fingerprint};

/// The names that HQ holds under these numbers, in their order; `None` if it does not hold them all.
pub(super) type NamesUnder<'a> = dyn FnMut(&[ProductNo]) -> Option<Vec<Arc<str>>> + 'a;

/// The numbers of products as they travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Numbered {
    held: Column,
    numbers: Column,
    told: Column,
    fingerprint: Option<[u8; 4]>,
}

/// How the products of some rows, each once, are told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Products<'a> {
    /// For each product the number that stands for its name, or zero where the name travels.
    leant_on: Vec<ProductNo>,
    /// The numbers of those whose names travel, zero where there is none.
    told: Vec<ProductNo>,
    /// The names of these.
    pub(super) texts: Vec<&'a str>,
    /// The fingerprint of the other names, if there are any: half of the whole, for each batch pays for it.
    fingerprint: Option<[u8; 4]>,
}

impl<'a> Products<'a> {
    /// Sorts names into those that HQ holds and those that travel.
    pub(super) fn of(names: &[&'a str], products: &[Product]) -> Self {
        let mut numbered = products.iter().peekable();
        let mut sorted = Self {
            leant_on: Vec::with_capacity(names.len()),
            told: Vec::new(),
            texts: Vec::new(),
            fingerprint: None,
        };
        let mut stay = Vec::new();
        for name in names {
            let product = numbered.next_if(|product| *product.name == **name);
            match product {
                Some(product) if !product.told && product.no > 0 => {
                    sorted.leant_on.push(product.no);
                    stay.push((product.no, *name));
                }
                _ => {
                    sorted.leant_on.push(0);
                    sorted.told.push(product.map_or(0, |product| product.no));
                    sorted.texts.push(name);
                }
            }
        }
        sorted.fingerprint = (!stay.is_empty()).then(|| fingerprint(stay.into_iter()));
        sorted
    }

    /// The numbers as they travel; `None` if there are none.
    pub(super) fn pack(&self, bits: &mut Vec<u8>) -> Option<Numbered> {
        if self.fingerprint.is_none() && self.told.iter().all(|no| *no == 0) {
            return None;
        }
        let leant_on = self.leant_on.iter().copied().map(i64::from);
        Some(Numbered {
            held: Plan::of(leant_on.clone().map(|no| i64::from(no > 0)).collect()).pack(bits),
            numbers: Plan::of_unforeseen(leant_on.filter(|no| *no > 0).collect()).pack(bits),
            told: Plan::of(steps(&self.told)).pack(bits),
            fingerprint: self.fingerprint,
        })
    }

    /// Reads how so many products are told; `texts` are the names that travelled.
    pub(super) fn unpack(
        numbered: Option<Numbered>,
        count: usize,
        texts: Vec<&'a str>,
        bits: &mut &[u8],
    ) -> Result<Self, Flaw> {
        let Some(numbered) = numbered else {
            return Ok(Self {
                leant_on: vec![0; count],
                told: vec![0; count],
                texts,
                fingerprint: None,
            });
        };
        let flags = numbered.held.unpack(count, bits)?;
        let leaning = flags.iter().filter(|flag| **flag == 1).count();
        let mut numbers = numbers(numbered.numbers.unpack(leaning, bits)?)?.into_iter();
        let leant_on = flags.into_iter().map(|flag| match flag {
            0 => Ok(0),
            1 => numbers.next().filter(|no| *no > 0).ok_or(Flaw::Columns),
            _ => Err(Flaw::Columns),
        });
        Ok(Self {
            leant_on: leant_on.collect::<Result<_, _>>()?,
            told: stepped(numbered.told.unpack(count - leaning, bits)?)?,
            texts,
            fingerprint: numbered.fingerprint,
        })
    }

    /// The names that do not travel, if `names` has the very ones that are meant.
    pub(super) fn look_up(&self, names: &mut NamesUnder<'_>) -> Result<Vec<Arc<str>>, Flaw> {
        let numbers: Vec<_> = self.leant_on.iter().copied().filter(|no| *no > 0).collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let names = names(&numbers)
            .filter(|names| names.len() == numbers.len())
            .ok_or(Flaw::Products)?;
        let numbered = numbers.iter().copied().zip(names.iter().map(AsRef::as_ref));
        if self.fingerprint != Some(fingerprint(numbered)) {
            return Err(Flaw::Products);
        }
        Ok(names)
    }

    /// All names, in the order of the products; `looked_up` are those that did not travel.
    pub(super) fn names(&self, looked_up: Vec<Arc<str>>) -> Result<Vec<Arc<str>>, Flaw> {
        if self.texts.len() != self.told.len() {
            return Err(Flaw::Columns);
        }
        let (mut looked_up, mut texts) = (looked_up.into_iter(), self.texts.iter());
        let names = self.leant_on.iter().map(|no| {
            if *no > 0 {
                looked_up.next()
            } else {
                texts.next().map(|text| Arc::from(*text))
            }
        });
        names.collect::<Option<_>>().ok_or(Flaw::Columns)
    }

    /// Those that have a number, with their `names`. Then no two products may be the same.
    pub(super) fn list(&self, names: &[Arc<str>]) -> Result<Vec<Product>, Flaw> {
        let mut told = self.told.iter();
        let numbered = self.leant_on.iter().zip(names).filter_map(|(leant_on, name)| {
            let travels = *leant_on == 0;
            let no = if travels { *told.next()? } else { *leant_on };
            (no > 0).then(|| Product {
                no,
                name: name.clone(),
                told: travels,
            })
        });
        let list: Vec<_> = numbered.collect();
        if list.is_empty() || (each_once(names.iter()) && each_once(list.iter().map(|product| product.no))) {
            Ok(list)
        } else {
            Err(Flaw::Columns)
        }
    }
}

/// Whether no two are the same. Each batch pays for it, and would pay twice as much for the standard hash.
fn each_once<T: Hash + Eq>(mut all: impl ExactSizeIterator<Item = T>) -> bool {
    let mut seen = HashSet::with_capacity_and_hasher(all.len(), RandomState::default());
    all.all(|one| seen.insert(one))
}

/// Numbers as steps from each to the next; zero is no number, and no step.
fn steps(numbers: &[ProductNo]) -> Vec<i64> {
    let mut last = 0;
    let step = |no: &ProductNo| {
        if *no == 0 {
            return 0;
        }
        let step = i64::from(*no) - last;
        last = i64::from(*no);
        step
    };
    numbers.iter().map(step).collect()
}

fn stepped(steps: Vec<i64>) -> Result<Vec<ProductNo>, Flaw> {
    let mut last = 0_i64;
    let number = |step| {
        if step == 0 {
            return Ok(0);
        }
        last = last.checked_add(step).filter(|no| *no > 0).ok_or(Flaw::Columns)?;
        ProductNo::try_from(last).map_err(|_| Flaw::Columns)
    };
    steps.into_iter().map(number).collect()
}

fn numbers(column: Vec<i64>) -> Result<Vec<ProductNo>, Flaw> {
    let number = |number| ProductNo::try_from(number).map_err(|_| Flaw::Columns);
    column.into_iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["PENS", "CUPS", "MUGS"];

    /// The list that is read of products with these columns, where a product with a flag is leant on; HQ holds [`NAMES`] from number 1 on.
    fn listed(flags: &[i64], numbers: &[i64], told: &[i64], texts: &[&str]) -> Result<Vec<(ProductNo, String)>, Flaw> {
        let name = |no: ProductNo| *NAMES.get(usize::from(no) - 1).unwrap_or(&"INK");
        let leant_on = numbers.iter().filter_map(|no| ProductNo::try_from(*no).ok());
        let leant_on = leant_on.filter(|no| *no > 0).map(|no| (no, name(no)));
        let mut bits = Vec::new();
        let mut column = |numbers: &[i64]| Plan::of(numbers.to_vec()).pack(&mut bits);
        let numbered = Numbered {
            held: column(flags),
            numbers: column(numbers),
            told: column(told),
            fingerprint: Some(fingerprint(leant_on)),
        };
        let products = Products::unpack(Some(numbered), flags.len(), texts.to_vec(), &mut &bits[..])?;
        let names = products.look_up(&mut |numbers| Some(numbers.iter().map(|no| name(*no).into()).collect()))?;
        let list = products.list(&products.names(names)?)?;
        Ok(list
            .into_iter()
            .map(|product| (product.no, product.name.to_string()))
            .collect())
    }

    #[test]
    fn numbers_come_with_their_names() {
        let list = listed(&[1, 0, 0, 1], &[3, 1], &[0, 9], &["INK", "CHALK"]);
        assert_eq!(
            list,
            Ok(vec![(3, "MUGS".into()), (9, "CHALK".into()), (1, "PENS".into())])
        );
        let down_and_up = listed(&[0, 0, 0], &[], &[9, -8, 65_534], &["INK", "CHALK", "GLUE"]);
        let numbers: Vec<_> = down_and_up.unwrap().into_iter().map(|(no, _)| no).collect();
        assert_eq!(numbers, [9, 1, 65_535]);
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for told in [&[5, -6][..], &[5, -5], &[65_535, 1], &[i64::MAX, 1], &[-1, 0]] {
            assert_eq!(
                listed(&[0, 0], &[], told, &["INK", "CHALK"]),
                Err(Flaw::Columns),
                "{told:?}"
            );
        }
        for number in [0, -1, 65_536] {
            assert_eq!(listed(&[1], &[number], &[], &[]), Err(Flaw::Columns), "{number}");
        }
        for flag in [-1, 2] {
            assert_eq!(listed(&[flag], &[], &[9], &["INK"]), Err(Flaw::Columns), "{flag}");
        }
    }

    #[test]
    fn there_are_as_many_names_as_products_that_are_told() {
        assert!(listed(&[1, 0], &[1], &[9], &["INK"]).is_ok());
        assert_eq!(listed(&[1, 0], &[1], &[9], &[]), Err(Flaw::Columns));
        assert_eq!(listed(&[1, 0], &[1], &[9], &["INK", "CHALK"]), Err(Flaw::Columns));
    }

    #[test]
    fn where_products_have_numbers_none_comes_twice() {
        let twice = Err(Flaw::Columns);
        assert_eq!(
            listed(&[0, 0], &[], &[8, 1], &["INK", "INK"]),
            twice,
            "told under two numbers"
        );
        assert_eq!(
            listed(&[0, 0], &[], &[8, 0], &["INK", "INK"]),
            twice,
            "told with a number and without"
        );
        assert_eq!(listed(&[0, 1], &[1], &[8], &["PENS"]), twice, "told and held");
        assert_eq!(listed(&[1, 1], &[4, 5], &[], &[]), twice, "held under two numbers");
        assert_eq!(listed(&[0, 1], &[1], &[1], &["INK"]), twice, "one number for two");
        assert_eq!(
            listed(&[0, 0], &[], &[0, 0], &["INK", "INK"]),
            Ok(vec![]),
            "without any number it is only long"
        );
    }
}
