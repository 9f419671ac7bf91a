"""Quasar's network in torch, with its quantisers: layer scaling, six quantisers a block, learned steps for every row.

`torch_training` has the lighter network whose steps are timed; sizes and fake quantisation are its.
"""
import math

import torch
from torch import nn
from torch.nn import functional

from .torch_training import fake_quantise

GELU_DEPTH = 0.1699712  # −min GELU
SAMPLES = 4096          # kept of each tensor of each calibration batch
FIRST = 16384           # looked at for a step


def least_squares_step(values, low, high):
    """Per row of `values`: of maximum·(i/40)/high, i = 4…40, the step with the least squared rounding error."""
    full = values.amax(1).clamp_min(0) / high
    if low < 0:
        full = torch.maximum(full, values.neg().amax(1) / -low)
    full = full.clamp_min(1e-6)
    best, steps = torch.full_like(full, math.inf), full.clone()
    for i in range(4, 41):
        step = (full * i / 40).clamp_min(1e-6)[:, None]
        error = (values - step * (values / step).round().clamp(low, high)).square().sum(1)
        better = error < best
        best, steps = torch.where(better, error, best), torch.where(better, step[:, 0], steps)
    return steps


class Steps(nn.Module):
    """Learned steps as their logarithms: the gradient is that of ln s, and they move relative to their size."""

    def __init__(self, shape):
        super().__init__()
        self.logarithm = nn.Parameter(torch.zeros(shape))

    def set(self, steps):
        with torch.no_grad():
            self.logarithm.copy_(steps.log().reshape(self.logarithm.shape))

    def forward(self):
        return self.logarithm.exp()


