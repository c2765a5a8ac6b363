"""Every comparison with another library, one after the other: `make bench`. Ratios, both sides in one run, medians."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    scripts = sorted(p for p in Path(__file__).parent.glob("[!_]*.py") if p.name != "run.py")
    failed = [p.name for p in scripts if subprocess.run([sys.executable, str(p), *sys.argv[1:]]).returncode]
    print("\nall comparisons ran" if not failed else f"\nfailed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
