"""Writes what checkov and parliament examine into the directory that the first argument names: SAM's expansion of
template.yaml, with the default parameters and as for production, the roles of .github/deploy-role.yaml, and each policy of
these and of docs/policies."""

import json
import pathlib
import re
import sys

import deployments
import expansion

ACCOUNT = "us-east-1:123456789012"
KEY = f"arn:aws:kms:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"

VARIANTS = {
    "defaults": {},
    "production": {"DeletionProtection": "true", "ReservedConcurrency": "10", "KmsKeyArn": KEY},
}

# What AWS writes for a Ref or GetAtt in the policies, by the type of the resource.
ARNS = {
    "AWS::IAM::ManagedPolicy.Ref": "arn:aws:iam::123456789012:policy/{name}",
    "AWS::IAM::Role.Arn": "arn:aws:iam::123456789012:role/{name}",
    "AWS::DynamoDB::Table.Arn": "arn:aws:dynamodb:{account}:table/{name}",
    "AWS::DynamoDB::Table.StreamArn": "arn:aws:dynamodb:{account}:table/{name}/stream/label",
    "AWS::Lambda::Alias.Ref": "arn:aws:lambda:{account}:function:{name}:live",
    "AWS::Lambda::Function.Arn": "arn:aws:lambda:{account}:function:{name}",
    "AWS::Logs::LogGroup.Arn": "arn:aws:logs:{account}:log-group:{name}:*",
    "AWS::SecretsManager::Secret.Ref": "arn:aws:secretsmanager:{account}:secret:{name}-AbCdEf",
    "AWS::SNS::Topic.Ref": "arn:aws:sns:{account}:{name}",
    "AWS::SQS::Queue.Arn": "arn:aws:sqs:{account}:{name}",
}


def written(resources, node):
    """Returns a node of a policy with the ARNs that AWS would write."""

    def arn(name, attribute):
        return ARNS[f"{resources[name]['Type']}.{attribute}"].format(account=ACCOUNT, name=name)

    match node:
        case {"Ref": name}:
            return arn(name, "Ref")
        case {"Fn::GetAtt": [name, attribute]}:
            return arn(name, attribute)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)(?:\.(\w+))?\}", lambda m: arn(m[1], m[2] or "Ref"), text)
        case dict():
            return {k: written(resources, v) for k, v in node.items()}
        case list():
            return [written(resources, v) for v in node]
    return node


def policies(resources):
    """Returns the documents of what identities may do. What may assume a role is cfn-lint's and checkov's part."""
    found = {}
    for name, r in resources.items():
        p = r.get("Properties", {})
        if r["Type"] == "AWS::IAM::Role":
            for i, policy in enumerate(p.get("Policies", [])):
                found[name if len(p["Policies"]) == 1 else f"{name}-{i}"] = policy["PolicyDocument"]
        elif r["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
            found[name] = p["PolicyDocument"]
    return {name: written(resources, document) for name, document in found.items()}


def variants(root):
    """Returns what is examined, by the name that findings.yaml has for it."""
    text = (root / "template.yaml").read_text()
    for variant, values in VARIANTS.items():
        values = deployments.with_defaults(expansion.parse(text), values)
        yield variant, expansion.Resolver(expansion.expand(text, values), values, "us-east-1")
    template = expansion.parse((root / ".github" / "deploy-role.yaml").read_text())
    values = deployments.with_defaults(template, {"Repository": "you@12/procore-connect@345", "KmsKeyArn": KEY})
    yield "deploy-role", expansion.Resolver(template, values, "us-east-1")


def main():
    to, root = pathlib.Path(sys.argv[1]), deployments.root()
    for variant, resolver in variants(root):
        concrete = resolver.concrete()
        (to / f"{variant}.json").write_text(json.dumps(concrete, indent=1))
        directory = to / "policies" / variant
        directory.mkdir(parents=True)
        for name, document in policies(concrete["Resources"]).items():
            (directory / f"{name}.json").write_text(json.dumps(document, indent=1))
    operator = to / "policies" / "docs"
    operator.mkdir()
    names = {"Partition": "aws", "Region": "us-east-1", "Account": "123456789012", "Stack": "procore-connect"}
    for file in (root / "docs" / "policies").glob("*.json"):
        if file.name == "kms-key.json":  # that of a key, which parliament does not know; repo TestKeyPolicy examines it
            continue
        (operator / file.name).write_text(re.sub(r"\$\{(\w+)\}", lambda m: names[m[1]], file.read_text()))


if __name__ == "__main__":
    main()
