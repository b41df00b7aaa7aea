"""Profiles: each quantity is compared with a closed form, a fake clock or a fake machine."""

import builtins
import itertools
import warnings
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional

from labkit import profiling
from labkit.models import VGG16, ResNet20, total_sparsity
from labkit.models.vgg import VGG16_CHANNELS
from labkit.profiling import memory as memory_module
from labkit.profiling.latency import Latency
from labkit.profiling.memory import Memory, peak_and_average_bytes

QUICK = profiling.Timing(warmup=1, batches=2, energy_seconds=0.0)


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
    )


# --- size ---------------------------------------------------------------------------------------


def test_parameters_count_biases_and_batch_norm_but_no_buffers():
    model = small_network()
    assert profiling.count_parameters(model)[0] == 4 * 27 + 4 + 2 * 4 + 64 * 5 + 5


def test_zeros_of_weights_and_biases_are_not_among_the_nonzero():
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.fill_(1.0)[0, :2] = 0.0
        model.bias.copy_(torch.tensor([0.0, 1.0, -2.0]))
    assert profiling.count_parameters(model) == (15, 12)


def test_a_sparse_parameter_counts_like_a_dense_one_and_is_stored_as_indices_and_values():
    dense = torch.zeros(40, 50)
    dense[3, 4], dense[5, 6] = 1.5, -2.0
    model = nn.Module()
    model.weight = nn.Parameter(dense.to_sparse())
    assert profiling.count_parameters(model) == (2000, 2)
    assert total_sparsity(model) == pytest.approx(0.999)
    assert 2 * (2 * 8 + 4) < profiling.serialized_bytes(model) < 300


def test_serialized_bytes_are_the_tensors_and_a_short_header():
    model = small_network()
    tensors = sum(tensor.nbytes for tensor in model.state_dict().values())
    assert tensors < profiling.serialized_bytes(model) < tensors + 1500
    assert profiling.serialized_bytes(model.half()) < tensors / 2 + 1500


def test_tied_weights_are_serialized_once():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    assert 4 * (64 + 16) < profiling.serialized_bytes(model) < 4 * (2 * 64 + 16)


# --- multiply-accumulates -----------------------------------------------------------------------


def vgg_macs(channels: tuple[int, ...], classes: int) -> int:
    """The thirteen convolutions on maps of 32, 16, 8, 4 and 2 pixels per side, then 512, 512, classes."""
    sides = (32, 32, 16, 16, 8, 8, 8, 4, 4, 4, 2, 2, 2)
    pairs = zip(sides, (3, *channels), channels, strict=False)
    convolutions = sum(side**2 * inputs * 9 * outputs for side, inputs, outputs in pairs)
    return convolutions + channels[-1] * 512 + 512 * 512 + 512 * classes


@pytest.mark.parametrize("classes", [10, 100])
def test_macs_of_vgg16_are_the_closed_form(classes):
    assert profiling.count_macs(VGG16(classes), torch.zeros(1, 3, 32, 32)) == vgg_macs(
        VGG16_CHANNELS, classes
    )


def test_macs_of_vgg16_with_ten_classes_are_314_million():
    assert vgg_macs(VGG16_CHANNELS, 10) == 313_725_952


