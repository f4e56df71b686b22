from pathlib import Path

import pytest

from leukoscope.core import session
from leukoscope.core.errors import InputError
from leukoscope.core.session import Session, get_run, get_session, remember_run, remember_session


def test_the_last_session_is_the_one_at_work(monkeypatch):
    monkeypatch.setattr(session, "_at_work", [])
    with pytest.raises(InputError, match="No command is at work"):
        get_session()
    for env in ("base", "demo"):
        remember_session(Session(Path("project"), env, "conf", {"seed": 1}))
    assert get_session() == Session(Path("project"), "demo", "conf", {"seed": 1})


def test_a_run_is_known_until_it_ends(monkeypatch):
    monkeypatch.setattr(session, "_run", [None])
    remember_run("f00")
    assert get_run() == "f00"
    remember_run(None)
    assert get_run() is None
