"""A web service that makes secret keys and API keys: `python service.py PORT`, behind what lets your own users in."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import keywright
from keywright.errors import ConfigError, InvalidClaimError, InvalidSignatureError, KeywrightError, MalformedTokenError
from keywright_jose import create_api_key, create_secret_key, verify_api_key

ring = keywright.open()


class Service(BaseHTTPRequestHandler):
    def answer(self) -> None:
        try:
            status, result = 200, self.result()
        except (MalformedTokenError, InvalidSignatureError, InvalidClaimError) as error:
            status, result = 401, {"error": str(error)}
        except (ConfigError, LookupError, TypeError, ValueError):
            status, result = 400, {"error": "this is not how to ask"}
        except KeywrightError:
            status, result = 503, {"error": "try again later"}
        self.send_response(status)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(json.dumps(result).encode())

    do_GET = do_POST = answer  # noqa: N815  (http.server's names)

    def result(self) -> dict[str, object]:
        if (self.command, self.path) == ("GET", "/whoami"):
            found = verify_api_key(ring, self.headers.get("Authorization", "").removeprefix("Bearer "))
            return {"key_id": found.key_id, "user_id": found.labels["user_id"]}
        asked = json.loads(self.rfile.read(min(max(int(self.headers["Content-Length"]), 0), 500)))
        if (self.command, self.path) == ("POST", "/api-keys"):
            made = create_api_key(ring, labels={"user_id": asked["user_id"]})
            return {"key_id": made.key_id, "api_key": made.api_key.reveal().decode()}
        if (self.command, self.path) == ("POST", "/secret-key"):
            return {"bits": asked["bits"], "key": create_secret_key(asked["bits"])}
        raise LookupError(self.path)


with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Service) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
