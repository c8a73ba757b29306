//! One face for both databases: a transaction, statements with values bound to them, and rows.
//!
//! The statements of this crate are written once, in the SQL that SQLite and PostgreSQL share: `$1` for values, counts as
//! 64-bit integers, booleans as booleans, JSON as text. Where they differ, the statement's module says so and why.

use std::borrow::Cow;
use std::sync::Arc;

use headwater_model::time::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query as SqlxQuery;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Database, Decode, Postgres, Row as _, Sqlite, Transaction, Type};

use crate::error::Fault;
use crate::statements::plans::Shelf;

/// A transaction, and the moment that it is of.
pub struct Db {
    inner: Inner,
    /// Plans that were read lately.
    pub(crate) plans: Arc<Shelf>,
    /// Whether this very transaction keeps a plan: it may yet be undone.
    pub(crate) makes_plan: bool,
    /// Whether it queues anything: those who wait for work are told when it is committed.
    pub(crate) queues: bool,
    /// The catalog's time when the transaction had its locks: changes of a title happen in the order of their times. Where
    /// each statement stands by itself, it is not known before the first has told it.
    pub(crate) now: Timestamp,
    /// The time, where a test has given the catalog another clock than the server's.
    pub(crate) given: Option<Timestamp>,
}

enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Session),
}

/// Where statements of PostgreSQL go.
enum Session {
    /// They are one.
    Together(Transaction<'static, Postgres>),
    /// Each is kept as soon as it is carried out.
    Each(PoolConnection<Postgres>),
}

impl Session {
    fn connection(&mut self) -> &mut PgConnection {
        match self {
            Session::Together(tx) => tx,
            Session::Each(connection) => connection,
        }
    }
}

impl Db {
    pub(crate) fn sqlite(
        tx: Transaction<'static, Sqlite>,
        now: Timestamp,
        plans: Arc<Shelf>,
    ) -> Self {
        let given = Some(now);
        Self { inner: Inner::Sqlite(tx), plans, makes_plan: false, queues: false, now, given }
    }

    pub(crate) fn postgres(
        tx: Transaction<'static, Postgres>,
        now: Timestamp,
        given: Option<Timestamp>,
        plans: Arc<Shelf>,
    ) -> Self {
        let inner = Inner::Postgres(Session::Together(tx));
        Self { inner, plans, makes_plan: false, queues: false, now, given }
    }

    /// A connection each of whose statements stands by itself.
    pub(crate) fn postgres_each(
        connection: PoolConnection<Postgres>,
        given: Option<Timestamp>,
        plans: Arc<Shelf>,
    ) -> Self {
        let inner = Inner::Postgres(Session::Each(connection));
        let now = given.unwrap_or(Timestamp(0));
        Self { inner, plans, makes_plan: false, queues: false, now, given }
    }

    /// Whether others change things at the same time: SQLite has one writer, and a transaction that changes something
    /// is that writer.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.inner, Inner::Postgres(_))
    }

    /// Of two ways to say the same, the one for this database.
    pub(crate) fn pick<T>(&self, sqlite: T, postgres: T) -> T {
        match self.inner {
            Inner::Sqlite(_) => sqlite,
            Inner::Postgres(_) => postgres,
        }
    }

    /// Keeps what was changed.
    pub(crate) async fn commit(self) -> Result<(), Fault> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(Session::Together(tx)) => tx.commit().await?,
            Inner::Postgres(Session::Each(_)) => {}
        }
        Ok(())
    }
}

/// A value of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value<'q> {
    Int(Option<i64>),
    Bool(bool),
    Text(Option<Cow<'q, str>>),
    /// Only for PostgreSQL, which takes columns of new rows as arrays.
    Ints(Vec<i64>),
    /// Likewise.
    Texts(Vec<String>),
}

impl From<i64> for Value<'_> {
    fn from(n: i64) -> Self {
        Value::Int(Some(n))
    }
}

impl From<u32> for Value<'_> {
    fn from(n: u32) -> Self {
        Value::Int(Some(n.into()))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(n: Option<i64>) -> Self {
        Value::Int(n)
    }
}

impl From<Option<u32>> for Value<'_> {
    fn from(n: Option<u32>) -> Self {
        Value::Int(n.map(i64::from))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        Value::Int(Some(at.0))
    }
}

impl From<bool> for Value<'_> {
    fn from(is: bool) -> Self {
        Value::Bool(is)
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Value::Text(Some(Cow::Borrowed(text)))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Some(Cow::Owned(text)))
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(text: &'q String) -> Self {
        Value::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'q> From<Option<&'q str>> for Value<'q> {
    fn from(text: Option<&'q str>) -> Self {
        Value::Text(text.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Value::Text(text.map(Cow::Owned))
    }
}

impl<'q> From<&'q Option<String>> for Value<'q> {
    fn from(text: &'q Option<String>) -> Self {
        Value::Text(text.as_deref().map(Cow::Borrowed))
    }
}

impl From<Vec<i64>> for Value<'_> {
    fn from(column: Vec<i64>) -> Self {
        Value::Ints(column)
    }
}

impl From<Vec<String>> for Value<'_> {
    fn from(column: Vec<String>) -> Self {
        Value::Texts(column)
    }
}

/// A statement whose values are being bound.
pub(crate) struct Query<'q> {
    sql: &'static str,
    values: Vec<Value<'q>>,
}

/// Starts a statement.
pub(crate) fn query<'q>(sql: &'static str) -> Query<'q> {
    Query { sql, values: Vec::new() }
}

