//! The lies: each what one process says in the place of the truth.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use oms_station::process::Role;
use oms_sys::channel::{Channel, MOST_BYTES};
use oms_verify::hash::{Digest, HashAlgorithm, Sha256Digest};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{SendFlags, send};
use serde_json::{Value, json};

use crate::liar::{Lie, Message, Stage, Way, sealed};

/// Each with its name and who tells it.
pub(crate) const ALL: &[(&str, Role, Lie)] = &[
    ("has no sandbox", Role::Decider, |_, way, mut m| {
        if way == Way::Up && m.value.get("sandbox").is_some() {
            m.value["sandbox"] = Value::Null;
        }
        vec![m]
    }),
    ("passes what nobody inspected", Role::Decider, passes_uninspected),
    ("passes what was tampered with", Role::Decider, passes_tampered),
    ("drops the reasons", Role::Decider, |_, way, m| {
        decision(way, m, |d| d["reasons"] = json!([]))
    }),
    ("another policy", Role::Decider, |_, way, m| {
        decision(way, m, |d| d["policy"]["sha256"] = "00".repeat(32).into())
    }),
    ("another policy's version", Role::Decider, |_, way, m| {
        decision(way, m, |d| d["policy"]["version"] = 99.into())
    }),
    ("annotations of its own", Role::Decider, |_, way, m| {
        decision(way, m, |d| d["annotations"]["approved-by"] = "the minister".into())
    }),
    ("another time", Role::Decider, |_, way, m| {
        decision(way, m, |d| d["time"] = (d["time"].as_i64().unwrap() + 3600).into())
    }),
    ("a scanner that nobody asked", Role::Decider, |_, way, m| {
        decision(way, m, |d| d["scanner"] = "ClamAV 99".into())
    }),
    ("sent again", Role::Decider, |_, way, m| decision(way, m, |d| d["resendOf"] = 1.into())),
    ("a path for a digest", Role::Decider, |_, way, m| {
        decision(way, m, |d| d["bundles"][0]["sha256"] = "/../../../../tmp".into())
    }),
    ("more bundles", Role::Decider, |_, way, m| {
        decision(way, m, |d| {
            let bundle = d["bundles"][0].clone();
            d["bundles"].as_array_mut().unwrap().push(bundle);
        })
    }),
    ("a place that is not", Role::Decider, |_, way, m| {
        decided(way, m, |m| m.value["decided"]["elsewhere"] = 7.into())
    }),
    ("forgets the CRLs", Role::Decider, |_, way, m| {
        decided(way, m, |m| m.put(2, br#"{"floors":[]}"#))
    }),
    ("another name", Role::Decider, |_, way, m| {
        files(way, m, |files| files[0]["name"] = "READYOU.md".into())
    }),
    ("another size", Role::Decider, |_, way, m| files(way, m, |files| files[0]["size"] = 1.into())),
    ("another digest", Role::Decider, |_, way, m| {
        files(way, m, |files| files[0]["digest"] = format!("sha256:{}", "00".repeat(32)).into())
    }),
    ("a file less", Role::Decider, |_, way, m| {
        files(way, m, |files| drop(files.as_array_mut().unwrap().pop()))
    }),
    ("files that are none", Role::Decider, |_, way, m| {
        // They would stand in the record, and nobody could make a verdict of them any more.
        decided(way, m, |m| m.put(1, br#"[],"sandbox":"none""#))
    }),
    ("files of something else", Role::Decider, |_, way, m| decided(way, m, |m| m.put(1, b"[]"))),
    ("keeps ../x", Role::Decider, |_, way, m| keeps(way, m, "../x")),
    ("keeps model/x", Role::Decider, |_, way, m| keeps(way, m, "model/x")),
    ("keeps ../../x", Role::Decider, |_, way, m| keeps(way, m, "../../outbound/x")),
    ("keeps verdict", Role::Decider, |_, way, m| keeps(way, m, "verdict.sigstore.json")),
    ("keeps other bytes", Role::Decider, |_, way, mut m| {
        if (way, m.kind()) == (Way::Up, "keep") {
            m.put(0, b"other");
        }
        vec![m]
    }),
    ("keeps nothing", Role::Decider, |_, way, m| {
        if (way, m.kind()) == (Way::Up, "keep") { vec![] } else { vec![m] }
    }),
    ("keeps it twice", Role::Decider, |_, way, m| twice(way, m, "keep")),
    ("copied twice", Role::Decider, |_, way, m| twice(way, m, "copied")),
    ("says too much", Role::Decider, |stage, way, m| raw(stage, way, m, &[b' '; 70_000])),
    ("says no JSON", Role::Decider, |stage, way, m| raw(stage, way, m, b"\"copied\",")),
    ("an unknown field", Role::Decider, |_, way, m| {
        decided(way, m, |m| m.value["decided"]["signed"] = true.into())
    }),
    ("an unknown word", Role::Decider, |_, way, m| decided(way, m, |m| m.value = "publish".into())),
    ("an unknown reason", Role::Decider, |_, way, m| decided(way, m, |m| *m = failed("no.such"))),
    ("the token is locked", Role::Decider, |_, way, m| {
        decided(way, m, |m| *m = failed("hsm.locked"))
    }),
    ("memory that is a file", Role::Decider, |_, way, m| {
        decided(way, m, |m| m.with[0] = tempfile::tempfile().unwrap().into())
    }),
    ("memory that grows", Role::Decider, |_, way, m| {
        decided(way, m, |m| {
            let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::SEAL;
            m.with[0] = memory(&m.bytes(0), seals);
        })
    }),
    ("memory that changes", Role::Decider, |_, way, m| {
        decided(way, m, |m| {
            m.with[0] = memory(&m.bytes(0), SealFlags::GROW | SealFlags::SHRINK);
        })
    }),
    ("memory that is too large", Role::Decider, |_, way, m| {
        decided(way, m, |m| m.put(0, &vec![b' '; (64 << 20) + 1]))
    }),
    ("more memory than is due", Role::Decider, |_, way, m| {
        decided(way, m, |m| m.with.push(sealed(b"more")))
    }),
    ("less memory than is due", Role::Decider, |_, way, m| decided(way, m, |m| drop(m.with.pop()))),
    ("memory beside a word", Role::Decider, |_, way, mut m| {
        if (way, m.kind()) == (Way::Up, "copied") {
            m.with.push(sealed(b"more"));
        }
        vec![m]
    }),
    ("a survey of ten million", Role::Copier, |_, way, m| {
        surveyed(way, m, |m| m.put(0, survey(10_000_000).as_bytes()))
    }),
    ("a survey of too many", Role::Copier, |_, way, m| {
        surveyed(way, m, |m| m.put(0, survey(10_001).as_bytes()))
    }),
    ("a survey that is none", Role::Copier, |_, way, m| {
        surveyed(way, m, |m| m.edit(0, |survey| survey["passed"] = true.into()))
    }),
    ("the search finds a locked token", Role::Copier, |_, way, m| {
        surveyed(way, m, |m| *m = failed("hsm.locked"))
    }),
    ("the copier decides", Role::Copier, |_, way, m| {
        reporting(way, m, |m| *m = Message::of(json!({ "decided": { "elsewhere": null } })))
    }),
    ("the copier finds a locked token", Role::Copier, |stage, way, m| {
        if !stage.has("--into") {
            return vec![m];
        }
        reporting(way, m, |m| *m = failed("hsm.locked"))
    }),
    ("the copier hangs up and lives on", Role::Copier, |stage, way, m| {
        match (way, m.kind()) {
            (Way::Ask, "bundle") => stage.hang_up(),
            (Way::End, _) if stage.has("--into") => std::thread::sleep(Duration::from_secs(600)),
            _ => {}
        }
        vec![m]
    }),
    ("the copier ends late", Role::Copier, |stage, way, m| {
        if way == Way::End && stage.has("--into") {
            std::thread::sleep(Duration::from_secs(600));
        }
        vec![m]
    }),
    ("the copier writes at last", Role::Copier, |stage, way, m| {
        at_last(stage, way, m, |model| {
            fs::write(model.join("README.md"), "# Demo model\n").unwrap();
        })
    }),
    ("the copier adds a file", Role::Copier, |stage, way, m| {
        at_last(stage, way, m, |model| fs::write(model.join("more.bin"), "more").unwrap())
    }),
    ("the copier removes a file", Role::Copier, |stage, way, m| {
        at_last(stage, way, m, |model| fs::remove_file(model.join("README.md")).unwrap())
    }),
    ("the copier leaves a link", Role::Copier, |stage, way, m| {
        let read = || stage.place("--carrier").join("demo/README.md");
        at_last(stage, way, m, |model| {
            fs::remove_file(model.join("README.md")).unwrap();
            std::os::unix::fs::symlink(read(), model.join("README.md")).unwrap();
        })
    }),
    ("the copier adds a file beside", Role::Copier, |stage, way, m| {
        at_last(stage, way, m, |model| fs::write(model.with_file_name("more"), "more").unwrap())
    }),
    ("the copier adds attestations", Role::Copier, |stage, way, m| {
        at_last(stage, way, m, |model| {
            fs::create_dir(model.with_file_name("attestations")).unwrap()
        })
    }),
    ("the copier copied something else", Role::Copier, |stage, way, m| {
        if (way, m.kind()) == (Way::Answer, "seen") {
            fs::write(copies(stage).join("README.md"), "# Demo model\n").unwrap();
        }
        vec![m]
    }),
    ("the inspector says nothing", Role::Inspector, |_, way, m| {
        if (way, m.kind()) == (Way::Ask, "look") {
            std::process::exit(0);
        }
        vec![m]
    }),
    ("the inspector dies", Role::Inspector, |_, way, m| {
        if (way, m.kind()) == (Way::Ask, "look") {
            std::process::abort();
        }
        vec![m]
    }),
    ("the inspector finds others", Role::Inspector, |_, way, m| {
        found(way, m, |mut m| {
            m.value["copies"]["files"] = "00".repeat(32).into();
            vec![m]
        })
    }),
    ("the inspector finds none", Role::Inspector, |_, way, m| found(way, m, |_| vec![])),
    ("the inspector finds them twice", Role::Inspector, |_, way, m| twice(way, m, "copies")),
    ("the inspector decides", Role::Inspector, |_, way, m| {
        found(way, m, |_| vec![Message::of(json!({ "decided": { "elsewhere": null } }))])
    }),
    ("the inspector finds a locked token", Role::Inspector, |_, way, m| {
        found(way, m, |_| vec![failed("hsm.locked")])
    }),
    ("the inspector praises everything", Role::Inspector, |_, way, mut m| {
        if (way, m.kind()) == (Way::Answer, "seen") {
            m.edit(0, praise);
        }
        vec![m]
    }),
    ("the inspector hashes what was signed", Role::Inspector, |stage, way, mut m| {
        if (way, m.kind()) == (Way::Ask, "look") {
            stage.memory.lock().unwrap().push(copy(&m));
        }
        if (way, m.kind()) == (Way::Answer, "seen") {
            let signed = manifest(stage);
            m.edit(0, |sight| {
                for file in sight["files"].as_array_mut().unwrap() {
                    let same = |one: &&Value| one["name"] == file["name"];
                    let one = signed["files"].as_array().unwrap().iter().find(same).unwrap();
                    file["digest"] = one["digest"].clone();
                }
                praise(sight);
            });
        }
        vec![m]
    }),
    ("the signer adds to the payload", Role::Signer, |_, way, m| {
        signed(way, m, |m| {
            let payload = m.bytes(0);
            m.put(0, &[payload.as_slice(), b" "].concat());
        })
    }),
    ("the signer signs nothing", Role::Signer, |_, way, m| {
        signed(way, m, |m| m.edit(1, |verdict| verdict["dsseEnvelope"]["signatures"] = json!([])))
    }),
    ("the signer signs badly", Role::Signer, |_, way, m| {
        signed(way, m, |m| m.edit(1, |verdict| spoil(&mut verdict["dsseEnvelope"])))
    }),
    ("the signer signs with another key", Role::Signer, |_, way, m| {
        signed(way, m, |m| {
            let bundle = m.bytes(2);
            m.put(1, &bundle);
        })
    }),
    ("the signer signs an earlier one", Role::Signer, |stage, way, m| {
        if (way, m.kind()) != (Way::Up, "signed") {
            return vec![m];
        }
        let mut memory = stage.memory.lock().unwrap();
        memory.push(copy(&m));
        vec![copy(&memory[0])]
    }),
    ("the signer keeps the bundle", Role::Signer, |_, way, m| {
        signed(way, m, |m| drop(m.with.pop()))
    }),
    ("the signer gives a bundle that is not signed", Role::Signer, |_, way, m| {
        signed(way, m, |m| m.edit(2, |bundle| spoil(&mut bundle["dsseEnvelope"])))
    }),
    ("the signer gives too much", Role::Signer, |_, way, m| {
        signed(way, m, |m| m.with.push(sealed(b"more")))
    }),
];

/// Changes the decider's last word.
fn decided(way: Way, mut m: Message, change: impl FnOnce(&mut Message)) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, "decided") {
        change(&mut m);
    }
    vec![m]
}

/// Changes the decision.
fn decision(way: Way, m: Message, change: impl FnOnce(&mut Value)) -> Vec<Message> {
    decided(way, m, |m| m.edit(0, change))
}

/// Changes the files of a decision, and all that is said of them with it.
fn files(way: Way, m: Message, change: impl FnOnce(&mut Value)) -> Vec<Message> {
    decided(way, m, |m| {
        let mut files = serde_json::from_slice(&m.bytes(1)).unwrap();
        change(&mut files);
        consistent(m, &files);
    })
}

/// Has a decision be about these files.
fn consistent(m: &mut Message, files: &Value) {
    let files = files.as_array().unwrap();
    let digests: Vec<Digest> = files
        .iter()
        .map(|file| {
            let hex = file["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            Digest::from_hex(HashAlgorithm::Sha256, hex).unwrap()
        })
        .collect();
    let root = Sha256Digest::root(digests.iter()).to_hex();
    let bytes: u64 = files.iter().map(|file| file["size"].as_u64().unwrap()).sum();
    m.edit(0, |decision| {
        decision["root"] = root.into();
        decision["listed"] = files.len().into();
        decision["matching"] = files.len().into();
        decision["bytes"] = bytes.into();
    });
    m.put(1, json!(files).to_string().as_bytes());
}

/// Hands over the source's bundle under this name.
fn keeps(way: Way, mut m: Message, name: &str) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, "keep") {
        m.value["keep"]["name"] = name.into();
    }
    vec![m]
}

/// Says this to the supervisor, and says it again.
fn twice(way: Way, m: Message, kind: &str) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, kind) { vec![copy(&m), m] } else { vec![m] }
}

