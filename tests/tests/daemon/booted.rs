//! The unit, started by a real systemd that is the first process of namespaces of its own, over a
//! file system that it can only read. As root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::vectors::workspace;
use oms_testkit::{files, model, run};
use oms_tests::disk::Plugged;
use oms_tests::image::{Image, Kind};
use oms_tests::mounts::{Need, privately, tmpfs};
use oms_tests::scene::{POLICY, Scene};
use rustix::mount::{MountFlags, mount};

use crate::devices::{served, take_devices};
use crate::station::{Daemon, bring, with_hot_folder};

/// Becomes systemd, with nothing to start but the unit. What it could change of this machine is hidden
/// from it or read-only: it clears `/tmp`, for one.
const BOOT: &str = r#"
set -eu
mount --make-rprivate /
mount -o remount,bind,ro /
for hidden in /run /tmp /var /root /home; do mount -t tmpfs tmpfs $hidden; done
if touch /etc/written 2>/dev/null; then exit 1; fi
for file in passwd group; do
    cat /etc/$file /srv/$file > /run/$file
    mount --bind /run/$file /etc/$file
done
mount -t proc proc /proc
for shared in /proc/sys /sys; do
    mount --bind $shared $shared
    mount -o remount,bind,ro $shared
done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /run/systemd
cp -r /srv/units /run/systemd/system
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
    --system --unit=station.target --log-target=null --show-status=0
"#;

/// A user and a group that nobody else on the machine has.
const PASSWD: &str = "oms-appliance:x:63998:63998::/:/usr/sbin/nologin\n";
const GROUP: &str = "oms-appliance:x:63998:\n";

/// A station beneath `/srv` that systemd has started by the unit and these drop-ins.
fn booted(configure: impl FnOnce(&Scene), drop_ins: &[(&str, String)]) -> Booted {
    tmpfs(Path::new("/srv"), 1 << 30);
    files::folder("/srv/oms");
    let scene = Scene::within(Path::new("/srv/oms"), POLICY);
    model::write(&scene.model, 40_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let _ = with_hot_folder(&scene);
    configure(&scene);
    let _ = run::outcome(Command::new("chown").args(["-R", "63998:63998", "/srv/oms"]))
        .expect_status(0);
    fs::copy(run::command().get_program(), "/srv/oms-appliance").unwrap();
    for (name, text) in [("passwd", PASSWD), ("group", GROUP), ("boot", BOOT)] {
        files::public(Path::new("/srv").join(name), text);
    }
    let units = files::folder("/srv/units");
    let target = "[Unit]\nDefaultDependencies=no\nWants=oms-appliance.service\n";
    files::public(units.join("station.target"), target);
    let shipped = workspace().join("appliance/station/systemd/oms-appliance.service");
    fs::copy(shipped, units.join("oms-appliance.service")).unwrap();
    // Where the program and its files are here, that its keys are files, and what shows that it said
    // that it is ready.
    let here = format!(
        "[Unit]\nDefaultDependencies=no\n[Service]\nStandardOutput=null\nStandardError=file:/srv/oms/stderr\n\
         ExecStart=\nExecStart=/srv/oms-appliance run --config {}\n\
         ExecStartPost=/bin/touch /srv/oms/ready\n\
         LoadCredentialEncrypted=\nReadWritePaths=\nReadWritePaths=/srv/oms\n",
        scene.station.config.display()
    );
    let folder = files::folder(units.join("oms-appliance.service.d"));
    files::public(folder.join("here.conf"), here);
    for (name, text) in drop_ins {
        files::public(folder.join(name), text);
    }
    let cgroup = Cgroup::new();
    // A kernel that keeps a cgroup keeps what an earlier systemd forbade in it.
    let enter = format!(
        "echo $$ > {}/cgroup.procs; exec unshare --fork --kill-child --pid --mount --cgroup --uts \
         --ipc sh /srv/boot",
        cgroup.0.display()
    );
    let mut boot = Command::new("sh");
    boot.args(["-euc", &enter]);
    let daemon = Daemon::start_with(&scene, boot);
    Booted { _cgroup: cgroup, scene, daemon }
}

/// A station under systemd. The daemon is to end first, as what is bound last.
struct Booted {
    _cgroup: Cgroup,
    scene: Scene,
    daemon: Daemon,
}

/// A cgroup of its own, in which systemd makes others.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new() -> Cgroup {
        let all = files::folder("/srv/cgroup");
        mount("cgroup2", &all, "cgroup2", MountFlags::empty(), None).unwrap();
        Cgroup(tempfile::Builder::new().prefix("oms-tests-").tempdir_in(all).unwrap().keep())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let remove = "for i in $(seq 100); do \
             find \"$0\" -depth -type d -exec rmdir {} + 2>/dev/null && exit; sleep 0.1; done";
        let _ = Command::new("sh").args(["-c", remove]).arg(&self.0).status();
    }
}

/// Whether systemd heard that the daemon is ready.
fn is_ready() -> bool {
    Path::new("/srv/oms/ready").exists()
}

fn has_systemd() -> bool {
    let has = Path::new("/lib/systemd/systemd").exists();
    if !has {
        oms_tests::root::skipped("there is no systemd");
    }
    has
}

#[test]
fn systemd_starts_the_unit_and_the_station_serves() {
    if !has_systemd() {
        return;
    }
    privately(&[], || {
        let Booted { _cgroup, scene, daemon } = booted(|_| {}, &[]);
        let _ = daemon.until("waiting", |status| status["state"] == "waiting");
        let _ = daemon.until("ready", |_| is_ready());
        let told = daemon.served(&bring(&scene.carrier, &scene.path("hot"), "carrier"));
        assert_eq!(told["passed"], 1, "{told:#}");
        assert_eq!(scene.station.entries().len(), 1);
    });
}

#[test]
fn with_its_drop_in_the_unit_serves_disks() {
    if !has_systemd() {
        return;
    }
    privately(&[Need::Ext4], || {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("disk.img");
        let mut plugged = None;
        let shipped = workspace().join("appliance/station/systemd/devices.conf");
        let drop_ins = [
            ("devices.conf", fs::read_to_string(shipped).unwrap()),
            ("loop.conf", "[Service]\nDeviceAllow=block-loop r\n".to_owned()),
        ];
        let plug = |scene: &Scene| {
            let _ = Image::of(Kind::Ext4, &scene.carrier, &image);
            let disk = Plugged::image(&image);
            take_devices(scene, &[&disk]);
            plugged = Some(disk);
        };
        let Booted { _cgroup, scene, daemon } = booted(plug, &drop_ins);
        let told = served(&daemon, &plugged.unwrap());
        assert_eq!(told["passed"], 1, "{told:#}");
        assert!(is_ready());
        assert_eq!(scene.station.entries().len(), 1);
    });
}
