"""The Python interface: what `import digitcli` gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import digitcli as package
from digitcli.data import synthetic
from digitcli.data.digits import DataSet
from digitcli.data.formats import npz
from digitcli.errors import DataError, DigitcliError, ImageError, ModelError, UsageError

EXAMPLES = Path(__file__).parent.parent / "examples"
PHOTO = EXAMPLES / "8-photo.jpg"
NOTE = EXAMPLES / "1984-note.jpg"


@pytest.fixture(scope="module")
def model():
    return package.load()


@pytest.fixture(scope="module")
def digits():
    return synthetic.generate(300, seed=1)


@pytest.fixture(scope="module")
def data(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    npz.write(DataSet(digits, synthetic.generate(100, seed=2), "digits"), path)
    return path


def test_importing_it_costs_nothing_until_something_is_used():
    code = "import digitcli, sys; print([n for n in ('numpy', 'PIL', 'tensorflow') if n in sys.modules])"
    code += "; digitcli.load; print('numpy' in sys.modules, 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True False"]


def test_it_names_what_it_has_and_has_nothing_else():
    assert {"Model", "evaluate", "load", "train"} <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = package.lode


def test_a_picture_is_read_whatever_form_it_has(model):
    image = Image.open(PHOTO)
    forms = [PHOTO, str(PHOTO), PHOTO.read_bytes(), image, np.asarray(image.convert("RGB"))]
    assert [model.read(form).text for form in forms] == ["8"] * 5


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_a_pil_image_may_have_any_mode(model, mode):
    grey = Image.open(EXAMPLES / "1-paint-pencil.png").convert("L")
    image = (
        grey.point(lambda value: value * 257, "I").convert("I;16") if mode == "I;16" else grey.convert(mode)
    )
    assert image.mode == mode
    assert model.read(image).digit == 1


def test_a_number_is_read_as_several_digits_or_as_told(model):
    assert model.read(NOTE).text == "1984"
    assert len(model.read(NOTE, mode="single").text or "") <= 1
    assert model.read(PHOTO, mode="many").text == "8"


def test_an_unsure_answer_is_none_with_its_reason(model):
    result = model.read(EXAMPLES / "1-paint-pencil.png", min_confidence=1.0)
    assert result.text is None
    assert "not sure enough" in result.reason


def test_a_picture_that_cannot_be_read_is_an_error_that_names_it(model):
    with pytest.raises(ImageError, match=r"gone\.png"):
        model.read("gone.png")
    Path("notes.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"notes\.png is not a picture"):
        model.read(Path("notes.png"))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((30, 30)),
        np.zeros(30, np.uint8),
        np.zeros((30, 30, 2), np.uint8),
        np.zeros((0, 30), np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_refused(model, pixels):
    with pytest.raises(UsageError, match="are no picture"):
        model.read(pixels)


def test_images_may_be_bytes_or_shares_with_a_channel_or_without(model, digits):
    images = digits.images[:50]
    probabilities = model.predict(images)
    assert probabilities.shape == (50, 10)
    assert probabilities.dtype == np.float32
    assert (probabilities.argmax(1) == digits.labels[:50]).mean() > 0.9
    for other in (images[..., None], images / 255, images.astype(np.float32)[..., None] / 255):
        np.testing.assert_array_equal(model.predict(other), probabilities)
    np.testing.assert_allclose(model.predict(images[7]), probabilities[7:8], atol=1e-5)
    assert model.predict(images[:0]).shape == (0, 10)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((5, 20, 20), np.uint8), "are not"),
        (np.zeros((5, 28, 28), np.int64), "neither uint8"),
        (np.full((5, 28, 28), 255.0), "go from 0 to 1"),
        (np.full((5, 28, 28), np.nan), "go from 0 to 1"),
    ],
)
def test_images_in_another_form_are_refused(model, images, message):
    with pytest.raises(UsageError, match=message):
        model.predict(images)


def test_a_model_says_what_it_is(model):
    assert model.runtime == "LiteRT"
    assert repr(model) == f"<digitcli.Model {model.path} through LiteRT>"


def test_an_absent_model_is_an_error():
    with pytest.raises(ModelError, match="no model at gone"):
        package.load("gone")


@pytest.mark.usefixtures("tensorflow")
def test_training_and_scoring_are_those_of_the_commands(data, digits):
    epochs = []
    settings = {"hidden": (16,), "epochs": 2, "batch_size": 50, "lr": 0.01}
    run = package.train("mlp-512", data=str(data), output="mine", seed=3, on_epoch=epochs.append, **settings)
    assert run.directory == Path("mine")
    assert tuple(epochs) == run.history
    assert (run.config.seed, run.config.model.hidden, run.config.recipe.lr) == (3, (16,), 0.01)
    result = package.evaluate("mine", data=str(data))
    assert result.count == 100
    assert result.accuracy == run.test.accuracy
    assert package.evaluate(package.load("mine"), data=str(data)).accuracy == result.accuracy
    assert package.load("mine").predict(digits.images).shape == (300, 10)


def test_data_without_a_test_part_is_scored_whole(model, digits):
    npz.write(DataSet(digits, None, "digits"), Path("all.npz"))
    assert package.evaluate(model, data="all.npz").count == 300


def test_a_setting_that_no_recipe_has_is_refused():
    with pytest.raises(UsageError, match="A recipe has no epoch, only optimizer, lr"):
        package.train(epoch=3)


def test_absent_data_is_an_error_of_ours():
    with pytest.raises(DataError) as error:
        package.evaluate(data="gone.csv")
    assert isinstance(error.value, DigitcliError)