impl<'q> Query<'q> {
    /// Binds the next value: `$1`, `$2` and so on.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Carries the statement out and says how many rows it touched.
    pub(crate) async fn execute(self, db: &mut Db) -> Result<u64, Fault> {
        Ok(match &mut db.inner {
            Inner::Sqlite(tx) => {
                for_sqlite(self.sql, self.values).execute(&mut **tx).await?.rows_affected()
            }
            Inner::Postgres(session) => {
                let query = for_postgres(self.sql, self.values);
                query.execute(session.connection()).await?.rows_affected()
            }
        })
    }

    /// All rows.
    pub(crate) async fn fetch_all(self, db: &mut Db) -> Result<Vec<Row>, Fault> {
        Ok(match &mut db.inner {
            Inner::Sqlite(tx) => {
                let rows = for_sqlite(self.sql, self.values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Inner::Postgres(session) => {
                let query = for_postgres(self.sql, self.values);
                let rows = query.fetch_all(session.connection()).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The one row, if there is one.
    pub(crate) async fn fetch_optional(self, db: &mut Db) -> Result<Option<Row>, Fault> {
        Ok(match &mut db.inner {
            Inner::Sqlite(tx) => {
                for_sqlite(self.sql, self.values).fetch_optional(&mut **tx).await?.map(Row::Sqlite)
            }
            Inner::Postgres(session) => for_postgres(self.sql, self.values)
                .fetch_optional(session.connection())
                .await?
                .map(Row::Postgres),
        })
    }

    /// The one row that there must be.
    pub(crate) async fn fetch_one(self, db: &mut Db) -> Result<Row, Fault> {
        self.fetch_optional(db).await?.ok_or(Fault::Sql(sqlx::Error::RowNotFound))
    }
}

/// The statement for SQLite. The one loop over values of its kind: a macro, since the two kinds of arguments share no trait.
fn for_sqlite<'q>(
    sql: &'static str,
    values: Vec<Value<'q>>,
) -> SqlxQuery<'q, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(sql);
    for value in values {
        query = match value {
            Value::Int(n) => query.bind(n),
            Value::Bool(is) => query.bind(is),
            Value::Text(text) => query.bind(text.map(Cow::into_owned)),
            // Statements with arrays are PostgreSQL's alone.
            Value::Ints(_) | Value::Texts(_) => query,
        };
    }
    query
}

fn for_postgres<'q>(
    sql: &'static str,
    values: Vec<Value<'q>>,
) -> SqlxQuery<'q, Postgres, PgArguments> {
    let mut query = sqlx::query(sql);
    for value in values {
        query = match value {
            Value::Int(n) => query.bind(n),
            Value::Bool(is) => query.bind(is),
            Value::Text(text) => query.bind(text.map(Cow::into_owned)),
            Value::Ints(column) => query.bind(column),
            Value::Texts(column) => query.bind(column),
        };
    }
    query
}

/// A row of either database.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What a column can be read as.
pub(crate) trait Column<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T> Column<'r> for T
where
    Sqlite: Database,
    Postgres: Database,
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
{
}

impl Row {
    /// The value of the column at this place, from 0.
    fn at<'r, T: Column<'r>>(&'r self, place: usize) -> Result<T, Fault> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(place)?,
            Row::Postgres(row) => row.try_get(place)?,
        })
    }

    /// The value of a column.
    pub(crate) fn get<'r, T: Column<'r>>(&'r self, column: &str) -> Result<T, Fault> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }
}

/// Rows as values, in the order of their columns.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, Fault>;
}

impl<A> FromRow for (A,)
where
    A: for<'r> Column<'r>,
{
    fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok((row.at(0)?,))
    }
}

impl<A, B> FromRow for (A, B)
where
    A: for<'r> Column<'r>,
    B: for<'r> Column<'r>,
{
    fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok((row.at(0)?, row.at(1)?))
    }
}

impl<A, B, C> FromRow for (A, B, C)
where
    A: for<'r> Column<'r>,
    B: for<'r> Column<'r>,
    C: for<'r> Column<'r>,
{
    fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok((row.at(0)?, row.at(1)?, row.at(2)?))
    }
}

/// A statement whose rows are read as values.
pub(crate) struct QueryAs<'q, T, R> {
    query: Query<'q>,
    value: fn(R) -> T,
}

/// Starts a statement whose rows are tuples.
pub(crate) fn query_as<'q, R: FromRow>(sql: &'static str) -> QueryAs<'q, R, R> {
    QueryAs { query: query(sql), value: |row| row }
}

/// Starts a statement whose rows have one column that matters.
pub(crate) fn query_scalar<'q, T>(sql: &'static str) -> QueryAs<'q, T, (T,)>
where
    (T,): FromRow,
{
    QueryAs { query: query(sql), value: |(value,)| value }
}

impl<'q, T, R: FromRow> QueryAs<'q, T, R> {
    /// Binds the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.query = self.query.bind(value);
        self
    }

    /// All of them.
    pub(crate) async fn fetch_all(self, db: &mut Db) -> Result<Vec<T>, Fault> {
        let rows = self.query.fetch_all(db).await?;
        rows.iter().map(|row| R::from_row(row).map(self.value)).collect()
    }

    /// The one, if there is one.
    pub(crate) async fn fetch_optional(self, db: &mut Db) -> Result<Option<T>, Fault> {
        let row = self.query.fetch_optional(db).await?;
        row.map(|row| R::from_row(&row).map(self.value)).transpose()
    }

    /// The one that there must be.
    pub(crate) async fn fetch_one(self, db: &mut Db) -> Result<T, Fault> {
        let row = self.query.fetch_one(db).await?;
        R::from_row(&row).map(self.value)
    }
}
