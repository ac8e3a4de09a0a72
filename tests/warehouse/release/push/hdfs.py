"""A stand-in for WebHDFS, a store that fsspec reaches over HTTP: the operations of its REST interface, in memory."""

from __future__ import annotations

from typing import Any

from tests.warehouse.release.push.standin import Request, StandIn

__all__ = ["HdfsStandIn"]

_ROOT = "/webhdfs/v1"


class _Handler(Request):
    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """Look, or read."""
        files, path = self.stand_in.files, self.place.removeprefix(_ROOT)
        match self.query["op"]:
            case "GETFILESTATUS" if path in files:
                self.say(200, {"FileStatus": {"type": "FILE", "length": len(files[path])}})
            case "OPEN" if path in files:
                begin = int(self.query.get("offset", 0))
                end = begin + int(self.query.get("length", len(files[path])))
                self.say(200, files[path][begin:end])
            case _:
                told = {"exception": "FileNotFoundException", "message": f"{path} does not exist"}
                self.say(404, {"RemoteException": told})

    def do_PUT(self) -> None:  # noqa: N802 - the name that http.server calls
        """Make folders, begin files, rename."""
        files, path = self.stand_in.files, self.place.removeprefix(_ROOT)
        self.body()
        match self.query["op"]:
            case "CREATE" if "data" not in self.query:
                self.say(307, {}, Location=f"{self.stand_in.address}{self.path}&data=1")
            case "CREATE":
                files[path] = b""
                self.say(201, {})
            case "RENAME":
                free = path in files and self.query["destination"] not in files
                if free:
                    files[self.query["destination"]] = files.pop(path)
                self.say(200, {"boolean": free})
            case _:
                self.say(200, {"boolean": True})

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """Append."""
        path = self.place.removeprefix(_ROOT)
        if "data" not in self.query:
            self.body()
            self.say(307, {}, Location=f"{self.stand_in.address}{self.path}&data=1")
            return
        self.stand_in.uploads.append(path)
        self.stand_in.files[path] += self.body(uploads=True)
        self.say(200, {})

    def do_DELETE(self) -> None:  # noqa: N802 - the name that http.server calls
        """Remove a file."""
        found = self.stand_in.files.pop(self.place.removeprefix(_ROOT), None)
        self.say(200, {"boolean": found is not None})


class HdfsStandIn(StandIn):
    """A store."""

    handler = _Handler

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.uploads: list[str] = []

    @property
    def address(self) -> str:
        """Its address over HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its address for fsspec."""
        return f"webhdfs://127.0.0.1:{self.port}/shelf"

    def release(self, version: str) -> dict[str, Any]:
        """Return the files of a version, by their path in the release."""
        root = f"/shelf/{version}/"
        return {path.removeprefix(root): content for path, content in self.files.items() if path.startswith(root)}
