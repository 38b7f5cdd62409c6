"""The webhook receiver with AWS's SDK alone."""

import json
import time

from receiver import authenticate, database, parse, put


def handler(request, context):
    sender = authenticate(request["headers"].get("authorization", ""))
    if sender is None:
        return {"statusCode": 401}
    event, outcome = parse(request["body"]), "stored"
    try:
        put(event, request["body"], ConditionExpression="attribute_not_exists(event_id)")
    except database.exceptions.ConditionalCheckFailedException:
        outcome = "duplicate"
    print(json.dumps({
        "time": time.time(), "level": "INFO", "msg": "delivery", "request_id": context.aws_request_id,
        "company_id": sender["company"], "key_id": sender["key_id"], "event_id": event["id"],
        "resource": event["resource"], "outcome": outcome,
    }), flush=True)
    return {"statusCode": 200}
