"""The parameters with which template.yaml is deployed: each set that a document or a workflow offers, each value that a
parameter allows, and examples of what only a pattern describes."""

import pathlib
import re
import shlex

# Code spans of the form Name=value that are no parameters.
OTHERS = {
    "SameSite": "an attribute of cookies",
    "Rel": "an attribute of a Link header",
    "Output": "a variable of the shell",
    "Key": "a variable of the shell",
}

# What the documents describe without an example of it, besides what only patterns describe.
EXAMPLES = [
    {"AlarmEmail": "operations@example.com", "SupportContact": "support@example.com", "ProductUrl": "https://app.example.com/start?a=b"},
    {"PublicUrl": "https://connect.example.com"},  # served by a proxy
    {
        "PublicUrl": "https://connect.example.com",
        "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
    },
    {"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"},
    {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/github/boundary"},
    {"ReturnUrls": "https://app.example.com/procore, https://staging.example.com:8443/procore?from=connect"},
    {"ReservedConcurrency": "10"},
    {"AllowedCompanies": "5678, 9012", "WebhookNamespace": "a" * 64, "WebhookTriggers": ""},
]

SPAN = re.compile(r"`([^`\n]+)`")
ASSIGNMENT = re.compile(r"([A-Z][a-z]\w*)=(\S*)")
OVERRIDES = re.compile(r"sam deploy[^\n`]*?--parameter-overrides((?:[ \t]+(?:\\\n[ \t]*)?(?:[A-Za-z]\w*=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'\\])*))+)")


def documented(root):
    """Returns the sets that documents, workflows and samconfig.toml name, each with its places."""
    files = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("examples/*/*.md"), *root.glob(".github/workflows/*.yml")]
    found = []
    for file in sorted(files):
        name, text = str(file.relative_to(root)), file.read_text()
        for command in OVERRIDES.findall(text):
            found.append((name, dict(word.split("=", 1) for word in shlex.split(command.replace("\\\n", " ")))))
        if file.suffix == ".md":
            found += [(name, values) for block in blocks(text) for values in spans(block)]
    return found


def blocks(text):
    """Returns the paragraphs, list items and rows of tables, in each of which settings belong together."""
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", text)
    return re.split(r"\n\s*\n|\n(?=\|)|\n(?=\s*(?:[-*]|\d+\.) )", text)


def spans(block):
    """Returns the settings of a block: one set, and one more for each further value of a parameter."""
    sets = [{}]
    for span in SPAN.findall(block):
        words = span.split()
        if not all(ASSIGNMENT.fullmatch(word) for word in words):
            continue
        for name, value in (word.split("=", 1) for word in words):
            if name in OTHERS:
                continue
            target = next((s for s in sets if s.get(name, value) == value), None)
            if target is None:
                sets.append(target := {})
            target[name] = value
    return [s for s in sets if s]


def allowed(parameters):
    """Returns as few sets as have each allowed value, and each end of a range, once."""
    ends = {}
    for name, p in parameters.items():
        values = p.get("AllowedValues") or [p[k] for k in ("MinValue", "MaxValue") if k in p]
        if values:
            ends[name] = [str(v) for v in values]
    # The shift after each turn keeps two parameters of two values from always having the same pair.
    return [{name: v[(i + i // len(v)) % len(v)] for name, v in ends.items()} for i in range(max(map(len, ends.values())))]


def objections(parameters, values):
    """Returns what CloudFormation would refuse about the values, before it creates anything."""
    found = [f"{name}: template.yaml has no such parameter" for name in values if name not in parameters]
    for name, p in parameters.items():
        value = str(values.get(name, p.get("Default", "")))
        if name not in values and "Default" not in p:
            found.append(f"{name}: has no default, and sam deploy --guided would wait for a value")
        if "AllowedValues" in p and value not in map(str, p["AllowedValues"]):
            found.append(f"{name}={value}: not one of {p['AllowedValues']}")
        if "AllowedPattern" in p and not re.fullmatch(p["AllowedPattern"], value):
            found.append(f"{name}={value}: {p.get('ConstraintDescription', p['AllowedPattern'])}")
        if not p.get("MinLength", 0) <= len(value) <= p.get("MaxLength", 4096):
            found.append(f"{name}={value}: {len(value)} characters")
        if p["Type"] == "Number" and not p.get("MinValue", float("-inf")) <= float(value) <= p.get("MaxValue", float("inf")):
            found.append(f"{name}={value}: not from {p.get('MinValue')} to {p.get('MaxValue')}")
    return found


def with_defaults(template, values):
    """Returns the values, and the default of each other parameter."""
    return {name: p["Default"] for name, p in template["Parameters"].items() if name not in values} | values


def broken_rules(template, resolver):
    """Returns the assertions of the template's Rules that do not hold."""
    return [
        a.get("AssertDescription", name)
        for name, rule in template.get("Rules", {}).items()
        if "RuleCondition" not in rule or resolver.value(rule["RuleCondition"])
        for a in rule["Assertions"]
        if not resolver.value(a["Assert"])
    ]


def root():
    return pathlib.Path(__file__).resolve().parent.parent.parent
