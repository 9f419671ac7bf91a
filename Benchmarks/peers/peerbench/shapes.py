"""The shapes of DeiT: widths, layers, and how many operations a whole network takes (2 per product)."""
from dataclasses import dataclass

WIDTHS = {"T": 192, "S": 384, "B": 768}
TOKENS = 197
HEAD_DIMENSION = 64


@dataclass(frozen=True)
class Product:
    """One linear layer: tokens × rows × depth (M × N × K)."""

    model: str
    layer: str
    tokens: int
    rows: int
    depth: int

    @property
    def name(self):
        return f"{self.model} {self.layer}"

    @property
    def shape(self):
        return f"{self.tokens}×{self.rows}×{self.depth}"

    @property
    def operations(self):
        return 2.0 * self.tokens * self.rows * self.depth


def products(tokens, models="TSB"):
    """The four linear layers of a block of each model, for each number of tokens."""
    return [
        Product(model, layer, m, rows * WIDTHS[model], depth * WIDTHS[model])
        for m in tokens
        for model in models
        for layer, rows, depth in (("qkv", 3, 1), ("proj", 1, 1), ("fc1", 4, 1), ("fc2", 1, 4))
    ]


def attention_operations(batch, heads):
    """q·kᵀ and p·v of one layer."""
    return 4.0 * batch * heads * TOKENS * TOKENS * HEAD_DIMENSION


def network_operations(model):
    """Patch embedding, 12 blocks and head for one image."""
    d = WIDTHS[model]
    block = 2.0 * TOKENS * 12 * d * d + attention_operations(1, d // HEAD_DIMENSION)
    return 2.0 * (TOKENS - 1) * 768 * d + 12 * block + 2.0 * d * 1000
