"""A packed array of images as a Kedro data set."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.objects import place_parts
from leukoscope.core.parting import Here, Place
from leukoscope.datasets.own import OwnContent, require_there, saying_what_to_run
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan


class PackedImagesDataset(OwnContent, AbstractDataset[PackingPlan, PackedImages]):
    """``PackedImagesDataset`` executes a packing plan, and maps the packed images into memory.

    Saving streams from the plan's source to the disk, holding only a few batches at a time; it does nothing if the
    folder's store was made from the same files with the same options. The store is written atomically.

    Example:
        ```yaml
        smears:
          type: leukoscope.datasets.PackedImagesDataset
          filepath: data/02_intermediate/smears
        ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Creates a new instance of ``PackedImagesDataset``.

        Args:
            filepath: Folder of the store.
            metadata: Not used here; plugins such as Kedro-Viz may.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> PackedImages:
        """Open the store.

        Raises:
            InputError: The store is missing or damaged, or another run has replaced it.
        """
        self.require_own()
        with saying_what_to_run(self._filepath):
            require_there(self._filepath)
            return PackedImages(self._filepath, self._own)

    def save(self, data: PackingPlan) -> None:
        """Execute the plan, unless the folder's store was made from the same plan.

        Raises:
            InputError: The plan's source or its cluster cannot be used.
        """
        from leukoscope.images.shards import list_shards, pack_by_parts, remove_shards

        notes = self._filepath.with_name(f".{self._filepath.name}.shards")
        shards = place_parts(notes, data.cluster.parts if data.cluster else None)
        cluster = data.cluster if data.cluster is not None and data.cluster.is_used else None
        if cluster is None and next(list_shards(shards), None) is None:
            self._own = save_packed(data, self._filepath)
            if notes.is_dir():
                remove_shards(notes, self._filepath)
            return
        by = partial(pack_by_parts, partial(self._open_place, cluster), shards, notes=notes)
        self._own = save_packed(data, self._filepath, by)
        for folder in {shards, notes}:
            remove_shards(folder, self._filepath)

    def _open_place(self, cluster: ClusterOptions | None) -> AbstractContextManager[Place]:
        """Open a cluster, or this process, which then finishes what a cluster began."""
        if cluster is None:
            return nullcontext(Here())
        from leukoscope.cluster.parts import open_place

        return open_place(cluster, self._filepath.parent.absolute())

    def _identify(self) -> str | None:
        file = self._filepath / "store.json"
        return file.read_text(errors="replace") if file.is_file() else None

    def _exists(self) -> bool:
        return (self._filepath / "store.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
