"""A runner that assigns each model to a worker of a Dask cluster."""

import uuid
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import chain

from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.core.parting import Part
from leukoscope.core.session import get_run, get_session, get_tracking
from leukoscope.core.stages import find_model
from leukoscope.study.groups import Group, run_group, tell_ended

_FOLDER = ".groups"
_SHOWN = 3


class DaskRunner(SequentialRunner):
    """Runs the nodes of each model as one task of a cluster, and the nodes of stages in this process.

    A task is a separate command, ``kedro run`` of these nodes with the same environment and parameters. Data passed
    between groups must be files.
    """

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        groups = group_nodes(pipeline)
        spread = {name: nodes for name, nodes in groups.items() if find_model(nodes[0])}
        before = order_groups(groups, pipeline.node_dependencies)
        spread = complete_groups(spread, pipeline, catalog)
        loads = Counter(chain.from_iterable(node.inputs for node in pipeline.nodes))

        def run_here(name: str) -> None:
            (node,) = groups[name]
            Task(node=node, catalog=catalog, hook_manager=hook_manager, is_async=False, run_id=run_id).execute()
            self._release_datasets(node, catalog, loads, pipeline)

        command = uuid.uuid4().hex[:8]
        waiting = Waiting(before, partial(_describe, spread, command), run_here, spread)
        if spread:
            _spread(waiting, _read_options(catalog))
        else:
            deque(waiting, maxlen=0)  # runs all


def group_nodes(pipeline: Pipeline) -> dict[str, list[Node]]:
    """Group nodes by their model; each node without a model is a separate group."""
    groups: dict[str, list[Node]] = {}
    for node in pipeline.nodes:
        groups.setdefault(_name_group(node), []).append(node)
    return groups


def _name_group(node: Node) -> str:
    return find_model(node) or f"the node {node.name}"


def order_groups(
    groups: Mapping[str, Collection[Node]], dependencies: Mapping[Node, Collection[Node]]
) -> dict[str, set[str]]:
    """Find the groups that must run before each group.

    Args:
        groups: Groups as returned by ``group_nodes``.
        dependencies: For each node, the nodes that must run before it.

    Raises:
        InputError: Two groups depend on each other.
    """
    before = {
        name: {_name_group(other) for node in nodes for other in dependencies[node]} - {name}
        for name, nodes in groups.items()
    }
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        circle = ", ".join(dict.fromkeys(error.args[1]))
        raise InputError(
            f"DaskRunner runs all nodes of a model together, and {circle} need each other's results in turn. Name "
            f"fewer nodes, as by --to-nodes, or leave out --runner. Nothing was run."
        ) from None
    return before


def complete_groups(
    spread: Mapping[str, Collection[Node]], pipeline: Pipeline, catalog: CatalogProtocol
) -> dict[str, list[Node]]:
    """Add to each group the nodes of stages whose results it takes from memory, so that these run in every group.

    Args:
        spread: The groups that run elsewhere.
        pipeline: The pipeline of all nodes.
        catalog: Tells which data sets are in memory.

    Raises:
        InputError: Other data that are only in memory would have to be passed between processes.
    """
    makers = {name: node for node in pipeline.nodes for name in node.outputs}
    lost = set()

    def add(node: Node, group: str, own: dict[Node, None]) -> None:
        own[node] = None
        for name in filter(partial(_is_in_memory, catalog), node.inputs):
            maker = makers.get(name)
            if maker is None or maker in own or _name_group(maker) == group:
                lost.update([f"{name} (given to {group})"] if maker is None else [])
            elif find_model(maker) or not all(map(partial(_is_in_memory, catalog), maker.outputs)):
                lost.add(f"{name} ({_name_group(maker)} to {group})")
            else:
                add(maker, group, own)

    complete = {name: dict[Node, None]() for name in spread}
    for name, nodes in spread.items():
        for node in nodes:
            add(node, name, complete[name])
    for node in pipeline.nodes:
        if _name_group(node) not in spread:
            taken = [name for name in node.inputs if name in makers and _is_in_memory(catalog, name)]
            of_groups = [(name, makers[name]) for name in taken if find_model(makers[name])]
            lost.update(f"{name} ({_name_group(made)} to {_name_group(node)})" for name, made in of_groups)
    if lost:
        named = ", ".join(sorted(lost)[:_SHOWN]) + (f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else "")
        raise InputError(
            f"DaskRunner hands data from process to process by files, and these are in memory only: {named}. Give them "
            f"a file in the catalog, or leave out --runner. Nothing was run."
        )
    return {name: list(nodes) for name, nodes in complete.items()}


