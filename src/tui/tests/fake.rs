//! An executor in memory: it answers what the screen asks as the branch's database would.

use std::collections::BTreeMap;

use chrono::Timelike;

use crate::domain::draft::Draft;
use crate::domain::event::{LogEvent, LogLine};
use crate::domain::ids::{BranchCode, LedgerId, Revision, SaleId};
use crate::domain::money::{Money, MoneySum};
use crate::domain::read::{
    Anchor, BranchStatus, Chapter, ChapterKind, Filter, KeptDraft, KnownProduct, LineState, Page, PageRequest,
    ProductCode, SaleRow, Sort, SortKey, Story, Totals, WorkerStamp,
};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::sync_state::{Refusal, SyncKind, SyncState};
use crate::domain::time::{UtcMillis, parse_wall};
use crate::tui::desk::{Answer, ChangeProblem, Cmd, MAX_PRODUCTS};

pub(super) fn id(number: i64) -> SaleId {
    SaleId::new(number).unwrap()
}

/// The executor.
#[derive(Debug, Default)]
pub(super) struct FakeDesk {
    pub(super) rows: Vec<SaleRow>,
    pub(super) older: Vec<Sale>,
    pub(super) log: Vec<LogLine>,
    pub(super) codes: Vec<ProductCode>,
    /// What is kept of this screen, the last one kept at the end.
    pub(super) drafts: Vec<KeptDraft>,
    /// What a dead screen has left.
    pub(super) left: Vec<KeptDraft>,
    pub(super) unsaved: Option<i64>,
    pub(super) at_hq: Option<Sale>,
    pub(super) line: LineState,
    pub(super) broken: bool,
    /// By how much HQ's clock is ahead.
    pub(super) skew_ms: i64,
    /// Products that complete what is typed, beside the few that are sold here.
    pub(super) more_products: Vec<KnownProduct>,
}

const PRODUCTS: [(&str, &str, u32, &str); 6] = [
    ("WHITE METAL LANTERN", "3.39", 6, "East"),
    ("ASSORTED COLOUR BIRD ORNAMENT", "1.69", 32, "East"),
    ("PAPER", "12.95", 73, "East"),
    ("PENS", "2.19", 14, "East"),
    ("CAFETIÈRE BLANCHE", "24.50", 1, "Sousse"),
    ("RED WOOLLY HOTTIE WHITE HEART", "1200.1234", 1000, "West"),
];

impl FakeDesk {
    /// A branch with so many sales; the three newest wait, the ones before are at HQ.
    pub(super) fn with_sales(count: i64) -> Self {
        let mut desk = Self {
            line: LineState::Up,
            ..Self::default()
        };
        let start = parse_wall("2026-11-22 14:00:00").unwrap();
        for number in 1..=count {
            let (product, cost, qty, region) = PRODUCTS[usize::try_from(number).unwrap() % PRODUCTS.len()];
            let cost = Money::parse(cost).unwrap();
            let content = SaleContent {
                date: start - chrono::Duration::minutes(7 * (count - number)),
                product: product.into(),
                region: region.into(),
                qty,
                cost,
                tax: cost
                    .times(qty)
                    .unwrap()
                    .tax_at(crate::domain::money::TaxRate::parse("20").unwrap())
                    .unwrap(),
            };
            let at = UtcMillis(content.date.and_utc().timestamp_millis());
            desk.insert(content, at);
        }
        for row in &mut desk.rows {
            row.sync = if row.sale.id.get() > count - 3 {
                SyncState::Pending { tries: 0 }
            } else {
                SyncState::Acked
            };
        }
        desk.log.clear();
        desk
    }

    pub(super) fn set_sync(&mut self, number: i64, sync: SyncState) {
        self.row(id(number)).unwrap().sync = sync;
    }

    pub(super) fn row(&mut self, id: SaleId) -> Option<&mut SaleRow> {
        self.rows.iter_mut().find(|row| row.sale.id == id)
    }

    pub(super) fn say(&mut self, at: UtcMillis, event: LogEvent) {
        let seq = i64::try_from(self.log.len()).unwrap() + 1;
        self.log.push(LogLine { seq, at, event });
    }

