"""Receives the events. Your work goes into handle, here in its place; connect.py keeps the rules of docs/ANY-LANGUAGE.md."""

import connect

# Where each resource is read, with fields of the event.
PATHS = {
    "RFIs": "/rest/v1.0/projects/{project_id}/rfis/{resource_id}",
    "Projects": "/rest/v1.0/projects/{resource_id}?company_id={company_id}",
    "Company Users": "/rest/v1.3/companies/{company_id}/users/{resource_id}",
}


def handle(event):
    """Is called for each event, in order for each resource. An event arrives at least once, so be idempotent by the state
    that you read. A 403 or 404 finishes it, and after any other exception it is delivered again."""
    if event["resource"] not in PATHS:
        return "unknown_resource"
    resource = connect.read(event, PATHS[event["resource"]])  # as it is now
    connect.log("INFO", "resource read", event, bytes=len(resource))  # without its content, which is personal data
    return "handled"


def handler(batch, _context):
    """Is what Lambda calls."""
    return connect.in_order(batch, handle)
