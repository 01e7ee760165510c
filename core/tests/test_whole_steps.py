"""Ctrl-C leaves a step whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from keywright.cli.io import in_whole_steps


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """A shell that runs the tests in the background has them ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_the_step_is_done_whole() -> None:
    """What it finds half done comes to its end, and nothing begins after it."""
    done: list[str] = []

    def work() -> None:
        with in_whole_steps() as step:
            for number in range(3):
                with step:
                    done.append(f"{number} counted")
                    ctrl_c()
                    done.append(f"{number} told")

    with pytest.raises(KeyboardInterrupt):
        work()

    assert done == ["0 counted", "0 told"]


def test_between_two_steps_it_is_heard_at_once() -> None:
    """The work itself is not held up."""
    done: list[str] = []

    def work() -> None:
        with in_whole_steps() as step:
            with step:
                done.append("told")
            ctrl_c()
            done.append("work")

    with pytest.raises(KeyboardInterrupt):
        work()

    assert done == ["told"]


def test_a_second_one_does_not_wait() -> None:
    """A step that prints may hang on whoever does not read."""
    done: list[str] = []

    def work() -> None:
        with in_whole_steps() as step, step:
            ctrl_c()
            done.append("asked")
            ctrl_c()
            done.append("hangs")

    with pytest.raises(KeyboardInterrupt):
        work()

    assert done == ["asked"]


def test_an_error_of_the_step_is_not_lost() -> None:
    """It is the context of the interrupt."""

    def work() -> None:
        with in_whole_steps() as step, step:
            ctrl_c()
            raise ValueError("of the step")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()

    assert repr(caught.value.__context__) == "ValueError('of the step')"


def test_the_handler_of_before_is_back() -> None:
    """Also after an interrupt."""
    with pytest.raises(KeyboardInterrupt), in_whole_steps():
        ctrl_c()

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_way_of_a_program_stays() -> None:
    """Who ignores Ctrl-C goes on ignoring it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    done: list[str] = []

    with in_whole_steps() as step, step:
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        ctrl_c()
        done.append("told")

    assert done == ["told"]


def test_outside_the_main_thread_it_does_nothing() -> None:
    """Only the main thread may have handlers."""
    done: list[str] = []

    def work() -> None:
        with in_whole_steps() as step, step:
            done.append("told")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert done == ["told"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