class Activations(nn.Module):
    """Quantiser of a tensor with one step for each equal part of its last axis; `is_gelu`: codes without sign."""

    def __init__(self, bits, parts=1, is_gelu=False):
        super().__init__()
        self.bits, self.parts, self.is_gelu = bits, parts, is_gelu
        self.steps, self.state, self.samples = Steps((parts, 1)), "off", []

    def limits(self):
        if not self.is_gelu:
            return -(2 ** (self.bits - 1) - 1), 2 ** (self.bits - 1) - 1
        return 0, 2 ** self.bits - 1

    def forward(self, x):
        if self.state == "record":
            parts = x.detach().unflatten(-1, (self.parts, -1)).movedim(-2, 0).reshape(self.parts, -1)
            self.samples.append(parts[:, ::max(1, parts.shape[1] // SAMPLES) | 1])
        if self.state != "on":
            return x
        low, high = self.limits()
        step = self.steps()
        if self.is_gelu:
            zero = min(high, round(GELU_DEPTH / step.item()))
            low, high = -zero, high - zero
        return fake_quantise(x.unflatten(-1, (self.parts, -1)), step, low, high).flatten(-2)

    def calibrate(self):
        values = torch.cat(self.samples, 1)
        values = values[:, ::max(1, (values.shape[1] + FIRST - 1) // FIRST)]
        self.steps.set(least_squares_step(values, *self.limits()))
        self.samples = []


class Linear(nn.Module):
    """y = x·Wᵀ + b; every row of W has 4 or 8 bits. `group` rows share the 8-bit rows evenly among their groups."""

    def __init__(self, depth, rows, share=1.0, group=None, deviation=None):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, depth) * (deviation or depth ** -0.5))
        self.bias = nn.Parameter(torch.zeros(rows))
        self.share, self.group = share, group or rows
        self.steps, self.state, self.squares = Steps((rows, 1)), "off", 0
        self.register_buffer("limits", torch.full((rows, 1), 127.0))

    def forward(self, x):
        if self.state == "record":
            self.squares = self.squares + x.detach().square().flatten(0, -2).sum(0)
        weight = self.weight
        if self.state == "on":
            weight = fake_quantise(weight, self.steps(), -self.limits, self.limits)
        return functional.linear(x, weight, self.bias)

    def calibrate(self):
        """8 bits for the rows whose 4-bit codes would leave the largest error in the output."""
        weight = self.weight.detach()
        narrow, wide = (least_squares_step(weight, -limit, limit) for limit in (7, 127))
        if self.share < 1:
            step = narrow[:, None]
            error = ((weight - step * (weight / step).round().clamp(-7, 7)).square() * self.squares).sum(1)
            order = error.view(-1, self.group).argsort(dim=1, descending=True, stable=True)
            # rows8: a multiple of 8, halves up.
            count = min(self.group, (int(4 * self.share) * self.group + 16) // 32 * 8)
            limits = torch.full((len(order), self.group), 7.0).scatter_(1, order[:, :count], 127.0)
            self.limits.copy_(limits.view(-1, 1))
        self.steps.set(torch.where(self.limits[:, 0] == 127, wide, narrow))
        self.squares = 0


class RoundedSoftmax(torch.autograd.Function):
    """Softmax whose exponentials are rounded to whole levels; the gradient is that of softmax at the result."""

    @staticmethod
    def forward(context, scores, levels):
        codes = (levels * (scores - scores.amax(-1, keepdim=True)).exp()).round()
        result = codes / codes.sum(-1, keepdim=True)
        context.save_for_backward(result)
        return result

    @staticmethod
    def backward(context, gradient):
        result, = context.saved_tensors
        return result * (gradient - (gradient * result).sum(-1, keepdim=True)), None


class Block(nn.Module):
    def __init__(self, width, heads, head, hidden, gain, share, bits):
        super().__init__()
        self.heads, self.head, self.levels, self.state = heads, head, 2 ** bits - 1, "off"
        inner = heads * head
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-5), nn.LayerNorm(width, 1e-5)
        self.qkv = Linear(width, 3 * inner, share, group=head)
        self.projection, self.expand = Linear(inner, width, share), Linear(width, hidden, share)
        self.contract = Linear(hidden, width, share)
        self.gain1, self.gain2 = (nn.Parameter(torch.full((width,), gain)) for _ in range(2))
        self.norm1_codes, self.qkv_codes, self.mixed_codes = Activations(bits), Activations(bits, 3), Activations(bits)
        self.norm2_codes, self.input_codes = Activations(bits), Activations(8)
        self.hidden_codes = Activations(bits, is_gelu=True)

    def forward(self, x):
        qkv = self.qkv_codes(self.qkv(self.norm1_codes(self.norm1(x))))
        q, k, v = qkv.unflatten(-1, (3, self.heads, self.head)).permute(2, 0, 3, 1, 4).unbind(0)
        if self.state == "on":
            scores = q @ k.transpose(-2, -1) * self.head ** -0.5
            mixed = RoundedSoftmax.apply(scores, self.levels) @ v
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        mixed = self.mixed_codes(mixed.transpose(1, 2).flatten(2))
        x = x + self.gain1 * self.projection(mixed)
        between = functional.gelu(self.input_codes(self.expand(self.norm2_codes(self.norm2(x)))))
        return x + self.gain2 * self.contract(self.hidden_codes(between))


class Network(nn.Module):
    """Logits of u8 images; weights act on u8/255 − mean, the deviation of pixels is in their initial size."""

    def __init__(self, shape, share, bits, mean, deviation):
        super().__init__()
        depth, width = len(shape.heads), shape.width
        self.patch = shape.patch
        inputs = shape.channels * shape.patch ** 2
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.patches = Linear(inputs, width, deviation=1 / (math.sqrt(inputs) * sum(deviation) / len(deviation)))
        self.token = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Parameter(torch.randn(shape.tokens, width) * 0.02)
        gain = 0.1 if depth <= 18 else 1e-5 if depth <= 24 else 1e-6
        self.blocks = nn.ModuleList(
            Block(width, heads, shape.head, hidden, gain, share, bits)
            for heads, hidden in zip(shape.heads, shape.hidden))
        self.norm, self.norm_codes = nn.LayerNorm(width, 1e-5), Activations(8)
        self.head = Linear(width, shape.classes, deviation=0.02)

    def forward(self, images):
        x = images.float() / 255 - self.mean
        x = functional.unfold(x, self.patch, stride=self.patch).transpose(1, 2)
        x = self.patches(x)
        x = torch.cat([self.token.expand(len(x), 1, -1), x], 1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm_codes(self.norm(x[:, 0])))

    def switch(self, state):
        """"off": fp32; "record": fp32 that looks at its values; "on": quantised."""
        for module in self.modules():
            if hasattr(module, "state"):
                module.state = state

    @torch.no_grad()
    def calibrate(self, images):
        """Steps and rows of 8 bits from up to 512 evenly spaced images, then quantisation is on."""
        count = min(512, len(images))
        chosen = images[[i * len(images) // count for i in range(count)]]
        self.switch("record")
        for part in chosen.split(64):
            self(part)
        for module in self.modules():
            if isinstance(module, (Activations, Linear)):
                module.calibrate()
        self.switch("on")
