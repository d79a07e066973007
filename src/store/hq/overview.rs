//! What head office holds, branch by branch, counted from the rows.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::HqDb;
use super::schema::quarantine;
use crate::domain::money::MoneySum;
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// What head office holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overview {
    /// Each branch, by its code.
    pub branches: Vec<BranchOverview>,
    /// Messages in the quarantine.
    pub quarantined: u64,
}

/// What head office holds of one branch. Voided sales are left out of all but `sales`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchOverview {
    /// Its code.
    pub branch: String,
    /// Its sales, voided ones included.
    pub sales: u64,
    /// How many of them are voided.
    pub voided: u64,
    /// The sum of the quantities.
    pub qty: u128,
    /// The sum of quantity times cost.
    pub amount: MoneySum,
    /// Contents that came under a key that has another content, and whose branch has not found the way out yet.
    pub conflicts: u64,
    /// When the branch was last heard.
    pub last_seen_at: UtcMillis,
}

/// Amounts are summed in two parts, so that no sum overflows: one over this many ten-thousandths, one below.
const PART: i128 = 1_000_000;

const BRANCHES: &str = "SELECT b.branch, b.last_seen_at, coalesce(s.sales, 0) AS sales, coalesce(s.voided, 0) AS voided, \
     coalesce(s.qty, 0) AS qty, coalesce(s.high, 0) AS high, coalesce(s.low, 0) AS low, \
     (SELECT count(*) FROM sale_conflicts c WHERE c.branch = b.branch AND c.settled_at IS NULL) AS conflicts \
     FROM branches b LEFT JOIN (SELECT branch, count(*) AS sales, count(deleted_at) AS voided, \
     sum(qty) FILTER (WHERE deleted_at IS NULL) AS qty, \
     sum(qty * cost / 1000000) FILTER (WHERE deleted_at IS NULL) AS high, \
     sum(qty * cost % 1000000) FILTER (WHERE deleted_at IS NULL) AS low FROM sales GROUP BY branch) s ON s.branch = b.branch \
     ORDER BY b.branch";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    branch: String,
    #[diesel(sql_type = BigInt)]
    last_seen_at: i64,
    #[diesel(sql_type = BigInt)]
    sales: i64,
    #[diesel(sql_type = BigInt)]
    voided: i64,
    #[diesel(sql_type = BigInt)]
    qty: i64,
    #[diesel(sql_type = BigInt)]
    high: i64,
    #[diesel(sql_type = BigInt)]
    low: i64,
    #[diesel(sql_type = BigInt)]
    conflicts: i64,
}

impl HqDb {
    /// Counts what there is. It reads the whole database: a moment for a million sales.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn overview(&mut self) -> Result<Overview, StoreError> {
        let overview = self.conn.transaction(|conn| {
            let rows: Vec<Row> = diesel::sql_query(BRANCHES).load(conn)?;
            let quarantined: i64 = quarantine::table.count().get_result(conn)?;
            Ok::<_, diesel::result::Error>(Overview {
                branches: rows.into_iter().map(BranchOverview::from).collect(),
                quarantined: quarantined.unsigned_abs(),
            })
        });
        Ok(overview?)
    }
}

impl From<Row> for BranchOverview {
    fn from(row: Row) -> Self {
        Self {
            branch: row.branch,
            sales: row.sales.unsigned_abs(),
            voided: row.voided.unsigned_abs(),
            qty: row.qty.unsigned_abs().into(),
            amount: MoneySum(i128::from(row.high) * PART + i128::from(row.low)),
            conflicts: row.conflicts.unsigned_abs(),
            last_seen_at: UtcMillis(row.last_seen_at),
        }
    }
}
