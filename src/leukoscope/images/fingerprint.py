"""Fingerprints of tables."""

import hashlib

import pandas as pd


def fingerprint_table(table: pd.DataFrame) -> str:
    """Hash a table's content: the order of rows does not matter, everything else does.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.
    """
    rows = table.to_csv(index=False, lineterminator="\n").splitlines()
    return hashlib.sha256("\n".join([rows[0], *sorted(rows[1:])]).encode()).hexdigest()[:16]