def _is_in_memory(catalog: CatalogProtocol, name: str) -> bool:
    """Check whether a data set is only in memory; parameters do not count, since each command has its own."""
    is_parameter = name == "parameters" or name.startswith("params:")
    return not is_parameter and isinstance(catalog.get(name), MemoryDataset | None)


def _read_options(catalog: CatalogProtocol) -> ClusterOptions:
    """Read the options of the cluster.

    Raises:
        InputError: No cluster was given.
    """
    given = catalog.load("params:cluster")
    options = given if isinstance(given, ClusterOptions) else ClusterOptions.model_validate(given)
    options.require_used()
    return options


class Waiting:
    """An iterator over groups that have not run: yields ready groups as parts, and runs this process's nodes between.

    It stops whenever nothing is ready, and may yield more after a call of ``finish``.

    Args:
        before: For each group, the groups that must run before it.
        describe: Makes the part of a group that runs elsewhere, from its name and the number of attempts.
        run_here: Runs a node in this process, by the name of its group.
        spread: The groups that run elsewhere.
    """

    def __init__(
        self,
        before: Mapping[str, Collection[str]],
        describe: Callable[[str, int], Part],
        run_here: Callable[[str], None],
        spread: Collection[str],
    ) -> None:
        self._sorter = TopologicalSorter(before)
        self._sorter.prepare()
        self._describe = describe
        self._run_here = run_here
        self._spread = spread
        self._ready = deque[str]()
        self._here = deque[str]()
        self._begun = Counter[str]()

    def __iter__(self) -> Iterator[Part]:
        """Return itself."""
        return self

    def __next__(self) -> Part:
        """Return the next ready group, those of other processes first, so that these are kept busy."""
        while True:
            for name in self._sorter.get_ready():
                (self._ready if name in self._spread else self._here).append(name)
            if self._ready:
                name = self._ready.popleft()
                self._begun[name] += 1
                return self._describe(name, self._begun[name])
            if not self._here:
                raise StopIteration
            name = self._here.popleft()
            self._run_here(name)
            self._sorter.done(name)

    def finish(self, name: str) -> None:
        """Record that a group has run, so that others may become ready."""
        self._sorter.done(name)

    def repeat(self, name: str) -> None:
        """Record that a group was stopped and must run again."""
        self._ready.append(name)


def _spread(waiting: Waiting, options: ClusterOptions) -> None:
    """Let workers run groups until all have run.

    Raises:
        InputError: A group failed or killed its workers, or the cluster cannot do the work.
    """
    from leukoscope.cluster.client import connect
    from leukoscope.cluster.parts import Workers

    session = get_session()
    with connect(options, session.project, session.data, get_tracking()) as client:
        for outcome in Workers(client).carry_out(run_group, waiting):
            group: Group = outcome.part.task
            if outcome.lost is not None:
                raise InputError(f"{group.name} was given up: {outcome.lost}, which is often a lack of memory.")
            if outcome.result:
                tell_ended(group)
                waiting.finish(group.name)
            else:
                waiting.repeat(group.name)


def _describe(spread: Mapping[str, Collection[Node]], command: str, name: str, times: int) -> Part:
    """Describe the nodes of a model as a part of the work.

    Args:
        spread: The groups that run elsewhere.
        command: Identifies the parts of this command.
        name: The model.
        times: Number of attempts, including this one.
    """
    session = get_session()
    folder = session.data.absolute() / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    names = [node.name for node in spread[name]]
    own = f"{name}-{command}"
    log = folder / f"{own}.log"
    group = Group(name, find_pipelines(names), names, session, log, get_run(), get_tracking())
    return Part(f"group-{own}-{times}", group, len(names), folder / f"{own}.tries")


def find_pipelines(names: Collection[str]) -> list[str]:
    """Find the smallest registered pipeline that contains all nodes, or else the smallest ones that contain each."""
    from kedro.framework.project import pipelines

    having = {name: {node.name for node in pipeline.nodes} for name, pipeline in pipelines.items()}
    smallest = sorted(having, key=lambda name: (len(having[name]), name))
    whole = [name for name in smallest if having[name].issuperset(names)]
    return whole[:1] or sorted({next(name for name in smallest if node in having[name]) for node in names})
