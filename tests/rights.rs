//! Who may ask for what over the real doors, and what is gone once it is forgotten.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use procession::clock;
use procession::config::one_command::{Options, one_command};
use procession::config::plan::{Changes, ProcessPlan, Standing, TcpControl, TokenPlan, TokenRole};
use procession::context::Context;
use procession::ledger::forget::Whose;
use procession::ledger::row::{Batch, Row};
use procession::ledger::session::{Session, SessionEnd, SessionState};
use procession::serve::control::api::routes;
use procession::store::Store;
use procession::store::reading::{Answer as Told, Question};
use procession::store::sqlite::SqliteStore;
use procession::supervise::lifecycle::Lifecycle;
use procession::units::{ProcId, ProcessIx, RunId, SessionId, Wall};
use serde_json::Value;
use tempfile::TempDir;

use crate::control::door::{Answer, Door, PATIENCE};
use crate::picture;
use crate::support::free_port;

/// What each role gets at an address: whether it is let through, whatever it finds there.
const TABLE: &[(&str, &str, [bool; 3])] = &[
    ("GET", "/v1/status", [true, true, true]),
    ("GET", "/v1/openapi.json", [true, true, true]),
    ("GET", "/v1/processes", [true, true, true]),
    ("GET", "/v1/processes/{name}", [true, true, true]),
    ("GET", "/v1/processes/{name}/logs", [true, true, true]),
    ("POST", "/v1/processes/{name}/memory/label", [false, true, true]),
    ("GET", "/v1/budgets", [true, true, true]),
    ("GET", "/v1/budgets/{name}", [true, true, true]),
    ("GET", "/v1/memory", [true, true, true]),
    ("GET", "/v1/memory/{name}", [true, true, true]),
    ("GET", "/v1/events", [true, true, true]),
    ("GET", "/v1/export", [true, true, true]),
    ("GET", "/v1/audit", [false, false, true]),
    ("POST", "/v1/start", [false, true, true]),
    ("POST", "/v1/stop", [false, true, true]),
    ("POST", "/v1/restart", [false, true, true]),
    ("POST", "/v1/signal", [false, true, true]),
    ("POST", "/v1/processes/{name}/start", [false, true, true]),
    ("POST", "/v1/processes/{name}/stop", [false, true, true]),
    ("POST", "/v1/processes/{name}/restart", [false, true, true]),
    ("POST", "/v1/processes/{name}/signal", [false, true, true]),
    ("POST", "/v1/sessions", [false, true, true]),
    ("POST", "/v1/reload", [false, false, true]),
    ("POST", "/v1/spawn", [false, false, true]),
    ("POST", "/v1/shutdown", [false, false, true]),
    ("POST", "/v1/purge", [false, false, true]),
    ("POST", "/v1/forget", [false, false, true]),
];

/// What is not in the table by itself: whoever may look sees what is below these, and whoever may give
/// orders may give those.
const BELOW: [&str; 7] = [
    "/v1/sessions",
    "/v1/statistics",
    "/v1/replay",
    "/v1/agents",
    "/v1/spawned",
    "/v1/usage",
    "/v1/tokens",
];

fn expected(method: &str, path: &str) -> [bool; 3] {
    let listed = TABLE.iter().find(|(m, p, _)| (*m, *p) == (method, path));
    if let Some((.., roles)) = listed {
        return *roles;
    }
    assert!(
        BELOW.iter().any(|folder| path.starts_with(folder)) || path.starts_with("/v1/orphans"),
        "{method} {path} is in no table: who may ask there?"
    );
    [method == "GET", true, true]
}

const ROLES: [TokenRole; 3] = TokenRole::ALL;

/// What an operator says who is for jane's sessions only.
const JANE: &str = "jane-0123456789abcdef";

/// A door over TCP with a token for each role, one of each that is for claude's sessions only, and jane's.
struct House {
    door: Door,
    listen: SocketAddr,
    _folder: TempDir,
}

fn secret(role: TokenRole, limited: bool) -> String {
    format!("{}-{limited}-0123456789abcdef", role.as_str())
}

