"""What a run of tests came to, and the line that says so."""

from . import console


class Result:
    """Counts of one stage; a problem that no test counted makes one failure more."""

    def __init__(self, name, passed=0, failed=0, problems=()):
        self.name = name
        self.passed = passed
        self.problems = list(problems)
        self.failed = failed or int(bool(self.problems))

    @property
    def ok(self):
        return self.passed > 0 and not self.failed


def summarise(results):
    """Print what failed and the line with the totals; return the exit code."""
    console.say("")
    for result in results:
        console.say(
            f"{'ok    ' if result.ok else 'FAILED'}  {result.name}: {result.passed} passed, {result.failed} failed"
        )
        if not result.ok:
            for problem in result.problems:
                console.say(problem)
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    if not passed:
        console.say("No test ran.")
    console.say(f"{passed} passed, {failed} failed")
    return 0 if passed and all(result.ok for result in results) else 1
