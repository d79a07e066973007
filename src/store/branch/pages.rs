//! Pages of the table: some neighbouring rows in any order, found by key and never by counting from the top.
//!
//! Either a part of the filter shows few sales, then all of them are looked at and sorted; or the table is walked along the index of its order, and the filter is
//! met again and again on the way. Both stop at the page's last row.

use diesel::prelude::*;

use super::filter::{self, Condition, Source};
use super::sales::{self, COLUMNS, JOINED, SaleRecord, SaleSql};
use super::statement::{Value, sql};
use super::{BranchDb, place};
use crate::domain::ids::SaleId;
use crate::domain::read::{Anchor, Filter, Page, PageRequest, Sort, SortKey};
use crate::domain::sale::Sale;
use crate::domain::time::wall_text;
use crate::store::StoreError;

impl BranchDb {
    /// Some neighbouring rows of the table.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn page(&mut self, request: &PageRequest) -> Result<Page, StoreError> {
        self.conn.transaction(|conn| page(conn, request))
    }
}

fn page(conn: &mut SqliteConnection, request: &PageRequest) -> Result<Page, StoreError> {
    let table = Table {
        filter: &request.filter,
        sort: request.sort,
        few: filter::few(conn, &request.filter)?,
    };
    let (anchor, inclusive, down) = match request.anchor {
        Anchor::Top => (None, true, true),
        Anchor::Bottom => (None, true, false),
        Anchor::After(id) => (Some(id), false, true),
        Anchor::At(id) => (Some(id), true, true),
        Anchor::Before(id) => (Some(id), false, false),
    };
    let key = match anchor {
        Some(id) => sales::find(conn, id)?.map(|sale| Key::of(&sale, request.sort.key)),
        None => None,
    };
    let limit = i64::from(request.limit);
    let mut found = table.rows(conn, key.as_ref(), inclusive, down, limit + 1)?;
    let more_ahead = found.len() as u64 > u64::from(request.limit);
    if more_ahead {
        found.pop();
    }
    let more_behind = key.is_some() && !table.rows(conn, key.as_ref(), !inclusive, !down, 1)?.is_empty();
    if !down {
        found.reverse();
    }
    Ok(Page {
        rows: found
            .into_iter()
            .map(|sale| place::row(conn, sale))
            .collect::<Result<_, _>>()?,
        more_above: if down { more_behind } else { more_ahead },
        more_below: if down { more_ahead } else { more_behind },
    })
}

/// A sale's place in an order.
#[derive(Debug, Clone)]
struct Key {
    id: SaleId,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    Id,
    Text(String),
    Int(i64),
}

impl Key {
    fn of(sale: &Sale, key: SortKey) -> Self {
        let by = match key {
            SortKey::Id => By::Id,
            SortKey::Date => By::Text(wall_text(sale.content.date)),
            SortKey::Product => By::Text(sale.content.product.clone()),
            SortKey::Total => By::Int(sale.content.amount().units() + sale.content.tax.units()),
        };
        Self { id: sale.id, by }
    }
}

impl By {
    fn value(&self) -> Option<Value<'_>> {
        match self {
            Self::Id => None,
            Self::Text(text) => Some(Value::Text(text)),
            Self::Int(number) => Some(Value::Int(Some(*number))),
        }
    }
}

/// A table as a request sees it.
struct Table<'a> {
    filter: &'a Filter,
    sort: Sort,
    few: Option<Source>,
}

impl Table<'_> {
    /// The rows from a key on, or from the table's end, nearest first.
    fn rows(
        &self,
        conn: &mut SqliteConnection,
        from: Option<&Key>,
        inclusive: bool,
        down: bool,
        limit: i64,
    ) -> Result<Vec<Sale>, StoreError> {
        let rising = down != self.sort.descending;
        let Some(key) = from else {
            return self.part(conn, None, rising, limit);
        };
        let beyond = if rising { ">" } else { "<" };
        let or_same = if inclusive { "=" } else { "" };
        let column = self.column();
        let Some(value) = key.by.value() else {
            let part = Part {
                condition: format!("s.id {beyond}{or_same} ?"),
                values: vec![Value::Int(Some(key.id.get()))],
            };
            return self.part(conn, Some(part), rising, limit);
        };
        // First the rest of the rows with the same key, then those beyond it: as one comparison of pairs it would scan all that have the key.
        let same = Part {
            condition: format!("{column} = ? AND s.id {beyond}{or_same} ?"),
            values: vec![value, Value::Int(Some(key.id.get()))],
        };
        let mut rows = self.part(conn, Some(same), rising, limit)?;
        let missing = limit - i64::try_from(rows.len()).unwrap_or(limit);
        if missing > 0 {
            let rest = Part {
                condition: format!("{column} {beyond} ?"),
                values: vec![value],
            };
            rows.extend(self.part(conn, Some(rest), rising, missing)?);
        }
        Ok(rows)
    }

    const fn column(&self) -> &'static str {
        match self.sort.key {
            SortKey::Id => "s.id",
            SortKey::Date => "s.date",
            SortKey::Product => "p.name",
            SortKey::Total => "s.total",
        }
    }

    fn part(
        &self,
        conn: &mut SqliteConnection,
        part: Option<Part<'_>>,
        rising: bool,
        limit: i64,
    ) -> Result<Vec<Sale>, StoreError> {
        let part = part.unwrap_or_default();
        let mut condition = match &self.few {
            Some(_) => Condition::on_walk(self.filter, false),
            None => Condition::on_walk(self.filter, self.sort.key == SortKey::Date),
        };
        let source = match (&self.few, self.sort.key) {
            (Some(few), _) => format!("({}) few CROSS JOIN sales s ON s.id = few.id {JOINED}", few.sql),
            (None, SortKey::Product) => {
                condition.and_product_first(self.filter);
                "products p CROSS JOIN sales s ON s.product_no = p.no CROSS JOIN regions g ON g.no = s.region_no CROSS JOIN ledgers l ON l.no = s.ledger_no".into()
            }
            (None, SortKey::Id | SortKey::Date | SortKey::Total) => format!("sales s {JOINED}"),
        };
        let direction = if rising { "" } else { " DESC" };
        let order = match self.sort.key {
            SortKey::Id => format!("s.id{direction}"),
            SortKey::Date | SortKey::Product | SortKey::Total => {
                format!("{}{direction}, s.id{direction}", self.column())
            }
        };
        let statement = sql::<SaleSql>(format!(
            "SELECT {COLUMNS} FROM {source} WHERE {} AND {} ORDER BY {order} LIMIT ?",
            condition.sql(),
            part.condition,
        ));
        let statement = match &self.few {
            Some(few) => few.bind(statement),
            None => statement,
        };
        statement
            .values(condition.values())
            .values(part.values)
            .int(limit)
            .load::<SaleRecord>(conn)?
            .into_iter()
            .map(sales::sale)
            .collect()
    }
}

/// A part of an order.
struct Part<'a> {
    condition: String,
    values: Vec<Value<'a>>,
}

impl Default for Part<'_> {
    fn default() -> Self {
        Self {
            condition: "TRUE".into(),
            values: Vec::new(),
        }
    }
}
