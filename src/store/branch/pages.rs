//! Pages of the table: some neighbouring rows in any order, found by key and never by counting from the top.
//!
//! Either a part of the filter shows few sales, then all of them are looked at and sorted; or the table is walked along the index of its order, and the filter is
//! met again and again on the way. Both stop at the page's last row. In the order of states there is a table for each state, one behind the other.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::filter::{self, Condition, Source};
use super::kept::Kept;
use super::statement::{Value, sql};
use super::{BranchDb, place, sales, values};
use crate::domain::ids::SaleId;
use crate::domain::read::{Anchor, Filter, Page, PageRequest, Sort, SortKey};
use crate::domain::sale::Sale;
use crate::domain::sync_state::SyncKind;
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
    if filter::shows_nothing(conn, &request.filter)? {
        return Ok(Page::default());
    }
    let tables = tables(conn, request)?;
    let (anchor, inclusive, down) = match request.anchor {
        Anchor::Top => (None, true, true),
        Anchor::Bottom => (None, true, false),
        Anchor::After(id) => (Some(id), false, true),
        Anchor::At(id) => (Some(id), true, true),
        Anchor::Before(id) => (Some(id), false, false),
    };
    let key = match anchor {
        Some(id) => Key::find(conn, id, request.sort.key)?,
        None => None,
    };
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let ahead = Step {
        from: key.as_ref(),
        inclusive,
        rising: down != request.sort.descending,
    };
    let mut found = ids(conn, &tables, ahead, limit.saturating_add(1))?;
    let more_ahead = found.len() > limit;
    found.truncate(limit);
    let behind = Step {
        inclusive: !inclusive,
        rising: !ahead.rising,
        ..ahead
    };
    let more_behind = key.is_some() && !ids(conn, &tables, behind, 1)?.is_empty();
    if !down {
        found.reverse();
    }
    Ok(Page {
        rows: place::rows(conn, &found)?,
        more_above: if down { more_behind } else { more_ahead },
        more_below: if down { more_ahead } else { more_behind },
    })
}

/// The tables that stand one behind the other in the order of a request, lowest first: one for each state in which sales are where the order is by state, else one.
fn tables(conn: &mut SqliteConnection, request: &PageRequest) -> Result<Vec<Table>, StoreError> {
    if request.sort.key != SortKey::State {
        return Ok(vec![Table::of(conn, request.filter.clone(), request.sort)?]);
    }
    let kept = Kept::load(conn)?;
    let mut states = SyncKind::ALL;
    states.sort_by_key(|state| state.urgency());
    let shown = states
        .into_iter()
        .filter(|state| kept.in_state(*state) > 0 && request.filter.state.is_none_or(|only| only == *state));
    shown
        .map(|state| {
            let filter = Filter {
                state: Some(state),
                ..request.filter.clone()
            };
            Table::of(conn, filter, request.sort)
        })
        .collect()
}

/// The rows on the way through all tables, nearest first.
fn ids(conn: &mut SqliteConnection, tables: &[Table], step: Step<'_>, limit: usize) -> Result<Vec<i64>, StoreError> {
    let mut ids = Vec::new();
    let on_the_way: &mut dyn Iterator<Item = &Table> = if step.rising {
        &mut tables.iter()
    } else {
        &mut tables.iter().rev()
    };
    for table in on_the_way {
        let from = match step.from {
            Some(Key {
                by: By::State(state), ..
            }) if table.filter.state != Some(*state) => {
                let here = table.filter.state.map_or(0, SyncKind::urgency);
                if (here > state.urgency()) != step.rising {
                    continue;
                }
                None
            }
            from => from,
        };
        let missing = limit - ids.len();
        if missing > 0 {
            ids.extend(table.ids(conn, Step { from, ..step }, missing)?);
        }
    }
    Ok(ids)
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
    State(SyncKind),
}

impl Key {
    fn find(conn: &mut SqliteConnection, id: SaleId, key: SortKey) -> Result<Option<Self>, StoreError> {
        if key == SortKey::State {
            let found = place::find(conn, id)?;
            return Ok(found.map(|(_, place)| Self {
                id,
                by: By::State(place.state().kind()),
            }));
        }
        Ok(sales::find(conn, id)?.map(|sale| Self::of(&sale, key)))
    }

    fn of(sale: &Sale, key: SortKey) -> Self {
        let by = match key {
            // Within a state the order is that of entry.
            SortKey::Id | SortKey::State => By::Id,
            SortKey::Date => By::Text(values::date_text(sale.content.date)),
            SortKey::Product => By::Text(sale.content.product.to_string()),
            SortKey::Total => By::Int(sale.content.amount().units() + sale.content.tax.units()),
        };
        Self { id: sale.id, by }
    }
}

/// Where to go on from, and which way.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    /// `None`: from the end of the order that comes first on this way.
    from: Option<&'a Key>,
    /// Whether the row that it goes on from is one of the rows.
    inclusive: bool,
    rising: bool,
}

impl Step<'_> {
    const fn beyond(&self) -> &'static str {
        if self.rising { ">" } else { "<" }
    }

    const fn or_same(&self) -> &'static str {
        if self.inclusive { "=" } else { "" }
    }

    const fn direction(&self) -> &'static str {
        if self.rising { "" } else { " DESC" }
    }
}

/// A part of an order: a condition and its values.
#[derive(Debug)]
struct Part<'a> {
    condition: String,
    values: Vec<Value<'a>>,
}

/// A table as a request sees it.
struct Table {
    filter: Filter,
    sort: Sort,
    few: Option<Source>,
}

