"""Compares what checkov and parliament found, in the two files that the arguments name, with findings.yaml. A finding that
is not listed there fails, and so does an entry without a finding."""

import fnmatch
import json
import pathlib
import sys

import yaml


def of_checkov(text):
    """Returns the findings in checkov's report, by variant and logical id."""
    report = json.loads(text)
    summary = report["summary"]
    if summary["parsing_errors"] or summary["resource_count"] < 100 or not summary["passed"]:
        raise SystemExit(f"checkov did not examine the template: {summary}")
    return [
        {
            "check": f["check_id"],
            "where": f"{pathlib.Path(f['file_path']).stem}/{f['resource'].rsplit('.', 1)[1]}",
            "text": f["check_name"],
        }
        for f in report["results"]["failed_checks"]
    ]


def covers(entry, finding):
    return entry["check"] == finding["check"] and any(fnmatch.fnmatchcase(finding["where"], p) for p in entry["in"])


def complaints(entries, found):
    for f in found:
        if not any(covers(e, f) for e in entries):
            yield f"{f['check']} {f['where']}: {f['text']}"
    for e in entries:
        for pattern in e["in"]:
            if not any(covers(e | {"in": [pattern]}, f) for f in found):
                yield f"findings.yaml lists {e['check']} in {pattern}, which is no longer found: remove it"
        if not e.get("because"):
            yield f"findings.yaml has no reason for {e['check']}"


def main():
    checkov, parliament = (pathlib.Path(name).read_text() for name in sys.argv[1:])
    found = of_checkov(checkov) + json.loads(parliament)
    entries = yaml.safe_load((pathlib.Path(__file__).parent / "findings.yaml").read_text())
    wrong = list(complaints(entries, found))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"checkov and parliament: {len(found)} findings, {len(wrong)} of them without an entry or the reverse; {len(entries)} entries in .ci/template/findings.yaml")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
