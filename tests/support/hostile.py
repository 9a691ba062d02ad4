"""Checkpoints that somebody spoiled on purpose, with SHA-256 digests that are right again.

Run as a program with a folder's name, it uses every one of them there and prints what became of it, as JSON.
"""

import copy
import hashlib
import io
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

HSI, MSI, COMPONENTS = 7, 3, 2
NUMBERS = {
    "hsi_channels": 2 * COMPONENTS, "msi_channels": 2 * MSI + 4, "out_channels": COMPONENTS, "width": 8, "blocks": 1,
    "segments": 2, "d_state": 2, "expand": 2, "lora_rank": 1, "lora_heads": 2, "prior_strength": 1.0,
    "coupling": "mamba", "adapter": "fam-lora", "output_start": "zero", "pooling_window": 5,
}  # fmt: skip
FIELDS = (
    "method", "variant", "ratio", "sensor", "scale", "training", "anchor", "phase", "hyper_parameters", "hsi_bands",
    "msi_bands", "hsi_bands.count", "hsi_bands.names", "hsi_bands.wavelengths_nm", "hsi_bands.fwhm_nm",
    "msi_bands.count", "msi_bands.wavelengths_nm", "sensor.protocol", "sensor.mtf_at_nyquist", "training.gain_db",
)  # fmt: skip
ODD_NUMBERS = (None, -1, 0, 1.5, 10**9, 1e300, "nonsense", [])
VALUES = (None, True, -1, 0, 10**9, 10**30, 1e300, "nonsense", "\ud800", "kriging", [], {}, [[-1]])
MORE_MEMORY = 2 * 2**30  # bytes of address space that all of them may take

Arrays = dict[str, np.ndarray]


def sound_checkpoint() -> tuple[dict[str, Any], Arrays]:
    """Header and arrays of a small anchored PIF-Net, as they are stored."""
    from pifnet_models.pifnet.network import PIFNet

    weights = {f"network.{name}": tensor.numpy().copy() for name, tensor in PIFNet(**NUMBERS).state_dict().items()}
    constants = {
        "constant.directions": np.eye(HSI, COMPONENTS, dtype=np.float32),
        "constant.band_scale": np.ones(HSI, dtype=np.float32),
        "constant.component_std": np.ones(COMPONENTS, dtype=np.float32),
        "constant.step": np.asarray(4),
    }
    header = {
        "format": "pifnet checkpoint", "version": 1, "software": "pifnet", "method": "pifnet", "variant": "anchored",
        "hyper_parameters": dict(NUMBERS), "hsi_bands": _bands(HSI), "msi_bands": _bands(MSI), "ratio": 4.0,
        "sensor": {"protocol": "mtf", "mtf_at_nyquist": 0.3}, "scale": 1.0, "training": {"gain_db": 0.5},
        "anchor": "regression", "phase": "true",
    }  # fmt: skip
    return header, weights | constants


def write_checkpoint(path: Path, header: dict[str, Any], arrays: Arrays) -> Path:
    """A checkpoint's single file whose digests are right, whatever it says."""
    stored = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    digests = {"header": hashlib.sha256(_canonical(header).encode()).hexdigest(), "tensors": _tensor_digest(stored)}
    return write_text(path, _canonical(header | {"sha256": digests}), stored)


def write_text(path: Path, text: str, arrays: Arrays) -> Path:
    """A checkpoint's single file with any text for its header."""
    path.write_bytes(safetensors.numpy.save(arrays, metadata={"pifnet": text}))
    return path


