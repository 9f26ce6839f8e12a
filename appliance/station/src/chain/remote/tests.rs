//! Copiers and inspectors that an enemy has taken over: whatever they say, a model that was not
//! copied as it was signed does not pass, and the decider comes to an end.

use std::os::fd::{AsFd as _, BorrowedFd};

use oms_verify::hash::{Digest, HashAlgorithm};
use oms_verify::name::ResourcePath;
use oms_verify::observe::{ObservedFile, Unlisted};
use oms_verify::statement::{ManifestFile, Method, Pieces};

use super::*;
use crate::handover::{sealed_copy, sealed_json};

const HOW: (HashAlgorithm, Method) = (HashAlgorithm::Sha256, Method::Files);

fn path(name: &str) -> ResourcePath {
    ResourcePath::parse(name, &Budget::default()).unwrap()
}

fn pieces(byte: u8) -> Pieces {
    Pieces::Whole(Digest::new(HashAlgorithm::Sha256, &[byte; 32]).unwrap())
}

fn manifest() -> Arc<Manifest> {
    let file = |name: &str, byte| ManifestFile { path: path(name), pieces: pieces(byte) };
    let files = vec![file("a", 1), file("b", 2)];
    let (hash, method) = HOW;
    Arc::new(Manifest::new(hash, method, Vec::new(), files, &Budget::default()).unwrap())
}

/// What an honest process saw.
fn sight() -> Sight {
    let mut sight = Sight::default();
    for (name, byte) in [("a", 1), ("b", 2)] {
        let seen = ObservedFile { size: 5, pieces: pieces(byte) };
        sight.observed.files.insert(path(name), seen);
    }
    sight
}

fn told(sight: Sight) -> Sealed {
    sealed_with(|writer| sight.to_json(HOW, writer)).unwrap()
}

/// Observes a model with these processes in the place of the copier and the inspector.
fn observed(
    copier: impl FnOnce(Link) + Send,
    inspector: impl FnOnce(Link) + Send,
) -> Result<Observed, Reason> {
    let (to_supervisor, supervisor) = Link::pair().unwrap();
    let (to_copier, at_copier) = Link::pair().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || copier(at_copier));
        scope.spawn(move || {
            if let Ok(Some((Word::Copied, _))) = supervisor.next::<Word>() {
                let (asking, answering) = Link::pair().unwrap();
                supervisor.send(&Order::Inspector, &[asking.as_fd()]).unwrap();
                drop(asking);
                inspector(answering);
            }
        });
        let mut remote = Remote {
            supervisor: &to_supervisor,
            copier: Some(to_copier),
            budget: &Budget::default(),
            bundles: 1,
            asked: 0,
            last: None,
            elsewhere: None,
        };
        let observed = remote.observe(&manifest(), &[]);
        drop(remote);
        drop(to_supervisor);
        observed.map(|(observed, _)| observed)
    })
}

/// A process that says this to the first question.
fn says(answer: Answer, with: Vec<Sealed>) -> impl FnOnce(Link) + Send {
    move |link: Link| {
        let _ = link.next::<Ask>();
        let with: Vec<BorrowedFd<'_>> = with.iter().map(Sealed::as_fd).collect();
        // Nobody has to hear it to the end.
        let _ = link.send(&answer, &with);
    }
}

fn saw(sight: Sight) -> impl FnOnce(Link) + Send {
    says(Answer::Seen, vec![told(sight)])
}

/// A sight that somebody changed.
fn lying(change: impl FnOnce(&mut Sight)) -> Sight {
    let mut sight = sight();
    change(&mut sight);
    sight
}

#[test]
fn both_saw_the_same() {
    let seen = observed(saw(sight()), saw(sight())).unwrap();
    assert_eq!(seen.files, sight().observed.files);
}

#[test]
fn a_copy_that_differs_from_what_was_reported() {
    let other = |byte, size| {
        lying(|sight| {
            let seen = ObservedFile { size, pieces: pieces(byte) };
            sight.observed.files.insert(path("b"), seen);
        })
    };
    let without = || lying(|sight| drop(sight.observed.files.remove(&path("b"))));
    let more = || {
        lying(|sight| {
            sight.observed.unlisted.push(Unlisted { path: "c".to_owned(), ignored: true });
        })
    };
    // The copier wrote other bytes, or other lengths, or nothing, or something besides.
    for found in [other(3, 5), other(2, 6), without(), more()] {
        let reason = observed(saw(sight()), saw(found)).unwrap_err();
        assert_eq!(reason.code, Code::ProcessCopies, "{reason}");
    }
    // The inspector says that all is as signed: what the copier did not read, or read otherwise,
    // is not as signed all the same.
    for copied in [other(3, 5), other(2, 6)] {
        let reason = observed(saw(copied), saw(sight())).unwrap_err();
        assert_eq!(reason.code, Code::ProcessCopies, "{reason}");
    }
    let seen = observed(saw(without()), saw(sight())).unwrap();
    assert!(!seen.files.contains_key(&path("b")), "it counts as missing");
}

#[test]
fn nonsense_in_place_of_an_answer() {
    let nonsense = || {
        [
            says(Answer::Located(None), vec![]),
            says(Answer::Attestations(usize::MAX), vec![]),
            says(Answer::Seen, vec![]),
            says(Answer::Seen, vec![sealed_copy(b"").unwrap()]),
            says(Answer::Seen, vec![sealed_copy(b"[[[[").unwrap()]),
            says(Answer::Seen, vec![sealed_json(&vec!["a"; 100_000]).unwrap()]),
            says(Answer::Seen, vec![told(sight()), told(sight())]),
            says(Answer::Seen, (0..8).map(|_| told(sight())).collect()),
        ]
    };
    for copier in nonsense() {
        let reason = observed(copier, saw(sight())).unwrap_err();
        assert_eq!(reason.code, Code::ProcessProtocol, "{reason}");
    }
    for inspector in nonsense() {
        let reason = observed(saw(sight()), inspector).unwrap_err();
        assert_eq!(reason.code, Code::ProcessProtocol, "{reason}");
    }
}

#[test]
fn what_is_no_message_at_all() {
    let raw = |bytes: Vec<u8>| {
        move |link: Link| {
            let _ = link.next::<Ask>();
            let channel = oms_sys::channel::Channel::from(link.0);
            let _ = channel.send(&bytes, &[], None);
        }
    };
    let most = vec![b'['; 65_000];
    for bytes in [b"\0".to_vec(), b"\"seen\",".to_vec(), b"{\"seen\":1}".to_vec(), most] {
        let reason = observed(raw(bytes), saw(sight())).unwrap_err();
        assert_eq!(reason.code, Code::ProcessProtocol, "{reason}");
    }
}

#[test]
fn memory_that_can_still_change() {
    let file = |link: Link| {
        let _ = link.next::<Ask>();
        let file = tempfile::tempfile().unwrap();
        let _ = link.send(&Answer::Seen, &[file.as_fd()]);
    };
    let reason = observed(file, saw(sight())).unwrap_err();
    assert_eq!(reason.code, Code::ProcessProtocol, "{reason}");
    let reason = observed(saw(sight()), file).unwrap_err();
    assert_eq!(reason.code, Code::ProcessProtocol, "{reason}");
}

#[test]
fn a_process_that_dies() {
    let reason = observed(drop, saw(sight())).unwrap_err();
    assert_eq!(reason.code, Code::ProcessFailed, "{reason}");
    let reason = observed(saw(sight()), drop).unwrap_err();
    assert_eq!(reason.code, Code::ProcessFailed, "{reason}");
}
