"""Which processes train together, as the command line, TF_CONFIG and Slurm say it."""

from __future__ import annotations

import json

import pytest

from digitcli.errors import UsageError
from digitcli.training.cluster import Cluster, find

AB = ("a:1", "b:2")


@pytest.fixture
def environment(monkeypatch):
    def give(**variables):
        for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    give()
    return give


def tf_config(cluster, role="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})}


def slurm(tasks, nodes, per_node, rank, **more):
    return {
        "SLURM_STEP_NUM_TASKS": str(tasks),
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": per_node,
        "SLURM_PROCID": str(rank),
        **more,
    }


def test_without_any_word_of_others_a_process_trains_alone(environment):
    assert find() is None


def test_the_command_line_names_the_workers(environment):
    assert find(AB, 1) == Cluster(AB, 1)


def test_one_worker_is_no_cluster(environment):
    assert find(["a:1"], 0) is None
    environment(**tf_config({"worker": ["a:1"]}))
    assert find() is None


def test_the_command_line_counts_before_the_environment(environment):
    environment(**tf_config({"worker": ["c:1", "d:1"]}))
    assert find(AB, 1) == Cluster(AB, 1)


def test_tf_config_names_the_workers(environment):
    environment(**tf_config({"worker": AB}, index=1))
    assert find() == Cluster(AB, 1)


def test_a_chief_is_the_first_worker(environment):
    roles = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    environment(**tf_config(roles, "chief", 0))
    assert find() == Cluster(("a:1", "b:2", "c:3"), 0)
    environment(**tf_config(roles, "worker", 1))
    assert find() == Cluster(("a:1", "b:2", "c:3"), 2)


def test_tf_config_without_a_cluster_is_one_process(environment):
    environment(TF_CONFIG="{}")
    assert find() is None


@pytest.mark.parametrize("role", ["ps", "evaluator"])
def test_roles_that_trainings_here_do_not_have_are_refused(environment, role):
    environment(**tf_config({"worker": AB, role: ["c:3"]}, role))
    with pytest.raises(UsageError, match=f"makes this process a {role}"):
        find()


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {}}'])
def test_a_tf_config_that_says_nothing_is_shown(environment, text):
    environment(TF_CONFIG=text)
    with pytest.raises(UsageError, match="TF_CONFIG does not say") as error:
        find()
    assert text in str(error.value)


def test_slurm_names_the_tasks_of_a_step(environment):
    environment(**slurm(3, "node[01-02]", "2,1", 2, SLURM_JOB_ID="7"))
    assert find() == Cluster(("node01:10007", "node01:10008", "node02:10007"), 2)


def test_one_task_of_slurm_trains_alone(environment):
    environment(**slurm(1, "node1", "1", 0))
    assert find() is None


@pytest.mark.parametrize("tasks", ["2", "some"])
def test_slurm_that_does_not_say_enough_is_an_error(environment, tasks):
    environment(SLURM_STEP_NUM_TASKS=tasks)
    with pytest.raises(UsageError, match="Slurm does not say which workers there are"):
        find()


@pytest.mark.parametrize(
    ("workers", "index", "message"),
    [
        (AB, None, "belong together"),
        (None, 1, "belong together"),
        (AB, 2, "no worker 2: they are numbered from 0 to 1"),
        (AB, -1, "no worker -1"),
        (["a:1", "a:1"], 0, "Two workers have the same address"),
        (["a:1", "b"], 0, "'b' is not the address of a worker"),
        (["a:1", "http://b:1"], 0, "not the address of a worker"),
        (["a:1", ""], 0, "'' is not the address of a worker"),
    ],
)
def test_wrong_words_are_explained(environment, workers, index, message):
    with pytest.raises(UsageError, match=message):
        find(workers, index)


def test_an_address_may_be_of_ip_version_6(environment):
    assert find(["[::1]:5000", "a:1"], 0) == Cluster(("[::1]:5000", "a:1"), 0)
