"""Products with 4-bit weights.

Ours takes int8 codes and gives int8 codes. No peer has that form: they take floats, quantise them to int8 on the fly
and give floats; their weights have a scale per group of 32 or per row. So the ratio compares what a user gets for the
same layer, not the same arithmetic. For one token a call takes microseconds; what an empty call through Python costs is
measured in the same turns and taken off the peers that are called that way.
"""
import numpy as np

from . import engines, onnx_graphs
from .bridge import ENGINE, INT8, random_weights
from .measure import Case, Contender
from .shapes import products

QUICK = {("S qkv", 1), ("S qkv", 197), ("S fc2", 1576)}
WHOLE_ROW = str(2**64 - 1)  # OpenVINO: one activation scale for each row


def cases(context):
    for product in products((1, 197, 1576)):
        if not context.quick or (product.name, product.tokens) in QUICK:
            yield Case(
                "int4", product.name, product.shape, product.operations,
                lambda product=product: contenders(context, product))


def contenders(context, product):
    tokens, rows, depth = product.tokens, product.rows, product.depth
    rng = np.random.default_rng(rows + depth)
    bits = np.full(rows, 4, np.uint8)
    weights = random_weights(rng, rows, depth, bits)
    codes = rng.integers(-127, 128, (tokens, depth), dtype=np.int8)
    floats = rng.standard_normal((tokens, depth)).astype(np.float32)
    expected = codes.astype(np.float64) @ weights.T.astype(np.float64)
    factor = 127 / (3 * 73 * 4.3 * depth**0.5)

    def close(result):
        distance = np.abs(result - np.clip(np.rint(expected * factor), -127, 127)).max()
        return f"a code is off by {distance:g}" if distance > 1 else None

    yield Contender(ENGINE, ENGINE, "int8", lambda: context.bridge.product(codes, weights, bits, INT8, factor), close)

    if context.ggml:
        yield Contender(
            "ggml", "ggml Q4_0 repacked", "float",
            lambda: context.ggml.product(floats, weights / 8.0, context.threads),
            relative(floats @ (weights.T / 8.0)))
    few = tokens == 1

    def ort_empty():
        return engines.ort(onnx_graphs.empty_call(), {"x": np.zeros(1, np.float32)}, context.threads)

    def vino_empty():
        return engines.vino(onnx_graphs.empty_call(), {"x": np.zeros(1, np.float32)}, context.threads)

    for block in (32, 64):
        yield Contender(
            "onnxruntime", f"onnxruntime MatMulNBits block {block}", "float",
            lambda block=block: engines.ort(
                onnx_graphs.four_bit_product(tokens, rows, depth, block, rng), {"x": floats}, context.threads),
            make_empty=ort_empty if few else None)
    for name, group, dynamic in (("group 32", 32, "32"), ("row scales", depth, WHOLE_ROW)):
        yield Contender(
            "OpenVINO", f"OpenVINO W4A8 {name}", "float",
            lambda group=group, dynamic=dynamic: engines.vino(
                engines.vino_four_bit(tokens, rows, depth, group, rng), [floats], context.threads,
                DYNAMIC_QUANTIZATION_GROUP_SIZE=dynamic),
            make_empty=vino_empty if few else None)


def relative(expected):
    """Quantised products stay near the float product: within a quarter of its deviation on average."""
    def fault(result):
        error = np.abs(result - expected).mean() / expected.std()
        return f"mean error {error:.2f} of the deviation" if error > 0.25 else None

    return fault
