"""Carries out the jobs of a test with the Python implementation of OMS.

Standard input: a JSON list of jobs. Standard output: a JSON list with one answer for each.
"""

import contextlib
import json
import pathlib
import sys

from model_signing import hashing
from model_signing import signing
from model_signing import verifying


class SpecifiedNames(hashing.Config):
    """Names the algorithm of a shard as the specification does: "sha256" without "-sharded-N"."""

    def _build_sharded_file_hasher_factory(self, *arguments):
        factory = super()._build_sharded_file_hasher_factory(*arguments)

        def renaming_factory(path, start, end):
            hasher = factory(path, start, end)
            hasher._digest_name_override = hasher._content_hasher.digest_name
            return hasher

        return renaming_factory


def hashing_config(job, config):
    # This API calls blake2b "blake2".
    algorithm = {"blake2b": "blake2"}.get(job["hash"], job["hash"])
    if job["shard_size"] is None:
        config.use_file_serialization(hashing_algorithm=algorithm)
    else:
        config.use_shard_serialization(
            hashing_algorithm=algorithm, shard_size=job["shard_size"]
        )
    return config.set_ignored_paths(paths=job["ignore"])


def sign(job):
    config = signing.Config().set_hashing_config(hashing_config(job, hashing.Config()))
    if job["certificate"] is None:
        config.use_elliptic_key_signer(private_key=job["key"])
    else:
        config.use_certificate_signer(
            private_key=job["key"],
            signing_certificate=job["certificate"],
            certificate_chain=job["chain"],
        )
    config.sign(pathlib.Path(job["model"]), pathlib.Path(job["bundle"]))


def verify(job):
    config = verifying.Config()
    if not job["guess"]:
        config.set_hashing_config(hashing_config(job, SpecifiedNames()))
    if job["key"] is not None:
        config.use_elliptic_key_verifier(public_key=job["key"])
    else:
        config.use_certificate_verifier(certificate_chain=job["chain"])
    config.verify(pathlib.Path(job["model"]), pathlib.Path(job["bundle"]))


def answer(job):
    try:
        {"sign": sign, "verify": verify}[job["action"]](job)
        return {"error": None}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


# The library prints warnings to standard output.
with contextlib.redirect_stdout(sys.stderr):
    answers = [answer(job) for job in json.load(sys.stdin)]
json.dump(answers, sys.stdout)
