#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what the shared libraries export with the list that was reviewed.

No shared library is needed: an object file already says of each symbol whether a library made of it
would export it (DEFAULT) or not (HIDDEN). Also checks that what a component, a program or a test uses
of another component is exported; tests that include a header of lib/ are left out.

    exported_symbols.py SOURCE_DIR BUILD_DIR [--renew | --self-test]

The list has a name once, however many overloads it has (their number follows when there are several).
Inline functions and what templates make are not in it: whoever uses them compiles them. The vtable of a
class comes with its typeinfo.
"""

import collections
import functools
import os
import pathlib
import re
import subprocess
import sys

LIST = "tests/install/exported_symbols.txt"
HEADING = """\
# What each shared library exports; `static` and private members of exported classes among it. A line
# that comes or goes is a change of what others link with: read it, then renew the list with
#     tests/install/exported_symbols.py . build/dev --renew
"""

SYMBOL = re.compile(
    r"\s*\d+:\s+[0-9a-f]+\s+\S+\s+(?P<type>\w+)\s+(?P<bind>\w+)\s+(?P<visibility>\w+)"
    r"\s+(?:\[[^\]]*\]\s+)?(?P<section>\w+)\s+(?P<name>\S.*)")
# GCC makes typeinfo and vtables weak, but users need those of classes with a virtual function in lib/.
TYPEINFO = re.compile(r"typeinfo for muster::[\w:]+$")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def read_symbols(lines):
    """What a library defines for others, and for itself, and what it needs; of readelf's lines."""
    exported, hidden, needed = set(), set(), set()
    for line in lines:
        match = SYMBOL.match(line)
        if not match or match["bind"] not in ("GLOBAL", "WEAK") or match["name"].startswith("__"):
            continue
        name = match["name"].strip().replace("[abi:cxx11]", "")
        if match["section"] == "UND":
            needed.add(name)
        elif match["visibility"] != "DEFAULT":
            hidden.add(name)
        elif match["bind"] == "GLOBAL" or TYPEINFO.match(name):
            exported.add(name)
    return exported, hidden, needed


def without_parameters(name):
    """muster::f(std::map<int, int>) const becomes muster::f; operators and conversions keep theirs."""
    depth = 0
    for at, character in enumerate(name):
        if character == "(" and depth == 0 and not name.startswith("operator()", at - 8):
            return name[:at]
        if character == "<" and not name[:at].endswith(("operator", "operator<")):
            depth += 1
        elif character == ">" and depth > 0:
            depth -= 1
    return name


def entries(exported):
    """One line a name. A thunk comes with its function; vtable and type name with their typeinfo."""
    count = collections.Counter(
        without_parameters(name) for name in exported
        if not re.match(r"(non-)?virtual thunk to |typeinfo name for |vtable for ", name))
    return {f"{name} ({number})" if number > 1 else name for name, number in count.items()}


def format_list(libraries):
    sections = [f"\n[{library}]\n" + "".join(f"{line}\n" for line in sorted(lines))
                for library, lines in sorted(libraries.items())]
    return HEADING + "".join(sections)


def parse_list(text):
    libraries, lines = {}, set()
    for line in text.splitlines():
        if line.startswith("["):
            lines = libraries.setdefault(line.strip("[]"), set())
        elif line and not line.startswith("#"):
            lines.add(line)
    return libraries


def differences(reviewed, found):
    for library in sorted(reviewed.keys() | found.keys()):
        old, new = reviewed.get(library, set()), found.get(library, set())
        yield from (f"{library}: exports what is not in the list: {name}" for name in sorted(new - old))
        yield from (f"{library}: does not export what is in the list: {name}"
                    for name in sorted(old - new))


def missing_exports(symbols, users):
    """What is used of another library, but hidden in it; symbols and users by name."""
    for user, needed in sorted(users.items()):
        for library, (_, hidden, _) in sorted(symbols.items()):
            if user != library:
                yield from (f"{user} uses {name}, which {library} does not export"
                            for name in sorted(needed & hidden))


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@functools.cache
def uses_internals(path, tests):
    """Whether a source includes a header of lib/, itself or by a header of its own or of tests/."""
    for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if re.match(r"(\.\./)+lib/", name):
            return True
        for other in (path.parent / name, tests / name):
            if other.exists() and uses_internals(other.resolve(), tests):
                return True
    return False


