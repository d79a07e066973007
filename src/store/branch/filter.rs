//! Filters as SQL: which sales a table shows, and which of its conditions names the fewest.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::dictionary::folded;
use super::kept::Kept;
use super::statement::{Statement, Value, sql};
use crate::domain::read::Filter;
use crate::domain::sync_state::SyncKind;
use crate::store::StoreError;

const IN_OUTBOX: &str = "EXISTS (SELECT 1 FROM outbox o WHERE o.day = substr(s.date, 1, 10) AND o.id = s.id)";
const IN_HELD: &str = "EXISTS (SELECT 1 FROM held h WHERE h.id = s.id)";
const PRODUCTS: &str = "(SELECT no FROM products WHERE instr(folded, ?) > 0)";
const REGIONS: &str = "(SELECT no FROM regions WHERE name = ? COLLATE NOCASE)";

/// A condition that names no more sales than this is worth going through whole; more are met soon enough on a walk through the table.
const FEW: i64 = 10_000;

/// The ids of the sales that have their place in batches of one state; at most what may be in flight.
fn in_batches(state: &str) -> String {
    // The first condition is the partial index's own.
    format!(
        "SELECT x.id FROM batches b CROSS JOIN batch_runs r CROSS JOIN sales x WHERE b.state IN ('open', 'parked') AND b.state = '{state}' \
         AND r.batch_no = b.no AND x.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND x.revision = r.revision"
    )
}

/// The condition that a sale is in this state.
pub(super) fn in_state(state: SyncKind) -> String {
    let open = || format!("s.id IN ({})", in_batches("open"));
    let parked = || format!("s.id IN ({})", in_batches("parked"));
    match state {
        SyncKind::Pending => format!("({IN_OUTBOX} OR {})", parked()),
        SyncKind::Sent => open(),
        SyncKind::Rejected | SyncKind::Conflict => {
            format!(
                "EXISTS (SELECT 1 FROM held h WHERE h.id = s.id AND h.state = '{}')",
                state.word()
            )
        }
        SyncKind::Acked => format!(
            "NOT {IN_OUTBOX} AND NOT {IN_HELD} AND NOT {} AND NOT {}",
            open(),
            parked()
        ),
    }
}

/// Conditions on `s` that all hold, with their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Condition {
    parts: Vec<String>,
    values: Vec<Owned>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Int(i64),
    Text(String),
}

impl Condition {
    /// What a filter asks for.
    pub(super) fn of(filter: &Filter) -> Self {
        Self::on(filter, "", "")
    }

    /// What a filter asks for, in words that leave the order of the walk to another index: a unary plus hides a column from the planner.
    pub(super) fn on_walk(filter: &Filter, by_date: bool) -> Self {
        Self::on(filter, "+", if by_date { "" } else { "+" })
    }

    /// What a filter asks for on a walk in the order of products: each product `p` is looked at before its sales, in the order of the names.
    pub(super) fn on_walk_by_product(filter: &Filter) -> Self {
        let mut condition = Self::default();
        if let Some(product) = &filter.product {
            condition.and_text("instr(p.folded, ?) > 0", folded(product.trim()));
        }
        condition.and_all_but_product(filter, "+", "+");
        condition
    }

    fn on(filter: &Filter, plus: &str, date_plus: &str) -> Self {
        let mut condition = Self::default();
        if let Some(product) = &filter.product {
            condition.and_text(format!("{plus}s.product_no IN {PRODUCTS}"), folded(product.trim()));
        }
        condition.and_all_but_product(filter, plus, date_plus);
        condition
    }

    fn and_all_but_product(&mut self, filter: &Filter, plus: &str, date_plus: &str) {
        if let Some(region) = &filter.region {
            self.and_text(format!("{plus}s.region_no IN {REGIONS}"), region.clone());
        }
        self.and_days(filter, date_plus);
        if let Some(state) = filter.state {
            self.and(in_state(state));
        }
    }

