"""What tests of several networks need."""

import pytest
import torch


@pytest.fixture
def no_fused_path_of_torch():
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.manual_seed(0)
    yield
    torch.backends.mha.set_fastpath_enabled(before)
