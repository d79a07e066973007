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
//! | 5, bits | unit (`u`), least number (`i`), width (a byte, at most 56) |
//!
//! The numbers of a column in bits are in the section of bits, from a whole byte on: each row's number less the least in `width` bits, the lowest bit first.
//! Numbers are divided by the unit. Bits are for numbers that nobody can foresee, and for columns of so few rows that nothing in them comes again: packing finds nothing in
//! either, and they would keep it from finding what is in the others.

use serde::{Deserialize, Serialize};

use super::super::capped::Capped;
use super::super::{Flaw, MAX_ROWS};

type List<T> = Capped<T, MAX_ROWS>;

/// More distinct numbers than this don't fit into a byte.
const MAX_DISTINCT: usize = 256;
/// So wide a number and what is left of the byte before it fit into 64 bits.
const MAX_WIDTH: u32 = 56;
/// In a column of so few rows packing finds nothing that comes again.
const FEW_ROWS: usize = 64;

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
    Bits {
        unit: u32,
        least: i64,
        width: u8,
    },
}

/// How a column is going to be packed: sizes are compared before anything is built.
#[derive(Debug)]
pub(super) struct Plan {
    unit: u32,
    numbers: Vec<i64>,
    shape: Shape,
    /// About how many bytes the column is long before packing.
    pub(super) bytes: usize,
}

#[derive(Debug)]
enum Shape {
    Zeros,
    Plain,
    Runs,
    Sparse,
    /// The distinct numbers, in order.
    Coded(Vec<i64>),
    Bits {
        least: i64,
        width: u32,
    },
}

impl Plan {
    /// The shape that is the shortest for these numbers.
    pub(super) fn of(numbers: Vec<i64>) -> Self {
        let few = numbers.len() <= FEW_ROWS;
        Self::choose(numbers, few)
    }

    /// The same for numbers of which nobody can foresee one from another.
    pub(super) fn of_unforeseen(numbers: Vec<i64>) -> Self {
        Self::choose(numbers, true)
    }

    fn choose(mut numbers: Vec<i64>, as_bits: bool) -> Self {
        let Some(unit) = common_unit(&numbers) else {
            return Self {
                unit: 1,
                numbers,
                shape: Shape::Zeros,
                bytes: 0,
            };
        };
        if unit > 1 {
            for number in &mut numbers {
                *number /= i64::from(unit);
            }
        }
        let plain = numbers.iter().map(|number| signed_bytes(*number)).sum();
        let mut best = (plain, Shape::Plain);
        // Of equals the first, so that plain wins a tie: it packs best.
        let offer = |best: &mut (usize, Shape), bytes, shape| {
            if bytes < best.0 {
                *best = (bytes, shape);
            }
        };
        offer(&mut best, runs_bytes(&numbers), Shape::Runs);
        offer(&mut best, sparse_bytes(&numbers), Shape::Sparse);
        // It takes a byte for each number at least.
        if best.0 > numbers.len()
            && let Some(distinct) = distinct(&numbers)
        {
            let bytes = distinct.iter().map(|number| signed_bytes(*number)).sum::<usize>() + numbers.len();
            offer(&mut best, bytes, Shape::Coded(distinct));
        }
        if as_bits && let Some((least, width)) = range(&numbers) {
            offer(
                &mut best,
                signed_bytes(least) + packed_bytes(numbers.len(), width),
                Shape::Bits { least, width },
            );
        }
        let (bytes, shape) = best;
        Self {
            unit,
            numbers,
            shape,
            bytes,
        }
    }

