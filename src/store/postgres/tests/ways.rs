//! The ways to a server: its socket, its name, its passwords, its certificates.

use super::*;

#[test]
fn a_server_is_reached_by_its_socket_and_by_what_libpq_knows_of_passwords() {
    let server = Postgres::start(&[]);
    let socket = format!(
        "postgres://{USER}:{ENCODED}@/postgres?host={}&port={}",
        server.folder().display(),
        server.port
    );
    drop(
        PostgresStore::open(&parse(&socket).expect("a plan"), us(&folder(), 1)).expect("it opens"),
    );
    let secret = server.folder().join("secret");
    std::fs::write(&secret, format!("{PASSWORD}\n")).expect("written");
    let mut plan = parse(&server.url("postgres")).expect("a plan");
    plan.password = None;
    plan.password_file = Some(secret.clone());
    drop(PostgresStore::open(&plan, us(&folder(), 1)).expect("it opens"));
    std::fs::write(&secret, "wrong").expect("written");
    let error = PostgresStore::open(&plan, us(&folder(), 1)).err().expect("it was changed");
    assert_eq!(error.category, ErrorCategory::Auth, "{error}");
    plan.password = Some(Password::new(PASSWORD));
    plan.host = crate::config::plan::PostgresHost::Name("localhost".into());
    drop(PostgresStore::open(&plan, us(&folder(), 1)).expect("a name is looked up"));
}

/// Runs openssl in the folder of the server.
fn openssl(server: &Postgres, arguments: &str) {
    let mut command = std::process::Command::new("openssl");
    let command = command.current_dir(server.folder()).args(arguments.split_whitespace());
    let output = command.output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn tls_asks_of_a_server_what_its_mode_says() {
    let mut server = Postgres::start(&[]);
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        &server,
        &format!("req -x509 {curve} -keyout ca.key -out ca.crt -subj /CN=roots -days 2"),
    );
    openssl(
        &server,
        &format!("req -x509 {curve} -keyout other.key -out other.crt -subj /CN=other -days 2"),
    );
    openssl(&server, &format!("req {curve} -keyout server.key -out server.csr -subj /CN=server"));
    std::fs::write(server.folder().join("names"), "subjectAltName=DNS:localhost").expect("written");
    openssl(
        &server,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names",
    );
    server.lend(&server.folder().join("server.key"));
    server.down(Signal::SIGINT);
    server.set("ssl=on");
    for (setting, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
        server.set(&format!("{setting}={}", server.folder().join(file).display()));
    }
    server.up();
    let roots = format!("&sslrootcert={}/ca.crt", server.folder().display());
    let others = format!("&sslrootcert={}/other.crt", server.folder().display());
    let by = |host: &str, mode: &str, roots: &str| {
        let url = server.url("postgres").replace("127.0.0.1", host);
        parse(&format!("{url}?sslmode={mode}{roots}")).expect("a plan")
    };
    for (host, mode, roots, encrypted) in [
        ("127.0.0.1", "disable", "", "f"),
        ("127.0.0.1", "prefer", "", "t"),
        ("127.0.0.1", "require", "", "t"),
        ("127.0.0.1", "require", &*roots, "t"),
        ("127.0.0.1", "verify-ca", &*roots, "t"),
        ("localhost", "verify-full", &*roots, "t"),
    ] {
        let mut store = PostgresStore::open(&by(host, mode, roots), us(&folder(), 1))
            .unwrap_or_else(|error| panic!("{mode}: {error}"));
        store.commit(&[batch(vec![event(0)])]).expect("it commits");
        let ssl = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'procession'";
        assert_eq!(server.query("postgres", ssl), [encrypted], "{mode}");
        drop(store);
        while !server.query("postgres", ssl).is_empty() {
            thread::sleep(Duration::from_millis(20));
        }
    }
    for (host, mode, roots, part) in [
        ("127.0.0.1", "verify-full", &*roots, "certificate"),
        ("127.0.0.1", "verify-ca", &*others, "certificate"),
        ("127.0.0.1", "require", &*others, "certificate"),
        ("localhost", "verify-full", "", "certificate"),
        ("localhost", "verify-full", "&sslrootcert=/nowhere.pem", "/nowhere.pem"),
        ("localhost", "verify-full", "&sslrootcert=/dev/null", "holds no certificate"),
    ] {
        let error = PostgresStore::open(&by(host, mode, roots), us(&folder(), 1)).err();
        let error = error.unwrap_or_else(|| panic!("{mode} {roots} is let through"));
        assert_eq!(error.category, ErrorCategory::Auth, "{error}");
        assert!(error.cause.contains(part), "{error}");
    }
}
