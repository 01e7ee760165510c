"""A web service that makes secret keys and API keys: `python service.py PORT`, behind what lets your own users in."""

import json
import sys
from typing import Any
from wsgiref.simple_server import make_server

import keywright
from keywright.errors import ConfigError, InvalidClaimError, InvalidSignatureError, MalformedTokenError
from keywright_jose import create_api_key, create_secret_key, verify_api_key

ring = keywright.open()


def service(request: dict[str, Any], start: Any) -> list[bytes]:
    try:
        asked = json.loads(request["wsgi.input"].read(min(max(int(request["CONTENT_LENGTH"] or 0), 0), 500)) or "{}")
        status, result = "200 OK", ROUTES[f"{request['REQUEST_METHOD']} {request['PATH_INFO']}"](request, asked)
    except (MalformedTokenError, InvalidSignatureError, InvalidClaimError) as error:
        status, result = "401 Unauthorized", {"error": str(error)}
    except (ConfigError, LookupError, TypeError, ValueError):
        status, result = "400 Bad Request", {"error": "this is not how to ask"}
    start(status, [("Cache-Control", "no-store"), ("Content-Type", "application/json")])
    return [json.dumps(result).encode()]


def whoami(request: dict[str, Any], _asked: Any) -> dict[str, object]:
    return dict(verify_api_key(ring, request.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")).labels)


def new_api_key(_request: dict[str, Any], asked: Any) -> dict[str, object]:
    made = create_api_key(ring, labels={"user_id": asked["user_id"]})
    return {"key_id": made.key_id, "api_key": made.api_key.reveal().decode()}


def new_secret_key(_request: dict[str, Any], asked: Any) -> dict[str, object]:
    return {"bits": asked["bits"], "key": create_secret_key(asked["bits"])}


ROUTES = {"GET /whoami": whoami, "POST /api-keys": new_api_key, "POST /secret-key": new_secret_key}
with make_server("127.0.0.1", int(sys.argv[1]), service) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
