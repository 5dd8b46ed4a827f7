"""The control endpoints of the embedded Cognito, for what AWS does by other means."""

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
        response = self._request("POST", "token", {"UserPoolId": user_pool_id, "Username": username} | more)
        return response["AccessToken"]

    def code(self, user_pool_id: str, username: str) -> str:
        """The code of the user's software token at the server's current time."""
        query = {"user_pool_id": user_pool_id, "username": username}
        return self._request("GET", "totp", query=query)["Code"]

    def advance(self, seconds: int) -> float:
        """Advances the server's clock and returns its time in seconds since the Unix epoch."""
        return self._request("POST", "clock", {"advance_seconds": seconds})["Now"]

    def sent(self, user_pool_id: str, username: str) -> list[dict[str, str]]:
        """The codes sent to a user by SMS and e-mail, newest last."""
        query = {"user_pool_id": user_pool_id, "username": username}
        return self._request("GET", "outbox", query=query)["Letters"]

    def set_status(self, user_pool_id: str, username: str, status: str) -> None:
        """Sets a status that no operation can set."""
        self._request("POST", "user", {"UserPoolId": user_pool_id, "Username": username, "UserStatus": status})

    def inject_fault(self, fault: dict[str, object]) -> None:
        """Injects a fault into the next matching request."""
        self._request("PUT", "faults", fault)

    def reset(self) -> None:
        """Restores the state of the first start."""
        self._request("POST", "reset")

    def requests(self) -> list[dict[str, object]]:
        """The requests received since the list was last cleared; `Operation` is the operation called."""
        return self._request("GET", "requests")["Requests"]

    def clear_requests(self) -> None:
        """Clears the list of requests."""
        self._request("DELETE", "requests")

    def _request(
        self, method: str, path: str, body: object = None, query: dict[str, str] | None = None
    ) -> dict[str, object]:
        url = f"{self._url}/{path}?{urllib.parse.urlencode(query or {})}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, HEADERS, method=method)
        with _OPENER.open(request, timeout=10) as response:
            return json.load(response)
