"""The commands that are disturbed, each with what it makes."""

from typing import NamedTuple

from faults.workplace import MODEL


class Work(NamedTuple):
    """A command.

    Attributes:
        options: Of ``kedro run``.
        outputs: Patterns of what it makes, to be removed before.
        nodes: How many nodes it has.
        left_out: Names of files which differ rightly from those of another run.
    """

    options: list[str]
    outputs: list[str]
    nodes: int
    left_out: tuple[str, ...] = ()


_READER = "07_model_output/reader"
_INGESTION = ["--pipelines", "ingestion"]
_INGESTED = ["02_intermediate", *(f"08_reporting/{name}" for name in ("ingestion_*", "montage.png"))]
TRAINING = Work(["--pipelines", f"train_{MODEL}"], ["06_models"], 34)
WORKS = {
    "ingestion": Work(_INGESTION, _INGESTED, 5),
    # The images' times are in what the store was made from.
    "drawing and ingestion": Work(_INGESTION, ["01_raw/leukemia", *_INGESTED], 5, ("store.json",)),
    "evaluation": Work(
        ["--pipelines", "evaluation", "--namespaces", MODEL],
        [
            # All but the history, the training's summary and its learning curves.
            f"07_model_output/{MODEL}/[!ht]*",
            f"08_reporting/{MODEL}/[!l]*",
            "08_reporting/evaluations.jsonl",
            f"06_models/{MODEL}/*/runs/*/evaluation",
        ],
        16,
    ),
    "predict": Work(["--pipelines", "predict"], [_READER, "07_model_output/opinions*"], 2),
    # A champion that was registered before the end of a killed run stays: the record then says so.
    "promote": Work(
        ["--pipelines", "promote"],
        [_READER, "08_reporting/judgement.json", "08_reporting/promotion.json"],
        4,
        ("judgement.json", "promotion.json"),
    ),
}