    /// Packs the numbers; what is written in bits goes to the end of `bits`.
    pub(super) fn pack(self, bits: &mut Vec<u8>) -> Column {
        let Self { unit, numbers, .. } = self;
        match self.shape {
            Shape::Zeros => Column::Zeros,
            Shape::Plain => Column::Plain {
                unit,
                numbers: Capped(numbers),
            },
            Shape::Runs => {
                let runs = || numbers.chunk_by(|one, next| one == next);
                Column::Runs {
                    unit,
                    numbers: Capped(runs().map(|run| run[0]).collect()),
                    lengths: Capped(runs().map(run_length).collect()),
                }
            }
            Shape::Sparse => Column::Sparse {
                unit,
                gaps: Capped(gaps(numbers.iter().map(|number| *number != 0))),
                numbers: Capped(numbers.into_iter().filter(|number| *number != 0).collect()),
            },
            Shape::Coded(distinct) => {
                let place = |number: &i64| {
                    let at = distinct
                        .binary_search(number)
                        .expect("every number is among the distinct");
                    u8::try_from(at).expect("there are at most 256 distinct numbers")
                };
                Column::Coded {
                    unit,
                    which: Capped(numbers.iter().map(place).collect()),
                    distinct: Capped(distinct),
                }
            }
            Shape::Bits { least, width } => {
                write_bits(bits, &numbers, least, width);
                Column::Bits {
                    unit,
                    least,
                    width: u8::try_from(width).expect("a width is at most 56"),
                }
            }
        }
    }
}

