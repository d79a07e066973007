//! `branchline status`: how far ahead of head office the branch is, for people and for programs.

use serde::Serialize;

use super::{CommandError, Console, Exit, doctor};
use crate::clock;
use crate::domain::event::LogEvent;
use crate::domain::line::DataUsed;
use crate::domain::read::{BranchStatus, LineState};
use crate::domain::time::UtcMillis;
use crate::store::branch::BranchDb;
use crate::text::Text;

/// A worker that has said nothing of itself for this long is not running, in milliseconds.
pub(super) const WORKER_SILENT_MS: u64 = 30_000;

/// For how long a failure of the worker is told, in milliseconds.
const TOLD_MS: u64 = 10 * 60 * 1_000;
/// How many lines of the log are looked through for one.
const LOOKED_THROUGH: u32 = 200;
/// Below so many free bytes a disk is as good as full: a transaction may need more.
const FULL_BYTES: u64 = 4 << 20;

pub(super) fn run(db: &mut BranchDb, json: bool, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let status = db.status()?;
    let used = db.data_used(clock::local().date())?;
    let now = clock::wall();
    let full = disk_in_words(doctor::room(db.path())?);
    if json {
        let report = serde_json::to_string(&Report::of(&status, used, now))
            .map_err(|error| CommandError::Terminal(error.into()))?;
        console.say(&report)?;
    } else {
        for line in in_words(&status, used, now) {
            console.say(&line)?;
        }
        if let Some(at) = last_failure(db, now)? {
            console.say(&format!(
                "  The sync worker failed and was started again {} ago; `branchline doctor` says more.",
                Text::english().duration(now.since(at))
            ))?;
        }
    }
    if !json && let Some(full) = full {
        console.say(full)?;
    }
    let is_well = status.in_step() && full.is_none();
    Ok(if is_well { Exit::Done } else { Exit::Attention })
}

/// What is to be said of the disk with so many free bytes. A worker that can't write can't write that it can't, either.
fn disk_in_words(free: u64) -> Option<&'static str> {
    (free < FULL_BYTES).then_some(
        "  The database's disk is full: no sale can be saved or sent until there is room; `branchline doctor` says more.",
    )
}

/// When the worker last failed, if that is worth a word.
fn last_failure(db: &mut BranchDb, now: UtcMillis) -> Result<Option<UtcMillis>, CommandError> {
    let lately = db.log_tail(LOOKED_THROUGH)?;
    let failure = lately.iter().rev().find(|line| line.event == LogEvent::WorkerRestarted);
    Ok(failure.map(|line| line.at).filter(|at| now.since(*at) < TOLD_MS))
}

/// The worker's line, if a worker has lately said something of itself.
pub(super) fn line(status: &BranchStatus, now: UtcMillis) -> LineState {
    let fresh = status.worker.filter(|worker| now.since(worker.at) < WORKER_SILENT_MS);
    fresh.map_or(LineState::Off, |worker| worker.line)
}

/// The status as JSON has it. Money is text, so that it stays exact; moments are RFC 3339 in UTC.
#[derive(Debug, Serialize)]
struct Report {
    branch: String,
    ledger: String,
    /// All rows: acked, pending, sent, rejected and conflicts add up to it.
    sales: u64,
    /// How many of them are voided.
    voided: u64,
    acked: u64,
    pending: u64,
    sent: u64,
    rejected: u64,
    conflicts: u64,
    ahead: u64,
    ahead_amount: String,
    oldest_ahead_seconds: Option<u64>,
    in_step: bool,
    connected: bool,
    line: &'static str,
    trial: bool,
    last_receipt_at: Option<String>,
    last_heard_at: Option<String>,
    hq_store: Option<String>,
    hq_clock_ahead_ms: i64,
    highest_id: i64,
    /// Bytes on the line, both ways.
    data_today: u64,
    data_this_month: u64,
}

impl Report {
    fn of(status: &BranchStatus, used: DataUsed, now: UtcMillis) -> Self {
        let line = line(status, now);
        Self {
            branch: status.branch.to_string(),
            ledger: status.ledger.to_string(),
            sales: status.rows,
            voided: status.rows - status.sales,
            acked: status.acked,
            pending: status.pending,
            sent: status.sent,
            rejected: status.rejected,
            conflicts: status.conflicts,
            ahead: status.ahead(),
            ahead_amount: status.ahead_amount.to_string(),
            oldest_ahead_seconds: status.oldest_ahead.map(|oldest| now.since(oldest) / 1_000),
            in_step: status.in_step(),
            connected: is_open(line),
            line: word(line),
            trial: status.worker.is_some_and(|worker| worker.trial),
            last_receipt_at: status.last_receipt_at.map(rfc3339),
            last_heard_at: status.last_heard_at.map(rfc3339),
            hq_store: status.store.map(|store| store.to_string()),
            hq_clock_ahead_ms: status.skew_ms,
            highest_id: status.highest_id,
            data_today: used.today.total(),
            data_this_month: used.month.total(),
        }
    }
}

/// A moment as programs read it: `2026-11-22T14:07:31.250Z`.
pub(super) fn rfc3339(moment: UtcMillis) -> String {
    moment.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

const fn is_open(line: LineState) -> bool {
    match line {
        LineState::Up | LineState::Blocked | LineState::Stranger => true,
        LineState::Off | LineState::Down | LineState::Resting | LineState::OutOfHours => false,
    }
}

const fn word(line: LineState) -> &'static str {
    match line {
        LineState::Off => "off",
        LineState::Down => "down",
        LineState::Up => "up",
        LineState::Blocked => "blocked",
        LineState::Stranger => "stranger",
        LineState::Resting => "resting",
        LineState::OutOfHours => "out-of-hours",
    }
}

