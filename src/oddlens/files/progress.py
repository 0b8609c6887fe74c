"""Log lines of a running job: messages, rates and remaining time."""

import sys
import time


def duration(seconds: float) -> str:
    """Seconds as `1h02m`, `3m05s` or `7s`."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 60}m{whole % 60:02d}s" if whole >= 60 else f"{whole}s"


def say(text: str) -> None:
    """Write one line with the time of day to standard error, unbuffered: the log of the running job."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


class Progress:
    """Counts processed images. As text it is their rate and the remaining time."""

    def __init__(self, total: int):
        self.total, self.done, self.start = total, 0, time.perf_counter()

    def advance(self, count: int) -> None:
        """Count `count` more images as processed."""
        self.done += count

    @property
    def rate(self) -> float:
        """Images per second since the start."""
        return self.done / max(time.perf_counter() - self.start, 1e-9)

    def __str__(self) -> str:
        left = (self.total - self.done) / max(self.rate, 1e-9)
        return f"{self.rate:,.0f} images/s, {duration(left)} left"
