//! What loses its secrets, and what is left as it is.

use super::*;

fn check(command: &[&str], shown: &[&str]) {
    let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    assert_eq!(mask_command(&command), shown);
}

#[test]
fn flags_with_a_telltale_name_lose_their_value() {
    check(&["run", "--token", "abc", "--port", "80"], &["run", "--token", "***", "--port", "80"]);
    check(&["run", "--api-key=a b&c", "x"], &["run", "--api-key=***", "x"]);
    check(&["run", "-auth-token", "x"], &["run", "-auth-token", "***"]);
    check(&["run", "--no-auth", "--verbose"], &["run", "--no-auth", "--verbose"]);
    check(
        &["run", "--Private.Key", "k", "--passwd=é"],
        &["run", "--Private.Key", "***", "--passwd=***"],
    );
    check(&["run", "--token"], &["run", "--token"]);
    check(&["llm", "--max-tokens", "9"], &["llm", "--max-tokens", "9"]);
    check(&["env", "MYSQL_PWD=x", "run"], &["env", "MYSQL_PWD=***", "run"]);
    check(&["run", "--token=", "x"], &["run", "--token=", "x"]);
}

#[test]
fn assignments_with_a_telltale_name_lose_their_value() {
    check(&["env", "DB_PASSWORD=a=b c", "PORT=80"], &["env", "DB_PASSWORD=***", "PORT=80"]);
    check(&["docker", "--env=API_KEY=k&l"], &["docker", "--env=API_KEY=***"]);
    check(&["codex", "-c", "api_key = \"k l\" x"], &["codex", "-c", "api_key = \"***\" x"]);
    check(&["x", "{\"apiKey\": \"a\\\"b\", \"n\": 1}"], &["x", "{\"apiKey\": \"***\", \"n\": 1}"]);
}

#[test]
fn logins_lose_their_password() {
    check(&["curl", "-u", "me:p:w"], &["curl", "-u", "me:***"]);
    check(&["sh", "-c", "curl -u 'me:p w' x"], &["sh", "-c", "curl -u 'me:***' x"]);
    check(&["docker", "-u", "1000:1000"], &["docker", "-u", "1000:1000"]);
    check(&["curl", "-u", "me"], &["curl", "-u", "me"]);
}

#[test]
fn headers_lose_their_value() {
    check(&["curl", "-H", "Authorization: Bearer a b"], &["curl", "-H", "Authorization: ***"]);
    check(&["curl", "-H", "x-api-key:abc"], &["curl", "-H", "x-api-key:***"]);
    check(&["say", "Bearer", "abc"], &["say", "Bearer", "***"]);
    check(&["say", "a bearer abc/+= d"], &["say", "a bearer *** d"]);
}

#[test]
fn addresses_lose_their_password_and_their_secret_parameters() {
    let check = |word: &str, shown: &str| check(&["x", word], &["x", shown]);
    check("postgres://me:pw@db/x", "postgres://me:***@db/x");
    check("postgres://me:p/w?@db/x", "postgres://me:***@db/x");
    check("--db=redis://:pw@db", "--db=redis://:***@db");
    check("a://b:c@d e://f:g@h", "a://b:***@d e://f:***@h");
    check("http://db:80/a@b:c", "http://db:80/a@b:c");
    check("http://me@db:80/", "http://me@db:80/");
    check("http://db/?token=abc&page=2#end", "http://db/?token=***&page=2#end");
    check("https://ghp_0123456789abcdefghij@github.com/a", "https://***@github.com/a");
}

