"""The one error that a caller's mistake raises: a code of the catalogue and what it was found with.

Knows how a code becomes text and a problem document (RFC 9457). Does not know who shows it.
Mistakes of our own are assertions, never a SalusError.
"""

from __future__ import annotations

from typing import Any

from salus.core.language import Message, all_messages

LANGUAGES = ("en", "zh")


class SalusError(ValueError):
    """A mistake that the caller can mend.

    `code` is a row of the catalogue; `parameters` fill its templates. Usual names: `where`, `expected`, `found`.
    """

    def __init__(self, code: str, /, **parameters: Any) -> None:
        assert code in all_messages(), f"no message with the code {code}"
        self.code = code
        self.parameters = parameters
        super().__init__(self.text())

    @property
    def message(self) -> Message:
        return all_messages()[self.code]

    @property
    def status(self) -> int:
        return self.message.status

    def detail(self, language: str = "en") -> str:
        """What is wrong."""
        return _fill(self.message.zh if language == "zh" else self.message.en, self.parameters)

    def remedy(self, language: str = "en") -> str:
        """What to do next."""
        return _fill(self.message.next_zh if language == "zh" else self.message.next_en, self.parameters)

    def text(self, language: str = "en") -> str:
        """Both, as a terminal or a notebook shows them."""
        return f"{self.detail(language)} {self.remedy(language)}"

    def problem(self, request_id: str = "", language: str = "en") -> dict[str, Any]:
        """The body of an `application/problem+json` answer (RFC 9457)."""
        return {
            "type": f"urn:salus:error:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.detail(language),
            "next": self.remedy(language),
            "request_id": request_id,
        }

    def to_json(self) -> dict[str, Any]:
        """Code and parameters, to cross a process boundary; `from_json` makes the error again."""
        return {"code": self.code, "parameters": {name: _plain(value) for name, value in self.parameters.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SalusError:
        if data.get("code") not in all_messages():
            return cls("step_failed", found=str(data.get("code"))[:200])
        return cls(data["code"], **data.get("parameters", {}))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _fill(template: str, parameters: dict[str, Any]) -> str:
    shown = {name: _shown(value) for name, value in parameters.items()}
    return template.format_map(_Parameters(shown))


class _Parameters(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "?"


def _shown(value: Any) -> str:
    """Foreign text without control characters and bounded in length: it may reach a terminal or a log."""
    text = str(value)
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:400])
    return text
