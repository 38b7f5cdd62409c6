"""Prints what parliament finds in each policy below the directory that the first argument names, as JSON. parliament's own
command is not used: it writes every policy into /tmp/parliament.log."""

import json
import pathlib
import re
import sys

import parliament
from parliament import analyze_policy_string, enhance_finding, override_config

override_config(pathlib.Path(parliament.__file__).parent / "community_auditors" / "config_override.yaml")


def actions(detail):
    """Returns the actions that a finding is about, or one empty text if it is about none."""
    if isinstance(detail, list):
        return [d["action"] if isinstance(d, dict) else d for d in detail]
    return re.findall(r"[a-z0-9-]+:[A-Z]\w+", str(detail)) or [""]


found = []
for file in sorted(pathlib.Path(sys.argv[1]).glob("*/*.json")):
    for f in analyze_policy_string(file.read_text(), str(file), include_community_auditors=True).findings:
        f = enhance_finding(f)
        for action in actions(f.detail):
            found.append(
                {
                    "check": f"{f.issue} {action}".strip(),
                    "where": f"{file.parent.name}/{file.stem}",
                    "text": f"{f.title} {f.detail} line {f.location.get('line')}",
                }
            )
json.dump(found, sys.stdout)
