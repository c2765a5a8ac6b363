"""How long a learner waits: `import squint`, and from the first cell's import to the first figure.

Each is timed in fresh processes, less a bare Python's start; medians. The targets are 50 ms and 10 s.
"""

import statistics
import subprocess
import sys
import time

FIGURE = """
from squint.notebook import begin, show
lab = begin("00_start_here")
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
figure, axes = plt.subplots(); axes.plot([0, 1]); show(figure, alt="a line")
"""


def seconds(code: str, runs: int) -> float:
    """Median wall time of a fresh Python that runs `code`."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    runs = 3 if "--quick" in sys.argv else 7
    bare = seconds("pass", runs)
    print("waiting, seconds (median of", runs, "fresh processes, a bare start subtracted)")
    for name, code, target in (("import squint", "import squint", 0.05), ("to the first figure", FIGURE, 10.0)):
        took = seconds(code, runs) - bare
        print(f"  {name:22} {took:7.3f}   target {target}   {'✓' if took < target else '✗'}")


if __name__ == "__main__":
    main()
