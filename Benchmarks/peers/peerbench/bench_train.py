"""Training steps on noise: forward, cross-entropy, backward, AdamW; images per second.

Ours trains with layer scaling and six quantisers a block; torch, in its favour, without layer scaling and with the four
quantisers in front of its linear layers. Half of all rows have 4 bits, the others 8, on both sides. A bf16 step of torch
is a rival where ours is quantised; where ours is fp32 it is shown as a form of its own. The supernet forms run one step
of each of the four sub-networks of `TrainingStepWork.cycle`; images of all four count.
"""
import torch

from . import torch_training
from .bridge import ENGINE
from .measure import Case, Contender

ARCHITECTURES = {"vit-cifar": 64, "deit-t": 16, "deit-s": 8}
FORMS = ("qat", "supernet", "fp32", "supernet-fp32")
QUICK = {("vit-cifar", "qat"), ("vit-cifar", "fp32")}


def cases(context):
    for name, batch in ARCHITECTURES.items():
        for form in FORMS:
            if context.quick and (name, form) not in QUICK:
                continue
            cycle = torch_training.cycle(name, form.startswith("supernet"))
            yield Case(
                "train", f"{name} {form}", f"batch {batch}", batch * 3 * sum(map(torch_training.operations, cycle)),
                lambda name=name, form=form, batch=batch: contenders(context, name, form, batch),
                images=batch * len(cycle))


def contenders(context, name, form, batch):
    yield Contender(ENGINE, ENGINE, "step", lambda: context.bridge.training(name, form, batch))
    if form in ("qat", "supernet"):
        yield Contender(ENGINE, f"{ENGINE}, 15-bit gradients", "15-bit",
                        lambda: context.bridge.training(name, form, batch, "integer"))
    if form == "qat":
        yield Contender(ENGINE, f"{ENGINE} exact", "exact", lambda: context.bridge.training(name, "exact", batch))
    fused = ("plain", "fused") if form == "qat" else ("plain",)
    halves = (False, True) if has_bfloat16() else (False,)
    for quantiser in fused if form in ("qat", "supernet") else ("none",):
        for compiled in (False, True):
            for half in halves:
                words = ["torch", {"plain": "eager ops", "fused": "fake-quantize ops", "none": ""}[quantiser],
                         "compiled" if compiled else "", "bf16" if half else ""]
                kind = "bf16 step" if half and form.endswith("fp32") else "step"
                yield Contender(
                    "torch", " ".join(word for word in words if word), kind,
                    lambda quantiser=quantiser, compiled=compiled, half=half: torch_training.Step(
                        name, form.startswith("supernet"), batch, quantiser, compiled, half))


def has_bfloat16():
    """Without the instructions torch's bf16 steps are many times slower than its float ones."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512_BF16" or "avx512_bf16" in open("/proc/cpuinfo").read()