def changed(header: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """The header with one field, named with dots, of another value."""
    spoiled = copy.deepcopy(header)
    *outer, name = field.split(".")
    place = spoiled
    for step in outer:
        place = place[step]
    place[name] = value
    return spoiled


def spoiled_headers(path: Path) -> Iterator[str]:
    """Write one checkpoint after the other to the path; yields what is wrong in each."""
    header, arrays = sound_checkpoint()
    arguments = [f"hyper_parameters.{name}" for name in (*NUMBERS, "unknown")]
    for fields, values in ((FIELDS, VALUES), (arguments, ODD_NUMBERS)):
        for field, value in product(fields, values):
            write_checkpoint(path, changed(header, field, value), arrays)
            yield f"{field}={value!r}"
    for field in FIELDS[:11]:
        write_checkpoint(path, {name: entry for name, entry in header.items() if name != field}, arrays)
        yield f"no {field}"
    for text in ("NaN", "Infinity", "1e999", "9" * 5000, "[" * 100_000, '{"a":' * 5000, "", "7", "[]", "null"):
        write_text(path, text, arrays)
        yield f"text {text[:9]}"
        write_text(path, f'{{"format":"pifnet checkpoint","version":1,"sha256":{{}},"ratio":{text}}}', arrays)
        yield f"ratio {text[:9]}"


def spoiled_tensors(path: Path) -> Iterator[str]:
    """Likewise, the arrays or their table being wrong."""
    header, arrays = sound_checkpoint()
    picked = [*[name for name in arrays if name.startswith("network.")][::16], *list(arrays)[-4:]]
    for name in picked:
        array = arrays[name]
        spoiled = {
            "NaN": np.full(array.shape, np.nan, np.float32),
            "infinite": np.full(array.shape, np.inf, np.float32),
            "beyond float32": np.full(array.shape, 1e300),
            "zeros of another type": np.zeros(array.shape, np.int8),
            "negative": np.full(array.shape, -1, array.dtype),
            "denormal": np.full(array.shape, 1e-42).astype(array.dtype),
            "empty": np.zeros(0, array.dtype),
            "one more axis": array[None],
            "scalar": np.zeros((), array.dtype),
        }
        for what, other in spoiled.items():
            write_checkpoint(path, header, arrays | {name: other})
            yield f"{name}: {what}"
        write_checkpoint(path, header, {key: other for key, other in arrays.items() if key != name})
        yield f"no {name}"
        write_checkpoint(path, header, {(f"{key}2" if key == name else key): other for key, other in arrays.items()})
        yield f"{name} by another name"
    yield from _spoiled_tables(path, write_checkpoint(path, header, arrays).read_bytes())


def _spoiled_tables(path: Path, sound: bytes) -> Iterator[str]:
    for share in np.linspace(0, 0.999, 20):
        path.write_bytes(sound[: int(share * len(sound))])
        yield f"cut at {share:.3f}"
    for length in (0, 1, 2**24 - 1, 2**27, 2**62, 2**64 - 1):
        path.write_bytes(length.to_bytes(8, "little") + sound[8:])
        yield f"a table of {length} bytes"
    length = int.from_bytes(sound[:8], "little")
    for shape in (
        "[1000000000000]",
        "[0,4611686018427387904,8]",
        "[-1]",
        "[" + "1," * 90 + "8]",
        '["8"]',
        "[18446744073709551615]",
    ):
        table = sound[8 : 8 + length].rstrip().replace(b'"shape":[8]', f'"shape":{shape}'.encode(), 1)
        path.write_bytes(len(table).to_bytes(8, "little") + table + sound[8 + length :])
        yield f"a shape of {shape[:20]}"


def outcomes(path: Path, spoiled: Iterator[str]) -> Iterator[tuple[str, str, float]]:
    """What is wrong, what became of it (`fused`, `refused: ...`, or the name of an exception), and seconds of work."""
    for what in spoiled:
        start = time.process_time()
        yield what, _outcome(path), time.process_time() - start


def _outcome(path: Path) -> str:
    from pifnet_cli.errors import PifnetError

    told = []
    for use in (_described, _fused):
        try:
            use(path)
        except PifnetError as error:
            told.append("refused: several lines" if "\n" in str(error) else f"refused: {error}")
        except BaseException as error:  # the very thing that is looked for
            return f"{use.__name__}: {error!r}"
    return told[-1] if told else "fused"


def _described(path: Path) -> None:
    from pifnet_cli.app import app

    with redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        app(["info", str(path)], standalone_mode=False)


def _fused(path: Path) -> None:
    """As `pifnet fuse` does, with a pair of a few pixels."""
    from pifnet_cli.choices import Device, Precision
    from pifnet_cli.fusion.choose_method import choose_method
    from pifnet_cli.fusion.network import load_engine
    from pifnet_cli.networks.checkpoint import read_header
    from pifnet_cli.scene import Bands
    from pifnet_models.kriging.regression import RegressionSums
    from tiles import pair_tile

    rng = np.random.default_rng(1)
    sums = RegressionSums(hsi_bands=HSI, msi_bands=MSI)
    sums.add(*(rng.uniform(size=(bands, 60)).astype(np.float32) for bands in (HSI, MSI)))
    pair = {"lr_bands": Bands(HSI), "hr_bands": Bands(MSI), "ratio": 4.0, "is_sensor_known": True}
    choose_method(None, (path, read_header(path)), **pair)
    engine = load_engine(path, sums.solve(), device=Device.CPU, precision=Precision.FLOAT32)
    fused = engine.fuse(pair_tile(rng, bands=(HSI, MSI), size=(8, 8))).pixels
    assert fused.shape == (HSI, 8, 8)
    assert np.isfinite(fused).all()


def _bands(count: int) -> dict[str, Any]:
    positions = [400.0 + 50 * band for band in range(count)]
    return {"count": count, "names": None, "wavelengths_nm": positions, "fwhm_nm": [10.0] * count}


def _canonical(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"))


def _tensor_digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode() + arrays[name].tobytes())
    return digest.hexdigest()


def _main(folder: Path) -> None:
    import torch

    torch.set_num_threads(1)
    path = write_checkpoint(folder / "model.safetensors", *sound_checkpoint())
    assert _outcome(path) == "fused"
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MORE_MEMORY, taken + MORE_MEMORY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {kind.__name__: list(outcomes(path, kind(path))) for kind in (spoiled_headers, spoiled_tensors)}
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps(told | {"mebibytes": (after - before) / 1024}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
