//! Every way in which a pickle can name what runs: each ends in a call of `os.system`, the twin's in
//! one of `collections.OrderedDict`.

use super::build::{
    HARMLESS, MEMOIZE, NEWOBJ, Pickle, REDUCE, STACK_GLOBAL, SYSTEM, TUPLE1, Target,
};
use crate::Case;

/// A case of a shape that names what it calls.
fn shaped(name: &'static str, shape: impl Fn(Target) -> Vec<u8>) -> Case {
    Case::one(
        name,
        ("pickle-global", "imports os.system"),
        "model.pkl",
        shape(SYSTEM),
        shape(HARMLESS),
    )
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        shaped("pickle-global-and-reduce", |target| Pickle::new(2).call(target).stop()),
        shaped("pickle-protocol-0-without-a-magic", |(module, name, text)| {
            let pickle = Pickle::old().global(module, name).raw(b"p0\n(");
            match text {
                "" => pickle.raw(b"tR").stop(),
                _ => pickle.raw(format!("S'{text}'\np1\ntR").as_bytes()).stop(),
            }
        }),
        shaped("pickle-inst-calls-at-once", |(module, name, text)| {
            let pickle = Pickle::old().raw(b"(");
            let pickle = if text.is_empty() { pickle } else { pickle.text(text) };
            pickle.inst(module, name).stop()
        }),
        shaped("pickle-obj-calls-from-the-stack", |(module, name, text)| {
            let pickle = Pickle::new(2).raw(b"(").global(module, name);
            if text.is_empty() { pickle } else { pickle.text(text) }.raw(b"o").stop()
        }),
        shaped("pickle-newobj", |(module, name, text)| {
            Pickle::new(2).global(module, name).argument(text).raw(NEWOBJ).stop()
        }),
        shaped("pickle-newobj-with-keywords", |(module, name, text)| {
            let pickle = Pickle::new(4).short(module).short(name).raw(STACK_GLOBAL);
            pickle.argument(text).raw(b"}\x92").stop()
        }),
        shaped("pickle-import-without-a-call", |(module, name, _)| {
            Pickle::new(2).global(module, name).stop()
        }),
        shaped("pickle-result-is-thrown-away", |target| {
            Pickle::new(2).call(target).raw(b"0N").stop()
        }),
        shaped("pickle-result-is-thrown-away-to-a-mark", |target| {
            Pickle::new(2).raw(b"(").call(target).raw(b"1N").stop()
        }),
        shaped("pickle-stack-global", |(module, name, text)| {
            let pickle = Pickle::new(4).short(module).short(name).raw(STACK_GLOBAL);
            pickle.argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-stack-global-by-memo", |(module, name, text)| {
            // Names far from where they are used, among others that are not.
            let pickle = Pickle::new(4).short(module).raw(MEMOIZE).raw(b"0");
            let pickle = pickle.short(name).raw(MEMOIZE).raw(b"0");
            let pickle = pickle.short("collections").raw(MEMOIZE).raw(b"0");
            let pickle = pickle.get(0).get(1).raw(STACK_GLOBAL);
            pickle.argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-memo-by-put-and-memoize-mixed", |(module, name, text)| {
            // A scanner that knows MEMOIZE only finds harmless names under 0 and 1 (picklescan 14).
            let pickle = Pickle::new(4).short(module).put(0).raw(b"0").short(name).put(1).raw(b"0");
            let pickle = pickle.short("collections").raw(MEMOIZE).raw(b"0");
            let pickle = pickle.short("OrderedDict").raw(MEMOIZE).raw(b"0");
            pickle.get(0).get(1).raw(STACK_GLOBAL).argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-memo-is-written-over", |(module, name, text)| {
            let pickle = Pickle::new(4).short("collections").put(0).raw(b"0");
            let pickle = pickle.short(module).put(0).raw(b"0");
            pickle.get(0).short(name).raw(STACK_GLOBAL).argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-stack-global-by-dup", |(module, name, text)| {
            let pickle = Pickle::new(4).short(module).raw(b"2").short(name).raw(STACK_GLOBAL);
            let pickle = pickle.argument(text).raw(REDUCE);
            // The copy of the module's name stays below: both go into a tuple.
            pickle.raw(b"\x86").stop()
        }),
        shaped("pickle-stack-global-of-old-texts", |(module, name, text)| {
            let escaped: String = name.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
            let pickle = Pickle::new(4).raw(format!("V{module}\nS'{escaped}'\n").as_bytes());
            pickle.raw(STACK_GLOBAL).argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-stack-global-of-escaped-unicode", |(module, name, text)| {
            let escaped: String = module.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
            let pickle = Pickle::new(4).raw(format!("V{escaped}\n").as_bytes()).short(name);
            pickle.raw(STACK_GLOBAL).argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-stack-global-of-long-counts", |(module, name, text)| {
            let counted = |text: &str, opcode: u8| {
                [&[opcode][..], &(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
            };
            let pickle = Pickle::new(4).raw(&counted(module, 0x8d));
            let pickle = pickle.raw(b"T").raw(&(name.len() as u32).to_le_bytes());
            pickle.raw(name.as_bytes()).raw(STACK_GLOBAL).argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-stack-global-under-an-old-protocol", |(module, name, text)| {
            let pickle = Pickle::old().text(module).text(name).raw(STACK_GLOBAL);
            pickle.argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-callable-by-memo", |(module, name, text)| {
            let pickle = Pickle::new(2).global(module, name).put(0).raw(b"0");
            pickle.get(0).argument(text).raw(REDUCE).stop()
        }),
        shaped("pickle-call-inside-arguments", |target| {
            let inner = Pickle::new(2).global("collections", "OrderedDict").raw(b"(]").call(target);
            inner.raw(b"at").raw(REDUCE).stop()
        }),
        Case::one(
            "pickle-old-name-of-a-builtin",
            ("pickle-global", "imports builtins.eval, written as __builtin__.eval"),
            "model.pkl",
            Pickle::new(2).call(("__builtin__", "eval", "1")).stop(),
            Pickle::new(2).call(("__builtin__", "set", "1")).stop(),
        ),
        Case::one(
            "pickle-old-name-that-hides-what-is-imported",
            // Python 2's commands is Python 3's subprocess.
            ("pickle-global", "imports subprocess.getoutput, written as commands.getoutput"),
            "model.pkl",
            Pickle::new(2).call(("commands", "getoutput", "id")).stop(),
            Pickle::new(2).call(("__builtin__", "set", "id")).stop(),
        ),
        Case::one(
            "pickle-dotted-name-walks-to-another-module",
            ("pickle-global", "imports collections.abc.sys.modules.get"),
            "model.pkl",
            Pickle::new(4)
                .short("collections")
                .short("abc.sys.modules.get")
                .raw(STACK_GLOBAL)
                .argument("os")
                .raw(REDUCE)
                .stop(),
            Pickle::new(4)
                .short("collections")
                .short("OrderedDict")
                .raw(STACK_GLOBAL)
                .raw(b")")
                .raw(REDUCE)
                .stop(),
        ),
        Case::one(
            "pickle-name-that-looks-like-another",
            // A zero width space: whoever reads the report must see it.
            ("pickle-global", "imports collections.\\u{200b}OrderedDict"),
            "model.pkl",
            Pickle::new(2).call(("collections", "\u{200b}OrderedDict", "")).stop(),
            Pickle::new(2).call(HARMLESS).stop(),
        ),
        Case::one(
            "pickle-name-longer-than-any",
            ("pickle-call", "longer than 1024 bytes"),
            "model.pkl",
            Pickle::new(2).global("os", &"x".repeat(1025)).stop(),
            Pickle::new(2).global("collections", "OrderedDict").stop(),
        ),
        Case::one(
            "pickle-name-put-together-by-a-call",
            ("pickle-call", "imports a name that cannot be told"),
            "model.pkl",
            Pickle::new(4)
                .short("os")
                .call(("_codecs", "encode", "flfgrz"))
                .raw(STACK_GLOBAL)
                .argument("id")
                .raw(REDUCE)
                .stop(),
            Pickle::new(4).call(("_codecs", "encode", "flfgrz")).stop(),
        ),
        Case::one(
            "pickle-extension-registry",
            ("pickle-call", "imports extension 7"),
            "model.pkl",
            Pickle::new(2).raw(b"\x82\x07").argument("id").raw(REDUCE).stop(),
            Pickle::new(2).raw(b"K\x07").raw(TUPLE1).stop(),
        ),
    ]
}
