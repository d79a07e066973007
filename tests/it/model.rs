//! Layer 1 of the proof: the real protocol machine, explored exhaustively within small named bounds.
//!
//! The machine is `sync::worker::Worker`, the very code that runs at a branch; HQ's verdicts are `protocol::verdict`. Only what is outside is modelled: a
//! journal in memory, a broker as lists of messages, and faults that happen at every possible moment. Time jumps from one deadline to the next.

mod journal;
mod parties;
mod world;

use branchline::clock;
use branchline::domain::ids::SaleId;
use journal::Place;
use stateright::{Checker, Model, Property};
use world::State;

/// What may still happen, so that the space is finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Left {
    sales: u8,
    edits: u8,
    waits: u8,
    faults: u8,
}

/// The faults that a model knows, chosen by name so that each model's space stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    /// A message to HQ is lost, or comes twice, or is overtaken.
    Uplink,
    /// A message to a branch is lost, or comes twice.
    Downlink,
    /// The line breaks.
    Cut,
    /// A branch's program is killed.
    BranchCrash,
    /// HQ is killed after its commit and before its receipt.
    HqCrash,
    /// The broker loses everything.
    Wipe,
    /// HQ's database is restored from a backup.
    HqRestore,
    /// HQ's database is replaced by an empty one, on purpose.
    HqReplace,
    /// A branch's database is restored from a backup.
    BranchRestore,
}

impl Fault {
    const ALL: [Self; 9] = [
        Self::Uplink,
        Self::Downlink,
        Self::Cut,
        Self::BranchCrash,
        Self::HqCrash,
        Self::Wipe,
        Self::HqRestore,
        Self::HqReplace,
        Self::BranchRestore,
    ];
}

/// One model: who sells, what may go wrong, how much of it.
#[derive(Debug, Clone)]
struct Bounds {
    branches: Vec<&'static str>,
    faults: Vec<Fault>,
    left: Left,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Sell(usize),
    Edit(usize, SaleId),
    Wake(usize),
    Confirm(usize),
    HqTakes(usize),
    Hear(usize),
    BackUpBranch(usize),
    BackUpHq,
    // Faults.
    LoseUplink(usize),
    RepeatUplink(usize),
    LoseDownlink(usize),
    RepeatDownlink(usize),
    Cut(usize),
    Crash(usize),
    HqCommitsAndDies,
    Wipe,
    RestoreHq,
    ReplaceHq,
    RestoreBranch(usize),
}

