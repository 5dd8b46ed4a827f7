"""Speaks to the control endpoints of the embedded Cognito, with which tests reach what AWS reaches by other ways."""

import json
import urllib.parse
import urllib.request

HEADERS = {"Content-Type": "application/json", "X-Embedded-Control": "1"}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Control:
    """The control endpoints of one embedded Cognito."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_embedded"

    def mint(self, user_pool_id: str, username: str, **more: object) -> str:
        """An access token; `Scope`, `ExpiresIn` (seconds) and `ClientId` may be given."""
        answer = self._ask("POST", "token", {"UserPoolId": user_pool_id, "Username": username} | more)
        return answer["AccessToken"]

    def code(self, user_pool_id: str, username: str) -> str:
        """The code of the user's software token at the server's time."""
        query = {"user_pool_id": user_pool_id, "username": username}
        return self._ask("GET", "totp", query=query)["Code"]

    def advance(self, seconds: int) -> float:
        """Moves the server's clock on, and answers its time in seconds of the Unix epoch."""
        return self._ask("POST", "clock", {"advance_seconds": seconds})["Now"]

    def sent(self, user_pool_id: str, username: str) -> list[dict[str, str]]:
        """The codes sent to a user by SMS and e-mail, the newest last."""
        query = {"user_pool_id": user_pool_id, "username": username}
        return self._ask("GET", "outbox", query=query)["Letters"]

    def set_status(self, user_pool_id: str, username: str, status: str) -> None:
        """Puts a user into a status that no operation leads to."""
        self._ask("POST", "user", {"UserPoolId": user_pool_id, "Username": username, "UserStatus": status})

    def reset(self) -> None:
        """Puts everything back to how it was at the first start."""
        self._ask("POST", "reset")

    def put_fault(self, fault: dict[str, object]) -> None:
        """Adds a fault that waits for a request."""
        self._ask("PUT", "faults", fault)

    def requests(self) -> list[dict[str, object]]:
        """The requests that the server got since they were last forgotten; their `Operation` says what was asked."""
        return self._ask("GET", "requests")["Requests"]

    def forget_requests(self) -> None:
        """Begins the list of requests anew."""
        self._ask("DELETE", "requests")

    def _ask(
        self, method: str, path: str, body: object = None, query: dict[str, str] | None = None
    ) -> dict[str, object]:
        url = f"{self._url}/{path}?{urllib.parse.urlencode(query or {})}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, HEADERS, method=method)
        with _OPENER.open(request, timeout=10) as answer:
            return json.load(answer)
