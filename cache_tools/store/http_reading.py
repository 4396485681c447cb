"""Reading from a web server: no more than is expected is downloaded, whatever the server sends."""

from typing import Any

BLOCK = 2**20
#: beginnings of a web page, in small letters
PAGE = (b"<!doctype html", b"<html")
#: seconds
CONNECT_TIMEOUT, SILENCE_TIMEOUT = 15.0, 60.0


class WebPage(ValueError):
    """A server sends a page for people, with the status of success, in place of an object."""

    def __init__(self) -> None:
        """Say what may be wrong."""
        super().__init__("the server sends a web page in its place: it is not there, or the address needs a login")


def client_options() -> dict[str, Any]:
    """Return the options of aiohttp's session; ImportError where it is missing.

    A try ends after a minute of silence, not after a time in all: a shard over a slow line may take long.
    """
    import aiohttp

    return {"timeout": aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_read=SILENCE_TIMEOUT)}


async def read(filesystem: Any, url: str, start: int | None, length: int) -> bytes | None:
    """Return at most `length` bytes of an object, from `start` or, where it is None, from its beginning.

    filesystem: fsspec's HTTPFileSystem, whose session and options are used. Returns fewer bytes at the object's end,
    and None where there is no such object. Of a server that ignores ranges the beginning is skipped. Raises WebPage.
    """
    options = {**filesystem.kwargs}
    # a range of a compressed body would be of other bytes
    headers = {**options.pop("headers", {}), "Accept-Encoding": "identity"}
    if start is not None:
        headers["Range"] = f"bytes={start}-{start + length - 1}"
    session = await filesystem.set_session()
    async with session.get(filesystem.encode_url(url), headers=headers, **options) as answer:
        if answer.status in (404, 410):
            return None
        if start is not None and answer.status == 416:
            # it begins after the object's end
            return b""
        answer.raise_for_status()
        skipped = 0 if start is None or answer.status == 206 else start
        data, position, end = bytearray(), 0, skipped + length
        is_text = answer.content_type == "text/html"
        while position < end and (part := await answer.content.read(min(BLOCK, end - position))):
            if is_text and position == 0 and part.lstrip().lower().startswith(PAGE):
                raise WebPage
            data += part[max(skipped - position, 0) :]
            position += len(part)
        return bytes(data)
