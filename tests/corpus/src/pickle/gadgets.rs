//! What attacks have run, and scanners have missed for a while: functions of the standard library,
//! of PyTorch and of numpy that run what they are given.

use super::build::{HARMLESS, Pickle, Target};
use crate::Case;

/// A case that calls `target`.
fn gadget(name: &'static str, says: &'static str, target: Target) -> Case {
    Case::one(
        name,
        ("pickle-global", says),
        "model.pkl",
        Pickle::new(2).call(target).stop(),
        Pickle::new(2).call(HARMLESS).stop(),
    )
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        // The same functions under the names of the system's own modules.
        gadget("pickle-posix-system", "imports posix.system", ("posix", "system", "id")),
        gadget("pickle-nt-system", "imports nt.system", ("nt", "system", "whoami")),
        gadget(
            "pickle-subprocess",
            "imports subprocess.check_output",
            ("subprocess", "check_output", "id"),
        ),
        gadget("pickle-exec", "imports builtins.exec", ("builtins", "exec", "import os")),
        gadget("pickle-compile", "imports builtins.compile", ("builtins", "compile", "1")),
        gadget("pickle-import", "imports builtins.__import__", ("builtins", "__import__", "os")),
        gadget("pickle-getattr", "imports builtins.getattr", ("builtins", "getattr", "os")),
        // Arguments decide: a list cannot admit these for their names.
        gadget("pickle-partial", "imports functools.partial", ("functools", "partial", "a")),
        gadget("pickle-attrgetter", "imports operator.attrgetter", ("operator", "attrgetter", "a")),
        gadget(
            "pickle-methodcaller",
            "imports operator.methodcaller",
            ("operator", "methodcaller", "run"),
        ),
        // They run code or install it.
        gadget("pickle-runpy", "imports runpy.run_path", ("runpy", "run_path", "/tmp/a.py")),
        gadget("pickle-timeit", "imports timeit.timeit", ("timeit", "timeit", "import os")),
        gadget("pickle-bdb", "imports bdb.Bdb.run", ("bdb", "Bdb.run", "import os")),
        gadget("pickle-pip", "imports pip.main", ("pip", "main", "install")),
        gadget(
            "pickle-import-module",
            "importlib.import_module",
            ("importlib", "import_module", "os"),
        ),
        gadget(
            "pickle-resolve-name",
            "pkgutil.resolve_name",
            ("pkgutil", "resolve_name", "os:system"),
        ),
        gadget("pickle-code-object", "imports marshal.loads", ("marshal", "loads", "a")),
        gadget("pickle-ctypes", "imports ctypes.CDLL", ("ctypes", "CDLL", "/tmp/a.so")),
        gadget(
            "pickle-asyncio-subprocess",
            "imports asyncio.unix_events._UnixSubprocessTransport._start",
            ("asyncio.unix_events", "_UnixSubprocessTransport._start", "id"),
        ),
        gadget(
            "pickle-mailcap",
            "imports mailcap.findmatch",
            ("mailcap", "findmatch", "text/plain"),
        ),
        // They reach out, and tell an attacker who loaded the model.
        gadget(
            "pickle-webbrowser",
            "imports webbrowser.open",
            ("webbrowser", "open", "http://a.test"),
        ),
        gadget(
            "pickle-urlopen",
            "urllib.request.urlopen",
            ("urllib.request", "urlopen", "http://a.test"),
        ),
        gadget("pickle-dns", "imports socket.gethostbyname", ("socket", "gethostbyname", "a.test")),
        // They load something that runs in its turn.
        gadget(
            "pickle-pickle-loads",
            "imports _pickle.loads",
            ("_pickle", "loads", "cos\nsystem\n."),
        ),
        gadget("pickle-torch-load", "imports torch.load", ("torch", "load", "/tmp/a.pt")),
        gadget(
            "pickle-load-from-bytes",
            "imports torch.storage._load_from_bytes",
            ("torch.storage", "_load_from_bytes", "cos\nsystem\n(S'id'\ntR."),
        ),
        gadget("pickle-torch-hub", "imports torch.hub.load", ("torch.hub", "load", "a/b")),
        gadget(
            "pickle-torch-dynamo",
            "imports torch._dynamo.guards.GuardBuilder.get",
            ("torch._dynamo.guards", "GuardBuilder.get", "1"),
        ),
        gadget("pickle-numpy-load", "imports numpy.load", ("numpy", "load", "/tmp/a.npy")),
        gadget(
            "pickle-numpy-runstring",
            "imports numpy.testing._private.utils.runstring",
            ("numpy.testing._private.utils", "runstring", "import os"),
        ),
        gadget(
            "pickle-numpy-f2py",
            "imports numpy.f2py.crackfortran.getlincoef",
            ("numpy.f2py.crackfortran", "getlincoef", "1"),
        ),
        // Old array wrappers of joblib open another file by its name.
        gadget(
            "pickle-joblib-file-wrapper",
            "imports joblib.numpy_pickle_compat.NDArrayWrapper",
            ("joblib.numpy_pickle_compat", "NDArrayWrapper", "/tmp/a.npy"),
        ),
    ]
}
