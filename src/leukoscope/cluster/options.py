"""Parameters of a cluster."""

from pydantic import Field, field_validator

from leukoscope.core.errors import InputError
from leukoscope.core.objects import find_address_fault
from leukoscope.core.options import Options

_SCHEMES = ("tcp://", "tls://", "ws://", "wss://")


class ClusterOptions(Options):
    """Where work is spread to; without a scheduler and workers everything runs on this machine, without Dask.

    Attributes:
        scheduler: The address of a Dask scheduler, like ``tcp://login1:8786``; ``None``: none is there, and one is
            started on this machine for as long as the command runs, if there are to be workers.
        workers: How many workers are started on this machine; with a scheduler, how many are waited for.
        timeout: Seconds in which the scheduler has to answer, and in which as many workers as are waited for must be
            there.
        parts: A folder at an object store in which parts are kept; ``None``: beside the data.
    """

    scheduler: str | None = None
    workers: int | None = Field(default=None, ge=1, le=10_000)
    timeout: float = Field(default=10.0, gt=0, le=86_400, allow_inf_nan=False)
    parts: str | None = None

    @field_validator("parts")
    @classmethod
    def _require_folder(cls, parts: str | None) -> str | None:
        fault = None if parts is None else find_address_fault(parts)
        if fault is not None:
            raise ValueError(fault)
        return parts

    @field_validator("scheduler")
    @classmethod
    def _require_address(cls, scheduler: str | None) -> str | None:
        if scheduler is not None and not (scheduler.startswith(_SCHEMES) and scheduler.partition("://")[2].strip()):
            raise ValueError(f"'{scheduler}' is no scheduler's address: expected one like tcp://login1:8786")
        return scheduler

    def require_used(self) -> None:
        """Make sure that a cluster is given.

        Raises:
            InputError: None is.
        """
        if not self.is_used:
            raise InputError(
                "DaskRunner needs a cluster, and neither cluster.scheduler nor cluster.workers is given. Give one, as "
                'in --params "cluster.workers=2", or by --env cluster. Nothing was run.'
            )

    @property
    def is_used(self) -> bool:
        """Whether work is spread at all."""
        return self.scheduler is not None or self.workers is not None