impl House {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tokens = Vec::new();
        for (role, limited) in ROLES.into_iter().flat_map(|role| [(role, false), (role, true)]) {
            let name = format!("{}-{limited}", role.as_str());
            let file = folder.path().join(&name);
            fs::write(&file, secret(role, limited)).expect("a file");
            let agents = if limited { vec!["claude".to_owned()] } else { vec![] };
            tokens.push(TokenPlan { name, file, role, users: vec![], agents });
        }
        let file = folder.path().join("jane");
        fs::write(&file, JANE).expect("a file");
        let (name, role, users) = ("jane".to_owned(), TokenRole::Operator, vec!["jane".to_owned()]);
        tokens.push(TokenPlan { name, file, role, users, agents: vec![] });
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let door = Door::open_with(Some(TcpControl { listen, tokens }));
        Self { door, listen, _folder: folder }
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        reason: Option<&str>,
        body: &str,
    ) -> Answer {
        let reason =
            reason.map(|why| format!("X-Procession-Reason: {why}\r\n")).unwrap_or_default();
        let length = body.len();
        let deadline = Instant::now() + PATIENCE;
        let mut stream = loop {
            match TcpStream::connect(self.listen) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "no door: {error}"),
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \
             {token}\r\n{reason}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).expect("sent");
        let mut text = Vec::new();
        if path.starts_with("/v1/events") {
            // It never ends; its head says whether they were let in.
            let mut head = [0; 256];
            let length = stream.read(&mut head).expect("an answer");
            text.extend_from_slice(&head[..length]);
        } else {
            stream.read_to_end(&mut text).expect("an answer");
        }
        Answer::parse(&text)
    }

    fn status(&self, method: &str, path: &str, role: TokenRole, limited: bool) -> u16 {
        self.ask(method, path, &secret(role, limited), None, body_for(path)).status
    }

    /// What jane's operator gets.
    fn jane(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, JANE, None, body)
    }

    /// What an admin gets who is for all.
    fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, &secret(TokenRole::Admin, false), None, body)
    }

    fn trail(&self) -> Vec<Value> {
        let answer = self.ask("GET", "/v1/audit", &secret(TokenRole::Admin, false), None, "");
        answer.json()["lines"].as_array().expect("lines").clone()
    }
}

/// A body that is refused for what it says, where it is read at all: nothing is to happen.
fn body_for(path: &str) -> &'static str {
    match path {
        "/v1/purge" | "/v1/forget" => "{\"odd\": 1}",
        _ => "{\"names\": []}",
    }
}

#[test]
fn each_role_is_let_through_where_the_table_says_so() {
    let house = House::open();
    for route in routes() {
        let path = route.path.replace("{name}", "web").replace("{agent}", "claude");
        let path = path.replace("{id}", "01K9ZQ2M4N6P8R0T2V4X6Z8B0D");
        for (role, let_in) in ROLES.into_iter().zip(expected(route.method, route.path)) {
            let status = house.status(route.method, &path, role, false);
            let refused = status == 403;
            assert_eq!(
                !refused,
                let_in,
                "{} {} as {}: {status}",
                route.method,
                path,
                role.as_str()
            );
        }
    }
    assert_eq!(house.ask("GET", "/v1/status", "nobody-0123456789abcdef", None, "").status, 401);
}

