"""template.yaml as CloudFormation has it after the parameters are known: expanded by SAM's own translator, with each
condition decided and each value written out. What only AWS knows, such as the ARN of a table, remains a Ref or GetAtt."""

import logging
import os
import re

logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)  # it warns that it was not asked to publish any
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the translator does not start without one

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ABSENT = object()  # AWS::NoValue
REFERENCE = re.compile(r"\$\{([^!}][^}]*)\}")


class _NoManagedPolicies:
    """Our functions name none by its short name. Looking them up would call AWS."""

    def load(self):
        return {}


def parse(text):
    return yaml_parse(text)


def expand(text, values):
    """Returns the resources that SAM makes of the template, still with parameters and conditions."""
    document = parse(text)
    document["Globals"]["Function"]["CodeUri"] = "s3://bucket/code.zip"  # as sam deploy uploads it
    return transform(document, dict(values), _NoManagedPolicies())


class Resolver:
    """Writes the values of parameters, mappings and conditions into a template."""

    def __init__(self, template, values, region):
        self.template = template
        partition = "aws-us-gov" if region.startswith("us-gov-") else "aws"
        self.known = dict(values) | {
            "AWS::AccountId": "123456789012", "AWS::NoValue": ABSENT, "AWS::Partition": partition, "AWS::Region": region,
            "AWS::StackName": "procore-connect", "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": f"arn:{partition}:cloudformation:{region}:123456789012:stack/procore-connect/6d1f2e30-0000-11f0-0000-0a0a0a0a0a0a",
        }  # fmt: skip
        self.conditions = {}

    def holds(self, condition):
        """Reports whether a condition of the template is true."""
        if condition not in self.conditions:
            self.conditions[condition] = self.value(self.template["Conditions"][condition])
        return self.conditions[condition]

    def concrete(self):
        """Returns the template without parameters, mappings and conditions, and without what a condition excludes."""
        there = {name for name, r in self.template["Resources"].items() if "Condition" not in r or self.holds(r["Condition"])}
        resources = {}
        for name in self.template["Resources"]:
            if name in there:
                r = {k: v for k, v in self.template["Resources"][name].items() if k != "Condition"}
                if "DependsOn" in r:  # CloudFormation does not wait for what a condition excludes
                    on = [r["DependsOn"]] if isinstance(r["DependsOn"], str) else r["DependsOn"]
                    r["DependsOn"] = [n for n in on if n in there or n not in self.template["Resources"]]
                resources[name] = self.value(r)
        outputs = {
            name: self.value({k: v for k, v in o.items() if k != "Condition"})
            for name, o in self.template.get("Outputs", {}).items()
            if "Condition" not in o or self.holds(o["Condition"])
        }
        return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, "Outputs": outputs}

    def value(self, node):
        """Returns the node with everything that is known written out."""
        if isinstance(node, list):
            return [v for v in map(self.value, node) if v is not ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self.function(name, argument)
        return {k: v for k, v in ((k, self.value(v)) for k, v in node.items()) if v is not ABSENT}

    def function(self, name, argument):
        match name:
            case "Ref":
                return self.known.get(argument, {"Ref": argument})
            case "Condition":
                return self.holds(argument) if isinstance(argument, str) else {name: self.value(argument)}
            case "Fn::GetAtt":
                return {name: argument.split(".", 1) if isinstance(argument, str) else argument}
            case "Fn::If":
                condition, yes, no = argument
                return self.value(yes if self.holds(condition) else no)
            case "Fn::Sub":
                return self.substitute(argument)
        v = self.value(argument)
        match name:
            case "Fn::Equals":
                return str(v[0]) == str(v[1])
            case "Fn::Not":
                return not v[0]
            case "Fn::And":
                return all(v)
            case "Fn::Or":
                return any(v)
            case "Fn::Contains":
                return str(v[1]) in map(str, v[0])
            case "Fn::FindInMap":
                return self.value(self.template["Mappings"][v[0]][str(v[1])][v[2]])
            case "Fn::Join" if all(isinstance(part, str | int) for part in v[1]):
                return v[0].join(map(str, v[1]))
            case "Fn::Split" if isinstance(v[1], str):
                return v[1].split(v[0])
            case "Fn::Select" if isinstance(v[1], list):
                return v[1][int(v[0])]
        return {name: v}

    def substitute(self, argument):
        text, names = argument if isinstance(argument, list) else (argument, {})
        names = {k: self.value(v) for k, v in names.items()}

        def write(match):
            v = names.get(match[1], self.known.get(match[1], match[0]))
            return match[0] if isinstance(v, dict) else str(v)

        text = REFERENCE.sub(write, text)
        left = set(REFERENCE.findall(text))
        if not left:
            return text.replace("${!", "${")
        names = {k: v for k, v in names.items() if k in left}
        return {"Fn::Sub": [text, names] if names else text}
