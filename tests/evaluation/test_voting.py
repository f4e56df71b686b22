import numpy as np
import pytest

from leukoscope.evaluation.voting import STACKING, Vote, learn_vote, predict_held_out, weigh

RULES = ("kappa", "accuracy", "f1", "auc", "equal", "log_loss", STACKING)


@pytest.fixture
def truth() -> np.ndarray:
    return np.tile(np.arange(3), 60)


def make_member(truth: np.ndarray, share_right: float, seed: int) -> np.ndarray:
    """Make probabilities of which so many are right, and surer then."""
    rng = np.random.default_rng(seed)
    predicted = np.where(rng.random(len(truth)) < share_right, truth, (truth + rng.integers(1, 3, len(truth))) % 3)
    chances = rng.dirichlet(np.ones(3), len(truth))
    chances[np.arange(len(truth)), predicted] += 1.5
    return chances / chances.sum(axis=1, keepdims=True)


@pytest.fixture
def members(truth) -> np.ndarray:
    return np.stack([make_member(truth, share, seed) for seed, share in enumerate((0.95, 0.75, 0.6))])


def test_weights_are_in_proportion():
    assert weigh([0.70, 0.75, 0.80]) == pytest.approx([0.3111, 0.3333, 0.3556], abs=5e-5)
    assert weigh([0.5, -0.2, np.nan]).tolist() == [1, 0, 0]
    assert weigh([0, -1, np.nan]) == pytest.approx([1 / 3] * 3)


def test_probabilities_are_added_up_by_weight():
    vote = Vote(weigh([0.70, 0.75, 0.80]))
    said = np.array([[[0.6, 0.4]], [[0.3, 0.7]], [[0.45, 0.55]]])
    assert vote.combine(said)[0] == pytest.approx([0.4467, 0.5533], abs=5e-5)


@pytest.mark.parametrize("rule", RULES)
def test_better_members_weigh_more_and_the_vote_is_no_worse(rule, truth, members):
    vote = learn_vote(rule, truth, members)
    combined = vote.combine(members)
    assert combined.sum(axis=1) == pytest.approx(np.ones(len(truth)), abs=1e-6)
    assert vote.weights.sum() == pytest.approx(1)
    assert (combined.argmax(axis=1) == truth).mean() >= 0.85
    if rule != "equal":
        assert vote.weights.argmax() == 0
    if rule in ("kappa", "accuracy", "f1", "auc"):
        assert vote.weights[1] > vote.weights[2]


@pytest.mark.parametrize("rule", RULES)
def test_a_vote_comes_back_from_json(rule, truth, members):
    vote = learn_vote(rule, truth, members)
    assert np.array_equal(Vote.restore(vote.describe()).combine(members), vote.combine(members))


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != STACKING])
def test_one_member_alone_is_the_vote(rule, truth, members):
    assert learn_vote(rule, truth, members[:1]).combine(members[:1]) == pytest.approx(members[0], abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_the_members_changes_nothing(rule, truth, members):
    forwards, backwards = (learn_vote(rule, truth, order).combine(order) for order in (members, members[::-1]))
    assert forwards == pytest.approx(backwards, abs=1e-3)


def test_the_log_loss_has_no_better_weights(truth, members):
    def measure(weights) -> float:
        combined = np.tensordot(weights, members, axes=1)
        return -np.log(combined[np.arange(len(truth)), truth]).mean()

    found = learn_vote("log_loss", truth, members).weights
    tried = np.random.default_rng(1).dirichlet(np.ones(3), 500)
    assert measure(found) <= min(measure(weights) for weights in tried)


def test_a_class_without_images_has_no_auc_and_members_weigh_alike(truth, members):
    some = truth < 2
    assert learn_vote("auc", truth[some], members[:, some]).weights == pytest.approx([1 / 3] * 3)


def test_two_classes_are_stacked_too(rng):
    truth = np.tile([0, 1], 50)
    member = np.column_stack([1 - truth, truth]) * 0.6 + 0.2
    combined = learn_vote(STACKING, truth, member[None]).combine(member[None])
    assert (combined.argmax(axis=1) == truth).all()


def test_two_of_three_classes_are_stacked_too(rng):
    truth = np.tile([0, 2], 50)
    member = np.eye(3)[truth] * 0.6 + 0.1
    combined = learn_vote(STACKING, truth, member[None]).combine(member[None])
    assert (combined.argmax(axis=1) == truth).all()
    assert combined[:, 1].max() < 0.01


def test_a_regression_is_not_judged_by_the_images_that_it_was_learned_on(truth, members):
    """Of members that know nothing a regression still learns its own images by heart."""
    knowing_nothing = np.random.default_rng(5).dirichlet(np.ones(3), (12, len(truth)))
    vote = learn_vote(STACKING, truth, knowing_nothing)
    groups = np.arange(len(truth))
    fitted = (vote.combine(knowing_nothing).argmax(axis=1) == truth).mean()
    held_out = predict_held_out(STACKING, truth, knowing_nothing, groups, vote, seed=1)
    assert fitted > 0.5
    assert (held_out.argmax(axis=1) == truth).mean() < 0.45
    mean = learn_vote("kappa", truth, members)
    assert np.array_equal(predict_held_out("kappa", truth, members, groups, mean, 1), mean.combine(members))
