"""What docs/HOST-APPLICATION.md uses of PyJWT, for a machine that lacks it."""

import base64
import hashlib
import hmac
import json


def encode(claims, key, algorithm):
    assert algorithm == "HS256"
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = hmac.new(key.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()
