import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys
import numpy as np
from leukoscope.backend.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(20_000_000, "uint8")
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(20_000_000, "uint8")
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands freed memory back like this")
def test_blocks_that_are_freed_and_needed_again_cost_no_new_pages():
    faults = {
        way: int(subprocess.run([sys.executable, "-c", COUNT, way], capture_output=True, text=True, check=True).stdout)
        for way in ("keep", "as it is")
    }
    assert faults["keep"] < 100 < faults["as it is"]
