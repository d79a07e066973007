//! What the facts mean: for each thing that can be well or not, one finding with a remedy.

use std::path::{Path, PathBuf};

use super::Reached;
use crate::commands::status;
use crate::domain::event::{LinkTrouble, LogEvent, LogLine};
use crate::domain::read::{BranchStatus, LineState};
use crate::domain::time::UtcMillis;
use crate::store::branch::Audit;
use crate::text::Text;

/// From how many milliseconds on the branch's clock and HQ's are too far apart.
const MAX_SKEW_MS: u64 = 60_000;
/// Below how many free bytes a branch can't sell for long.
const FEW_BYTES: u64 = 256 << 20;
/// What to do when two programs work under one branch's code.
const SECOND_COMPUTER: &str = "Find a second computer with this branch's code and a database of its own, and stop it: what it sells reaches head office, but it takes \
     receipts that are meant for this one. If the line has just broken, the broker may take this computer for two: ask again in three minutes.";
/// For how long the doctor explains what has happened, in milliseconds: a week.
const EXPLAINED_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How many differences or damages are listed.
const MAX_LISTED: usize = 10;

/// What the doctor knows.
#[derive(Debug)]
pub(super) struct Facts {
    /// The database.
    pub(super) path: PathBuf,
    /// What SQLite says is wrong with the file.
    pub(super) damage: Vec<String>,
    /// SQLite's version.
    pub(super) sqlite: String,
    /// Where kept numbers differ from the rows.
    pub(super) audit: Audit,
    /// How the branch stands.
    pub(super) status: BranchStatus,
    /// The present time.
    pub(super) now: UtcMillis,
    /// What happened lately, oldest first.
    pub(super) events: Vec<LogLine>,
    /// Whether a program runs the sync worker, or at least keeps others from it.
    pub(super) worker_holds_lock: bool,
    /// The database's files and its folder where this user may not write them.
    pub(super) read_only_files: Vec<PathBuf>,
    /// The database's files where a group shares them.
    pub(super) shared_files: Vec<SharedFile>,
    /// The room on the disk.
    pub(super) free_bytes: u64,
    /// The broker's address.
    pub(super) broker: String,
    /// Whether the line can be overheard.
    pub(super) broker_is_exposed: bool,
    /// What the broker says to this branch.
    pub(super) reached: Reached,
}

/// A file that several users share.
#[derive(Debug)]
pub(super) struct SharedFile {
    /// Which.
    pub(super) path: PathBuf,
    /// Whether the group may write it.
    pub(super) group_writes: bool,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    says: String,
    remedy: Option<String>,
}

impl Finding {
    fn well(says: impl Into<String>) -> Self {
        Self {
            says: says.into(),
            remedy: None,
        }
    }