def test_macs_after_channels_were_removed_are_the_closed_form():
    channels = tuple(max(1, count // 3 + 1) for count in VGG16_CHANNELS)
    model = VGG16(10, channels=channels)
    assert profiling.count_macs(model, torch.zeros(2, 3, 32, 32)) == vgg_macs(channels, 10)


def test_macs_know_groups_strides_and_a_layer_that_is_used_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.grouped = nn.Conv2d(4, 8, 3, stride=2, groups=2)
            self.square = nn.Linear(8, 8)

        def forward(self, x):
            x = self.grouped(x).mean((2, 3))
            return self.square(self.square(x))

    macs = profiling.closed_form_macs(Twice(), torch.zeros(3, 4, 9, 7))
    assert macs == {"grouped": 8 * 4 * 3 * 2 * 9, "square": 2 * 64}
    assert profiling.count_macs(Twice(), torch.zeros(3, 4, 9, 7)) == sum(macs.values())


def test_macs_of_resnet20_agree_and_the_mode_is_kept():
    model = ResNet20().train()
    assert profiling.count_macs(model, torch.zeros(2, 3, 32, 32)) == 40_551_040
    assert model.training


def test_a_product_outside_conv_and_linear_layers_is_refused():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 4))

    class ByLinear(Own):
        def forward(self, x):
            return functional.linear(x, self.weight)

    class ByMatmul(Own):
        def forward(self, x):
            return x @ self.weight.T

    class BySparse(Own):
        def forward(self, x):
            return torch.sparse.mm(self.weight.to_sparse(), x.T).T

    for kind in (ByLinear, ByMatmul, BySparse):
        with pytest.raises(ValueError, match="macs=…"):
            profiling.count_macs(kind(), torch.ones(1, 4))


# --- latency ------------------------------------------------------------------------------------


