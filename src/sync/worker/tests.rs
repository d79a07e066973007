//! A receipt and the batch that it gives room for, with a journal that notes what it is asked for.

use std::convert::Infallible;

use super::*;
use crate::domain::event::{LogEvent, Sales};
use crate::domain::ids::{BatchId, BranchCode, LedgerId, Nonce, SaleId, StoreId};
use crate::domain::money::MoneySum;
use crate::domain::time::UtcMillis;
use crate::protocol::dictionary::{Holding, Product};
use crate::protocol::journal::{Outline, Recalled, Resumed, Settled, Weighed};
use crate::protocol::lineage::{Lineage, Mark};
use crate::protocol::message::{Answer, Downlink, HqStamp, Outcome, Receipt, Taken};

const LEDGER: LedgerId = LedgerId::from_random(1);

/// A journal of sales that all have one product.
#[derive(Debug)]
struct Noting {
    /// So many batches can be made yet.
    waiting: u32,
    asked: Vec<&'static str>,
}

impl Noting {
    fn make(&mut self, id: BatchId) -> Option<Formed> {
        self.waiting = self.waiting.checked_sub(1)?;
        let sale = SaleId::new(1).unwrap();
        let product = Product {
            no: 1,
            name: "LAMP".into(),
            told: true,
        };
        Some(Formed {
            batch: Batch {
                branch: BranchCode::parse("TUNIS-01").unwrap(),
                ledger: LEDGER,
                id,
                products: vec![product],
                sales: Vec::new(),
            },
            outline: Outline {
                id,
                sales: Sales {
                    count: 1,
                    first: sale,
                    last: sale,
                },
                attempt: 1,
            },
        })
    }
}

const SETTLED: Settled = Settled::Ours {
    more_waiting: false,
    in_doubt: false,
};

impl Journal for Noting {
    type Error = Infallible;

    fn resume(&mut self, _broker: &str, _now: Now) -> Result<Resumed, Infallible> {
        Ok(Resumed::default())
    }

    fn hello(&mut self, nonce: Nonce, now: Now) -> Result<Hello, Infallible> {
        Ok(Hello {
            branch: BranchCode::parse("TUNIS-01").unwrap(),
            ledger: LEDGER,
            nonce,
            first_id: 1,
            highest_id: 1,
            sales: 1,
            amount: MoneySum::ZERO,
            clock: now.wall,
            writes: Vec::new(),
            marks: Vec::new(),
        })
    }

    fn form_batch(&mut self, id: BatchId, _max_rows: u32, _now: Now) -> Result<Option<Formed>, Infallible> {
        self.asked.push("form");
        Ok(self.make(id))
    }

    fn park(&mut self, _batch: BatchId, _broker: &str, _now: Now) -> Result<(), Infallible> {
        self.asked.push("park");
        Ok(())
    }

    fn dissolve(&mut self, _batch: BatchId, _now: Now) -> Result<(), Infallible> {
        self.asked.push("dissolve");
        Ok(())
    }

    fn settle(&mut self, _receipt: &Receipt, _now: Now) -> Result<Settled, Infallible> {
        self.asked.push("settle");
        Ok(SETTLED)
    }

    fn settle_and_form(
        &mut self,
        _receipt: &Receipt,
        id: BatchId,
        _max_rows: u32,
        _now: Now,
    ) -> Result<(Settled, Option<Formed>), Infallible> {
        self.asked.push("settle and form");
        Ok((SETTLED, self.make(id)))
    }

    fn weigh(&mut self, answer: &Answer, _now: Now) -> Result<Weighed, Infallible> {
        Ok(Weighed {
            lineage: Lineage::Same,
            ledger: LEDGER,
            in_doubt: false,
            names: answer.holding.fingerprint,
        })
    }

    fn recall(&mut self, _now: Now) -> Result<Recalled, Infallible> {
        Ok(Recalled { sales: 0, more: false })
    }

