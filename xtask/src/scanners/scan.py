"""Asks a scanner of models about files.

Argument: the scanner's name. Standard input: a JSON list of paths. Standard output: a JSON list with
one word for each: "caught", "missed", "error", or "none" when the scanner does not look at such a
file. Each file is scanned in a process of its own, with limited time and memory.
"""

import contextlib
import importlib
import json
import os
import pathlib
import resource
import signal
import sys
import zipfile

SECONDS = 20
BYTES = 4 << 30


def picklescan(path):
    from picklescan import scanner

    known = scanner._zip_file_extensions | scanner._pickle_file_extensions
    known = known | scanner._pytorch_file_extensions | scanner._numpy_file_extensions
    if pathlib.Path(path).suffix not in known:
        return "none"
    result = scanner.scan_file_path(path)
    if result.issues_count or result.infected_files:
        return "caught"
    return "error" if result.scan_err else "missed"


def modelscan(path):
    from modelscan.modelscan import ModelScan

    result = ModelScan().scan(path)
    if result["summary"]["total_issues"]:
        return "caught"
    # It needs more than is installed for some formats, and then does not look.
    if any(error["category"] != "DEPENDENCY" for error in result["errors"]):
        return "error"
    if result["errors"]:
        return "none"
    return "missed" if result["summary"]["scanned"]["total_scanned"] else "none"


def fickling(path):
    from fickling import loader

    endings = {".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt", ".joblib", ".npy", ".dat", ".data"}
    if zipfile.is_zipfile(path):
        results = list(loader.scan_zip_archive(path).values())
        if not results:
            return "none"
    elif pathlib.Path(path).suffix in endings:
        results = [loader.scan_file(path)]
    else:
        return "none"
    if not all(result.is_safe for result in results):
        return "caught"
    return "error" if any(result.errors for result in results) else "missed"


def in_child(scan, path):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        try:
            word = scan(path)
        except BaseException:
            word = "error"
        os.write(writing, word.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        word = answer.read()
    os.waitpid(child, 0)
    return word or "error"


# The scanners print what they find.
with contextlib.redirect_stdout(open(os.devnull, "w")):
    scan = {"picklescan": picklescan, "modelscan": modelscan, "fickling": fickling}[sys.argv[1]]
    # Once here, and not in every child.
    modules = {"picklescan": "scanner", "modelscan": "modelscan", "fickling": "loader"}
    importlib.import_module(f"{sys.argv[1]}.{modules[sys.argv[1]]}")
    words = [in_child(scan, path) for path in json.load(sys.stdin)]
json.dump(words, sys.stdout)
