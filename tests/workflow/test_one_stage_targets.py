"""What the tables and figures train where the searched detector is a one-stage one."""

import pytest
from workflow_project import copy_project

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

EXAMPLE = ("--configfile", "config/examples/retinanet.yaml")


def test_table_6_and_5_compare_the_searched_detector_with_a_baseline_of_its_kind(tmp_path):
    project = copy_project(tmp_path)
    jobs = project.stale("hit_table6", "hit_table5", "hit_figure3", *EXAMPLE)
    # 12 operations in 6 layers of each component, the neck of 3 + 3 and the head of 2 + 2 layers
    assert jobs["replace_operation"] == 12 * (6 + 6 + 4)
    # those, of which the 6 + 6 + 4 where the base replaces itself are one detector, one baseline, and
    # three mixtures, and the searched detector with its six finalists
    assert jobs["train_detector"] == 11 * (6 + 6 + 4) + 1 + 1 + 3 + 1 + 6
    assert jobs["choose_network"] == 1

    for spoiled in ("baseline: r18", "baseline: retina_r50\n  further_baselines: [r18]"):
        project.edit("config/examples/retinanet.yaml", "baseline: retina_r50", spoiled)
        result = project.snakemake("-n", "hit_table5", *EXAMPLE)
        project.edit("config/examples/retinanet.yaml", spoiled, "baseline: retina_r50")
        assert result.returncode != 0
        assert "hit_table5 compares one-stage baselines" in result.stdout
        assert "'r18': one-stage ones among `baselines` are retina_r50" in result.stdout


def test_random_networks_are_compared_with_a_plain_one_of_their_kind(tmp_path):
    project = copy_project(tmp_path)
    jobs = project.stale("hit_random", *EXAMPLE)
    assert (jobs["sample_architecture"], jobs["scale_plain"], jobs["draw"]) == (8, 1, 1)
    # eight random networks, the plain and the searched one, each with two seeds; and six finalists
    assert jobs["evaluate"] == 2 * (8 + 2)
    assert jobs["train_detector"] == jobs["pretrain_backbone"] == 2 * (8 + 2) + 6

    project.edit("config/examples/retinanet.yaml", "plain: retinanet_r50", "plain: fpn_r18")
    result = project.snakemake("-n", "hit_random", *EXAMPLE)
    assert result.returncode != 0
    assert "hit_random compares networks of one kind" in result.stdout
