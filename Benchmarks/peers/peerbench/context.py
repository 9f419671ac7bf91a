"""What every bench needs: our bridge, the native peers, the number of threads, how much to measure."""
from dataclasses import dataclass

from . import native
from .bridge import Bridge


@dataclass
class Context:
    bridge: Bridge
    native_folder: str
    model_folder: str
    threads: int
    quick: bool

    def __post_init__(self):
        self.bridge.set_threads(self.threads)
        self.missing = {}
        self.onednn = self._load("oneDNN", native.OneDNN)
        self.ggml = self._load("ggml", native.GGML)

    def _load(self, name, kind):
        try:
            return kind(self.native_folder)
        except (OSError, RuntimeError) as fault:
            self.missing[name] = str(fault)
            return None


class TorchCall:
    """A torch function as work."""

    def __init__(self, once):
        self.once, self.last = once, None

    def run(self, repeats):
        for _ in range(repeats):
            self.last = self.once()

    def result(self):
        return self.last.numpy()
