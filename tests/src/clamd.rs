//! A real `clamd` with one signature of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What its only signature finds.
pub const MARKER: &[u8] = b"oms-appliance-malware-marker";
/// What it calls that.
pub const FOUND: &str = "Oms.Test.Marker.UNOFFICIAL";
/// Bytes of the largest file that it reads; it calls a larger one clean.
pub const MOST: u64 = 512 << 10;

/// The daemon; it ends with this value.
#[derive(Debug)]
pub struct Clamd {
    child: Child,
    /// Its socket.
    pub socket: PathBuf,
}

impl Clamd {
    /// Starts one in the folder, and waits until it listens.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn start(dir: &Path) -> Clamd {
        let signatures = dir.join("signatures");
        fs::create_dir(&signatures).unwrap();
        let marker: String = MARKER.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(signatures.join("oms.ndb"), format!("Oms.Test.Marker:0:*:{marker}\n")).unwrap();
        let socket = dir.join("clamd.socket");
        let configuration = dir.join("clamd.conf");
        let settings = format!(
            "LocalSocket {}\nDatabaseDirectory {}\nForeground yes\nOfficialDatabaseOnly no\n\
             StreamMaxLength 8M\nMaxFileSize {MOST}\nMaxScanSize {MOST}\nIdleTimeout 15\n",
            socket.display(),
            signatures.display()
        );
        fs::write(&configuration, settings).unwrap();
        let log = fs::File::create(dir.join("clamd.log")).unwrap();
        let mut clamd = Command::new("clamd");
        clamd.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-c").arg(&configuration);
        let child = clamd.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = child.spawn().expect("clamd is not installed: run `cargo xtask setup`");
        let clamd = Clamd { child, socket };
        let start = Instant::now();
        while !clamd.socket.exists() {
            assert!(start.elapsed() < Duration::from_secs(60), "clamd does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        clamd
    }

    /// Ends it.
    pub fn stop(mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        self.kill();
    }
}
