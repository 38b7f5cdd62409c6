"""Lints what SAM makes of template.yaml, under each set of parameters of deployments.py, with cfn-lint."""

import json
import multiprocessing
import sys
import time

import deployments
import expansion

from cfnlint.api import ManualArgs, lint

def sets(root, parameters):
    """Returns the sets without repetition, each with the places that offer it."""
    found = {}
    for where, values in [
        ("defaults", {}),
        *deployments.documented(root),
        *(("allowed values", v) for v in deployments.allowed(parameters)),
        *(("examples", v) for v in deployments.EXAMPLES),
    ]:
        found.setdefault(tuple(sorted(values.items())), []).append(where)
    return [(", ".join(dict.fromkeys(places)), dict(values)) for values, places in found.items()]


def described(where, values):
    return f"{where}: {' '.join(f'{k}={v}' for k, v in values.items()) or 'every default'}"


def check(where, text, values):
    """Returns the complaints about one deployment, and which conditions were true in it."""
    template = expansion.parse(text)
    parameters = template["Parameters"]
    found = deployments.objections(parameters, values)
    if found:
        return found, {}
    values = deployments.with_defaults(template, values)
    region = "us-gov-west-1" if values.get("ProcoreEnvironment") == "federal" else "us-east-1"
    r = expansion.Resolver(expansion.expand(text, values), values, region)
    found = deployments.broken_rules(template, r)
    concrete = r.concrete()
    matches = lint(json.dumps(concrete), config=ManualArgs(regions=[region]))
    found += [f"{m.rule.id} {m.message[:200]} ({'/'.join(map(str, m.path or []))})" for m in matches]
    return found, {c: r.holds(c) for c in r.template.get("Conditions", {})}


def main():
    root, began = deployments.root(), time.monotonic()
    text = (root / "template.yaml").read_text()
    all_sets = sets(root, expansion.parse(text)["Parameters"])
    with multiprocessing.Pool() as pool:
        results = pool.starmap(check, [(where, text, values) for where, values in all_sets])
    failed, seen = False, {}
    for (where, values), (complaints, conditions) in zip(all_sets, results):
        for name, true in conditions.items():
            seen.setdefault(name, set()).add(true)
        if complaints:
            failed = True
            print(described(where, values), *complaints, sep="\n\t")
    for name, both in seen.items():
        if len(both) < 2:
            failed = True
            print(f"condition {name} is always {both.pop()}: add a set to EXAMPLES in .ci/template/deployments.py")
    print(f"{len(all_sets)} sets of parameters expanded and linted in {time.monotonic() - began:.0f} s")
    sys.exit(failed)


if __name__ == "__main__":
    main()
