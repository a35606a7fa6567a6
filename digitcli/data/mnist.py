"""What makes MNIST MNIST: the fingerprints of its four files, and the comparison with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from digitcli.data.digits import DataSet
from digitcli.data.formats import idx

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each file, unpacked: a gzip's own hash differs from packer to packer."""


@dataclass(frozen=True)
class Comparison:
    """How a data set, in whatever format, compares with MNIST.

    sha256: what each of MNIST's files would hash to with this content; None where a part is missing.
    """

    sha256: dict[str, str | None]

    @property
    def differing(self) -> list[str]:
        """The files whose content is not MNIST's."""
        return [name for name, value in self.sha256.items() if value not in (None, SHA256[name])]

    @property
    def missing(self) -> list[str]:
        """The files whose content is not there."""
        return [name for name, value in self.sha256.items() if value is None]

    @property
    def is_genuine(self) -> bool:
        """Whether all that is there is MNIST."""
        return not self.differing

    @property
    def is_damaged(self) -> bool:
        """Whether one part is MNIST's and another is not, which no other data set would bring about."""
        return 0 < len(self.differing) < len(SHA256) - len(self.missing)

    def describe(self) -> str:
        """The outcome in a few words."""
        if self.is_damaged:
            return f"damaged MNIST, altered in {', '.join(self.differing)}"
        if not self.is_genuine:
            return "not MNIST"
        return f"MNIST without {', '.join(self.missing)}, verified" if self.missing else "MNIST, verified"


def compare(dataset: DataSet) -> Comparison:
    """Compares content, so it does not matter which format it was read from."""
    hashes: dict[str, str | None] = {}
    for part, stem in idx.STEMS.items():
        digits = dataset.train if part == "train" else dataset.test
        for kind, name in (
            (idx.IMAGES, f"{stem}-images-idx3-ubyte"),
            (idx.LABELS, f"{stem}-labels-idx1-ubyte"),
        ):
            if digits is None:
                hashes[name] = None
                continue
            array = digits.images if kind == idx.IMAGES else digits.labels
            digest = hashlib.sha256(idx.header(array))
            digest.update(array.tobytes() if not array.flags.c_contiguous else array.data)
            hashes[name] = digest.hexdigest()
    return Comparison(hashes)
