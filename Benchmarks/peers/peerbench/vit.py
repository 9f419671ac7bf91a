"""DeiT in plain torch modules with random weights, and its ONNX files: float, static int8 (QDQ) and dynamic int8."""
import logging
import os
import warnings

import numpy as np
import torch
from torch import nn

from .shapes import HEAD_DIMENSION, TOKENS, WIDTHS

IMAGE = (3, 224, 224)
CALIBRATION_IMAGES = 2


class Attention(nn.Module):
    """`fused` uses torch's own kernel; the plain form is what exporters and quantisers recognise."""

    def __init__(self, width, fused):
        super().__init__()
        self.heads, self.fused = width // HEAD_DIMENSION, fused
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, HEAD_DIMENSION).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            mixed = ((q * HEAD_DIMENSION**-0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.projection(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, fused):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attention = Attention(width, fused)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class DeiT(nn.Module):
    """Patch embedding 16 × 16, class token, 12 blocks, head of 1000 classes."""

    def __init__(self, model, fused=True):
        super().__init__()
        width = WIDTHS[model]
        self.embed = nn.Conv2d(3, width, 16, 16)
        self.class_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.position = nn.Parameter(torch.randn(1, TOKENS, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, fused) for _ in range(12)))
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, 1000)

    def forward(self, images):
        patches = self.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(images.shape[0], -1, -1), patches], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def build(model, fused=True):
    torch.manual_seed(1)
    return DeiT(model, fused).eval()


def images(batch):
    return np.random.default_rng(0).standard_normal((batch, *IMAGE)).astype(np.float32)


def onnx_files(folder, model, batch):
    """Paths by kind: "static" and "dynamic". Made once per folder; about a minute for the largest."""
    os.makedirs(folder, exist_ok=True)
    paths = {kind: os.path.join(folder, f"deit-{model.lower()}-{batch}-{kind}.onnx")
             for kind in ("float", "static", "dynamic")}
    if not os.path.exists(paths["float"]):
        export(model, batch, paths["float"])
    if not os.path.exists(paths["static"]) or not os.path.exists(paths["dynamic"]):
        quantise(paths, batch)
    return paths


def export(model, batch, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            build(model, fused=False), (torch.from_numpy(images(batch)),), path + ".part", input_names=["x"],
            output_names=["y"], opset_version=17, dynamo=False)
    os.replace(path + ".part", path)


def quantise(paths, batch):
    from onnxruntime.quantization import (
        CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static)
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = CALIBRATION_IMAGES

        def get_next(self):
            self.left -= 1
            return {"x": images(batch)} if self.left >= 0 else None

    logging.disable(logging.WARNING)
    prepared = paths["float"] + ".prepared"
    quant_pre_process(paths["float"], prepared)
    quantize_static(
        prepared, paths["static"] + ".part", Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm", "Conv"])
    quantize_dynamic(
        prepared, paths["dynamic"] + ".part", weight_type=QuantType.QInt8, per_channel=True,
        op_types_to_quantize=["MatMul", "Gemm"])
    for kind in ("static", "dynamic"):
        os.replace(paths[kind] + ".part", paths[kind])
    os.remove(prepared)
