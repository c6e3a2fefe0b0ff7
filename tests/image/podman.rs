//! Containers without a daemon, a registry or a trace outside `target/`: podman with storage of its
//! own, and a stand-in for the builder that the Dockerfile names.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The builder that the Dockerfile names; here an empty image under its name.
const BUILDER: &str = "docker.io/library/rust:1.95-bookworm";

/// The image under test.
pub const IMAGE: &str = "localhost/procession";

/// What lets podman work as root on machines that lack the right to raise limits, have no systemd
/// or mix both versions of cgroups. It is harmless on all others.
const CONTAINERS_CONF: &str = r#"
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"#;

/// Where the stand-in finds what it lacks, in a place that our own machine can fill.
const TOOLCHAIN: &str = "/toolchain";
const CARGO_HOME: &str = "/cargo";

/// Podman with storage of its own.
pub struct Podman {
    folder: PathBuf,
    run: PathBuf,
}

impl Podman {
    /// Builds the image from this tree, unless the same tree was built before, and gives the podman
    /// that has it. Layers last until `cargo clean`.
    pub fn with_image() -> Self {
        let podman = Self::prepare();
        let lock = File::create(podman.folder.join("lock")).expect("the lock can be made");
        lock.lock().expect("the lock can be waited for");
        if !podman.command(["image", "exists", BUILDER]).status().expect("podman runs").success() {
            podman.import_builder();
        }
        podman.build();
        podman
    }

    fn prepare() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("podman");
        fs::create_dir_all(&folder).expect("the folder of podman can be made");
        fs::write(folder.join("containers.conf"), CONTAINERS_CONF).expect("it can be written");
        // Podman wants this path to be shorter than 50 characters, which ours may not be.
        let mut hasher = DefaultHasher::new();
        folder.hash(&mut hasher);
        let run = PathBuf::from(format!("/run/procession-{:016x}", hasher.finish()));
        Self { folder, run }
    }

    /// An empty file system whose links lead into a `/usr` that is mounted while it is used.
    fn import_builder(&self) {
        let root = tempfile::tempdir().expect("a folder can be made");
        for folder in
            ["etc/alternatives", "proc", "sys", "dev", "tmp", "usr", "toolchain", "cargo/registry"]
        {
            fs::create_dir_all(root.path().join(folder)).expect("a folder can be made");
        }
        for link in ["bin", "lib", "lib64", "sbin"] {
            let target = Path::new("usr").join(link);
            std::os::unix::fs::symlink(target, root.path().join(link)).expect("a link can be made");
        }
        let mut tar = Command::new("tar")
            .arg("-C")
            .args([root.path(), Path::new("-c"), Path::new(".")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar runs");
        let path = format!("ENV PATH={TOOLCHAIN}/bin:/usr/bin:/bin");
        let home = format!("ENV CARGO_HOME={CARGO_HOME}");
        let mut import = self.command(["import", "--change", &path, "--change", &home]);
        import.args(["--change", "ENV CARGO_NET_OFFLINE=true", "-", BUILDER]);
        succeed(import.stdin(tar.stdout.take().expect("tar is piped")));
        assert!(tar.wait().expect("tar ends").success(), "tar failed");
    }

    /// Builds the Dockerfile as it stands. Our machine's system, compiler and downloaded crates are
    /// mounted read-only, and there is no network.
    fn build(&self) {
        let sysroot = stdout(Command::new("rustc").args(["--print", "sysroot"]));
        let registry = cargo_home().join("registry");
        let mounts = [
            "/usr:/usr:ro".to_owned(),
            "/etc/alternatives:/etc/alternatives:ro".to_owned(),
            format!("{sysroot}:{TOOLCHAIN}:ro"),
            format!("{}:{CARGO_HOME}/registry:ro", registry.display()),
        ];
        let mut build = self.command(["build", "--quiet", "--pull=never", "--network=none"]);
        build.args(mounts.iter().flat_map(|mount| ["--volume", mount]));
        succeed(build.args(["--tag", IMAGE, env!("CARGO_MANIFEST_DIR")]));
    }

    /// Runs the image to its end, without a network, and says how it went.
    pub fn run(&self, mounts: &[&str], arguments: &[&str]) -> Output {
        // Podman ends what has not ended by itself, so a hang is a failure.
        let mut run = self.command(["run", "--rm", "--network=none", "--timeout=30"]);
        run.args(mounts.iter().flat_map(|mount| ["--volume", mount])).arg(IMAGE).args(arguments);
        output(&mut run)
    }

    /// Starts the image, without a network, and lets it run.
    pub fn start(&self, mounts: &[&str], arguments: &[&str]) -> Container<'_> {
        let mut run = self.command(["run", "--detach", "--network=none"]);
        run.args(mounts.iter().flat_map(|mount| ["--volume", mount])).arg(IMAGE).args(arguments);
        Container { podman: self, id: stdout(&mut run) }
    }

    /// What `look` makes of the image's file system.
    pub fn inside<T>(&self, look: impl FnOnce(&Path) -> T) -> T {
        let root = stdout(&mut self.command(["image", "mount", IMAGE]));
        let seen = look(Path::new(&root));
        succeed(&mut self.command(["image", "unmount", IMAGE]));
        seen
    }

    /// A fact about the image, by podman's template.
    pub fn fact(&self, template: &str) -> String {
        stdout(&mut self.command(["image", "inspect", "--format", template, IMAGE]))
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.folder.join("containers.conf"));
        command.arg("--root").arg(self.folder.join("storage")).arg("--runroot").arg(&self.run);
        command.args(arguments);
        command
    }
}

/// A container that runs. It is removed when dropped, whatever became of it.
pub struct Container<'a> {
    podman: &'a Podman,
    id: String,
}

impl Container<'_> {
    /// Runs a command inside, as a process that the supervisor knows nothing of.
    pub fn exec(&self, arguments: &[&str]) -> Output {
        output(self.podman.command(["exec", &self.id]).args(arguments))
    }

    /// Stops it as a user would, with a grace, and gives its exit code.
    pub fn stop(&self, grace: u32) -> String {
        succeed(&mut self.podman.command(["stop", "--time", &grace.to_string(), &self.id]));
        stdout(&mut self.podman.command(["inspect", "--format", "{{.State.ExitCode}}", &self.id]))
    }

    /// What it printed so far, on both streams.
    pub fn logs(&self) -> String {
        let output = output(&mut self.podman.command(["logs", &self.id]));
        [output.stdout, output.stderr]
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .concat()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.podman.command(["rm", "--force", "--time=0", &self.id]).output();
    }
}

fn cargo_home() -> PathBuf {
    let own = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(own, PathBuf::from)
}

fn output(command: &mut Command) -> Output {
    let advice = "run tests/setup first";
    command.output().unwrap_or_else(|why| panic!("cannot run {command:?}: {why}; {advice}"))
}

fn succeed(command: &mut Command) -> Output {
    let output = output(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
    output
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(succeed(command).stdout).expect("podman prints text").trim().to_owned()
}
