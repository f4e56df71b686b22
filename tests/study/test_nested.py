"""A unit that begins with a search: on its own fold, gone on with where it was cut off, and trained as was chosen."""

import json

import pytest

from fake_units import make_job, put_fake, read_ran
from leukoscope.core.errors import InputError
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.search.options import SearchOptions
from leukoscope.pipelines.search.planning import require_nested
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.study import commands
from leukoscope.study.running import Processes
from leukoscope.training.recipe import Recipe
from made_study import plan_made

NAMES = ("training.dropout", "augmentation.stain")
# Three trials, of which the second is best; the file `die` ends the search in it.
CODE = """
import shutil
def train(name, dropout, splits):
    folder = workspace / "06_models" / entry / split / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    key = {"split": split, "seed": seed, "splits": splits, "recipe": {"dropout": dropout}}
    (folder / "key.json").write_text(json.dumps(key))
    (folder / "trained").open("a").write(".")
    return folder
if entry == "search":
    entry = options["params"]["search"]["entry"]
    trials = workspace / "08_reporting/search/trials.log"
    for number in range(len(trials.read_text()) if trials.is_file() else 0, 3):
        train(f"{number:012x}", number / 10, pathlib.Path("seen").read_text() + split)
        if number == 1 and pathlib.Path("die").is_file():
            pathlib.Path("die").unlink()
            os.kill(os.getpid(), 9)
        trials.open("a").write(".")
    rows = ["run", *(f"{split}/runs/{number:012x}" for number in range(3)), '""']
    (workspace / "08_reporting/search.csv").write_text("\\n".join(rows))
    (workspace / "08_reporting/search.html").touch()
    best = {"models": {f"{entry}_tuned": {"training": {"dropout": 0.1}, "augmentation": {"stain": None, "zoom": 1}}}}
    (workspace / "08_reporting/search_best.yml").write_text(json.dumps(best))
else:
    leave()
    folder = train(f"{seed:012x}", options["params"]["models"][entry]["training"]["dropout"], split)
    assert json.loads((folder / "key.json").read_text())["recipe"]["dropout"] == 0.1
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "_SOURCE", put_fake(tmp_path, CODE))
    (tmp_path / "seen").touch()
    return tmp_path


def run(project, given=None):
    job = make_job(project, given or {"search": {"trials": 3}, "training": {"epochs": 1}})
    job = type(job)(job.nodes, job.session, job.ledger, "f00", None, {"vgg16": NAMES})
    units = plan_made(seeds=1, entries=("vgg16",)).units
    return job, units, list(Processes(job).run(units))


def test_a_unit_is_searched_on_its_own_fold_and_trained_as_was_chosen(project):
    job, (first, _), outcomes = run(project)
    assert [outcome.reason for outcome in outcomes] == ["", ""]
    chosen = {"training.dropout": 0.1, "augmentation.stain": None}
    assert [outcome.mark.chosen for outcome in outcomes] == [chosen, chosen]
    searching, training = (options for options, _ in read_ran(project)[:2])
    assert (searching["pipelines"], training["pipelines"]) == ("search", "train_vgg16")
    assert "node_names" not in searching
    assert searching["params"].pop("search") == {"trials": 3, "entry": "vgg16"}
    # But for what was chosen, all else of both is the same: the division into training, validation and test, too.
    assert training["params"].pop("models") == {
        "vgg16": {"training": {"dropout": 0.1}, "augmentation": {"stain": None}}
    }
    assert training["params"].pop("search") == {"trials": 3}
    assert searching["params"] == training["params"]
    assert training["params"]["splitting"] == {"fold": "1 of 2"}
    names = [json.loads(run)["unit"] for _, run in read_ran(project)[:2]]
    assert names == [f"search of {first}", str(first)]
    assert job.ledger.find(first).chosen == chosen
    lasting = {file.name for file in job.ledger.name_search(first).iterdir()}
    assert lasting == {"trials.log", "search.csv", "search.html", "search_best.yml"}


def test_a_search_that_was_killed_goes_on_with_its_trial(project):
    (project / "die").touch()
    _, _, outcomes = run(project)
    assert [outcome.reason.partition(",")[0] for outcome in outcomes] == ["it was ended by signal 9", ""]
    _, _, outcomes = run(project)
    assert [outcome.reason for outcome in outcomes] == ["", ""]
    trained = {
        folder.name: len((folder / "trained").read_text())
        for folder in project.glob("data/06_models/vgg16/fold-1-of-2/runs/*")
    }
    # The second trial was cut off, and is also called as the unit's own training.
    assert trained == {f"{0:012x}": 1, f"{1:012x}": 3, f"{2:012x}": 1}
    assert len(read_ran(project)) == 5  # of the other fold nothing was run again


def test_a_search_that_saw_other_splits_than_its_training_counts_for_nothing(project):
    (project / "seen").write_text("other")
    job, (first, _), outcomes = run(project)
    assert outcomes[0].reason.startswith(f"The search within {first} saw other splits than its training")
    assert job.ledger.find(first) is None


MODELS = {
    "vgg16": {"kind": "network", "architecture": "vgg16", "name": "vgg16"},
    "putzu_svm": {"kind": "crafted", "classifier": "svm", "features": ["shape"], "name": "putzu_svm"},
}


@pytest.mark.parametrize(
    ("names", "search", "words"),
    [
        (["resnet50"], {}, "study.search has resnet50, which study.entries has not"),
        (["putzu_svm"], {}, "study.search is putzu_svm, of the kind crafted"),
        (["vgg16"], {"objective": "grey|milliseconds"}, "grey|milliseconds, and study.search"),
        (["vgg16"], {"storage": "sqlite:///trials.db"}, "search.storage is given, and study.search"),
        (["vgg16"], {"space": {"training.head_epochs": {"int": [0, 500]}}}, "which the recipe of vgg16 refuses"),
    ],
)
def test_what_cannot_be_searched_within_folds_is_refused(names, search, words):
    shared = MODELS, Recipe(weights="none"), AugmentationOptions(), SplittingOptions()
    with pytest.raises(InputError) as told:
        require_nested(names, list(MODELS), SearchOptions(**search), *shared)
    assert words in told.value.message
    require_nested([], list(MODELS), SearchOptions(objective="grey|milliseconds"), *shared)
    require_nested(["vgg16"], list(MODELS), SearchOptions(), *shared)
