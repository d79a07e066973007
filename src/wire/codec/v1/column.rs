//! One column of numbers, in the shortest of a few shapes.
//!
//! What is predictable about a column (differences, prices seen before) is taken out before it comes here, so most columns are mostly zeros or
//! repeat themselves. Which shape is the shortest is judged before packing; every shape reads back to the same numbers.
//!
//! | shape (`u`) | fields |
//! | --- | --- |
//! | 0, zeros | none: all rows are zero |
//! | 1, plain | unit (`u`), list of each row's number (`i`) |
//! | 2, runs | unit (`u`), list of numbers (`i`), list of how often each stands there in a row (`u`) |
//! | 3, sparse | unit (`u`), list of how many zeros are before each number that is not zero (`u`), list of those numbers (`i`) |
//! | 4, coded | unit (`u`), list of the distinct numbers (`i`), list of which of them each row has (a byte) |
//!
//! Numbers are divided by the unit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::capped::Capped;
use super::super::{Flaw, MAX_ROWS};

type List<T> = Capped<T, MAX_ROWS>;

/// More distinct numbers than this don't fit into a byte.
const MAX_DISTINCT: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Column {
    Zeros,
    Plain {
        unit: u32,
        numbers: List<i64>,
    },
    Runs {
        unit: u32,
        numbers: List<i64>,
        lengths: List<u32>,
    },
    Sparse {
        unit: u32,
        gaps: List<u32>,
        numbers: List<i64>,
    },
    Coded {
        unit: u32,
        distinct: List<i64>,
        which: List<u8>,
    },
}

impl Column {
    /// Packs numbers in the shape that is the shortest for them.
    pub(super) fn pack(numbers: &[i64]) -> Self {
        let Some(unit) = common_unit(numbers) else {
            return Self::Zeros;
        };
        let numbers: Vec<i64> = numbers.iter().map(|number| number / i64::from(unit)).collect();
        let plain = Self::Plain {
            unit,
            numbers: Capped(numbers.clone()),
        };
        // Where every number fits into one byte, a list of them saves nothing.
        let coded = if plain.bytes() > numbers.len() {
            Self::coded(unit, &numbers)
        } else {
            None
        };
        let others = [Self::runs(unit, &numbers), Self::sparse(unit, &numbers)];
        // Of equals the first, so that plain wins a tie: it packs best.
        let shapes = std::iter::once(plain).chain(others).chain(coded);
        shapes.min_by_key(Self::bytes).expect("there is always the plain shape")
    }

    /// The numbers, if they are as many as there are rows.
    pub(super) fn unpack(self, rows: usize) -> Result<Vec<i64>, Flaw> {
        let (unit, mut numbers) = match self {
            Self::Zeros => (1, vec![0; rows]),
            Self::Plain { unit, numbers } => (unit, numbers.0),
            Self::Runs { unit, numbers, lengths } => (unit, from_runs(numbers.0, lengths.0, rows)?),
            Self::Sparse { unit, gaps, numbers } => (unit, from_sparse(gaps.0, numbers.0, rows)?),
            Self::Coded { unit, distinct, which } => {
                let number = |at: u8| distinct.0.get(usize::from(at)).copied().ok_or(Flaw::Columns);
                (unit, which.0.into_iter().map(number).collect::<Result<_, _>>()?)
            }
        };
        if numbers.len() != rows {
            return Err(Flaw::Columns);
        }
        if unit != 1 {
            for number in &mut numbers {
                *number = number.checked_mul(i64::from(unit)).ok_or(Flaw::Columns)?;
            }
        }
        Ok(numbers)
    }

    /// About how many bytes the column is long before packing.
    pub(super) fn bytes(&self) -> usize {
        let signed = |list: &List<i64>| {
            list.0
                .iter()
                .map(|number| varint_bytes(zig_zag(*number)))
                .sum::<usize>()
        };
        let counts = |list: &List<u32>| {
            list.0
                .iter()
                .map(|count| varint_bytes(u64::from(*count)))
                .sum::<usize>()
        };
        match self {
            Self::Zeros => 0,
            Self::Plain { numbers, .. } => signed(numbers),
            Self::Runs { numbers, lengths, .. } => signed(numbers) + counts(lengths),
            Self::Sparse { gaps, numbers, .. } => signed(numbers) + counts(gaps),
            Self::Coded { distinct, which, .. } => signed(distinct) + which.0.len(),
        }
    }

    fn runs(unit: u32, column: &[i64]) -> Self {
        let (mut numbers, mut lengths) = (Vec::new(), Vec::<u32>::new());
        for number in column {
            match lengths.last_mut() {
                Some(length) if numbers.last() == Some(number) => *length += 1,
                _ => {
                    numbers.push(*number);
                    lengths.push(1);
                }
            }
        }
        Self::Runs {
            unit,
            numbers: Capped(numbers),
            lengths: Capped(lengths),
        }
    }

    fn sparse(unit: u32, column: &[i64]) -> Self {
        Self::Sparse {
            unit,
            gaps: Capped(gaps(column.iter().map(|number| *number != 0))),
            numbers: Capped(column.iter().copied().filter(|number| *number != 0).collect()),
        }
    }