#[test]
fn limits_hold_on_the_road_and_an_admin_goes_beyond_for_a_reason() {
    let house = House::open();
    let (viewer, operator, admin) = (ROLES[0], ROLES[1], ROLES[2]);
    // `coder` runs claude; `web` runs nobody's agent.
    for role in ROLES {
        assert_eq!(house.status("GET", "/v1/processes/coder", role, true), 200);
        assert_eq!(house.status("GET", "/v1/processes/web", role, true), 403);
        assert_eq!(house.status("GET", "/v1/processes", role, true), 403, "it shows everybody");
        assert_eq!(house.status("GET", "/v1/export?agent=codex", role, true), 403);
        assert_eq!(house.status("GET", "/v1/export", role, true), 200, "of its own");
    }
    let stop = |role, reason, name: &str| {
        let body = format!("{{\"names\": [\"{name}\"]}}");
        house.ask("POST", "/v1/stop", &secret(role, true), reason, &body).status
    };
    assert_eq!(stop(viewer, Some("why"), "coder"), 403);
    let open =
        |body: &str| house.ask("POST", "/v1/sessions", &secret(operator, true), None, body).status;
    assert_eq!(open("{\"agent\": \"codex\"}"), 403, "another's");
    assert_eq!(open("{}"), 403, "nobody's");
    assert_eq!(open("{\"agent\": \"claude\"}"), 201);
    assert_eq!(stop(operator, None, "coder"), 202);
    assert_eq!(stop(operator, Some("why"), "web"), 403);
    assert_eq!(stop(admin, None, "web"), 403);
    assert_eq!(stop(admin, Some("web is stuck"), "web"), 202);
    let last =
        house.trail().into_iter().find(|line| line["said"] == "stop web" && line["outcome"] == 202);
    let last = last.expect("it was written down");
    assert_eq!((&last["reason"], &last["role"]), (&"web is stuck".into(), &"admin".into()));
    assert_eq!(last["token"], "admin-true");
}

/// A session of somebody's.
fn session_of(user: &str, number: u64, parent: Option<SessionId>) -> Arc<Session> {
    let context = Context { user: Some(user.to_owned()), ..Context::default() };
    let mut session = Session::clone(&picture::run_of("job", number));
    (session.context, session.parent) = (Some(context.into()), parent);
    Arc::new(session)
}

/// Begins a command beside the plan; no picture shows it yet.
fn spawn(door: &Door, session: SessionId, pid: i32) {
    let mut plan = one_command(vec!["web".into()], Options::new(PathBuf::new()));
    let job = ProcessPlan::new("job", vec!["sleep".into()]);
    plan.processes.push(ProcessPlan { standing: Standing::Spawned, ..job });
    let (plan, run, process) = (Arc::new(plan), RunId(77), ProcessIx(1));
    let id = ProcId { pid, start_ticks: 1 };
    for event in [
        Lifecycle::PlanChanged { plan, changes: Changes::default() },
        Lifecycle::RunOpened { run, process, session, attempt: 0, adopted: false },
        Lifecycle::RunForked { run, id },
    ] {
        door.beside.hear(clock::now(), &event);
    }
}

#[test]
fn a_pid_gets_nobody_past_the_limits_and_neither_does_haste() {
    const PID: &str = "4242";
    let house = House::open();
    let id = picture::session_id(77);
    spawn(&house.door, id, 4242);
    let asked =
        [("GET", "output"), ("GET", "wait?timeout=0"), ("POST", "stdin"), ("POST", "terminate")];
    let check = |status: u16| {
        for (name, (method, what)) in
            [PID.to_owned(), id.to_string()].iter().flat_map(|name| asked.map(|it| (name, it)))
        {
            let answer = house.jane(method, &format!("/v1/sessions/{name}/{what}"), "{}");
            assert_eq!(answer.status, status, "{method} {name}/{what}: {answer:?}");
        }
    };
    check(404);
    house.door.show(|picture| picture.sessions.push(session_of("bob", 77, None)));
    check(403);
    assert!(house.door.wishes().is_empty(), "it was to be ended");
    let as_admin = house.admin("GET", &format!("/v1/sessions/{PID}/output"), "");
    assert_eq!(as_admin.status, 200, "{as_admin:?}");
}

#[test]
fn what_is_spawned_for_somebody_is_theirs_as_soon_as_it_runs() {
    let house = House::open();
    spawn(&house.door, picture::session_id(77), 4242);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| house.jane("GET", "/v1/sessions/4242/output", ""));
        std::thread::sleep(std::time::Duration::from_millis(50));
        house.door.show(|picture| picture.sessions.push(session_of("jane", 77, None)));
        assert_eq!(asked.join().expect("an answer").status, 200);
    });
}

