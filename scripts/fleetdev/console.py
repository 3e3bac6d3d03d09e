"""What a person reads: steps with elapsed seconds, and one last sentence when something fails."""

import contextlib
import sys
import threading
import time

HEARTBEAT_S = 10


class Failure(Exception):
    """A step that cannot go on. Its text is the sentence shown last."""


def say(text):
    """Print one line at once and in one piece, also to a file and from several threads."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def step(title, detail=None):
    """Announce a step, repeat the elapsed seconds while it runs, and say how long it took.

    :param detail: called at each heartbeat; its text is appended to the progress line.
    """
    start = time.monotonic()
    say(f"-> {title}")
    done = threading.Event()

    def beat():
        while not done.wait(HEARTBEAT_S):
            more = f" {detail()}" if detail else ""
            say(f"   {title}: {time.monotonic() - start:.0f} s{more}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"   {title}: done in {time.monotonic() - start:.1f} s")


def main(function):
    """Run ``function`` as a program: exit code 1 and a plain last line on a `Failure`."""
    try:
        sys.exit(function() or 0)
    except Failure as failure:
        sys.stdout.flush()
        print(f"\nFAILED: {failure}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nInterrupted; running the same command again goes on from here.", file=sys.stderr)
        sys.exit(130)
