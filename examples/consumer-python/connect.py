"""Access tokens from the function access-token, calls to Procore, and the order of events. It needs no more than Lambda's
Python has."""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3

client = boto3.client("lambda")
kept = {}  # answers of access-token, by company


class Refused(Exception):
    """There is no token for the company. The text is the reason."""


def token(company, rejected=False):
    """Returns what to send to Procore, from memory for as long as access-token allows."""
    if rejected or kept.get(company, {}).get("keep_until", "") <= now():
        request = json.dumps({"company_id": company, "rejected": rejected})
        out = client.invoke(FunctionName=os.environ["ACCESS_TOKEN_FUNCTION"], Payload=request)
        answer = json.load(out["Payload"])
        if "headers" not in answer:
            raise Refused(answer.get("error", {}).get("reason", "access-token failed"))
        kept[company] = answer
    return kept[company]


def read(event, path):
    """Returns the answer to a GET. After a 401 or 403 it has the token checked, and tries once more."""
    path = path.format(**{k: urllib.parse.quote(str(v), safe="") for k, v in event.items()})
    for rejected in False, True:
        answer = token(event["company_id"], rejected)
        request = urllib.request.Request(answer["api_url"] + path)
        for name, value in answer["headers"].items():
            request.add_unredirected_header(name, value)  # to this host alone
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.read()
        except urllib.error.HTTPError as e:
            if rejected or e.code not in (401, 403):
                raise


def in_order(batch, handle):
    """Passes each event to handle. After the first failure of a group the rest of the group waits for its redelivery."""
    failures, stopped = [], set()
    for message in batch["Records"]:
        group, event = message["attributes"]["MessageGroupId"], {}
        try:
            if group not in stopped:
                event = dict(json.loads(message["body"]))
                log("INFO", "handled", event, outcome=finish(event, handle))
                continue
        except Exception as e:  # the text of another one may have a part of what it failed on
            text = str(e) if isinstance(e, (Refused, OSError)) else type(e).__name__
            attempt = int(message["attributes"]["ApproximateReceiveCount"])
            log("ERROR", "not handled", event, error=text, attempt=attempt, message_id=message["messageId"])
        stopped.add(group)
        failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def finish(event, handle):
    """Returns the outcome of an event that needs no repetition."""
    try:
        return "own" if event["self_originated"] else handle(event)
    except urllib.error.HTTPError as e:
        if e.code not in (403, 404):
            raise
        return {403: "forbidden", 404: "not_found"}[e.code]
    except Refused as e:
        if str(e) not in ("disconnected", "ended", "revoked"):
            raise
        return "not_connected"


def log(level, text, event, **more):
    """Writes the line of an event that docs/WEBHOOKS.md specifies."""
    about = {k: str(event.get(k, ""))[:100] for k in ("resource", "resource_id", "type")}
    about |= {"event_id": str(event.get("id", ""))[:100], "company_id": int(event.get("company_id", 0))}
    print(json.dumps({"time": now(), "level": level, "msg": text} | about | more))


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
