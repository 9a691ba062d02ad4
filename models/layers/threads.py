"""Threads for kernels that release Python's lock; they serve forked and threaded callers alike."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch

PIECES_PER_THREAD = 4  # a thread that another program holds up leaves its share to the others


def run_in_threads(run: Callable[[int, int], None], *, units: int) -> None:
    """Do `units` independent units of work, in as many threads as torch may use.

    Args:
        run: Does the units from its first argument up to, but not including, its second; called many times at once.
        units: How many there are.
    """
    threads = min(torch.get_num_threads(), units)
    if threads <= 1:
        run(0, units)
        return
    pieces = min(units, threads * PIECES_PER_THREAD)
    ranges = iter([(units * i // pieces, units * (i + 1) // pieces) for i in range(pieces)])

    def work() -> None:
        for first, last in ranges:
            run(first, last)

    others = [_pool(os.getpid(), threads).submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        if not other.cancel():
            other.result()


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:  # noqa: ARG001  (a forked child has none of the threads)
    return ThreadPoolExecutor(threads, thread_name_prefix="models-kernel")