    fn coded(unit: u32, column: &[i64]) -> Option<Self> {
        let mut places = BTreeMap::new();
        for number in column {
            places.insert(*number, 0_u8);
            if places.len() > MAX_DISTINCT {
                return None;
            }
        }
        for (place, at) in places.values_mut().zip(0..=u8::MAX) {
            *place = at;
        }
        Some(Self::Coded {
            unit,
            which: Capped(column.iter().map(|number| places[number]).collect()),
            distinct: Capped(places.into_keys().collect()),
        })
    }
}

/// For each row that is marked, how many rows that are not marked are between it and the marked one before.
pub(super) fn gaps(marks: impl Iterator<Item = bool>) -> Vec<u32> {
    let (mut gaps, mut gap) = (Vec::new(), 0);
    for marked in marks {
        if marked {
            gaps.push(gap);
            gap = 0;
        } else {
            gap += 1;
        }
    }
    gaps
}

/// The rows that are marked, from the gaps between them; each is below `rows`.
pub(super) fn marked(gaps: Vec<u32>, rows: usize) -> Result<Vec<usize>, Flaw> {
    let mut next = 0_usize;
    gaps.into_iter()
        .map(|gap| {
            let at = next.saturating_add(gap as usize);
            next = at.saturating_add(1);
            if at < rows { Ok(at) } else { Err(Flaw::Columns) }
        })
        .collect()
}

fn from_runs(numbers: Vec<i64>, lengths: Vec<u32>, rows: usize) -> Result<Vec<i64>, Flaw> {
    let mut column = Vec::with_capacity(rows);
    for (number, length) in numbers.into_iter().zip(lengths) {
        let until = column.len().saturating_add(length as usize);
        if until > rows {
            return Err(Flaw::Columns);
        }
        column.resize(until, number);
    }
    Ok(column)
}

fn from_sparse(gaps: Vec<u32>, numbers: Vec<i64>, rows: usize) -> Result<Vec<i64>, Flaw> {
    let mut column = vec![0; rows];
    for (at, number) in marked(gaps, rows)?.into_iter().zip(numbers) {
        column[at] = number;
    }
    Ok(column)
}

/// The largest number of 32 bits that divides all of them; `None` if all are zero.
fn common_unit(numbers: &[i64]) -> Option<u32> {
    let mut unit = 0;
    for number in numbers {
        unit = greatest_common_divisor(number.unsigned_abs(), unit);
        if unit == 1 {
            break;
        }
    }
    (unit > 0).then(|| u32::try_from(unit).unwrap_or(1))
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

const fn zig_zag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn varint_bytes(number: u64) -> usize {
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(numbers: &[i64]) -> &'static str {
        let column = Column::pack(numbers);
        let shape = match column {
            Column::Zeros => "zeros",
            Column::Plain { .. } => "plain",
            Column::Runs { .. } => "runs",
            Column::Sparse { .. } => "sparse",
            Column::Coded { .. } => "coded",
        };
        assert_eq!(column.unpack(numbers.len()).unwrap(), numbers);
        shape
    }

    #[test]
    fn each_column_takes_the_shape_that_suits_it() {
        let mut rare = [0; 100];
        rare[70] = -3;
        let prices: Vec<_> = (0..200).map(|at| 100_000 + 777 * (at * at % 7)).collect();
        let different: Vec<_> = (0..60).collect();
        assert_eq!(shape_of(&[]), "zeros");
        assert_eq!(shape_of(&[0; 100]), "zeros");
        assert_eq!(shape_of(&[7, 9]), "plain");
        assert_eq!(shape_of(&different), "plain");
        assert_eq!(shape_of(&[5; 100]), "runs");
        assert_eq!(shape_of(&rare), "sparse");
        assert_eq!(shape_of(&prices), "coded");
        assert_eq!(shape_of(&[i64::MIN, i64::MAX, -1, 0, 1]), "plain");
    }

    #[test]
    fn a_common_unit_is_taken_out() {
        assert!(matches!(
            Column::pack(&[600, 0, -1_200]),
            Column::Plain { unit: 600, .. } | Column::Sparse { unit: 600, .. }
        ));
        assert_eq!(Column::pack(&[i64::MIN, i64::MIN]).unpack(2).unwrap(), [i64::MIN; 2]);
    }

    #[test]
    fn a_column_that_does_not_fit_its_rows_is_refused() {
        let list = |numbers: &[i64]| Capped(numbers.to_vec());
        let runs = |numbers: &[i64], lengths: &[u32]| Column::Runs {
            unit: 1,
            numbers: list(numbers),
            lengths: Capped(lengths.to_vec()),
        };
        let sparse = |gaps: &[u32]| Column::Sparse {
            unit: 1,
            gaps: Capped(gaps.to_vec()),
            numbers: list(&[1, 1]),
        };
        for bad in [
            Column::Plain {
                unit: 1,
                numbers: list(&[1, 2]),
            },
            Column::Plain {
                unit: 3,
                numbers: list(&[i64::MAX, 0, 0]),
            },
            runs(&[1], &[u32::MAX]),
            runs(&[1], &[2]),
            sparse(&[3]),
            sparse(&[0, u32::MAX]),
            Column::Coded {
                unit: 1,
                distinct: list(&[1]),
                which: Capped(vec![0, 0, 1]),
            },
        ] {
            assert_eq!(bad.clone().unpack(3), Err(Flaw::Columns), "{bad:?}");
        }
    }
}
