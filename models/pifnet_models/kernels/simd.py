"""Sixteen float32 numbers at a time, for numba kernels whose loops LLVM would not vectorise by itself.

`Lanes` values live in vector registers. One is a 512-bit register where the processor has them, and two, four or more
narrower ones elsewhere: LLVM splits it. Arrays are given by their address: numba counts references to arrays, which
would cost more than the arithmetic. Nothing checks bounds: rows must hold a multiple of `LANES` numbers.
"""

import math
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

LANES = 16
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_ROUNDING = 1.5 * 2.0**23  # a float32 this large has no fraction bits: adding it rounds to an integer
_LARGEST_EXPONENT, _SMALLEST_EXPONENT = 88.0, -87.0  # exp of these is still a normal float32


inlined: Any = njit(forceinline=True)  # for the parts that kernels are made of
_operation: Any = intrinsic


def compiled(kernel: Callable[..., None]) -> Any:
    """Compile a kernel on first use; keep the result on disk where any folder for it can be written.

    Arguments must be of numba's own types: it would look for ours by name when it reads what it kept, and fail where a
    later version has none of that name.
    """
    # Numba keeps a result until the kernel's own file changes. Kernels are made of parts from several files.
    kernel.__qualname__ += f"_{_sources_checksum():08x}"
    try:
        return njit(nogil=True, cache=True)(kernel)
    except RuntimeError:  # numba: "no locator available": a read-only installation without a home
        return njit(nogil=True)(kernel)


@cache
def _sources_checksum() -> int:
    """A number that changes when any source file beside or below this one does."""
    return zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py"))))


class LanesType(types.Type):
    """The numba type of a `Lanes` value."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, numba_type: LanesType) -> None:
        super().__init__(manager, numba_type, _FLOATS)


_lanes = LanesType()


def _fitted(function: Callable[[np.ndarray], np.ndarray], degree: int, first: float, last: float) -> list[float]:
    """Coefficients, constant first, of the Chebyshev interpolation of `function` between two arguments."""
    fit = np.polynomial.Chebyshev.interpolate(function, degree, domain=[first, last])
    return fit.convert(kind=np.polynomial.Polynomial).coef.tolist()


# log 2 in two parts: the first has so few bits that its products with exponents are exact.
_LOG_TWO = (355 / 512, math.log(2) - 355 / 512)
# e^r for |r| <= log 2 / 2, and log(1 + w) / w for w in [0, 1], both to float32 rounding.
_EXPONENTIAL = _fitted(np.exp, 6, -math.log(2) / 2, math.log(2) / 2)
_LOG_ONE_PLUS = _fitted(lambda w: np.log1p(w) / w, 9, 1e-9, 1.0)


@_operation
def load(_context: Any, address: Any, index: Any) -> Any:
    """Sixteen numbers from `index` on, of the float32 array that starts at `address`."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, values, _FLOATS), align=4)

    return _lanes(address, index), generate


@_operation
def store(_context: Any, address: Any, index: Any, value: Any) -> Any:
    """Write sixteen numbers from `index` on, into the float32 array that starts at `address`."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _pointer(context, builder, signature, values, _FLOATS), align=4)
        return context.get_dummy_value()

    return types.void(address, index, value), generate


@_operation
def load_spread(_context: Any, address: Any, index: Any) -> Any:
    """The number at `index` of the float32 array that starts at `address`, in every lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = builder.load(_pointer(context, builder, signature, values, ir.FloatType()), align=4)
        return _spread(builder, number)

    return _lanes(address, index), generate


