"""What a network costs: size, multiply-accumulates, latency, memory and energy.

:func:`profile` measures everything on one batch; each quantity has its own module. Accuracies are
measured by the caller.
"""

from labkit.profiling.counters import CounterTrace, record_traces, synthetic_traces
from labkit.profiling.energy import measure_energy
from labkit.profiling.latency import (
    Latency,
    interleaved_times_ms,
    layer_times_ms,
    measure_latencies,
    measure_latency,
    ratio_quartiles,
    synchronize,
)
from labkit.profiling.macs import closed_form_macs, count_macs, traced_macs
from labkit.profiling.matmuls import MatmulCounter, count_matmuls
from labkit.profiling.memory import Memory, measure_memory, peak_and_average_bytes
from labkit.profiling.network_profile import Profile, Timing, profile, profile_networks
from labkit.profiling.operators import OperatorTime, operator_table
from labkit.profiling.pareto import pareto_front
from labkit.profiling.size import count_parameters, serialized_bytes
from labkit.profiling.tables import energy_table, machine_table, network_table

__all__ = [
    "CounterTrace",
    "Latency",
    "MatmulCounter",
    "Memory",
    "OperatorTime",
    "Profile",
    "Timing",
    "closed_form_macs",
    "count_macs",
    "count_matmuls",
    "count_parameters",
    "energy_table",
    "interleaved_times_ms",
    "layer_times_ms",
    "machine_table",
    "measure_energy",
    "measure_latencies",
    "measure_latency",
    "measure_memory",
    "network_table",
    "operator_table",
    "pareto_front",
    "peak_and_average_bytes",
    "profile",
    "profile_networks",
    "ratio_quartiles",
    "record_traces",
    "serialized_bytes",
    "synchronize",
    "synthetic_traces",
    "traced_macs",
]
