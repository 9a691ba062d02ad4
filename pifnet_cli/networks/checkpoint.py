"""Weights plus everything needed to use them again, in safetensors and JSON; no pickle, and no torch either.

A checkpoint is one safetensors file whose metadata holds a JSON header, or a folder with that file under the name
`weights.safetensors` and a copy of the header, `checkpoint.json`, for people and for programs without safetensors.
Header and tensors carry their own SHA-256: safetensors alone loads flipped bits without a word.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from pifnet_cli import __version__
from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor, Phase, Variant
from pifnet_cli.errors import CheckpointError
from pifnet_cli.networks.header_values import MAX_TEXT_BYTES, Record, checked_fields, plain_json
from pifnet_cli.scene import Bands, band_words

FORMAT = "pifnet checkpoint"
STATE_FORMAT = "pifnet training state"
VERSION = 1
METADATA_KEY = "pifnet"
WEIGHTS_FILE = "weights.safetensors"
HEADER_FILE = "checkpoint.json"
STATE_FILE = "state.safetensors"

LENGTH_BYTES = 8  # at the start of a safetensors file: how long its table is

RATIO_TOLERANCE = 0.05
WAVELENGTH_TOLERANCE_NM = 1.0  # headers round; never less than this, more where bands are wide
WAVELENGTH_TOLERANCE_FWHM = 0.5

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Header:
    """What a checkpoint says about itself.

    Attributes:
        method: Name of the network.
        variant: What the network predicts: `anchored` a correction of the anchor, `paper` the image.
        hyper_parameters: Arguments of the network's constructor.
        hsi_bands: Bands it was trained on, as `bands_record` describes them.
        msi_bands: Likewise.
        ratio: GSD of LR-HSI / GSD of HR-MSI.
        sensor: The sensor model of its training pairs: all that `simulate` records, or protocol and MTF of real ones;
            None where it is not known.
        scale: Root mean square of the training HR-MSI; the network itself sees each pair divided by its own (`paper`).
        training: How it was trained and what it gained on held-out area.
        anchor: The closed-form estimate that the network starts from; `none` where that is interpolation.
        phase: Where LR pixels were taken to lie, `true` or `naive`.
    """

    method: Method
    variant: Variant
    hyper_parameters: Record
    hsi_bands: Record
    msi_bands: Record
    ratio: float
    sensor: Record | None
    scale: float
    training: Record = field(default_factory=dict)
    anchor: Anchor = Anchor.REGRESSION
    phase: Phase = Phase.TRUE

    @property
    def gain_db(self) -> float | None:
        """PSNR over the anchor on held-out area, as the training recorded it."""
        gain = self.training.get("gain_db")
        return None if gain is None else float(gain)

    @property
    def compared_with(self) -> Anchor:
        """What `gain_db` is over: the network's anchor, or the regression where it has none."""
        return Anchor.KRIGING if self.anchor is Anchor.KRIGING else Anchor.REGRESSION

    @property
    def takes_blocks(self) -> bool:
        """Whether the network takes LR pixels as blocks of HR pixels; it is built for a ratio then."""
        return "ratio" in self.hyper_parameters


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A header with its tensors: `weights` by parameter name, and the `constants` of the variant (basis arrays)."""

    header: Header
    weights: Arrays
    constants: Arrays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingState:
    """All that `--resume` needs beyond the inputs: a JSON record and named tensors."""

    record: Record
    arrays: Arrays


def bands_record(bands: Bands) -> Record:
    """A scene's bands as JSON values, wavelengths in nanometres."""
    wavelengths, fwhm = bands.wavelengths_nm, bands.fwhm_nm
    return {
        "count": bands.count,
        "names": None if bands.names is None else list(bands.names),
        "wavelengths_nm": None if wavelengths is None else wavelengths.tolist(),
        "fwhm_nm": None if fwhm is None else fwhm.tolist(),
    }


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint: a single file where `path` ends in `.safetensors`, else a folder. Replaces an older one.

    Raises:
        CheckpointError: The place cannot be written.
    """
    arrays = {f"network.{name}": array for name, array in checkpoint.weights.items()}
    arrays |= {f"constant.{name}": array for name, array in checkpoint.constants.items()}
    record = {"format": FORMAT, "version": VERSION, "software": f"pifnet {__version__}", **asdict(checkpoint.header)}
    is_file = path.suffix == ".safetensors"
    text = _save_tensors(path if is_file else path / WEIGHTS_FILE, arrays, record)
    if not is_file:
        _replace(path / HEADER_FILE, json.dumps(json.loads(text), indent=1).encode())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint, folder or single file.

    Raises:
        CheckpointError: It is absent, damaged, of another format or of a newer version.
    """
    file = _weights_file(path)
    record, arrays = _load_tensors(file, FORMAT)
    _require_same_header(path, record)
    header = _header(file, record)
    _require_finite(file, arrays)
    weights = {name.removeprefix("network."): array for name, array in arrays.items() if name.startswith("network.")}
    constants = {
        name.removeprefix("constant."): array for name, array in arrays.items() if name.startswith("constant.")
    }
    return Checkpoint(header=header, weights=weights, constants=constants)


