//! Either side may be upgraded first. There is one version of the message bodies yet, so a second one is played: the same bytes under another number, which only a program that
//! knows the number reads. Branch, HQ's database and codec are the real ones; the line between them carries everything at once.

use std::collections::VecDeque;

use branchline::domain::event::LogEvent;
use branchline::domain::ids::{BatchId, BranchCode, Nonce, SaleId};
use branchline::domain::money::Money;
use branchline::domain::sale::SaleContent;
use branchline::domain::time::{Tick, UtcMillis, parse_wall};
use branchline::protocol::Now;
use branchline::protocol::identity::Login;
use branchline::protocol::message::{Outcome, Version};
use branchline::protocol::uplink::{Event, Limits};
use branchline::store::branch::BranchDb;
use branchline::store::hq::{HqDb, HqNames, Incoming, Question, UnreadMessage};
use branchline::sync::worker::{Order, Worker};
use branchline::wire::{self, Envelope, Unread, UplinkKind};
use tempfile::TempDir;

/// Where a message tells the version of its body.
const VERSION_AT: usize = 4;
/// 22 November 2026.
const BEGINNING: UtcMillis = UtcMillis(1_795_305_600_000);

struct Pair {
    folder: TempDir,
    worker: Worker<BranchDb>,
    till: BranchDb,
    hq: HqDb,
    /// The versions that HQ's program reads.
    reads: Vec<Version>,
    tick: u64,
    luck: u128,
    /// The versions that batches were sent in.
    sent: Vec<Version>,
}

impl Pair {
    fn new(writes: &[Version], reads: &[Version]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let code = BranchCode::parse("TUNIS-01").unwrap();
        let till = BranchDb::create(&folder.path().join("branch.db"), &code, 7, BEGINNING).unwrap();
        let hq = HqDb::create(&folder.path().join("hq.db"), 5, BEGINNING).unwrap();
        let (worker, first) = start(&folder, writes, now(0, 1));
        let mut pair = Self {
            folder,
            worker,
            till,
            hq,
            reads: reads.to_vec(),
            tick: 0,
            luck: 1,
            sent: Vec::new(),
        };
        pair.feed(first);
        pair
    }

    /// Another version of the branch's program takes over from the one that runs.
    fn upgrade_branch(&mut self, writes: &[Version]) {
        self.feed(Event::Stopping);
        let (worker, first) = start(&self.folder, writes, now(self.tick, self.luck));
        self.worker = worker;
        self.feed(first);
    }

    /// Something happens, and everything that follows from it.
    fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let (tick, luck) = (self.tick, &mut self.luck);
            let mut clock = || {
                *luck += 1;
                now(tick, *luck)
            };
            for order in self.worker.step(event, &mut clock).unwrap() {
                match order {
                    Order::Open => events.push_back(Event::LinkUp),
                    Order::Close => {}
                    Order::Publish { message, version, .. } => {
                        let mut bytes = wire::encode_uplink(&message, wire::WRITES[0]).unwrap();
                        bytes[VERSION_AT] = version;
                        events.extend(self.travel(bytes));
                    }
                }
            }
        }
    }

    /// The broker confirms a message, HQ takes it, and its answer is heard.
    fn travel(&mut self, bytes: Vec<u8>) -> [Event; 2] {
        let (incoming, name) = self.hq_reads(bytes);
        let answers = self.hq.commit_group(wall(self.tick), &self.reads, &[incoming]).unwrap();
        let answer = answers.into_iter().next().flatten().expect("HQ answers every message");
        let heard = wire::decode_downlink(&wire::encode_downlink(&answer).unwrap()).unwrap();
        [Event::Confirmed(name), Event::Heard(heard)]
    }

    /// What HQ makes of a message's bytes, and the message's name.
    fn hq_reads(&mut self, mut bytes: Vec<u8>) -> (Incoming, [u8; 16]) {
        let version = bytes[VERSION_AT];
        if self.reads.contains(&version) {
            bytes[VERSION_AT] = wire::READS[0];
        }
        let login = Login::Own;
        let mut names = HqNames::at(self.hq.path().to_owned());
        let mut held =
            |envelope: &Envelope, numbers: &[u16]| names.of(&envelope.branch, envelope.ledger, numbers).unwrap();
        match wire::decode_uplink(&bytes, &mut held) {
            Ok(message) => {
                let name = match &message {
                    branchline::protocol::message::Uplink::Hello(hello) => *hello.nonce.as_bytes(),
                    branchline::protocol::message::Uplink::Batch(batch) => {
                        self.sent.push(version);
                        *batch.id.as_bytes()
                    }
                };
                (Incoming::Message { login, message }, name)
            }
            Err(Unread::TooNew { envelope }) => {
                let question = match envelope.kind {
                    UplinkKind::Hello => Question::Hello(Nonce::from_bytes(envelope.id)),
                    UplinkKind::Batch => {
                        self.sent.push(version);
                        Question::Batch(BatchId::from_bytes(envelope.id), Outcome::TooNew)
                    }
                };
                let unread = UnreadMessage {
                    login,
                    branch: envelope.branch,
                    ledger: envelope.ledger,
                    question,
                    suspect: None,
                };
                (Incoming::Unread(unread), envelope.id)
            }
            Err(unread) => panic!("HQ can't read even the envelope: {unread}"),
        }
    }

    fn sell(&mut self) -> SaleId {
        self.tick += 1;
        let content = SaleContent {
            date: parse_wall("2026-11-22 09:00").unwrap(),
            product: "PENS".into(),
            region: "East".into(),
            qty: 2,
            cost: Money::from_units(25_000).unwrap(),
            tax: Money::ZERO,
        };
        let sale = self.till.save_sale(&content, None, wall(self.tick)).unwrap();
        self.feed(Event::SalesWaiting);
        sale.id
    }

    fn wait(&mut self, millis: u64) {
        let until = self.tick + millis;
        while let Some(due) = self.worker.wake_at().filter(|due| due.0 <= until) {
            self.tick = self.tick.max(due.0);
            self.feed(Event::Woke);
        }
        self.tick = until;
    }

    fn state(&mut self, id: SaleId) -> &'static str {
        self.till.sale(id).unwrap().unwrap().sync.kind().word()
    }
}

