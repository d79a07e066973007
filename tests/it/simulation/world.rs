//! The simulated world: branches with their databases, a broker, HQ with its database, and everything that befalls them.

mod faults;
mod people;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use branchline::domain::event::LinkTrouble;
use branchline::domain::ids::{BranchCode, Revision, SaleId, StoreId};
use branchline::domain::read::{Anchor, Filter, PageRequest, SaleRow, Sort};
use branchline::domain::sale::Sale;
use branchline::domain::time::{Tick, UtcMillis};
use branchline::protocol::Now;
use branchline::protocol::backoff::Backoff;
use branchline::protocol::uplink::{Event, Limits};
use branchline::store::branch::BranchDb;
use branchline::store::hq::{HqDb, HqNames};
use branchline::sync::line::{event_of, seal};
use branchline::sync::worker::{Order, Worker};
use branchline::transport::LinkEvent;
use branchline::wire;
use diesel::SqliteConnection;
use tempfile::TempDir;

use super::checks::AtHq;
use crate::support::luck::Luck;
pub(crate) use faults::Fault;

/// When the simulated world begins: 1 December 2026.
const BEGINNING: i64 = 1_796_083_200_000;
/// The branches. The last two are one branch twice: a copied database, once it has been copied.
const CODES: [&str; 3] = ["TUNIS-01", "SFAX-02", "TUNIS-01"];
/// A product whose sales HQ can't read, as if a byte of theirs hit a mistake in its program.
pub(crate) const POISON: &str = "POISON";
/// How often everybody gets a turn to come to rest.
const HEALING_ROUNDS: usize = 3_000;
/// How much of each branch's log is shown for a seed that failed.
const LOG_LINES: u32 = 40;

pub(crate) struct World {
    pub(crate) rng: Luck,
    pub(crate) tick: u64,
    pub(crate) offices: Vec<Office>,
    pub(crate) broker: Broker,
    pub(crate) hq: Hq,
    /// Every revision of every sale that was ever saved, by branch and moment of entry.
    pub(crate) written: BTreeMap<(BranchCode, UtcMillis), Vec<Sale>>,
    /// HQ has forgotten something: what it acknowledged before may be shown as acked until it has been heard again.
    pub(crate) hq_forgot: bool,
    /// A branch's database was copied or restored: two boxes, or two lives of one, have given out the same ids.
    pub(crate) branch_forgot: bool,
    /// Which faults there have been.
    pub(crate) befell: BTreeSet<Fault>,
    profile: Profile,
    dir: TempDir,
}

/// Which faults a seed has; each in percent of all steps.
struct Profile {
    lines: usize,
    crashes: usize,
    restores: usize,
    forgetful: &'static [Forgetful],
}

/// Whose database is restored from a backup now and then, or copied, or replaced.
#[derive(Debug, Clone, Copy)]
enum Forgetful {
    Hq,
    Branches,
}

/// A branch's box.
pub(crate) struct Office {
    pub(crate) code: BranchCode,
    path: PathBuf,
    /// The connection of the screen.
    pub(crate) till: Option<BranchDb>,
    /// The rows, until something may have changed them.
    rows: Option<Rc<[SaleRow]>>,
    /// The newest revision of every sale that was saved here, by id; `None`: the database was restored, and is not looked at yet.
    pub(crate) saved: Option<BTreeMap<SaleId, Revision>>,
    pub(crate) worker: Option<Worker<BranchDb>>,
    up: bool,
    opening: bool,
    unconfirmed: VecDeque<[u8; 16]>,
}

#[derive(Default)]
pub(crate) struct Broker {
    /// What waits for HQ, with the branch that sent it.
    pub(crate) sales: VecDeque<(BranchCode, Vec<u8>)>,
    receipts: BTreeMap<BranchCode, VecDeque<Vec<u8>>>,
}

