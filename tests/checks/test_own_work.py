"""Answers that leave an exercise to labkit are refused; answers of the student's own are not."""

from __future__ import annotations

import contextlib
import functools
import io

import pytest

from labkit import linear, models, settings
from labkit.checks import CheckFailed
from labkit.checks.own_work import borrowed, public_path
from labkit.course.notebook import structure

# Each answers its exercise rightly, or nearly so, by what labkit holds.
SHORTCUTS = {
    "00.1 by the count of the others": (
        "00.1",
        "from labkit.models.weights import count_nonzero\n"
        "def share_of_zeros(x):\n    return 1 - count_nonzero(x) / x.numel()",
    ),
    "01.1 by name": ("01.1", "loss_gradient = linear.squared_loss_gradient\ngradient_step = None"),
    "01.1 in the second of two answers": (
        "01.1",
        "def loss_gradient(w, X, y):\n    return 2 * X.T @ (X @ w - y)\n"
        "def gradient_step(w, X, y, step):\n    return w - step * linear.squared_loss_gradient(w, X, y)",
    ),
    "01.2 wrapped": ("01.2", "def project_k_sparse(w, k):\n    return linear.project_sparse(w, k)"),
    "01.3 as a lambda": (
        "01.3",
        "subgradient_step = lambda w, X, y, step, lam: w - step * lam * linear.l1_subgradient(w)\n"
        "smallest_crossing = None",
    ),
    "01.4 imported inside": (
        "01.4",
        "def soft_threshold(w, threshold):\n"
        "    from labkit.linear import soft_threshold as shrink\n    return shrink(w, threshold)",
    ),
    "01.5 by a helper": (
        "01.5",
        "def helper(*inputs):\n    return linear.trimmed_soft_threshold(*inputs)\n"
        "def trimmed_soft_threshold(w, threshold, smallest):\n    return helper(w, threshold, smallest)",
    ),
    "02.1 by another name of the module": (
        "02.1",
        "import labkit.pruning.magnitude as tools\n"
        "def magnitude_mask(weight, q):\n    return tools.magnitude_mask(weight, q / 100)",
    ),
    "02.2 as a partial": (
        "02.2",
        "import functools\ndeviation_mask = functools.partial(library.deviation_mask)",
    ),
    "02.3 by getattr": (
        "02.3",
        "def sparsity(model):\n    return getattr(library, 'sparsity_by_layer')(model), 0.0",
    ),
    "02.4 by the library's masks": (
        "02.4",
        "def keep_zeros(optimizer, weights, masks):\n"
        "    holder = nn.ParameterDict(weights)\n"
        "    return optimizer.register_step_post_hook(lambda *_: library.apply_masks(holder, masks))",
    ),
    "02.5 as a default value": (
        "02.5",
        "from labkit.pruning.callbacks import linear_ramp\n"
        "def sparsity_schedule(target, epochs, ramp, make=linear_ramp):\n"
        "    return make(target, ramp) + [target] * (epochs - ramp)",
    ),
    "02.6 in a comprehension": (
        "02.6",
        "def global_masks(weights, q):\n"
        "    return {name: library.magnitude_mask(w, q / 100) for name, w in weights.items()}",
    ),
    "02.8 in a loop": (
        "02.8",
        "def finetune_after_prune(model, batches, optimizer, masks):\n"
        "    for inputs, labels in batches:\n"
        "        nn.functional.cross_entropy(model(inputs), labels).backward()\n"
        "        optimizer.step()\n        library.apply_masks(model, masks)",
    ),
    "03.1 by the library's grid": (
        "03.1",
        "from labkit.quantization import affine\n"
        "def quantize(x, bits=8):\n"
        "    grid = affine.fit_grid(torch.from_numpy(x), bits=bits)\n"
        "    return affine.quantize(torch.from_numpy(x), grid).numpy(), float(grid.scale), 0.0\n"
        "dequantize = None",
    ),
    "03.2 by the library's count": (
        "03.2",
        "from labkit.quantization.affine import count_quantized_bytes, fit_grid\n"
        "def count_bytes(arrays, bits):\n"
        "    grid = fit_grid(torch.ones(1), bits=bits)\n"
        "    return {'payload': sum(count_quantized_bytes(a.size, grid).payload for a in arrays)}",
    ),
    "03.3 in a method": (
        "03.3",
        "from labkit.quantization import affine\n"
        "class RoundAsymmetric(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, weight, bits):\n"
        "        return affine.straight_through(weight, bits=bits)\n"
        "    @staticmethod\n    def backward(ctx, gradient):\n        return gradient, None",
    ),
    "03.4 in a base class": (
        "03.4",
        "from labkit.quantization import affine\n"
        "class Base(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, weight, bits):\n"
        "        return affine.straight_through(weight, bits=bits, scheme='symmetric')\n"
        "class RoundSymmetric(Base):\n"
        "    @staticmethod\n    def backward(ctx, gradient):\n        return gradient, None",
    ),
    "03.5 in a list": (
        "03.5",
        "tools = [layers.quantize_residual_blocks]\n"
        "def swap_blocks(model, make):\n    return tools[0](model, bits=4)",
    ),
    "03.6 in a nested function": (
        "03.6",
        "from labkit.quantization.affine import straight_through as rounded\n"
        "def round_per_channel(weight, bits):\n"
        "    def channel(index):\n        return rounded(weight[index], bits=bits)\n"
        "    return torch.stack([channel(index) for index in range(len(weight))])",
    ),
    "04.1 by all steps at once": (
        "04.1",
        "from labkit.quantization import kmeans\n"
        "def lloyd_step(values, centroids):\n    return kmeans.kmeans(values, len(centroids)).centroids",
    ),
    "04.2 in a dict": (
        "04.2",
        "from labkit.quantization import kmeans_init\n"
        "tools = {'start': kmeans_init.initial_centroids}\n"
        "def initial_centroids(values, clusters, kind, generator):\n"
        "    return tools['start'](values, clusters, kind)",
    ),
    "04.3 by its own centroids": (
        "04.3",
        "from labkit.quantization.weight_sharing import share_weights\n"
        "def share(weight, centroids):\n"
        "    shared = share_weights(from_numpy(weight), len(centroids))\n"
        "    return shared.codebook.numpy(), shared.indices.numpy()",
    ),
    "04.4 with another histogram": (
        "04.4",
        "from labkit.quantization.kmeans import initial_centroids as start\n"
        "def density_centroids(values, clusters, bins, power):\n"
        "    return start(values, clusters, 'density')",
    ),
    "04.5 in a static method": (
        "04.5",
        "from labkit.quantization import weight_sharing\n"
        "class SharedWeight(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, codebook, indices):\n"
        "        pair = weight_sharing.SharedWeights(codebook, indices)\n"
        "        return weight_sharing.unshare_weights(pair)\n"
        "    @staticmethod\n    def backward(ctx, gradient):\n        return gradient, None",
    ),
    "04.6 in a closure": (
        "04.6",
        "from labkit.coding import huffman\n"
        "def made(tool):\n    def code_lengths(counts):\n"
        "        return dict(enumerate(tool(counts)))\n    return code_lengths\n"
        "code_lengths = made(huffman.code_lengths)\naverage_and_entropy = None",
    ),
    "04.7 by a decorator": (
        "04.7",
        "import functools\nfrom labkit.coding.huffman import code_strings\n"
        "@functools.wraps(code_strings)\ndef canonical_codes(lengths):\n    return {}",
    ),
    "04.8 by the file's coder": (
        "04.8",
        "from labkit.coding import huffman_stream\n"
        "def encode(symbols, codes):\n    return huffman_stream.encode(symbols, len(codes))\n"
        "def decode(bits, codes, count):\n    return huffman_stream.decode(bits, count, len(codes))",
    ),
    "05.2 as an object that is called": (
        "05.2",
        "class Bound:\n    def __call__(self, indices):\n"
        "        return huffman.entropy_bits(indices), 0.0\nbound_bits = Bound()",
    ),
    "05.4 by the file's writer": (
        "05.4",
        "from labkit.storage import batch_norm\n"
        "def scale_and_shift(gamma, beta, mean, var, epsilon):\n"
        "    vectors = {'weight': gamma, 'bias': beta, 'running_mean': mean, 'running_var': var}\n"
        "    state = {f'bn.{part}': vector for part, vector in vectors.items()}\n"
        "    folded = batch_norm.fold(state, epsilon)\n"
        "    return folded['bn.folded_scale'], folded['bn.folded_shift']\n"
        "def apply_scale_and_shift(x, scale, shift):\n    return x",
    ),
    "05.5 by a shipped network": (
        "05.5",
        "def compress_network(model, budget):\n"
        "    return recipes.fit_or_load('resnet20-shared-90-seed0', data.load_dataset(10))",
    ),
    "06.2 with the same arguments": (
        "06.2",
        "def measure_latency(run, synchronize, clock, warmup, batches):\n"
        "    def whole():\n        run()\n        synchronize()\n"
        "    return tuple(profiling.measure_latency("
        "whole, warmup=warmup, batches=batches, clock=clock))",
    ),
    "06.8 by a private function": (
        "06.8",
        "from labkit.profiling import memory\n"
        "def memory_use(changes):\n    peak, mean = memory._peak_and_average(changes)\n"
        "    return peak, 0.0, mean",
    ),
    "07.4 through the library's layers": (
        "07.4",
        "def to_coo(weight):\n    coo = sparse.to_coo(weight)\n    return coo.indices(), coo.values()\n"
        "def indices_are_mask(indices, mask):\n    return True",
    ),
    "07.6 in a comprehension": (
        "07.6",
        "def storage_bytes(weight):\n"
        "    counted = sparse.count_storage_bytes([weight])._asdict()\n"
        "    return {form: counted[form] for form in ('dense', 'coo', 'bitmap')}\n"
        "def break_even_sparsity(dimensions, value_bytes=4):\n    return 0.0",
    ),
    "07.8 by the library": (
        "07.8",
        "def reestimate(model, batches):\n    channels.reestimate_batch_norm(model, data.load_dataset(10))",
    ),
    "07.9 by the file's writer": (
        "07.9",
        "def mask_to_bytes(mask):\n    return mask_files.pack_masks({'m': mask})\n"
        "def bytes_to_mask(data, shape):\n    return mask_files.unpack_masks(data)['m']",
    ),
    "08.1 with another temperature": (
        "08.1",
        "from labkit.pruning import saliency\n"
        "def hessian_gradient_product(model, batches, temperature=200.0):\n"
        "    return saliency.hessian_gradient_product(model, batches, temperature=temperature)",
    ),
    "08.2 by an import of the package": (
        "08.2",
        "import labkit\n"
        "def grasp_scores(*inputs):\n    return labkit.pruning.saliency.grasp_scores(*inputs)",
    ),
    "08.3 with the order turned round": (
        "08.3",
        "from labkit.pruning import saliency\n"
        "def staged_masks(scores, masks, sparsity):\n"
        "    turned = {name: -score for name, score in scores.items()}\n"
        "    return saliency.saliency_masks(turned, sparsity, masks)",
    ),
    "08.5 by a cached function": (
        "08.5",
        "import functools\nfrom labkit.pruning import saliency\n"
        "@functools.cache\ndef snip_scores(*inputs):\n    return saliency.snip_scores(*inputs)",
    ),
    "11.1 by an alias": (
        "11.1",
        "from labkit.models import freezing as tools\n"
        "def freeze_backbone(model):\n    return tools.train_only(model, r'fc\\..*')",
    ),
    "11.2 by its other name": (
        "11.2",
        "from labkit.models.freezing import count_trainable as count\n"
        "def count_trainable(model):\n    return count(model)",
    ),
    "11.3 by a parametrization": (
        "11.3",
        "from labkit.models.lora import LowRankUpdate\n"
        "class LoraLinear(nn.Module):\n    def __init__(self, base, rank, alpha):\n"
        "        super().__init__()\n        self.update = LowRankUpdate(base.weight, rank=rank, alpha=alpha)",
    ),
    "11.5 by the library's merge": (
        "11.5",
        "def merged_weight(weight, A, B, scale):\n"
        "    return models.lora.merge_lora(nn.Linear(*weight.shape)).weight",
    ),
    "11.6 as a subclass": (
        "11.6",
        "from labkit.models import lora\n"
        "class LoraConv2d(lora.LowRankUpdate):\n    def __init__(self, base, rank, alpha):\n"
        "        super().__init__(base.weight, rank=rank, alpha=alpha)",
    ),
    "09.3 by an import inside": (
        "09.3",
        "def choose_channels(Z, y, count):\n"
        "    from labkit.pruning.channel_reconstruction import lasso_path\n"
        "    path = lasso_path(Z.T @ Z, Z.T @ y, len(y)).coefficients\n"
        "    size = abs(path[:, ((path != 0).sum(0) >= count).argmax()])\n"
        "    return torch.from_numpy(size).argsort(descending=True)[:count].sort().values",
    ),
    "09.4 by moments": (
        "09.4",
        "def fit_weight(X, Y):\n"
        "    moments = channel_reconstruction.Moments(X.T @ X, X.T @ Y, 0.0, len(X), 1)\n"
        "    return channel_reconstruction.least_squares(moments, torch.arange(X.shape[1]))",
    ),
    "09.6 beside what it may call": (
        "09.6",
        "def cut_layer_by_layer(blocks, images, counts, choose, refit):\n"
        "    channel_blocks.forward_in_batches(blocks[0], images)\n"
        "    model = channel_blocks.join_blocks(blocks, dense)\n"
        "    return channel_blocks.split_blocks(channels.prune_channels(model, dataset, counts))",
    ),
    "10.2 by the project's schedule": (
        "10.2",
        "from labkit.training.schedules import Cosine\nmulti_step_rate = None\n"
        "def cosine_rate(step, base, t_max):\n    return Cosine().rate(step, t_max, base)",
    ),
    "10.3 by the project's mask": (
        "10.3",
        "from labkit.pruning import granularity\n"
        "def filter_mask(weight, share):\n    return granularity.filter_mask(weight, share)",
    ),
    "10.4 by the project's masks": (
        "10.4",
        "from labkit.pruning.magnitude import magnitude_mask as weight_mask\n"
        "def convolution_masks(model, share, rule):\n    return {}",
    ),
    "10.6 as a subclass": (
        "10.6",
        "from labkit.pruning import sparse_conv\n"
        "class SparseConv2d(sparse_conv.SparseConv2d):\n"
        "    def set_mask(self, mask):\n        self.mask = mask",
    ),
    "12.1 by a longer table": (
        "12.1",
        "def positional_encoding(positions, width):\n"
        "    return models.transformer.positional_encoding(int(positions.max()) + 1, width)[positions]\n"
        "shift_matrix = None",
    ),
    "12.2 with weights from a unit matrix": (
        "12.2",
        "def attention(queries, keys, values, mask=None):\n"
        "    unit = torch.eye(keys.shape[-2], dtype=keys.dtype)\n"
        "    return models.attend(queries, keys, values, mask), models.attend(queries, keys, unit, mask)",
    ),
    "12.5 by the library's decoding": (
        "12.5",
        "def greedy(model, source, start, steps):\n"
        "    return models.transformer.greedy_decode(model, source, start=start, steps=steps, cached=False)",
    ),
    "12.7 by another name": ("12.7", "CountMatmuls = profiling.MatmulCounter"),
}