    fn ill(says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            says: says.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// Whether nothing need be done.
    pub(super) const fn is_well(&self) -> bool {
        self.remedy.is_none()
    }

    /// The finding as it is printed.
    pub(super) fn lines(&self) -> Vec<String> {
        match &self.remedy {
            None => vec![format!("ok    {}", self.says)],
            Some(remedy) => vec![format!("LOOK  {}", self.says), format!("      -> {remedy}")],
        }
    }
}

/// What the facts mean, in the order in which one would look.
pub(super) fn of(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![
        file(&facts.path, &facts.damage),
        sqlite(facts),
        kept_numbers(facts),
        disk(facts),
    ];
    found.extend(permissions(facts));
    found.extend([worker(facts), line(facts), reach(facts), clock(facts)]);
    found.extend(databases(facts));
    found.extend(waiting(facts));
    found
}

/// What SQLite finds of the file itself.
pub(super) fn file(path: &Path, damage: &[String]) -> Finding {
    let path = path.display();
    if damage.is_empty() {
        return Finding::well(format!("{path} is sound."));
    }
    Finding::ill(
        format!("{path} is damaged: {}", listed(damage)),
        "Copy it with its -wal and -shm before anything else. Then put the last backup in its place; sales that head office has acknowledged are there.",
    )
}

fn sqlite(facts: &Facts) -> Finding {
    // A version that could damage the file would not have opened it.
    Finding::well(format!(
        "SQLite {} is safe for several programs on one file.",
        facts.sqlite
    ))
}

fn kept_numbers(facts: &Facts) -> Finding {
    if facts.audit.is_clean() {
        return Finding::well(format!(
            "All that is counted agrees with the {} rows.",
            facts.audit.rows
        ));
    }
    let differences: Vec<_> = facts.audit.differences.iter().map(ToString::to_string).collect();
    Finding::ill(
        format!("Numbers differ from the rows: {}", listed(&differences)),
        "The rows are right, and `branchline resend` makes sure that head office has them. Please report this: it should not happen.",
    )
}

fn disk(facts: &Facts) -> Finding {
    let megabytes = facts.free_bytes >> 20;
    let says = format!("The disk has {megabytes} MB left.");
    if facts.free_bytes >= FEW_BYTES {
        Finding::well(says)
    } else {
        Finding::ill(says, "Make room: without it no sale can be saved.")
    }
}

fn permissions(facts: &Facts) -> Option<Finding> {
    if !facts.read_only_files.is_empty() {
        let files: Vec<_> = facts
            .read_only_files
            .iter()
            .map(|path| format!("'{}'", path.display()))
            .collect();
        return Some(Finding::ill(
            format!("This user may not write {}: nothing can be saved.", files.join(" ")),
            format!(
                "As their owner: chmod u+w {0}; or give them to this user: chown \"$USER\" {0}",
                files.join(" ")
            ),
        ));
    }
    if facts.shared_files.is_empty() {
        return None;
    }
    let mut closed = facts.shared_files.iter().filter(|file| !file.group_writes);
    let Some(first) = closed.next() else {
        return Some(Finding::well("The group may write all files of the database."));
    };
    let more = closed.fold(String::new(), |all, file| format!("{all} '{}'", file.path.display()));
    Some(Finding::ill(
        "The folder is shared by a group that may not write all files of the database.",
        format!("chmod g+rw '{}'{more}", first.path.display()),
    ))
}

fn worker(facts: &Facts) -> Finding {
    let line = status::line(&facts.status, facts.now);
    match (facts.worker_holds_lock, line, facts.status.worker) {
        (true, LineState::Off, Some(worker)) if facts.now.since(worker.at) >= status::WORKER_SILENT_MS => Finding::ill(
            format!(
                "The sync worker (process {}) keeps its place but has said nothing for a while.",
                worker.pid
            ),
            format!(
                "It hangs or was stopped: `kill -CONT {0}` lets it go on, `kill {0}` lets another take over.",
                worker.pid
            ),
        ),
        (true, _, Some(worker)) => Finding::well(format!("A sync worker is running (process {}).", worker.pid)),
        (true, _, None) => Finding::well("A sync worker is running."),
        (false, _, _) => Finding::ill(
            "No sync worker is running, so nothing goes to head office.",
            "Open the screen with `branchline`, or run `branchline --headless branch`.",
        ),
    }
}

fn line(facts: &Facts) -> Finding {
    let broker = &facts.broker;
    let trouble = facts.events.iter().rev().find_map(|line| match line.event {
        LogEvent::LinkDown { trouble, .. } => Some(Some(trouble)),
        LogEvent::LinkUp => Some(None),
        _ => None,
    });
    match (status::line(&facts.status, facts.now), trouble.flatten()) {
        (LineState::Up, _) if facts.broker_is_exposed => Finding::ill(
            format!("The line to {broker} is up, but it is not encrypted: sales and password can be read on the way."),
            "Use an amqps:// URL.",
        ),
        (LineState::Up, _) => Finding::well(format!("The line to {broker} is up.")),
        (LineState::Blocked, _) => Finding::ill(
            format!("The broker {broker} takes nothing for now."),
            "It is short of memory or disk space: whoever runs it must make room. Sales wait here meanwhile.",
        ),
        (LineState::Stranger, _) => Finding::ill(
            format!("At {broker} answers another head office than the one that this branch knows."),
            "If it is the right one, start it with --replaces and the store id that the log shows; if not, mend --amqp.",
        ),
        (LineState::Down, Some(trouble)) => Finding::ill(
            format!(
                "The line to {broker} is down: {}.",
                Text::english().link_trouble(trouble)
            ),
            "The worker tries again by itself. Sales wait here meanwhile.",
        ),
        (LineState::Down, None) => Finding::ill(
            format!("The line to {broker} is down."),
            "The worker tries again by itself. Sales wait here meanwhile.",
        ),
        (LineState::Resting, _) => Finding::well(format!("The line to {broker} is closed to save data (`linger`).")),
        (LineState::OutOfHours, _) => {
            Finding::well(format!("The line to {broker} is closed outside its hours (`hours`)."))
        }
        (LineState::Off, _) => Finding::well(format!("The line would go to {broker}.")),
    }
}

fn reach(facts: &Facts) -> Finding {
    let broker = &facts.broker;
    match &facts.reached {
        Reached::Yes { receivers: 0 | 1 } => Finding::well(format!("The broker {broker} lets this branch in.")),
        Reached::Yes { receivers } => Finding::ill(
            format!(
                "The broker {broker} lets this branch in, but {receivers} programs take its receipts, so each of them misses some."
            ),
            SECOND_COMPUTER,
        ),
        Reached::NotAsked(why) => Finding::ill(
            format!("The broker {broker} could not be asked: {why}."),
            "Mend the configuration.",
        ),
        Reached::No(trouble) => Finding::ill(
            format!(
                "Asked just now, {broker} does not let this branch in: {}.",
                Text::english().link_trouble(*trouble)
            ),
            reach_remedy(*trouble),
        ),
    }
}

const fn reach_remedy(trouble: LinkTrouble) -> &'static str {
    match trouble {
        LinkTrouble::Unreachable => {
            "Look whether this computer has a network, whether --amqp names the right host and port, and whether the broker runs there."
        }
        LinkTrouble::NotABroker => {
            "Something else answers: log in to the guest network with a browser, or mend the port of --amqp."
        }
        LinkTrouble::LoginRefused => "Mend the user or the password of --amqp, or have the broker's user made anew.",
        LinkTrouble::NotAllowed => {
            "Have the broker's user given the rights of a branch, and look whether --amqp names the right virtual host."
        }
        LinkTrouble::Certificate => {
            "Name the authority of the broker's certificate with --amqp-ca, or mend the host of --amqp."
        }
        LinkTrouble::NoHeadOffice => "Start head office on this broker once: it makes the place for sales.",
        LinkTrouble::TimedOut | LinkTrouble::Lost | LinkTrouble::Closed => {
            "The line is slow or breaks; try again, and look at the way to the broker. Sales wait here meanwhile."
        }
    }
}

