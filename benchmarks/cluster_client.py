"""A client of a cluster in a process of its own: what it, the scheduler and both workers take for many files.

``run_client`` starts all of them; given an address, this file is the client.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil
from standing_in import LIMITS, IdleReader, ListOnly, NamesOnly, PlainPlan

from leukoscope.cluster.client import connect
from leukoscope.cluster.options import ClusterOptions
from leukoscope.cluster.parts import Workers
from leukoscope.core.parting import Place
from leukoscope.images.manifest import make_manifest, summarise
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.shards import pack_by_parts
from leukoscope.images.source import open_any
from leukoscope.reader.parts import spread_reading
from leukoscope.reader.reading import ReadingPlan, carry_out, gather_parts

PARTS, FILES = 20_000, 512
Facts = dict[str, float]


def run_client(scratch: Path, what: str, folder: Path) -> Facts:
    """Run a client in a process of its own, with a scheduler and two workers in theirs; gives what it says.

    Args:
        scratch: A folder that it may fill.
        what: One of ``TASKS``.
        folder: Of the files.
    """
    with run_cluster(scratch) as (address, scheduler):
        command = [sys.executable, __file__, what, address, str(folder), str(scratch / "out")]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        facts: Facts = json.loads(done.stdout.splitlines()[-1])
        shutil.rmtree(scratch / "out", ignore_errors=True)
        return facts | {"scheduler": find_peak(scheduler)}


@contextmanager
def run_cluster(scratch: Path) -> Iterator[tuple[str, int]]:
    """Start a scheduler and two workers; gives its address and process."""
    file = scratch / f"scheduler-{time.monotonic_ns()}.json"
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths}
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    start = partial(subprocess.Popen, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    scheduler = start([sys.executable, "-m", "distributed.cli.dask_scheduler", *common, "--port", "0"])
    options = ["--nworkers", "2", "--nthreads", "1"]
    workers = start([sys.executable, "-m", "distributed.cli.dask_worker", *common, *options])
    try:
        while not file.is_file():
            time.sleep(0.1)
        time.sleep(1)
        yield json.loads(file.read_text())["address"], scheduler.pid
    finally:
        for process in (workers, scheduler):
            process.terminate()
            process.wait()


def read(workers: Place, folder: Path, out: Path) -> Facts:
    """Read a folder by a stand-in that costs nothing."""
    reader = IdleReader()
    plan = ReadingPlan(reader, PackingPlan(open_any(folder), None, reader.image_size, reader.limits))
    out.mkdir()
    opening = partial(nullcontext, workers)
    unread = carry_out(plan, out / "opinions", partial(spread_reading, opening, reader, notes=out / "notes"))
    gather_parts(plan, unread, out / "opinions", out / "opinions.parquet", out / "opinions.csv")
    return {}


def pack(workers: Place, folder: Path, out: Path) -> Facts:
    """Pack a folder's images, of which no one is decoded but each file read, and make their manifest."""
    plan = PlainPlan(open_any(folder), None, IdleReader.image_size, LIMITS)
    shards = out / "shards"
    save_packed(plan, out / "packed", partial(pack_by_parts, partial(nullcontext, workers), shards, notes=shards))
    facts = {"packing": find_peak(os.getpid())}
    packed = PackedImages(out / "packed")
    manifest = make_manifest(packed.records, packed.pixels, None)
    summarise(manifest, [], None)
    manifest.to_parquet(out / "manifest.parquet")
    return facts


def plan(workers: Place, folder: Path, out: Path) -> Facts:
    """Plan to read files of which there are only names, and let workers do no more than list those of each part."""
    NamesOnly.count, began = PARTS * FILES, time.perf_counter()
    source, spent = NamesOnly(folder), time.process_time()
    deque(source._list(), maxlen=0)
    spent, marks = time.process_time() - spent, [time.perf_counter()]
    packing = PackingPlan(source, None, IdleReader.image_size, LIMITS)
    assert len(packing.files) == PARTS * FILES
    marks.append(time.perf_counter())
    assert packing.fingerprint
    marks.append(time.perf_counter())
    place = ListOnly(workers)
    spread = partial(spread_reading, partial(nullcontext, place), IdleReader(), notes=out / "notes")
    carry_out(ReadingPlan(IdleReader(), packing), out / "opinions", spread)
    assert place.files == PARTS * FILES
    naming, hashing = (after - before for before, after in pairwise(marks))
    return {"making": spent, "naming": naming, "hashing": hashing, "extra": marks[0] - began}


TASKS = {"read": read, "pack": pack, "plan": plan}


def be_client(what: str, address: str, folder: Path, out: Path) -> None:
    """Be a client, and print what it took."""
    options = ClusterOptions(scheduler=address, workers=2, timeout=60)
    with connect(options, Path.cwd(), out.parent) as client:
        workers = list(client.run(os.getpid).values())
        roles = {"client": [os.getpid()], "scheduler": [client.run_on_scheduler(os.getpid)], "workers": workers}
        before = {role: sum(map(read_cpu_time, processes)) for role, processes in roles.items()}
        began = time.perf_counter()
        facts = TASKS[what](Workers(client), folder, out)
        # What was done only to tell how long it takes is not of the work.
        facts["seconds"] = time.perf_counter() - began - facts.get("extra", 0)
        for role, processes in roles.items():
            facts[f"{role} CPU"] = sum(map(read_cpu_time, processes)) - before[role]
        facts["client CPU"] -= facts.get("making", 0)
    print(json.dumps(facts | {"client": find_peak(os.getpid())}))


def find_peak(process: int) -> float:
    """Give the most memory that a process has held, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def read_cpu_time(process: int) -> float:
    """Give the seconds of CPU time that a process has taken."""
    return sum(psutil.Process(process).cpu_times()[:2])


def describe_load() -> str:
    """Say how busy the machine is."""
    return f"load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores"


if __name__ == "__main__":
    be_client(*sys.argv[1:3], Path(sys.argv[3]), Path(sys.argv[4]))
