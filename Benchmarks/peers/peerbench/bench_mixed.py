"""Row-mixed products against their own parts: 8-bit rows scattered among 4-bit rows.

The mean of the parts weighs our pure 4-bit and 8-bit times of the same turns by their rows; 1.00 would mean that mixing
costs nothing. No peer has this product.
"""
import numpy as np

from .bridge import ENGINE, INT8, random_weights, scattered_bits
from .measure import Case, Contender
from .shapes import products

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
QUICK = {("T qkv", 197), ("S fc1", 197)}


def cases(context):
    for product in products((197, 1576)):
        if not context.quick or (product.name, product.tokens) in QUICK:
            yield Case(
                "mixed", product.name, product.shape, product.operations,
                lambda product=product: contenders(context, product))


def contenders(context, product):
    rng = np.random.default_rng(product.rows)
    codes = rng.integers(-127, 128, (product.tokens, product.depth), dtype=np.int8)
    factor = 127 / (3 * 73 * 73 * product.depth**0.5)
    for share in SHARES:
        bits = scattered_bits(product.rows, share)
        weights = random_weights(rng, product.rows, product.depth, bits)
        expected = np.clip(np.rint(codes.astype(np.float64) @ weights.T.astype(np.float64) * factor), -127, 127)

        def close(result, expected=expected):
            distance = np.abs(result - expected).max()
            return f"a code is off by {distance:g}" if distance > 1 else None

        yield Contender(
            ENGINE, f"{ENGINE} {share:.0%} 8-bit", "int8",
            lambda weights=weights, bits=bits: context.bridge.product(codes, weights, bits, INT8, factor),
            close, facts={"share": share, "true_share": float((bits == 8).mean())})
