"""The loop of a Lambda runtime, without what AWS's own does beside it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import time
import traceback
from http.client import HTTPConnection
from importlib import import_module


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return self._deadline - int(time.time() * 1000)


def run(module):
    handler = import_module(module).handler
    api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method, path, body=None):
        api.request(method, "/2018-06-01/runtime/" + path, body)
        answer = api.getresponse()
        return answer.headers, answer.read()

    while True:
        headers, text = call("GET", "invocation/next")
        context = Context(headers)
        try:
            out = json.dumps(handler(json.loads(text), context)).encode()
            call("POST", f"invocation/{context.aws_request_id}/response", out)
        except Exception as error:  # noqa: BLE001 - as a runtime does
            traceback.print_exc()
            out = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}).encode()
            call("POST", f"invocation/{context.aws_request_id}/error", out)