    pub(super) fn insert(&mut self, content: SaleContent, now: UtcMillis) -> Sale {
        let number = i64::try_from(self.rows.len()).unwrap() + 1;
        let sale = Sale {
            id: id(number),
            ledger: LedgerId::from_random(7),
            revision: Revision::FIRST,
            content,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        self.rows.push(SaleRow {
            sale: sale.clone(),
            sync: SyncState::Pending { tries: 0 },
        });
        self.say(now, LogEvent::Saved(sale.id));
        sale
    }

    fn change(
        &mut self,
        id: SaleId,
        from: Revision,
        now: UtcMillis,
        change: impl FnOnce(&mut Sale),
    ) -> Result<Box<Sale>, ChangeProblem> {
        let Some(row) = self.row(id) else {
            return Err(ChangeProblem::NoSuchSale);
        };
        if row.sale.is_void() {
            return Err(ChangeProblem::AlreadyVoid);
        }
        if row.sale.revision != from {
            return Err(ChangeProblem::Moved(Box::new(row.sale.clone())));
        }
        let old = row.sale.clone();
        row.sale.revision = from.next();
        row.sale.updated_at = now;
        row.sync = SyncState::Pending { tries: 0 };
        change(&mut row.sale);
        let sale = row.sale.clone();
        self.older.push(old);
        Ok(Box::new(sale))
    }

    fn keep_draft(&mut self, no: i64, draft: Draft, editing: Option<(SaleId, Revision)>) {
        self.drop_draft(no);
        self.drafts.push(KeptDraft {
            screen: "mine".into(),
            no,
            draft,
            editing,
            at: UtcMillis(0),
        });
    }

    fn drop_draft(&mut self, no: i64) {
        self.drafts.retain(|kept| kept.no != no);
    }

    /// What was kept last.
    pub(super) fn draft(&self) -> Option<(Draft, Option<(SaleId, Revision)>)> {
        self.drafts.last().map(|kept| (kept.draft.clone(), kept.editing))
    }

    pub(super) fn execute(&mut self, cmd: Cmd, now: UtcMillis) -> Vec<Answer> {
        let broken = || "the disk is full".to_owned();
        let answer = match cmd {
            Cmd::LoadStatus => Answer::Status(Box::new(self.status(now))),
            Cmd::LoadPage { ticket, request } => Answer::Page {
                ticket,
                page: self.page(&request),
            },
            Cmd::LoadTotals(filter) => {
                let totals = totals(self.rows.iter().filter(|row| fits(&filter, row)));
                Answer::Totals(filter, totals)
            }
            Cmd::LoadDays(filter) => {
                let days = self.grouped(&filter, |row| row.sale.content.date.date());
                Answer::Days(filter, days)
            }
            Cmd::LoadHours(filter) => {
                let hours = self.grouped(&filter, |row| row.sale.content.date.hour());
                Answer::Hours(filter, hours)
            }
            Cmd::LoadStory(id) => Answer::Story(id, self.story(id)),
            Cmd::LoadProducts(typed) => {
                let products = self.products(&typed);
                Answer::Products(typed, products)
            }
            Cmd::FindCode(code) => {
                let found = self.codes.iter().find(|known| known.code == code).cloned();
                Answer::Code(code, found)
            }
            Cmd::LoadLastSale => Answer::LastSale(self.rows.last().map(|row| Box::new(row.sale.clone()))),
            Cmd::LoadLog { after, limit } => {
                let lines: Vec<_> = self
                    .log
                    .iter()
                    .filter(|line| after.is_none_or(|after| line.seq > after))
                    .cloned()
                    .collect();
                let skipped = if after.is_none() {
                    lines.len().saturating_sub(limit.try_into().unwrap())
                } else {
                    0
                };
                Answer::Log {
                    after,
                    lines: lines
                        .into_iter()
                        .skip(skipped)
                        .take(limit.try_into().unwrap())
                        .collect(),
                }
            }
            Cmd::SaveSale { no, .. } | Cmd::SaveEdit { no, .. } if self.broken => {
                self.unsaved = Some(no);
                Answer::Saved(Err(ChangeProblem::Database(broken())))
            }
            Cmd::SaveSale { no, content } => {
                self.drop_draft(no);
                Answer::Saved(Ok(Box::new(self.insert(content, now))))
            }
            Cmd::SaveEdit { no, id, from, content } => {
                let result = self.change(id, from, now, |sale| sale.content = content);
                if result.is_ok() {
                    self.drop_draft(no);
                }
                Answer::Saved(result)
            }
            Cmd::Void { id, from } => {
                Answer::Voided(id, self.change(id, from, now, |sale| sale.deleted_at = Some(now)))
            }
            Cmd::Retry(id) => {
                self.row(id).unwrap().sync = SyncState::Pending { tries: 1 };
                Answer::Retried(Ok(1))
            }
            Cmd::RetryAll(filter) => Answer::Retried(Ok(self.retry_all(&filter))),
            Cmd::Resolve { id, choice: _ } => {
                let row = self.row(id).unwrap();
                row.sync = SyncState::Pending { tries: 0 };
                Answer::Resolved(id, Ok(Box::new(row.sale.clone())))
            }
            Cmd::KeepUnsaved { no, .. } if self.unsaved != Some(no) => Answer::DraftKept(Ok(())),
            Cmd::KeepDraft { .. } if self.broken => Answer::DraftKept(Err(broken())),
            Cmd::KeepDraft { no, draft, editing } | Cmd::KeepUnsaved { no, draft, editing } => {
                self.keep_draft(no, draft, editing);
                Answer::DraftKept(Ok(()))
            }
            Cmd::DropDraft(no) => {
                self.drop_draft(no);
                Answer::DraftKept(Ok(()))
            }
            Cmd::AdoptDrafts => {
                let mut left = std::mem::take(&mut self.left);
                (1..).zip(&mut left).for_each(|(taken, kept)| kept.no = -taken);
                self.drafts.extend(left.iter().cloned());
                Answer::Drafts(left)
            }
            Cmd::Suspend => Answer::Suspended,
            Cmd::SyncNow | Cmd::Resume => return Vec::new(),
        };
        vec![answer]
    }

    fn products(&self, typed: &str) -> Vec<KnownProduct> {
        let typed = typed.trim().to_uppercase();
        let sold = PRODUCTS.iter().map(|(name, cost, ..)| KnownProduct {
            name: (*name).into(),
            last_cost: Money::parse(cost).unwrap(),
        });
        let known = sold.chain(self.more_products.iter().cloned());
        let most = usize::try_from(MAX_PRODUCTS).unwrap();
        known.filter(|known| known.name.contains(&typed)).take(most).collect()
    }

    fn retry_all(&mut self, filter: &Filter) -> u64 {
        let mut count = 0;
        for row in self.rows.iter_mut().filter(|row| row.sync.kind() == SyncKind::Rejected) {
            if fits(filter, row) {
                row.sync = SyncState::Pending { tries: 1 };
                count += 1;
            }
        }
        count
    }

    fn status(&self, now: UtcMillis) -> BranchStatus {
        let count = |kind| self.rows.iter().filter(|row| row.sync.kind() == kind).count() as u64;
        let ahead = || self.rows.iter().filter(|row| row.sync.kind() != SyncKind::Acked);
        BranchStatus {
            branch: BranchCode::parse("TUNIS-01").unwrap(),
            ledger: LedgerId::from_random(7),
            rows: self.rows.len() as u64,
            sales: self.rows.iter().filter(|row| !row.sale.is_void()).count() as u64,
            acked: count(SyncKind::Acked),
            pending: count(SyncKind::Pending),
            sent: count(SyncKind::Sent),
            rejected: count(SyncKind::Rejected),
            conflicts: count(SyncKind::Conflict),
            recalled: 0,
            ahead_amount: ahead().map(|row| row.sale.content.total()).sum(),
            oldest_ahead: ahead().map(|row| row.sale.updated_at).min(),
            highest_id: self.rows.last().map_or(0, |row| row.sale.id.get()),
            store: None,
            last_receipt_at: None,
            last_heard_at: Some(UtcMillis(now.0 - 2_000)),
            skew_ms: self.skew_ms,
            worker: Some(WorkerStamp {
                at: now,
                pid: 42,
                line: self.line,
                trial: false,
            }),
        }
    }

    fn page(&self, request: &PageRequest) -> Page {
        let mut rows: Vec<_> = self.rows.iter().filter(|row| fits(&request.filter, row)).collect();
        rows.sort_by(|a, b| order(request.sort, a, b));
        let limit = request.limit as usize;
        let place = |id: SaleId| rows.iter().position(|row| row.sale.id == id);
        let (from, to) = match request.anchor {
            Anchor::Top => (0, limit),
            Anchor::Bottom => (rows.len().saturating_sub(limit), rows.len()),
            Anchor::After(id) => place(id).map_or((0, limit), |at| (at + 1, at + 1 + limit)),
            Anchor::Before(id) => place(id).map_or((0, limit), |at| (at.saturating_sub(limit), at)),
            Anchor::At(id) => place(id).map_or((0, limit), |at| (at, at + limit)),
        };
        let (from, to) = (from.min(rows.len()), to.min(rows.len()));
        Page {
            rows: rows[from..to].iter().map(|row| (*row).clone()).collect(),
            more_above: from > 0,
            more_below: to < rows.len(),
        }
    }

    fn grouped<G: Ord>(&self, filter: &Filter, group: impl Fn(&SaleRow) -> G) -> Vec<(G, Totals)> {
        let mut groups: BTreeMap<G, Vec<&SaleRow>> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| fits(filter, row)) {
            groups.entry(group(row)).or_default().push(row);
        }
        let sum = |(group, rows): (G, Vec<&SaleRow>)| (group, totals(rows.into_iter()));
        groups.into_iter().map(sum).collect()
    }