    fn adopt_store(&mut self, _store: StoreId, _now: Now) -> Result<(), Infallible> {
        Ok(())
    }

    fn retry_refusals(&mut self, _now: Now) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn log(&mut self, _event: LogEvent, _now: Now) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A worker on an open line, one batch at a time, and the luck that names each thing anew.
struct Line {
    worker: Worker<Noting>,
    luck: u128,
}

impl Line {
    fn open(waiting: u32) -> (Self, Vec<Order>) {
        let journal = Noting {
            waiting,
            asked: Vec::new(),
        };
        let limits = Limits {
            window: 1,
            ..Limits::real(vec![1])
        };
        let (worker, first) = Worker::start(journal, limits, "broker".into(), now(1)).unwrap();
        let mut line = Self { worker, luck: 1 };
        assert_eq!(line.step(first), [Order::Open]);
        let orders = line.step(Event::LinkUp);
        (line, orders)
    }

    fn step(&mut self, event: Event) -> Vec<Order> {
        let luck = &mut self.luck;
        let mut clock = || {
            *luck += 1;
            now(*luck)
        };
        self.worker.step(event, &mut clock).unwrap()
    }

    /// HQ stores a batch; what the journal is asked for then.
    fn stored(&mut self, batch: BatchId) -> (Vec<&'static str>, Vec<Order>) {
        self.worker.journal().asked.clear();
        let receipt = Receipt {
            hq: stamp(),
            batch,
            mark: Mark::default(),
            newly_applied: 0,
            outcome: Outcome::Taken(Taken::default()),
        };
        let orders = self.step(Event::Heard(Downlink::Receipt(receipt)));
        (self.worker.peek().asked.clone(), orders)
    }
}

fn now(luck: u128) -> Now {
    Now {
        tick: Tick(1),
        wall: UtcMillis(1),
        luck,
    }
}

fn stamp() -> HqStamp {
    HqStamp {
        store: StoreId::from_random(1),
        replaces: Vec::new(),
        clock: UtcMillis(1),
        trial: false,
        reads: vec![1],
    }
}

/// The hello and the batch among what is published: the nonce of the one, the other with whether it tells its product's name.
fn published(orders: Vec<Order>) -> (Option<Nonce>, Option<(BatchId, bool)>) {
    let (mut nonce, mut sent) = (None, None);
    for order in orders {
        match order {
            Order::Publish {
                message: Message::Hello(hello),
                ..
            } => nonce = Some(hello.nonce),
            Order::Publish {
                message: Message::Batch(batch),
                ..
            } => sent = Some((batch.id, batch.products[0].told)),
            Order::Open | Order::Close => unreachable!("the line is open and stays so"),
        }
    }
    (nonce, sent)
}

#[test]
fn a_receipt_and_the_batch_it_gives_room_for_are_one_transaction_and_that_batch_leans_on_what_was_told() {
    let (mut line, orders) = Line::open(2);
    let (Some(nonce), Some((first, true))) = published(orders) else {
        unreachable!("a session begins with a hello, and its first batch tells its names")
    };
    line.step(Event::Heard(Downlink::Answer(Answer {
        hq: stamp(),
        ledger: LEDGER,
        nonce,
        mark: Mark::default(),
        asked: Vec::new(),
        remembers: true,
        holding: Holding::default(),
    })));
    let (asked, orders) = line.stored(first);
    assert_eq!(asked, ["settle and form"]);
    let (None, Some((second, told))) = published(orders) else {
        unreachable!("the second batch goes, and nothing else")
    };
    assert!(!told, "HQ has said that it holds the name");
    let (asked, orders) = line.stored(second);
    assert_eq!(
        (asked, orders),
        (vec!["settle and form"], Vec::new()),
        "there may be more"
    );
    let (asked, _) = line.stored(second);
    assert_eq!(asked, ["settle"], "nothing waits");
}
