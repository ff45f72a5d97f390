"""How many threads of computing this process can really use."""

import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Physical cores we may run on, cut to a container's share: two threads on one core gain nothing."""
    cores = {_siblings(cpu) for cpu in os.sched_getaffinity(0)}
    return max(1, min(len(cores), quota_cores(_read(_QUOTA), at_most=len(cores))))


def quota_cores(cpu_max: str, *, at_most: int) -> int:
    """Whole cores in a cgroup's `cpu.max` ("200000 100000": two); rounded up, since a part still helps."""
    quota, _, period = cpu_max.strip().partition(" ")
    if not quota.isdigit() or not period.isdigit():
        return at_most
    return min(at_most, -(-int(quota) // int(period)))


def _siblings(cpu: int) -> str:
    return _read(_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list") or str(cpu)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
