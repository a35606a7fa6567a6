"""Which processes train together: from the command line, TF_CONFIG or Slurm."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from digitcli.errors import UsageError
from digitcli.system.tensorflow_setup import import_tensorflow

_ADDRESS = re.compile(r"[^\s:/,]+:\d{1,5}|\[[\da-fA-F:]+\]:\d{1,5}")
_FIRST_PORT, _PORTS = 10_000, 20_000  # below those that systems give to outgoing connections


@dataclass(frozen=True)
class Cluster:
    """The processes that train together, and which of them this is.

    workers: the address of each, HOST:PORT, in the same order everywhere. The first has the run.
    index: of this one, from 0.
    """

    workers: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        for worker in self.workers:
            if not _ADDRESS.fullmatch(worker):
                raise UsageError(f"'{worker}' is not the address of a worker, HOST:PORT.")
        if len(set(self.workers)) < len(self.workers):
            raise UsageError("Two workers have the same address. Give each a port of its own.")
        if not 0 <= self.index < len(self.workers):
            last = len(self.workers) - 1
            raise UsageError(f"There is no worker {self.index}: they are numbered from 0 to {last}.")


def find(workers: Sequence[str] | None = None, index: int | None = None) -> Cluster | None:
    """The cluster that this process is one of; None if it trains alone.

    workers, index: from the command line; without them TF_CONFIG counts, then the step that srun started.
    Raises UsageError if what is said makes no sense.
    """
    if (workers is None) != (index is None):
        raise UsageError("--workers and --index belong together: all addresses, and which of them this is.")
    if workers is not None and index is not None:
        cluster = Cluster(tuple(workers), index)
    elif os.environ.get("TF_CONFIG"):
        cluster = _from_tf_config(os.environ["TF_CONFIG"])
    elif os.environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        cluster = _from_slurm()
    else:
        return None
    return cluster if len(cluster.workers) > 1 else None


def _from_tf_config(text: str) -> Cluster:
    """As tensorflow.org/guide/distributed_training describes it; without a cluster, one worker."""
    try:
        config = json.loads(text)
        roles = {role: tuple(addresses) for role, addresses in config.get("cluster", {}).items()}
        task = config.get("task", {"type": "worker", "index": 0})
        role, index = str(task["type"]), int(task["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"TF_CONFIG does not say which workers there are and which this is: {text}"
        ) from error
    chiefs, others = roles.get("chief", ()), roles.get("worker", ())
    if not roles:
        return Cluster(("alone:0",), 0)
    if role not in ("chief", "worker") or role not in roles:
        raise UsageError(f"TF_CONFIG makes this process a {role}. Trainings here have workers only.")
    return Cluster(chiefs + others, index + (len(chiefs) if role == "worker" else 0))


def _from_slurm() -> Cluster:
    tf = import_tensorflow()
    try:
        tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        # Slurm shares out the GPUs itself; told of as many as there are tasks, the resolver lets them be.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=_FIRST_PORT + int(os.environ.get("SLURM_JOB_ID", 0)) % _PORTS,
            gpus_per_node=tasks,
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        return Cluster(tuple(resolver.cluster_spec().as_dict()["worker"]), resolver.task_id)
    except (RuntimeError, ValueError, KeyError) as error:
        raise UsageError(f"Slurm does not say which workers there are: {error}.") from error
