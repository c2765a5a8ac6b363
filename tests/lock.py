"""Write requirements.lock: the exact versions of everything, from a fresh environment with every extra.

torch is pinned first, so that no dependency brings a newer one. Run it with `make lock`.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TORCH = "torch==2.13.0"
HEADER = f"""\
# Exact versions of everything the course, its notebooks and its tests need; made by `make lock`.
# On Linux without a GPU, installing the CPU build of {TORCH} first saves several GB of CUDA libraries.
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "setuptools", TORCH], check=True)
        subprocess.run([*pip, "install", "--quiet", f"{ROOT}[lab,course,dev]", TORCH], check=True)
        frozen = subprocess.run([*pip, "freeze", "--all"], check=True, capture_output=True, text=True).stdout
    pins = [re.sub(r"\+cpu$", "", line) for line in frozen.splitlines() if "==" in line]
    pins = [pin for pin in pins if not pin.startswith(("squint-course", "pip=="))]
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(sorted(pins, key=str.lower)) + "\n")
    print(f"requirements.lock: {len(pins)} packages")


if __name__ == "__main__":
    main()
