"""int8 × int8 products: int32 accumulators, or int8 codes requantised with one factor per row.

Like with like: the same numbers go to everybody, signed or unsigned activations as each engine takes them, and every
result is compared before it is timed: accumulators for equality, requantised codes within one code.
"""
import numpy as np
import torch

from . import engines, onnx_graphs
from .bridge import ENGINE, INT8, INT32, random_weights
from .context import TorchCall
from .measure import Case, Contender
from .shapes import products

QUICK = {("S qkv", 197), ("T proj", 197), ("B fc2", 197), ("S fc1", 1576)}


class Numbers:
    """The operands of one shape and what has to come out."""

    def __init__(self, product):
        rng = np.random.default_rng(product.tokens + product.rows)
        self.row_bits = np.full(product.rows, 8, np.uint8)
        self.weights = random_weights(rng, product.rows, product.depth, self.row_bits)
        size = (product.tokens, product.depth)
        self.inputs = {
            "s8": rng.integers(-127, 128, size, dtype=np.int8), "u8": rng.integers(0, 256, size, dtype=np.uint8)}
        self.products = {}
        # Outputs spread over the codes: three deviations reach the end of the range.
        self.factor = {kind: 127 / (3 * 73 * spread * product.depth**0.5) for kind, spread in (("s8", 73), ("u8", 147))}

    def accumulators(self, kind):
        # Exact in doubles: every partial sum stays below 2^53.
        if kind not in self.products:
            exact = self.inputs[kind].astype(np.float64) @ self.weights.T.astype(np.float64)
            self.products[kind] = exact.astype(np.int32)
        return self.products[kind]

    def exact(self, kind):
        expected = self.accumulators(kind)

        def fault(result):
            wrong = int((result != expected).sum())
            return f"{wrong} of {expected.size} accumulators differ from numpy's" if wrong else None

        return fault

    def close(self, kind, zero=0):
        low, high = (-127, 127) if zero == 0 else (-128, 127)
        expected = np.clip(np.rint(self.accumulators(kind) * self.factor[kind]), low, high)

        def fault(result):
            distance = np.abs(result.astype(np.float64) - zero - expected).max()
            return f"a code is off by {distance:g}" if distance > 1 else None

        return fault


def cases(context):
    for product in products((197, 1576)):
        if not context.quick or (product.name, product.tokens) in QUICK:
            yield Case(
                "gemm", product.name, product.shape, product.operations,
                lambda product=product: contenders(context, product))


def contenders(context, product):
    numbers = Numbers(product)
    yield from ours(context, numbers)
    yield from one_dnn(context, numbers)
    yield from accumulating_peers(context, numbers)
    yield from requantising_peers(context, product, numbers)


def ours(context, numbers):
    for kind, x in numbers.inputs.items():
        def make(form, kind=kind, x=x):
            return lambda: context.bridge.product(x, numbers.weights, numbers.row_bits, form, numbers.factor[kind])

        yield Contender(ENGINE, f"{ENGINE} {kind}s8", "int32", make(INT32), numbers.exact(kind), facts={"input": kind})
        yield Contender(ENGINE, f"{ENGINE} {kind}s8", "int8", make(INT8), numbers.close(kind), facts={"input": kind})


def one_dnn(context, numbers):
    if not context.onednn:
        return
    for kind, x in numbers.inputs.items():
        def make(requantise, kind=kind, x=x):
            return lambda: context.onednn.product(
                x, numbers.weights, requantise, numbers.factor[kind], context.threads)

        yield Contender("oneDNN", f"oneDNN {kind}s8", "int32", make(False), numbers.exact(kind), facts={"input": kind})
        yield Contender("oneDNN", f"oneDNN {kind}s8", "int8", make(True), numbers.close(kind), facts={"input": kind})


def accumulating_peers(context, numbers):
    x = numbers.inputs["u8"]  # onnxruntime has no fast kernel for signed activations on x86
    yield Contender(
        "onnxruntime", "onnxruntime MatMulInteger u8s8", "int32",
        lambda: engines.ort(onnx_graphs.integer_product(x, numbers.weights), {"x": x}, context.threads),
        numbers.exact("u8"), facts={"input": "u8"})

    def int_mm():
        x, w = torch.from_numpy(numbers.inputs["s8"]), torch.from_numpy(numbers.weights).t().contiguous()
        return TorchCall(lambda: torch._int_mm(x, w))

    yield Contender("torch", "torch _int_mm s8s8", "int32", int_mm, numbers.exact("s8"), facts={"input": "s8"})


def requantising_peers(context, product, numbers):
    x, w, factor = numbers.inputs["u8"], numbers.weights, numbers.factor["u8"]
    facts = {"input": "u8"}
    close = numbers.close("u8", zero=128)
    yield Contender(
        "onnxruntime", "onnxruntime QLinearMatMul u8s8", "int8",
        lambda: engines.ort(onnx_graphs.quantised_product(x, w, factor), {"x": x}, context.threads), close, facts=facts)
    yield Contender(
        "OpenVINO", "OpenVINO quantised MatMul u8s8", "int8",
        lambda: engines.vino(onnx_graphs.dequantised_product(x, w, factor), {"x": x}, context.threads), close,
        facts=facts)

    def qlinear():
        tx = torch.from_numpy(x)
        packed = torch.ops.onednn.qlinear_prepack(torch.from_numpy(w), [product.tokens, product.depth])
        row_scales = torch.full((product.rows,), factor)
        zeros = torch.zeros(product.rows, dtype=torch.int32)
        return TorchCall(lambda: torch.ops.onednn.qlinear_pointwise(
            tx, 1.0, 0, packed, row_scales, zeros, None, 1.0, 128, torch.uint8, "none", [], ""))

    yield Contender("torch", "torch qlinear u8s8", "int8", qlinear, close, facts=facts)
