"""Whole DeiT networks, images per second, random weights.

Ours runs from u8 pixels to int32 logits in integers. The peers get normalised floats and give float logits: OpenVINO
and onnxruntime run the network as exported by torch and quantised by onnxruntime's static (QDQ, one scale per row) and
dynamic quantisers; torch runs in float and with its dynamic int8 linear layers.
"""
import copy
import warnings

import torch

from . import engines, vit
from .bridge import ENGINE
from .context import TorchCall
from .measure import Case, Contender
from .shapes import network_operations

QUICK = {("T", 1)}


def cases(context):
    for model in "TSB":
        for batch in (1, 8):
            if not context.quick or (model, batch) in QUICK:
                yield Case(
                    "infer", f"DeiT-{model}", f"batch {batch}", batch * network_operations(model),
                    lambda model=model, batch=batch: contenders(context, model, batch), images=batch)


def contenders(context, model, batch):
    for form, bits in (("int8", "8"), ("half int4", "mixed:0.5"), ("int4", "4")):
        name = ENGINE if form == "int8" else f"{ENGINE} {form}"
        yield Contender(
            ENGINE, name, form, lambda bits=bits: context.bridge.network(f"deit-{model.lower()}", bits, batch))
    floats, threads = vit.images(batch), context.threads

    def file(kind):
        return vit.onnx_files(context.model_folder, model, batch)[kind]

    for precision, suffix in (("f32", ""), ("bf16", " + bf16")):
        yield Contender(
            "OpenVINO", f"OpenVINO int8{suffix}", "int8",
            lambda precision=precision: engines.vino(file("static"), {"x": floats}, threads, precision))
    for kind in ("static", "dynamic"):
        yield Contender(
            "onnxruntime", f"onnxruntime int8 {kind}", "int8",
            lambda kind=kind: engines.ort(file(kind), {"x": floats}, threads))
    yield Contender("torch", "torch f32", "float", lambda: torch_call(vit.build(model), floats))
    yield Contender("torch", "torch int8 dynamic", "int8", lambda: torch_call(dynamic(vit.build(model)), floats))


def dynamic(network):
    torch.backends.quantized.engine = "x86"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(
            copy.deepcopy(network), {torch.nn.Linear}, dtype=torch.qint8)


def torch_call(network, floats):
    x = torch.from_numpy(floats)
    return TorchCall(lambda: network(x))
