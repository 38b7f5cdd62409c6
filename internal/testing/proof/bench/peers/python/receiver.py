"""What both peers in Python have in common: the credential, the item, and the clients of AWS."""

import base64
import hashlib
import hmac
import json
import os
import time
from datetime import datetime
from urllib.parse import quote

import boto3

SECRET_AGE = 300  # seconds
LIFE = 14 * 24 * 3600  # seconds of an item

session = boto3.session.Session()
database = session.client("dynamodb")
secrets = session.client("secretsmanager")
_ring = None  # keys by id, the lowest valid epochs, and when the secret was read


def _keys():
    global _ring
    if _ring is None or time.monotonic() - _ring["read_at"] > SECRET_AGE:
        material = json.loads(secrets.get_secret_value(SecretId=os.environ["WEBHOOK_SECRET_ID"])["SecretString"])
        current, epochs = material.pop("current"), material.pop("minimum_epochs", {})
        _ring = {"current": current, "epochs": epochs, "material": material, "derived": {}, "read_at": time.monotonic()}
    return _ring


def _derive(material):
    """HKDF-SHA256 (RFC 5869) of one block, without a salt."""
    extracted = hmac.digest(bytes(32), material.encode(), hashlib.sha256)
    return hmac.digest(extracted, b"procore-connect webhook\x01", hashlib.sha256)


def authenticate(header):
    """Returns what the credential proves, or None."""
    parts = header.removeprefix("Bearer ").split(".")
    if not header.startswith("Bearer ") or len(header) > 256 or len(parts) != 4:
        return None
    key_id, company, epoch, mac = parts
    ring = _keys()
    if key_id not in ring["material"] or int(epoch) < ring["epochs"].get(company, 0):
        return None
    if key_id not in ring["derived"]:
        ring["derived"][key_id] = _derive(ring["material"][key_id])
    digest = hmac.digest(ring["derived"][key_id], f"{key_id}.{company}.{epoch}".encode(), hashlib.sha256)
    want = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(want, mac):
        return None
    return {"company": company, "key_id": key_id, "current": key_id == ring["current"]}


def parse(body):
    """Returns the event with the names of an envelope."""
    e = json.loads(body)
    event = {
        "id": str(e["id"]), "ulid": e["ulid"], "company_id": str(e["company_id"]), "project_id": str(e["project_id"]),
        "user_id": str(e["user_id"]), "resource": e["resource_name"], "resource_id": str(e["resource_id"]),
        "event_type": e["event_type"], "timestamp": e["timestamp"], "payload_version": e["api_version"],
        "metadata": e["metadata"],
    }
    for name in ("id", "company_id", "resource", "resource_id", "event_type"):
        if not event[name]:
            raise ValueError(f"the event has no {name}")
    return event


def put(event, body, **condition):
    """Writes the event's item. With a condition it is written once."""
    resource = f'{event["company_id"]}#{event["resource"]}#{event["resource_id"]}'
    now = time.time()
    database.put_item(
        TableName=os.environ["INBOX_TABLE"],
        Item={
            "resource": {"S": resource},
            "event_id": {"S": event["id"]},
            "group_id": {"S": quote(resource, safe="")},
            "dedup_id": {"S": quote(f'{event["company_id"]}#{event["id"]}', safe="")},
            "envelope": {"S": json.dumps(event, separators=(",", ":"))},
            "body": {"B": body.encode()},
            "payload_version": {"S": event["payload_version"]},
            "ulid": {"S": event["ulid"]},
            "happened_at_ms": {"N": str(int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000))},
            "company_id": {"S": event["company_id"]},
            "received_at_ms": {"N": str(int(now * 1000))},
            "ttl": {"N": str(int(now) + LIFE)},
        },
        **condition,
    )
