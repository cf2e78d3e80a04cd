"""What a process has used so far, by the kernel's own accounting: CPU time, switches, memory.

Each is read while the process lives, at the begin and at the end of a turn: the
difference is the turn's, and what its start has cost is left out.
"""

import os
import time
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2  # include/linux/posix-timers_types.h


def cpu_ns(pid: int) -> int:
    """CPU time in ns, of all its threads, and of the children that it has waited for.

    It is the scheduler's account, as in /proc/PID/task/*/schedstat, but read from the process's
    CPU clock (clock_getcpuclockid(3)), which also has the threads that have ended. The children's
    time is in ticks (10 ms): proc_pid_stat(5).
    """
    own = time.clock_gettime_ns(~pid << 3 | CPUCLOCK_SCHED)
    # The fields are counted from the last parenthesis: the name may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[13]) + int(fields[14])) * TICK_NS  # cutime, cstime


def switches(pid: int) -> int:
    """How often its threads have gone to sleep, which is a voluntary switch. Threads that have ended are left out."""
    count = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            count += _field(thread / "status", "voluntary_ctxt_switches")
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended
    return count


def resident_kb(pid: int) -> int:
    """Resident memory in KiB: VmRSS, which the kernel may have up to some pages a thread wrong (proc_pid_status(5))."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS")


def kernel_share(pid: int) -> float:
    """The kernel's share of all the CPU time that it has used, in %.

    The ticks of the clock (CONFIG_HZ) find it in the one or in the other, a few dozen times in a turn of a
    quarter of a second: so only the mean of many turns says it to 1 %.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, kernel = int(fields[11]), int(fields[12])  # utime, stime: proc_pid_stat(5)
    return 100 * kernel / max(1, user + kernel)


def _field(status: Path, key: str) -> int:
    for line in status.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0])
    raise RuntimeError(f"{status} has no {key}")
