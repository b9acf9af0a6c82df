"""Python's subprocess as a worker; see worker.hpp for what it is asked and how it answers."""

import mmap
import subprocess
import sys
import time


def take_ballast(mib: int, pages: str) -> mmap.mmap:
    memory = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    advice = "MADV_HUGEPAGE" if pages == "huge" else "MADV_NOHUGEPAGE"
    memory.madvise(getattr(mmap, advice))
    for at in range(0, mib << 20, mmap.PAGESIZE):
        memory[at] = 1
    return memory


def launch(program: str) -> int:
    start = time.perf_counter_ns()
    subprocess.run([program], check=True)
    return time.perf_counter_ns() - start


def main() -> None:
    _, mib, pages, program = sys.argv
    ballast = take_ballast(int(mib), pages)
    print("ready python", flush=True)
    for line in sys.stdin:
        count = int(line.split()[1])
        print(*(launch(program) for _ in range(count)), flush=True)
    ballast.close()


main()