fn clock(facts: &Facts) -> Finding {
    let skew = facts.status.skew_ms;
    let Some(_) = facts.status.last_heard_at else {
        return Finding::well("Head office has not been heard yet, so the clock can't be compared.");
    };
    if skew.unsigned_abs() < MAX_SKEW_MS {
        return Finding::well("The clock agrees with head office's.");
    }
    let direction = if skew > 0 { "behind" } else { "ahead of" };
    Finding::ill(
        format!(
            "The clock is {} {direction} head office's.",
            Text::english().duration(skew.unsigned_abs())
        ),
        "Set the one that is wrong; sales keep the time that they were entered with.",
    )
}

/// Explains what the log says of databases that are not what they were.
fn databases(facts: &Facts) -> Vec<Finding> {
    let text = Text::english();
    let mut explained = Vec::new();
    let mut found = Vec::new();
    // Of each kind only the last.
    for line in facts
        .events
        .iter()
        .rev()
        .filter(|line| facts.now.since(line.at) < EXPLAINED_MS)
    {
        let kind = std::mem::discriminant(&line.event);
        if let Some(remedy) = explanation(&line.event)
            && !explained.contains(&kind)
        {
            explained.push(kind);
            let at = line.at.to_utc().format("%Y-%m-%d %H:%M UTC");
            found.push(Finding::ill(format!("{at}: {}", text.log_event(&line.event)), remedy));
        }
    }
    found.reverse();
    found
}

