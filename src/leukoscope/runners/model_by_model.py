"""A runner that finishes each model before it begins the next."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from pluggy import PluginManager

from leukoscope.core.stages import find_model


class ModelByModelRunner(SequentialRunner):
    """Runs nodes one after another, keeping the nodes of a model together where dependencies allow.

    Kedro's own order trains all models, then evaluates them all. With this order, a run that is ended early has some
    evaluated models, and each MLflow run lasts as long as its model takes.
    """

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        super()._run(_ModelByModel(pipeline), catalog, hook_manager, run_id)


class _ModelByModel(Pipeline):
    """A pipeline whose nodes are ordered model by model."""

    @cached_property
    def nodes(self) -> list[Node]:
        """The nodes, in the order in which they run."""
        return order_nodes(super().nodes, self.node_dependencies)


def order_nodes(nodes: Sequence[Node], dependencies: Mapping[Node, Collection[Node]]) -> list[Node]:
    """Order nodes so that every node of a model that can run does so before another model begins.

    Args:
        nodes: The nodes in a valid order, which is kept within each model and among nodes without a model.
        dependencies: For each node, the nodes that must run before it.

    Returns:
        The same nodes. Among ready nodes, those of the current model come first, then those of stages, then those of
        the next model.
    """
    left = {node: set(dependencies[node]) for node in nodes}
    ordered: list[Node] = []
    at_work = None
    while left:
        ready = [node for node, before in left.items() if not before]
        node = min(ready, key=lambda candidate: (find_model(candidate) != at_work, find_model(candidate) is not None))
        at_work = find_model(node) or at_work
        ordered.append(node)
        del left[node]
        for before in left.values():
            before.discard(node)
    return ordered
