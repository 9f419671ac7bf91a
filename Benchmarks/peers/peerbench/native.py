"""oneDNN and ggml by ctypes: small libraries that `build-native` makes; either may be missing."""
import ctypes
import os

import numpy as np

_pointer, _int = ctypes.c_void_p, ctypes.c_int


class Native:
    """What both libraries share: run, result, free, error, version."""

    def __init__(self, folder, file):
        path = os.path.join(folder, file)
        if not os.path.exists(path):
            raise RuntimeError("not built on this machine")
        lib = self.lib = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
        for name in ("peer_version", "peer_error"):
            getattr(lib, name).restype = ctypes.c_char_p
        lib.peer_product.restype = _pointer
        lib.peer_run.argtypes = [_pointer, _int]
        lib.peer_result.argtypes = [_pointer, _pointer, ctypes.c_size_t]
        lib.peer_free.argtypes = [_pointer]
        self.version = lib.peer_version().decode()

    def work(self, handle, shape, dtype):
        if not handle:
            raise RuntimeError(self.lib.peer_error().decode())
        return NativeWork(self.lib, handle, shape, dtype)


class NativeWork:
    def __init__(self, lib, handle, shape, dtype):
        self.lib, self.handle, self.shape, self.dtype = lib, handle, shape, dtype

    def run(self, repeats=1):
        if self.lib.peer_run(self.handle, repeats):
            raise RuntimeError(self.lib.peer_error().decode())

    def result(self):
        out = np.empty(self.shape, self.dtype)
        self.lib.peer_result(self.handle, out.ctypes.data, out.nbytes)
        return out

    def __del__(self):
        self.lib.peer_free(self.handle)


class OneDNN(Native):
    def __init__(self, folder):
        super().__init__(folder, "libonednn_peer.so")
        self.lib.peer_product.argtypes = [
            _int, _int, _int, _pointer, _int, _pointer, _int, ctypes.c_float, _int]

    def product(self, activations, weights, requantise, factor, threads):
        x, w = np.ascontiguousarray(activations), np.ascontiguousarray(weights)
        (tokens, depth), rows = x.shape, w.shape[0]
        made = self.lib.peer_product(
            tokens, rows, depth, x.ctypes.data, int(x.dtype == np.uint8), w.ctypes.data, int(requantise), factor,
            threads)
        return self.work(made, (tokens, rows), np.int8 if requantise else np.int32)


class GGML(Native):
    def __init__(self, folder):
        super().__init__(folder, "libggml_peer.so")
        self.lib.peer_product.argtypes = [_int, _int, _int, _pointer, _pointer, _int]

    def product(self, activations, weights, threads):
        """float in, float out; weights become Q4_0 in the repacked layout."""
        x, w = (np.ascontiguousarray(a, np.float32) for a in (activations, weights))
        (tokens, depth), rows = x.shape, w.shape[0]
        made = self.lib.peer_product(tokens, rows, depth, x.ctypes.data, w.ctypes.data, threads)
        return self.work(made, (tokens, rows), np.float32)