impl Model for Bounds {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(self)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let has = |fault| state.left.faults > 0 && self.faults.contains(&fault);
        for (at, node) in state.nodes.iter().enumerate() {
            let journal = node.peek();
            if state.left.sales > 0 {
                steps.push(Step::Sell(at));
            }
            if state.left.edits > 0 {
                steps.extend(journal.rows.keys().map(|id| Step::Edit(at, *id)));
            }
            if state.left.waits > 0 && node.worker.as_ref().is_some_and(|worker| worker.wake_at().is_some()) {
                steps.push(Step::Wake(at));
            }
            if !node.unconfirmed.is_empty() {
                // What the program does meanwhile is the same before and after the confirm; only its loss makes a difference.
                steps.push(Step::Confirm(at));
                steps.extend([Step::Cut(at)].into_iter().filter(|_| has(Fault::Cut)));
                steps.extend([Step::Crash(at)].into_iter().filter(|_| has(Fault::BranchCrash)));
                continue;
            }
            if node.up && !state.inboxes[&journal.branch].is_empty() {
                steps.push(Step::Hear(at));
                if has(Fault::Downlink) {
                    steps.extend([Step::LoseDownlink(at), Step::RepeatDownlink(at)]);
                }
            }
            if node.up && has(Fault::Cut) {
                steps.push(Step::Cut(at));
            }
            if node.worker.is_some() && has(Fault::BranchCrash) {
                steps.push(Step::Crash(at));
            }
            if self.faults.contains(&Fault::BranchRestore) && node.backup.is_none() && !journal.rows.is_empty() {
                steps.push(Step::BackUpBranch(at));
            }
            if node.backup.is_some() && has(Fault::BranchRestore) {
                steps.push(Step::RestoreBranch(at));
            }
        }
        let takes = if self.faults.contains(&Fault::Uplink) {
            state.queue.len()
        } else {
            state.queue.len().min(1)
        };
        for at in 0..takes {
            if at == 0 || has(Fault::Uplink) {
                steps.push(Step::HqTakes(at));
            }
            if has(Fault::Uplink) {
                steps.extend([Step::LoseUplink(at), Step::RepeatUplink(at)]);
            }
        }
        if has(Fault::HqCrash) && !state.queue.is_empty() {
            steps.push(Step::HqCommitsAndDies);
        }
        if has(Fault::Wipe) && !state.queue.is_empty() {
            steps.push(Step::Wipe);
        }
        if self.faults.contains(&Fault::HqRestore) && state.hq_backup.is_none() {
            steps.push(Step::BackUpHq);
        }
        if state.hq_backup.is_some() && has(Fault::HqRestore) {
            steps.push(Step::RestoreHq);
        }
        if has(Fault::HqReplace) && state.hq.replaces.is_empty() {
            steps.push(Step::ReplaceHq);
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Sell(at) => {
                state.left.sales -= 1;
                state.sell(at);
            }
            Step::Edit(at, id) => {
                state.left.edits -= 1;
                state.edit(at, id);
            }
            Step::Wake(at) => {
                state.left.waits -= 1;
                state.wake(at);
            }
            Step::Confirm(at) => state.confirm(at),
            Step::HqTakes(at) => {
                state.left.faults -= u8::from(at > 0);
                let message = state.queue.remove(at);
                let reply = state.hq_takes(&message);
                state.deliver(&message, reply);
            }
            Step::Hear(at) => state.hear(at),
            Step::BackUpBranch(at) => state.nodes[at].backup = Some(state.nodes[at].peek().clone()),
            Step::BackUpHq => state.hq_backup = Some(state.hq.clone()),
            fault => {
                state.left.faults -= 1;
                state.suffer(fault);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let forgets = [Fault::HqRestore, Fault::HqReplace]
            .iter()
            .any(|fault| self.faults.contains(fault));
        let mut properties = vec![
            Property::always("nothing is broken on the way", |_: &Self, state: &State| {
                state.broken.is_none()
            }),
            Property::always("HQ holds each sale once, and only what was sold", |_, state: &State| {
                state.check_once().is_ok()
            }),
            Property::always("when faults end, every row settles", |_, state: &State| {
                state.left != Left::default() || state.clone().heal().is_ok()
            }),
            Property::sometimes("a sale is acked", |_, state: &State| {
                state.nodes.iter().any(|node| {
                    node.peek()
                        .rows
                        .values()
                        .any(|row| matches!(row.place, Place::Acked { .. }))
                })
            }),
        ];
        if !forgets {
            properties.push(Property::always("what is acked is stored", |_, state: &State| {
                state.acked_is_stored()
            }));
        }
        properties
    }
}

/// Explores all of a model and requires its properties; prints how large it was.
fn exhaust(name: &str, branches: &[&'static str], faults: &[Fault], [sales, edits, waits, blows]: [u8; 4]) {
    let left = Left {
        sales,
        edits,
        waits,
        faults: blows,
    };
    let bounds = Bounds {
        branches: branches.to_vec(),
        faults: faults.to_vec(),
        left,
    };
    let began = clock::tick();
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    println!(
        "model `{name}`: {} states, depth {}, {} ms",
        checker.unique_state_count(),
        checker.max_depth(),
        clock::tick().since(began)
    );
    for (property, path) in checker.discoveries() {
        if let Err(why) = path.last_state().clone().heal() {
            println!("model `{name}`: {property}: {why}");
        }
    }
    checker.assert_properties();
}

#[test]
fn a_line_that_loses_repeats_and_overtakes_does_no_harm() {
    exhaust(
        "line",
        &["A"],
        &[Fault::Uplink, Fault::Downlink, Fault::Cut],
        [1, 1, 1, 1],
    );
}

#[test]
fn crashes_and_a_wiped_broker_lose_and_double_nothing() {
    exhaust(
        "crash",
        &["A"],
        &[Fault::BranchCrash, Fault::HqCrash, Fault::Wipe],
        [1, 1, 1, 1],
    );
}

#[test]
fn an_hq_that_was_restored_gets_again_what_it_forgot() {
    exhaust("hq restored", &["A"], &[Fault::HqRestore], [2, 1, 1, 1]);
}

#[test]
fn an_hq_that_was_replaced_gets_everything_again() {
    exhaust("hq replaced", &["A"], &[Fault::HqReplace, Fault::Cut], [1, 1, 1, 2]);
}

#[test]
fn a_branch_that_was_restored_loses_no_later_sale() {
    exhaust(
        "branch restored",
        &["A"],
        &[Fault::BranchRestore, Fault::Cut],
        [2, 1, 0, 2],
    );
}

#[test]
fn an_hq_that_was_restored_is_noticed_though_its_count_has_caught_up() {
    // What was on its way when HQ was restored makes up the count; its receipt is lost, and its sale is edited before it goes again.
    exhaust(
        "count caught up",
        &["A"],
        &[Fault::HqRestore, Fault::Downlink],
        [2, 1, 0, 2],
    );
}

#[test]
fn a_copied_branch_and_a_restored_hq_at_once_are_told_apart() {
    exhaust("copy and restored hq", &["A", "A"], &[Fault::HqRestore], [2, 0, 0, 1]);
}

#[test]
fn what_hq_forgot_of_an_older_ledger_goes_again() {
    exhaust(
        "older ledger",
        &["A"],
        &[Fault::BranchRestore, Fault::HqRestore],
        [2, 0, 0, 2],
    );
}

#[test]
fn two_branches_survive_any_fault() {
    exhaust("any fault", &["A", "B"], &Fault::ALL, [1, 1, 0, 1]);
}

#[test]
fn two_branches_do_not_meddle() {
    exhaust("two branches", &["A", "B"], &[Fault::Cut], [2, 0, 0, 1]);
}

#[test]
fn two_copies_of_a_branch_count_each_sale_once() {
    exhaust("two copies", &["A", "A"], &[], [2, 1, 0, 0]);
}