    fn story(&self, id: SaleId) -> Option<Box<Story>> {
        let row = self.rows.iter().find(|row| row.sale.id == id)?.clone();
        let mut chapters = Vec::new();
        let revisions: Vec<_> = self
            .older
            .iter()
            .filter(|sale| sale.id == id)
            .chain([&row.sale])
            .collect();
        for sale in revisions {
            chapters.push(Chapter {
                at: sale.updated_at,
                what: ChapterKind::Written(Box::new(sale.clone())),
            });
            chapters.push(Chapter {
                at: sale.updated_at.plus(1_000),
                what: ChapterKind::Sent {
                    revision: sale.revision,
                    attempt: 1,
                },
            });
            let what = if row.sync.kind() == SyncKind::Acked || *sale != row.sale {
                ChapterKind::Acked {
                    revision: sale.revision,
                    hq_clock: sale.updated_at.plus(1_500),
                }
            } else {
                ChapterKind::GivenUp {
                    revision: sale.revision,
                }
            };
            chapters.push(Chapter {
                at: sale.updated_at.plus(2_000),
                what,
            });
        }
        Some(Box::new(Story {
            row,
            chapters,
            at_hq: self.at_hq.clone(),
        }))
    }
}

fn fits(filter: &Filter, row: &SaleRow) -> bool {
    let content = &row.sale.content;
    let day = content.date.date();
    filter
        .product
        .as_ref()
        .is_none_or(|wanted| content.product.to_lowercase().contains(&wanted.to_lowercase()))
        && filter.region.as_ref().is_none_or(|wanted| *content.region == **wanted)
        && filter.from.is_none_or(|from| day >= from)
        && filter.to.is_none_or(|to| day <= to)
        && filter.state.is_none_or(|state| row.sync.kind() == state)
}

