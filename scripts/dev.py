#!/usr/bin/env python3
"""Everything a developer runs: ``python3 scripts/dev.py --help``. The Makefile calls this."""

import argparse
import sys

sys.dont_write_bytecode = True

from fleetdev import commands, console  # noqa: E402


def main():
    parser = argparse.ArgumentParser(prog="scripts/dev.py", description=__doc__)
    commands.declare(parser.add_subparsers(dest="command", required=True, metavar="COMMAND"))
    arguments = parser.parse_args()
    return arguments.function(arguments)


console.main(main)
