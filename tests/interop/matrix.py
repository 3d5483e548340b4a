"""Prints the results of the interoperability tests as a table for each form (h2c, tls): cases by pairs of
client and server. Fails when a pair has no results, or a case in them is neither passed nor left out by
name.

usage: matrix.py FOLDER CLIENT-SERVER-FORM...    FOLDER: where run.py --results put its files"""

import json
import pathlib
import sys

from cases import CASES, IN_PART, LEFT_OUT, reason


class Notes:
    """Reasons, each with a number."""

    def __init__(self):
        self.numbers = {}

    def number(self, text):
        return self.numbers.setdefault(text, len(self.numbers) + 1)


def read(folder, pair):
    path = pathlib.Path(folder) / f"{pair}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def cell(results, client, server, case, notes):
    left_out = reason(LEFT_OUT, client, server, case)
    if left_out:
        return f"- {notes.number(left_out)}"
    if case not in results:
        return "MISSING"
    if results[case] != "ok":
        return "FAILED"
    in_part = reason(IN_PART, client, server, case)
    return f"ok {notes.number(in_part)}" if in_part else "ok"


def print_table(form, pairs, folder, notes):
    """@return how many cells are neither passed nor left out"""
    head = [f"{client}>{server}" for client, server in pairs]
    widths = [max(len(text), 7) for text in head]
    print(f"\nInteroperability, {form} (client>server)\n")
    print(f"{'':28}" + "  ".join(f"{text:{width}}" for text, width in zip(head, widths)))
    results = [read(folder, f"{client}-{server}-{form}") for client, server in pairs]
    bad = 0
    for case in CASES:
        cells = [cell(of_pair, *pair, case, notes) for pair, of_pair in zip(pairs, results)]
        bad += sum(text in ("FAILED", "MISSING") for text in cells)
        row = "  ".join(f"{text:{width}}" for text, width in zip(cells, widths))
        print(f"{case:28}{row}".rstrip())
    return bad


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    forms = {}
    for name in names:
        client, server, form = name.split("-")
        forms.setdefault(form, []).append((client, server))
    notes, bad = Notes(), 0
    for form, pairs in forms.items():
        bad += print_table(form, pairs, folder, notes)
    print("\n-: left out; ok with a number: passed as far as the peer can tell")
    for text, number in notes.numbers.items():
        print(f"{number:2} {text}")
    print(f"\n{bad} cells are neither passed nor left out" if bad else "\neverything passed")
    return 1 if bad else 0


sys.exit(main())