    fn and_days(&mut self, filter: &Filter, plus: &str) {
        if let Some(from) = filter.from {
            self.and_text(format!("{plus}s.date >= ?"), from.to_string());
        }
        if let Some(to) = filter.to {
            // Every time of a day is above the day alone, and below the day with a tilde where its time would be.
            self.and_text(format!("{plus}s.date < ?"), format!("{to} ~"));
        }
    }

    pub(super) fn and(&mut self, part: impl Into<String>) {
        self.parts.push(part.into());
    }

    pub(super) fn and_int(&mut self, part: impl Into<String>, value: i64) {
        self.and(part);
        self.values.push(Owned::Int(value));
    }

    pub(super) fn and_text(&mut self, part: impl Into<String>, value: String) {
        self.and(part);
        self.values.push(Owned::Text(value));
    }

    /// The conditions as they stand behind `WHERE`.
    pub(super) fn sql(&self) -> String {
        if self.parts.is_empty() {
            "TRUE".into()
        } else {
            self.parts.join(" AND ")
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = Value<'_>> {
        self.values.iter().map(|value| match value {
            Owned::Int(number) => Value::Int(Some(*number)),
            Owned::Text(text) => Value::Text(text),
        })
    }
}

/// A query for the ids of the sales that one part of a filter shows.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) sql: String,
    pub(super) values: Vec<String>,
}

impl Source {
    pub(super) fn bind<'a, Row>(&'a self, statement: Statement<'a, Row>) -> Statement<'a, Row> {
        statement.values(self.values.iter().map(|text| Value::Text(text)))
    }
}

/// Whether the filter asks for a state in which no sale is.
pub(super) fn shows_nothing(conn: &mut SqliteConnection, filter: &Filter) -> Result<bool, StoreError> {
    let Some(state) = filter.state else { return Ok(false) };
    Ok(Kept::load(conn)?.in_state(state) == 0)
}

/// The part of a filter that shows the fewest sales, if they are few.
pub(super) fn few(conn: &mut SqliteConnection, filter: &Filter) -> Result<Option<Source>, StoreError> {
    let mut best: Option<(i64, Source)> = None;
    for source in sources(filter) {
        let counted = sql::<BigInt>(format!(
            "SELECT count(*) FROM (SELECT 1 FROM ({}) LIMIT {})",
            source.sql,
            FEW + 1
        ));
        let count: i64 = source.bind(counted).get_result(conn)?;
        if count <= best.as_ref().map_or(FEW, |(least, _)| *least) {
            best = Some((count, source));
        }
    }
    Ok(best.map(|(_, source)| source))
}

/// A query for the ids of the sales in a state; `None`: acked is what is in no other.
pub(super) fn ids_in_state(state: SyncKind) -> Option<String> {
    match state {
        SyncKind::Pending => Some(format!("SELECT id FROM outbox UNION ALL {}", in_batches("parked"))),
        SyncKind::Sent => Some(in_batches("open")),
        SyncKind::Rejected | SyncKind::Conflict => {
            Some(format!("SELECT id FROM held WHERE state = '{}'", state.word()))
        }
        SyncKind::Acked => None,
    }
}

fn sources(filter: &Filter) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut add = |sql: String, values: Vec<String>| sources.push(Source { sql, values });
    if let Some(ids) = filter.state.and_then(ids_in_state) {
        add(ids, Vec::new());
    }
    if let Some(product) = &filter.product {
        add(
            format!("SELECT id FROM sales WHERE product_no IN {PRODUCTS}"),
            vec![folded(product.trim())],
        );
    }
    if let Some(region) = &filter.region {
        add(
            format!("SELECT id FROM sales WHERE region_no IN {REGIONS}"),
            vec![region.clone()],
        );
    }
    if filter.from.is_some() || filter.to.is_some() {
        let mut days = Condition::default();
        days.and_days(filter, "");
        let values = [
            filter.from.map(|day| day.to_string()),
            filter.to.map(|day| format!("{day} ~")),
        ];
        add(
            format!("SELECT id FROM sales s WHERE {}", days.sql()),
            values.into_iter().flatten().collect(),
        );
    }
    sources
}