fn copy(m: &Message) -> Message {
    let with: Vec<OwnedFd> = m.with.iter().map(|fd| fd.try_clone().unwrap()).collect();
    Message { value: m.value.clone(), with }
}

/// Says these bytes before the last word.
fn raw(stage: &Stage, way: Way, m: Message, bytes: &[u8]) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, "decided") {
        send(&stage.supervisor, bytes, SendFlags::empty()).unwrap();
    }
    vec![m]
}

fn failed(code: &str) -> Message {
    let reason = json!({ "code": code, "file": null, "rule": null, "detail": "so it says" });
    Message::of(json!({ "failed": reason }))
}

/// Memory with these bytes and seals.
fn memory(bytes: &[u8], seals: SealFlags) -> OwnedFd {
    let fd = memfd_create("lie", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::write(&fd, bytes).unwrap();
    fcntl_add_seals(&fd, seals).unwrap();
    fd
}

/// Plays the inspector before the honest decider, with what the copier saw, so that the supervisor
/// starts none.
fn passes_uninspected(stage: &Stage, way: Way, m: Message) -> Vec<Message> {
    if (way, m.kind()) == (Way::Answer, "seen") {
        stage.memory.lock().unwrap().push(copy(&m));
    }
    if (way, m.kind()) != (Way::Up, "copied") {
        return vec![m];
    }
    let mut sight = stage.memory.lock().unwrap().remove(0);
    sight.edit(0, |sight| {
        // The bundle lies in the model's folder on the carrier, and not in that of the copies.
        sight["unlisted"] = json!([]);
        praise(sight);
    });
    let (asking, answering) = Channel::pair().unwrap();
    stage.honest.send(b"\"inspector\"", &[asking.as_fd()], None).unwrap();
    std::thread::spawn(move || {
        let _ = answering.receive(MOST_BYTES, None).unwrap();
        answering.send(b"\"seen\"", &[sight.with[0].as_fd()], None).unwrap();
    });
    vec![]
}

/// Every file is a text.
fn praise(sight: &mut Value) {
    let finding = |file: &Value| json!({ "path": file["name"], "formats": ["text"], "marks": [], "scan": "clean" });
    sight["findings"] = sight["files"].as_array().unwrap().iter().map(finding).collect();
}

/// Has a refused model pass, with all that was signed for its files.
fn passes_tampered(stage: &Stage, way: Way, m: Message) -> Vec<Message> {
    if (way, m.kind()) == (Way::Ask, "locate") {
        stage.memory.lock().unwrap().push(copy(&m));
    }
    decided(way, m, |m| {
        consistent(m, &manifest(stage)["files"]);
        m.edit(0, |decision| decision["reasons"] = json!([]));
    })
}

/// The manifest that was remembered.
fn manifest(stage: &Stage) -> Value {
    serde_json::from_slice(&stage.memory.lock().unwrap()[0].bytes(0)).unwrap()
}

fn surveyed(way: Way, mut m: Message, change: impl FnOnce(&mut Message)) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, "surveyed") {
        change(&mut m);
    }
    vec![m]
}