const fn explanation(event: &LogEvent) -> Option<&'static str> {
    match event {
        LogEvent::HqRestored { .. } => Some(
            "Head office's database was restored from a backup, or lost sales. What it has forgotten is sent again by itself; nothing need be done here.",
        ),
        LogEvent::LedgerBegun { .. } => Some(
            "This database is a copy or an old backup of one that went on without it. New sales have a ledger of their own, so nothing is confused. \
             Make sure that only one computer sells for this branch.",
        ),
        LogEvent::ForeignStore { .. } => Some(
            "Another database than before answers as head office. If head office was set up anew on purpose, start it with --replaces and the store id \
             of the old one; if not, find out who else answers on this broker.",
        ),
        LogEvent::StoreReplaced { .. } => Some(
            "Head office's database was replaced on purpose. All sales are sent to the new one by themselves; nothing need be done here.",
        ),
        LogEvent::ForeignReceipt => Some(SECOND_COMPUTER),
        LogEvent::HqOlder => {
            Some("Head office runs an older version than this branch: upgrade it. Sales wait here meanwhile.")
        }
        LogEvent::WorkerRestarted => Some(
            "The sync worker failed and was started again. If this happens often, look into the log file and report it.",
        ),
        _ => None,
    }
}

fn waiting(facts: &Facts) -> Vec<Finding> {
    let status = &facts.status;
    let text = Text::english();
    let mut found = Vec::new();
    if status.rejected > 0 {
        found.push(Finding::ill(
            format!("Head office refuses {} sales.", text.count(status.rejected.into())),
            "Open each on the screen (filter: rejected): it says why. Mend it with an edit, or void it.",
        ));
    }
    if status.conflicts > 0 {
        found.push(Finding::ill(
            format!("Head office holds something else for {} sales.", text.count(status.conflicts.into())),
            "Open each on the screen (filter: conflict): take head office's content, or keep this one as a new revision.",
        ));
    }
    let waits = status.pending + status.sent;
    if waits > 0 {
        found.push(Finding::well(format!(
            "{} sales are on their way to head office.",
            text.count(waits.into())
        )));
    } else if status.in_step() {
        found.push(Finding::well(format!(
            "All {} sales are at head office.",
            text.count(status.rows.into())
        )));
    }
    found
}

