//! Files whose change restarts a process, on a real file system.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use procession::config::one_command::{Options, one_command};
use procession::config::plan::{Plan, ProcessPlan, WatchRule};
use procession::init::sys;
use procession::supervise::fact::Fact;
use procession::units::ProcessIx;
use procession::watch::follow;
use tokio::sync::{mpsc, watch};

use crate::house::{As, House, until};

const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for a change to be told that must not be.
const SILENCE: Duration = Duration::from_millis(400);

struct Scene {
    plans: watch::Sender<Arc<Plan>>,
    told: mpsc::Receiver<Fact>,
    task: tokio::task::JoinHandle<()>,
}

impl Scene {
    async fn of(path: &Path, ignore: &[&str]) -> Self {
        Self::by(plan(path, ignore)).await
    }

    /// Where only what matches this counts.
    async fn of_those(path: &Path, include: &str) -> Self {
        let mut plan = Plan::clone(&plan(path, &[]));
        plan.processes[0].watch[0].include = vec![include.into()];
        Self::by(Arc::new(plan)).await
    }

    async fn by(plan: Arc<Plan>) -> Self {
        let (plans, seen) = watch::channel(plan);
        let (tell, told) = mpsc::channel(8);
        let task = tokio::spawn(follow(seen, tell, sys::watch));
        tokio::time::sleep(Duration::from_millis(200)).await;
        Self { plans, told, task }
    }

    async fn hears(&mut self) {
        let fact = tokio::time::timeout(PATIENCE, self.told.recv()).await.expect("a change");
        assert_eq!(fact, Some(Fact::FilesChanged { process: ProcessIx(0) }));
    }

    async fn hears_nothing(&mut self) {
        let heard = tokio::time::timeout(SILENCE, self.told.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn plan(path: &Path, ignore: &[&str]) -> Arc<Plan> {
    let ignore = ignore.iter().map(|text| (*text).to_owned()).collect();
    let debounce = Duration::from_millis(50);
    let rule = WatchRule { path: path.into(), ignore, include: vec![], debounce };
    let mut plan = one_command(vec!["web".into()], Options::new(path.into()));
    plan.processes =
        vec![ProcessPlan { watch: vec![rule], ..ProcessPlan::new("web", vec!["true".into()]) }];
    Arc::new(plan)
}

#[tokio::test]
async fn a_change_far_below_is_told_once_and_an_ignored_one_never() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("src/deep")).unwrap();
    fs::create_dir_all(dir.path().join("node_modules/x")).unwrap();
    let mut scene = Scene::of(dir.path(), &["node_modules/", "*.log"]).await;
    fs::write(dir.path().join("node_modules/x/a.js"), "1").unwrap();
    fs::write(dir.path().join("src/deep/a.log"), "1").unwrap();
    scene.hears_nothing().await;
    for n in 0..5 {
        fs::write(dir.path().join("src/deep/app.py"), n.to_string()).unwrap();
    }
    scene.hears().await;
    scene.hears_nothing().await;
}

#[tokio::test]
async fn folders_that_come_later_are_watched_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::of(dir.path(), &[]).await;
    fs::create_dir(dir.path().join("new")).unwrap();
    scene.hears().await;
    fs::write(dir.path().join("new/file"), "1").unwrap();
    scene.hears().await;
}

