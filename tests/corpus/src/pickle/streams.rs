//! Streams that mislead a reader or break: what ran before the break has run.

use super::build::{
    FRAME, HARMLESS, MEMOIZE, Pickle, REDUCE, STACK_GLOBAL, SYSTEM, TUPLE1, TUPLE2,
};
use crate::Case;

fn runs(name: &'static str, hostile: Vec<u8>, twin: Vec<u8>) -> Case {
    Case::one(name, ("pickle-global", "imports os.system"), "model.pkl", hostile, twin)
}

fn breaks(name: &'static str, says: &'static str, hostile: Vec<u8>, twin: Vec<u8>) -> Case {
    Case::one(name, ("malformed", says), "model.pkl", hostile, twin)
}

/// A frame of `length` bytes, whatever there is.
fn framed(length: u64, content: Pickle) -> Vec<u8> {
    let pickle = Pickle::new(4).raw(FRAME).raw(&length.to_le_bytes());
    pickle.raw(&content.stop()).bytes()
}

pub(super) fn cases() -> Vec<Case> {
    let harmless = || Pickle::new(2).call(HARMLESS).stop();
    let system = || Pickle::new(2).call(SYSTEM);
    let text = || Pickle::old().short("text").raw(MEMOIZE);
    let length = 8;
    let nested = |depth: usize| {
        let pickle = Pickle::new(2).raw(&vec![b'('; depth]);
        pickle.raw(&vec![b't'; depth]).stop()
    };
    vec![
        runs("pickle-breaks-after-its-call", system().raw(b"\xff").bytes(), harmless()),
        runs("pickle-ends-after-its-call", system().bytes(), harmless()),
        runs("pickle-asks-for-a-missing-memo-after-its-call", system().get(9).stop(), harmless()),
        runs(
            "pickle-inst-name-cut-by-the-end-of-the-file",
            // pickle.py takes the last byte for the line feed, and calls.
            Pickle::old().raw(b"(S'id'\nios\nsystem ").bytes(),
            Pickle::old().raw(b"(").inst("collections", "OrderedDict").stop(),
        ),
        runs(
            "pickle-second-pickle-in-the-file",
            [harmless(), system().stop()].concat(),
            Pickle::new(2).call(HARMLESS).call(HARMLESS).raw(TUPLE2).stop(),
        ),
        runs(
            "pickle-call-behind-a-long-text",
            Pickle::new(2).text(&"x".repeat(100_000)).call(SYSTEM).raw(TUPLE2).stop(),
            Pickle::new(2).text(&"x".repeat(100_000)).call(HARMLESS).raw(TUPLE2).stop(),
        ),
        breaks(
            "pickle-stop-is-missing",
            "bytes are needed",
            Pickle::new(2).call(HARMLESS).bytes(),
            harmless(),
        ),
        breaks(
            "pickle-something-behind-stop",
            "2 bytes follow the pickle",
            [harmless(), b"\0\0".to_vec()].concat(),
            harmless(),
        ),
        breaks(
            "pickle-frame-longer-than-the-file",
            "a frame is longer than what is left",
            framed(1 << 40, text()),
            framed(length, text()),
        ),
        breaks(
            "pickle-frame-ends-inside-an-operation",
            "crosses the end of its frame",
            framed(length - 6, text()),
            framed(length, text()),
        ),
        runs(
            "pickle-frame-end-hides-the-start-of-a-name",
            // _pickle.c forgets what a line has before the end of the frame: os it is, not kudos.
            framed(4, Pickle::old().call(("kudos", "system", "id"))),
            Pickle::new(4).call(HARMLESS).stop(),
        ),
        breaks(
            "pickle-frame-goes-on-behind-stop",
            // Python's two unpicklers go on at different places.
            "stops before its frame ends",
            [framed(length + 9, text()), harmless()].concat(),
            framed(length, text()),
        ),
        breaks(
            "pickle-frame-inside-a-frame",
            "a frame starts inside another",
            framed(17, Pickle::old().raw(FRAME).raw(&length.to_le_bytes()).raw(&text().bytes())),
            framed(length, text()),
        ),
        breaks(
            "pickle-memo-of-four-gigabytes",
            "memo key 4294967295 is not the next one",
            Pickle::new(2).raw(b"Nr\xff\xff\xff\xff").stop(),
            Pickle::new(2).raw(b"Nr\0\0\0\0").stop(),
        ),
        breaks(
            "pickle-memo-key-that-two-readers-read-differently",
            // C reads the digits up to the zero, Python refuses them.
            "is not written as a plain number",
            Pickle::old().raw(b"I5\np0\n0g0\x001\n").stop(),
            Pickle::old().raw(b"I5\np0\n0g0\n").stop(),
        ),
        breaks(
            "pickle-memo-is-asked-for-what-it-lacks",
            "memo key 1 was never set",
            Pickle::new(2).raw(b"N").put(0).get(1).raw(TUPLE2).stop(),
            Pickle::new(2).raw(b"N").put(0).get(0).raw(TUPLE2).stop(),
        ),
        breaks(
            "pickle-protocol-changes-in-the-stream",
            // Up to 2 names are translated, from 4 on they are walked.
            "the protocol is told again",
            Pickle::new(4).raw(b"\x80\x02").call(HARMLESS).stop(),
            Pickle::new(4).call(HARMLESS).stop(),
        ),
        breaks(
            "pickle-name-as-bytes",
            "a name is written as bytes",
            Pickle::new(4)
                .raw(b"C\x0bcollections")
                .short("OrderedDict")
                .raw(STACK_GLOBAL)
                .raw(b")")
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
        breaks(
            "pickle-values-are-left-behind",
            "leaves values behind",
            Pickle::new(2).raw(b"NN").stop(),
            Pickle::new(2).raw(b"NN").raw(TUPLE2).stop(),
        ),
        breaks(
            "pickle-key-without-a-value",
            "a key has no value",
            Pickle::new(2).raw(b"}(").text("a").text("b").text("c").raw(b"u").stop(),
            Pickle::new(2).raw(b"}(").text("a").text("b").raw(b"u").stop(),
        ),
        breaks(
            "pickle-pops-below-a-mark",
            "more than the stack holds",
            Pickle::new(2).raw(b"N(\x85").stop(),
            Pickle::new(2).raw(b"N").raw(TUPLE1).stop(),
        ),
        breaks(
            "pickle-text-longer-than-the-file",
            "2147483647 bytes are needed",
            Pickle::new(2).raw(b"X\xff\xff\xff\x7fabc").stop(),
            Pickle::new(2).raw(b"X\x03\0\0\0abc").stop(),
        ),
        breaks(
            "pickle-length-below-zero",
            "a length is negative",
            Pickle::new(2).raw(b"T\xff\xff\xff\xffabc").stop(),
            Pickle::new(2).raw(b"T\x03\0\0\0abc").stop(),
        ),
        breaks(
            "pickle-buffer-that-nobody-has",
            "a buffer lies outside of the file",
            Pickle::new(5).raw(b"\x97\x98").stop(),
            Pickle::new(5).raw(b"\x96\0\0\0\0\0\0\0\0\x98").stop(),
        ),
        breaks(
            "pickle-nested-without-end",
            "more operations or open marks than allowed",
            nested(70_000),
            nested(1_000),
        ),
        Case::one(
            "pickle-protocol-that-does-not-exist",
            ("unknown", ""),
            "model.pkl",
            Pickle::new(6).raw(b"N").stop(),
            Pickle::new(5).raw(b"N").stop(),
        ),
    ]
}
