#!/usr/bin/env python3
"""Usage: check_man.py PAGE COMMAND: the manual page and --help name the same things."""
import re
import subprocess
import sys


def words_of_help(command):
    """Commands, and {command: its options}; the global options are under ''."""
    def show(*arguments):
        done = subprocess.run([command, *arguments, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, f"--help of {arguments} failed: {done}"
        return done.stdout

    top = show()
    commands = re.findall(r"^  ([a-z]+) +[A-Z]", top.split("Options,")[0], re.M)
    options = {"": set(re.findall(r"^  .{4}(--[a-z]+)", top, re.M))}
    for name in commands:
        text = show(name)
        assert "\nExample:\n  " in text, f"{name} --help has no example"
        options[name] = set(re.findall(r"^  .{4}(--[a-z]+)", text, re.M)) - options[""]
    return commands, options


def words_of_page(page):
    """The commands that have an entry, and {section: the options in it}."""
    commands, options, section = [], {}, ""
    for line in page.splitlines():
        if m := re.match(r"\.S[sh] (.*)", line):
            section = m[1]
        elif section == "Commands" and (m := re.match(r"\.It Cm ([a-z]+)$", line)):
            commands.append(m[1])
        elif line.startswith(".It ") and section.startswith("Options of"):
            options.setdefault(section, set()).update("-" + o for o in re.findall(r"Fl (-[a-z]{2,})", line))
    return commands, options


def main():
    page = open(sys.argv[1], encoding="utf-8").read()
    commands, options = words_of_help(sys.argv[2])
    page_commands, page_options = words_of_page(page)
    bad = []
    if commands != page_commands:
        bad.append(f"commands: --help has {commands}, the page {page_commands}")
    expected = {
        "Options of every command": options[""],
        "Options of register and run": options["register"] | options["run"],
        "Options of discover and watch": options["discover"] | options["watch"],
    }
    for section, names in expected.items():
        if names != page_options.get(section, set()):
            bad.append(f"{section}: --help has {sorted(names)}, the page {sorted(page_options.get(section, []))}")
    if options["services"] | options["unregister"]:
        bad.append("services and unregister have options that the page gives no section")
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "style", sys.argv[1]], capture_output=True, text=True)
    bad += (lint.stdout + lint.stderr).splitlines()
    print(*bad, sep="\n")
    return bool(bad)


sys.exit(main())
