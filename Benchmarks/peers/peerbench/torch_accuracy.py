"""One network trained in torch by the recipe: its accuracy on the test images."""
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .torch_network import Linear, Network, Steps


def train(shape, mode, recipe, data, seed, threads, report=lambda text: None):
    """Share of test images that are classified right, after the last step."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    random = np.random.default_rng(seed)
    images, labels = data.train
    pixels = images.transpose(1, 0, 2, 3).reshape(images.shape[1], -1)
    mean, deviation = pixels.mean(1) / 255, pixels.std(1) / 255
    network = Network(shape, mode.share_8bit, mode.bits or 8, mean.tolist(), deviation.tolist())
    optimizer = make_optimizer(network, recipe)
    per_epoch = max(1, len(images) // recipe.batch)
    total, calibrated = recipe.epochs * per_epoch, False
    for step in range(total):
        if step % per_epoch == 0:
            order, losses = random.permutation(len(images)), []
        if not recipe.is_full(step, total, mode) and not calibrated:
            network.calibrate(torch.from_numpy(images))
            calibrated = True
        first = step % per_epoch * recipe.batch
        chosen = order[first:first + recipe.batch]
        batch = torch.from_numpy(augment(images[chosen], np.rint(mean * 255).astype(np.uint8), recipe, random))
        loss = functional.cross_entropy(
            network(batch), torch.from_numpy(labels[chosen]).long(), label_smoothing=recipe.label_smoothing)
        # Zeros and not nothing: the moments of the steps count from the first step of the run, as in Quasar.
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step, total) * group["factor"]
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % per_epoch == 0:
            report(f"epoch {(step + 1) // per_epoch} of {recipe.epochs}, loss {sum(losses) / len(losses):.3f}")
    return accuracy(network, *data.test)


def make_optimizer(network, recipe):
    """Matrices decay, vectors do not; the logarithms of steps move at a rate of their own."""
    weights = [module.weight for module in network.modules() if isinstance(module, Linear)]
    steps = [module.logarithm for module in network.modules() if isinstance(module, Steps)]
    known = {id(parameter) for parameter in weights + steps}
    vectors = [parameter for parameter in network.parameters() if id(parameter) not in known]
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return torch.optim.AdamW(
        [{"params": weights, "factor": 1, "weight_decay": recipe.weight_decay},
         {"params": vectors, "factor": 1, "weight_decay": 0},
         {"params": steps, "factor": recipe.step_factor, "weight_decay": 0}],
        betas=recipe.betas, eps=recipe.epsilon)


def augment(images, fill, recipe, random):
    """Mirror and shift (edge pixels repeated), then a rectangle with sides of 1/7 to 3/7 in the mean pixel."""
    images = images.copy()
    count, _, height, width = images.shape
    if recipe.flip:
        mirrored = random.integers(0, 2, count) == 1
        images[mirrored] = images[mirrored][..., ::-1]
    if recipe.shift:
        for image, (dy, dx) in zip(images, random.integers(-recipe.shift, recipe.shift + 1, (count, 2))):
            rows, columns = np.arange(height) + dy, np.arange(width) + dx
            image[:] = image[:, rows.clip(0, height - 1)][:, :, columns.clip(0, width - 1)]
    for i in np.flatnonzero(random.random(count) < recipe.random_erasing):
        h, w = (size // 7 + random.integers(0, size * 2 // 7 + 1) for size in (height, width))
        top, left = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
        images[i, :, top:top + h, left:left + w] = fill[:, None, None]
    return images


@torch.no_grad()
def accuracy(network, images, labels):
    right = 0
    for first in range(0, len(images), 500):
        logits = network(torch.from_numpy(images[first:first + 500]))
        right += (logits.argmax(1).numpy() == labels[first:first + 500]).sum()
    return float(right) / len(images)
