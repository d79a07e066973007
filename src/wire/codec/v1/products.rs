//! The products of some rows: which names travel, and which HQ holds by number.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::Flaw;
use super::column::{Column, Plan};
use crate::protocol::dictionary::{Product, ProductNo, fingerprint};

/// The names under these numbers, in their order; `None` if not all of them are held.
pub(super) type HeldNames<'a> = dyn FnMut(&[ProductNo]) -> Option<Vec<Arc<str>>> + 'a;

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
    /// For each product the number under which HQ holds its name, or zero.
    held: Vec<ProductNo>,
    /// The numbers of the others, zero where there is none.
    told: Vec<ProductNo>,
    /// The names of these.
    pub(super) texts: Vec<&'a str>,
    fingerprint: Option<[u8; 4]>,
}

impl<'a> Products<'a> {
    /// Sorts names into those that HQ holds and those that travel.
    pub(super) fn of(names: &[&'a str], products: &[Product]) -> Self {
        let mut numbered = products.iter().peekable();
        let mut sorted = Self {
            held: Vec::with_capacity(names.len()),
            told: Vec::new(),
            texts: Vec::new(),
            fingerprint: None,
        };
        let mut held = Vec::new();
        for name in names {
            let product = numbered.next_if(|product| *product.name == **name);
            match product {
                Some(product) if !product.told && product.no > 0 => {
                    sorted.held.push(product.no);
                    held.push((product.no, *name));
                }
                _ => {
                    sorted.held.push(0);
                    sorted.told.push(product.map_or(0, |product| product.no));
                    sorted.texts.push(name);
                }
            }
        }
        sorted.fingerprint = (!held.is_empty()).then(|| short(held.into_iter()));
        sorted
    }

    /// The numbers as they travel; `None` if there are none.
    pub(super) fn pack(&self, bits: &mut Vec<u8>) -> Option<Numbered> {
        if self.fingerprint.is_none() && self.told.iter().all(|no| *no == 0) {
            return None;
        }
        let held = self.held.iter().copied().map(i64::from);
        Some(Numbered {
            held: Plan::of(held.clone().map(|no| i64::from(no > 0)).collect()).pack(bits),
            numbers: Plan::of_unforeseen(held.filter(|no| *no > 0).collect()).pack(bits),
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
        let Some(Numbered {
            held: flags,
            numbers: held,
            told,
            fingerprint,
        }) = numbered
        else {
            return Ok(Self {
                held: vec![0; count],
                told: vec![0; count],
                texts,
                fingerprint: None,
            });
        };
        let flags = flags.unpack(count, bits)?;
        let held_count = flags.iter().filter(|flag| **flag == 1).count();
        let mut numbers_held = numbers(held.unpack(held_count, bits)?)?.into_iter();
        let place = |flag| match flag {
            0 => Ok(0),
            1 => numbers_held.next().filter(|no| *no > 0).ok_or(Flaw::Columns),
            _ => Err(Flaw::Columns),
        };
        Ok(Self {
            held: flags.into_iter().map(place).collect::<Result<_, _>>()?,
            told: stepped(told.unpack(count - held_count, bits)?)?,
            texts,
            fingerprint,
        })
    }

    /// The names that do not travel.
    pub(super) fn held(&self, names: &mut HeldNames<'_>) -> Result<Vec<Arc<str>>, Flaw> {
        let numbers: Vec<_> = self.held.iter().copied().filter(|no| *no > 0).collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let held = names(&numbers)
            .filter(|held| held.len() == numbers.len())
            .ok_or(Flaw::Products)?;
        let names = numbers.iter().copied().zip(held.iter().map(AsRef::as_ref));
        if self.fingerprint != Some(short(names)) {
            return Err(Flaw::Products);
        }
        Ok(held)
    }

    /// All names, in the order of the products.
    pub(super) fn names(&self, held: Vec<Arc<str>>) -> Result<Vec<Arc<str>>, Flaw> {
        if self.texts.len() != self.told.len() {
            return Err(Flaw::Columns);
        }
        let (mut held, mut texts) = (held.into_iter(), self.texts.iter());
        let names = self.held.iter().map(|no| {
            if *no > 0 {
                held.next()
            } else {
                texts.next().map(|text| Arc::from(*text))
            }
        });
        names.collect::<Option<_>>().ok_or(Flaw::Columns)
    }

    /// Those that have a number, with their `names`.
    pub(super) fn list(&self, names: &[Arc<str>]) -> Vec<Product> {
        let mut told = self.told.iter();
        let numbered = self.held.iter().zip(names).filter_map(|(held, name)| {
            let travels = *held == 0;
            let no = if travels { *told.next()? } else { *held };
            (no > 0).then(|| Product {
                no,
                name: name.clone(),
                told: travels,
            })
        });
        numbered.collect()
    }
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
        last = last.checked_add(step).ok_or(Flaw::Columns)?;
        ProductNo::try_from(last).map_err(|_| Flaw::Columns)
    };
    steps.into_iter().map(number).collect()
}

fn numbers(column: Vec<i64>) -> Result<Vec<ProductNo>, Flaw> {
    let number = |number| ProductNo::try_from(number).map_err(|_| Flaw::Columns);
    column.into_iter().map(number).collect()
}

/// The fingerprint of a batch: half of it, for each batch pays for it.
fn short<'a>(names: impl Iterator<Item = (ProductNo, &'a str)>) -> [u8; 4] {
    let whole = fingerprint(names);
    std::array::from_fn(|at| whole[at])
}
