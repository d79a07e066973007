//! The soak: a fleet of branches and one head office, all real programs, under random faults for as long as one likes; then everything is healed, and the books of both
//! sides must be the same, nothing in conflict, nothing unsettled, and nobody larger than before.
//!
//! A short one runs with the other tests. `make soak MINUTES=10 SEED=7` runs long.

use std::collections::BTreeMap;
use std::time::Duration;

use branchline::clock;
use branchline::domain::time::Tick;

use crate::support::books::{assert_settled, number};
use crate::support::broker::{Broker, PASSWORD, Vhost};
use crate::support::luck::Luck;
use crate::support::place::{Footprint, Place, Running, urls};
use crate::support::proxy::{Door, Proxy, Weather};
use crate::support::till::{Done, Till};
use crate::support::until;

/// How long a soak is, in minutes; without it the short one runs.
const MINUTES: &str = "BRANCHLINE_SOAK_MINUTES";
/// What decides it.
const SEED: &str = "BRANCHLINE_SOAK_SEED";

/// How often somebody does something at a till.
const STEP: Duration = Duration::from_millis(20);
/// The longest that a fault of the line lasts, in milliseconds.
const LONGEST_MS: u64 = 15_000;

/// How much is to happen.
struct Plan {
    branches: usize,
    millis: u64,
    /// One fault in so many steps, on average.
    calm: u64,
    faults: &'static [Fault],
    seed: u64,
}

impl Plan {
    fn read() -> Self {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let seed = number(SEED).unwrap_or(1);
        match number(MINUTES) {
            Some(minutes) => Self {
                branches: 20,
                millis: minutes * 60_000,
                calm: 25,
                faults: &FAULTS,
                seed,
            },
            None => Self {
                branches: 4,
                millis: 15_000,
                calm: 15,
                // A dead broker costs a minute of growing waits; the loop of kills has it.
                faults: FAULTS.split_last().expect("there are some").1,
                seed,
            },
        }
    }
}

/// What is done to the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Cut,
    CutInMidFrame,
    Frozen,
    Slow,
    Portal,
    Closed,
    BranchKilled,
    HqCut,
    HqKilled,
    MemoryAlarm,
    BrokerKilled,
}

/// As often as each is in here; what stops the whole fleet is rare.
const FAULTS: [Fault; 28] = {
    use Fault::{
        BranchKilled, BrokerKilled, Closed, Cut, CutInMidFrame, Frozen, HqCut, HqKilled, MemoryAlarm, Portal, Slow,
    };
    [
        Cut,
        Cut,
        Cut,
        Cut,
        CutInMidFrame,
        CutInMidFrame,
        CutInMidFrame,
        CutInMidFrame,
        CutInMidFrame,
        Frozen,
        Frozen,
        Frozen,
        Slow,
        Slow,
        Slow,
        Portal,
        Portal,
        Closed,
        Closed,
        BranchKilled,
        BranchKilled,
        BranchKilled,
        BranchKilled,
        HqCut,
        HqCut,
        HqKilled,
        MemoryAlarm,
        BrokerKilled,
    ]
};

struct Shop {
    name: String,
    url: String,
    line: Proxy,
    till: Till,
    program: Running,
    /// When the line's present fault ends.
    heals_at: Option<Tick>,
}

struct Fleet<'a> {
    place: Place,
    broker: &'a mut Broker,
    shops: Vec<Shop>,
    hq: Running,
    hq_line: Proxy,
    hq_url: String,
    /// When the broker has memory again.
    alarm_ends_at: Option<Tick>,
    luck: Luck,
    possible: &'static [Fault],
    faults: BTreeMap<Fault, u32>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_under_random_faults_ends_with_the_same_books_on_both_sides() {
    let plan = Plan::read();
    println!(
        "seed {} ({SEED}), {} branches, {} s",
        plan.seed,
        plan.branches,
        plan.millis / 1_000
    );
    let mut broker = Broker::in_turn().await;
    let vhost = broker.vhost();
    let mut fleet = Fleet::start(&plan, &mut broker, &vhost).await;
    let before = fleet.footprints();
    let began = clock::tick();
    let mut steps = tokio::time::interval(STEP);
    steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while clock::tick().since(began) < plan.millis {
        steps.tick().await;
        fleet.sell();
        fleet.heal_what_is_due();
        if fleet.luck.below(plan.calm) == 0 {
            fleet.break_something();
        }
    }
    let healed = fleet.heal();
    fleet.settle().await;
    let settled_ms = clock::tick().since(healed);
    for shop in &fleet.shops {
        assert_settled(&fleet.place, "hq", &shop.name);
    }
    fleet.until_small_again(&before).await;
    fleet.report(settled_ms);
}

impl<'a> Fleet<'a> {
    /// Starts everybody; one sale of each has gone all the way.
    async fn start(plan: &Plan, broker: &'a mut Broker, vhost: &Vhost) -> Self {
        let place = Place::new();
        let hq_line = Proxy::start(vhost.port(), plan.seed).await;
        let hq_url = vhost.url("guest:guest", hq_line.port(), "?heartbeat=5");
        let hq = start_hq(&place, &hq_url);
        let mut shops = Vec::new();
        for number in 1..=plan.branches {
            let name = format!("SHOP-{number:02}");
            let _ = urls(vhost, &name);
            let seed = plan.seed.wrapping_mul(1_000) + u64::try_from(number).unwrap();
            let line = Proxy::start(vhost.port(), seed).await;
            let url = vhost.url(&format!("{name}:{PASSWORD}"), line.port(), "?heartbeat=5");
            place.sell(&name, "BEFORE", None);
            shops.push(Shop {
                till: Till::open(&place, &name, seed),
                program: place.start(&name, &url),
                heals_at: None,
                name,
                url,
                line,
            });
        }
        let fleet = Self {
            place,
            broker,
            shops,
            hq,
            hq_line,
            hq_url,
            alarm_ends_at: None,
            luck: Luck::new(plan.seed),
            possible: plan.faults,
            faults: BTreeMap::new(),
        };
        fleet.settle().await;
        // Killed before that, this broker would lose the queue itself and not what is in it.
        fleet.broker.until_written_down(vhost, "sales").await;
        fleet
    }

