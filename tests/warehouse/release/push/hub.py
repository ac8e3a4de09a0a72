"""A stand-in for the Hub: the endpoints that `huggingface_hub` 2.4 uploads to, lists and downloads from."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import yaml

from tests.warehouse.release.push.standin import Request, StandIn

__all__ = ["HubStandIn"]

_LARGE = (".parquet",)


def _git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Handler(Request):
    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """List, or download."""
        self._answer(
            (r"/api/datasets/([^/]+/[^/]+)/refs", self._refs),
            (r"/api/datasets/([^/]+/[^/]+)/tree/([^/]+)", self._tree),
            (r"/api/datasets/([^/]+/[^/]+)(?:/revision/([^/]+))?", self._info),
            (r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._resolve),
        )

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """Make, ask, commit."""
        self._answer(
            (r"/api/repos/create", self._create),
            (r"/api/validate-yaml", self._validate),
            (r"/api/datasets/([^/]+/[^/]+)/preupload/([^/]+)", self._preupload),
            (r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
            (r"/api/datasets/([^/]+/[^/]+)/commit/([^/]+)", self._commit),
            (r"/api/datasets/([^/]+/[^/]+)/tag/([^/]+)", self._tag),
        )

    def do_PUT(self) -> None:  # noqa: N802 - the name that http.server calls
        """Store a large file under its digest."""
        oid = self.place.rpartition("/")[2]
        content = self.body(uploads=True)
        if hashlib.sha256(content).hexdigest() != oid:
            self.say(400, {"error": "the content has another digest"})
            return
        with self.stand_in.lock:
            self.stand_in.uploads.append(oid)
            self.stand_in.stored[oid] = content
        self.say(200, {})

    def _answer(self, *routes: tuple[str, Any]) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.stand_in.token}":
            self.body()
            self.say(401, {"error": "Invalid user token."})
            return
        with self.stand_in.lock:
            for pattern, method in routes:
                if found := re.fullmatch(pattern, self.place):
                    method(*found.groups())
                    return
        self.body()
        self.say(404, {"error": "no such endpoint"})

    def _create(self) -> None:
        asked = json.loads(self.body())
        name = f"{asked['organization']}/{asked['name']}"
        known = name in self.stand_in.repos
        if not known:
            self.stand_in.repos[name] = {"commits": {"0" * 40: {}}, "head": "0" * 40, "tags": {}, **asked}
        self.say(409 if known else 200, {"url": f"{self.stand_in.url}/datasets/{name}"})

    def _validate(self) -> None:
        content = json.loads(self.body())["content"]
        told = yaml.safe_load(content.split("---")[1])
        errors = [] if "configs" in told else [{"message": "no configs"}]
        self.say(200 if not errors else 400, {"errors": errors, "warnings": []})

    def _repo(self, name: str) -> dict[str, Any] | None:
        repo = self.stand_in.repos.get(name)
        if repo is None:
            self.body()
            self.say(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        return repo

    def _at(self, repo: dict[str, Any], revision: str | None) -> str:
        return repo["head"] if revision in (None, "main") else repo["tags"].get(revision, revision)

    def _refs(self, name: str) -> None:
        if repo := self._repo(name):
            heads = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repo["head"]}]
            tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": oid} for t, oid in repo["tags"].items()]
            self.say(200, {"branches": heads, "tags": tags, "converts": []})

    def _tree(self, name: str, revision: str) -> None:
        if repo := self._repo(name):
            files = repo["commits"][self._at(repo, revision)]
            self.say(200, [{"type": "file", "path": path, **file} for path, file in sorted(files.items())])

    def _info(self, name: str, revision: str | None = None) -> None:
        if repo := self._repo(name):
            oid = self._at(repo, revision)
            files = [{"rfilename": path} for path in sorted(repo["commits"][oid])]
            self.say(200, {"id": name, "sha": oid, "siblings": files, "private": repo["visibility"] == "private"})

    def _resolve(self, name: str, revision: str, path: str) -> None:
        repo = self.stand_in.repos[name]
        oid = self._at(repo, revision)
        file = repo["commits"][oid][path]
        digest = file["lfs"]["oid"] if file.get("lfs") else file["oid"]
        content = self.stand_in.stored[digest]
        self.say(200, content, X_Repo_Commit=oid, ETag=f'"{digest}"')

    def _preupload(self, name: str, revision: str) -> None:
        if repo := self._repo(name):
            there = repo["commits"][self._at(repo, revision)]
            answers = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                    "shouldIgnore": False,
                    "oid": there.get(file["path"], {}).get("oid"),
                }
                for file in json.loads(self.body())["files"]
            ]
            self.say(200, {"files": answers})

    def _batch(self, _: str) -> None:
        objects = json.loads(self.body())["objects"]
        for one in objects:
            if one["oid"] not in self.stand_in.stored:
                one["actions"] = {"upload": {"href": f"{self.stand_in.url}/storage/{one['oid']}"}}
        self.say(200, {"transfer": "basic", "objects": objects})

    def _commit(self, name: str, revision: str) -> None:
        repo = self._repo(name)
        if repo is None:
            return
        files = dict(repo["commits"][self._at(repo, revision)])
        for line in self.body().decode().splitlines():
            told = json.loads(line)
            self._change(files, told["key"], told["value"])
        oid = hashlib.sha1(json.dumps([repo["head"], files]).encode(), usedforsecurity=False).hexdigest()
        repo["commits"][oid], repo["head"] = files, oid
        self.stand_in.commits += 1
        self.say(200, {"commitUrl": f"{self.stand_in.url}/datasets/{name}/commit/{oid}", "commitOid": oid})

    def _change(self, files: dict[str, Any], key: str, value: dict[str, Any]) -> None:
        if key == "file":
            content = base64.b64decode(value["content"])
            oid = _git_blob(content)
            self.stand_in.stored[oid] = content
            files[value["path"]] = {"size": len(content), "oid": oid}
        elif key == "lfsFile":
            content = self.stand_in.stored[value["oid"]]
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{value['oid']}\nsize {len(content)}\n"
            lfs = {"oid": value["oid"], "size": len(content), "pointerSize": len(pointer)}
            files[value["path"]] = {"size": len(content), "oid": _git_blob(pointer.encode()), "lfs": lfs}
        elif key == "deletedFile":
            del files[value["path"]]

    def _tag(self, name: str, revision: str) -> None:
        if repo := self._repo(name):
            tag = json.loads(self.body())["tag"]
            known = tag in repo["tags"]
            repo["tags"].setdefault(tag, self._at(repo, revision))
            self.say(409 if known else 200, {})


class HubStandIn(StandIn):
    """The Hub, with one account."""

    handler = _Handler
    token = "hf_SECRETsecret"

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, Any]] = {}
        self.stored: dict[str, bytes] = {}
        self.uploads: list[str] = []
        self.commits = 0

    @property
    def url(self) -> str:
        """Its address, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.port}"
