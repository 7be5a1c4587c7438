"""Where a source can be mutated, and how: found in its syntax tree, types included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.mutation.syntax import Node, is_number, span, type_of, walk

BINARY: Final[Mapping[str, str]] = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "**": "*",
    "&": "|", "|": "&", "^": "&", "<<": ">>", ">>": "<<",
}  # fmt: skip
"""Operator -> what replaces it; with "=" behind it, in compound assignments too."""

YUL: Final[Mapping[str, str]] = {
    "add": "sub(a, b)", "sub": "add(a, b)", "mul": "div(a, b)", "div": "mul(a, b)", "mod": "mul(a, b)",
    "lt": "iszero(gt(a, b))", "gt": "iszero(lt(a, b))", "eq": "iszero(eq(a, b))", "iszero": "iszero(iszero(a))",
    "and": "or(a, b)", "or": "and(a, b)", "xor": "and(a, b)", "shl": "shr(a, b)", "shr": "shl(a, b)",
}  # fmt: skip
"""Instruction -> what replaces its call, of arguments `a` and `b`."""

_UNSIGNED: Final = re.compile(r"^uint\d+$")


@dataclass(frozen=True)
class Place:
    """Where a mutant applies."""

    path: str
    kind: str
    """expression, statement, yul or function."""
    start: int
    end: int
    text: str
    """What stands there instead; of a function the modifier that it lacks."""
    cast: str
    """The type that a number is converted to there; empty where the compiler sees to it."""
    node: Node


@dataclass(frozen=True)
class Draft:
    """A mutant without a number."""

    path: str
    function: str
    operator: str
    span: tuple[int, int]
    original: str
    replacement: str
    places: list[Place]


@dataclass
class Finder:
    """Goes through the syntax tree of one source and drafts its mutants."""

    path: str
    sources: Mapping[str, str]
    constants: Mapping[int, tuple[str, Node]]
    """Declaration -> where it is, and its node."""
    drafts: list[Draft]
    uses: dict[tuple[int, int], Draft]
    """Constant and which of its two mutants -> the draft that all uses share."""
    assembly: bool
    function: str = ""
    returns: tuple[str, ...] = ()

    def visit(self, node: Any, parents: tuple[Node, ...]) -> None:
        """Find the mutants of a node and of what is in it."""
        if isinstance(node, list):
            for item in node:
                self.visit(item, parents)
            return
        if not isinstance(node, dict):
            return
        kind = node.get("nodeType", "")
        handler = getattr(self, f"_at_{kind}", None)
        skipped: set[str] = (handler(node, parents) if handler else None) or set()
        if "*" in skipped:
            return
        inner = (*parents, node) if "src" in node else parents
        for name, value in node.items():
            if name not in skipped and isinstance(value, (dict, list)):
                self.visit(value, inner)

    # What is not mutated

    def _nothing(self, _node: Node, _parents: tuple[Node, ...]) -> set[str]:
        return {"*"}

    _at_RevertStatement = _at_EmitStatement = _at_StructDefinition = _at_EnumDefinition = _nothing  # noqa: N815
    _at_EventDefinition = _at_ErrorDefinition = _at_ImportDirective = _at_UsingForDirective = _nothing  # noqa: N815
    _at_ElementaryTypeName = _at_ArrayTypeName = _at_Mapping = _at_InheritanceSpecifier = _nothing  # noqa: N815
    _at_ModifierInvocation = _at_OverrideSpecifier = _at_StructuredDocumentation = _nothing  # noqa: N815

    def _at_VariableDeclaration(self, node: Node, _: tuple[Node, ...]) -> set[str]:  # noqa: N802
        return {"*"} if node.get("constant") else {"typeName"}

    def _at_ForStatement(self, _node: Node, _: tuple[Node, ...]) -> set[str]:  # noqa: N802
        return {"loopExpression"}  # such mutants never end, or end at once

    # Functions and modifiers

    def _at_FunctionDefinition(self, node: Node, _: tuple[Node, ...]) -> set[str]:  # noqa: N802
        self.function = node["name"] or node["kind"]
        self.returns = tuple(type_of(item) for item in node["returnParameters"]["parameters"])
        for modifier in node["modifiers"]:
            if modifier.get("kind") != "modifierInvocation" or not node.get("body"):
                continue
            self._draft(
                "drop modifier",
                modifier,
                "",
                Place(self.path, "function", *span(node), self._of(modifier), "", node),
            )
        return {"modifiers", "parameters", "returnParameters"}

    def _at_ModifierDefinition(self, node: Node, _: tuple[Node, ...]) -> None:  # noqa: N802
        self.function, self.returns = node["name"], ()

    # Statements

    def _at_ExpressionStatement(self, node: Node, _: tuple[Node, ...]) -> None:  # noqa: N802
        expression = node["expression"]
        written = expression.get("leftHandSide", {})
        targets = [written, *written.get("components", [])]
        if any("storage pointer" in type_of(item) for item in targets if item):
            return
        start, end = span(node)
        end = self.sources[self.path].index(";", end) + 1
        original = self.sources[self.path][start:end]
        place = Place(self.path, "statement", start, end, "", "", node)
        self.drafts.append(
            Draft(self.path, self.function, "delete statement", (start, end), original, "", [place])
        )

    def _at_IfStatement(self, node: Node, _: tuple[Node, ...]) -> None:  # noqa: N802
        condition = node["condition"]
        if condition.get("operator") not in ("==", "!=", "!"):
            self._expression("negate condition", condition, f"!({self._of(condition)})")
        body = node["trueBody"]
        only = body["statements"][0] if len(body.get("statements", [])) == 1 else body
        leaves = ("RevertStatement", "Return", "Continue", "Break")
        if only["nodeType"] in leaves and not node.get("falseBody"):
            self._expression("remove check", condition, "false")

    # Expressions

    def _at_Conditional(self, node: Node, parents: tuple[Node, ...]) -> None:  # noqa: N802
        condition = node["condition"]
        if condition.get("operator") not in ("==", "!=", "!"):
            self._expression("negate condition", condition, f"!({self._of(condition)})")

    def _at_BinaryOperation(self, node: Node, parents: tuple[Node, ...]) -> set[str]:  # noqa: N802
        if is_number(node):
            self._number(node, parents)
            return {"*"}
        left, right = self._of(node["leftExpression"]), self._of(node["rightExpression"])
        operator = node["operator"]
        self._expression(
            f"{operator} to {BINARY[operator]}", node, f"({left}) {BINARY[operator]} ({right})",
            f"{left} {BINARY[operator]} {right}",
        )  # fmt: skip
        return set()

    def _at_UnaryOperation(self, node: Node, parents: tuple[Node, ...]) -> set[str]:  # noqa: N802
        if is_number(node):
            self._number(node, parents)
            return {"*"}
        inner = self._of(node["subExpression"])
        if node["operator"] in ("!", "~"):
            self._expression(f"drop {node['operator']}", node, inner)
        elif node["operator"] in ("++", "--"):
            other = "--" if node["operator"] == "++" else "++"
            text = other + inner if node["prefix"] else inner + other
            self._expression(f"{node['operator']} to {other}", node, text)
        return set()

    def _at_Assignment(self, node: Node, _: tuple[Node, ...]) -> None:  # noqa: N802
        operator = node["operator"].removesuffix("=")
        if operator:
            left, right = self._of(node["leftHandSide"]), self._of(node["rightHandSide"])
            other = f"{left} {BINARY[operator]}= {right}"
            self._expression(f"{operator}= to {BINARY[operator]}=", node, other)

    def _at_TupleExpression(self, node: Node, parents: tuple[Node, ...]) -> set[str]:  # noqa: N802
        if is_number(node):
            self._number(node, parents)
            return {"*"}
        return set()

    def _at_Literal(self, node: Node, parents: tuple[Node, ...]) -> None:  # noqa: N802
        if is_number(node):
            self._number(node, parents)

    def _at_Identifier(self, node: Node, parents: tuple[Node, ...]) -> None:  # noqa: N802
        self._use(node)

    def _at_MemberAccess(self, node: Node, parents: tuple[Node, ...]) -> set[str]:  # noqa: N802
        return {"*"} if self._use(node) else set()

    def _at_InlineAssembly(self, node: Node, _: tuple[Node, ...]) -> set[str]:  # noqa: N802
        for call in walk(node["AST"]) if self.assembly else ():
            name = call.get("functionName", {}).get("name")
            if call.get("nodeType") != "YulFunctionCall" or name not in YUL:
                continue
            arguments = [self._of(item) for item in call["arguments"]]
            first, second = [*arguments, ""][:2]
            pairs = {"a": first, "b": second}
            text = "".join(pairs.get(word, word) for word in re.split(r"\b", YUL[name]))
            within = {**call, "block": span(node["AST"])}
            place = Place(self.path, "yul", *span(call), YUL[name], "", within)
            self._draft(f"{name} to {YUL[name]}", call, text, place)
        return {"*"}

    # Internals

    def _of(self, node: Node) -> str:
        start, end = span(node)
        return self.sources[self.path][start:end]

    def _draft(self, operator: str, node: Node, replacement: str, place: Place) -> None:
        original = self._of(node)
        self.drafts.append(
            Draft(self.path, self.function, operator, span(node), original, replacement, [place])
        )

    def _expression(self, operator: str, node: Node, text: str, shown: str = "", *, cast: str = "") -> None:
        place = Place(self.path, "expression", *span(node), text, cast, node)
        self._draft(operator, node, shown or text, place)

    def _number(self, node: Node, parents: tuple[Node, ...]) -> None:
        cast = self._type_of_context(node, parents)
        if not _UNSIGNED.match(cast) or "omitted" in type_of(node):
            return
        text = self._of(node)
        self._expression("constant + 1", node, f"({text}) + 1", f"{text} + 1", cast=cast)
        if type_of(node) != "int_const 0":
            self._expression("constant - 1", node, f"({text}) - 1", f"{text} - 1", cast=cast)

    def _use(self, node: Node) -> bool:
        """A use of one of our constants: two mutants, that all its uses share."""
        number = int(node.get("referencedDeclaration") or 0)
        if number not in self.constants or not _UNSIGNED.match(type_of(node)):
            return False
        path, declared = self.constants[number]
        start, end = span(declared["value"])
        value = self.sources[path][start:end]
        for index, sign in enumerate("+-"):
            draft = self.uses.get((number, index))
            if draft is None:
                changed = f"{value} {sign} 1"
                operator = f"constant {sign} 1"
                draft = Draft(path, declared["name"], operator, (start, end), value, changed, [])
                self.uses[number, index] = draft
                self.drafts.append(draft)
            text = f"{self._of(node)} {sign} 1"
            draft.places.append(Place(self.path, "expression", *span(node), text, "", node))
        return True

    def _type_of_context(self, node: Node, parents: tuple[Node, ...]) -> str:  # noqa: PLR0911 - a case a kind of parent
        """The type that a number is converted to where it stands; empty if that cannot be told."""
        parent = parents[-1]
        kind = parent["nodeType"]
        is_right = parent.get("rightExpression") is node or parent.get("rightHandSide") is node
        if kind == "BinaryOperation" and parent["operator"] in ("<<", ">>", "**"):
            return "uint256" if is_right else type_of(parent)
        if kind == "BinaryOperation":
            return str(parent["commonType"]["typeString"])
        if kind == "Assignment":
            return "uint256" if parent["operator"] in ("<<=", ">>=") else type_of(parent["leftHandSide"])
        if kind == "VariableDeclarationStatement" and len(parent["declarations"]) == 1:
            return type_of(parent["declarations"][0])
        if kind == "IndexAccess":
            base = type_of(parent["baseExpression"])
            return base.removeprefix("mapping(").split(" ")[0] if base.startswith("mapping") else "uint256"
        if kind == "IndexRangeAccess":
            return "uint256"
        if kind == "Return" and len(self.returns) == 1:
            return self.returns[0]
        if kind == "Conditional":
            return type_of(parent)
        if kind == "TupleExpression" and parents[-2]["nodeType"] == "Return":
            return self.returns[[item is node for item in parent["components"]].index(True)]
        if kind == "FunctionCall" and parent["kind"] == "typeConversion":
            return "uint256" if _UNSIGNED.match(type_of(parent)) else ""
        if kind == "FunctionCall":
            inside = re.match(r"function \((.*?)\)", type_of(parent["expression"]))
            types = inside[1].split(",") if inside else []
            index = [item is node for item in parent["arguments"]].index(True)
            return types[index - len(parent["arguments"])] if len(types) >= len(parent["arguments"]) else ""
        return ""