#[test]
fn known_shapes_of_tokens_are_masked_wherever_they_stand() {
    let check = |word: &str, shown: &str| check(&["x", word], &["x", shown]);
    check("sk-ant-api03-abcdefghijklm", "***");
    check("--llm=sk-0123456789abcdefghij", "--llm=***");
    check("a ghp_0123456789abcdefghij b", "a *** b");
    check("github_pat_11AAAA_0123456789", "***");
    check("xoxb-123456789-abc", "***");
    check("AKIAIOSFODNN7EXAMPLE", "***");
    check("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln1", "***");
    check("x-sk-ant-api03-abcdefghijklm", "x-***");
    check("pypi-AgEIcHlwaS5vcmcCJDY", "***");
    check("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "***");
    check("a -----BEGIN PRIVATE KEY-----\nMI\n-----END PRIVATE KEY----- b", "a *** b");
    check(
        "-----BEGIN CERTIFICATE-----\nMI\n-----BEGIN EC PRIVATE KEY-----\nMI",
        "-----BEGIN CERTIFICATE-----\nMI\n***",
    );
}

#[test]
fn scripts_keep_what_is_no_secret() {
    let check = |script: &str, shown: &str| check(&["sh", "-lc", script], &["sh", "-lc", shown]);
    check("TOKEN=abc npm run dev", "TOKEN=*** npm run dev");
    check("export A_SECRET='a b'; run", "export A_SECRET='***'; run");
    check("run --token abc --port 80", "run --token *** --port 80");
    check("run --token \"a b\" && x", "run --token \"***\" && x");
    check("curl -H 'Authorization: Bearer x' http://h", "curl -H 'Authorization: ***' http://h");
    check(
        "x -d \"{\\\"token\\\":\\\"a\\\",\\\"b\\\":1}\"",
        "x -d \"{\\\"token\\\":\\\"***\\\",\\\"b\\\":1}\"",
    );
    check("PASSWORD= run", "PASSWORD= run");
    check("TOKEN=a\\ b run", "TOKEN=*** run");
    check("TOKEN=a'b c'd run", "TOKEN=*** run");
    check("TOKEN='a'\"b c\" run", "TOKEN=*** run");
    check("KEY=$(cat \"a b\" (c) d) run", "KEY=*** run");
    check("x \"TOKEN=abc\" run", "x \"TOKEN=***\" run");
    check("(TOKEN=a run)", "(TOKEN=*** run)");
}

#[test]
fn what_holds_no_secret_stays() {
    for word in [
        "",
        "node",
        "--port=80",
        "http://[::1]:80/",
        "sk-learn",
        "task-runner-for-every-occasion-2",
        "C:\\dir",
        "grüße = 'ß'",
        "a:b@c",
    ] {
        check(&["x", word], &["x", word]);
    }
}

#[test]
fn any_text_can_be_masked() {
    let parts = ["token", "=", ":", "\\", "\"", "'", " ", "://", "@", "ü", "-", "Bearer", "x1"];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let words = (0..3).map(|_| (0..8).map(|_| parts[random.usize(..parts.len())]).collect());
        let command: Vec<String> = words.collect();
        assert_eq!(mask_command(&command).len(), 3);
    }
}

#[test]
fn values_are_masked_by_their_name_or_their_shape() {
    assert_eq!(mask_value("URL", "postgres://me:pw@db/x"), "postgres://me:***@db/x");
    assert_eq!(mask_value("URL", "http://db:80/a@b:c"), "http://db:80/a@b:c");
    assert_eq!(mask_value("URL", "http://db/?token=a&b=c"), "http://db/?token=***&b=c");
}

#[test]
fn lines_of_files_lose_what_follows_a_secret_name() {
    assert_eq!(mask_line("  - API_KEY=abc"), "  - API_KEY=***");
    assert_eq!(mask_line("PASSWORD: abc def"), "PASSWORD: ***");
    assert_eq!(
        mask_line("environment: {A: b, \"API_KEY\": sk-1}"),
        "environment: {A: b, \"API_KEY\": ***"
    );
    assert_eq!(mask_line("ä: {ÖTOKEN: x}"), "ä: {ÖTOKEN: ***");
    assert_eq!(mask_line("restart: always"), "restart: always");
    assert_eq!(mask_line("secrets:"), "secrets:");
    assert_eq!(mask_line("command: curl -u me:pw x"), "command: curl -u me:*** x");
}
