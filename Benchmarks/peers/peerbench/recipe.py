"""The recipe of the accuracy comparison, once for both sides: torch reads the fields, `quasar train` the options."""
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """Precision of weights and activations; `bits` is None for fp32."""

    share_8bit: float
    bits: int | None


MODES = {"fp32": Mode(1, None), "w8a8": Mode(1, 8), "mixed": Mode(0.5, 6)}


@dataclass(frozen=True)
class Recipe:
    """The defaults are those of `TrainingOptions` and `AdamW.Settings`."""

    epochs: int = 10
    batch: int = 64
    learning_rate: float = 4e-3
    warm_up: float = 0.05
    full_precision: float = 0.4
    label_smoothing: float = 0.1
    weight_decay: float = 0.05
    flip: bool = True
    shift: int = 0
    random_erasing: float = 0.25

    # What the command line leaves as it is.
    floor = 0.01  # of the peak
    betas = (0.9, 0.999)
    epsilon = 1e-8
    step_factor = 0.5
    clip_norm = 1.0

    def rate(self, step, total):
        """Linear warm-up, then half a cosine down to the floor."""
        warm = int(self.warm_up * total)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        progress = min(1, (step - warm) / max(1, total - warm))
        floor = self.learning_rate * self.floor
        return floor + (self.learning_rate - floor) * (1 + math.cos(math.pi * progress)) / 2

    def is_full(self, step, total, mode):
        return mode.bits is None or step / total < self.full_precision

    def options(self, mode):
        """Those of `quasar train`: one sub-network a step and no teacher."""
        return [
            "--epochs", str(self.epochs), "--batch-size", str(self.batch),
            "--learning-rate", str(self.learning_rate), "--warm-up", str(self.warm_up),
            "--full-precision", "1" if mode.bits is None else str(self.full_precision),
            "--label-smoothing", str(self.label_smoothing), "--weight-decay", str(self.weight_decay),
            "--flip" if self.flip else "--no-flip", "--shift", str(self.shift),
            "--random-erasing", str(self.random_erasing), "--no-sandwich", "--random-subnets", "1",
            "--schedule", "cosine", "--drop-path", "0", "--crop-scale", "1", "--rand-augment", "0", "--mixup", "0",
            "--cutmix", "0", "--average", "0", "--exact", "0", "--optimizer", "adamw"]
