"""Quasar's kernels by ctypes: the dynamic library QuasarPeerBridge.

Load it before torch: its OpenMP entry points must bind to its own runtime, not to the copy torch brings.
"""
import ctypes
import os

import numpy as np

ENGINE = "Quasar"
INT32, INT8 = 0, 1
_pointer, _int = ctypes.c_void_p, ctypes.c_int


class Bridge:
    def __init__(self, path):
        lib = self.lib = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
        lib.qpb_instruction_set.restype = ctypes.c_char_p
        lib.qpb_kernel.restype = ctypes.c_char_p
        lib.qpb_peak_operations.restype = ctypes.c_double
        lib.qpb_peak_operations.argtypes = [ctypes.c_uint64]
        lib.qpb_set_threads.argtypes = [_int]
        lib.qpb_error.argtypes = [ctypes.c_char_p, ctypes.c_ssize_t]
        lib.qpb_run.argtypes = [_pointer, _int]
        lib.qpb_free.argtypes = [_pointer]
        lib.qpb_result.argtypes = [_pointer, _pointer, ctypes.c_ssize_t]
        lib.qpb_result.restype = ctypes.c_ssize_t
        lib.qpb_product.restype = _pointer
        lib.qpb_product.argtypes = [_int, _int, _int, _pointer, _int, _pointer, _pointer, _int, ctypes.c_double]
        lib.qpb_attention.restype = _pointer
        lib.qpb_attention.argtypes = [_int, _int, _int, _int, _pointer, ctypes.c_float]
        lib.qpb_network.restype = _pointer
        lib.qpb_network.argtypes = [ctypes.c_char_p, ctypes.c_char_p, _int]
        lib.qpb_training.restype = _pointer
        lib.qpb_training.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, _int]

    @property
    def instruction_set(self):
        return self.lib.qpb_instruction_set().decode()

    @property
    def kernels(self):
        """Names of the kernels in use by operation."""
        names = ("product", "attention", "layer normalisation")
        return {name: (self.lib.qpb_kernel(i) or b"?").decode() for i, name in enumerate(names)}

    def set_threads(self, threads):
        self.lib.qpb_set_threads(threads)

    def peak_operations(self, iterations):
        return self.lib.qpb_peak_operations(iterations)

    def message(self):
        text = ctypes.create_string_buffer(1000)
        self.lib.qpb_error(text, len(text))
        return text.value.decode()

    def product(self, activations, weights, row_bits, form, factor=1.0):
        """Activations [M, K] (int8 or uint8) times weights [N, K] (int8), 4 or 8 bits a row."""
        (tokens, depth), rows = activations.shape, weights.shape[0]
        unsigned = int(activations.dtype == np.uint8)
        pointers = [np.ascontiguousarray(a) for a in (activations, weights, row_bits)]
        x, w, bits = (a.ctypes.data for a in pointers)
        made = self.lib.qpb_product(tokens, rows, depth, x, unsigned, w, bits, form, factor)
        return Work(self, made, (tokens, rows), np.int32 if form == INT32 else np.int8)

    def attention(self, qkv, batch, heads, tokens, step):
        """int8 codes [batch·tokens, 3·heads·64]."""
        codes = np.ascontiguousarray(qkv)
        width = codes.shape[1] // (3 * heads)
        made = self.lib.qpb_attention(batch, heads, tokens, width, codes.ctypes.data, step)
        return Work(self, made, (batch * tokens, heads * width), np.int8)

    def network(self, name, weight_bits, batch):
        made = self.lib.qpb_network(name.encode(), weight_bits.encode(), batch)
        return Work(self, made, (batch, 1000), np.int32)

    def training(self, name, mode, batch, products="integer8"):
        """One training step, or a cycle over four sub-networks; the result is the loss."""
        made = self.lib.qpb_training(name.encode(), mode.encode(), products.encode(), batch)
        return Work(self, made, (1,), np.float32)


class Work:
    """A handle of the bridge: repeatable, freed with this object."""

    def __init__(self, bridge, handle, shape, dtype):
        self.handle = None
        if not handle:
            raise RuntimeError(bridge.message())
        self.bridge, self.handle, self.shape, self.dtype = bridge, handle, shape, dtype

    def run(self, repeats=1):
        if self.bridge.lib.qpb_run(self.handle, repeats):
            raise RuntimeError(self.bridge.message())

    def result(self):
        out = np.empty(self.shape, self.dtype)
        size = self.bridge.lib.qpb_result(self.handle, out.ctypes.data, out.nbytes)
        if size != out.nbytes:
            raise RuntimeError(f"a result of {size} bytes where {out.nbytes} were expected")
        return out

    def __del__(self):
        if self.handle:
            self.bridge.lib.qpb_free(self.handle)


def scattered_bits(rows, share):
    """8 for a share of the rows, evenly scattered as a ranking of rows would scatter them; 4 for the others."""
    wide = round(rows * share)
    row = np.arange(rows)
    return np.where((row + 1) * wide // rows > row * wide // rows, 8, 4).astype(np.uint8)


def random_weights(rng, rows, depth, row_bits):
    """Codes over the whole symmetric range of each row's bits."""
    limit = np.where(row_bits == 8, 127, 7)[:, None]
    return rng.integers(-limit, limit + 1, (rows, depth)).astype(np.int8)
