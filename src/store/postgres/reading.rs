//! What is asked of the history, answered.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::fault::Fault;
use super::link::Link;
use super::retention;
use crate::ledger::session::Session;
use crate::store::life::Identity;
use crate::store::reading::kept::{self, Columns};
use crate::store::reading::statement::{self, Statement, Value};
use crate::store::reading::{Answer, Question};

/// Nobody waits for longer, and commits wait behind it.
const PATIENCE: &str = "SET LOCAL statement_timeout = '5s'";

/// Answers a question.
pub async fn answer(link: &mut Link, us: &Identity, question: &Question) -> Result<Answer, Fault> {
    if let Question::Forget { whose, step } = question {
        return Ok(Answer::Forgotten(retention::forget(link, whose, *step).await?));
    }
    let asked = statement::of_instance(question, &us.life().instance);
    let transaction = link.client().build_transaction().read_only(true).start().await?;
    transaction.batch_execute(PATIENCE).await?;
    let rows = transaction.query(&asked.text, &values(&asked)).await?;
    transaction.commit().await?;
    Ok(kept::answer(question, &rows)?)
}

/// Makes what is kept of a session what its events tell.
pub async fn repair(link: &mut Link, told: &Session) -> Result<(), Fault> {
    let repair = statement::repair(told);
    link.client().execute(&repair.text, &values(&repair)).await?;
    Ok(())
}

fn values(statement: &Statement) -> Vec<&(dyn ToSql + Sync)> {
    fn value(value: &Value) -> &(dyn ToSql + Sync) {
        match value {
            Value::Text(text) => text,
            Value::Number(number) => number,
        }
    }
    statement.values.iter().map(value).collect()
}

impl Columns for Row {
    type Fault = Error;

    fn text(&self, at: usize) -> Result<Option<String>, Error> {
        self.try_get(at)
    }

    fn number(&self, at: usize) -> Result<Option<i64>, Error> {
        self.try_get(at)
    }

    fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, Error> {
        self.try_get(at)
    }

    fn real(&self, at: usize) -> Result<Option<f64>, Error> {
        self.try_get(at)
    }
}
