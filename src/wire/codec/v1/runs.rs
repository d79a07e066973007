//! Runs of neighbouring sales: how ids and revisions travel. In order: for each run its first id less the last id of the run before (less zero for the first
//! run), a list of `i`; how many ids each has, a list of `u`; their revision, a list of `u`.

use serde::{Deserialize, Serialize};

use super::super::capped::Capped;
use super::super::{Flaw, MAX_ROWS};
use crate::domain::ids::{Revision, Run, SaleId};

type List<T> = Capped<T, MAX_ROWS>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Runs {
    steps: List<i64>,
    counts: List<u32>,
    revisions: List<u32>,
}

impl Runs {
    pub(super) fn pack(runs: &[Run]) -> Self {
        let mut last = 0;
        let step = |run: &Run| {
            let step = run.first.get() - last;
            last = run.last().get();
            step
        };
        Self {
            steps: Capped(runs.iter().map(step).collect()),
            counts: Capped(runs.iter().map(|run| run.count).collect()),
            revisions: Capped(runs.iter().map(|run| run.revision.get()).collect()),
        }
    }

    /// The runs, which together name at most [`MAX_ROWS`] sales.
    pub(super) fn unpack(self) -> Result<Vec<Run>, Flaw> {
        let (steps, counts, revisions) = (self.steps.0, self.counts.0, self.revisions.0);
        if steps.len() != counts.len() || steps.len() != revisions.len() {
            return Err(Flaw::Columns);
        }
        let (mut last, mut rows) = (0_i64, 0_usize);
        let mut runs = Vec::with_capacity(steps.len());
        for ((step, count), revision) in steps.into_iter().zip(counts).zip(revisions) {
            rows = rows.saturating_add(count as usize);
            if count == 0 || rows > MAX_ROWS {
                return Err(Flaw::Rows);
            }
            let first = last.checked_add(step).and_then(SaleId::new).ok_or(Flaw::Id)?;
            last = first.get().checked_add(i64::from(count) - 1).ok_or(Flaw::Id)?;
            let revision = Revision::new(revision).ok_or(Flaw::Id)?;
            runs.push(Run { first, count, revision });
        }
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(steps: &[i64], counts: &[u32], revisions: &[u32]) -> Runs {
        Runs {
            steps: Capped(steps.to_vec()),
            counts: Capped(counts.to_vec()),
            revisions: Capped(revisions.to_vec()),
        }
    }

    #[test]
    fn runs_read_back_even_at_the_end_of_the_numbers() {
        let run = |first, count, revision| Run {
            first: SaleId::new(first).unwrap(),
            count,
            revision: Revision::new(revision).unwrap(),
        };
        let list = [
            run(40, 3, 1),
            run(43, 1, 2),
            run(1, 5, 1),
            run(i64::MAX - 1, 2, u32::MAX),
            run(7, 1, 1),
        ];
        assert_eq!(Runs::pack(&list).unpack().unwrap(), list);
    }

    #[test]
    fn impossible_runs_are_refused() {
        for (bad, flaw) in [
            (runs(&[0], &[1], &[1]), Flaw::Id),
            (runs(&[5, -6], &[1, 1], &[1, 1]), Flaw::Id),
            (runs(&[1], &[1], &[0]), Flaw::Id),
            (runs(&[i64::MAX], &[2], &[1]), Flaw::Id),
            (runs(&[1], &[0], &[1]), Flaw::Rows),
            (runs(&[1], &[u32::MAX], &[1]), Flaw::Rows),
            (runs(&[1, 1], &[5_001, 5_000], &[1, 2]), Flaw::Rows),
            (runs(&[1, 1], &[1], &[1]), Flaw::Columns),
        ] {
            assert_eq!(bad.clone().unpack(), Err(flaw), "{bad:?}");
        }
    }
}