@functools.cache
def _lab(number: str):
    return structure.read_lab(next((settings.home() / "labs").glob(f"{number}_*.ipynb")))


def _verdict(exercise: str, answer: str) -> str:
    """Return what the check of an exercise says of an answer, in a namespace like a kernel's."""
    lab = _lab(exercise[:2])
    setup = next(cell.source for cell in lab.cells if structure.cell_role(cell) == "setup")
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for source in (setup, answer, structure.exercises(lab)[exercise]["check"].source):
            try:
                exec(source, namespace)
            except CheckFailed as failure:
                return str(failure)
    return printed.getvalue()


@pytest.mark.heavy
@pytest.mark.parametrize(("exercise", "answer"), SHORTCUTS.values(), ids=SHORTCUTS)
def test_an_answer_that_calls_labkit_is_refused_by_its_check(exercise, answer):
    verdict = _verdict(exercise, answer)
    assert verdict.startswith(f"{exercise} uses labkit.")
    assert "asks you to write it yourself" in verdict


@pytest.mark.heavy
def test_what_an_exercise_may_call_is_listed_in_the_message():
    answer = "def hessian_gradient_product(*inputs):\n    return labkit.pruning.saliency\nimport labkit"
    assert "labkit.models.prunable_weights" in _verdict("08.1", answer)


