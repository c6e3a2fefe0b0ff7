//! The promises of the PostgreSQL store, each tried on a real server.

#[path = "../../../tests/support/postgres.rs"]
mod server;

mod restart;
mod fleet;
mod trouble;
mod ways;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use self::server::{ENCODED, PASSWORD, Postgres, USER};
use super::*;
use crate::config::plan::Password;
use crate::config::postgres::parse;
use crate::ledger::session::SessionState;
use crate::ledger::store_figures::ErrorCategory;
use crate::store::examples::{AT, bare, batch, event, event_of, id, session, usage};
use crate::store::life::Beginnings;
use crate::store::suite::{self, Place};
use crate::store::writer::{Reports, Writer, start_with};
use crate::units::{ProcId, SessionId};

/// Our own pid namespace in these tests: of its processes only number 1 lives.
fn us(folder: &TempDir, number: u128) -> Identity {
    us_as(folder, number, 1)
}

fn us_as(folder: &TempDir, number: u128, pid: i32) -> Identity {
    let begins = Beginnings {
        id: SessionId::new(AT, 1_000 + number),
        began: AT,
        supervisor: Some(ProcId { pid, start_ticks: 1 }),
        alive: Arc::new(|id: ProcId| id.pid == 1),
        only_looks: false,
    };
    Identity::learn(begins, Some(folder.path()))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn open(server: &Postgres, database: &str, us: Identity) -> PostgresStore {
    let plan = parse(&server.url(database)).expect("a plan");
    PostgresStore::open(&plan, us).unwrap_or_else(|error| panic!("{error}"))
}

/// The suite's place in a database of its own. Each life there is over once the next one asks.
struct InDatabase {
    server: Rc<Postgres>,
    database: String,
    folder: TempDir,
    lives: Cell<u128>,
}

impl Place for InDatabase {
    fn open(&self) -> Box<dyn Store> {
        self.lives.set(self.lives.get() + 1);
        Box::new(open(&self.server, &self.database, us_as(&self.folder, self.lives.get(), 2)))
    }

    fn query(&self, sql: &str) -> Result<Vec<String>, String> {
        self.server.try_query(&self.database, sql)
    }

    fn plan(&self, sql: &str) -> String {
        self.query(&format!("EXPLAIN {sql}")).expect("it is planned").join("\n")
    }
}

#[test]
fn every_promise_of_a_store_is_kept_on_a_server() {
    let server = Rc::new(Postgres::start(&[]));
    let number = Cell::new(0);
    suite::run(|| {
        number.set(number.get() + 1);
        let (server, database) = (Rc::clone(&server), format!("case_{}", number.get()));
        server.create(&database);
        Box::new(InDatabase { server, database, folder: folder(), lives: Cell::new(0) })
    });
}

/// A case that needs a database of its own.
type Case = fn(&Postgres, &str);

fn each_in_its_own(server: &Postgres, cases: &[(&str, Case)]) {
    for (name, case) in cases {
        server.create(name);
        case(server, name);
    }
}
