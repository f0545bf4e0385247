"""A conversation as the one text that a model reads, by the template that came with the model.

A template is foreign: it runs in Jinja's immutable sandbox, sees plain texts only, and is stopped when it takes long or writes much.
Knows templates. Does not know tokens.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from salus.core.errors import SalusError

MAX_TEMPLATE_LETTERS = 200_000
MAX_SECONDS = 2.0


class ChatTemplate:
    """steers: the texts of special tokens that a template may name, such as bos_token."""

    def __init__(self, text: str, steers: Mapping[str, str]):
        if len(text) > MAX_TEMPLATE_LETTERS:
            raise SalusError("template_failed", found=f"a template of {len(text)} letters")
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, autoescape=False)
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(str(form)[:40])
        self._steers = dict(steers)
        try:
            self._template = environment.from_string(text)
        except TemplateError as error:
            raise SalusError("template_failed", found=f"it is not valid: {error}"[:200]) from None

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text, with the beginning of the answer; `template_failed` when the template refuses the messages."""
        plain = [{"role": str(message["role"]), "content": str(message["content"])} for message in messages]
        most = 4 * sum(len(message["content"]) for message in plain) + 1000 * len(plain) + MAX_TEMPLATE_LETTERS
        before = signal.signal(signal.SIGALRM, _late)
        signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
        try:
            parts, length = [], 0
            for part in self._template.generate(messages=plain, add_generation_prompt=True, **self._steers):
                parts.append(part)
                length += len(part)
                if length > most:
                    raise SalusError("template_failed", found="it writes without end")
        except (
            TemplateError,
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            RecursionError,
            MemoryError,
        ) as error:
            if isinstance(error, SalusError):
                raise
            raise SalusError("template_failed", found=str(error)[:200] or type(error).__name__) from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return "".join(parts)


def _refuse(text: Any = "") -> NoReturn:
    raise TemplateError(str(text)[:200])


def _late(*_: object) -> NoReturn:
    raise SalusError("template_failed", found=f"it takes longer than {MAX_SECONDS:g} seconds")
