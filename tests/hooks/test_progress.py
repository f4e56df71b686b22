"""Whoever waits is told which model is at work, of how many, and for how long."""

import io
import logging
import subprocess
import sys

import pytest
from kedro.pipeline import Node, Pipeline
from rich.console import Console

from leukoscope.hooks import progress
from leukoscope.hooks.progress import ProgressHook
from leukoscope.training.callbacks import log_epoch

ROW = {"epoch": 2, "seconds": 48.0, "train_loss": 1.0, "train_accuracy": 0.5}
ROW |= {"validation_loss": 1.0, "validation_accuracy": 0.5}


class Model:
    title = "VGG16"


class Context:
    params = {"models": {"vgg16": Model()}}  # noqa: RUF012


@pytest.fixture
def console(monkeypatch) -> Console:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(progress, "get_console", lambda: console)
    return console


@pytest.fixture
def hook(console):
    hook = ProgressHook()
    hook.after_context_created(Context())
    yield hook
    hook.after_pipeline_run()


def name_nodes(*namespaces: str) -> dict[str, Node]:
    return {
        name: Node(lambda number: number, "number", f"{name}.model", name="train_classifier", namespace=name)
        for name in namespaces
    }


INTERRUPTED = """
from types import SimpleNamespace
from rich.console import Console
from leukoscope.hooks import progress
console = Console(force_terminal=True)
progress.get_console = lambda: console
hook = progress.ProgressHook()
hook.before_node_run(SimpleNamespace(namespace="vgg16", name="vgg16.train"))
raise KeyboardInterrupt
"""


def test_ctrl_c_leaves_the_terminal_its_cursor():
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, check=False)
    hidden, shown = (ended.stdout.rfind(code) for code in (b"\x1b[?25l", b"\x1b[?25h"))
    assert 0 <= hidden < shown


def test_a_terminal_has_a_line_with_model_epoch_and_time(hook):
    nodes = name_nodes("resnet50", "vgg16")
    hook.before_pipeline_run(Pipeline(nodes.values()))
    for node in nodes.values():
        hook.before_node_run(node)
    assert hook._status.status == "2 of 2: VGG16, train classifier"
    log_epoch("vgg16", 8, ROW)
    assert hook._status.status == "2 of 2: VGG16, epoch 3 of 8, about 5 min left"
    log_epoch("vgg16", 8, ROW | {"epoch": 8})
    assert hook._status.status == "2 of 2: VGG16, epoch 3 of 8, about 5 min left"
    hook.before_node_run(Node(lambda number: number, "number", "comparison", name="compare"))
    assert hook._status is None


def test_a_single_model_is_not_counted(hook):
    nodes = name_nodes("vgg16")
    hook.before_pipeline_run(Pipeline(nodes.values()))
    hook.before_node_run(nodes["vgg16"])
    assert hook._status.status == "VGG16, train classifier"


def test_a_log_has_a_plain_line_a_model(hook, console, caplog):
    console._force_terminal = False
    nodes = name_nodes("resnet50", "vgg16")
    hook.before_pipeline_run(Pipeline(nodes.values()))
    with caplog.at_level(logging.INFO):
        for node in nodes.values():
            hook.before_node_run(node)
            hook.before_node_run(node)
        log_epoch("vgg16", 8, ROW)
    assert caplog.messages[:2] == ["1 of 2: resnet50", "2 of 2: VGG16"]
    assert caplog.messages[2].endswith("48.0 s, about 5 min left")
    assert hook._status is None
    assert console.file.getvalue() == ""


def test_an_error_takes_the_line_away(hook):
    nodes = name_nodes("vgg16")
    hook.before_pipeline_run(Pipeline(nodes.values()))
    hook.before_node_run(nodes["vgg16"])
    hook.on_pipeline_error()
    assert hook._status is None
    log_epoch("vgg16", 8, ROW)
    assert hook._status is None
