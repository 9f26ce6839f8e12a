//! Hot folders, without root. Devices are in the tests of the whole program.

use super::*;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A hot folder and a place beside it to rename from.
struct Scene {
    dir: tempfile::TempDir,
    settings: Settings,
}

impl Scene {
    fn new(settle: Duration) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("hot")).unwrap();
        fs::create_dir(dir.path().join("aside")).unwrap();
        let hot_folders = vec![dir.path().join("hot")];
        Scene { dir, settings: Settings { hot_folders, settle, ..Settings::default() } }
    }

    fn hot(&self, name: &str) -> PathBuf {
        self.dir.path().join("hot").join(name)
    }

    fn rename_in(&self, name: &OsStr) {
        let aside = self.dir.path().join("aside").join(name);
        fs::create_dir(&aside).unwrap();
        fs::write(aside.join("weights"), "w").unwrap();
        fs::rename(aside, self.dir.path().join("hot").join(name)).unwrap();
    }

    fn watch(&self) -> Watch {
        Watch::open(&self.settings).unwrap()
    }
}

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

fn next(watch: &mut Watch) -> Option<News> {
    let deadline = Instant::now() + Duration::from_secs(20);
    watch.next(deadline).unwrap()
}

fn nothing(watch: &mut Watch) {
    let news = watch.next(Instant::now() + SHORT).unwrap();
    assert_eq!(news, None);
}

fn arrived(watch: &mut Watch) -> Arrival {
    match next(watch) {
        Some(News::Arrived(arrival)) => arrival,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_renamed_in_is_taken_at_once_and_once() {
    let scene = Scene::new(LONG);
    let mut watch = scene.watch();
    nothing(&mut watch);
    scene.rename_in(OsStr::new("model"));
    let arrival = arrived(&mut watch);
    assert_eq!(arrival.source.to_string(), scene.hot("model").display().to_string());
    assert!(matches!(arrival.source, Source::Folder(_)));
    // Whatever happens in it then.
    fs::write(scene.hot("model/more"), "m").unwrap();
    nothing(&mut watch);
    assert!(scene.hot("model/weights").exists(), "nothing was changed there");
    fs::remove_dir_all(scene.hot("model")).unwrap();
    assert_eq!(next(&mut watch), Some(News::Gone(arrival.identity.clone())));
    scene.rename_in(OsStr::new("model"));
    assert_ne!(arrived(&mut watch).identity, arrival.identity, "another one of the same name");
}

#[test]
fn what_is_written_in_place_is_taken_when_nothing_has_changed_for_a_while() {
    let scene = Scene::new(Duration::from_millis(400));
    let mut watch = scene.watch();
    nothing(&mut watch);
    fs::create_dir_all(scene.hot("model/deep")).unwrap();
    // Each change begins the while anew, deep inside, too.
    for step in 0..6 {
        fs::write(scene.hot("model/deep/weights"), step.to_string()).unwrap();
        let until = Instant::now() + Duration::from_millis(200);
        assert_eq!(watch.next(until).unwrap(), None, "{step}");
    }
    assert!(matches!(arrived(&mut watch).source, Source::Folder(_)));
    nothing(&mut watch);
}

#[test]
fn what_was_there_before_is_found_and_is_the_same_after_a_restart() {
    let scene = Scene::new(SHORT);
    scene.rename_in(OsStr::new("one"));
    scene.rename_in(OsStr::new("two"));
    let mut watch = scene.watch();
    let first = arrived(&mut watch);
    let second = arrived(&mut watch);
    assert_ne!(first.identity, second.identity);
    // As if after a restart: the journal tells them from others.
    let mut watch = scene.watch();
    let mut again = [arrived(&mut watch), arrived(&mut watch)];
    again.sort_by(|one, other| one.identity.cmp(&other.identity));
    let mut before = [first, second];
    before.sort_by(|one, other| one.identity.cmp(&other.identity));
    assert_eq!(again, before);
}

#[test]
fn what_is_no_carrier_is_told_once_and_left_alone() {
    let scene = Scene::new(SHORT);
    let mut watch = scene.watch();
    fs::write(scene.hot("a.safetensors"), "w").unwrap();
    symlink("/etc", scene.hot("b-link")).unwrap();
    fs::create_dir(scene.hot(".partial")).unwrap();
    for name in ["a.safetensors", "b-link"] {
        let Some(News::Told(reason)) = next(&mut watch) else { panic!("{name}") };
        assert_eq!(reason.code, Code::CarrierEntry);
        assert!(reason.to_string().contains(name), "{reason}");
    }
    nothing(&mut watch);
    fs::rename(scene.hot(".partial"), scene.hot("complete")).unwrap();
    assert!(arrived(&mut watch).source.to_string().ends_with("/complete"));
}

#[test]
fn a_tar_file_is_a_carrier() {
    let scene = Scene::new(SHORT);
    let mut watch = scene.watch();
    fs::write(scene.hot("models.TAR"), "t").unwrap();
    assert!(matches!(arrived(&mut watch).source, Source::Archive(_)));
}

#[test]
fn names_that_are_not_text_are_taken_and_shown_escaped() {
    let scene = Scene::new(LONG);
    let mut watch = scene.watch();
    scene.rename_in(OsStr::from_bytes(b"m\x1b[31m\xff"));
    let shown = arrived(&mut watch).source.to_string();
    assert!(shown.ends_with("/m\\u{1b}[31m\\xff"), "{shown}");
}

#[test]
fn no_more_wait_than_may_and_none_is_lost() {
    let scene = Scene::new(LONG);
    let mut watch = scene.watch();
    let total = MOST_WAITING + 10;
    for number in 0..total {
        scene.rename_in(OsStr::new(&format!("model-{number}")));
    }
    let mut seen = BTreeSet::new();
    while seen.len() < total {
        assert!(seen.insert(arrived(&mut watch).identity), "taken twice");
        assert!(watch.waiting() <= MOST_WAITING);
    }
    nothing(&mut watch);
}

#[test]
fn what_is_gone_before_its_turn_is_not_given_out() {
    let scene = Scene::new(LONG);
    let mut watch = scene.watch();
    scene.rename_in(OsStr::new("one"));
    scene.rename_in(OsStr::new("two"));
    assert!(arrived(&mut watch).source.to_string().ends_with("/one"));
    fs::remove_dir_all(scene.hot("two")).unwrap();
    nothing(&mut watch);
}

#[test]
fn a_hot_folder_that_goes_away_is_told_once() {
    let scene = Scene::new(SHORT);
    let mut watch = scene.watch();
    nothing(&mut watch);
    fs::rename(scene.hot(""), scene.dir.path().join("elsewhere")).unwrap();
    let Some(News::Told(reason)) = next(&mut watch) else { panic!() };
    assert_eq!(reason.code, Code::CarrierFolder);
    nothing(&mut watch);
    let missing = Watch::open(&scene.settings).unwrap_err();
    assert_eq!(missing.code, Code::ConfigPath);
}
