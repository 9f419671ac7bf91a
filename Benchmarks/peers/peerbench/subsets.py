"""10,000 training images and the whole test set, written where `quasar` reads the very pixels that torch gets."""
import gzip
import json
import os
import struct
import subprocess
from dataclasses import dataclass

import numpy as np

COUNT = 10_000
# `quasar train` keeps every tenth image of a class for its own curve; torch leaves out the same ones.
HELD_OUT_EVERY = 10
IDX = {"train": "train", "test": "t10k"}


@dataclass
class Data:
    """Pixels [n, channels, side, side] u8 and labels of the images that are trained on, and of the test."""

    specification: str
    train: tuple
    test: tuple


def load(specification, work, quasar):
    """Of "fashion-mnist:DIR" (IDX files) or "folder:DIR" (class folders train and test of 32×32 colour images)."""
    kind, _, folder = specification.partition(":")
    if kind not in ("fashion-mnist", "folder") or not os.path.isdir(folder):
        raise SystemExit(f"--data {specification}: write fashion-mnist:DIR or folder:DIR with a folder that is there")
    read, write = (read_idx, write_idx) if kind == "fashion-mnist" else (read_folder, write_cifar)
    parts = read(folder, work, quasar)
    parts["train"] = every(*parts["train"])
    target = os.path.join(work, f"{kind}-{COUNT}")
    os.makedirs(target, exist_ok=True)
    name = write(target, parts)
    # Copies: torch wants arrays that may be written.
    return Data(f"{name}:{target}", kept(*parts["train"]), tuple(array.copy() for array in parts["test"]))


def every(images, labels):
    """Every k-th image, k = n/10,000: every sixth of 60,000, every fifth of 50,000."""
    k = max(1, len(images) // COUNT)
    return images[::k][:COUNT], labels[::k][:COUNT]


def kept(images, labels):
    """All but every tenth image of each class, in order."""
    seen, places = [0] * 256, []
    for place, label in enumerate(labels):
        seen[label] += 1
        if seen[label] % HELD_OUT_EVERY:
            places.append(place)
    return images[places], labels[places]


def read_idx(folder, _work, _quasar):
    parts = {}
    for part, prefix in IDX.items():
        arrays = []
        for what, axes in (("images-idx3", 3), ("labels-idx1", 1)):
            path = os.path.join(folder, f"{prefix}-{what}-ubyte")
            opener = gzip.open if not os.path.exists(path) else open
            with opener(path + (".gz" if opener is gzip.open else ""), "rb") as file:
                content = file.read()
            sizes = struct.unpack(f">{axes}I", content[4:4 + 4 * axes])
            arrays.append(np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(sizes))
        parts[part] = (arrays[0][:, None], arrays[1])
    return parts


def write_idx(target, parts):
    for part, prefix in IDX.items():
        images, labels = parts[part]
        for what, magic, array in (("images-idx3", 0x803, images[:, 0]), ("labels-idx1", 0x801, labels)):
            with open(os.path.join(target, f"{prefix}-{what}-ubyte"), "wb") as file:
                file.write(struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes())
    return "fashion-mnist"


def read_folder(folder, work, quasar):
    """The pixels that Quasar's decoder gives: those of its image cache, whose layout `ShardFile` describes."""
    cache = os.path.join(work, "decoded")
    subprocess.run(
        [quasar, "data", "cache", f"folder:{folder}", "--size", "32", "--out", cache], check=True,
        stdout=subprocess.DEVNULL)
    with open(os.path.join(cache, "manifest.json")) as file:
        manifest = json.load(file)
    parts = {}
    for part in ("train", "test"):
        entry, pixels = manifest[part], []
        for shard in entry["shards"]:
            with open(os.path.join(cache, shard["file"]), "rb") as file:
                content = file.read()
            _, _, channels, side, count, _ = struct.unpack("<6I", content[8:32])
            pixels.append(np.frombuffer(
                content, np.uint8, count * channels * side * side, 32 + 16 * channels * count + 4
            ).reshape(count, channels, side, side))
        counts = entry["classCounts"]
        parts[part] = (np.concatenate(pixels), np.repeat(np.arange(len(counts)), counts).astype(np.uint8))
    if len(counts) != 10 or parts["train"][0].shape[1] != 3 or len(parts["train"][0]) < COUNT:
        raise SystemExit(f"{folder}: at least {COUNT} colour images in 10 classes are needed")
    parts["names"] = manifest["classNames"]
    return parts


def write_cifar(target, parts):
    """The binary layout of CIFAR-10, which Quasar keeps in memory as it does IDX files."""
    def records(images, labels):
        return np.concatenate([labels[:, None], images.reshape(len(images), -1)], 1).tobytes()

    images, labels = parts["train"]
    fifth = COUNT // 5
    for i in range(5):
        with open(os.path.join(target, f"data_batch_{i + 1}.bin"), "wb") as file:
            file.write(records(images[i * fifth:(i + 1) * fifth], labels[i * fifth:(i + 1) * fifth]))
    with open(os.path.join(target, "test_batch.bin"), "wb") as file:
        file.write(records(*parts["test"]))
    with open(os.path.join(target, "batches.meta.txt"), "w") as file:
        file.write("\n".join(parts["names"]) + "\n")
    return "cifar10"