@_operation
def store_sum(_context: Any, address: Any, index: Any, value: Any) -> Any:
    """Write the sum of the sixteen lanes at `index` of the float32 array that starts at `address`."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        form = ir.FunctionType(ir.FloatType(), [ir.FloatType(), _FLOATS])
        add = cgutils.get_or_insert_function(builder.module, form, f"llvm.vector.reduce.fadd.v{LANES}f32")
        total = builder.call(add, [ir.FloatType()(0.0), values[2]], fastmath=("reassoc",))
        builder.store(total, _pointer(context, builder, signature, values, ir.FloatType()), align=4)
        return context.get_dummy_value()

    return types.void(address, index, value), generate


@_operation
def zeros(_context: Any) -> Any:
    """Zero in every lane."""
    return _lanes(), lambda _c, _b, _s, _v: _constant(0.0)


@_operation
def multiply(_context: Any, _first: Any, _second: Any) -> Any:
    """`first * second`."""
    return _lanes(_lanes, _lanes), lambda _c, builder, _s, values: builder.fmul(*values)


@_operation
def add(_context: Any, _first: Any, _second: Any) -> Any:
    """`first + second`."""
    return _lanes(_lanes, _lanes), lambda _c, builder, _s, values: builder.fadd(*values)


@_operation
def multiply_add(_context: Any, _first: Any, _second: Any, _addend: Any) -> Any:
    """`first * second + addend`."""
    return _lanes(_lanes, _lanes, _lanes), lambda _c, builder, _s, values: _fused(builder, *values)


@_operation
def exponential(_context: Any, _value: Any) -> Any:
    """e^value to float32 rounding, for arguments from -87 to 88; constant beyond."""
    return _lanes(_lanes), lambda _c, builder, _s, values: _exponential(builder, values[0])


@_operation
def softplus(_context: Any, _value: Any) -> Any:
    """log(1 + e^value) to float32 rounding."""

    def generate(_c: Any, builder: Any, _s: Any, values: Any) -> Any:
        # max(x, 0) + log(1 + w) with w = e^-|x|: small w keep their digits.
        w = _exponential(builder, builder.fneg(_call(builder, "fabs", values[0])))
        positive = _call(builder, "maxnum", values[0], _constant(0.0))
        return _fused(builder, w, _polynomial(builder, _LOG_ONE_PLUS, w), positive)

    return _lanes(_lanes), generate


@_operation
def sigmoid(_context: Any, _value: Any) -> Any:
    """1 / (1 + e^-value) to float32 rounding."""

    def generate(_c: Any, builder: Any, _s: Any, values: Any) -> Any:
        one = _constant(1.0)
        return builder.fdiv(one, builder.fadd(one, _exponential(builder, builder.fneg(values[0]))))

    return _lanes(_lanes), generate


def _pointer(context: Any, builder: Any, signature: Any, values: Any, kind: Any) -> Any:
    """The address of element `values[1]` of the float32 array at `values[0]`, as a pointer to `kind`."""
    start, index = (context.cast(builder, values[i], signature.args[i], types.intp) for i in range(2))
    place = builder.gep(builder.inttoptr(start, ir.FloatType().as_pointer()), [index])
    return builder.bitcast(place, kind.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    empty = ir.Constant(_FLOATS, ir.Undefined)
    return builder.shuffle_vector(
        builder.insert_element(empty, number, ir.IntType(32)(0)), empty, ir.Constant(_INTEGERS, [0] * LANES)
    )


def _constant(value: float) -> Any:
    return ir.Constant(_FLOATS, [float(np.float32(value))] * LANES)


def _call(builder: Any, name: str, *arguments: Any) -> Any:
    """An elementwise LLVM intrinsic on `Lanes`."""
    form = ir.FunctionType(_FLOATS, [_FLOATS] * len(arguments))
    return builder.call(
        cgutils.get_or_insert_function(builder.module, form, f"llvm.{name}.v{LANES}f32"), list(arguments)
    )


def _fused(builder: Any, first: Any, second: Any, addend: Any) -> Any:
    return _call(builder, "fmuladd", first, second, addend)


def _polynomial(builder: Any, coefficients: list[float], variable: Any) -> Any:
    value = _constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = _fused(builder, value, variable, _constant(coefficient))
    return value


def _exponential(builder: Any, value: Any) -> Any:
    """e^x = 2^k e^r with k = round(x / log 2): the integer k, still in the low bits of a sum, moves to the exponent."""
    bounded = _call(builder, "minnum", value, _constant(_LARGEST_EXPONENT))
    bounded = _call(builder, "maxnum", bounded, _constant(_SMALLEST_EXPONENT))
    shifted = _fused(builder, bounded, _constant(1 / math.log(2)), _constant(_ROUNDING))
    whole = builder.fsub(shifted, _constant(_ROUNDING))
    rest = _fused(builder, whole, _constant(-_LOG_TWO[0]), bounded)
    rest = _fused(builder, whole, _constant(-_LOG_TWO[1]), rest)
    power = _polynomial(builder, _EXPONENTIAL, rest)
    exponent = builder.shl(builder.bitcast(shifted, _INTEGERS), ir.Constant(_INTEGERS, [23] * LANES))
    return builder.bitcast(builder.add(builder.bitcast(power, _INTEGERS), exponent), _FLOATS)
