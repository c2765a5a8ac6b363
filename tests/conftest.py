"""What every test shares: shapes are checked at each call, one thread, and a seed."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

# Where shapes are written. The engine that judges answers has none, and is called thousands of times a second.
SHAPED = ("nn", "models", "text", "data", "viz", "train", "device")
install_import_hook([f"squint.{name}" for name in SHAPED], "typecheck.checker")

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # a test that opens a lab, or looks at a machine, may have set others


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request) -> torch.device:
    """The CPU, and a GPU where there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return torch.device(request.param)
