"""What a person at the command line is told: one sentence and a status, never a traceback."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from onelot import config
from onelot.cli import main
from parking.tariffs import publish_tariff
from tests.onelot.shell import ROOT, Shell, typed
from tests.onelot.town import TARIFF, free_port


def commands(group: Mapping[str, click.Command], *before: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.items():
        yield (*before, name)
        if isinstance(command, click.Group):
            yield from commands(command.commands, *before, name)


@pytest.fixture
def nowhere(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def lot(tmp_path: Path) -> str:
    file = tmp_path / "tariff.yaml"
    file.write_text(TARIFF)
    return str(file)


def ended(shell: Shell, *words: str) -> tuple[int, str]:
    """Status and what was said by a command that has a process of its own."""
    process = shell.start(*words)
    return process.wait(30), shell.log.read_text()


@pytest.mark.parametrize("words", [(), *commands(main.commands())], ids=" ".join)
def test_command_helps(words: tuple[str, ...]) -> None:
    said = typed(*words, "--help")

    assert said.status == 0
    assert said.out.startswith("Usage: ")
    assert said.error == ""


def test_bare_name_shows_what_there_is() -> None:
    said = typed()

    assert (said.status, said.error) == (0, "")
    assert all(f"  {name}" in said.out for name in main.COMMANDS)


def test_help_says_of_each_command_what_it_says_of_itself() -> None:
    assert {name: line for name, (_, line) in main.COMMANDS.items()} == {
        name: command.get_short_help_str(200) for name, command in main.commands().items()
    }


def test_help_does_not_wait_for_what_a_city_needs() -> None:
    code = "import sys; from onelot import __main__; print({'numpy', 'asyncpg', 'aiohttp', 'redis', 'shapely'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip() == "set()"


def test_version_is_said() -> None:
    assert typed("--version").out.startswith("onelot, version 0.1")


WRONG = [
    "demo --city no-such-file.geojson",
    "nonsense",
    "up --nonsense",
    "up --http-port many",
    "up --http-port 70000",
    "up --mqtt-port -1",
    "up --speed 0",
    "up --speed fast",
    "up --http-host 0.0.0.0",
    "up --mqtt-host 192.0.2.1",
    "up --city zheng/zhou",
    "up --city +",
    "up --city Zhengzhou",
    "up --public-url parking.example.cn",
    "devices nonsense",
    "devices add",
    "devices add lot-7",
    "devices add lot-7 --kind dragon",
    "import",
    "import /nowhere/at/all.geojson",
    "import /",
    "tariff price",
    "tariff check /nowhere.yaml",
    "people grant",
    "people grant +8613800000001 wizard",
    "people grant +8613800000001 operator",
    "people grant +8613800000001 staff",
    "refused --limit 0",
    "refused --limit many",
    "stuck drop parking.stays",
    "stuck drop parking.stays twelve",
    "stuck nonsense",
    "stuck --data elsewhere drop parking.stays 12",
    "restore",
    "restore /nowhere.tar",
    "backup",
    "outbox",
    "registry",
    "registry --plate 豫A12345 --phone +8613800000001",
    "department weather up",
    "counter",
    "people revoke +8613800000001 staff",
    "people erase +8613800000001",
    "department vehicles sideways",
]


@pytest.mark.parametrize("line", WRONG)
def test_wrong_use_is_one_sentence_and_status_2(line: str) -> None:
    said = typed(*line.split())

    assert (said.status, said.out) == (2, "")
    assert said.sentence, said.error
    assert "Traceback" not in said.error


@pytest.mark.parametrize(
    "variable",
    [{"ONELOT_HTTP_PORT": "x"}, {"ONELOT_SPEED": "-1"}, {"ONELOT_HTTP_HOST": "0.0.0.0"}, {"ONELOT_POSTGRES_URL": "localhost"}],
    ids=str,
)
def test_wrong_environment_is_named(variable: dict[str, str]) -> None:
    said = typed("refused", **variable)

    assert said.status == 2
    assert said.sentence
    [(name, value)] = variable.items()
    assert name in said.sentence or value in said.sentence


def test_wrong_times_of_a_price_are_named(lot: str) -> None:
    for words in (("--from", "yesterday", "--to", "2026-03-02T09:00"), ("--from", "2026-03-02T11:00", "--to", "2026-03-02T09:00")):
        said = typed("tariff", "price", lot, *words)

        assert said.status == 2
        assert said.sentence, said.error


LONELY = [
    "devices add lot-7 --kind camera",
    "devices unknown",
    "refused",
    "people grant +8613800000001 admin",
    "stuck",
    "stuck drop parking.stays 1",
    "stuck retry parking.stays lot-7-001",
    "outbox --phone +8613800000001",
    "department vehicles down",
    "counter --phone +8613800000001",
    "people show +8613800000001",
    "backup /nowhere/at/all.tar",
]


@pytest.mark.parametrize("line", LONELY)
def test_command_without_a_city_says_how_to_start_one(nowhere: Shell, line: str) -> None:
    said = nowhere.say(*line.split())

    assert (said.status, said.out) == (1, "")
    assert str(nowhere.data) in said.sentence, said.error
    assert "onelot up" in said.sentence or "running one" in said.sentence


def test_files_without_a_city_say_how_to_start_one(nowhere: Shell, lot: str) -> None:
    for words in (("import", lot), ("tariff", "publish", lot)):
        said = nowhere.say(*words)

        assert said.status == 1
        assert "onelot up" in said.sentence, said.error


def test_doctor_without_a_city_says_so_and_what_to_do(nowhere: Shell) -> None:
    said = nowhere.say("doctor", "--json")

    assert said.status == 1
    [city] = [one for one in said.json["items"] if one["what"] == "city"]
    assert not city["good"]
    assert "onelot up" in city["advice"]
    assert nowhere.say("doctor").status == 1


def test_database_that_does_not_answer_is_one_sentence(nowhere: Shell) -> None:
    said = typed("stuck", ONELOT_POSTGRES_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", ONELOT_DATA_DIR=str(nowhere.data))

    assert said.status == 1
    assert "PostgreSQL does not answer" in said.sentence, said.error


# Files


def test_tariff_that_holds_is_checked_and_priced(lot: str) -> None:
    checked = typed("tariff", "check", lot)
    priced = typed("tariff", "price", lot, "--from", "2026-03-02T09:00", "--to", "2026-03-02T11:10", "--json")

    assert checked.status == 0 and "lot-day version 1 holds" in checked.out
    assert (priced.status, priced.json["total"]) == (0, 1400)
    assert sum(line["amount"] for line in priced.json["lines"]) == 1400


def test_tariff_with_faults_is_told_each_by_file_and_line(lot: str) -> None:
    Path(lot).write_text(TARIFF.replace("pin: entry", "pin: somewhere").replace("caps:", "hats:"))
    said = typed("tariff", "check", lot)

    lines = said.error.strip().splitlines()
    assert said.status == 1
    assert len(lines) >= 2
    assert all(line.startswith(f"{lot}:") and line.split(":")[1].isdigit() for line in lines[:-1]), said.error
    assert lines[-1].startswith(f"onelot: {lot} has ")


@pytest.mark.parametrize(
    "rubbish", [b"", b"\x00\x01\x02", b"\xff\xfe", b"- a\n- b", b"{", b"a: &x [*x]", "价格: 一".encode()], ids=range(7)
)
def test_file_that_is_no_tariff_is_refused(tmp_path: Path, rubbish: bytes) -> None:
    file = tmp_path / "tariff.yaml"
    file.write_bytes(rubbish)
    said = typed("tariff", "check", str(file))

    assert said.status == 1
    assert "Traceback" not in said.error and "fault of ours" not in said.error
    assert said.error.strip().splitlines()[-1].startswith(f"onelot: {file}"), said.error


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x00" * 2000], ids=["empty", "text", "zeros"])
def test_file_that_is_no_backup_is_refused(nowhere: Shell, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "backup.tar"
    file.write_bytes(content)
    said = nowhere.say("restore", str(file))

    assert said.status == 1
    assert "is not a backup" in said.sentence, said.error
    assert not nowhere.data.exists()


# Starting


@pytest.mark.parametrize("door", ["http", "mqtt"])
def test_port_in_use_is_said_before_anything_is_started(nowhere: Shell, door: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        nowhere.environment[f"ONELOT_{door.upper()}_PORT"] = str(port)

        assert ended(nowhere, "up") == (1, f"onelot: port {port} is in use; choose another with --{door}-port\n")
        assert not nowhere.data.exists()


def test_foreign_directory_is_left_alone(nowhere: Shell) -> None:
    nowhere.data.mkdir()
    (nowhere.data / "thesis.txt").write_text("mine")

    status, said = ended(nowhere, "up")

    assert status == 1
    assert "was not made by OneLot" in said and "Traceback" not in said
    assert [file.name for file in nowhere.data.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080")])
def test_url_of_a_city_is_one(host: str, url: str) -> None:
    assert config.read({}, http_host=host).url == url


def test_flag_goes_before_the_environment() -> None:
    settings = config.read({"ONELOT_HTTP_PORT": "1", "ONELOT_MQTT_PORT": "2", "ONELOT_DATA_DIR": "there"}, http_port=3)

    assert (settings.http_port, settings.mqtt_port, settings.data_dir) == (3, 2, Path("there"))


def test_secret_in_a_wrong_url_is_not_repeated() -> None:
    with pytest.raises(config.Misused) as refused:
        config.read({"ONELOT_POSTGRES_URL": "mysql://me:hunter2@db/city"})

    assert "hunter2" not in str(refused.value)


# What needs no city


def test_registers_tell_the_same_people_for_the_same_number() -> None:
    by_phone = typed("registry", "--phone", "+8613800000001", "--json")
    again = typed("registry", "--phone", "+8613800000001", "--json")

    assert by_phone.status == 0
    assert by_phone.json == again.json
    assert {"name", "id_no", "home", "plates"} <= by_phone.json.keys()
    assert {"zone", "address"} <= by_phone.json["home"].keys()
    [car, *_] = by_phone.json["plates"]
    assert {"plate", "colour", "vin_last6"} <= car.keys()
    by_plate: dict[str, Any] = typed("registry", "--plate", car["plate"], "--json").json
    assert {"plate", "colour", "vin_last6", "owner"} <= by_plate.keys()
    assert by_plate["vin_last6"] == car["vin_last6"]
    assert typed("registry", "--plate", car["plate"]).out.count("\n") >= 4


def test_json_of_a_command_is_one_document(lot: str) -> None:
    said = typed("tariff", "price", lot, "--from", "2026-03-02T09:00", "--to", "2026-03-02T11:10", "--json")

    assert json.loads(said.out)
    assert said.error == ""


def test_fault_of_ours_is_one_sentence_that_asks_for_a_report(monkeypatch, lot: str) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("wires\ncrossed")

    monkeypatch.setattr(publish_tariff, "checked", broken)
    said = typed("tariff", "check", lot)

    assert said.status == 1
    assert "RuntimeError: wires" in said.sentence and "--debug" in said.sentence
