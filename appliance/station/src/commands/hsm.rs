//! `hsm list` and `hsm check`.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use oms_verify::reason::Reason;

use super::{Done, print, print_json};
use crate::keys::{self, HsmCheck, HsmSlot, KeyRef, PinState, Protection};
use crate::present::Outcome;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the slots and tokens of a PKCS#11 module
    List(ListArgs),
    /// Sign a probe with a key and verify it
    Check(CheckArgs),
}

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// The module: a shared library
    #[arg(long, value_name = "PATH")]
    module: PathBuf,
    /// What to initialise it with, as x-init-reserved in a URI
    #[arg(long, value_name = "TEXT")]
    init_reserved: Option<CString>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct CheckArgs {
    /// The key: a PKCS#11 URI (RFC 7512) or a PEM file
    key: String,
    /// Print only the public key in PEM: what a CA certifies
    #[arg(long, conflicts_with = "json")]
    public_key: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Command::List(args) => args.json,
            Command::Check(args) => args.json,
        }
    }
}

pub(super) fn run(command: &Command) -> Done {
    let one = |error: keys::KeyError| vec![Reason::from(&error)];
    match command {
        Command::List(args) => {
            let slots = keys::list(&args.module, args.init_reserved.as_deref()).map_err(one)?;
            if args.json {
                print_json(&serde_json::json!({
                    "schema": "urn:oms-appliance:hsm-list:1",
                    "result": Outcome::Passed,
                    "exitCode": Outcome::Passed.exit_code(),
                    "slots": slots.iter().map(slot_json).collect::<Vec<_>>(),
                }));
            } else if slots.is_empty() {
                print("the module has no slots\n");
            } else {
                for slot in &slots {
                    print(&slot_text(slot));
                }
            }
        }
        Command::Check(args) => {
            let reference = KeyRef::parse(&args.key, Path::new("")).map_err(one)?;
            let checked = keys::check(&reference).map_err(one)?;
            if args.public_key {
                print(&checked.public_key.to_pem());
            } else if args.json {
                print_json(&check_json(&checked));
            } else {
                print(&check_text(&checked));
            }
        }
    }
    Ok(Outcome::Passed)
}

fn pin_word(pin: PinState) -> &'static str {
    match pin {
        PinState::NotSet => "not-set",
        PinState::Good => "good",
        PinState::CountLow => "count-low",
        PinState::LastTry => "last-try",
        PinState::Locked => "locked",
    }
}

fn pin_text(pin: PinState) -> &'static str {
    match pin {
        PinState::NotSet => "not set",
        PinState::Good => "set",
        PinState::CountLow => "a wrong one was tried since the last login: log in once by hand",
        PinState::LastTry => "one more wrong try locks it: log in once by hand",
        PinState::Locked => "locked: the HSM's officer can set it again",
    }
}

fn slot_json(slot: &HsmSlot) -> serde_json::Value {
    serde_json::json!({
        "slot": slot.id,
        "description": slot.description,
        "token": slot.token.as_ref().map(|token| serde_json::json!({
            "label": token.name.label,
            "manufacturer": token.name.manufacturer,
            "model": token.name.model,
            "serial": token.name.serial,
            "initialized": token.initialized,
            "pin": pin_word(token.pin),
            "ecdsa": token.ecdsa.map(|ecdsa| serde_json::json!({
                "minBits": ecdsa.min_bits,
                "maxBits": ecdsa.max_bits,
                "hardware": ecdsa.hardware,
            })),
        })),
    })
}

fn slot_text(slot: &HsmSlot) -> String {
    let mut text =
        format!("slot {}: {}\n", slot.id, oms_verify::reason::Printable(&slot.description));
    let Some(token) = &slot.token else { return text + "  no token\n" };
    text.push_str(&format!("  token    {}\n", token.name));
    if !token.initialized {
        return text + "  not initialised\n";
    }
    text.push_str(&format!("  PIN      {}\n", pin_text(token.pin)));
    text.push_str(&match token.ecdsa {
        Some(ecdsa) => format!("  ECDSA    {} to {} bits\n", ecdsa.min_bits, ecdsa.max_bits),
        None => "  ECDSA    not offered\n".to_owned(),
    });
    text
}

fn check_json(checked: &HsmCheck) -> serde_json::Value {
    let (kept, token, exportable) = match &checked.protection {
        Protection::File => ("file", None, true),
        Protection::Pkcs11 { token, exportable } => {
            ("pkcs11", Some(token.to_string()), *exportable)
        }
    };
    serde_json::json!({
        "schema": "urn:oms-appliance:hsm-check:1",
        "result": Outcome::Passed,
        "exitCode": Outcome::Passed.exit_code(),
        "keyType": checked.key_type.to_string(),
        "protection": kept,
        "token": token,
        "exportable": exportable,
        "key": checked.key.as_ref().map(ToString::to_string),
        "mechanism": checked.mechanism,
        "module": checked.quirks.map(|quirks| serde_json::json!({
            "name": quirks.module,
            "sandboxRead": quirks.read,
            "sandboxWrite": quirks.write,
            "note": quirks.note,
        })),
        "openMilliseconds": checked.open_time.as_millis(),
        "signMilliseconds": checked.sign_time.as_millis(),
    })
}

fn check_text(checked: &HsmCheck) -> String {
    let mut text = format!("good: a probe was signed and verified, {}\n", checked.key_type);
    match &checked.protection {
        Protection::File => text.push_str("  warning  kept in a file: for laboratories only\n"),
        Protection::Pkcs11 { token, exportable } => {
            text.push_str(&format!("  token    {token}\n"));
            if *exportable {
                text.push_str("  warning  the token would give this key away\n");
            }
        }
    }
    if let Some(key) = &checked.key {
        text.push_str(&format!("  key      {key}\n"));
    }
    if let Some(quirks) = checked.quirks {
        text.push_str(&format!("  module   {}: {}\n", quirks.module, quirks.note));
    }
    text.push_str(&format!(
        "  time     {} ms to open, {} ms to sign\n",
        checked.open_time.as_millis(),
        checked.sign_time.as_millis()
    ));
    text
}
