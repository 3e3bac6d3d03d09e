"""``make test``: every stage, two at a time where they do not disturb each other."""

import os
import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree

from . import (
    addon_tests,
    chromium,
    console,
    databases,
    hosted,
    lint,
    odoo_run,
    parallel,
    paths,
    postgres,
    shell,
)
from .results import Result, summarise

STAGE_S = 1500
WORKERS = 2
REASON_LINES = 12  # of a test's message
REASON_WIDTH = 300
RAISED = re.compile(r"E {3}")


def run():
    """Run every stage and print the totals; return the exit code."""
    start = time.monotonic()
    browser_missing = _browser()
    databases.templates("base", "account")
    results = []
    for part in parallel.run(*_stages(browser_missing), workers=WORKERS):
        results += part
    results += _leftovers(os.getpid(), "addon tests")
    console.say(f"   All stages took {time.monotonic() - start:.0f} s")
    return summarise(results)


def _stages(browser_missing):
    """Return the stages in the order in which they start: the quick answer first, then the longest."""
    no_browser = Result("tests/browser", failed=1, problems=[f"   ! {browser_missing}"])
    return (
        lambda: _stage("Linters", lint.run),
        lambda: _pytest("hosting", "operations on backups", _hosting("operations on backups")),
        lambda: _pytest("fleet", "commands", _fleet("commands")),
        lambda: _stage("Addon tests", _addon_tests),
        lambda: [no_browser] if browser_missing else _pytest("browser"),
        lambda: _pytest("fleet", "portal", _fleet("portal")),
        lambda: _pytest("hosting", "operations", _hosting("operations")),
        lambda: _pytest("hosting", "the package", _hosting("the package")),
        lambda: _pytest("fleet", "hosting", _fleet("hosting")),
        lambda: _stage("Odoo's linters", _test_lint),
        lambda: _pytest("remote"),
        lambda: _pytest("trust"),
    )


def _browser():
    """Have the browser; return the sentence that says why not."""
    try:
        chromium.ensure()
    except console.Failure as failure:
        return str(failure)
    return None


def _stage(title, function):
    """Run one stage; what it raises is its failure, and the other stages go on."""
    with console.step(title):
        try:
            return function()
        except console.Failure as failure:
            return [Result(title, failed=1, problems=[f"   ! {failure}"])]


def _addon_tests():
    addons = sorted(path.parent.name for path in paths.ADDONS.glob("*/__manifest__.py"))
    return [addon_tests.run(addon) for addon in addons]


def _test_lint():
    addons = sorted(path.parent.name for path in paths.ADDONS.glob("*/__manifest__.py"))
    return [addon_tests.run("fleet_lint", install=",".join([*addons, "fleet_lint"]))]


LOADING = re.compile("import_archive|template_import")


def _hosting(part):
    """Return the files of one part of ``tests/hosting``; together they would be the longest by far."""
    texts = {path: path.read_text() for path in sorted((paths.TESTS / "hosting").glob("test_*.py"))}
    return [path for path, text in texts.items() if _hosting_part(text) == part]


def _hosting_part(text):
    """Return the part of a file: those that run operations, with restic or without, and the others.

    What loads archives of unknown origin stays together: there is one role for it, and who comes
    second has to wait.
    """
    if "HostingServer(" not in text or LOADING.search(text):
        return "the package"
    return "operations on backups" if "restic" in text else "operations"


# About as long as each other; a file that none of them names is in the last one.
FLEET = {
    "commands": re.compile("_cli(_|$)|_demo"),
    "hosting": re.compile("_hosting|_gate|_odoo_fleet"),
    "portal": re.compile(""),
}


def _fleet(part):
    """Return the files of one part of ``tests/fleet``: processes and databases of their own."""
    return [
        path for path in sorted((paths.TESTS / "fleet").glob("test_*.py")) if _part(path) == part
    ]


def _part(path):
    return next(part for part, pattern in FLEET.items() if pattern.search(path.stem))


def _pytest(folder, part="", files=()):
    """Run the tests of one folder below ``tests/``, or only ``files`` of it, called ``part``."""
    name = f"tests/{folder}" + (f" ({part})" if part else "")
    return _stage(name, lambda: _run_pytest(name, files or [paths.TESTS / folder]))


def _run_pytest(name, files):
    label = re.sub(r"\W+", "-", name.removeprefix("tests/")).strip("-")
    log = paths.LOG / f"pytest-{label}.log"
    report = paths.LOG / f"pytest-{label}.xml"
    report.unlink(missing_ok=True)
    command = [
        str(paths.PYTHON),
        "-m",
        "pytest",
        *map(str, files),
        f"--junit-xml={report}",
        "-ra",
        "-q",
    ]
    env = odoo_run.environment(CHROMIUM=chromium.find())
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=paths.ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            process.wait(STAGE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            console.say(f"   {name} took longer than {STAGE_S} s and was ended")
    return [_read_report(name, report, log), *_leftovers(process.pid, name)]


def _read_report(name, report, log):
    if not report.exists():
        return Result(name, failed=1, problems=[f"   ! {name} did not finish", shell.tail(log, 40)])
    suite = ElementTree.parse(report).getroot().find("testsuite")
    name = f"{name} in {float(suite.get('time')):.0f} s"
    total, failures, errors, skipped = (
        int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")
    )
    # First of all what failed and why: whoever keeps this output may cut it in the middle.
    problems = [*_reasons(suite)]
    problems += [shell.tail(log, 80)] if failures or errors else []
    if not total:
        problems.append(f"   ! {name}: no test ran")
    if skipped:
        problems.append(f"   ! {name}: {skipped} tests were skipped, which counts as a failure")
        problems.append(shell.tail(log, 20))
    failed = failures + errors + skipped
    return Result(name, passed=total - failed, failed=failed, problems=problems)


def _reasons(suite):
    """Give a sentence for each test that failed: its name, and how its message begins."""
    for case in suite.iter("testcase"):
        for kind in ("failure", "error", "skipped"):
            for found in case.findall(kind):
                # The message of what failed in a fixture is only the name of its exception.
                raised = [line for line in (found.text or "").splitlines() if RAISED.match(line)]
                text = [*(found.get("message") or "").splitlines(), *raised]
                lines = [line[:REASON_WIDTH] for line in text if line.strip()]
                said = "\n     ".join(dict.fromkeys(lines[:REASON_LINES]))
                yield f"   ! {case.get('classname')}::{case.get('name')} ({kind})\n     {said}"


def _leftovers(pid, tests):
    """Fail when the tests of a process left a database behind; drop it."""
    ours = [name for name in postgres.names("test_") if re.search(rf"_{pid}(_|$)", name)]
    made = [name for name in hosted.left_by(pid) if name not in ours]
    for name in ours:
        databases.drop(name)
    for name in made:
        hosted.drop(name)
    left = ", ".join(ours + made)
    if not left:
        return []
    return [Result(f"databases left by {tests}", failed=1, problems=[f"   ! {left}"])]
