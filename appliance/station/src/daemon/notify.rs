//! Telling systemd: that the daemon is ready, what it does, and that it is alive (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service manager's socket; nobody where there is none.
#[derive(Debug)]
pub(super) struct Notify(Option<(UnixDatagram, SocketAddr)>);

impl Notify {
    /// The one that started this process.
    pub(super) fn of_environment() -> Self {
        Notify::at(std::env::var_os("NOTIFY_SOCKET").as_deref())
    }

    /// A socket that cannot be had is none: the daemon works without.
    fn at(name: Option<&OsStr>) -> Self {
        let open = |name: &OsStr| -> io::Result<(UnixDatagram, SocketAddr)> {
            let address = match name.as_bytes().split_first() {
                Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
                _ => SocketAddr::from_pathname(name)?,
            };
            let socket = UnixDatagram::unbound()?;
            // A service manager that does not listen must not hold up anything.
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        };
        Notify(name.and_then(|name| open(name).ok()))
    }

    /// All that can be done has begun.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// What it does, in a few words of its own.
    pub(super) fn status(&self, text: &str) {
        self.send(&format!("STATUS={}", text.replace('\n', " ")));
    }

    /// It is alive.
    pub(super) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// It is going to end.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, text: &str) {
        if let Some((socket, address)) = &self.0 {
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_a_datagram() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::at(Some(path.as_os_str()));
        notify.ready();
        notify.status("a\nREADY=1");
        let mut buffer = [0; 64];
        for expected in ["READY=1", "STATUS=a READY=1"] {
            let length = manager.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected.as_bytes());
        }
        Notify::at(None).ready();
        Notify::at(Some(OsStr::new("/no/such/socket"))).stopping();
    }

    #[test]
    fn a_name_may_be_abstract() {
        let name = format!("oms-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        Notify::at(Some(OsStr::new(&format!("@{name}")))).alive();
        let mut buffer = [0; 64];
        assert_eq!(manager.recv(&mut buffer).unwrap(), "WATCHDOG=1".len());
    }
}
