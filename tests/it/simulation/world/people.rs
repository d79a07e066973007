//! What people do at the counters: they sell, edit, void, settle conflicts and ask for things by hand.

use branchline::domain::money::Money;
use branchline::domain::sale::{Sale, SaleContent};
use branchline::domain::sync_state::SyncState;
use branchline::domain::time::parse_wall;
use branchline::protocol::uplink::Event;
use branchline::store::branch::Choice;

use super::{POISON, World};

impl World {
    fn content(&mut self) -> SaleContent {
        let day = self.wall().to_utc().date_naive() - chrono::Days::new(u64::try_from(self.rng.index(3)).unwrap());
        // Now and then a date that HQ must refuse.
        let day = if self.rng.percent(4) {
            day + chrono::Days::new(40)
        } else {
            day
        };
        SaleContent {
            date: parse_wall(&format!("{day} 12:00:00")).unwrap(),
            product: self.product().into(),
            region: ["East", "West"][self.rng.index(2)].into(),
            qty: u32::try_from(self.rng.index(90) + 1).unwrap(),
            cost: Money::from_units(i64::try_from(self.rng.index(200_000)).unwrap()).unwrap(),
            tax: Money::from_units(i64::try_from(self.rng.index(20_000)).unwrap()).unwrap(),
        }
    }

    fn product(&mut self) -> &'static str {
        if self.rng.percent(1) {
            POISON
        } else {
            ["PENS", "PAPER", "WHITE METAL LANTERN", "CAFÉ"][self.rng.index(4)]
        }
    }

    pub(super) fn sell(&mut self, at: usize) {
        let content = self.content();
        let now = self.wall();
        let saved = self.offices[at].till().save_sale(&content, None, now).unwrap();
        self.write_down(at, saved);
    }

    pub(super) fn change(&mut self, at: usize) {
        let rows = self.rows(at);
        if rows.is_empty() {
            return;
        }
        let row = rows[self.rng.index(rows.len())].clone();
        let (id, from, now) = (row.sale.id, row.sale.revision, self.wall());
        let content = self.content();
        let void = self.rng.percent(25);
        let mine = self.rng.percent(50);
        let till = self.offices[at].till();
        let saved = if matches!(row.sync, SyncState::Conflict { .. }) {
            till.resolve(id, if mine { Choice::KeepMine } else { Choice::TakeHq }, now)
        } else if matches!(row.sync, SyncState::Rejected(_)) && mine {
            till.retry(id, now).unwrap();
            return self.feed(at, Event::SalesWaiting);
        } else if row.sale.is_void() {
            return;
        } else if void {
            till.void_sale(id, from, now)
        } else {
            till.save_edit(id, from, &content, None, now)
        };
        self.write_down(at, saved.unwrap());
    }

    fn write_down(&mut self, at: usize, sale: Sale) {
        let key = (self.offices[at].code.clone(), sale.created_at);
        if let Some(saved) = &mut self.offices[at].saved {
            saved.insert(sale.id, sale.revision);
        }
        self.written.entry(key).or_default().push(sale);
        self.feed(at, Event::SalesWaiting);
    }

    /// Somebody asks by hand that everything goes once more.
    pub(super) fn resend(&mut self, at: usize) {
        let now = self.wall();
        self.offices[at].till().resend(None, None, now).unwrap();
        self.feed(at, Event::SalesWaiting);
    }
}
