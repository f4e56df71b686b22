"""Actions on the import of third-party modules, wherever they are imported."""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

Load = Callable[[ModuleType], None]


class _Finder:
    """Finds modules with the other finders, and lets our own functions load them."""

    def __init__(self) -> None:
        self.loading: dict[str, Callable[[ModuleType, Load], None]] = {}
        self._sought: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> object:
        if name not in self.loading or name in self._sought:
            return None
        self._sought.add(name)
        try:
            spec = find_spec(name)  # by the other finders
        finally:
            self._sought.discard(name)
        if spec and spec.loader:
            self._take_over(name, spec)
        return spec

    def _take_over(self, name: str, spec: ModuleSpec) -> None:
        load = spec.loader.exec_module  # type: ignore[union-attr]
        spec.loader.exec_module = lambda module: self.loading[name](module, load)  # type: ignore[union-attr, method-assign]


_FINDER = _Finder()


def load_by(name: str, load: Callable[[ModuleType, Load], None]) -> None:
    """Let a function load a module when it is first imported.

    Args:
        name: The module's full name.
        load: Called with the empty module and the function that fills it.
    """
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)  # type: ignore[arg-type]
    _FINDER.loading[name] = load


def when_imported(name: str, action: Callable[[], object]) -> None:
    """Run an action now if a module is loaded, or else when it is imported; only the last action is kept.

    Args:
        name: The module's full name.
        action: The action to run.
    """
    if name in sys.modules:
        action()
        return

    def load_and_act(module: ModuleType, load: Load) -> None:
        load(module)
        action()

    load_by(name, load_and_act)
