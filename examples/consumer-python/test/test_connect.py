"""Tests of connect.py: python3 -m unittest discover test, with boto3. make test-aws runs them."""

import contextlib
import http.server
import io
import json
import pathlib
import sys
import threading
import unittest
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import connect  # noqa: E402

SECRET = "fake-access-token"


class Lambda:
    """Stands in for access-token, with one answer for each invocation."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def invoke(self, FunctionName, Payload):
        self.requests.append(json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(self.answers.pop(0)).encode())}


class Procore(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next status, and keeps the headers that it was sent."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Authorization"), self.headers.get("Procore-Company-Id")))
        status = self.server.statuses.pop(0)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.elsewhere)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def message(group, n, **event):
    event = {"id": f"e{n}", "company_id": "5678", "resource": "RFIs", "resource_id": "4 2/x", "type": "update", "self_originated": None} | event
    return {"messageId": f"m{n}", "body": json.dumps(event), "attributes": {"MessageGroupId": group, "ApproximateReceiveCount": "1"}}


class Rules(unittest.TestCase):
    def setUp(self):
        connect.kept.clear()
        connect.os.environ["ACCESS_TOKEN_FUNCTION"] = "access-token"

    def serve(self, *statuses, elsewhere=""):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Procore)
        server.statuses, server.seen, server.elsewhere = list(statuses), [], elsewhere
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def answer(self, server, keep_until="9999-01-01T00:00:00Z"):
        return {"api_url": server.url, "keep_until": keep_until, "headers": {"Authorization": f"Bearer {SECRET}", "Procore-Company-Id": "5678"}}

    def run_batch(self, handle, *messages):
        lines = io.StringIO()
        with contextlib.redirect_stdout(lines):
            out = connect.in_order({"Records": list(messages)}, handle)
        self.assertNotIn(SECRET, lines.getvalue())
        return [f["itemIdentifier"] for f in out["batchItemFailures"]], [json.loads(line) for line in lines.getvalue().splitlines()]

    def test_order(self):
        met = []

        def handle(event):
            met.append(event["id"])
            if event["id"] == "e1":
                raise ValueError(f"Bearer {SECRET}")
            return "handled"

        failed, lines = self.run_batch(handle, message("a", 1), message("a", 2), message("b", 3))
        self.assertEqual((failed, met), (["m1", "m2"], ["e1", "e3"]))
        self.assertEqual([(x["msg"], x.get("error")) for x in lines], [("not handled", "ValueError"), ("handled", None)])

    def test_outcomes(self):
        def raises(error):
            def handle(_):
                raise error
            return handle

        def status(code):
            return urllib.error.HTTPError("http://x", code, "status", {}, None)

        for error, outcome in [
            (status(404), "not_found"), (status(403), "forbidden"), (status(401), None), (status(429), None), (status(503), None),
            (connect.Refused("disconnected"), "not_connected"), (connect.Refused("ended"), "not_connected"), (connect.Refused("revoked"), "not_connected"),
            (connect.Refused("paused"), None), (connect.Refused("not_connected"), None), (connect.Refused("reauthorize"), None), (OSError("no network"), None),
        ]:
            failed, lines = self.run_batch(raises(error), message("a", 1))
            self.assertEqual((failed, lines[0].get("outcome")), ([] if outcome else ["m1"], outcome), error)
        self.assertEqual(self.run_batch(raises(OSError()), message("a", 1, self_originated=True))[1][0]["outcome"], "own")
        self.assertEqual(self.run_batch(raises(OSError()), {**message("a", 1), "body": "[1]"})[0], ["m1"])

    def test_token_is_kept(self):
        server = self.serve(200, 200, 200)
        connect.client = Lambda(self.answer(server), self.answer(server, "2020-01-01T00:00:00Z"), self.answer(server))
        event = json.loads(message("a", 1)["body"])
        for _ in range(2):
            connect.read(event, "/rfis/{resource_id}")
        self.assertEqual(connect.client.requests, [{"company_id": "5678", "rejected": False}])
        self.assertEqual(server.seen[0], ("/rfis/4%202%2Fx", f"Bearer {SECRET}", "5678"))
        connect.kept["5678"]["keep_until"] = "2020-01-01T00:00:00Z"
        connect.read(event, "/rfis/{resource_id}")
        self.assertEqual(len(connect.client.requests), 2)

    def test_rejected_once(self):
        for first in 401, 403:
            with self.subTest(first):
                server = self.serve(first, 200, first, first)
                connect.kept.clear()
                connect.client = Lambda(*[self.answer(server)] * 3)
                event = json.loads(message("a", 1)["body"])
                connect.read(event, "/x")
                with self.assertRaises(urllib.error.HTTPError):
                    connect.read(event, "/x")
                self.assertEqual([r["rejected"] for r in connect.client.requests], [False, True, True])

    def test_redirect_has_no_token(self):
        elsewhere = self.serve(200)
        server = self.serve(302, elsewhere=elsewhere.url + "/file")
        connect.client = Lambda(self.answer(server))
        connect.read(json.loads(message("a", 1)["body"]), "/x")
        self.assertEqual(elsewhere.seen, [("/file", None, None)])


if __name__ == "__main__":
    unittest.main()