def read_header(path: Path) -> Header:
    """The header alone, with its own digest verified; the tensors are not read.

    Raises:
        CheckpointError: As `load_checkpoint`, as far as the header shows it.
    """
    return _header(_weights_file(path), header_record(path))


def header_record(path: Path) -> Record:
    """All that `read_header` reads, format and version included, as JSON values.

    Raises:
        CheckpointError: As `read_header`.
    """
    file = _weights_file(path)
    record = _verified_record(file, _metadata(file), FORMAT)
    _require_same_header(path, record)
    _header(file, record)
    return record


def is_checkpoint(path: Path) -> bool:
    """Whether a path looks like a checkpoint at all: a folder with weights, or a safetensors file."""
    return (path / WEIGHTS_FILE).is_file() or (path.is_file() and path.suffix == ".safetensors")


def save_state(folder: Path, state: TrainingState) -> None:
    """Write the training state into the checkpoint's folder, in one file, so that it is never half new.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    _save_tensors(
        folder / STATE_FILE, state.arrays, {"format": STATE_FORMAT, "version": VERSION, "state": state.record}
    )


def load_state(folder: Path) -> TrainingState:
    """Read and verify a training state.

    Raises:
        CheckpointError: There is none, or it is damaged.
    """
    file = folder / STATE_FILE
    if not file.is_file():
        raise CheckpointError(f"{folder}: holds no {STATE_FILE} to resume from; train without --resume first")
    record, arrays = _load_tensors(file, STATE_FORMAT)
    return TrainingState(record=record["state"], arrays=arrays)


def require_fits(header: Header, *, hsi_bands: Bands, msi_bands: Bands, ratio: float, name: str) -> None:
    """Refuse a scene pair that a checkpoint was not trained for.

    Args:
        header: From `read_header`.
        hsi_bands: Bands of the LR-HSI.
        msi_bands: Bands of the HR-MSI.
        ratio: GSD of LR-HSI / GSD of HR-MSI.
        name: The checkpoint, for the message.

    Raises:
        CheckpointError: Band counts, wavelengths or ratio differ; the message names both sides.
    """
    _require_bands(header.hsi_bands, hsi_bands, f"{name}: was trained on an LR-HSI of")
    _require_bands(header.msi_bands, msi_bands, f"{name}: was trained on an HR-MSI of")
    trained = float(header.ratio)
    if abs(ratio / trained - 1) > RATIO_TOLERANCE:
        raise CheckpointError(
            f"{name}: was trained at ratio {trained:g}, the pair has {ratio:.3g}; "
            f"train one at this ratio, or leave the checkpoint out"
        )


def _require_bands(trained: Mapping[str, Any], bands: Bands, start: str) -> None:
    if trained["count"] != bands.count:
        raise CheckpointError(
            f"{start} {trained['count']} bands, the scene has {bands.count}; "
            f"train one for these bands, or leave the checkpoint out"
        )
    wavelengths = bands.wavelengths_nm
    if trained["wavelengths_nm"] is not None and bands.without_wavelength:
        raise CheckpointError(
            f"{start} known wavelengths, the scene has none for {band_words(bands.without_wavelength)}; add it to the "
            "file, or leave the checkpoint out"
        )
    if trained["wavelengths_nm"] is None or wavelengths is None:
        return
    known = np.asarray(trained["wavelengths_nm"], dtype=np.float64)
    fwhm = np.zeros(bands.count) if trained["fwhm_nm"] is None else np.asarray(trained["fwhm_nm"], dtype=np.float64)
    tolerance = np.maximum(WAVELENGTH_TOLERANCE_NM, WAVELENGTH_TOLERANCE_FWHM * fwhm)
    excess = np.abs(known - wavelengths) - tolerance
    if (excess > 0).any():
        worst = int(np.argmax(excess))
        raise CheckpointError(
            f"{start} other wavelengths: its band {worst + 1} is at {known[worst]:.1f} nm, the scene's at "
            f"{wavelengths[worst]:.1f} nm; train one for these bands, or leave the checkpoint out"
        )


def _save_tensors(path: Path, arrays: Arrays, record: Record) -> str:
    """Write one safetensors file; returns the header's JSON."""
    stored = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    digests = {"header": _record_digest(record), "tensors": _tensor_digest(stored)}
    text = _canonical({**record, "sha256": digests})
    _replace(path, safetensors.numpy.save(stored, metadata={METADATA_KEY: text}))
    return text


