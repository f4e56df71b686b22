"""A runner that finishes a model before it begins with the next."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from pluggy import PluginManager

from leukoscope.core.stages import find_model


class ModelByModelRunner(SequentialRunner):
    """Runs nodes one after another, and those of a model together wherever they depend on no other.

    Kedro's own order trains all models and then evaluates all. In this one a run that is ended early has models that
    are evaluated, and each run in MLflow lasts as long as its model takes.
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
    """Order nodes so that all of a model that can run do so before another begins.

    Args:
        nodes: In an order in which they can run, which is kept within a model and outside of all.
        dependencies: Of each the nodes that must run before.

    Returns:
        The same nodes. Of those that are ready the ones of the model at work come first, then the ones of stages, then
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
