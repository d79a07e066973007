//! A fair HQ in memory, which refuses and doubts now and then, as a byte tells it.

use std::collections::BTreeMap;

use super::super::fixture::{lantern, revision};
use crate::domain::ids::{LedgerId, Revision, SaleId};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::sync_state::Refusal;
use crate::domain::time::UtcMillis;
use crate::protocol::lineage::Mark;
use crate::protocol::message::Taken;
use crate::protocol::verdict;

/// What HQ holds under one key, whoever wrote it.
#[derive(Debug, Default)]
pub(super) struct Hq {
    held: BTreeMap<(LedgerId, SaleId), Sale>,
    refused: Vec<(LedgerId, SaleId, Revision)>,
    pub(super) marks: BTreeMap<LedgerId, Mark>,
}

impl Hq {
    pub(super) fn mark(&self, ledger: LedgerId) -> Mark {
        self.marks.get(&ledger).copied().unwrap_or_default()
    }

    /// Takes one row in, as HQ does; a byte decides whether it is refused, or whether somebody else has written under its key.
    pub(super) fn take(&mut self, sale: &Sale, luck: u8, stored: &mut Vec<(SaleId, Revision)>, taken: &mut Taken) {
        let key = (sale.ledger, sale.id);
        let name = (sale.ledger, sale.id, sale.revision);
        if self.refused.contains(&name) {
            taken.refused.push((sale.id, sale.revision, Refusal::Storage));
            return;
        }
        match self.held.get(&key) {
            Some(held) if !verdict::same_sale(held, sale) => taken.held.push(held.clone()),
            Some(held) if held.revision > sale.revision => taken.held.push(held.clone()),
            Some(held) if held == sale => stored.push((sale.id, sale.revision)),
            Some(held) if held.revision == sale.revision => taken.held.push(held.clone()),
            _ if luck < 24 => {
                self.refused.push(name);
                taken.refused.push((sale.id, sale.revision, Refusal::Storage));
            }
            ours if luck < 56 => {
                // A key that is ours already stays ours.
                let is_ours = luck < 40 || ours.is_some();
                let alien = Sale {
                    content: SaleContent { qty: 77, ..lantern() },
                    revision: revision(sale.revision.get() + u32::from(luck % 2)),
                    created_at: if is_ours { sale.created_at } else { UtcMillis(5) },
                    ..sale.clone()
                };
                self.held.insert(key, alien.clone());
                self.marks.entry(sale.ledger).or_default().applied += 1;
                taken.held.push(alien);
            }
            _ => {
                self.held.insert(key, sale.clone());
                self.marks.entry(sale.ledger).or_default().applied += 1;
                stored.push((sale.id, sale.revision));
            }
        }
    }
}