fn listed(items: &[String]) -> String {
    let shown = items[..items.len().min(MAX_LISTED)].join("; ");
    match items.len().saturating_sub(MAX_LISTED) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BranchCode, LedgerId};
    use crate::domain::money::MoneySum;
    use crate::domain::read::WorkerStamp;
    use crate::store::branch::Difference;

    const NOW: UtcMillis = UtcMillis(1_795_356_451_250);

    /// A branch that lacks nothing.
    fn well() -> Facts {
        Facts {
            path: "/data/TUNIS-01.db".into(),
            damage: Vec::new(),
            sqlite: "3.53.2".into(),
            audit: Audit::default(),
            status: BranchStatus {
                branch: BranchCode::parse("TUNIS-01").unwrap(),
                ledger: LedgerId::from_random(7),
                rows: 10,
                sales: 10,
                acked: 10,
                pending: 0,
                sent: 0,
                rejected: 0,
                conflicts: 0,
                recalled: 0,
                ahead_amount: MoneySum::ZERO,
                oldest_ahead: None,
                highest_id: 10,
                store: None,
                last_receipt_at: Some(NOW),
                last_heard_at: Some(NOW),
                skew_ms: 100,
                worker: Some(stamp(LineState::Up, 1_000)),
            },
            now: NOW,
            events: Vec::new(),
            worker_holds_lock: true,
            read_only_files: Vec::new(),
            shared_files: Vec::new(),
            free_bytes: u64::MAX,
            broker: "hq.example:5671".into(),
            broker_is_exposed: false,
            reached: Reached::Yes { receivers: 1 },
        }
    }

    fn stamp(line: LineState, age_ms: i64) -> WorkerStamp {
        WorkerStamp {
            at: UtcMillis(NOW.0 - age_ms),
            pid: 77,
            line,
            trial: false,
        }
    }

    fn event(event: LogEvent, age_ms: i64) -> LogLine {
        LogLine {
            seq: 1,
            at: UtcMillis(NOW.0 - age_ms),
            event,
        }
    }

    /// What wants attention after a change to a branch that lacks nothing.
    fn ills(change: impl FnOnce(&mut Facts)) -> Vec<String> {
        let mut facts = well();
        change(&mut facts);
        let ill = of(&facts).into_iter().filter(|finding| !finding.is_well());
        ill.map(|finding| finding.lines().join(" ")).collect()
    }

    #[test]
    fn a_branch_that_lacks_nothing_has_only_good_findings() {
        assert_eq!(ills(|_| ()), [""; 0]);
    }

    #[test]
    fn each_trouble_is_told_with_its_remedy() {
        type Change = fn(&mut Facts);
        let cases: [(Change, &str); 19] = [
            (|f| f.damage = vec!["row 3 missing".into()], "row 3 missing"),
            (|f| f.free_bytes = 3 << 20, "3 MB left"),
            (|f| f.read_only_files = vec!["/data".into()], "may not write '/data'"),
            (
                |f| f.reached = Reached::No(LinkTrouble::LoginRefused),
                "Mend the user or the password",
            ),
            (|f| f.reached = Reached::No(LinkTrouble::NotABroker), "guest network"),
            (
                |f| f.reached = Reached::Yes { receivers: 2 },
                "2 programs take its receipts",
            ),
            (|f| f.reached = Reached::NotAsked("no password".into()), "no password"),
            (|f| f.worker_holds_lock = false, "--headless branch"),
            (
                |f| f.status.worker = Some(stamp(LineState::Up, 40_000)),
                "kill -CONT 77",
            ),
            (
                |f| f.status.worker = Some(stamp(LineState::Blocked, 0)),
                "takes nothing",
            ),
            (|f| f.status.worker = Some(stamp(LineState::Stranger, 0)), "--replaces"),
            (
                |f| f.status.worker = Some(stamp(LineState::Down, 0)),
                "hq.example:5671 is down",
            ),
            (|f| f.broker_is_exposed = true, "amqps://"),
            (|f| f.status.skew_ms = 3_600_000, "1 h behind head office's"),
            (|f| f.status.skew_ms = -3_600_000, "1 h ahead of head office's"),
            (
                |f| f.events = vec![event(LogEvent::ForeignReceipt, 0)],
                "second computer",
            ),
            (|f| (f.status.rejected, f.status.acked) = (1, 9), "refuses 1 sales"),
            (
                |f| (f.status.conflicts, f.status.acked) = (1, 9),
                "something else for 1 sales",
            ),
            (
                |f| {
                    f.shared_files = vec![SharedFile {
                        path: "/data/TUNIS-01.db-wal".into(),
                        group_writes: false,
                    }];
                },
                "chmod g+rw '/data/TUNIS-01.db-wal'",
            ),
        ];
        for (change, part) in cases {
            let ills = ills(change);
            assert_eq!(ills.len(), 1, "{part}: {ills:?}");
            assert!(ills[0].contains(part), "{part}: {ills:?}");
        }
    }

    #[test]
    fn a_number_that_differs_from_the_rows_is_named() {
        let ills = ills(|facts| {
            facts.audit.differences = vec![Difference {
                what: "pending".into(),
                kept: "3".into(),
                rows: "4".into(),
            }];
        });
        assert!(ills[0].contains("pending: 3 is kept, the rows say 4"), "{ills:?}");
    }

    #[test]
    fn a_line_that_is_down_says_why() {
        let ills = ills(|facts| {
            facts.status.worker = Some(stamp(LineState::Down, 0));
            let down = |trouble| LogEvent::LinkDown { trouble, retry_s: 5 };
            facts.events = vec![
                event(down(LinkTrouble::Lost), 9),
                event(down(LinkTrouble::LoginRefused), 3),
            ];
        });
        let why = Text::english();
        let why = why.link_trouble(LinkTrouble::LoginRefused);
        assert!(ills[0].contains(why), "{ills:?}");
    }

    #[test]
    fn what_happened_long_ago_or_twice_is_not_told_again() {
        let day = 24 * 60 * 60 * 1_000;
        let restored = |age_ms| event(LogEvent::HqRestored { sales: 3 }, age_ms);
        assert_eq!(ills(|facts| facts.events = vec![restored(8 * day)]), [""; 0]);
        assert_eq!(
            ills(|facts| facts.events = vec![restored(2 * day), restored(day)]).len(),
            1
        );
    }
}
