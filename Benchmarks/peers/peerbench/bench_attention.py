"""The attention core softmax(q·kᵀ/8)·v: 197 tokens, heads 64 wide.

Ours takes and gives int8 codes. onnxruntime's integer core takes int8 codes (keys already transposed) and gives floats;
OpenVINO and torch compute in float. The ratios name the best integer peer and the best of all.
"""
import numpy as np
import torch

from . import engines, onnx_graphs
from .bridge import ENGINE
from .context import TorchCall
from .measure import Case, Contender
from .shapes import HEAD_DIMENSION, TOKENS, attention_operations

QUICK = {(1, 6), (8, 3)}


def cases(context):
    for batch in (1, 8):
        for heads in (3, 6, 12):
            if not context.quick or (batch, heads) in QUICK:
                yield Case(
                    "attention", f"{heads} heads", f"{batch}×{heads}×{TOKENS}×{HEAD_DIMENSION}",
                    attention_operations(batch, heads),
                    lambda batch=batch, heads=heads: contenders(context, batch, heads))


def contenders(context, batch, heads):
    rng = np.random.default_rng(heads)
    threads, size = context.threads, (batch, heads, TOKENS, HEAD_DIMENSION)
    step = 0.03  # as quantisers of 8 bits learn it for queries and keys
    qkv = rng.integers(-127, 128, (batch * TOKENS, 3 * heads * HEAD_DIMENSION), dtype=np.int8)
    yield Contender(
        ENGINE, ENGINE, "int8", lambda: context.bridge.attention(qkv, batch, heads, TOKENS, step),
        near(qkv, batch, heads, step))

    codes = {
        "q": rng.integers(0, 256, size, dtype=np.uint8),
        "k": rng.integers(-127, 128, (batch, heads, HEAD_DIMENSION, TOKENS), dtype=np.int8),
        "v": rng.integers(-127, 128, size, dtype=np.int8),
    }
    yield Contender(
        "onnxruntime", "onnxruntime MatMulInteger core", "int8",
        lambda: engines.ort(onnx_graphs.integer_attention(*size), codes, threads))
    floats = [rng.standard_normal(size).astype(np.float32) for _ in range(3)]
    for precision in ("f32", "bf16"):
        yield Contender(
            "OpenVINO", f"OpenVINO SDPA {precision}", "float",
            lambda precision=precision: engines.vino(engines.vino_attention(*size), floats, threads, precision))
    q, k, v = (torch.from_numpy(array) for array in floats)
    attend = torch.nn.functional.scaled_dot_product_attention
    yield Contender("torch", "torch SDPA f32", "float", lambda: TorchCall(lambda: attend(q, k, v)))


def near(qkv, batch, heads, step):
    """Integer attention stays near the float function: two codes on average would be a defect."""
    parts = qkv.reshape(batch, TOKENS, 3, heads, HEAD_DIMENSION).transpose(2, 0, 3, 1, 4) * np.float32(step)
    with torch.no_grad():
        mixed = torch.nn.functional.scaled_dot_product_attention(*(torch.from_numpy(part.copy()) for part in parts))
    expected = mixed.numpy().transpose(0, 2, 1, 3).reshape(batch * TOKENS, heads * HEAD_DIMENSION) / (step / 4)

    def fault(result):
        distance = np.abs(result - np.clip(expected, -127, 127)).mean()
        return f"codes are off by {distance:.1f} on average" if distance > 2 else None

    return fault
