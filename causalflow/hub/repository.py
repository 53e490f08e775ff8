"""Repository: a model's folder on a model hub, by huggingface_hub (extra ``hub``).

The hub is huggingface.co, or what the environment variable HF_ENDPOINT names. Who may write, or
read what is private, is told by a token: the one given, that of HF_TOKEN, or of ``hf auth login``.
What was fetched stays in the library's cache, from where it is read again without a network.

A repository is read as a folder is: config.json first, then the files that it names, all of one
commit, each held against its digest; nothing else is fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from causalflow.errors import CausalflowError, CheckpointError, one_line
from causalflow.hub.model_folder import CONFIG, PICTURES, WEIGHTS, file_names, read_config

__all__ = ["fetch", "is_repository", "push"]


def is_repository(place: str) -> bool:
    """Whether a text has the form owner/name.

    Example:
        >>> is_repository("ada/morpho"), is_repository("models/of/mine"), is_repository("morpho")
        (True, False, False)
    """
    return re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", place) is not None


def fetch(repository: str, revision: str | None = None, token: str | None = None) -> Path:
    """The folder in the cache that holds the model of a repository.

    Args:
        repository: owner/name.
        revision: a branch, tag or commit; None: the main branch.
        token: a reader's, where it is private.

    Raises:
        CheckpointError: no such repository or file, no network, or no model.
    """
    hub = _library()

    def file(name: str, at: str | None) -> Path:
        with _told(repository):
            return Path(
                hub.hf_hub_download(
                    repository, name, revision=at, token=token, endpoint=_endpoint()
                )
            )

    config = file(CONFIG, revision)
    folder = config.parent  # snapshots/COMMIT
    for name in read_config(folder).files:
        file(name, folder.name)
    return folder


def push(
    folder: Path,
    repository: str,
    *,
    private: bool = False,
    branch: str | None = None,
    token: str | None = None,
    message: str = "A causalflow model",
) -> str:
    """Upload a model's folder as one commit; the repository is made if it is not there.

    Args:
        folder: what `write_folder` wrote.
        repository: owner/name.
        private: whether a new repository is hidden from others.
        branch: where the commit goes; None: the main branch.
        token: a writer's.
        message: the commit's.

    Returns:
        The address of the commit.

    Raises:
        CheckpointError: no such name or right, or no network.
    """
    hub = _library()
    if not is_repository(repository):
        raise CheckpointError(f"push_to_hub: '{repository[:60]}'; expected owner/name")
    with _told(repository):
        api = hub.HfApi(endpoint=_endpoint(), token=token)
        api.create_repo(repository, private=private, exist_ok=True)
        if branch is not None:
            api.create_branch(repository, branch=branch, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            revision=branch,
            commit_message=message,
            allow_patterns=file_names(folder),
            delete_patterns=[f"{WEIGHTS}.*-of-*", *PICTURES],
        )
    return str(done.commit_url)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise CausalflowError(
            "models on a hub take the package huggingface_hub: pip install 'causalflow-engine[hub]'"
        ) from None
    return huggingface_hub


def _endpoint() -> str | None:
    """The address of the hub, as the environment has it now."""
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """What the library refuses, in one line; it never holds the token."""
    try:
        yield
    except Exception as error:  # the library's own, its HTTP library's, the system's
        cause = error.__cause__ if type(error) is RuntimeError else None  # "... while uploading"
        said = " ".join(str(each) or type(each).__name__ for each in (error, cause) if each)
        raise CheckpointError(one_line(f"{repository}: {' '.join(said.split())}")) from None