class FakeClock:
    """A clock that only the timed work advances."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_median_and_interquartile_range_leave_out_the_warm_up():
    clock = FakeClock()
    durations = iter([9.0, 9.0, 0.010, 0.020, 0.030, 0.040, 1.0])

    def run():
        clock.now += next(durations)

    latency = profiling.measure_latency(run, warmup=2, batches=5, clock=clock)
    assert latency.median_ms == pytest.approx(30.0)
    assert latency.iqr_ms == pytest.approx(20.0)
    assert next(durations, None) is None


def test_a_cuda_device_is_synchronized_before_the_clock_is_read(monkeypatch):
    clock, log = FakeClock(), []
    pending = 0.0

    def launch():
        nonlocal pending
        pending += 0.008  # the call returns at once

    def wait(device):
        nonlocal pending
        log.append(torch.device(device))
        clock.now += pending
        pending = 0.0

    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    latency = profiling.measure_latency(launch, device="cuda:0", warmup=4, batches=3, clock=clock)
    assert latency == (pytest.approx(8.0), pytest.approx(0.0))
    assert log == [torch.device("cuda:0")] * 6


def test_the_cpu_is_not_synchronized(monkeypatch):
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: pytest.fail("no GPU was used"))
    assert profiling.measure_latency(lambda: None, batches=2).median_ms >= 0


@pytest.mark.parametrize("options", [{"batches": 0}, {"warmup": -1}])
def test_timing_nothing_is_refused(options):
    with pytest.raises(ValueError, match="batches ≥ 1 and warmup ≥ 0"):
        profiling.measure_latency(lambda: None, **options)


def test_layer_times_are_medians_over_passes_in_the_order_of_calls():
    clock = FakeClock()

    class Slow(nn.Module):
        def __init__(self, *seconds):
            super().__init__()
            self.seconds = iter(seconds)

        def forward(self, x):
            clock.now += next(self.seconds)
            return x

    model = nn.ModuleDict({"b": Slow(9, 0.1, 0.2, 0.6), "twice": Slow(9, 9, *[0.01] * 6)})
    model.forward = lambda x: model["twice"](model["b"](model["twice"](x)))
    times = profiling.layer_times_ms(model, torch.zeros(1), warmup=1, batches=3, clock=clock)
    assert times == {"twice": pytest.approx(20.0), "b": pytest.approx(200.0)}
    assert list(times) == ["twice", "b"]
    model["b"].seconds = model["twice"].seconds = iter([1.0] * 3)
    model(torch.zeros(1))
    assert clock() > 0  # no hook is left to count


@pytest.mark.parametrize(("times", "reference"), [([1.0], [1.0, 2.0]), ([], [])])
def test_ratios_need_times_of_the_same_turns(times, reference):
    with pytest.raises(ValueError, match=f"got {len(times)} and {len(reference)}"):
        profiling.ratio_quartiles(times, reference)


def test_interleaved_times_are_taken_in_turn_and_kept_in_pairs():
    clock, order = FakeClock(), []

    def runs(name, *seconds):
        times = iter(seconds)

        def run():
            order.append(name)
            clock.now += next(times)

        return run

    times = profiling.interleaved_times_ms(
        {"a": runs("a", 9, 1, 3), "b": runs("b", 9, 2, 6)}, warmup=1, batches=2, clock=clock
    )
    assert order == ["a", "b"] * 3
    assert times == {"a": [1000.0, 3000.0], "b": [2000.0, 6000.0]}


# --- memory -------------------------------------------------------------------------------------


def test_memory_sees_a_known_allocation_and_its_end():
    def run():
        large = torch.empty(250_000)
        del large
        torch.empty(1000)

    peak, average = peak_and_average_bytes(run)
    assert peak == 1_000_000
    assert 0 < average < peak


def test_the_average_is_weighted_by_time():
    events = [(0, 100), (10, 300), (30, -300), (40, -100)]
    assert memory_module._peak_and_average(events) == (400, (100 * 10 + 400 * 20 + 100 * 10) / 40)
    assert memory_module._peak_and_average([]) == (0, 0.0)


def test_memory_that_an_operator_takes_and_frees_itself_counts_for_the_peak():
    columns = torch.randn(1000, 3).t().contiguous().t()
    peak, _ = peak_and_average_bytes(lambda: functional.softmax(columns, 1))
    # the result, and the copy in row order that softmax makes of its input
    assert peak == 2 * 4 * 3000


def test_memory_of_a_network_is_its_tensors_and_its_largest_pair_of_activations():
    model = nn.Sequential(nn.Linear(10, 1000), nn.ReLU(), nn.Linear(1000, 1))
    memory = profiling.measure_memory(model.train(), torch.zeros(50, 10))
    assert memory.resident == 4 * (10 * 1000 + 1000 + 1000 + 1 + 50 * 10)
    assert memory.peak == 4 * 2 * 50 * 1000
    assert 0 < memory.average <= memory.peak
    assert model.training


def test_a_larger_batch_takes_more_memory():
    model = nn.Sequential(nn.Linear(10, 100), nn.ReLU())
    small, large = (profiling.measure_memory(model, torch.zeros(n, 10)) for n in (4, 40))
    assert large.peak == 10 * small.peak


# --- energy: a fake RAPL tree and a fake NVML ---------------------------------------------------

BOTH = ("package", "core", "dram")


@pytest.fixture
def rapl(tmp_path, monkeypatch):
    """A powercap tree whose counters advance by the amounts of ``spend``."""
    root = tmp_path / "intel-rapl"
    monkeypatch.setattr("pyJoules.device.rapl_device.RAPL_API_DIR", str(root))

    class Tree:
        def add(self, socket, *names):
            package = root / f"intel-rapl:{socket}"
            for folder, name in [(package, f"package-{socket}")] + [
                (package / f"intel-rapl:{socket}:{place}", name) for place, name in enumerate(names)
            ]:
                folder.mkdir(parents=True)
                (folder / "name").write_text(f"{name}\n", encoding="ascii")
                (folder / "energy_uj").write_text("5000000\n", encoding="ascii")
                (folder / "max_energy_range_uj").write_text("65532609\n", encoding="ascii")

        def spend(self, microjoules):
            for counter in root.rglob("energy_uj"):
                counter.write_text(f"{int(counter.read_text()) + microjoules}\n", encoding="ascii")

        def counter(self, socket):
            return root / f"intel-rapl:{socket}" / "energy_uj"

    return Tree()


@pytest.fixture
def nvml(monkeypatch):
    """One fake board; ``energy`` is its counter in millijoules."""
    import pynvml

    class Board:
        energy, count, error = 1000, 1, None

        def read(self, handle):
            assert handle == "board 0"
            if self.error:
                raise self.error
            return self.energy

    board = Board()
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: board.count)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: f"board {index}")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", board.read)
    return board


@pytest.fixture
def no_nvml(monkeypatch):
    import pynvml

    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)


@pytest.mark.usefixtures("no_nvml")
def test_every_rapl_domain_of_every_socket_is_read_in_millijoules_per_batch(rapl):
    rapl.add(0, "core", "dram")
    rapl.add(1, "uncore")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        energy = profiling.measure_energy(lambda: rapl.spend(3000), batches=4, seconds=0.0)
    assert {name: value for name, value in energy.items() if isinstance(value, float)} == {
        name: pytest.approx(3.0) for name in ("package_0", "package_1", "dram_0", "core_0", "uncore_1")
    }
    assert "NVML" in energy["nvidia_gpu"]


def test_an_nvidia_board_is_read_in_millijoules_per_batch(rapl, nvml):
    def run():
        nvml.energy += 70

    energy = profiling.measure_energy(run, batches=5, seconds=0.0)
    assert energy["nvidia_gpu_0"] == pytest.approx(70.0)
    for name in BOTH:
        assert energy[name].startswith("not measurable: no powercap tree (")
    del rapl


@pytest.mark.usefixtures("rapl", "no_nvml")
def test_without_counters_nothing_runs_and_every_reason_is_given():
    energy = profiling.measure_energy(lambda: pytest.fail("nothing to measure"))
    assert set(energy) == {*BOTH, "nvidia_gpu"}
    assert all(value.startswith("not measurable: ") for value in energy.values())
    assert "NVML Shared Library Not Found" in energy["nvidia_gpu"]


@pytest.mark.usefixtures("no_nvml")
def test_a_counter_without_permission_is_reported(rapl, monkeypatch):
    rapl.add(0, "core")
    plain = builtins.open

    def guarded(file, *arguments, **options):
        if str(file) == str(rapl.counter(0)):
            raise PermissionError(13, "Permission denied", str(file))
        return plain(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", guarded)  # root may read anything
    energy = profiling.measure_energy(lambda: rapl.spend(1000), batches=2, seconds=0.0)
    assert energy["package_0"] == f"not measurable: no permission to read {rapl.counter(0)}"
    assert energy["core_0"] == pytest.approx(1.0)
    assert energy["dram"] == "not measurable: the machine's RAPL has no such domain"


def test_a_board_without_an_energy_counter_is_reported(rapl, nvml):
    import pynvml

    nvml.error = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    energy = profiling.measure_energy(lambda: None)
    assert energy["nvidia_gpu_0"] == "not measurable: Not Supported"
    nvml.count = 0
    assert profiling.measure_energy(lambda: None)["nvidia_gpu"] == "not measurable: NVML finds no GPU"
    del rapl


@pytest.mark.usefixtures("no_nvml")
def test_a_counter_that_overflows_gives_no_number(rapl):
    rapl.add(0)
    energy = profiling.measure_energy(lambda: rapl.spend(-4000), batches=1, seconds=0.0)
    assert energy["package_0"] == "not measurable: the counter overflowed meanwhile, measure again"


def test_traces_hold_what_every_counter_showed_idle_and_then_busy(rapl, nvml):
    rapl.add(0, "dram")
    clock = FakeClock()

    def sleep(seconds):
        clock.now += seconds
        rapl.spend(round(1e6 * seconds))

    def run():
        clock.now += 0.25
        nvml.energy += 3
        rapl.spend(2_000_000)

    recorded = profiling.record_traces(run, seconds=1.0, readings=2, clock=clock, sleep=sleep)
    traces = {trace.domain: trace for trace in recorded}
    assert set(traces) == {"package_0", "dram_0", "nvidia_gpu_0"}
    board = traces.pop("nvidia_gpu_0")
    for trace in traces.values():
        assert trace.idle_uj == (5_000_000, 5_500_000, 6_000_000)
        assert trace.busy_uj == (6_000_000, 10_000_000, 14_000_000)
        assert trace.range_uj == 65_532_610
        assert (trace.idle_s, trace.busy_s, trace.batches) == (1.0, 1.0, 4)
        assert not trace.synthetic
    assert board.idle_uj == (1_000_000,) * 3
    assert board.busy_uj == (1_000_000, 1_006_000, 1_012_000)


@pytest.mark.usefixtures("rapl", "no_nvml")
def test_without_counters_there_is_no_trace_and_nothing_runs():
    assert profiling.record_traces(lambda: pytest.fail("nothing to measure")) == []


def test_synthetic_traces_say_so_and_have_the_powers_that_they_were_made_with():
    package, dram, board = profiling.synthetic_traces()
    assert all(trace.synthetic for trace in (package, dram, board))
    for trace, idle_watts, busy_watts in ((package, 6, 21), (dram, 1.5, 3), (board, 11, 64)):
        for readings, seconds, watts in (
            (trace.idle_uj, trace.idle_s, idle_watts),
            (trace.busy_uj, trace.busy_s, busy_watts),
        ):
            assert all(0 <= value < trace.range_uj for value in readings)
            spent = sum(
                after - before if after >= before else after + trace.range_uj - before
                for before, after in itertools.pairwise(readings)
            )
            assert spent == pytest.approx(1e6 * watts * seconds, rel=1e-6)
    assert list(package.busy_uj) != sorted(package.busy_uj)  # the counter passes 0
    assert package.busy_uj[0] == package.idle_uj[-1]


@pytest.mark.usefixtures("no_nvml")
def test_energy_is_measured_for_at_least_the_seconds_asked_for(rapl):
    rapl.add(0)
    clock = FakeClock()

    def run():
        clock.now += 0.25
        rapl.spend(2000)

    energy = profiling.measure_energy(run, batches=1, seconds=1.0, clock=clock)
    assert clock.now == 101.0
    assert energy["package_0"] == pytest.approx(2.0)


# --- the row and the tables ---------------------------------------------------------------------


@pytest.mark.usefixtures("rapl", "no_nvml")
def test_a_profile_holds_every_quantity_and_keeps_the_mode():
    model = small_network().train()
    with torch.no_grad():
        model[4].weight[:, ::2] = 0.0
    accuracy = {"test top-1 (%)": 91.5}
    measured = profiling.profile(model, torch.zeros(7, 3, 4, 4), accuracy=accuracy, timing=QUICK)
    assert (measured.parameters, measured.nonzero) == (445, 445 - 160 - 4)  # β of batch norm is 0
    assert measured.sparsity == pytest.approx(160 / (108 + 320))
    assert measured.size_bytes == profiling.serialized_bytes(model)
    assert measured.macs == 16 * 27 * 4 + 320
    assert measured.accuracy == accuracy
    assert measured.latency.median_ms > 0
    assert measured.images_per_second == pytest.approx(7000 / measured.latency.median_ms)
    assert measured.peak_memory_mb >= measured.average_memory_mb > measured.memory.resident / 1e6 > 0
    assert (measured.batch_size, measured.device, model.training) == (7, "cpu", True)
    assert measured.energy["package"].startswith("not measurable")


@pytest.mark.usefixtures("rapl", "no_nvml")
def test_size_and_macs_of_the_caller_are_kept_and_nothing_is_counted(monkeypatch):
    monkeypatch.setattr("labkit.profiling.network_profile.count_macs", lambda *_: pytest.fail("was given"))
    measured = profiling.profile(
        small_network(), torch.zeros(1, 3, 4, 4), size_bytes=123, macs=45, timing=QUICK
    )
    assert (measured.size_bytes, measured.size_mb, measured.macs) == (123, 123e-6, 45)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="empty batch"):
        profiling.profile(small_network(), torch.zeros(0, 3, 4, 4))


def _made(**changes):
    values = {
        "parameters": 10,
        "nonzero": 4,
        "sparsity": 0.6,
        "size_bytes": 2_500_000,
        "macs": 3_000_000,
        "accuracy": {"top-1 (%)": 90.0},
        "latency": Latency(20.0, 1.5),
        "memory": Memory(1_000_000, 3_000_000, 500_000.0),
        "energy": {"package_0": 12.5, "nvidia_gpu": "not measurable: no NVML"},
        "batch_size": 32,
    }
    return profiling.Profile(**{**values, **changes})


def test_quantities_of_the_network_and_of_the_machine_are_in_separate_tables():
    profiles = {"dense": _made(), "pruned": _made(accuracy={"top-5 (%)": 99.0}, energy={})}
    columns, rows = profiling.network_table(profiles)
    assert columns[-4:] == ["size (MB)", "MACs (M)", "top-1 (%)", "top-5 (%)"]
    assert rows == [
        ["dense", 10, 4, 60.0, 2.5, 3.0, 90.0, None],
        ["pruned", 10, 4, 60.0, 2.5, 3.0, None, 99.0],
    ]
    columns, rows = profiling.machine_table(profiles)
    assert rows[0] == ["dense", "cpu", 32, 20.0, 1.5, 1600.0, 4.0, 1.5]
    assert len(columns) == len(rows[0])
    assert profiling.energy_table(profiles) == (
        ["domain", "dense (mJ)", "pruned (mJ)", "note"],
        [["package_0", 12.5, None, "measured"], ["nvidia_gpu", None, None, "not measurable: no NVML"]],
    )


# --- unusual networks ---------------------------------------------------------------------------


def test_a_layer_that_passes_call_more_or_less_often_has_the_median_of_its_passes():
    clock = FakeClock()

    class Slow(nn.Module):
        def forward(self, x):
            clock.now += 0.1
            return x

    class Varying(nn.Module):
        def __init__(self, *calls):
            super().__init__()
            self.calls, self.layer = iter(calls), Slow()

        def forward(self, x):
            for _ in range(next(self.calls)):
                x = self.layer(x)
            return x

    def times(*calls):
        return profiling.layer_times_ms(
            Varying(*calls), torch.zeros(1), warmup=1, batches=len(calls) - 1, clock=clock
        )

    assert times(9, 1, 2, 3, 3) == {"layer": pytest.approx(250.0)}
    assert times(9, 0, 0, 5) == {"layer": 0.0}
    assert times(0, 0) == {}


def test_the_time_of_a_parametrized_layer_is_that_of_the_whole_layer():
    clock = FakeClock()

    class Slow(nn.Linear):
        def forward(self, x):
            clock.now += 0.1
            return super().forward(x)

    model = nn.Sequential(nn.utils.parametrizations.weight_norm(Slow(2, 2)))
    times = profiling.layer_times_ms(model, torch.zeros(1, 2), warmup=0, batches=1, clock=clock)
    assert times == {"0": pytest.approx(100.0)}


@pytest.mark.parametrize(
    ("layer", "size", "macs"),
    [
        (nn.ConvTranspose2d(2, 4, 3, stride=2, groups=2), (2, 5, 5), 5 * 5 * 2 * 2 * 9),
        (nn.ConvTranspose1d(2, 4, 3), (2, 5), 5 * 2 * 4 * 3),
        (nn.ConvTranspose3d(1, 2, 2), (1, 2, 3, 4), 24 * 2 * 8),
    ],
)
def test_a_transposed_convolution_multiplies_each_input_value(layer, size, macs):
    assert profiling.closed_form_macs(layer, torch.zeros(3, *size)) == {"": macs}


def test_the_modules_that_the_two_counts_see_differently_are_named():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 4))

        def forward(self, x):
            return functional.linear(x, self.weight)

    with pytest.raises(ValueError, match=r"layer 'odd' \(Own\).*macs=…"):
        profiling.count_macs(nn.Sequential(OrderedDict(plain=nn.Linear(4, 4), odd=Own())), torch.ones(1, 4))
