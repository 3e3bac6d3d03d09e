"""Unpack packages of Debian, Odoo 19 above all, without root and without installing anything.

A private apt configuration reads the lists of two suites from the mirror that the machine's own
apt uses; ``dpkg-deb`` then unpacks the packages into one folder.
"""

import os
import shutil
import subprocess
from pathlib import Path

from . import console, shell

FONTS_AND_SCRIPTS = (
    "fonts-font-awesome",
    "fonts-glyphicons-halflings",
    "fonts-inconsolata",
    "fonts-montserrat",
    "fonts-ocr-b",
    "fonts-roboto-unhinted",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
)
# Odoo draws its icons with Font Awesome 4.7; with version 7 every icon is blank.
REQUIRED_VERSION = {"fonts-font-awesome": "4.7."}
# Scripts that Debian leaves out for want of their source; without them the page's bundle logs an error.
LEFT_OUT = ("mail/static/lib/selfie_segmentation/selfie_segmentation.js",)
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITES = ("stable", "sid")


def unpack_odoo(folder):
    """Fill ``folder`` with Odoo 19 and the files its links point to; return what it is."""
    suites = {
        package: "stable" if package.startswith("fonts-") else "sid"
        for package in FONTS_AND_SCRIPTS
    }
    versions = unpack({"odoo-19": "sid", **suites}, folder)
    _check_links(folder)
    return f"Debian odoo-19 {versions['odoo-19']}"


def unpack(packages, folder):
    """Fill ``folder`` with the files of packages, and not of what they depend on.

    :param packages: the preferred suite of each package, by its name
    :return: the version of each package
    """
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool):
            raise console.Failure(f"{tool} is not on this machine")
    work = folder / "apt"
    env = _update_lists(work)
    versions = _versions(packages, env)
    debs = folder / "debs"
    debs.mkdir()
    wanted = [f"{package}={version}" for package, version in versions.items()]
    _apt(["apt-get", "download", *wanted], env, cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)
    shutil.rmtree(debs)
    shutil.rmtree(work)
    return versions


def complete(folder):
    """Put an empty script where Debian left one out; repeatable."""
    for name in LEFT_OUT:
        path = folder / "usr/lib/python3/dist-packages/odoo/addons" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("// Left out by the package: blurs the background of video calls.\n")


def _update_lists(work):
    errors = []
    for mirror in _mirrors():
        env = _write_configuration(work, mirror)
        try:
            _apt(["apt-get", "update"], env)
        except console.Failure as failure:
            errors.append(str(failure))
            continue
        return env
    raise console.Failure(
        "; ".join(errors) or "apt has no Debian mirror configured (apt-get indextargets)"
    )


def _mirrors():
    """Return the addresses of Debian archives in the machine's own apt configuration."""
    text = (
        shell.output(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
        or ""
    )
    found = dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())
    return [uri for uri in found if uri.rstrip("/").endswith("/debian")]


def _write_configuration(work, mirror):
    shutil.rmtree(work, ignore_errors=True)
    for part in ("lists/partial", "cache/archives/partial"):
        (work / part).mkdir(parents=True)
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    sources = work / "sources.list"
    sources.write_text("".join(f"deb {signed}{mirror} {suite} main\n" for suite in SUITES))
    configuration = work / "apt.conf"
    configuration.write_text(
        f'Dir::Etc::sourcelist "{sources}";\n'
        'Dir::Etc::sourceparts "-";\n'
        'Dir::Etc::preferences "-";\n'
        'Dir::Etc::preferencesparts "-";\n'
        f'Dir::State::Lists "{work}/lists";\n'
        f'Dir::Cache "{work}/cache";\n'
        'Acquire::Languages "none";\n'
        'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";\n'
        'Acquire::Retries "3";\n'
        'APT::Sandbox::User "";\n'
        'Debug::NoLocking "true";\n'
        "#clear APT::Update::Post-Invoke;\n"
        "#clear APT::Update::Post-Invoke-Success;\n"
    )
    return shell.environment(APT_CONFIG=configuration, LC_ALL="C")


def _apt(command, env, cwd=None):
    result = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # "apt-get update" answers 0 although a list could not be fetched.
    problems = [
        line for line in result.stderr.splitlines() if line.startswith(("E:", "W: Failed to fetch"))
    ]
    if result.returncode or problems:
        raise console.Failure(
            f"{' '.join(command[:2])}: {(problems or [f'code {result.returncode}'])[0]}"
        )
    return result.stdout


def _versions(packages, env):
    """Return the version of each package in its suite, or in the other one where that has none that fits."""
    rows = {package: [] for package in packages}
    # All by one call: each of them reads the lists of both suites again, for seconds.
    for line in _apt(["apt-cache", "madison", *packages], env).splitlines():
        package, version, source = (part.strip() for part in line.split("|"))
        if REQUIRED_VERSION.get(package, "") in version:
            rows[package].append((source, version))
    if missing := [package for package, found in rows.items() if not found]:
        raise console.Failure(
            f"the mirror has no fitting version of the package {', '.join(missing)}"
        )
    return {
        package: min(found, key=lambda row: f" {packages[package]}/" not in row[0])[1]
        for package, found in rows.items()
    }


def _check_links(folder):
    """Fail when a link in the unpacked tree points nowhere: every page of Odoo would answer 500."""
    for parent, folders, names in os.walk(folder / "usr/lib"):
        for name in folders + names:
            path = os.path.join(parent, name)
            if os.path.islink(path) and not os.path.exists(path):
                raise console.Failure(
                    f"the link {os.path.relpath(path, folder)} points nowhere: {os.readlink(path)}"
                )
