"""Checks the commands of the AWS CLI that the documents have, one JSON array of document and arguments a line of the file
that the first argument names, against AWS's own list of operations and parameters. Nothing is called."""

import json
import pathlib
import sys

import botocore.session
import jmespath
from botocore import xform_name

# The options of the CLI itself, and its commands that are no operation of a service.
EVERYWHERE = {"query", "output", "region", "profile", "endpoint-url", "cli-binary-format"}
COMMANDS = {
    ("cloudformation", "deploy"): {"template-file", "stack-name", "capabilities", "parameter-overrides"},
    ("configure", "get"): set(),
}


def options(session, service, command):
    """Returns the options of a command."""
    if (service, command) in COMMANDS:
        return COMMANDS[service, command]
    if service not in session.get_available_services():
        raise ValueError(f"there is no service {service}")
    model = session.get_service_model(service)
    for name in model.operation_names:
        if xform_name(name, "-") == command:
            return {xform_name(member, "-") for member in model.operation_model(name).input_shape.members}
    raise ValueError(f"{service} has no operation {command}")


def check(session, arguments):
    """Raises an error if the command cannot be typed like this."""
    service, command, *rest = arguments
    known = options(session, service, command) | EVERYWHERE
    for argument, value in zip(rest, rest[1:] + [""]):
        if not argument.startswith("--"):
            continue
        if argument[2:] not in known:
            raise ValueError(f"{service} {command} has no option {argument}")
        if argument == "--query":
            jmespath.compile(value)


lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
session, failed = botocore.session.Session(), False
for document, *arguments in map(json.loads, lines):
    try:
        check(session, arguments)
    except ValueError as e:
        failed = True
        print(f"{document}: aws {' '.join(arguments)}: {e}")
print(f"{len(lines)} commands of the AWS CLI in the documents")
if failed or len(lines) < 10:
    sys.exit(1)