#[tokio::test]
async fn what_comes_with_a_folder_counts_as_what_comes_alone() {
    let [dir, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut scene = Scene::of_those(dir.path(), "*.rs").await;
    fs::create_dir_all(other.path().join("new/deep")).unwrap();
    fs::write(other.path().join("new/deep/notes.md"), "1").unwrap();
    fs::rename(other.path().join("new"), dir.path().join("new")).unwrap();
    scene.hears_nothing().await;
    fs::create_dir_all(other.path().join("more/deep")).unwrap();
    fs::write(other.path().join("more/deep/main.rs"), "1").unwrap();
    fs::rename(other.path().join("more"), dir.path().join("more")).unwrap();
    scene.hears().await;
}

#[tokio::test]
async fn a_folder_that_goes_elsewhere_is_watched_no_longer_and_where_it_comes_to_it_is() {
    let [dir, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    fs::create_dir_all(dir.path().join("old/deep")).unwrap();
    let mut scene = Scene::of(dir.path(), &["dist/"]).await;
    fs::rename(dir.path().join("old"), dir.path().join("new")).unwrap();
    scene.hears().await;
    fs::write(dir.path().join("new/deep/file"), "1").unwrap();
    scene.hears().await;
    fs::rename(dir.path().join("new"), other.path().join("new")).unwrap();
    scene.hears().await;
    fs::write(other.path().join("new/deep/file"), "2").unwrap();
    scene.hears_nothing().await;
    fs::create_dir(dir.path().join("dist.tmp")).unwrap();
    scene.hears().await;
    fs::rename(dir.path().join("dist.tmp"), dir.path().join("dist")).unwrap();
    scene.hears().await;
    fs::write(dir.path().join("dist/file"), "1").unwrap();
    scene.hears_nothing().await;
}

#[tokio::test]
async fn the_path_itself_may_be_a_link_and_may_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("first")).unwrap();
    std::os::unix::fs::symlink(at("first"), at("current")).unwrap();
    let mut scene = Scene::of(&at("current"), &[]).await;
    fs::write(at("first/file"), "1").unwrap();
    scene.hears().await;
    fs::rename(at("first"), at("second")).unwrap();
    fs::create_dir(at("first")).unwrap();
    // What is found where nothing was is a change.
    scene.hears().await;
    fs::write(at("second/file"), "2").unwrap();
    scene.hears_nothing().await;
    fs::write(at("first/file"), "1").unwrap();
    scene.hears().await;
}

#[tokio::test]
async fn a_single_file_is_followed_through_a_rename_and_its_neighbours_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    fs::write(&file, "A=1").unwrap();
    let mut scene = Scene::of(&file, &[]).await;
    fs::write(dir.path().join("other"), "1").unwrap();
    scene.hears_nothing().await;
    fs::write(dir.path().join("fresh"), "A=2").unwrap();
    fs::rename(dir.path().join("fresh"), &file).unwrap();
    scene.hears().await;
}

#[tokio::test]
async fn another_plan_watches_other_files() {
    let [first, second] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut scene = Scene::of(first.path(), &[]).await;
    scene.plans.send_replace(plan(second.path(), &[]));
    tokio::time::sleep(Duration::from_millis(200)).await;
    fs::write(first.path().join("x"), "1").unwrap();
    scene.hears_nothing().await;
    fs::write(second.path().join("x"), "1").unwrap();
    scene.hears().await;
}

#[tokio::test]
async fn another_plan_with_the_same_files_loses_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::of(dir.path(), &[]).await;
    let mut spawned = Plan::clone(&plan(dir.path(), &[]));
    spawned.processes.push(ProcessPlan::new("spawned-1", vec!["true".into()]));
    fs::write(dir.path().join("x"), "1").unwrap();
    // Before it has come to rest.
    tokio::time::sleep(Duration::from_millis(20)).await;
    scene.plans.send_replace(Arc::new(spawned));
    scene.hears().await;
}

#[test]
fn a_folder_that_is_missing_is_told_of_once_and_looked_for_all_the_same() {
    let rule =
        |folder: &str| format!("develop: {{watch: [{{path: DIR/{folder}, action: restart}}]}}");
    let config = format!(
        "store: memory\nprocesses:\n  \
         never: {{command: [sleep, '1000000'], {}}}\n  \
         replicas: {{command: [sleep, '1000000'], replicas: 2, {}}}\n  \
         later: {{command: [sh, -c, 'echo >> DIR/starts; exec sleep 1000000'], {}}}\n",
        rule("never"),
        rule("both"),
        rule("later")
    );
    let mut house = House::of_config(As::Subreaper, &config);
    let told = |folder: &str| house.log().matches(&format!("{folder} is not watched")).count();
    until("both are missing", || (told("/never") > 0 && told("/later") > 0).then_some(()));
    fs::create_dir(house.dir().join("later")).expect("a folder");
    // It is found by the second look, which finds the other one missing again.
    house.await_lines("starts", 2);
    let times = ["/never", "/both", "/later"].map(told);
    assert_eq!(times, [1, 1, 1], "{}", house.log());
    house.signal(15);
    house.end();
}
