from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from some_digits import assert_same, some_data

from digitcli.data import formats, mnist, printed, simulated
from digitcli.data.digits import DataSet
from digitcli.data.formats import idx
from digitcli.data.load import MnistAbsentError, cache_folder, convert, load, places, verify
from digitcli.errors import DataError, OutputError, UsageError

DATA = some_data()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITCLI_MIRROR", "http://127.0.0.1:9/")  # where nothing listens


@pytest.fixture
def genuine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes DATA count as the genuine MNIST."""
    idx.write(DATA, tmp_path / "genuine")
    for path in (tmp_path / "genuine").iterdir():
        monkeypatch.setitem(mnist.SHA256, path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def put(path: Path, format_name: str = "idx", dataset: DataSet = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    formats.get(format_name).write(dataset, path)
    return path


def put_in_mnist_folder() -> None:
    put(Path("MNIST"))
    Path("MNIST/README.md").write_text("a, b")


def put_inside_mnist_folder() -> None:
    put(Path("MNIST/mnist.npz"), "npz")


def test_the_four_hashes_are_of_the_files_with_their_headers(genuine: None) -> None:
    assert mnist.compare(DATA).is_genuine


@pytest.mark.parametrize(
    ("where", "origin"),
    [
        (put_in_mnist_folder, "IDX files in MNIST (MNIST, verified)"),
        (put_inside_mnist_folder, "NumPy archive MNIST/mnist.npz (MNIST, verified)"),
        (lambda: put(cache_folder()), "(MNIST, verified)"),
    ],
)
def test_mnist_is_found_and_verified(genuine: None, where: Callable[[], object], origin: str) -> None:
    where()
    found = load("mnist")
    assert_same(found, DATA)
    assert origin in found.origin


def test_mnist_is_found_where_digitcli_data_says(
    genuine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "own.npz", "npz")
    put(cache_folder(), dataset=some_data(3, 3))
    monkeypatch.setenv("DIGITCLI_DATA", str(path))
    assert_same(load("mnist"), DATA)


def test_runs_and_the_readme_are_never_taken_for_data() -> None:
    put(Path("MNIST/runs"))
    Path("MNIST/README.md").write_text("1,2")
    assert places()[0].state == "holds no data set"


def test_the_mnist_folder_comes_before_the_cache(genuine: None) -> None:
    put(cache_folder(), dataset=some_data(3, 3))
    put(Path("MNIST"))
    assert_same(load("mnist"), DATA)


def test_another_data_set_in_the_place_of_mnist_is_told_apart() -> None:
    put(Path("MNIST"))
    assert load("mnist").origin == "IDX files in MNIST (not MNIST)"


def test_a_missing_part_is_told(genuine: None) -> None:
    put(Path("MNIST"), dataset=DataSet(DATA.train, None, ""))
    assert "MNIST without t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte" in load("mnist").origin


@pytest.mark.parametrize("source", ["mnist", "auto"])
def test_a_damaged_mnist_is_reported_and_not_passed_over(genuine: None, source: str) -> None:
    put(cache_folder())
    put(Path("MNIST"))
    path = Path("MNIST/train-images-idx3-ubyte")
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataError, match="damaged MNIST, altered in train-images-idx3-ubyte"):
        load(source)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="but the file holds"):
        load(source)


def test_where_mnist_cannot_be_had_the_error_names_each_place_and_the_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("MNIST/runs").mkdir(parents=True)
    monkeypatch.setenv("DIGITCLI_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(MnistAbsentError) as caught:
        load("mnist")
    message = str(caught.value)
    for part in (
        "MNIST/ (MNIST): holds no data set",
        f"$DIGITCLI_DATA ({tmp_path / 'nowhere'}): does not exist",
        f"the cache ({cache_folder()}): does not exist",
        "http://127.0.0.1:9/train-images-idx3-ubyte.gz: ",
        "DIGITCLI_DATA or --data PATH",
        "--data synthetic",
    ):
        assert part in message


def test_auto_falls_back_to_synthetic_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from digitcli.data import synthetic

    monkeypatch.setattr(synthetic, "dataset", lambda: DATA)
    found = load("auto")
    assert_same(found, DATA)
    assert "NOT MNIST" in found.origin
    assert "SYNTHETIC" in found.warning
    put(Path("MNIST"), dataset=some_data(3, 3))
    assert_same(load("auto"), some_data(3, 3))


def test_sets_with_a_plus_between_are_trained_on_together_and_tested_on_the_first(tmp_path: Path) -> None:
    first, second = some_data(3, 2), some_data(5, 4)
    put(tmp_path / "first", dataset=first)
    put(tmp_path / "second.npz", "npz", second)
    mixed = load(f"{tmp_path / 'first'}+{tmp_path / 'second.npz'}")
    assert [*mixed.train.labels] == [*first.train.labels, *second.train.labels]
    assert mixed.train.images[-1].tobytes() == second.train.images[-1].tobytes()
    assert mixed.test.sha256 == first.test.sha256


def test_what_is_no_digit_is_mixed_in_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    others = np.full((4, 28, 28), 7, np.uint8)
    drawn = DataSet(some_data(6, 1).train, None, "drawn", others=others)
    monkeypatch.setattr(simulated, "dataset", lambda on_progress: drawn)
    monkeypatch.setattr(printed, "dataset", lambda: DataSet(some_data(2, 1).train, None, "printed"))
    put(tmp_path / "first", dataset=some_data(3, 2))
    mixed = load(f"{tmp_path / 'first'}+simulated+printed")
    assert mixed.train is not None
    assert len(mixed.train) == 3 + 6 + 2
    assert mixed.others is not None
    assert np.array_equal(mixed.others, others)


def test_a_set_without_a_training_part_cannot_be_mixed_in(tmp_path: Path) -> None:
    put(tmp_path / "first")
    put(tmp_path / "test.npz", "npz", DataSet(None, DATA.test, "test"))
    with pytest.raises(DataError, match="no training part"):
        load(f"{tmp_path / 'first'}+{tmp_path / 'test.npz'}")


def test_a_path_may_be_any_format(tmp_path: Path) -> None:
    for name in formats.names():
        found = load(str(put(tmp_path / name, name)))
        assert_same(found, DATA)
        assert found.origin.endswith(f"{tmp_path / name} (not MNIST)")


def test_a_name_that_is_no_path_lists_the_names() -> None:
    with pytest.raises(DataError, match=r"no data set 'mnits'.*mnist, synthetic, auto"):
        load("mnits")


def test_places_tell_which_is_used_without_reading_it() -> None:
    put(Path("MNIST"))
    Path("MNIST/train-images-idx3-ubyte").write_bytes(b"damaged")
    assert [(place.name, place.state) for place in places()] == [
        ("MNIST/", "idx"),
        ("$DIGITCLI_DATA", "not set"),
        ("the cache", "does not exist"),
    ]


def test_verify_without_anything_to_verify_says_how_to_get_it() -> None:
    with pytest.raises(DataError, match="digitcli data fetch"):
        verify(None)


def test_verify_takes_the_mnist_that_would_be_used(genuine: None) -> None:
    put(cache_folder(), "folders")
    _, comparison = verify(None)
    assert comparison.is_genuine


@pytest.mark.parametrize("name", formats.names())
def test_convert_writes_each_format(tmp_path: Path, name: str) -> None:
    source = put(tmp_path / "source.npz", "npz")
    convert(str(source), tmp_path / "target", name)
    assert_same(load(str(tmp_path / "target")), DATA)


def test_convert_keeps_what_exists_unless_forced(tmp_path: Path) -> None:
    source = str(put(tmp_path / "source.npz", "npz"))
    target = put(tmp_path / "target", dataset=some_data(3, 3))
    with pytest.raises(OutputError, match="exists already"):
        convert(source, target, "idx")
    assert_same(load(str(target)), some_data(3, 3))
    convert(source, target, "idx", force=True)
    assert_same(load(str(target)), DATA)


@pytest.mark.parametrize("name", ["idx", "npz"])
def test_convert_never_replaces_a_folder_with_other_things_in_it(tmp_path: Path, name: str) -> None:
    source = str(put(tmp_path / "source.npz", "npz"))
    target = put(tmp_path / "target")
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="also holds"):
        convert(source, target, name, force=True)
    assert (target / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_convert_suggests_a_format_for_a_misspelt_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean folders"):
        convert("synthetic", tmp_path / "target", "folder")