fn in_words(status: &BranchStatus, used: DataUsed, now: UtcMillis) -> Vec<String> {
    let text = Text::english();
    let count = |count: u64| text.count(count.into());
    let since = |moment: Option<UtcMillis>| moment.map(|moment| text.duration(now.since(moment)));
    let mut lines = vec![if status.in_step() {
        format!(
            "{}: in step, all {} sales are at head office.",
            status.branch,
            count(status.rows)
        )
    } else {
        format!(
            "{}: {} of {} sales are ahead of head office, {} in all, the oldest for {}.",
            status.branch,
            count(status.ahead()),
            count(status.rows),
            text.money(status.ahead_amount),
            since(status.oldest_ahead).unwrap_or_else(|| text.duration(0)),
        )
    }];
    if !status.in_step() {
        lines.push(format!(
            "  {} pending, {} sent, {} rejected, {} in conflict, {} acked",
            count(status.pending),
            count(status.sent),
            count(status.rejected),
            count(status.conflicts),
            count(status.acked),
        ));
    }
    if status.recalled > 0 {
        lines.push(format!(
            "  Up to {} more are being looked through: they go again, because head office may have lost or replaced them.",
            count(status.recalled)
        ));
    }
    lines.push(format!("  {}", line_in_words(line(status, now))));
    if let Some(since) = since(status.last_receipt_at) {
        lines.push(format!("  The last receipt came {since} ago."));
    }
    if used.month.total() > 0 {
        let (today, month) = (text.megabytes(used.today.total()), text.megabytes(used.month.total()));
        lines.push(format!("  The line has carried {today} today and {month} this month."));
    }
    lines
}

const fn line_in_words(line: LineState) -> &'static str {
    match line {
        LineState::Off => "No sync worker is running.",
        LineState::Down => "The line is down; the sync worker tries again by itself.",
        LineState::Up => "The line is up.",
        LineState::Blocked => "The line is up, but the broker takes nothing for now.",
        LineState::Stranger => "The line is up, but another head office answers than the one that this branch knows.",
        LineState::Resting => "The line is closed to save data; it opens for the next sale.",
        LineState::OutOfHours => "The line is closed outside its hours.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BranchCode, LedgerId};
    use crate::domain::line::Traffic;
    use crate::domain::money::MoneySum;
    use crate::domain::read::WorkerStamp;

    const NOW: UtcMillis = UtcMillis(1_795_356_451_250);
    const USED: DataUsed = DataUsed {
        today: Traffic {
            up: 240_000,
            down: 60_000,
        },
        month: Traffic {
            up: 9_000_000,
            down: 3_400_000,
        },
    };

    fn status(pending: u64) -> BranchStatus {
        BranchStatus {
            branch: BranchCode::parse("TUNIS-01").unwrap(),
            ledger: LedgerId::from_random(7),
            rows: 42_113,
            sales: 42_111,
            acked: 42_113 - pending,
            pending,
            sent: 0,
            rejected: 0,
            conflicts: 0,
            recalled: 0,
            ahead_amount: MoneySum(18_405_000),
            oldest_ahead: (pending > 0).then_some(UtcMillis(NOW.0 - 11_520_000)),
            highest_id: 42_113,
            store: None,
            last_receipt_at: Some(NOW),
            last_heard_at: None,
            skew_ms: 0,
            worker: Some(WorkerStamp {
                at: UtcMillis(NOW.0 - 1_000),
                pid: 1,
                line: LineState::Up,
                trial: false,
            }),
        }
    }

    #[test]
    fn the_json_has_every_promised_field() {
        let json = serde_json::to_value(Report::of(&status(12), USED, NOW)).unwrap();
        let expected = serde_json::json!({
            "branch": "TUNIS-01", "ledger": "00000000000000000000000000000007", "sales": 42_113, "voided": 2, "acked": 42_101,
            "pending": 12, "sent": 0, "rejected": 0, "conflicts": 0, "ahead": 12, "ahead_amount": "1840.50",
            "oldest_ahead_seconds": 11_520, "in_step": false, "connected": true, "line": "up", "trial": false,
            "last_receipt_at": "2026-11-22T14:07:31.250Z", "last_heard_at": null, "hq_store": null, "hq_clock_ahead_ms": 0,
            "highest_id": 42_113, "data_today": 300_000, "data_this_month": 12_400_000,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_worker_that_has_fallen_silent_is_not_connected() {
        let mut status = status(0);
        assert!(Report::of(&status, USED, NOW).connected);
        status.worker.as_mut().unwrap().at = UtcMillis(NOW.0 - 31_000);
        let report = Report::of(&status, USED, NOW);
        assert!(!report.connected && report.line == "off");
    }

    #[test]
    fn a_full_disk_is_said_and_no_other() {
        assert!(disk_in_words(1 << 20).unwrap().contains("disk is full"));
        assert_eq!(disk_in_words(1 << 30), None);
    }

    #[test]
    fn words_say_what_is_ahead_or_that_all_is_in_step() {
        assert_eq!(
            in_words(&status(12), USED, NOW),
            [
                "TUNIS-01: 12 of 42,113 sales are ahead of head office, 1,840.50 in all, the oldest for 3 h 12 m.",
                "  12 pending, 0 sent, 0 rejected, 0 in conflict, 42,101 acked",
                "  The line is up.",
                "  The last receipt came 0 s ago.",
                "  The line has carried 0.3 MB today and 12.4 MB this month.",
            ]
        );
        assert_eq!(
            in_words(&status(0), USED, NOW)[0],
            "TUNIS-01: in step, all 42,113 sales are at head office."
        );
    }
}