pub(crate) struct Hq {
    pub(crate) path: PathBuf,
    pub(crate) db: Option<HqDb>,
    /// The product names that it has read since it was started.
    names: Option<HqNames>,
    /// Somebody who reads along with SQL.
    pub(crate) reader: Option<SqliteConnection>,
    /// What it holds, until something may have changed it.
    pub(crate) rows: Option<Rc<AtHq>>,
    /// What it held when it was last looked at; `None`: it has forgotten since.
    pub(crate) held: Option<Rc<AtHq>>,
    backup: Option<PathBuf>,
    /// The databases that are gone for good. Whoever starts a new one names them all: a branch may have been away since the first.
    gone: Vec<StoreId>,
}

pub(crate) fn limits() -> Limits {
    Limits {
        confirm_ms: 30_000,
        answer_ms: 30_000,
        connect_ms: 45_000,
        hello_idle_ms: 300_000,
        hello_cap_ms: 3_600_000,
        linger_ms: None,
        hello_rest_ms: 3_600_000,
        refusals_ms: 3_600_000,
        window: 4,
        batch_rows: 8,
        reconnect: Backoff {
            first_ms: 1_000,
            cap_ms: 60_000,
        },
        retry: Backoff {
            first_ms: 5_000,
            cap_ms: 300_000,
        },
        writes: wire::WRITES.to_vec(),
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = Luck::new(seed);
        // Memory, where there is such a place: the simulation is about order, not about disks.
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() {
            tempfile::tempdir_in(shm)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let forgetful: &[Forgetful] = match rng.index(3) {
            0 => &[Forgetful::Hq],
            1 => &[Forgetful::Branches],
            _ => &[Forgetful::Hq, Forgetful::Branches],
        };
        let profile = Profile {
            lines: rng.index(25),
            crashes: rng.index(8),
            restores: rng.index(4),
            forgetful,
        };
        let path = dir.path().join("hq.db");
        let db = HqDb::create(&path, rng.bits(), UtcMillis(BEGINNING)).unwrap();
        let hq = Hq {
            path,
            db: Some(db),
            names: None,
            reader: None,
            rows: None,
            held: None,
            backup: None,
            gone: Vec::new(),
        };
        let mut world = Self {
            rng,
            tick: 0,
            offices: Vec::new(),
            broker: Broker::default(),
            hq,
            written: BTreeMap::new(),
            hq_forgot: false,
            branch_forgot: false,
            befell: BTreeSet::new(),
            profile,
            dir,
        };
        for code in &CODES[..2] {
            world.found(code);
        }
        world
    }

    fn found(&mut self, code: &str) {
        let code = BranchCode::parse(code).unwrap();
        let path = self.dir.path().join(format!("branch-{}.db", self.offices.len()));
        let bits = self.rng.bits();
        drop(BranchDb::create(&path, &code, bits, self.wall()).unwrap());
        self.move_in(code, path);
    }

    fn move_in(&mut self, code: BranchCode, path: PathBuf) {
        let office = Office {
            code,
            path,
            till: None,
            rows: None,
            saved: None,
            worker: None,
            up: false,
            opening: false,
            unconfirmed: VecDeque::new(),
        };
        self.offices.push(office);
        self.start(self.offices.len() - 1);
    }

    pub(crate) fn wall(&self) -> UtcMillis {
        UtcMillis(BEGINNING + i64::try_from(self.tick).unwrap())
    }

    fn now(&mut self) -> Now {
        Now {
            tick: Tick(self.tick),
            wall: self.wall(),
            luck: self.rng.bits(),
        }
    }

    // ---- what programs do

    fn start(&mut self, at: usize) {
        if self.offices[at].worker.is_some() {
            return;
        }
        let (path, code) = (self.offices[at].path.clone(), self.offices[at].code.clone());
        self.offices[at].rows = None;
        self.offices[at].till = Some(BranchDb::open(&path, Some(&code)).unwrap());
        let journal = BranchDb::open(&path, Some(&code)).unwrap();
        let now = self.now();
        let limits = Limits {
            linger_ms: self.rng.percent(30).then_some(60_000),
            ..limits()
        };
        let (worker, first) = Worker::start(journal, limits, "broker:5672/".into(), now).unwrap();
        self.offices[at].worker = Some(worker);
        self.feed(at, first);
    }

    fn feed(&mut self, at: usize, event: Event) {
        self.offices[at].rows = None;
        let Some(mut worker) = self.offices[at].worker.take() else {
            return;
        };
        let (tick, wall) = (Tick(self.tick), self.wall());
        let rng = &self.rng;
        let mut clock = || Now {
            tick,
            wall,
            luck: rng.bits(),
        };
        let mut orders = worker.step(event, &mut clock).unwrap();
        while worker.recalls() {
            orders.extend(worker.recall(&mut clock).unwrap());
        }
        self.offices[at].worker = Some(worker);
        for order in orders {
            match order {
                Order::Open => self.offices[at].opening = true,
                Order::Close => self.offices[at].hang_up(),
                Order::Publish {
                    message,
                    version,
                    expires_ms,
                } => {
                    let sealed = seal(&message, version, expires_ms).unwrap();
                    let office = &mut self.offices[at];
                    if office.up {
                        office.unconfirmed.push_back(sealed.id);
                        self.broker.sales.push_back((office.code.clone(), sealed.body));
                    }
                }
            }
        }
    }

    fn open(&mut self, at: usize) {
        if std::mem::take(&mut self.offices[at].opening) {
            self.offices[at].up = true;
            self.feed(at, Event::LinkUp);
        }
    }

    fn cut(&mut self, at: usize) {
        if self.offices[at].up || self.offices[at].opening {
            self.offices[at].hang_up();
            self.feed(at, Event::LinkDown(LinkTrouble::Lost));
        }
    }

    fn confirm(&mut self, at: usize) {
        if let Some(name) = self.offices[at].unconfirmed.pop_front() {
            self.feed(at, Event::Confirmed(name));
        }
    }

    fn hear(&mut self, at: usize) {
        let code = self.offices[at].code.clone();
        let next = self.broker.receipts.get_mut(&code).and_then(VecDeque::pop_front);
        if let Some(event) = next.and_then(|bytes| event_of(LinkEvent::Arrived(bytes))) {
            self.feed(at, event);
        }
    }

    fn wake(&mut self, at: usize) {
        let due = self.offices[at].worker.as_ref().and_then(Worker::wake_at);
        if due.is_some_and(|due| due.0 <= self.tick) {
            self.feed(at, Event::Woke);
        }
    }

    /// HQ takes the first messages in one group, and answers unless it dies first.
    fn hq_takes(&mut self, count: usize, dies: bool) {
        let group: Vec<_> = self.broker.sales.iter().take(count).cloned().collect();
        if group.is_empty() {
            return;
        }
        let now = self.wall();
        self.hq.rows = None;
        let db = self.hq.db.as_mut().expect("HQ's database is open between steps");
        let names = self.hq.names.get_or_insert_with(|| HqNames::at(db.path().to_owned()));
        let replies = super::hq_group(db, names, now, &group);
        if dies {
            self.reopen_hq();
            return;
        }
        self.broker.sales.drain(..group.len());
        for (branch, bytes) in replies {
            self.broker.receipts.entry(branch).or_default().push_back(bytes);
        }
    }

    fn reopen_hq(&mut self) {
        self.hq.close();
        self.hq.db = Some(HqDb::open(&self.hq.path).unwrap());
    }

    pub(crate) fn rows(&mut self, at: usize) -> Rc<[SaleRow]> {
        if let Some(rows) = &self.offices[at].rows {
            return Rc::clone(rows);
        }
        let request = PageRequest {
            filter: Filter::default(),
            sort: Sort::default(),
            anchor: Anchor::Top,
            limit: 100_000,
        };
        let rows: Rc<[SaleRow]> = self.offices[at].till().page(&request).unwrap().rows.into();
        self.offices[at].rows = Some(Rc::clone(&rows));
        rows
    }

    // ---- what befalls them

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        // Every step has a moment of its own, so that a sale is known by the moment of its entry.
        self.tick += 1;
        let at = self.rng.index(self.offices.len());
        match self.rng.index(100) {
            0..14 => self.sell(at),
            14..20 => self.change(at),
            20..40 => {
                self.tick += u64::try_from(self.rng.index(60_000)).unwrap();
                (0..self.offices.len()).for_each(|at| self.wake(at));
            }
            40..50 => self.open(at),
            50..64 => self.confirm(at),
            64..78 => {
                let count = 1 + self.rng.index(3);
                self.hq_takes(count, false);
            }
            78..94 => self.hear(at),
            94 => self.tick += u64::try_from(self.rng.index(40_000_000)).unwrap(),
            95 if self.rng.percent(20) => self.resend(at),
            _ => self.start(at),
        }
        if self.rng.percent(self.profile.lines) {
            self.line_fault(at);
        }
        if self.rng.percent(self.profile.crashes) {
            self.crash(at);
        }
        if self.profile.restores > 0 && self.rng.index(300) < self.profile.restores {
            self.amnesia_strikes(at);
        }
    }

    /// Everything works again, one box of a branch at a time, for as long as it takes.
    pub(crate) fn heal(&mut self) {
        for round in 0..HEALING_ROUNDS {
            let turn = (round / 100) % self.offices.len();
            for other in (0..self.offices.len()).filter(|other| *other != turn) {
                self.cut(other);
            }
            self.start(turn);
            self.open(turn);
            self.come_to_rest(turn);
            if round >= 200 * self.offices.len() && self.settled() {
                return;
            }
            let due = self.offices[turn].worker.as_ref().and_then(Worker::wake_at);
            self.tick = self.tick.max(due.map_or(0, |due| due.0)) + 1;
            self.wake(turn);
        }
    }

    /// Everything that is on its way arrives, and all that follows from it, before any time passes.
    fn come_to_rest(&mut self, at: usize) {
        let code = self.offices[at].code.clone();
        loop {
            if !self.offices[at].unconfirmed.is_empty() {
                self.confirm(at);
            } else if !self.broker.sales.is_empty() {
                self.hq_takes(8, false);
            } else if self.offices[at].up && self.broker.receipts.get(&code).is_some_and(|queue| !queue.is_empty()) {
                self.hear(at);
            } else {
                return;
            }
        }
    }

    /// The end of each branch's log, for whoever has to find out why a seed failed.
    pub(crate) fn logs(&mut self) -> String {
        let mut text = String::new();
        for office in &mut self.offices {
            text.extend(["\n  the log of ", &office.path.display().to_string(), ":"]);
            for line in office.till().log_tail(LOG_LINES).unwrap() {
                text.extend([
                    "\n    ",
                    &(line.at.0 - BEGINNING).to_string(),
                    " ",
                    &format!("{:?}", line.event),
                ]);
            }
        }
        text
    }

    fn settled(&mut self) -> bool {
        (0..self.offices.len()).all(|at| {
            let status = self.offices[at].till().status().unwrap();
            status.pending == 0 && status.sent == 0
        })
    }
}

impl Office {
    /// The connection of the screen; whoever asks for it may change something.
    pub(crate) fn till(&mut self) -> &mut BranchDb {
        self.rows = None;
        let (path, code) = (&self.path, &self.code);
        self.till
            .get_or_insert_with(|| BranchDb::open(path, Some(code)).unwrap())
    }

    fn hang_up(&mut self) {
        self.up = false;
        self.opening = false;
        self.unconfirmed.clear();
    }

    /// The program is killed: nothing is given back, nothing is said.
    fn crash(&mut self) {
        self.worker = None;
        self.till = None;
        self.hang_up();
    }
}

impl Hq {
    fn close(&mut self) {
        self.db = None;
        self.names = None;
        self.reader = None;
        self.rows = None;
    }
}
