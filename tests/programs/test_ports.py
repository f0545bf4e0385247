"""Ports that are taken are found before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.programs.ports import address, answers, check_ports


def test_a_taken_port_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SalusError) as caught:
        check_ports(Settings(home=tmp_path, control_port=0, model_server_port=taken.getsockname()[1]))
    assert caught.value.code == "port_in_use"
    assert "SALUS_MODEL_SERVER_PORT" in caught.value.text()


def test_free_ports_pass(tmp_path: Path) -> None:
    check_ports(Settings(home=tmp_path, control_port=0, model_server_port=0))


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        check_ports(Settings(home=tmp_path, host="192.0.2.1"))
    assert caught.value.code == "bad_address"


def test_all_addresses_are_reached_on_this_machine() -> None:
    assert address("0.0.0.0", 8400) == "http://127.0.0.1:8400"  # noqa: S104
    assert address("::", 8400) == "http://[::1]:8400"


def test_nobody_answers_on_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not answers("127.0.0.1", port, "/livez")
