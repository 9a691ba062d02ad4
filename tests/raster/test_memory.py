"""Reading and writing by windows takes the same memory for scenes of any height and width."""

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import resource, sys
    from dataclasses import replace
    from pathlib import Path
    from pifnet_cli.raster.reader import open_scene
    from pifnet_cli.raster.writer import WriteOptions, create_scene
    from pifnet_cli.scene import Window
    from pifnet_cli.settings import Overwrite

    source, target = map(Path, sys.argv[1:])
    with open_scene(source) as reader:
        grid = reader.scene.grid
        with create_scene(replace(reader.scene, path=target), WriteOptions(Overwrite.REPLACE)) as writer:
            for row in range(0, grid.height, 256):
                for column in range(0, grid.width, 256):
                    window = Window(row, column, 256, 256)
                    writer.write(reader.read(window), window)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
BANDS = 24


def _peak_mib(folder, *, height, width, interleave, output):
    """Copy a scene of zeros, whose file takes no room on disk, and look at the memory of the process."""
    header = folder / f"x{height}.hdr"
    header.write_text(
        f"ENVI\nsamples = {width}\nlines = {height}\nbands = {BANDS}\ndata type = 4\ninterleave = {interleave}\n"
        "byte order = 0\n"
    )
    with header.with_suffix(".img").open("wb") as file:
        file.truncate(4 * height * width * BANDS)
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(header), str(folder / f"out{height}{output}")]
    run = subprocess.run(program, capture_output=True, text=True, check=True)
    return int(run.stdout) / (1024 if sys.platform == "linux" else 2**20)


@pytest.mark.slow
def test_memory_depends_neither_on_height_nor_on_width(tmp_path):
    kind = {"interleave": "bip", "output": ".tif"}
    small = _peak_mib(tmp_path, height=768, width=1024, **kind)  # more than GDAL's cache holds
    wide = _peak_mib(tmp_path, height=512, width=4096, **kind)
    high = _peak_mib(tmp_path, height=4096, width=512, **kind)
    assert max(wide, high) < 1.1 * small