impl Column {
    /// The numbers, if they are as many as there are rows. What was written in bits is taken off the beginning of `bits`.
    pub(super) fn unpack(self, rows: usize, bits: &mut &[u8]) -> Result<Vec<i64>, Flaw> {
        let (unit, mut numbers) = match self {
            Self::Zeros => (1, vec![0; rows]),
            Self::Plain { unit, numbers } => (unit, numbers.0),
            Self::Runs { unit, numbers, lengths } => (unit, from_runs(numbers.0, lengths.0, rows)?),
            Self::Sparse { unit, gaps, numbers } => (unit, from_sparse(gaps.0, numbers.0, rows)?),
            Self::Coded { unit, distinct, which } => {
                let number = |at: u8| distinct.0.get(usize::from(at)).copied().ok_or(Flaw::Columns);
                (unit, which.0.into_iter().map(number).collect::<Result<_, _>>()?)
            }
            Self::Bits { unit, least, width } => (unit, read_bits(bits, rows, least, width.into())?),
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
}

fn run_length(run: &[i64]) -> u32 {
    u32::try_from(run.len()).expect("a column has at most MAX_ROWS numbers")
}

fn runs_bytes(numbers: &[i64]) -> usize {
    let bytes = |run: &[i64]| signed_bytes(run[0]) + varint_bytes(run.len() as u64);
    numbers.chunk_by(|one, next| one == next).map(bytes).sum()
}

fn sparse_bytes(numbers: &[i64]) -> usize {
    let (mut bytes, mut gap) = (0, 0);
    for number in numbers {
        if *number == 0 {
            gap += 1;
        } else {
            bytes += signed_bytes(*number) + varint_bytes(gap);
            gap = 0;
        }
    }
    bytes
}

/// The distinct numbers in order, unless they are more than [`MAX_DISTINCT`].
fn distinct(numbers: &[i64]) -> Option<Vec<i64>> {
    let mut distinct = Vec::with_capacity(MAX_DISTINCT);
    for number in numbers {
        if let Err(at) = distinct.binary_search(number) {
            if distinct.len() == MAX_DISTINCT {
                return None;
            }
            distinct.insert(at, *number);
        }
    }
    Some(distinct)
}

/// The least number, and in how many bits all fit that are counted from it.
fn range(numbers: &[i64]) -> Option<(i64, u32)> {
    let (least, most) = (*numbers.iter().min()?, *numbers.iter().max()?);
    let width = u64::BITS - most.checked_sub(least)?.cast_unsigned().leading_zeros();
    (width <= MAX_WIDTH).then_some((least, width))
}

fn packed_bytes(rows: usize, width: u32) -> usize {
    (rows * width as usize).div_ceil(8)
}

fn write_bits(bits: &mut Vec<u8>, numbers: &[i64], least: i64, width: u32) {
    let (mut waiting, mut held) = (0_u64, 0);
    for number in numbers {
        waiting |= number.wrapping_sub(least).cast_unsigned() << held;
        held += width;
        while held >= 8 {
            bits.push(waiting.to_le_bytes()[0]);
            waiting >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        bits.push(waiting.to_le_bytes()[0]);
    }
}

fn read_bits(bits: &mut &[u8], rows: usize, least: i64, width: u32) -> Result<Vec<i64>, Flaw> {
    if width > MAX_WIDTH {
        return Err(Flaw::Columns);
    }
    let (packed, rest) = bits.split_at_checked(packed_bytes(rows, width)).ok_or(Flaw::Columns)?;
    *bits = rest;
    let (mut packed, mut waiting, mut held) = (packed.iter(), 0_u64, 0);
    let mut numbers = Vec::with_capacity(rows);
    for _ in 0..rows {
        while held < width {
            let byte = packed.next().ok_or(Flaw::Columns)?;
            waiting |= u64::from(*byte) << held;
            held += 8;
        }
        let above = (waiting & ((1 << width) - 1)).cast_signed();
        numbers.push(least.checked_add(above).ok_or(Flaw::Columns)?);
        waiting >>= width;
        held -= width;
    }
    Ok(numbers)
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

const fn signed_bytes(number: i64) -> usize {
    varint_bytes(((number << 1) ^ (number >> 63)).cast_unsigned())
}

const fn varint_bytes(number: u64) -> usize {
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(plan: Plan) -> &'static str {
        let (mut bits, unit) = (Vec::new(), i64::from(plan.unit));
        let numbers: Vec<i64> = plan.numbers.iter().map(|number| number * unit).collect();
        let column = plan.pack(&mut bits);
        let shape = match column {
            Column::Zeros => "zeros",
            Column::Plain { .. } => "plain",
            Column::Runs { .. } => "runs",
            Column::Sparse { .. } => "sparse",
            Column::Coded { .. } => "coded",
            Column::Bits { .. } => "bits",
        };
        let mut left = bits.as_slice();
        assert_eq!(column.unpack(numbers.len(), &mut left).unwrap(), numbers);
        assert!(left.is_empty());
        shape
    }

    #[test]
    fn each_column_takes_the_shape_that_suits_it() {
        let shape = |numbers: &[i64]| shape_of(Plan::of(numbers.to_vec()));
        let mut rare = [0; 100];
        rare[70] = -3;
        let prices: Vec<_> = (0..200).map(|at| 100_000 + 777 * (at * at % 7)).collect();
        let different: Vec<_> = (0..63).chain(0..63).collect();
        let moments: Vec<_> = (0..1_000).map(|at| at * 7_919 % 10_007).collect();
        assert_eq!(shape(&[]), "zeros");
        assert_eq!(shape(&[0; 100]), "zeros");
        assert_eq!(shape(&[7]), "plain");
        assert_eq!(shape(&different), "plain");
        assert_eq!(shape(&[5; 100]), "runs");
        assert_eq!(shape(&rare), "sparse");
        assert_eq!(shape(&prices), "coded");
        assert_eq!(shape(&[9, 5, 1, 3, 7, 1, 2, 6]), "bits");
        assert_eq!(shape(&moments), "plain");
        assert_eq!(shape_of(Plan::of_unforeseen(moments)), "bits");
    }

    #[test]
    fn numbers_of_every_width_read_back() {
        for width in 1..=62 {
            let numbers: Vec<i64> = (0..9)
                .map(|at| (1 << width) - 1 - at % 2 * (1 << (width - 1)))
                .collect();
            shape_of(Plan::of(numbers));
        }
        for numbers in [[i64::MIN, i64::MAX, -1, 0, 1], [i64::MIN; 5]] {
            let mut bits = Vec::new();
            let column = Plan::of(numbers.to_vec()).pack(&mut bits);
            assert_eq!(column.unpack(5, &mut bits.as_slice()).unwrap(), numbers);
        }
    }

    #[test]
    fn a_common_unit_is_taken_out() {
        assert_eq!(Plan::of(vec![600, 0, -1_200]).unit, 600);
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
        let bits = |least, width| Column::Bits { unit: 1, least, width };
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
            bits(0, 57),
            bits(0, 25),
            bits(i64::MAX, 1),
        ] {
            assert_eq!(
                bad.clone().unpack(3, &mut [0xff_u8; 9].as_slice()),
                Err(Flaw::Columns),
                "{bad:?}"
            );
        }
    }
}
