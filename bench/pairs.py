"""Two builds of one program in turns, by CPU time: whether a change made it slower.

    python bench/pairs.py [--pairs 15] [--limit 1.03] OLD NEW -- ARGUMENTS

OLD and NEW are programs that do a fixed amount of work when started with ARGUMENTS (`instructions` of the columns
crate, `fixed` of the store crate). Each pair runs both, the order changing from pair to pair. Printed are the median of
the ratios NEW / OLD of user plus system time, with their spread, and the medians themselves in seconds; the exit status
is 1 where the median ratio is above the limit. Unix only.
"""

import argparse
import os
import statistics
import subprocess
import sys


def cpu_seconds(command: list[str]) -> float:
    """Run a command to its end; user and system time in seconds."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Run the pairs and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--limit", type=float, default=1.03)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    times: dict[str, list[float]] = {options.old: [], options.new: []}
    for pair in range(-1, options.pairs):
        order = [options.old, options.new] if pair % 2 == 0 else [options.new, options.old]
        for program in order:
            seconds = cpu_seconds([program, *options.arguments])
            # The first pair warms up.
            if pair >= 0:
                times[program].append(seconds)
    ratios = sorted(new / old for old, new in zip(times[options.old], times[options.new], strict=True))
    median = statistics.median(ratios)
    print(
        f"{' '.join(options.arguments)}: {median:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}, {options.pairs} pairs), "
        f"old {statistics.median(times[options.old]):.2f} s, new {statistics.median(times[options.new]):.2f} s"
    )
    return int(median > options.limit)


if __name__ == "__main__":
    sys.exit(main())
