"""Mean differences of pairs with their intervals by Student's t distribution."""
import math


def central(angle, freedom):
    """P(|T| ≤ √ν·tan angle): the finite sums of Abramowitz & Stegun 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total, power = (cosine if odd else 1.0), 0.0, odd
    while power <= freedom - 2:
        total += term
        power += 2
        term *= cosine * cosine * (power - 1) / power
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def quantile(confidence, freedom):
    """The t with P(|T| ≤ t) = confidence. Example: 0.95, 4 → 2.7764."""
    low, high = 0.0, math.pi / 2
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if central(middle, freedom) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def interval(differences, confidence=0.95):
    """(mean, low, high); low and high are None for fewer than two differences."""
    count = len(differences)
    mean = sum(differences) / count
    if count < 2:
        return mean, None, None
    deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (count - 1))
    half = quantile(confidence, count - 1) * deviation / math.sqrt(count)
    return mean, mean - half, mean + half
