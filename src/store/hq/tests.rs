mod failures;
mod files;
mod memory;
mod messages;
mod names;
mod rows;

use std::collections::HashMap;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Nullable, Text};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::money::{Money, MoneySum};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::sync_state::Refusal;
use crate::domain::time::parse_wall;
use crate::protocol::message::{Answer, Batch, Downlink, Hello, Receipt, Taken};
use crate::protocol::verdict::{self, Verdict};
use crate::store::OpenError;

/// 2026-11-22 14:07:31.
const NOW: UtcMillis = UtcMillis(1_795_356_451_000);
const LEDGER: LedgerId = LedgerId::from_random(7);

struct Hq {
    db: HqDb,
    folder: TempDir,
}

fn hq() -> Hq {
    let folder = tempfile::tempdir().unwrap();
    let db = HqDb::create(&folder.path().join("hq.db"), 5, NOW).unwrap();
    Hq { db, folder }
}

fn branch() -> BranchCode {
    BranchCode::parse("TUNIS-01").unwrap()
}

fn sale(id: i64) -> Sale {
    Sale {
        id: SaleId::new(id).unwrap(),
        ledger: LEDGER,
        revision: Revision::FIRST,
        content: SaleContent {
            date: parse_wall("2026-11-22 14:00").unwrap(),
            product: format!("LANTERN {id}").into(),
            region: "East".into(),
            qty: 6,
            cost: Money::parse("3.39").unwrap(),
            tax: Money::parse("4.07").unwrap(),
        },
        created_at: NOW,
        updated_at: NOW,
        deleted_at: None,
    }
}

fn revised(id: i64, revision: u32, product: &str) -> Sale {
    let mut sale = sale(id);
    sale.revision = Revision::new(revision).unwrap();
    sale.content.product = product.into();
    sale
}

fn batch_of(branch: BranchCode, sales: Vec<Sale>) -> Incoming {
    Incoming::Message {
        login: Login::Own,
        message: Uplink::Batch(Batch {
            branch,
            ledger: sales[0].ledger,
            id: BatchId::from_random(77),
            sales,
            products: Vec::new(),
        }),
    }
}

fn batch(sales: Vec<Sale>) -> Incoming {
    batch_of(branch(), sales)
}

fn hello(login: Login) -> Incoming {
    Incoming::Message {
        login,
        message: Uplink::Hello(Hello {
            branch: branch(),
            ledger: LEDGER,
            nonce: Nonce::from_random(3),
            first_id: 1,
            highest_id: 40,
            sales: 39,
            amount: MoneySum(1_234_500),
            clock: UtcMillis(NOW.0 - 1_500),
            writes: vec![1],
            marks: Vec::new(),
        }),
    }
}

fn suspect(bytes: &[u8]) -> Suspect {
    Suspect {
        reason: "it can't be read".into(),
        routing_key: "TUNIS-01.s".into(),
        user_id: Some("TUNIS-01".into()),
        headers: "{}".into(),
        bytes: bytes.into(),
    }
}

impl Hq {
    fn commit(&mut self, group: &[Incoming]) -> Vec<Option<Downlink>> {
        self.db.commit_group(NOW, &[1], group).unwrap()
    }

    fn receipt(&mut self, incoming: Incoming) -> Receipt {
        match self.commit(&[incoming]).pop().flatten() {
            Some(Downlink::Receipt(receipt)) => receipt,
            other => panic!("no receipt but {other:?}"),
        }
    }

    /// The answer to a batch: what was stored (id, revision), refused and held, and the applied count before and after.
    fn take(&mut self, sales: Vec<Sale>) -> (Vec<(i64, u32)>, Taken, (u64, u64)) {
        let receipt = self.receipt(batch(sales));
        let Outcome::Taken(taken) = receipt.outcome else {
            panic!("the batch was not taken");
        };
        let stored = taken
            .stored
            .iter()
            .flat_map(|run| run.ids().map(|id| (id.get(), run.revision.get())));
        (
            stored.collect(),
            taken.clone(),
            (receipt.mark.applied - receipt.newly_applied, receipt.mark.applied),
        )
    }

    fn number(&mut self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let sql = format!("SELECT ({sql}) AS number");
        diesel::sql_query(sql)
            .get_result::<Number>(&mut self.db.conn)
            .unwrap()
            .number
    }

    fn text(&mut self, sql: &str) -> Option<String> {
        #[derive(QueryableByName)]
        struct Word {
            #[diesel(sql_type = Nullable<Text>)]
            word: Option<String>,
        }
        let sql = format!("SELECT ({sql}) AS word");
        diesel::sql_query(sql)
            .get_result::<Word>(&mut self.db.conn)
            .unwrap()
            .word
    }

    fn reopened(self) -> Self {
        let path = self.db.path.clone();
        drop(self.db);
        Self {
            db: HqDb::open(&path).unwrap(),
            folder: self.folder,
        }
    }
}
