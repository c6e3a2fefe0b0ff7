//! What can be wrong with a server, with rows, and with the patience of either side.

use super::*;

/// What is said to a life that cannot write.
fn refusal(url: &str) -> StoreError {
    let plan = parse(url).expect("a plan");
    let error = PostgresStore::open(&plan, us(&folder(), 1)).err().expect("it is refused");
    let text = error.to_string();
    assert!(
        !text.contains(PASSWORD) && !text.contains(ENCODED) && !text.contains("wrong"),
        "{text}"
    );
    assert!(!error.refused, "{text}: no row is at fault");
    error
}

#[test]
fn whatever_is_wrong_with_a_server_is_told_apart_and_explained() {
    let mut server = Postgres::start(&["max_connections=5", "superuser_reserved_connections=0"]);
    let url = server.url("postgres");
    let check = |url: &str, category: ErrorCategory, part: &str| {
        let error = refusal(url);
        assert_eq!(error.category, category, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    let with = |from: &str, to: &str| url.replace(from, to);
    let of = |database: &str| server.url(database);
    check(&with(ENCODED, "wrong"), ErrorCategory::Auth, "password authentication failed");
    check(&with(&format!(":{ENCODED}"), ""), ErrorCategory::Auth, "password_file");
    check(&of("nowhere"), ErrorCategory::Schema, "create it");
    check(&with("127.0.0.1", "host.invalid"), ErrorCategory::Unreachable, "host.invalid");
    let closed = with(&format!(":{}/", server.port), ":1/");
    check(&closed, ErrorCategory::Unreachable, "127.0.0.1:1: Connection refused");
    check(&format!("{url}?sslmode=require"), ErrorCategory::Auth, "TLS");
    check("postgres://a@%2Fnowhere/h", ErrorCategory::Unreachable, "No such file");

    each_in_its_own(
        &server,
        &[
            ("newer", |server, database| {
                drop(open(server, database, us(&folder(), 1)));
                server.query(database, "INSERT INTO procession_schema VALUES (9999)");
                let error = refusal(&server.url(database));
                assert_eq!(error.category, ErrorCategory::Schema);
                assert!(error.cause.contains("newer procession (schema 9999"), "{error}");
            }),
            ("others", |server, database| {
                server.query(database, "CREATE TABLE sessions (id text)");
                let error = refusal(&server.url(database));
                assert_eq!(error.category, ErrorCategory::Schema);
                assert!(error.cause.contains("a database of its own"), "{error}");
                let left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
                assert_eq!(server.query(database, left), ["1"], "nothing is left of the attempt");
            }),
            ("readonly", |server, database| {
                let read_only = "ALTER DATABASE readonly SET default_transaction_read_only = on";
                server.query(database, read_only);
                let error = refusal(&server.url(database));
                assert_eq!(error.category, ErrorCategory::Auth);
                assert!(error.cause.contains("primary"), "{error}");
            }),
        ],
    );
    let latin = "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0";
    server.query("postgres", latin);
    check(&of("latin"), ErrorCategory::Schema, "ENCODING 'UTF8'");
    server.query("postgres", "CREATE ROLE guest LOGIN PASSWORD 'guest'");
    let guest = with(&format!("{USER}:{ENCODED}"), "guest:guest");
    check(&guest, ErrorCategory::Auth, "create and write tables");

    let held: Vec<_> = (0..5).map(|n| open(&server, "postgres", us(&folder(), n))).collect();
    check(&url, ErrorCategory::Unreachable, "max_connections");
    drop(held);
    server.down(Signal::SIGINT);
    check(&url, ErrorCategory::Unreachable, "Connection refused");
}

#[test]
fn a_row_at_fault_costs_itself_and_what_is_slow_is_given_up() {
    let server = Postgres::start(&[]);
    let mut store = open(&server, "postgres", us(&folder(), 1));
    let Row::Event(mut odd) = event(0) else { unreachable!() };
    odd.at = Wall(1);
    store.commit(&[batch(vec![Row::Event(odd)])]).expect("it commits");
    let error = store.commit(&[batch(vec![event(0)])]).expect_err("it says something else");
    assert!(error.refused && error.category == ErrorCategory::Constraint, "{error}");
    store.commit(&[batch(vec![event(1)])]).expect("the connection is sound");

    // As a commit meets it that waits for a lock of somebody else.
    let slow = store.with("try", async |link, _| {
        let slow = "SET statement_timeout = 50; SELECT pg_sleep(60)";
        Ok(link.client().batch_execute(slow).await?)
    });
    let error = slow.expect_err("it is slow");
    assert!(!error.refused && error.category == ErrorCategory::Timeout, "{error}");
    // Its connection is still the one with the short patience; a new one has the usual.
    server.query("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'procession'");
    store.commit(&[batch(vec![event(2)])]).expect("it is made anew");
    let settings = store.with("read", async |link, _| {
        let row = link.client().query_one("SHOW statement_timeout", &[]).await?;
        Ok(row.try_get::<_, String>(0)?)
    });
    assert_eq!(settings.expect("read"), "20s");
}

#[test]
fn a_commit_is_durable_whatever_the_server_is_set_to() {
    let server = Postgres::start(&["synchronous_commit=off"]);
    let mut store = open(&server, "postgres", us(&folder(), 1));
    let shown = store.with("read", async |link, _| {
        let row = link.client().query_one("SHOW synchronous_commit", &[]).await?;
        Ok(row.try_get::<_, String>(0)?)
    });
    assert_eq!(shown.expect("read"), "on");
}
