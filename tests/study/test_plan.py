"""Which units a study has, and what it cannot be made of."""

import pytest

from leukoscope.core.errors import InputError
from leukoscope.study.plan import make_plan, require_entries
from leukoscope.training.entry import ModelOptions

FACTS = {"a": {"recipe": 1}, "b": {"recipe": 2}}
MODELS = {
    name: ModelOptions.model_validate(entry | {"name": name})
    for name, entry in {
        "resnet50": {"kind": "network", "architecture": "resnet50"},
        "vote": {"kind": "ensemble", "members": ["resnet50"]},
        "seen": {"kind": "views", "member": "resnet50"},
        "pupil": {
            "kind": "network",
            "architecture": "resnet50",
            "training": {"distillation": {"teacher": "resnet50"}},
        },
    }.items()
}


def test_a_study_has_every_entry_with_every_seed_on_every_fold_whole_seeds_first():
    plan = make_plan(FACTS, 3, 2, 7)
    assert [(unit.seed, unit.entry, unit.fold) for unit in plan.units[:6]] == [
        (7, "a", 1),
        (7, "a", 2),
        (7, "a", 3),
        (7, "b", 1),
        (7, "b", 2),
        (7, "b", 3),
    ]
    assert plan.seeds == (7, 8)
    assert str(plan) == "12 units (2 models x 3 folds x 2 seeds)"
    assert str(plan.units[0]) == "a, fold 1 of 3, seed 7"
    assert plan.units[0].parameters == {"seed": 7, "splitting": {"fold": "1 of 3"}}


def test_a_larger_study_has_the_units_of_a_smaller_one():
    small, large = make_plan(FACTS, 3, 2, 7), make_plan(FACTS, 3, 5, 7)
    assert set(small.units) < set(large.units)


def test_units_differ_by_whatever_determines_them():
    units = [make_plan({"a": facts}, 3, 1, 7).units[0] for facts in ({"recipe": 1}, {"recipe": 2})]
    assert units[0].identity != units[1].identity
    assert len({unit.identity for unit in make_plan(FACTS, 3, 2, 7).units}) == 12


def test_seeds_stay_seeds_at_the_largest():
    assert make_plan({"a": {}}, 2, 2, 2**32 - 1).seeds == (2**32 - 1, 0)


@pytest.mark.parametrize(
    ("entries", "fold", "words"),
    [
        ((), None, "study.entries names no model"),
        (("resnet50", "resnet50"), None, "resnet50 more than once"),
        (("resnet50",), "1 of 5", "give study.folds"),
        (("resnet50", "vote"), None, "vote, which is made of or taught by resnet50"),
        (("seen",), None, "seen, which is made of or taught by resnet50"),
        (("pupil",), None, "pupil, which is made of or taught by resnet50"),
    ],
)
def test_what_no_study_can_be_made_of_is_refused(entries, fold, words):
    with pytest.raises(InputError, match=words):
        require_entries(entries, MODELS, fold)


def test_models_that_need_no_other_will_do():
    require_entries(("resnet50",), MODELS, None)