/// Changes what the copier says of its progress.
fn reporting(way: Way, mut m: Message, change: impl FnOnce(&mut Message)) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, "progress") {
        change(&mut m);
    }
    vec![m]
}

/// A survey of so many models.
fn survey(models: usize) -> String {
    let one = r#"{"model":"m","is_folder":true,"bundles":[],"others":[]}"#;
    let all = vec![one; models].join(",");
    let rest = r#""attestations":{"names":{},"count":0},"reasons":[],"unclaimed":[]"#;
    format!("{{\"candidates\":[{all}],{rest}}}")
}

fn copies(stage: &Stage) -> PathBuf {
    stage.place("--into").join("model")
}

/// Does something to the copies when all was said, before the process ends.
fn at_last(stage: &Stage, way: Way, m: Message, deed: impl FnOnce(PathBuf)) -> Vec<Message> {
    if way == Way::End && stage.has("--into") {
        deed(copies(stage));
    }
    vec![m]
}

/// Says something else in the place of what the copies are.
fn found(way: Way, m: Message, other: impl FnOnce(Message) -> Vec<Message>) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, "copies") { other(m) } else { vec![m] }
}

/// Changes what the signer gives back.
fn signed(way: Way, mut m: Message, change: impl FnOnce(&mut Message)) -> Vec<Message> {
    if (way, m.kind()) == (Way::Up, "signed") {
        change(&mut m);
    }
    vec![m]
}

/// Changes a character in the middle of an envelope's signature.
fn spoil(envelope: &mut Value) {
    let signature = envelope["signatures"][0]["sig"].as_str().unwrap();
    let (head, tail) = signature.split_at(signature.len() / 2);
    let (old, rest) = tail.split_at(1);
    let new = if old == "A" { "B" } else { "A" };
    envelope["signatures"][0]["sig"] = format!("{head}{new}{rest}").into();
}
