import pytest
import torch

from labkit.coding import FormatError
from labkit.sparse import pack_sparse
from labkit.storage.masks import load_masks, pack_masks, save_masks, unpack_masks


@pytest.mark.parametrize("shapes", [[], [(7,)], [(2, 3, 3, 3), (0, 4), (1, 1)], [(), (5, 13)]])
def test_masks_of_any_shape_come_back_equal(shapes):
    generator = torch.Generator().manual_seed(1)
    masks = {f"m{i}": torch.rand(shape, generator=generator) < 0.3 for i, shape in enumerate(shapes)}
    back = unpack_masks(pack_masks(masks))
    assert list(back) == list(masks)
    assert all(torch.equal(back[name], mask) for name, mask in masks.items())


def test_the_file_has_the_size_that_is_returned_and_holds_the_masks(tmp_path):
    masks = {"a.weight": torch.arange(24).view(2, 3, 4) % 5 == 0}
    size = save_masks(tmp_path / "masks.lkc", masks)
    assert size == (tmp_path / "masks.lkc").stat().st_size
    assert torch.equal(load_masks(tmp_path / "masks.lkc")["a.weight"], masks["a.weight"])


def test_a_mask_at_90_percent_takes_about_half_a_bit_per_weight():
    mask = torch.rand(40_000, generator=torch.Generator().manual_seed(0)) < 0.1
    entropy = 0.469  # bits: of 0.1
    bits = 8 * len(pack_masks({"a": mask})) / mask.numel()
    assert entropy - 0.01 < bits < entropy + 0.02


def test_a_mask_that_is_not_bool_is_refused():
    with pytest.raises(ValueError, match=r"'a' is torch.float32"):
        pack_masks({"a": torch.ones(2)})


def test_a_container_of_weights_or_a_damaged_file_is_refused():
    with pytest.raises(FormatError, match="not a mask"):
        unpack_masks(pack_sparse({"a": torch.eye(3)}))
    packed = pack_masks({"a": torch.ones(5, dtype=torch.bool)})
    with pytest.raises(FormatError):
        unpack_masks(packed[:-1])
