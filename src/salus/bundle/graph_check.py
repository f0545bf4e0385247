"""What a graph may hold, read from the bytes of an ONNX file by a small walk of the protobuf wire format.

Runs before any runtime sees the bytes, and needs no package. It refuses whatever reaches outside the file (external data),
brings operators of its own (functions, foreign domains), holds text (string tensors), or is not one well-formed message.
Whether the operators fit together is for the engine to say when it loads the graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from salus.core.errors import SalusError

MAX_GRAPH_BYTES = 200 * 2**20
MAX_DEPTH = 16  # of subgraphs in subgraphs, and of types in types
MAX_NODES = 200_000
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
# They read or make text, or decode foreign bytes: both is the work of a kind, before the graph.
REFUSED_OPERATORS = frozenset({"StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "ImageDecoder"})
STRING = 8  # TensorProto.DataType

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
# Long runs of one repeated number (the attributes of trees hold millions, one field each) are stepped over in C:
# field 7 of fixed width (`floats`) and field 8 as a number (`ints`). Nothing that the walk looks at has these tags.
_RUN_OF_FLOATS = re.compile(rb"(?:\x3d[\x00-\xff]{4})++", re.DOTALL)
_RUN_OF_INTS = re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])++", re.DOTALL)


@dataclass
class GraphFacts:
    """What the walk saw. inputs: without those that have an initializer. Names in their order."""

    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    operators: set[str] = field(default_factory=set)
    nodes: int = 0


def check_graph(content: bytes, where: str = "main") -> GraphFacts:
    """The facts of a graph that may be run, or `graph_refused`."""
    if len(content) > MAX_GRAPH_BYTES:
        raise SalusError(
            "graph_refused", where=where, expected=f"at most {MAX_GRAPH_BYTES} bytes", found=f"{len(content)} bytes"
        )
    walk = _Walk(content, where)
    walk.model()
    return walk.facts


class _Walk:
    def __init__(self, content: bytes, where: str) -> None:
        self.content = content
        self.where = where
        self.facts = GraphFacts()

    def refuse(self, expected: str, found: str) -> SalusError:
        return SalusError("graph_refused", where=self.where, expected=expected, found=found)

    # The messages of onnx.proto, by field number.

    def model(self) -> None:
        graphs = 0
        for number, wire, start, end in self.fields(0, len(self.content)):
            if number == 7:
                graphs += 1
                if graphs > 1:
                    raise self.refuse("one graph", "two")
                self.message(wire, "graph")
                self.graph(start, end, 0)
            elif number == 8:
                self.message(wire, "opset_import")
                self.opset(start, end)
            elif number == 20:
                raise self.refuse("a graph that only answers", "training information")
            elif number == 25:
                raise self.refuse("standard operators", "functions of its own")
        if graphs == 0:
            raise self.refuse("an ONNX model", "no graph in it")
        if not self.facts.outputs:
            raise self.refuse("a graph with outputs", "none")

    def opset(self, start: int, end: int) -> None:
        for number, wire, left, right in self.fields(start, end):
            if number == 1:
                self.message(wire, "domain")
                self.domain(left, right)

    def graph(self, start: int, end: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self.refuse(f"at most {MAX_DEPTH} graphs inside each other", "more")
        inputs: list[str] = []
        outputs: list[str] = []
        initialised: set[str] = set()
        for number, wire, left, right in self.fields(start, end):
            if number == 1:
                self.message(wire, "node")
                self.node(left, right, depth)
            elif number == 5:
                self.message(wire, "initializer")
                initialised.add(self.tensor(left, right))
            elif number in (11, 12, 13):
                self.message(wire, "value")
                name = self.value(left, right)
                (inputs if number == 11 else outputs if number == 12 else []).append(name)
            elif number == 15:
                raise self.refuse("dense tensors", "a sparse initializer")
        if depth == 0:
            self.facts.inputs = [name for name in inputs if name not in initialised]
            self.facts.outputs = outputs

    def node(self, start: int, end: int, depth: int) -> None:
        self.facts.nodes += 1
        if self.facts.nodes > MAX_NODES:
            raise self.refuse(f"at most {MAX_NODES} nodes", "more")
        operator = ""
        casts_to_text = False
        for number, wire, left, right in self.fields(start, end):
            if number == 4:
                self.message(wire, "op_type")
                operator = self.text(left, right)
            elif number == 5:
                self.message(wire, "attribute")
                casts_to_text |= self.attribute(left, right, depth)
            elif number == 7:
                self.message(wire, "domain")
                self.domain(left, right)
        if operator in REFUSED_OPERATORS:
            raise self.refuse("operators on numbers", f"the operator {operator}")
        if operator in ("Cast", "CastLike", "EyeLike", "LabelEncoder") and casts_to_text:
            raise self.refuse("operators on numbers", f"{operator} to text")
        self.facts.operators.add(operator)

    def attribute(self, start: int, end: int, depth: int) -> bool:
        """Walks what the attribute holds; True when it is the attribute `to` that asks for text."""
        name, integer = "", 0
        for number, wire, left, right in self.fields(start, end):
            if number == 1:
                self.message(wire, "attribute name")
                name = self.text(left, right)
            elif number == 3:
                self.expect(wire, VARINT, "attribute integer")
                integer = self.varint(left, right)[0]
            elif number in (5, 10):
                self.message(wire, "attribute tensor")
                self.tensor(left, right)
            elif number in (6, 11):
                self.message(wire, "attribute graph")
                self.graph(left, right, depth + 1)
            elif number in (14, 15):
                self.message(wire, "attribute type")
                self.type_of(left, right, 0)
            elif number in (22, 23):
                raise self.refuse("dense tensors", "a sparse attribute")
        return name == "to" and integer == STRING

    def tensor(self, start: int, end: int) -> str:
        name = ""
        for number, wire, left, right in self.fields(start, end):
            if number == 2:
                self.expect(wire, VARINT, "tensor type")
                self.not_text(self.varint(left, right)[0])
            elif number == 6:
                raise self.refuse("tensors of numbers", "a tensor of text")
            elif number == 8:
                self.message(wire, "tensor name")
                name = self.text(left, right)
            elif number == 13:
                raise self.refuse("all weights inside the file", "external data")
            elif number == 14:
                self.expect(wire, VARINT, "data location")
                if self.varint(left, right)[0] != 0:
                    raise self.refuse("all weights inside the file", "external data")
        return name

    def value(self, start: int, end: int) -> str:
        """A ValueInfoProto: its name; its type holds no text."""
        name = ""
        for number, wire, left, right in self.fields(start, end):
            if number == 1:
                self.message(wire, "value name")
                name = self.text(left, right)
            elif number == 2:
                self.message(wire, "value type")
                self.type_of(left, right, 0)
        return name

    def type_of(self, start: int, end: int, depth: int) -> None:
        """A TypeProto: tensors of numbers, and sequences or optionals of them."""
        if depth > MAX_DEPTH:
            raise self.refuse(f"at most {MAX_DEPTH} types inside each other", "more")
        for number, wire, left, right in self.fields(start, end):
            if number not in (1, 4, 5, 7, 8, 9):
                continue
            self.message(wire, "type")
            for inner, inner_wire, inner_left, inner_right in self.fields(left, right):
                if number in (1, 8) and inner == 1:
                    self.expect(inner_wire, VARINT, "element type")
                    self.not_text(self.varint(inner_left, inner_right)[0])
                elif number in (4, 9) and inner == 1:
                    self.message(inner_wire, "element type")
                    self.type_of(inner_left, inner_right, depth + 1)
                elif number == 5:
                    raise self.refuse("tensors and sequences", "a map")
                elif number == 7:
                    raise self.refuse("tensors and sequences", "an opaque type")

    def not_text(self, data_type: int) -> None:
        if data_type == STRING:
            raise self.refuse("tensors of numbers", "a tensor of text")

    def domain(self, start: int, end: int) -> None:
        name = self.text(start, end)
        if name not in DOMAINS:
            raise self.refuse("operators of ONNX itself", f"the domain '{name}'")

    # The wire format.

    def message(self, wire: int, what: str) -> None:
        self.expect(wire, LENGTH, what)

    def expect(self, wire: int, expected: int, what: str) -> None:
        if wire != expected:
            raise self.refuse(f"wire type {expected} of {what}", str(wire))

    def text(self, start: int, end: int) -> str:
        if end - start > 1024:
            raise self.refuse("names of at most 1024 bytes", f"{end - start} bytes")
        try:
            return self.content[start:end].decode("utf-8")
        except UnicodeDecodeError:
            raise self.refuse("names in UTF-8", "other bytes") from None

    def varint(self, position: int, end: int) -> tuple[int, int]:
        """The number at `position` and where it ends."""
        value = shift = 0
        while True:
            if position >= end or shift > 63:
                raise self.refuse("a whole file", f"a number cut or too long at byte {position}")
            byte = self.content[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7

    def fields(self, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """(field number, wire type, start, end) of every field of the message in content[position:end]."""
        content = self.content
        while position < end:
            first = content[position]
            if first in (0x3D, 0x40):
                run = (_RUN_OF_FLOATS if first == 0x3D else _RUN_OF_INTS).match(content, position, end)
                if run is not None:
                    position = run.end()
                    continue
            tag, position = self.varint(position, end)
            number, wire = tag >> 3, tag & 7
            start = position
            if wire == LENGTH:
                length, start = self.varint(position, end)
                position = start + length
            elif wire == VARINT:
                _, position = self.varint(position, end)
            elif wire == FIXED32:
                position += 4
            elif wire == FIXED64:
                position += 8
            else:
                raise self.refuse("fields of ONNX", f"wire type {wire} at byte {start}")
            if position > end or number == 0:
                raise self.refuse("a whole file", f"a field that ends outside its message at byte {start}")
            yield number, wire, start, position
