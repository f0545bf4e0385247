"""What is found in a column of prose by itself: texts without a word, broken or hidden characters, another script than the
rest, texts of which only the beginning is read.

Which language a text is in is not known, only in which script it is written: that tells Chinese from English, not English from German.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from salus.core.nouns import Finding, Severity
from salus.data.findings_made import FirstRows
from salus.data.findings_texts import TextCheck
from salus.data.kinds.text import MAX_CHARACTERS
from salus.data.sketches import MOST_KEYS

WORDLESS = r"^[^\pL\pN]*$"
BROKEN = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F\x{200B}\x{202A}-\x{202E}\x{2066}-\x{2069}\x{FFFD}]"
SCRIPTS = {
    "Latin": r"\p{Latin}",
    "Chinese": r"\p{Han}|\p{Hiragana}|\p{Katakana}",
    "Cyrillic": r"\p{Cyrillic}",
    "Arabic": r"\p{Arabic}",
    "Hangul": r"\p{Hangul}",
    "Greek": r"\p{Greek}",
    "Devanagari": r"\p{Devanagari}",
    "Hebrew": r"\p{Hebrew}",
    "Thai": r"\p{Thai}",
}
NAMES = tuple(SCRIPTS)
LOOKED_AT = 2000  # characters of a text, to know its script
FEW = 0.2  # a script that fewer texts are in than this is one that somebody should look at


class ProseCheck(TextCheck):
    """A column of kind text."""

    def __init__(self, name: str, max_keys: int = MOST_KEYS) -> None:
        super().__init__(name, max_keys)
        self.wordless, self.broken_texts, self.long = FirstRows(), FirstRows(), FirstRows()
        self.of_script = {script: FirstRows() for script in SCRIPTS}

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        super().part(column, first_row)
        texts = pc.fill_null(column.cast(pa.large_string()), "")
        present = ~column.is_null().to_numpy()
        wordless = pc.match_substring_regex(texts, WORDLESS).to_numpy() & present
        self.wordless.add(first_row + np.flatnonzero(wordless))
        self.broken_texts.add(first_row + np.flatnonzero(pc.match_substring_regex(texts, BROKEN).to_numpy()))
        self.long.add(first_row + np.flatnonzero(pc.utf8_length(texts).to_numpy() > MAX_CHARACTERS))
        heads = pc.utf8_slice_codeunits(texts, 0, LOOKED_AT)
        counts = np.stack([pc.count_substring_regex(heads, of).to_numpy() for of in SCRIPTS.values()])
        counts[NAMES.index("Chinese")] *= 3  # one character says as much as several letters
        main = np.where(counts.max(axis=0) > 0, counts.argmax(axis=0), -1)
        for place, script in enumerate(SCRIPTS):
            self.of_script[script].add(first_row + np.flatnonzero(main == place))

    def findings(self) -> list[Finding]:
        found = super().findings()
        if self.wordless.count:
            found.append(self._said("texts_without_words", Severity.WARNING, self.wordless))
        if self.broken_texts.count:
            found.append(self._said("texts_broken", Severity.WARNING, self.broken_texts))
        if self.long.count:
            found.append(self._said("texts_long", Severity.INFO, self.long, expected=MAX_CHARACTERS))
        written = sum(rows.count for rows in self.of_script.values())
        usual = max(NAMES, key=lambda script: self.of_script[script].count)
        for script, rows in self.of_script.items():
            if script != usual and 0 < rows.count < FEW * written:
                found.append(self._said("texts_other_script", Severity.WARNING, rows, expected=usual, example=script))
        return found

    def _said(self, code: str, severity: Severity, rows: FirstRows, **said: object) -> Finding:
        return self.found(code, severity, rows.first, found=rows.count, **said)
