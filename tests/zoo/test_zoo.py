"""The zoo and the papers' figures: every file builds, every figure is met, and can be missed."""

import csv
import io
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from pipeline.artifacts.fingerprint import code_fingerprint, imported_modules
from pipeline.artifacts.manifest import verify
from pipeline.config.base import NoSettings
from pipeline.config.zoo_names import ZOO_NAMES
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.runner.stage import stage_main
from pipeline.search_space.architecture import Architecture
from pipeline.stages import published_numbers
from pipeline.zoo import architectures
from pipeline.zoo.architectures import NAMES, zoo_architecture, zoo_file
from pipeline.zoo.published import FIGURES, PROPOSALS, Figure, compare, published_complexity

REFERENCES = {
    "fpn_r50_2fc": torchvision.models.resnet50,
    "fpn_r50_4conv1fc": torchvision.models.resnet50,
    "fpn_r18": torchvision.models.resnet18,
    "cascade_r101": torchvision.models.resnet101,
    "fcos_r101": torchvision.models.resnet101,
    "fpn_r101": torchvision.models.resnet101,
    "fpn_r152": torchvision.models.resnet152,
    "reppoints_r101": torchvision.models.resnet101,
    "fpn_x101_32x4d": lambda: torchvision.models.ResNet(
        torchvision.models.resnet.Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=4
    ),
    "fpn_mobilenetv2": lambda: torchvision.models.mobilenet_v2().features,
    "nas_fpn_r50": torchvision.models.resnet50,
    "retinanet_mobilenetv2": lambda: torchvision.models.mobilenet_v2().features,
    "retinanet_r50": torchvision.models.resnet50,
}


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_holds_what_its_architecture_says_and_builds(name: str, tmp_path: Path) -> None:
    architecture = zoo_architecture(name)
    architecture.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == zoo_file(name).read_bytes()
    assert architecture.provenance["source"] and architecture.provenance["published_in"]
    assert not architecture.is_supernet
    with torch.device("meta"):
        model = build_detector(architecture, Surroundings())
        if name in REFERENCES:
            backbone = REFERENCES[name]()
            classifier = _parameters(backbone.fc) if hasattr(backbone, "fc") else 0
            assert _parameters(model.get_submodule("backbone")) == (
                _parameters(backbone) - classifier
            )


def test_every_file_is_listed_and_another_name_is_refused() -> None:
    assert {path.stem for path in zoo_file(NAMES[0]).parent.glob("*.json")} == set(NAMES)
    assert ZOO_NAMES == NAMES
    with pytest.raises(DetSearchError, match=r"'fpn_r51'.*fpn_r50_2fc"):
        zoo_architecture("fpn_r51")


def test_the_table_meets_every_figure(tmp_path: Path) -> None:
    out = tmp_path / "tables"
    stage_main(
        published_numbers.run,
        NoSettings,
        argv=["--settings", "{}", "--manifest", str(out / "manifest.json")],
    )
    verify(out / "manifest.json")
    text = (out / "published_numbers.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert text.startswith("network,quantity,paper,ours,difference_percent,")
    assert len(rows) == len(FIGURES)
    # what no source states well enough is not asked of anything but to say so
    assert all(row["note"] for row in rows if row["stated"] == "no")
    assert all(row["network"] in NAMES for row in rows if row["ours"])
    rows = [row for row in rows if row["stated"] == "yes"]
    assert len(rows) >= 44
    for row in rows:
        paper, ours, exact = (float(row[key]) for key in ("paper", "ours", "unrounded"))
        place = f"{row['source']}: {row['network']}, {row['quantity']}"
        assert float(row["difference_percent"]) == pytest.approx(
            100 * (ours - paper) / paper, abs=1e-4
        )
        assert abs(ours - paper) <= 0.001 * paper, place
        # rounding explains what is left: to half a unit of the paper's last digit, or 0.1 %
        last = 10.0 ** -len(row["paper"].partition(".")[2])
        assert abs(exact - paper) <= max(0.001 * paper, last / 2), place
    exactly = [row for row in rows if abs(float(row["unrounded_difference_percent"])) <= 0.1]
    assert len(exactly) >= 34
    totals = [row for row in rows if " parameters" not in row["quantity"]]
    assert all(abs(float(row["unrounded_difference_percent"])) <= 0.05 for row in totals)
    assert {row["source"] for row in rows} == {
        *(f"Hit-Detector, Table {number}" for number in (1, 2, 6)),
        *(f"Joint-DetNAS, Table {number}" for number in (2, 4)),
    }
    assert {row["network"] for row in rows} == set(NAMES) - {
        "cascade_r101",
        "fcos_r101",
        "fpn_r152",
        "reppoints_r101",
        "retinanet_mobilenetv2",
    }


def test_a_network_that_the_zoo_lacks_has_an_empty_row() -> None:
    [row] = compare([Figure("nowhere", "Auto-FPN", "total", "params", "32.64", note="drawn")])
    assert (row.network, row.paper, row.ours, row.unrounded) == ("Auto-FPN", "32.64", "", "")
    assert row.note == "drawn"


def test_a_figure_that_is_not_met_shows() -> None:
    wrong = Figure("nowhere", "fpn_r18", "backbone", "params", "11.10", (64, 64))
    [row] = compare([wrong])
    # torchvision's ResNet-18 without its classifier: 11 176 512
    assert (row.ours, row.unrounded) == ("11.18", "11.176512")
    assert row.difference_percent == "0.7207" and row.unrounded_difference_percent == "0.6893"


def test_the_papers_count_a_box_of_the_background() -> None:
    size = (64, 64)
    papers = published_complexity("fpn_r18", size).components
    ours = detector_complexity(zoo_architecture("fpn_r18"), PROPOSALS, size).components
    assert papers["head"].params - ours["head"].params == 4 * (1024 + 1)
    assert papers["head"].macs - ours["head"].macs == 4 * 1024 * PROPOSALS
    for part in ("backbone", "neck", "rpn"):
        assert papers[part] == ours[part]


def test_an_edited_file_makes_the_table_stale(tmp_path: Path) -> None:
    """The fingerprint of the stage covers the architecture files."""
    assert "pipeline.zoo.architectures" in imported_modules("pipeline.stages.published_numbers")
    root = tmp_path / "pipeline"
    (root / "zoo").mkdir(parents=True)
    source = Path(architectures.__file__)
    (root / "zoo" / source.name).write_text(source.read_text())
    for name in NAMES:
        (root / "zoo" / f"{name}.json").write_bytes(zoo_file(name).read_bytes())
    before = code_fingerprint("pipeline.zoo.architectures", tmp_path)
    edited = root / "zoo" / f"{NAMES[0]}.json"
    architecture = Architecture.load(edited)
    architecture.model_copy(update={"classes": 81}).save(edited)
    assert code_fingerprint("pipeline.zoo.architectures", tmp_path) != before
