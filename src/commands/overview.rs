//! `branchline status --headless hq`: what head office holds, branch by branch.

use serde::Serialize;

use super::status::rfc3339;
use super::{CommandError, Console, Exit};
use crate::store::hq::{BranchOverview, HqDb, Overview};
use crate::text::Text;

pub(super) fn run(db: &mut HqDb, json: bool, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let overview = db.overview()?;
    if json {
        let report = Report::of(db.store().to_string(), &overview);
        let report = serde_json::to_string(&report).map_err(|error| CommandError::Terminal(error.into()))?;
        console.say(&report)?;
    } else {
        for line in in_words(&overview) {
            console.say(&line)?;
        }
    }
    let is_well = overview.quarantined == 0 && overview.branches.iter().all(|branch| branch.conflicts == 0);
    Ok(if is_well { Exit::Done } else { Exit::Attention })
}

/// The overview as JSON has it. Money is text, so that it stays exact.
#[derive(Serialize)]
struct Report {
    store: String,
    sales: u64,
    conflicts: u64,
    quarantined: u64,
    branches: Vec<BranchReport>,
}

#[derive(Serialize)]
struct BranchReport {
    branch: String,
    sales: u64,
    voided: u64,
    qty: u128,
    amount: String,
    conflicts: u64,
    last_seen_at: String,
}

impl Report {
    fn of(store: String, overview: &Overview) -> Self {
        let branches = &overview.branches;
        Self {
            store,
            sales: branches.iter().map(|branch| branch.sales).sum(),
            conflicts: branches.iter().map(|branch| branch.conflicts).sum(),
            quarantined: overview.quarantined,
            branches: branches.iter().map(BranchReport::of).collect(),
        }
    }
}

impl BranchReport {
    fn of(branch: &BranchOverview) -> Self {
        Self {
            branch: branch.branch.clone(),
            sales: branch.sales,
            voided: branch.voided,
            qty: branch.qty,
            amount: branch.amount.to_string(),
            conflicts: branch.conflicts,
            last_seen_at: rfc3339(branch.last_seen_at),
        }
    }
}

fn in_words(overview: &Overview) -> Vec<String> {
    let text = Text::english();
    let count = |count: u64| text.count(count.into());
    let mut lines = vec![format!(
        "{:<32} {:>12} {:>10} {:>18}  last heard (UTC)",
        "branch", "sales", "voided", "amount"
    )];
    for branch in &overview.branches {
        lines.push(format!(
            "{:<32} {:>12} {:>10} {:>18}  {}",
            branch.branch,
            count(branch.sales),
            count(branch.voided),
            text.money(branch.amount),
            branch.last_seen_at.to_utc().format("%Y-%m-%d %H:%M:%S"),
        ));
        if branch.conflicts > 0 {
            lines.push(format!(
                "  {} conflicts: other contents came under keys that are taken. The branch shows them, and settles them there.",
                count(branch.conflicts)
            ));
        }
    }
    if overview.quarantined > 0 {
        let messages = count(overview.quarantined);
        lines.push(format!(
            "{messages} messages in the quarantine: see `branchline quarantine list`."
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::MoneySum;
    use crate::domain::time::UtcMillis;

    fn overview() -> Overview {
        Overview {
            branches: vec![BranchOverview {
                branch: "TUNIS-01".into(),
                sales: 42_113,
                voided: 2,
                qty: 7,
                amount: MoneySum(18_405_000),
                conflicts: 1,
                last_seen_at: UtcMillis(1_795_356_451_250),
            }],
            quarantined: 3,
        }
    }

    #[test]
    fn the_json_has_the_sums_of_all_branches_and_each() {
        let json = serde_json::to_value(Report::of("5e".into(), &overview())).unwrap();
        let expected = serde_json::json!({
            "store": "5e", "sales": 42_113, "conflicts": 1, "quarantined": 3,
            "branches": [{
                "branch": "TUNIS-01", "sales": 42_113, "voided": 2, "qty": 7, "amount": "1840.50", "conflicts": 1,
                "last_seen_at": "2026-11-22T14:07:31.250Z",
            }],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn words_name_what_wants_attention() {
        let lines = in_words(&overview());
        assert!(
            lines[1].starts_with("TUNIS-01 ") && lines[1].contains("42,113") && lines[1].contains("1,840.50"),
            "{lines:?}"
        );
        assert!(
            lines[2].contains("1 conflicts") && lines[3].contains("3 messages in the quarantine"),
            "{lines:?}"
        );
    }
}
