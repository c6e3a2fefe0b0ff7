"""What was checked, and how it went."""

import time


class Report:
    """Prints each check as it is made, and knows at the end whether all held."""

    def __init__(self):
        self.checks, self.failures, self.scene = 0, [], ""

    def begin(self, scene):
        self.scene = scene
        print(f"{scene}", flush=True)

    def holds(self, what, is_so, found=""):
        self.checks += 1
        if not is_so:
            self.failures.append(f"{self.scene}: {what}: {found}")
        print(f"  {'ok    ' if is_so else 'FAILED'} {what}" + ("" if is_so else f": {found}"), flush=True)
        return is_so

    def equal(self, what, found, expected):
        return self.holds(what, found == expected, f"{found!r}, expected {expected!r}")

    def comes(self, what, probe, seconds=30):
        """Waits until `probe()` returns (True, anything): figures are as old as the last sample."""
        end = time.monotonic() + seconds
        while True:
            is_so, found = probe()
            if is_so or time.monotonic() > end:
                return self.holds(what, is_so, found)
            time.sleep(0.1)

    def comes_to(self, what, probe, expected, seconds=30):
        def look():
            found = probe()
            return found == expected, f"{found!r}, expected {expected!r}"
        return self.comes(what, look, seconds)