fn order(sort: Sort, a: &SaleRow, b: &SaleRow) -> std::cmp::Ordering {
    let key = match sort.key {
        SortKey::Id => std::cmp::Ordering::Equal,
        SortKey::Date => a.sale.content.date.cmp(&b.sale.content.date),
        SortKey::Product => a.sale.content.product.cmp(&b.sale.content.product),
        SortKey::Total => a.sale.content.total().cmp(&b.sale.content.total()),
        SortKey::State => a.sync.kind().urgency().cmp(&b.sync.kind().urgency()),
    };
    let order = key.then(a.sale.id.cmp(&b.sale.id));
    if sort.descending { order.reverse() } else { order }
}

fn totals<'a>(rows: impl Iterator<Item = &'a SaleRow>) -> Totals {
    rows.fold(Totals::default(), |mut totals, row| {
        totals.rows += 1;
        if !row.sale.is_void() {
            totals.sales += 1;
            totals.qty += u128::from(row.sale.content.qty);
            totals.amount += MoneySum::from(row.sale.content.amount());
            totals.tax += MoneySum::from(row.sale.content.tax);
        }
        totals
    })
}

/// The refusal that a date far ahead gets.
pub(super) fn too_far_ahead() -> SyncState {
    SyncState::Rejected(Refusal::DateAhead { days: 40 })
}
