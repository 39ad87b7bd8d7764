"""What is shown of a training fails no training."""

from pathlib import Path

import pytest

from pipeline.training import progress
from pipeline.training.progress import shown_progress


class FullDisk:
    """TensorBoard's writer on a disk that is full after some values."""

    def __init__(self, room: int) -> None:
        self.room = room

    def add_scalar(self, name: str, value: float, iteration: int) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(28, "No space left on device")

    def flush(self) -> None:
        pass

    def close(self) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("room", [0, 3, 100])
def test_a_full_disk_under_tensorboard_is_one_sentence(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "SummaryWriter", lambda folder, purge_step: FullDisk(room))
    with shown_progress("search", 0, 4, tmp_path) as shown:
        for iteration in range(4):
            shown.note({"epoch": 1, "iteration": iteration, "loss": 1.0})
    (said,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "search: no further curves for TensorBoard (No space left on device)" in said.message


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with shown_progress("search", 0, 1, tmp_path / "file" / "events") as shown:
        shown.note({"epoch": 1, "iteration": 1, "loss": 1.0})
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def test_a_disk_that_is_full_from_the_beginning_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The writer's thread ends while the writer is being made."""

    def refuse(self: object, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", refuse)
    with shown_progress("search", 0, 1, tmp_path) as shown:
        shown.note({"epoch": 1, "iteration": 1, "loss": 1.0})
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    assert "Exception in thread" not in capfd.readouterr().err


def test_the_end_of_the_writers_thread_is_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with shown_progress("search", 0, 2, tmp_path) as shown:
        assert shown.writer is not None and shown.writer.file_writer is not None

        def refuse(data: bytes) -> None:
            raise OSError(28, "No space left on device")

        shown.writer.file_writer.event_writer._async_writer._writer.write = refuse
        for iteration in range(2):
            shown.note({"epoch": 1, "iteration": iteration, "loss": 1.0})
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    assert "Exception in thread" not in capfd.readouterr().err
