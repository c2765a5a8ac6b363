"""The full texts of licences whose packages ship only their names: Apache 2.0, CC BY 4.0 and MIT.

Run: python data/recipes/licences.py
"""

from __future__ import annotations

import json

import _packages
import _write


def main() -> None:
    """Take the texts from the list of SPDX licences."""
    texts = _packages.npm("spdx-license-list", "6.12.0") / "licenses"
    for name in ("Apache-2.0", "CC-BY-4.0", "MIT"):
        _write.write_licence(name, json.loads((texts / f"{name}.json").read_text("utf-8"))["licenseText"])


if __name__ == "__main__":
    main()
