"""The program that runs the chain once a seed: which commands it gives, and what runs share."""

from pathlib import Path

import pytest
import yaml

from pipeline.artifacts.files import write_json
from pipeline.config.root import ConfigError, load_config
from pipeline.driver.layout import Layout, seed_evaluations
from pipeline.errors import DetSearchError
from pipeline.seeds import config_files, main, share_data


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"run": {"name": "mine", "seeds": [0, 1, 5]}}))
    return path


def test_each_seed_is_a_run_with_its_own_name_and_the_first_comes_last_again(config: Path) -> None:
    commands: list[list[str]] = []

    def start(command) -> int:
        commands.append(list(command))
        # as the first run leaves them
        write_json(Path("results/mine/data/detection/dataset.json"), {"made": True})
        return 0

    main(["--cores", "2", "--configfile", str(config), "-k"], start)
    assert len(commands) == 4
    first, one, five, last = commands
    assert first == last
    assert first[1:] == ["-m", "snakemake", "--cores", "2", "-k", "--configfile", str(config)]
    for command, seed in ((one, 1), (five, 5)):
        assert command[: len(first)] == first
        (own,) = command[len(first) :]
        name = f"mine_seed_{seed}"
        assert yaml.safe_load(Path(own).read_text()) == {
            "run": {"name": name, "seed": seed, "seeds": []}
        }
        assert Path(f"results/{name}/data/detection/dataset.json").exists()


def test_a_dry_run_writes_nothing_but_the_configs_of_the_seeds_runs(config: Path) -> None:
    write_json(Path("results/mine/data/detection/dataset.json"), {"made": True})
    before = {path for path in Path().rglob("*") if path.is_file()}
    main(["-n", "--configfile", str(config)], lambda command: 0)
    written = {path for path in Path().rglob("*") if path.is_file()} - before
    assert written == {Path(f"results/mine/seeds/seed_{seed}.yaml") for seed in (1, 5)}


def test_it_stops_where_a_run_stops_and_says_what_is_missing(config: Path, capsys) -> None:
    codes = iter([0, 3])
    with pytest.raises(SystemExit, match="the run of seed 1 stopped with exit code 3"):
        main(["--configfile", str(config)], lambda command: next(codes))
    with pytest.raises(SystemExit, match="states no seeds"):
        main([], lambda command: 0)
    with pytest.raises(SystemExit, match="--config is not taken"):
        main(["--config", "run={gpus: 2}"], lambda command: 0)


def test_config_files_are_found_wherever_they_stand() -> None:
    files, options = config_files(["-n", "--configfile", "a.yaml", "b.yaml", "--cores", "2", "x"])
    assert files == [Path("a.yaml"), Path("b.yaml")] and options == ["-n", "--cores", "2", "x"]
    files, options = config_files(["--configfile=a.yaml", "x"])
    assert files == [Path("a.yaml")] and options == ["x"]


def test_runs_share_images_but_no_record(tmp_path: Path) -> None:
    source, target = tmp_path / "a/data", tmp_path / "b/data"
    write_json(source / "detection/dataset.json", {"a": 1})
    (source / "detection/0.png").write_bytes(b"image")
    (source / "detection/work").mkdir()
    share_data(source, target)
    assert (target / "detection/0.png").samefile(source / "detection/0.png")
    assert not (target / "detection/dataset.json").samefile(source / "detection/dataset.json")
    assert not (target / "detection/work").exists()
    # a run that has data keeps them
    (source / "detection/1.png").touch()
    share_data(source, target)
    assert not (target / "detection/1.png").exists()
    share_data(tmp_path / "nowhere", tmp_path / "c/data")
    assert not (tmp_path / "c").exists()


def test_seeds_are_different_and_the_runs_own_is_one_of_them() -> None:
    for seeds in ([1, 2], [0, 0], [0, -1]):
        with pytest.raises(ConfigError, match=r"seeds are different whole numbers"):
            load_config({"data": {}, "run": {"seeds": seeds}})
    run = load_config({"data": {}, "run": {"name": "mine", "seed": 1, "seeds": [0, 1]}}).run
    assert run.seed_runs() == {0: "mine_seed_0", 1: "mine"}


def test_the_report_takes_the_seeds_when_all_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = {"name": "mine", "seeds": [0, 1, 2], "methods": ["hit_detector"]}
    layout = Layout(load_config({"data": {}, "run": run}))
    for seed in (1, 2):
        assert seed_evaluations(layout) == {}
        write_json(Path(f"results/mine_seed_{seed}/hit_detector/evaluation/manifest.json"), {})
    assert seed_evaluations(layout) == {
        "0.hit_detector": "results/mine/hit_detector/evaluation/manifest.json",
        "1.hit_detector": "results/mine_seed_1/hit_detector/evaluation/manifest.json",
        "2.hit_detector": "results/mine_seed_2/hit_detector/evaluation/manifest.json",
    }
    alone = Layout(load_config({"data": {}, "run": {"name": "mine"}}))
    assert seed_evaluations(alone) == {}


def test_seeds_of_a_front_alone_are_refused_before_the_first_run(config: Path) -> None:
    config.write_text("run: {seeds: [0, 1], methods: [front]}")
    with pytest.raises(SystemExit, match="has no report"):
        main(["--configfile", str(config)], lambda command: pytest.fail(f"{command} is started"))


def test_an_unknown_value_is_a_mistake_of_the_config(config: Path) -> None:
    config.write_text("run: {seeds: [a]}")
    with pytest.raises(SystemExit, match=r"run\.seeds"):
        main(["--configfile", str(config)], lambda command: 0)
    assert issubclass(ConfigError, DetSearchError)
