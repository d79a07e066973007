//! One statement of SQL with its values, prepared once for each connection.
//!
//! diesel's query builder prepares inserts, updates and `sql_query` anew each time, and it has no words for the set-based statements that move thousands of
//! rows at once. This is the smallest thing that diesel runs and keeps prepared; statements of one row that are rare are written with the query builder.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;

/// A value of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Int(Option<i64>),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// A statement whose rows, if it has any, are of the SQL type `Row`. Each `?` takes the next value.
#[derive(Debug, Clone)]
pub(super) struct Statement<'a, Row = ()> {
    sql: Cow<'static, str>,
    values: Vec<Value<'a>>,
    row: PhantomData<Row>,
}

/// Begins a statement; values follow with [`Statement::int`] and its like.
pub(super) fn sql<'a, Row>(sql: impl Into<Cow<'static, str>>) -> Statement<'a, Row> {
    Statement {
        sql: sql.into(),
        values: Vec::new(),
        row: PhantomData,
    }
}

impl<'a, Row> Statement<'a, Row> {
    pub(super) fn int(self, value: i64) -> Self {
        self.value(Value::Int(Some(value)))
    }

    pub(super) fn maybe(self, value: Option<i64>) -> Self {
        self.value(Value::Int(value))
    }

    pub(super) fn text(self, value: &'a str) -> Self {
        self.value(Value::Text(value))
    }

    pub(super) fn blob(self, value: &'a [u8]) -> Self {
        self.value(Value::Blob(value))
    }

    pub(super) fn value(mut self, value: Value<'a>) -> Self {
        self.values.push(value);
        self
    }

    pub(super) fn values(mut self, values: impl IntoIterator<Item = Value<'a>>) -> Self {
        self.values.extend(values);
        self
    }
}

impl<Row> QueryFragment<Sqlite> for Statement<'_, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        debug_assert_eq!(self.sql.matches('?').count(), self.values.len(), "{}", self.sql);
        let mut pieces = self.sql.split('?');
        out.push_sql(pieces.next().unwrap_or_default());
        for (piece, value) in pieces.zip(&self.values) {
            match value {
                Value::Int(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                Value::Text(value) => out.push_bind_param::<Text, str>(value)?,
                Value::Blob(value) => out.push_bind_param::<Binary, [u8]>(value)?,
            }
            out.push_sql(piece);
        }
        Ok(())
    }
}

impl<Row> QueryId for Statement<'_, Row> {
    type QueryId = ();
    // The cache of prepared statements goes by the text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Statement<'_, Row> {
    type SqlType = Row;
}

impl<Row> RunQueryDsl<SqliteConnection> for Statement<'_, Row> {}
