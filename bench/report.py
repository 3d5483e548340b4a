"""How results are printed."""

import statistics


def title(text):
    print(f"\n== {text}", flush=True)


def spread(values, digits):
    """Median and range."""
    low, middle, high = (f(values) for f in (min, statistics.median, max))
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"