#[test]
fn an_own_id_that_is_the_identity_of_another_session_opens_none() {
    let house = House::open();
    house.door.show(|picture| {
        let bobs = session_of("bob", 70, None);
        let mut own = Session::clone(&session_of("jane", 71, None));
        own.native_id = Some(bobs.id.to_string());
        picture.ended.push(bobs);
        picture.sessions.push(Arc::new(own));
    });
    let path = format!("/v1/sessions/{}", picture::session_id(70));
    assert_eq!(house.jane("GET", &path, "").status, 403);
    assert_eq!(house.admin("GET", &path, "").json()["context"]["user"], "bob");
}

#[test]
fn an_id_that_is_known_opens_nobody_elses_session() {
    let house = House::open();
    let open = |body: &str| house.jane("POST", "/v1/sessions", body).status;
    let bobs = house.admin("POST", "/v1/sessions", r#"{"id": "b1", "user": "bob"}"#);
    assert_eq!(bobs.status, 201, "{bobs:?}");
    // The picture does not show it yet: whoever holds the sessions has to know.
    assert_eq!(open(r#"{"id": "b1", "user": "jane"}"#), 409);
    assert_eq!(open(r#"{"id": "j0", "user": "jane", "parent": "b1"}"#), 404);
    for order in ["heartbeat", "close"] {
        let answer = house.jane("POST", &format!("/v1/sessions/b1/{order}"), "{}");
        assert_eq!(answer.status, 404, "{order}: {answer:?}");
    }
    assert_eq!(open(r#"{"id": "j1", "user": "jane"}"#), 201);
    assert_eq!(open(r#"{"id": "j1", "user": "jane"}"#), 200, "her own again");
    assert_eq!(open(r#"{"id": "j2", "user": "jane", "parent": "j1"}"#), 201);
    for order in ["heartbeat", "close"] {
        assert_eq!(house.jane("POST", &format!("/v1/sessions/j1/{order}"), "{}").status, 200);
    }
    let again = house.admin("POST", "/v1/sessions", r#"{"id": "b1"}"#);
    assert_eq!(again.status, 200, "{again:?}");
}

#[test]
fn a_tree_tells_nobody_of_others() {
    let house = House::open();
    let id = picture::session_id;
    house.door.show(|picture| {
        picture.sessions.extend([
            session_of("bob", 80, None),
            session_of("jane", 81, Some(id(80))),
            session_of("bob", 82, Some(id(81))),
            session_of("jane", 83, Some(id(81))),
        ]);
    });
    let path = format!("/v1/sessions/{}/tree", id(81));
    let ids = |list: &Value, place: &str| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|it| it.pointer(place).and_then(Value::as_str).expect("an id").to_owned())
            .collect()
    };
    let told = |answer: &Answer| {
        let tree = answer.json();
        (ids(&tree["ancestors"], "/id"), ids(&tree["tree"]["children"], "/session/id"))
    };
    let [above, other, own] = [80, 82, 83].map(|number| id(number).to_string());
    assert_eq!(told(&house.admin("GET", &path, "")), (vec![above], vec![other, own.clone()]));
    assert_eq!(told(&house.jane("GET", &path, "")), (vec![], vec![own]));
}

#[test]
fn what_is_asked_and_what_is_refused_is_written_down() {
    let house = House::open();
    house.door.get("/v1/status");
    house.door.get("/v1/processes/web/logs");
    house.door.post("/v1/processes/web/stop", "");
    house.ask("POST", "/v1/shutdown", &secret(TokenRole::Viewer, false), None, "");
    house.ask("GET", "/v1/status", "nobody-0123456789abcdef", None, "");
    let trail = house.trail();
    let actions: Vec<(&str, u64)> = trail
        .iter()
        .map(|line| (line["action"].as_str().unwrap_or(""), line["outcome"].as_u64().unwrap_or(0)))
        .collect();
    assert_eq!(
        actions,
        [
            ("enter", 401),
            ("POST /v1/shutdown", 403),
            ("POST /v1/processes/{name}/stop", 202),
            ("GET /v1/processes/{name}/logs", 200),
        ]
    );
    let at_socket = &trail[2];
    assert_eq!((&at_socket["role"], &at_socket["target"]), (&"admin".into(), &"web".into()));
    assert_eq!(at_socket["pid"], std::process::id());
    assert_eq!(at_socket["said"], "stop web");
    assert_eq!(house.trail()[0]["action"], "GET /v1/audit", "who reads it is in it, too");
    let page = house.door.get("/v1/audit?limit=2&refused").json();
    assert_eq!(page["lines"].as_array().map(Vec::len), Some(2));
    assert_eq!(house.door.get("/v1/audit?cursor=x").status, 400);
}

#[test]
fn nothing_is_let_go_of_over_the_net_without_a_reason() {
    let house = House::open();
    let ask = |reason| {
        let body = "{\"user\": \"jane\"}";
        house.ask("POST", "/v1/forget", &secret(TokenRole::Admin, false), reason, body)
    };
    assert_eq!(ask(None).status, 403);
    let gone = ask(Some("she asked for it"));
    assert_eq!((gone.status, &gone.json()["dry_run"]), (200, &false.into()));
    let trail = house.trail();
    assert!(trail.iter().any(|line| line["reason"] == "she asked for it"));
    assert!(!format!("{trail:?}").contains("jane"), "the trail does not say whom it was about");
    let both = house.door.post("/v1/forget", "{\"user\": \"a\", \"agent\": \"b\"}");
    assert_eq!(both.status, 422);
    assert_eq!(house.door.post("/v1/purge", "{\"states\": [\"active\"]}").status, 422);
    assert_eq!(house.door.post("/v1/purge", "{\"dry_run\": true}").status, 200);
}

#[test]
fn sessions_are_taken_out_in_each_form() {
    let house = House::open();
    let lines = house.door.get("/v1/export");
    let sessions: Vec<Value> =
        lines.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(sessions.len() > 1 && sessions.iter().all(|it| it["type"] == "session"));
    let array = house.door.get("/v1/export?format=json").json();
    assert_eq!(array.as_array().map(Vec::len), Some(sessions.len()));
    let table = house.door.get("/v1/export?format=csv").body;
    assert_eq!(table.lines().count(), sessions.len() + 1);
    assert!(table.starts_with("id,kind,parent,process,"), "{table}");
    let hidden = house.door.get("/v1/export?anonymise").body;
    for session in &sessions {
        let id = session["id"].as_str().expect("an id");
        assert!(lines.body.contains(id) && !hidden.contains(id), "{id}");
    }
    assert_eq!(house.door.get("/v1/export?format=csv&events").status, 422);
}

/// Whether a file of the history holds the text anywhere.
fn holds(folder: &Path, text: &str) -> bool {
    let files = fs::read_dir(folder).expect("a folder").flatten();
    let mut found = files.map(|file| fs::read(file.path()).unwrap_or_default());
    found.any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn what_is_forgotten_is_gone_from_the_disk() {
    const MARKER: &str = "marker-of-somebody-to-be-forgotten";
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(&folder.path().join("history.db")).expect("it opens");
    for number in 0..300 {
        let context = Context { user: Some(MARKER.to_owned()), ..Context::default() };
        let end = SessionEnd {
            at: Wall(9),
            duration: std::time::Duration::ZERO,
            status: None,
            reason: format!("{MARKER} left"),
        };
        let session = Session {
            state: SessionState::Completed,
            context: Some(context.into()),
            end: Some(end),
            ..Session::opened(SessionId::new(Wall(5), number), MARKER.to_owned(), Wall(5))
        };
        let rows = vec![Row::Session(Box::new(session))];
        store.commit(&[Batch { rows }]).expect("it commits");
    }
    assert!(holds(folder.path(), MARKER));
    let question = Question::Forget { whose: Whose::User(MARKER.to_owned()), step: true };
    let mut gone = 0;
    loop {
        match store.answer(&question).expect("an answer") {
            Told::Forgotten(step) if step.more => gone += step.sessions,
            Told::Forgotten(step) => break gone += step.sessions,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(gone, 300);
    assert!(!holds(folder.path(), MARKER), "while it is open");
    drop(store);
    assert!(!holds(folder.path(), MARKER), "and afterwards");
}
