"""Processes that train one network together, each on its share of every batch.

What crosses the network are sums: TensorFlow's collective operations add up what the workers have, and
each gets the sum.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitcli.errors import ClusterError
from digitcli.system.tensorflow_setup import import_tensorflow
from digitcli.training.cluster import Cluster
from digitcli.training.meeting import meet

tf = import_tensorflow()

JOINING = 25.0
"""Seconds in which workers that are all there must have joined in one strategy."""


@dataclass(frozen=True)
class Workers:
    """A tf.distribute.Strategy, and which of its workers this process is.

    count: processes that train together; 1 for one that trains alone.
    """

    strategy: Any
    index: int = 0
    count: int = 1

    @property
    def replicas(self) -> int:
        """Copies of the network in training: one on each worker, or one on each of its GPUs."""
        replicas: int = self.strategy.num_replicas_in_sync
        return replicas

    def share_of(self, size: int) -> slice:
        """This worker's part of something that all workers together do."""
        return slice(self.index * size // self.count, (self.index + 1) * size // self.count)

    @contextmanager
    def making_variables(self) -> Iterator[None]:
        """Variables made within are every replica's own; they begin alike.

        They stay alike, since all replicas make the same changes, without asking one another each time.
        """
        with self.strategy.scope(), tf.variable_creator_scope(_every_replica_its_own):
            yield

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums over all workers; each must ask for them."""
        if self.count == 1:
            return list(values)
        sums: list[float] = self._sum(np.array(values, np.float64)).tolist()
        return sums

    def from_first(self, content: bytes | None) -> bytes:
        """On all workers what the first of them gives; the others give None."""
        if self.count == 1:
            return content or b""
        given = content or b""
        (size,) = self.total([len(given)])
        if not size:
            return b""  # TensorFlow crashes on sums of nothing
        words = np.zeros(-(-int(size) // 4), np.int32)
        words.view(np.uint8)[: len(given)] = np.frombuffer(given, np.uint8)
        return self._sum(words).tobytes()[: int(size)]

    def wait(self) -> None:
        """Until all have come here."""
        self.total([0.0])

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        result = self._add(values)
        summed: NDArray[Any] = self.strategy.experimental_local_results(result)[0].numpy()
        return summed

    @cached_property
    def _add(self) -> Callable[[NDArray[Any]], Any]:
        """Kept, since making its graph takes longer than what it does."""

        def add(values: Any) -> Any:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % (self.replicas // self.count) == 0
            return context.all_reduce(
                tf.distribute.ReduceOp.SUM, tf.where(first, values, tf.zeros_like(values))
            )

        graph: Callable[[NDArray[Any]], Any] = tf.function(lambda values: self.strategy.run(add, (values,)))
        return graph


def _every_replica_its_own(create: Callable[..., Any], **options: Any) -> Any:
    options["synchronization"] = tf.VariableSynchronization.ON_READ
    options["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return create(**options)


@contextmanager
def connected(cluster: Cluster | None) -> Iterator[Workers]:
    """The workers of a cluster; without one, this process with all its GPUs.

    Must come before anything else that TensorFlow is asked for in this process.
    Raises ClusterError if a worker does not come up, or stops while the body is at work.
    """
    if cluster is None:
        several = len(tf.config.list_physical_devices("GPU")) > 1
        yield Workers(tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy())
        return
    strategy = _joined(cluster)
    try:
        yield Workers(strategy, cluster.index, len(cluster.workers))
    except tf.errors.OpError as error:
        raise ClusterError(
            f"{_culprit(cluster, str(error))} has stopped, and so does this one. Start all of them again as "
            "before: they go on where the last checkpoint was written."
        ) from error


def _joined(cluster: Cluster) -> Any:
    """The strategy, once all workers are there."""
    meet(cluster)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
    )
    terminated = signal.getsignal(signal.SIGTERM)
    # If a worker stops in this second, TensorFlow would wait without end, and let no signal through.
    with open(os.devnull, "wb") as nowhere:
        faulthandler.dump_traceback_later(JOINING, exit=True, file=nowhere)
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
        except (tf.errors.OpError, RuntimeError) as error:
            first_line = str(error).splitlines()[0]
            raise ClusterError(f"The workers cannot come together: {first_line}") from error
        finally:
            faulthandler.cancel_dump_traceback_later()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminated)  # for which TensorFlow has set one that does nothing
    return strategy


def _culprit(cluster: Cluster, message: str) -> str:
    """The worker that TensorFlow's message tells of, if it is another one."""
    for found in re.finditer(r"/job:worker(?:/replica:\d+)?/task:(\d+)", message):
        if (index := int(found[1])) != cluster.index:
            return f"Worker {index} ({cluster.workers[index]})"
    return "Another worker"
