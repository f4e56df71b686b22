import subprocess
import sys

from leukoscope.evaluation.metrics import METRICS
from leukoscope.reporting.metric_tables import list_calibrated, list_primary, list_rows, write_tables


def test_of_two_classes_nothing_is_listed_twice():
    four, two = list_rows(4), list_rows(2)
    left_out = {name: set(rows) - set(two[name]) for name, rows in four.items() if rows != two[name]}
    assert left_out == {"performance": {"screening_auc", "screening_auprc"}, "class": {"specificity", "npv", "auc"}}
    assert sum(len(rows) for rows in four.values()) == len(METRICS)


def test_what_is_calibrated_stands_beside_what_is_given():
    assert list(list_calibrated()) == ["loss", "ece", "brier", "ece_if_calibrated"]


def test_pages_show_five_metrics_first():
    assert [row.title for row in list_primary().values()] == [
        "accuracy",
        "balanced accuracy",
        "AUC",
        "screening sensitivity",
        "screening specificity",
    ]


def test_a_document_is_written_anew_between_its_marks_only(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- metrics: sets -->\nold\n<!-- end -->\nafter\n")
    subprocess.run([sys.executable, "-m", "leukoscope.reporting.metric_tables", str(path)], check=True)
    lines = path.read_text().splitlines()
    assert (lines[:2], lines[-2:]) == (["before", "<!-- metrics: sets -->"], ["<!-- end -->", "after"])
    assert [line.split(" | ")[0] for line in lines[4:-2]] == ["| `set_coverage`", "| `set_empty`", "| `set_size`"]
    assert lines[5].endswith("| 0 to 1 |  | share |  |  |")
    assert write_tables(path.read_text()) == path.read_text()