impl Table {
    fn of(conn: &mut SqliteConnection, filter: Filter, sort: Sort) -> Result<Self, StoreError> {
        let few = filter::few(conn, &filter)?;
        Ok(Self { filter, sort, few })
    }

    /// The rows on the way, nearest first.
    fn ids(&self, conn: &mut SqliteConnection, step: Step<'_>, limit: usize) -> Result<Vec<i64>, StoreError> {
        if self.few.is_none() && self.sort.key == SortKey::Total {
            return self.ids_by_band(conn, step, limit);
        }
        let mut ids = Vec::new();
        for part in self.parts(step) {
            let missing = limit - ids.len();
            if missing > 0 {
                ids.extend(self.part(conn, &part, step, missing)?);
            }
        }
        Ok(ids)
    }

    /// First the rest of the rows with the same key, then those beyond it: one comparison of pairs would scan all that have the key.
    fn parts<'k>(&self, step: Step<'k>) -> Vec<Part<'k>> {
        let (column, beyond, or_same) = (self.column(), step.beyond(), step.or_same());
        let Some(key) = step.from else {
            return vec![Part {
                condition: "TRUE".into(),
                values: Vec::new(),
            }];
        };
        let id = Value::Int(Some(key.id.get()));
        let value = match &key.by {
            By::Id | By::State(_) => {
                return vec![Part {
                    condition: format!("s.id {beyond}{or_same} ?"),
                    values: vec![id],
                }];
            }
            By::Text(text) => Value::Text(text),
            By::Int(number) => Value::Int(Some(*number)),
        };
        vec![
            Part {
                condition: format!("{column} = ? AND s.id {beyond}{or_same} ?"),
                values: vec![value, id],
            },
            Part {
                condition: format!("{column} {beyond} ?"),
                values: vec![value],
            },
        ]
    }

    /// Totals have no index of their own: their bands have, and a band is small enough to be sorted.
    fn ids_by_band(&self, conn: &mut SqliteConnection, step: Step<'_>, limit: usize) -> Result<Vec<i64>, StoreError> {
        let mut ids = Vec::new();
        let mut from = step.from;
        let mut band = match from {
            Some(Key { by: By::Int(total), .. }) => Some(band_of(*total)),
            Some(_) | None => next_band(conn, None, step)?,
        };
        while let Some(here) = band
            && ids.len() < limit
        {
            // Only the band that the way begins in has rows behind us.
            for part in self.parts(Step {
                from: from.take(),
                ..step
            }) {
                let missing = limit - ids.len();
                if missing > 0 {
                    let within = Part {
                        condition: format!("s.band = ? AND {}", part.condition),
                        values: [Value::Int(Some(here))].into_iter().chain(part.values).collect(),
                    };
                    ids.extend(self.part(conn, &within, step, missing)?);
                }
            }
            band = next_band(conn, Some(here), step)?;
        }
        Ok(ids)
    }

    const fn column(&self) -> &'static str {
        match self.sort.key {
            SortKey::Id | SortKey::State => "s.id",
            SortKey::Date => "s.date",
            SortKey::Product => "p.name",
            SortKey::Total => "s.total",
        }
    }

    fn part(
        &self,
        conn: &mut SqliteConnection,
        part: &Part<'_>,
        step: Step<'_>,
        limit: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let by_date = self.few.is_none() && self.sort.key == SortKey::Date;
        let by_product = self.sort.key == SortKey::Product;
        let condition = if by_product && self.few.is_none() {
            Condition::on_walk_by_product(&self.filter)
        } else {
            Condition::on_walk(&self.filter, by_date)
        };
        let source = match &self.few {
            Some(few) if by_product => {
                format!(
                    "({}) few CROSS JOIN sales s ON s.id = few.id CROSS JOIN products p ON p.no = s.product_no",
                    few.sql
                )
            }
            Some(few) => format!("({}) few CROSS JOIN sales s ON s.id = few.id", few.sql),
            None if by_product => "products p CROSS JOIN sales s ON s.product_no = p.no".into(),
            None => "sales s".into(),
        };
        let direction = step.direction();
        let order = match self.sort.key {
            SortKey::Id | SortKey::State => format!("s.id{direction}"),
            SortKey::Date | SortKey::Product | SortKey::Total => {
                format!("{}{direction}, s.id{direction}", self.column())
            }
        };
        let statement = sql::<BigInt>(format!(
            "SELECT s.id FROM {source} WHERE {} AND {} ORDER BY {order} LIMIT ?",
            condition.sql(),
            part.condition,
        ));
        let statement = match &self.few {
            Some(few) => few.bind(statement),
            None => statement,
        };
        Ok(statement
            .values(condition.values())
            .values(part.values.iter().copied())
            .int(i64::try_from(limit).unwrap_or(i64::MAX))
            .load(conn)?)
    }
}

/// The band of a total, as the column `band` has it.
fn band_of(total: i64) -> i64 {
    let digits = total.to_string();
    let first: i64 = digits.get(..2).unwrap_or(&digits).parse().unwrap_or(0);
    i64::try_from(digits.len()).unwrap_or(0) * 100 + first
}

/// The band after this one on the way, or the first one.
fn next_band(conn: &mut SqliteConnection, band: Option<i64>, step: Step<'_>) -> Result<Option<i64>, StoreError> {
    let nearest = if step.rising { "min" } else { "max" };
    let statement = match band {
        Some(band) => sql::<Nullable<BigInt>>(format!(
            "SELECT {nearest}(band) FROM sales WHERE band {} ?",
            step.beyond()
        ))
        .int(band),
        None => sql::<Nullable<BigInt>>(format!("SELECT {nearest}(band) FROM sales")),
    };
    Ok(statement.get_result(conn)?)
}