def objects_of_users(source, build):
    """Objects of programs and tests that use nothing but public headers, by their source's name."""
    for top in ("examples", "tests"):
        for path in sorted((build / top).rglob("*.cpp.o")):
            name = re.sub(r"CMakeFiles/[^/]*\.dir/", "", path.relative_to(build).as_posix())[:-2]
            if (source / name).exists() and not uses_internals(source / name, source / "tests"):
                yield name, path


def needed_by_objects(paths):
    """What nm finds undefined; it names each file, and then its symbols."""
    users, name = {}, None
    by_path = {str(path): name for name, path in paths}
    if not by_path:
        return users
    for line in run("nm", "-uC", *by_path):
        if line.endswith(":") and line[:-1] in by_path:
            name = by_path[line[:-1]]
        elif line.lstrip().startswith("U ") and name:
            users.setdefault(name, set()).add(line.strip()[2:].replace("[abi:cxx11]", ""))
    return users


def self_test():
    line = "    7: 0000000000000000    11 FUNC    GLOBAL {}  {} {}"
    core = read_symbols([line.format("DEFAULT", "   4", "muster::f(std::map<int, char>)"),
                         line.format("DEFAULT", "   4", "muster::f(int)"),
                         line.format("DEFAULT", "   4", "muster::A::operator()(int) const"),
                         line.format("DEFAULT", "   4", "muster::operator<(muster::A)"),
                         line.format("DEFAULT", "   4", "std::map<int, void (*)()> muster::t<(a)1>()"),
                         line.format("HIDDEN ", "   4", "muster::secret()"),
                         line.replace("GLOBAL", "WEAK  ").format("DEFAULT", "   4", "muster::inline_()"),
                         line.replace("GLOBAL", "WEAK  ").format("DEFAULT", "   4", "typeinfo for muster::A"),
                         line.format("DEFAULT", "   4", "vtable for muster::A"),
                         line.format("DEFAULT", "   4", "non-virtual thunk to muster::A::g()"),
                         line.format("DEFAULT", " UND", "muster::other()")])
    relay = read_symbols([line.format("DEFAULT", " UND", "muster::secret()")])
    reviewed = {"core": {"muster::f (2)", "muster::A::operator()", "muster::operator<",
                         "std::map<int, void (*)()> muster::t<(a)1>", "typeinfo for muster::A"}}
    checks = {
        "the list is read as it is written": parse_list(format_list(reviewed)) == reviewed,
        "what is exported is found": entries(core[0]) == reviewed["core"],
        "what is hidden is not": core[1] == {"muster::secret()"},
        "no difference": not list(differences(reviewed, {"core": entries(core[0])})),
        "one more": len(list(differences({"core": reviewed["core"] - {"muster::f (2)"}},
                                         {"core": entries(core[0])}))) == 1,
        "one less": len(list(differences(reviewed, {"core": set(), "more": {"x"}}))) == 6,
        "used but hidden": list(missing_exports({"core": core, "relay": relay}, {"relay": relay[2]}))
                           == ["relay uses muster::secret(), which core does not export"],
        "used inside": not list(missing_exports({"core": core}, {"core": {"muster::secret()"}})),
    }
    failed = [name for name, passed in checks.items() if not passed]
    for name in failed:
        print(f"self-test: {name}")
    print(f"exported_symbols: self-test: {len(checks)} checks, {len(failed)} failures")
    return 1 if failed else 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    libraries = sorted((build / "lib").glob("libmuster-*.a"))
    if not libraries:
        print(f"exported_symbols: there are no static libraries in {build / 'lib'}")
        return 1
    symbols = {path.stem[3:]: read_symbols(run("readelf", "-sWC", os.fspath(path)))
               for path in libraries}
    found = {library: entries(exported) for library, (exported, _, _) in symbols.items()}

    users = {library: needed for library, (_, _, needed) in symbols.items()}
    users.update(needed_by_objects(list(objects_of_users(source, build))))
    problems = list(missing_exports(symbols, users))

    reviewed_path = source / LIST
    if "--renew" in sys.argv:
        reviewed_path.write_text(format_list(found), encoding="utf-8")
    else:
        problems += differences(parse_list(reviewed_path.read_text(encoding="utf-8")), found)
    for problem in problems:
        print(problem)
    print(f"exported_symbols: {sum(map(len, found.values()))} names in {len(libraries)} libraries, "
          f"{len(users) - len(libraries)} objects of users, {len(problems)} problems")
    if problems:
        print(f"The list is {LIST}; its head says how it is renewed.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
