"""One request to an endpoint: sends the body, reads the answer within bounds, says what came."""

from __future__ import annotations

import asyncio
import io
import os
from typing import Any

import aiohttp
import orjson

from generators.teachers import answers
from generators.teachers.answers import Reading, Trouble
from generators.teachers.dialect import Dialect
from generators.teachers.endpoints import Endpoint
from generators.teachers.errors import TeacherRefusal
from verifiers.records import Usage

LARGE, LARGEST = 1 << 20, 32 << 20
PASSING = {408, 409, 425, 429}
MODELS_WAIT = 3.0


class Refused(Exception):
    """A status that asking again does not mend; `content` is what the server said."""

    def __init__(self, status: int, content: bytes):
        super().__init__(status)
        self.status, self.content = status, content


def session(key: str, loopback: bool) -> aiohttp.ClientSession:
    """A session that sends `key` and has no limit of connections of its own."""
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=30),
        headers=headers,
        trust_env=not loopback,
        read_bufsize=1 << 18,
    )


async def ask(
    client: aiohttp.ClientSession, endpoint: Endpoint, dialect: Dialect, body: bytes, n: int,
    prefix: str = "",
) -> tuple[Reading, bytes]:  # fmt: skip
    """What came back, going on from `prefix`, and its bytes; Trouble where it was for a passing
    reason, else Refused."""
    url = endpoint.chat if dialect.api == "chat" else endpoint.completions
    sent = body if len(body) <= LARGE else io.BytesIO(body)
    try:
        async with client.post(url, data=sent, allow_redirects=False) as response:
            endpoint.reached = True
            if response.status == 200 and dialect.stream:
                return await _streamed(response, prefix), b""
            content = await _bounded(response)
            status, headers = response.status, response.headers
    except aiohttp.ConnectionTimeoutError:
        return _trouble(Trouble("timeout", unreachable="it does not take connections")), b""
    except TimeoutError:
        return _trouble(Trouble("timeout")), b""
    except (aiohttp.ClientError, OSError) as error:
        reason = f"connection: {type(error).__name__}"
        return _trouble(Trouble(reason, unreachable=_unreachable(error))), b""
    if wait := answers.spent_until(headers):
        endpoint.throttle.pause(wait)
    if status == 200:
        if content is None:
            return _trouble(Trouble("body too large", answered=True)), b""
        return answers.read(content, n, prefix), content
    if status in PASSING or status >= 500:
        return _trouble(Trouble(f"status {status}", answers.asked_wait(headers))), b""
    raise Refused(status, content or b"")


def _unreachable(error: Exception) -> str:
    """Why there was no connection; empty where there was one."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        return os.strerror(error.errno).lower() if error.errno else str(error)
    return ""


def _trouble(trouble: Trouble) -> Reading:
    return Reading(trouble, Usage(), counted=trouble.answered is False)


async def _bounded(response: aiohttp.ClientResponse) -> bytes | None:
    """The body; None, and the connection closed, where it is larger than anything sensible."""
    if response.content_length is not None and response.content_length <= LARGEST:
        return await response.read()
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            response.close()
            return None
    return b"".join(parts)


async def _streamed(response: aiohttp.ClientResponse, prefix: str) -> Reading:
    """The answer in a stream of events; what was written, as Trouble, where it breaks off."""
    text, reasoning, finish, events = [], [], None, 0
    usage, counted, served = Usage(), False, dict[str, str]()
    reason = "stream cut"
    try:
        async for line in response.content:
            data = line.removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or not data:
                continue
            if data == b"[DONE]":
                break
            event = answers.loads(data)
            if not isinstance(event, dict) or "error" in event:
                reason = "stream error"
                break
            served = served or answers.read_served(event)
            if event.get("usage"):
                usage, counted = answers.read_usage(event["usage"])
            delta, ended = _delta(event)
            finish = ended or finish
            events += bool(delta)
            text.append(str(delta.get("content") or delta.get("text") or ""))
            thought = next((delta[k] for k in answers.REASONING if delta.get(k)), "")
            reasoning.append(str(thought))
    except TimeoutError:
        reason = "timeout"
    except ValueError:
        reason = "stream error"
    except (aiohttp.ClientError, OSError):
        pass
    written, thought = "".join(text), "".join(reasoning)
    if finish is None:
        if not counted:
            usage = Usage(completion_tokens=events)
        partial = written if not thought else ""
        return Reading(Trouble(reason, partial=partial), usage, served, counted=True)
    answer = answers.answer_of(prefix + written, thought, finish)
    return Reading([answer], usage, served, counted)


def _delta(event: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    if not isinstance(choice, dict):
        return {}, None
    given = choice.get("delta")
    delta = given if isinstance(given, dict) else {}
    if isinstance(choice.get("text"), str):
        delta = {"text": choice["text"]}
    finish = choice.get("finish_reason")
    return {k: v for k, v in delta.items() if v and k != "role"}, (
        finish if isinstance(finish, str) else None
    )


async def models(client: aiohttp.ClientSession, endpoint: Endpoint) -> list[dict[str, Any]]:
    """What the endpoint says that it serves; nothing where it does not say."""
    wait = aiohttp.ClientTimeout(total=MODELS_WAIT)
    try:
        async with client.get(endpoint.models, timeout=wait, allow_redirects=False) as response:
            endpoint.reached = True
            content = await response.content.read(1 << 20) if response.status == 200 else b"{}"
        listed = orjson.loads(content)
    except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        return []
    data = listed.get("data") if isinstance(listed, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def check_model(endpoint: Endpoint, model: str, listed: list[dict[str, Any]]) -> dict[str, str]:
    """What `/v1/models` tells of `model`; TeacherRefusal where the endpoint has only others."""
    names = [str(entry.get("id")) for entry in listed]
    if names and model not in names and len(names) <= 8:
        raise TeacherRefusal(
            f"the teacher at {endpoint.host} knows no model {model!r}; it serves {', '.join(names)}"
        )
    root = next((entry.get("root") for entry in listed if entry.get("id") == model), None)
    return {"root": root} if isinstance(root, str) else {}
