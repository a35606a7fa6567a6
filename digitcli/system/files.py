"""Files and folders that appear complete or not at all."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from digitcli.errors import OutputError


def require_free(target: Path) -> None:
    """Raises OutputError if there is something at `target`."""
    if target.exists():
        raise OutputError(f"{target} exists already. Choose another name, or overwrite it with --force.")


def require_replaceable(target: Path, marker: str) -> None:
    """Raises OutputError if `target` is a folder with things in it, but not `marker`.

    So that --force with the wrong folder does not delete what is no output of ours.
    """
    if target.is_dir() and any(target.iterdir()) and not (target / marker).exists():
        raise OutputError(f"{target} is a folder that holds other things, so it is not replaced.")


def require_only(target: Path, names: set[str]) -> None:
    """Raises OutputError if `target` is a folder that holds anything else than these."""
    entries = target.iterdir() if target.is_dir() else ()
    others = sorted(entry.name for entry in entries if entry.name not in names)
    if others:
        raise OutputError(f"{target} also holds {others[0]}, so it is not replaced. Choose another name.")


def size(path: Path) -> int:
    """Bytes in a file, or in all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def readable(name: str) -> str:
    """A file's name as text for others: bytes that are not UTF-8, lone surrogates in Python, become �."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def write_durably(path: Path, *content: bytes | memoryview) -> None:
    """Writes a file that is whole, old or new, even if the power fails at any instant."""
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        file.writelines(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes renamings in a folder last through a power failure, where the system can do that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def sole_writer(output: Path, lock: Path) -> Iterator[None]:
    """Within, this process alone writes `output`. The folder of the file `lock` is made if it is absent.

    Raises OutputError if another process is at it, or if nothing can be written there.
    """
    from filelock import FileLock, Timeout  # a few milliseconds, which only those with an output should pay

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire(blocking=False)
    except Timeout:
        raise OutputError(f"Another process is writing {output}. Choose another name.") from None
    except OSError as error:
        raise OutputError(f"Cannot write {output}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        held.release()
        with suppress(OSError):
            lock.unlink()


def begun(held: AbstractContextManager[None], begin: Callable[[], None]) -> ExitStack:
    """Enters `held`, to be closed by what is returned; at once if `begin` then raises."""
    with ExitStack() as stack:
        stack.enter_context(held)
        begin()
        return stack.pop_all()


@contextmanager
def atomic_path(target: Path, *, force: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside `target` to write a file or folder to; renames it when all went well.

    If the body raises, what it wrote is removed and `target` stays as it was.
    Raises OutputError if `target` exists and `force` is false, or if it cannot be written.
    """
    if not force:
        require_free(target)
    temporary = target.with_name(f".{target.name}{_partial()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent.absolute())
        remove(temporary)  # left by a killed process that had our number, as those in containers often have
        yield temporary
        if target.is_dir():
            # A folder cannot be renamed onto another; the old one goes only once the new one is whole.
            shutil.rmtree(target)
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        remove(temporary)


@contextmanager
def atomic_group(target: Path, *, force: bool = False) -> Iterator[Path]:
    """As `atomic_path`, for a file or folder with companions: all that is written beside it is renamed too.

    Raises OutputError if `target` or a companion exists and `force` is false, or if one cannot be written.
    """
    if not force:
        require_free(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent.absolute())
        with tempfile.TemporaryDirectory(
            dir=target.parent, prefix=f".{target.name}.", suffix=_partial()
        ) as folder:
            yield Path(folder, target.name)
            companions = sorted(path for path in Path(folder).iterdir() if path.name != target.name)
            for path in () if force else companions:
                require_free(target.with_name(path.name))
            for path in companions:
                if target.with_name(path.name).is_dir():
                    raise OutputError(f"{target.with_name(path.name)} is a folder, so it is not replaced.")
            # The target last: where it is, all is.
            for path in (*companions, Path(folder, target.name)):
                place = target.with_name(path.name)
                if place.is_dir() and not place.is_symlink():
                    shutil.rmtree(place)
                elif path.is_dir():
                    place.unlink(missing_ok=True)
                path.replace(place)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error


def _partial() -> str:
    """What the name of a temporary file or folder of this process ends in."""
    # With the machine's name, since folders may be shared by machines, and by containers.
    return f".{os.getpid()}@{platform.node()}.partial"


@cache  # or a folder that gets thousands of files would be searched as often
def _remove_abandoned(folder: Path) -> None:
    """Removes what processes of this machine left there when they were killed."""
    ours = re.compile(rf"\..+\.(\d+)@{re.escape(platform.node())}\.partial")
    with suppress(OSError):  # what cannot be tidied up can be written to all the same
        for path in folder.iterdir():
            match = ours.fullmatch(path.name)
            if match and not _is_running(int(match[1])):
                remove(path)


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # there, os.kill would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # that of another user; a number that none has
        return True
    return True


def remove(path: Path) -> None:
    """Removes a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
