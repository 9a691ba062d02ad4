"""Threads for kernels that release Python's lock; they serve forked and threaded callers alike."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache

import torch
from torch import Tensor

PIECES_PER_THREAD = 4  # a thread that another program holds up leaves its share to the others


def run_in_threads(run: Callable[[int, int], None], *, units: int, tensors: Sequence[Tensor | None] = ()) -> None:
    """Do `units` independent units of work, in as many threads as torch may use.

    Args:
        run: Does the units from its first argument up to, but not including, its second; called many times at once.
        units: How many there are.
        tensors: Whose memory `run` uses by address: they live until the last thread is done, whatever interrupts us.
    """
    threads = min(torch.get_num_threads(), units)
    if threads <= 1:
        run(0, units)
        return
    pieces = min(units, threads * PIECES_PER_THREAD)
    ranges = iter([(units * i // pieces, units * (i + 1) // pieces) for i in range(pieces)])

    def work(_alive: Sequence[Tensor | None]) -> None:
        for first, last in ranges:
            run(first, last)

    others = [_pool(os.getpid(), threads).submit(work, tensors) for _ in range(threads - 1)]
    try:
        work(tensors)
    finally:
        deque(ranges, maxlen=0)  # after a failure nobody starts another piece
        started = [other for other in others if not other.cancel()]
        wait(started)
    for other in started:
        other.result()


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:  # noqa: ARG001  (a forked child has none of the threads)
    return ThreadPoolExecutor(threads, thread_name_prefix="models-kernel")