fn start(folder: &TempDir, writes: &[Version], now: Now) -> (Worker<BranchDb>, Event) {
    let journal = BranchDb::open(&folder.path().join("branch.db"), None).unwrap();
    Worker::start(journal, Limits::real(writes.to_vec()), "broker:5672/".into(), now).unwrap()
}

fn wall(tick: u64) -> UtcMillis {
    BEGINNING.plus(tick)
}

fn now(tick: u64, luck: u128) -> Now {
    Now {
        tick: Tick(tick),
        wall: wall(tick),
        luck: luck << 64 | 0x9e37_79b9,
    }
}

#[test]
fn a_newer_branch_writes_what_an_older_hq_reads_and_more_once_hq_is_newer() {
    let mut pair = Pair::new(&[1, 2], &[1]);
    let first = pair.sell();
    assert_eq!(pair.state(first), "acked");
    pair.reads = vec![1, 2];
    pair.wait(600_000);
    let second = pair.sell();
    assert_eq!(pair.state(second), "acked");
    assert_eq!(pair.sent, [1, 2]);
}

#[test]
fn a_newer_hq_reads_what_an_older_branch_writes() {
    let mut pair = Pair::new(&[1], &[1, 2]);
    let first = pair.sell();
    assert_eq!((pair.state(first), pair.sent.as_slice()), ("acked", &[1][..]));
    pair.upgrade_branch(&[1, 2]);
    let second = pair.sell();
    assert_eq!((pair.state(second), pair.sent.as_slice()), ("acked", &[1, 2][..]));
}

#[test]
fn sales_that_are_too_new_for_hq_wait_in_sight_and_flow_after_its_upgrade() {
    let mut pair = Pair::new(&[2], &[1]);
    let sales: Vec<SaleId> = (0..20).map(|_| pair.sell()).collect();
    pair.wait(24 * 3_600_000);
    let status = pair.till.status().unwrap();
    assert_eq!((status.pending, status.in_step()), (20, false));
    assert!(pair.sent.len() <= 1, "{} batches were sent in vain", pair.sent.len());
    let log = pair.till.log_tail(1_000).unwrap();
    assert!(log.iter().any(|line| line.event == LogEvent::HqOlder));

    pair.reads = vec![1, 2];
    pair.wait(4 * 3_600_000);
    assert!(sales.into_iter().all(|id| pair.state(id) == "acked"));
    assert!(pair.till.status().unwrap().in_step());
}

#[test]
fn an_hq_that_is_set_back_to_an_older_program_is_written_to_in_the_older_version() {
    let mut pair = Pair::new(&[1, 2], &[1, 2]);
    let first = pair.sell();
    pair.reads = vec![1];
    let second = pair.sell();
    assert_eq!([first, second].map(|id| pair.state(id)), ["acked"; 2]);
    assert_eq!(pair.sent, [2, 2, 1]);
    let log = pair.till.log_tail(100).unwrap();
    assert!(log.iter().any(|line| line.event == LogEvent::HqOlder));
    assert!(pair.till.audit().unwrap().is_clean());
}
