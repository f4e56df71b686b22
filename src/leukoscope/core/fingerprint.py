"""Fingerprints of facts, tables and files."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd


def fingerprint_facts(facts: Any) -> str:
    """Hash anything that JSON can represent; other objects are hashed by their text.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.
    """
    return fingerprint_text(write_facts(facts))


def fingerprint_text(text: str) -> str:
    """Hash a text, such as of ``write_facts``.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.
    """
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_facts(facts: Any) -> str:
    """Write facts as they are hashed."""
    return json.dumps(facts, sort_keys=True, default=str)


def fingerprint_table(table: pd.DataFrame) -> str:
    """Hash a table's content; the order of rows does not matter, everything else does.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.
    """
    rows = table.to_csv(index=False, lineterminator="\n").splitlines()
    return hashlib.sha256("\n".join([rows[0], *sorted(rows[1:])]).encode()).hexdigest()[:16]


def fingerprint_files(files: Iterable[Path]) -> str:
    """Hash the names and contents of files, in the order of their names.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.
    """
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]
