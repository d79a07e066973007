//! The branch's database against a naive model of it: random steps, and after each of them every sale's state, the status and the audit must agree.
//!
//! The model knows no SQL, no runs and no kept totals; it goes through lists row by row. Its HQ is fair but slow: receipts come late, twice and out of order.

mod hq;
mod names;
mod world;

use proptest::prelude::*;

use world::World;

/// One step; each number picks one of what there is.
#[derive(Debug, Clone)]
enum Step {
    Sell {
        day: u8,
    },
    Import {
        sales: u8,
        day: u8,
    },
    Edit {
        sale: usize,
        day: u8,
    },
    Void {
        sale: usize,
    },
    Form {
        max_rows: u32,
    },
    Park {
        batch: usize,
    },
    Dissolve {
        batch: usize,
    },
    Resume {
        same_broker: bool,
    },
    /// HQ takes a batch in and makes a receipt; each of its words is decided by one of these bytes.
    Answer {
        batch: usize,
        luck: [u8; 4],
    },
    /// HQ can't read a batch.
    Unreadable {
        batch: usize,
    },
    /// A receipt reaches the branch, and perhaps will once more; it may give room for a batch of so many rows.
    Deliver {
        receipt: usize,
        again: bool,
        room: Option<u32>,
    },
    Retry {
        sale: usize,
    },
    Resolve {
        sale: usize,
        take_hq: bool,
    },
    Resend,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pick = 0..1_000_usize;
    let step = prop_oneof![
        4 => (0..3_u8).prop_map(|day| Step::Sell { day }),
        1 => (1..5_u8, 0..3_u8).prop_map(|(sales, day)| Step::Import { sales, day }),
        3 => (pick.clone(), 0..3_u8).prop_map(|(sale, day)| Step::Edit { sale, day }),
        1 => pick.clone().prop_map(|sale| Step::Void { sale }),
        5 => (1..6_u32).prop_map(|max_rows| Step::Form { max_rows }),
        2 => pick.clone().prop_map(|batch| Step::Park { batch }),
        3 => pick.clone().prop_map(|batch| Step::Dissolve { batch }),
        1 => any::<bool>().prop_map(|same_broker| Step::Resume { same_broker }),
        6 => (pick.clone(), any::<[u8; 4]>()).prop_map(|(batch, luck)| Step::Answer { batch, luck }),
        1 => pick.clone().prop_map(|batch| Step::Unreadable { batch }),
        6 => (pick.clone(), any::<bool>(), prop::option::of(1..6_u32))
            .prop_map(|(receipt, again, room)| Step::Deliver { receipt, again, room }),
        1 => pick.clone().prop_map(|sale| Step::Retry { sale }),
        1 => (pick, any::<bool>()).prop_map(|(sale, take_hq)| Step::Resolve { sale, take_hq }),
        1 => Just(Step::Resend),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_database_does_what_the_model_does(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
    }
}
