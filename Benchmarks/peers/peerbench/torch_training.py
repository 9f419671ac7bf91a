"""Vision transformers in torch whose weights are slices of a supernet, with fake quantisation, as training steps."""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

HEAD = 64


@dataclass(frozen=True)
class Shape:
    """One sub-network: widths of the whole and of every block."""

    image: int
    patch: int
    classes: int
    width: int
    heads: tuple
    hidden: tuple
    channels: int = 3
    head: int = HEAD

    @property
    def tokens(self):
        return (self.image // self.patch) ** 2 + 1


def largest(name):
    image, patch, classes, width, depth, ratio = {
        "vit-cifar": (32, 4, 10, 192, 9, 2), "deit-t": (224, 16, 1000, 192, 12, 4),
        "deit-s": (224, 16, 1000, 384, 12, 4)}[name]
    return Shape(image, patch, classes, width, (width // HEAD,) * depth, (width * ratio,) * depth)


def cycle(name, supernet):
    """The largest network, or the four sub-networks of `TrainingStepWork.cycle`."""
    top = largest(name)
    if not supernet:
        return [top]
    depth, ratio = len(top.heads), top.hidden[0] / top.width
    shapes = []
    for i, (width, blocks) in enumerate([
            (top.width, depth), (top.width * 2 // 3, depth - 3), (top.width * 5 // 6, depth - 1),
            (top.width, depth - 2)]):
        heads, hidden = [], []
        for block in range(blocks):
            if i == 0:
                fewer, share = 0, 1.0
            elif i == 1:
                fewer, share = 1, 0.5
            else:
                fewer, share = (block + i) % 2, (1.0, 0.75, 0.5)[(block + i) % 3]
            heads.append(max(1, top.heads[0] - fewer))
            hidden.append(max(8, int(width * ratio * share / 8 + 0.5) * 8))
        shapes.append(Shape(top.image, top.patch, top.classes, width, tuple(heads), tuple(hidden)))
    return shapes


def operations(shape):
    """Two for every product of a forward pass."""
    products = (shape.tokens - 1) * 3 * shape.patch ** 2 * shape.width + shape.width * shape.classes
    for heads, hidden in zip(shape.heads, shape.hidden):
        inner = heads * HEAD
        products += shape.tokens * (4 * inner * shape.width + 2 * shape.width * hidden)
        products += 2 * shape.tokens ** 2 * inner
    return 2 * products


def fake_quantise(x, step, low, high):
    """step·clamp(round(x/step), low, high): straight through inside the clamp, and LSQ's gradient for the step."""
    # A clamp passes the whole gradient of a value on a limit, where the largest weight of a row lies; a minimum of a
    # maximum would halve it.
    scaled = torch.clamp(x / step, low, high)
    return (scaled + (scaled.round() - scaled).detach()) * step


class PlainStep(nn.Module):
    """An 8-bit activation quantiser with a learned step, out of elementary operations (LSQ)."""

    def __init__(self):
        super().__init__()
        self.step = nn.Parameter(torch.tensor(0.03))

    def forward(self, x):
        share = 1 / math.sqrt(x.numel() * 127)
        step = self.step * share + (self.step * (1 - share)).detach()
        return fake_quantise(x, step, -128, 127)


class FusedStep(nn.Module):
    """The same with torch's own operation."""

    def __init__(self):
        super().__init__()
        self.step = nn.Parameter(torch.tensor([0.03]))
        self.register_buffer("zero", torch.zeros(1))

    def forward(self, x):
        return torch._fake_quantize_learnable_per_tensor_affine(
            x, self.step, self.zero, -128, 127, 1 / math.sqrt(x.numel() * 127))


class Linear(nn.Linear):
    """The leading outputs and inputs; every other row of 4 bits, scaled by its largest weight."""

    def __init__(self, inputs, outputs, quantiser):
        super().__init__(inputs, outputs)
        self.quantiser = quantiser
        limits = torch.full((outputs, 1), 127.0)
        limits[1::2] = 7.0
        self.register_buffer("limits", limits)
        self.register_buffer("zeros", torch.zeros(outputs, dtype=torch.int32))
        if quantiser != "none":
            self.input = PlainStep() if quantiser == "plain" else FusedStep()

    def forward(self, x, rows, inputs):
        weight, bias = self.weight[rows][:, :inputs], self.bias[rows]
        if self.quantiser == "none":
            return functional.linear(x, weight, bias)
        limits = self.limits[rows]
        step = (weight.detach().abs().amax(1, keepdim=True) / limits).clamp_min(1e-8)
        if self.quantiser == "fused":
            # torch's operation has one range for all rows: two calls, one for each precision.
            fake, zeros = torch.fake_quantize_per_channel_affine, self.zeros[:(len(step) + 1) // 2]
            wide = fake(weight[0::2], step[0::2, 0], zeros, 0, -127, 127)
            narrow = fake(weight[1::2], step[1::2, 0], zeros[:len(step) // 2], 0, -7, 7)
            weight = torch.stack((wide, narrow), 1).reshape(len(step), -1)
        else:
            weight = fake_quantise(weight, step, -limits, limits)
        return functional.linear(self.input(x), weight, bias)


class Norm(nn.LayerNorm):
    def forward(self, x, width):
        return functional.layer_norm(x, (width,), self.weight[:width], self.bias[:width], self.eps)


class Block(nn.Module):
    def __init__(self, width, inner, hidden, quantiser):
        super().__init__()
        self.inner = inner
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.qkv, self.projection = Linear(width, 3 * inner, quantiser), Linear(inner, width, quantiser)
        self.expand, self.contract = Linear(width, hidden, quantiser), Linear(hidden, width, quantiser)

    def forward(self, x, width, heads, hidden):
        images, tokens, _ = x.shape
        inner = heads * HEAD
        if inner == self.inner:
            rows = slice(0, 3 * inner)
        else:
            rows = torch.cat([torch.arange(inner) + part * self.inner for part in range(3)])
        qkv = self.qkv(self.norm1(x, width), rows, width)
        q, k, v = qkv.view(images, tokens, 3, heads, HEAD).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(images, tokens, inner)
        x = x + self.projection(mixed, slice(0, width), inner)
        between = functional.gelu(self.expand(self.norm2(x, width), slice(0, hidden), width))
        return x + self.contract(between, slice(0, width), hidden)


class Supernet(nn.Module):
    def __init__(self, top, quantiser):
        super().__init__()
        self.patches = nn.Conv2d(3, top.width, top.patch, top.patch)
        self.token = nn.Parameter(torch.zeros(1, 1, top.width))
        self.position = nn.Parameter(torch.randn(1, top.tokens, top.width) * 0.02)
        self.blocks = nn.ModuleList(
            Block(top.width, heads * HEAD, hidden, quantiser) for heads, hidden in zip(top.heads, top.hidden))
        self.norm, self.head = Norm(top.width), nn.Linear(top.width, top.classes)

    def forward(self, x, shape):
        width = shape.width
        x = functional.conv2d(x, self.patches.weight[:width], self.patches.bias[:width], shape.patch)
        x = x.flatten(2).transpose(1, 2)
        tokens = self.token[..., :width].expand(len(x), -1, -1)
        x = torch.cat([tokens, x], 1) + self.position[..., :width]
        for block, heads, hidden in zip(self.blocks, shape.heads, shape.hidden):
            x = block(x, width, heads, hidden)
        return functional.linear(self.norm(x, width)[:, 0], self.head.weight[:, :width], self.head.bias)


class Step:
    """Work: one step for every shape of the cycle."""

    def __init__(self, name, supernet, batch, quantiser, compiled, half):
        torch.manual_seed(0)
        self.shapes, self.half, self.loss = cycle(name, supernet), half, None
        network = Supernet(self.shapes[0], quantiser)
        self.optimizer = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.05)
        self.forward = torch.compile(network) if compiled else network
        top = self.shapes[0]
        self.images = torch.randn(batch, 3, top.image, top.image)
        self.labels = torch.arange(batch) % top.classes
        # Compiles every shape before anything is timed.
        self.run(1)

    def run(self, repeats):
        with torch.enable_grad():
            for _ in range(repeats):
                for shape in self.shapes:
                    self.step(shape)

    def step(self, shape):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            logits = self.forward(self.images, shape)
            self.loss = functional.cross_entropy(logits.float(), self.labels)
        self.loss.backward()
        self.optimizer.step()

    def result(self):
        return self.loss.detach().numpy()
