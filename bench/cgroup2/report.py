"""What was checked, and how it went."""

import time


class Report:
    """Prints each check of a scene as it is made, and knows at the end which did not hold."""

    def __init__(self, scene):
        self.scene, self.checks, self.failures = scene, 0, []

    def holds(self, what, is_so, found=""):
        self.checks += 1
        line = f"{self.scene}: {what}" + ("" if is_so else f": {found}")
        if not is_so:
            self.failures.append(line)
        # In one piece, because scenes are played at once.
        print(f"{'ok    ' if is_so else 'FAILED'} {line}\n", end="", flush=True)
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
