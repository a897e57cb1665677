"""When the next call may be made: so many a minute, and not before the provider said."""

import asyncio
import time


class Pace:
    """Gives the calls of all workers their turns."""

    def __init__(self, requests_per_minute: float | None) -> None:
        self.seconds_between = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self.next = 0.0  # of time.monotonic: the earliest turn that nobody has

    async def turn(self) -> None:
        """Waits until a call may be made."""
        while True:
            now = time.monotonic()
            if now >= self.next:
                self.next = now + self.seconds_between
                return
            await asyncio.sleep(self.next - now)

    def hold(self, seconds: float) -> None:
        """Lets no call be made for that long: a provider that wants one worker to wait means all of them."""
        self.next = max(self.next, time.monotonic() + seconds)