def _load_tensors(path: Path, expected_format: str) -> tuple[Record, dict[str, NDArray[Any]]]:
    record = _verified_record(path, _metadata(path), expected_format)
    try:
        with safetensors.safe_open(path, framework="np") as stored:
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dictionary
    except (safetensors.SafetensorError, OSError, TypeError, AttributeError, ValueError) as error:
        # The last three are number types that NumPy lacks, and shapes beyond its limits.
        raise _damaged(path, str(error)) from error
    if _tensor_digest(arrays) != record["sha256"]["tensors"]:
        raise _damaged(path, "its tensors do not match their SHA-256")
    return record, arrays


def _metadata(path: Path) -> str:
    """The JSON text in a safetensors file's metadata."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        if length > MAX_TEXT_BYTES:
            raise _damaged(path, f"its table would be {length} bytes long")
        with safetensors.safe_open(path, framework="np") as stored:
            metadata = stored.metadata() or {}
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except safetensors.SafetensorError as error:
        raise _damaged(path, f"not a safetensors file: {error}") from error
    if METADATA_KEY not in metadata:
        raise CheckpointError(f"{path}: a safetensors file, but not one of pifnet; train one with: pifnet train")
    return str(metadata[METADATA_KEY])


def _verified_record(path: Path, text: str, expected_format: str) -> Record:
    try:
        record = plain_json(text)
    except ValueError as error:
        raise _damaged(path, f"its header is no JSON: {error}") from error
    if not isinstance(record, dict) or record.get("format") != expected_format:
        found = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise CheckpointError(f"{path}: holds {found!r}, but {expected_format!r} was expected")
    if record.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: is of version {record.get('version')!r}, this pifnet reads version {VERSION}; update pifnet"
        )
    digests = record.get("sha256")
    if not isinstance(digests, dict) or "tensors" not in digests or digests.get("header") != _record_digest(record):
        raise _damaged(path, "its header does not match its SHA-256")
    return record


def _header(path: Path, record: Record) -> Header:
    try:
        return Header(**checked_fields(record))
    except KeyError as error:
        raise _damaged(path, f"its header lacks {error}") from error
    except ValueError as error:
        raise _damaged(path, f"in its header, {error}") from error


def _require_finite(path: Path, arrays: Arrays) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise _damaged(path, f"its array {name} holds NaN or infinite numbers")


def _weights_file(path: Path) -> Path:
    if path.is_dir():
        if not (path / WEIGHTS_FILE).is_file():
            raise CheckpointError(f"{path}: holds no {WEIGHTS_FILE}; a folder written by pifnet train was expected")
        return path / WEIGHTS_FILE
    if not path.exists():
        raise CheckpointError(f"{path}: does not exist; a checkpoint, folder or .safetensors file, was expected")
    if not path.is_file():
        raise CheckpointError(f"{path}: is no regular file; a checkpoint was expected; copy it to disk first")
    return path


def _require_same_header(path: Path, record: Record) -> None:
    """In a folder, `checkpoint.json` must be the copy that was written with the weights."""
    copy = path / HEADER_FILE
    if not path.is_dir():
        return
    remedy = f"delete it, or name {path / WEIGHTS_FILE} itself, which is complete"
    try:
        if copy.is_file() and plain_json(copy.read_bytes()) != record:
            raise CheckpointError(f"{copy}: does not belong to {WEIGHTS_FILE} beside it; {remedy}")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{copy}: is damaged ({error}); {remedy}") from error


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path}: is damaged or no checkpoint ({reason}); restore it from a copy or train again")


def _canonical(record: Record) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _record_digest(record: Record) -> str:
    return hashlib.sha256(_canonical({k: v for k, v in record.items() if k != "sha256"}).encode()).hexdigest()


def _tensor_digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Put `content` under `path` at once: a reader sees the old file or the new one, never a part."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):  # gone already, unless something failed
            partial.unlink()
