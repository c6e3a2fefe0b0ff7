//! The image: the Dockerfile as it stands, built from this tree and run in real containers.

mod podman;

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use podman::{Container, Podman};

/// We are PID 1 in every container, so our size is part of every image. It has 13.0 MB with four agents,
/// OpenTelemetry, the trees of the leak rule, the spool and budgets; 12 MiB were too few.
const LARGEST_BINARY: u64 = 13 << 20;

/// What `podman stop` waits before it kills; docker's default, and a second more than ours.
const STOP_GRACE: u32 = 10;

/// Something to supervise in an image that has nothing: a static shell, mounted.
const BUSYBOX: &str = "/bin/busybox:/busybox:ro";

/// The type of an ELF program header that names a dynamic loader.
const PT_INTERP: u32 = 3;

#[test]
fn the_image_holds_one_static_binary_and_a_link_to_it() {
    let podman = Podman::with_image();
    let (mut files, binary) =
        podman.inside(|root| (names(root), fs::read(root.join("procession"))));
    files.sort();
    let binary = binary.expect("the binary is readable");
    let linked = ["usr", "usr/local", "usr/local/bin", "usr/local/bin/procession"];
    assert_eq!(files, [&["procession"][..], &linked].concat());
    assert!(!has_interpreter(&binary), "the binary wants a dynamic loader");
    assert!((binary.len() as u64) < LARGEST_BINARY, "the binary has {} bytes", binary.len());
    assert_eq!(podman.fact("{{.Config.Entrypoint}} {{.Config.Cmd}}"), "[/procession] [run]");
    assert_eq!(
        podman.fact("{{.Config.StopSignal}} {{.Config.ExposedPorts}}"),
        "SIGTERM map[9917/tcp:{}]"
    );
}

#[test]
fn the_binary_runs_in_an_empty_image() {
    let output = Podman::with_image().run(&[], &["--version"]);
    assert_eq!(code(&output), 0, "{output:?}");
    if main_speaks() {
        assert!(text(&output).contains(env!("CARGO_PKG_VERSION")), "{output:?}");
    }
}

#[test]
fn the_exit_code_of_one_command_passes_through() {
    if !main_speaks() {
        return;
    }
    let podman = Podman::with_image();
    let check = |command: &[&str], expected: i32| {
        let output = podman.run(&[BUSYBOX], &[&["--"], command].concat());
        assert_eq!(code(&output), expected, "{command:?}: {output:?}");
        text(&output)
    };
    assert!(check(&["/procession", "--version"], 0).contains(env!("CARGO_PKG_VERSION")));
    check(&["/busybox", "sh", "-c", "exit 7"], 7);
    check(&["/busybox", "sh", "-c", "kill -KILL $$"], 137);
    check(&["/absent"], 127);
    check(&["/proc"], 126);
}

#[test]
fn one_command_is_stopped_within_the_grace() {
    if !main_speaks() {
        return;
    }
    let podman = Podman::with_image();
    let check = |script: &str, expected: &str| {
        let script = format!("{script}; echo ready; while :; do /busybox sleep 0.1; done");
        let container = podman.start(&[BUSYBOX], &["--", "/busybox", "sh", "-c", &script]);
        until("the command is ready", &container, || container.logs().contains("ready"));
        let asked = Instant::now();
        assert_eq!(container.stop(STOP_GRACE), expected, "{script}: {}", container.logs());
        assert!(asked.elapsed() < Duration::from_secs(STOP_GRACE.into()), "{script} was killed");
    };
    check(":", "143");
    check("trap 'exit 0' TERM", "0");
    check("trap 'exit 5' TERM", "5");
}

#[test]
fn a_configured_house_lives_in_an_empty_image_and_stops_within_the_grace() {
    if !main_speaks() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = folder.path().join("config.yaml");
    fs::write(&config, HOUSE).expect("the configuration can be written");
    let podman = Podman::with_image();
    let mount = format!("{}:/config.yaml:ro", config.display());
    let container = podman.start(&[BUSYBOX, &mount], &[]);

    let get = |path: &str| {
        container.exec(&["/busybox", "wget", "-qO-", &format!("http://127.0.0.1:9917{path}")])
    };
    until("the listener is up", &container, || code(&get("/healthz")) == 0);
    until("the orphan is reaped", &container, || {
        let processes = text(&container.exec(&["/busybox", "ps", "-o", "pid,stat,args"]));
        processes.contains("/procession") && !processes.contains(" Z")
    });
    for process in ["web", "worker"] {
        assert!(text(&get("/metrics")).contains(&format!("process=\"{process}\"")), "{process}");
    }
    let listed = container.exec(&["procession", "ps"]);
    assert!(text(&listed).contains("web "), "as people type it: {listed:?}");

    let asked = Instant::now();
    let ended = container.stop(STOP_GRACE);
    assert!(["0", "143"].contains(&ended.as_str()), "{ended}: {}", container.logs());
    assert!(asked.elapsed() < Duration::from_secs(STOP_GRACE.into()), "it was killed");
}

#[test]
fn a_dynamic_binary_is_told_from_a_static_one() {
    let own = std::env::current_exe().and_then(fs::read).expect("our own binary is readable");
    assert!(has_interpreter(&own));
    assert!(!has_interpreter(&fs::read("/bin/busybox").expect("busybox is installed")));
}

/// One that ends when asked, and one that ignores it and leaves an orphan behind.
const HOUSE: &str = "
processes:
  web:
    command: [/busybox, sleep, '1000']
  worker:
    command: [/busybox, sh, -c, 'trap : TERM; (/busybox sleep 0.1 &); while :; do /busybox sleep 1; done']
";

/// Whether there is a program yet. The first skeleton's is empty, and can be asked nothing.
fn main_speaks() -> bool {
    !include_str!("../src/main.rs").contains("fn main() {}")
}

/// Everything below a folder, by its path from there.
fn names(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("the image is readable") {
        let path = entry.expect("an entry is readable").path();
        let name = path.strip_prefix(root).expect("it lies below").display().to_string();
        if path.is_dir() {
            found.extend(names(&path).iter().map(|below| format!("{name}/{below}")));
        }
        found.push(name);
    }
    found
}

/// Whether a 64-bit little-endian ELF file wants a dynamic loader.
fn has_interpreter(elf: &[u8]) -> bool {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([elf[at], elf[at + 1]]));
    let start = usize::try_from(u64::from_le_bytes(elf[32..40].try_into().expect("eight bytes")));
    let (start, size, count) = (start.expect("an offset"), u16_at(54), u16_at(56));
    assert!(elf.starts_with(b"\x7fELF\x02\x01") && count > 0, "this is no 64-bit ELF file");
    let headers = elf[start..].chunks(size).take(count);
    headers.into_iter().any(|header| header[..4] == PT_INTERP.to_le_bytes())
}

/// Waits for what must come to be, long enough for a slow machine.
fn until(what: &str, container: &Container, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}\n{}", container.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("podman was not killed")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
