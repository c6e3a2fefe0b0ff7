"""Numbers of many runs, as one line."""

from dataclasses import dataclass


def quantile(ordered, share):
    """Between two neighbours in proportion, as most tools do."""
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


@dataclass(frozen=True)
class Summary:
    """What is told of a series: the median, and where the middle four fifths lie."""

    count: int
    median: float
    p10: float
    p90: float
    mean: float
    least: float
    most: float


def summary(values):
    """None for an empty series."""
    if not values:
        return None
    ordered = sorted(values)
    middle = (quantile(ordered, share) for share in (0.5, 0.1, 0.9))
    return Summary(len(ordered), *middle, sum(ordered) / len(ordered), ordered[0], ordered[-1])
