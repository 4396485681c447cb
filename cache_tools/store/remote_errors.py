"""What the errors of storage libraries mean, in a line each, and which of them may pass.

Errors are known by the names of their classes and by S3's codes, because the libraries are not always installed.
"""

import re
from typing import Any

PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504, 509)
PASSING = {
    "BrokenPipeError", "ClientConnectionResetError", "ClientOSError", "ClientPayloadError", "ConnectTimeoutError",
    "ConnectionAbortedError", "ConnectionClosedError", "ConnectionResetError", "FSTimeoutError", "HTTPClientError",
    "IncompleteReadError", "ReadTimeoutError", "ResponseParserError", "ResponseStreamingError",
    "ServerDisconnectedError", "ServerTimeoutError", "TimeoutError",
}  # fmt: skip
PASSING_CODES = {
    "ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable",
    "SlowDown",
}  # fmt: skip
NO_CONNECTION = {"ClientConnectorError", "EndpointConnectionError", "ConnectionRefusedError", "gaierror"}
NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "NoAuthTokenError", "ProfileNotFound",
}  # fmt: skip
WRONG_CREDENTIALS = {
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
}  # fmt: skip
#: a status that a library has only in its message; other numbers are offsets and lengths
STATUS_IN_TEXT = re.compile(r"(?:\(|HTTP\S* |status\D{0,9}|code\D{0,9}|error )(?:500|502|503|504|509)\b", re.IGNORECASE)
LONGEST_TEXT = 200


def explain(error: BaseException, *, answered: bool = False) -> tuple[str, bool]:
    """Return what went wrong in a line, and whether it may be otherwise in a moment.

    answered: whether the storage has answered before; then a refused connection is one of a server that starts again.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    code, status = _answer(error)
    # what aiohttp says of a status, without its quotes and the url, which the line begins with
    text = " ".join(str(getattr(error, "message", None) or error).split())[:LONGEST_TEXT]
    number = str(status) if status and not code and str(status) not in text else ""
    said = " ".join(filter(None, [f"{code}:" if code and code not in text else number, text]))
    if names & NO_CREDENTIALS:
        return f"no credentials ({said}): state them as the storage's own tools take them, such as AWS_PROFILE", False
    if code in WRONG_CREDENTIALS or any(known in text for known in WRONG_CREDENTIALS):
        return f"the storage does not accept these credentials ({said})", False
    if code == "NoSuchBucket":
        return f"there is no such bucket ({said}): make it first, or check the address", False
    if status in (401, 403) or "PermissionError" in names:
        return (
            f"not allowed ({said}): ask for permission, or check the address; without permission to list, storage "
            "answers so for what is missing"
        ), False
    if status in PASSING_STATUS or code in PASSING_CODES:
        return f"the server answers {status or code} ({said})", True
    if names & NO_CONNECTION:
        return f"no connection ({said}): check the address, and whether the server is running", answered
    if names & PASSING:
        return f"the connection failed ({type(error).__name__}: {text})", True
    return f"{type(error).__name__}: {text}", STATUS_IN_TEXT.search(text) is not None


def says_exists(error: BaseException) -> bool:
    """Return whether an object was not written because there is one; servers of S3 say it in several ways."""
    code, status = _answer(error)
    return isinstance(error, FileExistsError) or code == "PreconditionFailed" or status == 412


def _answer(error: BaseException) -> tuple[str | None, int | None]:
    """Return S3's code and the status of HTTP that a server answered with, as far as the error knows them."""
    status = getattr(error, "status", None)
    for source in (error, error.__cause__):
        # of botocore's ClientError, which s3fs translates
        response: Any = getattr(source, "response", None)
        if isinstance(response, dict):
            code = response.get("Error", {}).get("Code")
            found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            # an answer without a body, as that to HEAD, has its status as its code
            return (None if code is None or code.isdigit() else code), status or found
    return None, status