def _defined(source: str, name: str) -> object:
    namespace: dict[str, object] = {"__name__": "__main__", "linear": linear, "models": models}
    exec(source, namespace)
    return namespace[name]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\ndef f(w):\n    return np.sign(w)",
        "def soft_threshold(w):\n    return w\ndef f(w):\n    return soft_threshold(w)",
        "network = models.ResNet20()\ndef f():\n    return network",
        "def f(linear):\n    return linear.soft_threshold",
        "def f():\n    linear = 2\n    return linear",
        "'''linear.soft_threshold'''\ndef f():\n    'labkit.linear.soft_threshold does this.'",
        "f = 3",
        "f = None",
        "f = {'a': True}",
    ],
)
def test_the_students_own_work_borrows_nothing(source):
    answer = _defined(source, "f")
    assert borrowed(answer, "__main__") == []


def test_a_function_that_is_allowed_does_not_allow_others():
    source = "def f(m):\n    return models.prunable_weights(m), linear.soft_threshold"
    answer = _defined(source, "f")
    allowed = [models.prunable_weights]
    assert borrowed(answer, "__main__", allowed) == ["labkit.linear.soft_threshold"]
    assert borrowed(answer, "__main__", [*allowed, linear]) == []


def test_functions_that_call_each_other_are_followed_once():
    source = "def g(n):\n    return f(n - 1)\ndef f(n):\n    return n and g(n) or linear.fista"
    answer = _defined(source, "f")
    assert borrowed(answer, "__main__") == ["labkit.linear.fista"]


def test_a_path_is_the_one_that_a_notebook_writes():
    assert public_path(models.prunable_weights) == "labkit.models.prunable_weights"
    assert public_path(linear) == "labkit.linear"
