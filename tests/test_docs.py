"""The documentation, held against the project: commands, parameters, links and tables."""

import re
from pathlib import Path

import pytest
import yaml

from leukoscope.entries import list_entries
from leukoscope.evaluation.metrics import METRICS
from leukoscope.models import architecture
from leukoscope.pipeline_registry import register_pipelines
from leukoscope.reporting import metric_tables, reference
from leukoscope.training.options import NetworkOptions
from leukoscope.training.recipe import Recipe

PROJECT = Path(__file__).parents[1]
DOCUMENTS = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((PROJECT / "docs").rglob("*.md"))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(PROJECT).as_posix())
def document(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def registered() -> set[str]:
    return set(register_pipelines())


def code_of(document: Path) -> str:
    """Give the fenced blocks and the inline code; what follows a # is prose again."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = "\n".join([*blocks, *re.findall(r"`([^`]+)`", rest)]).splitlines()
    return "\n".join(line.split(" #")[0] for line in lines)


def known_parameters() -> set[str]:
    """List the parameters by dotted name, each section among them."""
    known = {f"models.{name}.training.{field}" for name in list_entries() for field in Recipe.model_fields}
    known |= {f"models.{name}.{field}" for name in list_entries() for field in NetworkOptions.model_fields}
    for file in (PROJECT / "conf" / "base").glob("parameters*.yml"):
        for name, value in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            known |= {name} | {f"{name}.{inner}" for inner in (value if isinstance(value, dict) else {})}
    return known | {"external.class_map.hem", "external.class_map.all"}  # a user's own folders


def test_every_make_target_exists(document):
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code_of(document)))
    assert named - targets == set()


def test_every_pipeline_exists(document, registered):
    named = set(re.findall(r"--pipelines?[ =]([\w-]+)", code_of(document)))
    assert named - registered == set()


def test_every_environment_exists(document):
    named = re.findall(r"(?:--env[ =]|\bKEDRO_ENV=)(\w+)", code_of(document))
    assert [name for name in named if not (PROJECT / "conf" / name).is_dir()] == []


def test_every_parameter_on_a_command_line_exists(document):
    lists = re.findall(r"--params (?:\"([^\"]+)\"|(\S+))", code_of(document))
    named = {item.partition("=")[0] for pair in lists for item in "".join(pair).split(",")}
    assert named - known_parameters() == set()


def test_every_relative_link_resolves(document):
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    places = [link.partition("#")[0] for link in links if not re.match(r"\w+:|#", link)]
    assert [place for place in places if not (document.parent / place).exists()] == []


def anchors_of(document: Path) -> set[str]:
    """Name the headings of a document as GitHub does."""
    text = re.sub(r"^ *```.*?^ *```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    names: dict[str, int] = {}
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        anchors.add(f"{name}-{names[name]}" if name in names else name)
        names[name] = names.get(name, 0) + 1
    return anchors


def test_every_link_to_a_heading_resolves(document):
    links = re.findall(r"\]\(([^)\s#:]*)#([^)\s]+)\)", document.read_text(encoding="utf-8"))
    found = [(document.parent / place if place else document, name) for place, name in links]
    assert [(path.name, name) for path, name in found if path.suffix == ".md" and name not in anchors_of(path)] == []


def test_the_site_has_every_page():
    listed = re.findall(r"^ +- .*?(\S+\.md)$", (PROJECT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    pages = {path.relative_to(PROJECT / "docs").as_posix() for path in (PROJECT / "docs").rglob("*.md")}
    missing = {page for page in pages | {"leukoscope.md", "contributing.md", "changelog.md"} if "adr/0" not in page}
    assert missing - set(listed) == set(), "add them to nav in mkdocs.yml"
    assert len(listed) == len(set(listed))
    assert set(listed) <= missing, "mkdocs.yml names pages that are not there"


@pytest.mark.parametrize("page", reference.PAGES)
def test_the_reference_is_that_of_the_configuration(page):
    mend = "run `python -m leukoscope.reporting.reference docs`"
    assert (PROJECT / "docs" / page).read_text("utf-8") == reference.write_page(page, PROJECT / "conf" / "base"), mend


def test_a_parameter_goes_with_the_comment_above_it():
    text = "# Of all.\nsplitting:\n  # How many.\n  folds: 5  # at most\n\n  nested:\n    deep: null\nseed: 1\n"
    assert list(reference.read_parameters(text)) == [
        ("splitting", "", "Of all. "),
        ("splitting.folds", "5", "How many. at most"),
        ("splitting.nested", "", ""),
        ("splitting.nested.deep", "null", ""),
        ("seed", "1", ""),
    ]


def test_the_documents_name_every_pipeline(registered):
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| `kedro run[^`]*` \|$", (PROJECT / "docs/pipelines.md").read_text("utf-8"), re.M
    )
    assert [f"add a row of {name} to docs/pipelines.md" for name in sorted(registered) if name not in rows] == []
    assert sorted(rows) == sorted(registered), "docs/pipelines.md has a row that is twice there, or of no pipeline"


def test_the_table_of_architectures_is_that_of_the_code():
    text = (PROJECT / "docs" / reference.ARCHITECTURES).read_text(encoding="utf-8")
    assert text == reference.write_architectures(text), "run `python -m leukoscope.reporting.reference docs`"
    assert [re.findall(rf"^\| `{name}` \|", text, re.MULTILINE) for name in architecture.list_names()] == [
        [f"| `{name}` |"] for name in architecture.list_names()
    ]


def test_the_tables_of_metrics_are_those_of_the_code():
    text = (PROJECT / "docs" / "figures.md").read_text(encoding="utf-8")
    mend = "run `python -m leukoscope.reporting.metric_tables docs/figures.md`"
    assert text == metric_tables.write_tables(text), mend
    assert [re.findall(rf"^\| `{re.escape(name)}` \|", text, re.MULTILINE) for name in METRICS] == [
        [f"| `{name}` |"] for name in METRICS
    ]


def test_no_placeholder_is_left(project_path):
    documents = [project_path / "README.md", *(project_path / "docs").rglob("*.md")]
    assert [document.name for document in documents if "@@" in document.read_text()] == []