    /// Waits until every branch is in step.
    async fn settle(&self) {
        for shop in &self.shops {
            until(&format!("{} is in step", shop.name), || self.place.in_step(&shop.name)).await;
        }
    }

    fn sell(&mut self) {
        let shop = self.choose();
        self.shops[shop].till.work();
    }

    fn choose(&self) -> usize {
        usize::try_from(self.luck.next() % u64::try_from(self.shops.len()).unwrap()).unwrap()
    }

    fn break_something(&mut self) {
        let fault = *self.luck.pick(self.possible);
        let now = clock::tick();
        let ends_at = now.plus(self.luck.below(LONGEST_MS));
        let chosen = self.choose();
        let shop = &mut self.shops[chosen];
        let mut weather = |change: fn(&mut Weather)| {
            shop.line.weather(change);
            shop.heals_at = Some(ends_at);
        };
        match fault {
            Fault::Cut => shop.line.cut(),
            Fault::CutInMidFrame => {
                shop.line.cut_within(5_000);
            }
            Fault::Frozen => weather(|weather| weather.frozen = true),
            Fault::Slow => weather(|weather| {
                weather.delay = Duration::from_millis(400);
                weather.bytes_per_s = Some(4_000);
            }),
            Fault::Portal => {
                weather(|weather| weather.door = Door::Portal);
                shop.line.cut();
            }
            Fault::Closed => {
                weather(|weather| weather.door = Door::Closed);
                shop.line.cut();
            }
            Fault::BranchKilled => {
                let successor = self.place.start(&shop.name, &shop.url);
                std::mem::replace(&mut shop.program, successor).kill();
            }
            Fault::HqCut => self.hq_line.cut(),
            Fault::HqKilled => std::mem::replace(&mut self.hq, start_hq(&self.place, &self.hq_url)).kill(),
            Fault::MemoryAlarm if self.alarm_ends_at.is_some() => return,
            Fault::MemoryAlarm => {
                self.broker.memory_alarm(true);
                self.alarm_ends_at = Some(ends_at);
            }
            Fault::BrokerKilled => self.kill_broker(),
        }
        *self.faults.entry(fault).or_default() += 1;
    }

    fn kill_broker(&mut self) {
        self.broker.kill();
        for _ in 0..50 {
            self.sell();
        }
        self.broker.restart();
        // A broker that has just begun has memory.
        self.alarm_ends_at = None;
    }

    fn heal_what_is_due(&mut self) {
        let now = clock::tick();
        for shop in &mut self.shops {
            if shop.heals_at.take_if(|at| *at <= now).is_some() {
                shop.line.weather(|weather| *weather = Weather::FAIR);
            }
        }
        if self.alarm_ends_at.take_if(|at| *at <= now).is_some() {
            self.broker.memory_alarm(false);
        }
    }

    /// Ends every fault; returns when.
    fn heal(&mut self) -> Tick {
        for shop in &self.shops {
            shop.line.weather(|weather| *weather = Weather::FAIR);
        }
        if self.alarm_ends_at.take().is_some() {
            self.broker.memory_alarm(false);
        }
        clock::tick()
    }

    fn footprints(&self) -> Vec<Footprint> {
        let programs = self.shops.iter().map(|shop| &shop.program).chain([&self.hq]);
        programs.map(Running::footprint).collect()
    }

    async fn until_small_again(&self, before: &[Footprint]) {
        let began = clock::tick();
        until("threads, files and memory are back", || {
            let now = self.footprints();
            let is_back = now.iter().zip(before).all(|(now, before)| now.is_back_at(*before));
            if !is_back && clock::tick().since(began) > 100_000 {
                println!("before {before:?}\nnow    {now:?}");
            }
            is_back
        })
        .await;
    }

    fn report(&self, settled_ms: u64) {
        let mut done = Done::default();
        let (mut retries, mut batches) = (0, 0);
        for shop in &self.shops {
            done.sales += shop.till.done.sales;
            done.edits += shop.till.done.edits;
            done.voids += shop.till.done.voids;
            let count = |query| number(&self.place.db(&shop.name), query);
            batches += count("SELECT count(*) AS count FROM batches");
            retries += count("SELECT count(*) AS count FROM batches WHERE attempt > 1");
        }
        let faults: u32 = self.faults.values().sum();
        println!("{faults} faults: {:?}", self.faults);
        println!(
            "{} sales, {} edits, {} voids entered",
            done.sales, done.edits, done.voids
        );
        println!("{batches} batches, {retries} of them a further try");
        println!(
            "{} duplicate revisions absorbed by head office",
            duplicates(&self.place.log("hq"))
        );
        println!("all in step {settled_ms} ms after the last fault ended");
    }
}

fn start_hq(place: &Place, url: &str) -> Running {
    place.start_with("hq", url, &["--log-format", "json"])
}

/// How many revisions came that were there already, as head office's log has it; what it had no time to log before it was killed is missing.
fn duplicates(log: &str) -> i64 {
    let commits = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let commits = commits.filter(|line| line["message"] == "sales committed");
    commits
        .map(|line| {
            let count = |name: &str| line[name].as_i64().unwrap_or(0);
            count("sales") - count("applied") - count("refused") - count("held")
        })
        .sum()
}
