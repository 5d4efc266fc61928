"""Text of an expression -> our own checked, typed tree, with every fault at its place.

    text --syntax.read--> Python's syntax tree --whitelist and types--> tree.Node
    tree.Node --canonical.unparse--> text

What is not on the whitelist is refused with a sentence. Nothing is ever evaluated.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import re2

from fraudline.domain.decision import LEVELS, OUTCOMES
from fraudline.domain.errors import Problem, RulesetError
from fraudline.domain.money import DECIMALS
from fraudline.domain.ruleset import Ruleset
from fraudline.domain.transaction import FIELDS, Kind
from fraudline.engine import syntax, words
from fraudline.engine.canonical import DAY_MS, HOUR_MS, MIN_SAMPLES, MINUTE_MS, span_ms, unparse
from fraudline.engine.tree import (
    FUNCTIONS,
    NEVER_CURRENT,
    SCALAR_TWINS,
    WINDOWS,
    WITHOUT_VALUE,
    And,
    Arithmetic,
    Call,
    Compare,
    Current,
    Feature,
    Field,
    Literal,
    Member,
    Negative,
    Node,
    Not,
    Or,
    Special,
    Type,
    Window,
)

__all__ = ["NAME", "NOT_YET", "Scope", "Trees", "analyse", "parse", "scope_of", "trees", "unparse"]

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # what fields, lists, tables, features and rules may be called
NOT_YET = frozenset({"median", "similarity", "first_digit"})
SPECIALS: dict[str, tuple[Type, tuple[str, ...]]] = {  # name -> type, contexts it may stand in
    "probability": (Type.NUMBER, ("rule", "feature", "score", "alert")),
    "points": (Type.NUMBER, ("score",)),
    "score": (Type.NUMBER, ("alert",)),
    "level": (Type.TEXT, ("alert",)),
    "outcome": (Type.TEXT, ("alert",)),
}
KNOWN_VALUES = {"level": LEVELS, "outcome": OUTCOMES}
LARGEST = Decimal(10) ** 12  # numbers in a rule stay below; int64 minor units then never overflow
MAX_GROWN = 2_000  # nodes of an expression, the bodies of its features written out
MAX_FEATURE_DEPTH = 20
LONGEST_MS = 3660 * DAY_MS

_NUMERIC = frozenset({Type.NUMBER, Type.MONEY})
_DURATIONS = {"days": DAY_MS, "hours": HOUR_MS, "minutes": MINUTE_MS}
_NUMBER = re.compile(r"(?!0[0-9_])[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*")
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Attribute: ("a dot after a name is not allowed", "write the field's name alone"),
    ast.Subscript: ("square brackets after a name are not allowed", ""),
    ast.Lambda: ("lambda is not allowed", ""),
    ast.IfExp: ("'if ... else' is not allowed", "write the condition with and/or"),
    ast.Dict: ("braces are not allowed here", "put the values under tables: and use lookup(table, key)"),
    ast.Set: ("a list of values stands only after 'in'", ""),
    ast.List: ("a list of values stands only after 'in'", ""),
    ast.Tuple: ("a list of values stands only after 'in'", "join conditions with and/or"),
    ast.ListComp: ("'for' is not allowed", "count(...), sum(...) look at many transactions"),
    ast.SetComp: ("'for' is not allowed", "count(...), sum(...) look at many transactions"),
    ast.DictComp: ("'for' is not allowed", "count(...), sum(...) look at many transactions"),
    ast.GeneratorExp: ("'for' is not allowed", "count(...), sum(...) look at many transactions"),
    ast.JoinedStr: ("f-strings are not allowed", "write a plain text"),
    ast.NamedExpr: ("':=' is not allowed", "write '==' to compare"),
    ast.Starred: ("'*' before a name is not allowed", ""),
    ast.Await: ("await is not allowed", ""),
    ast.Yield: ("yield is not allowed", ""),
    ast.YieldFrom: ("yield is not allowed", ""),
}
_REFUSED_OPERATORS = {
    ast.Pow: "**",
    ast.Mod: "%",
    ast.FloorDiv: "//",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_OPERATOR_HINTS = {"&": "write 'and'", "|": "write 'or'"}
_WORDS = {"true": "write True", "false": "write False", "null": "use is_missing(x)", "none": "use is_missing(x)"}

# Scalar functions whose arguments have one type each: (types of each argument, result).
_PLAIN: dict[str, tuple[tuple[frozenset[Type], ...], Type]] = {
    "hour": ((), Type.NUMBER),
    "weekday": ((), Type.NUMBER),
    "day_of_month": ((), Type.NUMBER),
    "is_weekend": ((), Type.BOOLEAN),
    "is_night": ((), Type.BOOLEAN),
    "since": ((frozenset({Type.TIME}),), Type.DURATION),
    "lower": ((frozenset({Type.TEXT}),), Type.TEXT),
    "length": ((frozenset({Type.TEXT}),), Type.NUMBER),
    "email_domain": ((frozenset({Type.TEXT}),), Type.TEXT),
    "round": ((frozenset({Type.NUMBER}),), Type.NUMBER),
    "log10": ((_NUMERIC,), Type.NUMBER),
    "is_missing": ((frozenset(Type),), Type.BOOLEAN),
    "distance_km": ((frozenset({Type.NUMBER}),) * 4, Type.NUMBER),
}
_NOT_RE2 = re.compile(r"\(\?<?[=!]|\(\?>|\(\?\(|\(\?P=|\\[1-9]|\\[gk]|[*+?}]\+")
_EVERY_WINDOW = frozenset({"by", "of", "last", "where"})
_WINDOW_ARGUMENTS: dict[str, frozenset[str]] = {
    **{name: _EVERY_WINDOW | {"this", "prior"} for name in ("count", "sum", "avg", "min", "max", "distinct")},
    "stddev": _EVERY_WINDOW | {"this", "prior", "min_samples"},
    "zscore": _EVERY_WINDOW | {"this", "min_samples"},
    "is_new": _EVERY_WINDOW | {"this", "first"},
    **dict.fromkeys(("previous", "since_last", "since_first", "distance_km", "speed_kmh"), _EVERY_WINDOW),
}
_SUMMED = frozenset({"sum", "avg", "stddev", "zscore"})


@dataclass(frozen=True)
class Scope:
    """The names an expression may use. `decimals` holds the numbers that declare theirs; `broken` features that are
    known but have faults of their own; `context` is "rule", "feature", "where", "score" or "alert"."""

    kinds: Mapping[str, Kind]
    decimals: Mapping[str, int] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    features: Mapping[str, Node] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    currency_decimals: int = 2
    context: str = "rule"

    def within(self, context: str) -> Scope:
        """The same names in another place."""
        return replace(self, context=context)


def parse(text: str, scope: Scope, wants: Type | None = None) -> tuple[Node | None, list[Problem]]:
    """The typed tree of an expression, or None and everything that is wrong with it. Evaluates nothing.

    >>> node, problems = parse("amount > 10_000", Scope(kinds={"amount": "money"}))
    >>> unparse(node), problems
    ('amount > 10000', [])
    """
    source, tree = syntax.read(text)
    if isinstance(tree, Problem):
        return None, [tree]
    builder = _Builder(source, scope)
    node = builder.build(tree)
    if node is not None and wants is not None and node.type is not wants:
        builder.fault(node.span, *_unwanted(node, wants))
    return (None if builder.problems else node), builder.problems


def alike(name: str, names: Iterable[str]) -> str:
    """ "did you mean 'account'?", or nothing where no name is like this one.

    >>> alike("acount", ["account", "amount"])
    "did you mean 'account'?"
    """
    found = difflib.get_close_matches(name.lower()[:64], sorted(set(names)), n=1, cutoff=0.6)
    return f"did you mean '{found[0]}'?" if found else ""


def _unwanted(node: Node, wants: Type) -> tuple[str, str]:
    if wants is not Type.BOOLEAN:
        return f"this is {_a(node.type)}, but {_a(wants)} is needed", ""
    return _no_condition(node)


def _no_condition(node: Node) -> tuple[str, str]:
    text = _cut(unparse(node))
    hints = {
        Type.TEXT: f'compare it, for example {text} == "..."',
        Type.DURATION: f"compare it, for example {text} > days(1)",
        Type.TIME: f"compare it, for example since({text}) < days(7)",
    }
    return f"{_a(node.type)} is no condition", hints.get(node.type, f"compare it, for example {text} > 3")


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _a(type_: Type) -> str:
    return {Type.MONEY: "money", Type.TEXT: "text"}.get(type_, f"a {type_.value}")


class _Builder:
    """Turns Python's syntax tree into ours, collecting every fault. A method that finds one returns None."""

    def __init__(self, source: syntax.Source, scope: Scope) -> None:
        self.source = source
        self.scope = scope
        self.problems: list[Problem] = []

    def fault(self, at: ast.AST | tuple[int, int], message: str, suggestion: str = "") -> None:
        """Note what is wrong here."""
        span = at if isinstance(at, tuple) else self.source.span(at)
        self.problems.append(self.source.problem(message, span, suggestion))

    def build(self, node: ast.expr) -> Node | None:
        """Our node for this piece."""
        match node:
            case ast.BoolOp():
                return self._logic(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.Call():
                return self._call(node)
            case ast.Name():
                return self._name(node)
            case ast.Constant():
                return self._constant(node)
        habit = syntax.habit_problem(self.source) if isinstance(node, ast.Tuple) else None
        if habit is not None:
            self.problems.append(habit)
            return None
        message, hint = _REFUSED.get(type(node), ("this is not allowed", ""))
        self.fault(node, message, hint)
        return None

    # -- logic ---------------------------------------------------------------------------------------------------

    def condition(self, node: ast.expr) -> Node | None:
        """Our node for a piece that must be true or false."""
        built = self.build(node)
        if built is not None and built.type is not Type.BOOLEAN:
            self.fault(built.span, *_no_condition(built))
            return None
        return built

    def _logic(self, node: ast.BoolOp) -> Node | None:
        operands = [self.condition(value) for value in node.values]
        whole = tuple(operand for operand in operands if operand is not None)
        if len(whole) < len(operands):
            return None
        kind = And if isinstance(node.op, ast.And) else Or
        return kind(type=Type.BOOLEAN, span=self.source.span(node), operands=whole)

    def _unary(self, node: ast.UnaryOp) -> Node | None:
        span = self.source.span(node)
        if isinstance(node.op, ast.Not):
            condition = self.condition(node.operand)
            return Not(type=Type.BOOLEAN, span=span, operand=condition) if condition else None
        if not isinstance(node.op, ast.USub):
            self.fault(node, f"'{self.source.text[span[0]]}' before a value is not allowed", "leave it out")
            return None
        operand = self.build(node.operand)
        if operand is None:
            return None
        if operand.type not in _NUMERIC | {Type.DURATION}:
            self.fault(node, f"{_a(operand.type)} has no negative")
            return None
        if isinstance(operand, Literal) and not isinstance(operand.value, str | bool):
            value = -operand.value if operand.value else operand.value
            return Literal(type=operand.type, span=span, value=value)
        return Negative(type=operand.type, span=span, operand=operand)

    # -- comparisons -----------------------------------------------------------------------------------------------

    def _comparison(self, node: ast.Compare) -> Node | None:
        sides = [node.left, *node.comparators]
        parts: list[Node | None] = []
        left: Node | None = self.build(node.left)
        for op, after, before in zip(node.ops, node.comparators, sides, strict=False):
            if isinstance(op, ast.In | ast.NotIn):
                parts.append(self._member(before, left, after, isinstance(op, ast.NotIn)))
                left = None
                if after is not sides[-1]:
                    self.fault(after, "a comparison cannot go on after 'in'", "join two conditions with and")
                    return None
                continue
            right = self._compared(op, after)
            parts.append(self._compare(op, left, right) if left and right else None)
            left = right
        whole = tuple(part for part in parts if part is not None)
        if len(whole) < len(parts):
            return None
        return whole[0] if len(whole) == 1 else And(type=Type.BOOLEAN, span=self.source.span(node), operands=whole)

    def _compared(self, op: ast.cmpop, node: ast.expr) -> Node | None:
        if type(op) not in _COMPARISONS:
            hint = "use is_missing(x)" if isinstance(node, ast.Constant) and node.value is None else "write == or !="
            self.fault(node, "'is' is not allowed", hint)
            return None
        return self.build(node)

    def _compare(self, op: ast.cmpop, left: Node, right: Node) -> Node | None:
        sign = _COMPARISONS[type(op)]
        span = (left.span[0], right.span[1])
        left, right = self._like(left, right), self._like(right, left)
        if not self._comparable(sign, left, right, span):
            return None
        return Compare(type=Type.BOOLEAN, span=span, op=sign, left=left, right=right)

    def _like(self, node: Node, other: Node) -> Node:
        """A number written next to money is money, in major units."""
        if other.type is Type.MONEY and isinstance(node, Literal) and node.type is Type.NUMBER:
            return self._money(node)
        return node

    def _money(self, node: Literal) -> Node:
        value = Decimal(node.value)
        decimals = self.scope.currency_decimals
        if value != round(value, decimals):
            allowed = f"{decimals} decimals" if decimals != 1 else "1 decimal"
            self.fault(node.span, f"the currency has {allowed}, this amount has more", "round it")
        return Literal(type=Type.MONEY, span=node.span, value=value)

    def _comparable(self, sign: str, left: Node, right: Node, span: tuple[int, int]) -> bool:
        types = {left.type, right.type}
        ordered = sign not in ("==", "!=")
        if types <= _NUMERIC or (len(types) == 1 and types <= {Type.TIME, Type.DURATION}):
            return True
        if types == {Type.TEXT}:
            return self._texts_comparable(ordered, left, right, span)
        if types == {Type.BOOLEAN} and not ordered:
            return True
        self.fault(*_mismatch(left, right, span))
        return False

    def _texts_comparable(self, ordered: bool, left: Node, right: Node, span: tuple[int, int]) -> bool:
        known = next((side.name for side in (left, right) if isinstance(side, Special)), "")
        if ordered:
            hint = f'for example {known} in ("{KNOWN_VALUES[known][1]}", "{KNOWN_VALUES[known][2]}")' if known else ""
            self.fault(span, "texts are compared by == and != only", hint)
            return False
        if isinstance(left, Literal) and isinstance(right, Literal):
            self.fault(span, "two constants are compared", "compare a field with a constant")
            return False
        for side in (left, right):
            if isinstance(side, Literal) and isinstance(side.value, str):
                if known and not self._known(known, side.value, side.span):
                    return False
                if not side.value:
                    self.fault(side.span, "a text is never empty, it is missing", "use is_missing(x)")
                    return False
        return True

    def _known(self, name: str, value: str, span: tuple[int, int]) -> bool:
        if value in KNOWN_VALUES[name]:
            return True
        hint = alike(value, KNOWN_VALUES[name]) or f"{name} is one of {', '.join(KNOWN_VALUES[name])}"
        self.fault(span, f"{name} is never '{_cut(value)}'", hint)
        return False

    # -- membership ------------------------------------------------------------------------------------------------

    def _member(self, item: ast.expr, built: Node | None, values: ast.expr, negated: bool) -> Node | None:
        listed = self._values(values)
        if built is None or listed is None:
            return None
        source, found = listed
        if isinstance(built, Literal):
            self.fault(item, "a constant is looked for", "write the field first: country in (...)")
            return None
        if built.type not in _NUMERIC | {Type.TEXT}:
            self.fault(item, f"'in' looks for text, numbers and money, and this is {_a(built.type)}")
            return None
        typed = self._typed_values(built, values, source, found)
        if typed is None:
            return None
        span = (built.span[0], self.source.span(values)[1])
        return Member(type=Type.BOOLEAN, span=span, item=built, values=typed, source=source, negated=negated)

    def _values(self, node: ast.expr) -> tuple[str | None, tuple[Decimal | str, ...]] | None:
        """The name and the values of a list: one of the ruleset's, or constants in parentheses."""
        if isinstance(node, ast.Name) and node.id in self.scope.lists:
            return node.id, self.scope.lists[node.id]
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return self._constants(node)
        if isinstance(node, ast.Name):
            known = node.id in self.scope.kinds or node.id in self.scope.features or node.id in self.scope.tables
            message = f"'{node.id}' is no list" if known else f"unknown list '{self.source.piece(node)}'"
            self.fault(node, message, alike(node.id, self.scope.lists) or "declare it under lists:")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            piece = self.source.piece(node)
            self.fault(node, "a single text is no list", f"write == {piece}, or ({piece},)")
        else:
            self.fault(node, "'in' needs the name of a list, or constants in parentheses")
        return None

    def _constants(self, node: ast.Tuple | ast.List | ast.Set) -> tuple[None, tuple[Decimal | str, ...]] | None:
        found: list[Decimal | str] = []
        before = len(self.problems)
        for element in node.elts:
            built = self.build(element) if isinstance(element, ast.Constant | ast.UnaryOp) else None
            if isinstance(built, Literal) and isinstance(built.value, Decimal | str):
                found.append(built.value)
            elif len(self.problems) == before:
                self.fault(element, "a list holds constants only: texts or numbers")
        if not node.elts:
            self.fault(node, "an empty list holds nothing")
        return (None, tuple(found)) if len(self.problems) == before else None

    def _typed_values(
        self, item: Node, node: ast.expr, source: str | None, values: tuple[Decimal | str, ...]
    ) -> tuple[Decimal | str, ...] | None:
        """The values in the item's own type. A named list holds text as written, which may be numbers."""
        if item.type is Type.TEXT:
            odd = next((value for value in values if not isinstance(value, str)), None)
            if odd is not None:
                self.fault(node, "this list holds numbers, and text is looked for", f'write "{odd}" in quotes')
                return None
            known = item.name if isinstance(item, Special) else None
            span = self.source.span(node)
            return values if known is None or all(self._known(known, str(v), span) for v in values) else None
        numbers: list[Decimal | str] = []
        for value in values:
            exact = value if isinstance(value, Decimal) else _decimal(value) if source else None
            if exact is None:
                self.fault(node, f"this list holds text ('{_cut(str(value))}'), and {_a(item.type)} is looked for")
                return None
            if item.type is Type.MONEY and exact != round(exact, self.scope.currency_decimals):
                self.fault(node, f"the currency has {self.scope.currency_decimals} decimals, {exact} has more")
                return None
            numbers.append(exact)
        return tuple(numbers)

    # -- arithmetic ------------------------------------------------------------------------------------------------

    def _arithmetic(self, node: ast.BinOp) -> Node | None:
        sign = _OPERATORS.get(type(node.op))
        if sign is None:
            written = _REFUSED_OPERATORS.get(type(node.op), "this")
            self.fault(node, f"'{written}' is not allowed", _OPERATOR_HINTS.get(written, "use + - * /"))
            return None
        left, right = self.build(node.left), self.build(node.right)
        if left is None or right is None:
            return None
        if sign in "+-":
            left, right = self._like(left, right), self._like(right, left)
        result = _result(sign, left, right)
        if not isinstance(result, Type):
            self.fault(node, result, _arithmetic_hint(left, right))
            return None
        return Arithmetic(type=result, span=self.source.span(node), op=sign, left=left, right=right)

    # -- names and constants ----------------------------------------------------------------------------------------

    def _name(self, node: ast.Name) -> Node | None:
        name, scope = node.id, self.scope
        span = self.source.span(node)
        if self.source.piece(node) != name:
            self.fault(node, f"unknown field '{_cut(self.source.piece(node))}'", alike(name, self._readable()))
        elif name in scope.features or name in scope.broken:
            return self._feature(node)
        elif name in scope.kinds:
            return Field(type=Type(scope.kinds[name]), span=span, name=name)
        elif name in SPECIALS:
            type_, contexts = SPECIALS[name]
            if scope.context in contexts:
                return Special(type=type_, span=span, name=name)
            self.fault(node, *_misplaced(name))
        else:
            self.fault(node, *self._unknown(name))
        return None

    def _feature(self, node: ast.Name) -> Node | None:
        if self.scope.context == "where":
            self.fault(node, "a named feature cannot stand inside where=", "only fields, current(x) and lists can")
            return None
        body = self.scope.features.get(node.id)
        if body is None:
            return None  # its own faults are reported where it is written
        return Feature(type=body.type, span=self.source.span(node), name=node.id, body=body)

    def _unknown(self, name: str) -> tuple[str, str]:
        if name in self.scope.lists:
            return f"'{name}' is a list", f"write: field in {name}"
        if name in self.scope.tables:
            return f"'{name}' is a table", f"write: lookup({name}, field)"
        if name in FUNCTIONS or name in WINDOWS or name == "current":
            return f"'{name}' is a function", f"write: {name}(...)"
        hint = _WORDS.get(name.lower()) or alike(name, self._readable())
        return f"unknown field '{_cut(name)}'", hint or "columns of your own are declared under attributes:"

    def _readable(self) -> set[str]:
        specials = {name for name, (_, contexts) in SPECIALS.items() if self.scope.context in contexts}
        return {*self.scope.kinds, *self.scope.features, *specials}

    def _constant(self, node: ast.Constant) -> Node | None:
        value, span = node.value, self.source.span(node)
        if isinstance(value, bool):
            return Literal(type=Type.BOOLEAN, span=span, value=value)
        if isinstance(value, int | float | complex):
            return self._number(node)
        if isinstance(value, str):
            return self._text(node, value)
        if value is None:
            self.fault(node, "None is not allowed", "use is_missing(x)")
        else:
            self.fault(node, "this constant is not allowed", "write a text in plain quotes")
        return None

    def _number(self, node: ast.Constant) -> Node | None:
        written = self.source.piece(node)
        if not _NUMBER.fullmatch(written):
            self.fault(node, f"'{_cut(written)}' is no plain number", "write it with digits and one decimal point")
            return None
        exact = Decimal(written.replace("_", ""))
        if exact >= LARGEST or -int(exact.as_tuple().exponent) > 9:
            self.fault(node, "numbers stay below 1,000,000,000,000 and have at most 9 decimals")
            return None
        return Literal(type=Type.NUMBER, span=self.source.span(node), value=exact)

    def _text(self, node: ast.Constant, value: str) -> Node | None:
        if len(value) > syntax.MAX_TEXT:
            self.fault(node, f"a text constant has at most {syntax.MAX_TEXT} characters")
            return None
        odd = next((letter for letter in value if ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF), None)
        if odd is not None:
            hint = 'in patterns write r"\\b" or "\\\\b"' if odd == "\b" else ""
            self.fault(node, f"the character U+{ord(odd):04X} is not allowed in a text", hint)
            return None
        return Literal(type=Type.TEXT, span=self.source.span(node), value=value)

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Node | None:
        if not isinstance(node.func, ast.Name):
            self.fault(node.func, "only the functions of the language can be called")
            return None
        name = node.func.id
        if any(isinstance(argument, ast.Starred) for argument in node.args) or any(
            k.arg is None for k in node.keywords
        ):
            self.fault(node, "'*' before an argument is not allowed")
            return None
        if self.source.piece(node.func) != name or name not in FUNCTIONS.keys() | WINDOWS.keys() | {"current"}:
            self.fault(node.func, *_unknown_function(self.source.piece(node.func), name))
            return None
        if name in WINDOWS and (name not in SCALAR_TWINS or node.keywords):
            return self._window(name, node)
        if node.keywords:
            keyword = node.keywords[0]
            self.fault(keyword, f"{name}() has no argument '{keyword.arg}'")
            return None
        return self._current(node) if name == "current" else self._scalar(name, node)

    def _current(self, node: ast.Call) -> Node | None:
        if self.scope.context != "where":
            self.fault(
                node, "current(x) stands only inside where=", "outside, the field's name alone is this one's value"
            )
            return None
        if len(node.args) != 1 or not isinstance(node.args[0], ast.Name):
            self.fault(node, "current() takes one field", "for example current(merchant)")
            return None
        built = self._name(node.args[0])
        if not isinstance(built, Field):
            return None
        return Current(type=built.type, span=self.source.span(node), name=built.name)

    def _scalar(self, name: str, node: ast.Call) -> Node | None:
        if name in _PLAIN:
            return self._plain(name, node)
        if name in _DURATIONS:
            return self._duration(name, node)
        if name in ("min", "max", "coalesce"):
            return self._same(name, node)
        special = {
            "abs": self._abs,
            "has_word": self._searched,
            "contains_any": self._searched,
            "starts_with": self._searched,
            "matches": self._matches,
            "is_round": self._is_round,
            "lookup": self._lookup,
        }
        return special[name](name, node)

    def _arguments(self, name: str, node: ast.Call, wanted: int) -> list[Node] | None:
        """The built arguments, where they are as many as wanted and none has a fault."""
        built = [self.build(argument) for argument in node.args]
        if len(built) != wanted:
            self._miscounted(name, node, wanted)
            return None
        whole = [argument for argument in built if argument is not None]
        return whole if len(whole) == wanted else None

    def _miscounted(self, name: str, node: ast.Call, wanted: int) -> None:
        many = "no argument" if not wanted else "1 argument" if wanted == 1 else f"{wanted} arguments"
        self.fault(node, f"{name}() takes {many}, not {len(node.args)}", f"{name}{FUNCTIONS[name]}")

    def _typed(self, name: str, node: Node, allowed: Iterable[Type]) -> bool:
        if node.type in allowed:
            if not isinstance(node, Literal) or node.type is not Type.TEXT or name == "coalesce":
                return True
            self.fault(node.span, f"{name}() of a constant", "write the name of a field, without quotes")
            return False
        wanted = " or ".join(_a(type_) for type_ in Type if type_ in allowed)
        self.fault(node.span, f"{name}() takes {wanted}, and this is {_a(node.type)}")
        return False

    def _plain(self, name: str, node: ast.Call) -> Node | None:
        wanted, result = _PLAIN[name]
        arguments = self._arguments(name, node, len(wanted))
        typed = [self._typed(name, a, w) for a, w in zip(arguments or (), wanted, strict=False)]
        if arguments is None or not all(typed):
            return None
        return Call(type=result, span=self.source.span(node), function=name, arguments=tuple(arguments))

    def _abs(self, name: str, node: ast.Call) -> Node | None:
        arguments = self._arguments(name, node, 1)
        if arguments is None or not self._typed(name, arguments[0], _NUMERIC | {Type.DURATION}):
            return None
        return Call(type=arguments[0].type, span=self.source.span(node), function=name, arguments=tuple(arguments))

    def _duration(self, name: str, node: ast.Call) -> Node | None:
        arguments = self._arguments(name, node, 1)
        if arguments is None:
            return None
        value = arguments[0].value if isinstance(arguments[0], Literal) else None
        if not isinstance(value, Decimal):
            self.fault(arguments[0].span, f"{name}() takes a plain number", f"for example {name}(7)")
            return None
        milliseconds = value * _DURATIONS[name]
        if milliseconds != int(milliseconds) or abs(milliseconds) > 10 * LONGEST_MS:
            self.fault(arguments[0].span, "a duration is a whole number of milliseconds, at most 100 years")
            return None
        return Literal(type=Type.DURATION, span=self.source.span(node), value=int(milliseconds))

    def _same(self, name: str, node: ast.Call) -> Node | None:
        """min, max, coalesce: two or more arguments of one type, which is the result's."""
        if len(node.args) < 2:
            hint = f"or name a window's key: {name}(amount, by=account)" if name in WINDOWS else ""
            self.fault(node, f"{name}() takes two or more values", hint)
            return None
        built = [self.build(argument) for argument in node.args]
        whole = [argument for argument in built if argument is not None]
        if len(whole) < len(built):
            return None
        money = next((argument for argument in whole if argument.type is Type.MONEY), None)
        whole = [self._like(argument, money) for argument in whole] if money else whole
        allowed = _NUMERIC | {Type.DURATION, Type.TIME} if name in WINDOWS else frozenset(Type)
        typed = [self._typed(name, argument, allowed) for argument in whole]
        if not all(typed):
            return None
        odd = next((argument for argument in whole if argument.type is not whole[0].type), None)
        if odd is not None:
            self.fault(odd.span, f"{name}() takes values of one type, not {_a(whole[0].type)} and {_a(odd.type)}")
            return None
        below = [type(inner) for argument in whole for inner in argument.walk()]
        if whole[0].type is Type.TEXT and Current in below and Field in below:
            self.fault(node, f"{name}() takes texts of the row or of this transaction, not of both")
            return None
        return Call(type=whole[0].type, span=self.source.span(node), function=name, arguments=tuple(whole))

    def _searched(self, name: str, node: ast.Call) -> Node | None:
        if len(node.args) != 2:
            self._miscounted(name, node, 2)
            return None
        text, sought = self.build(node.args[0]), node.args[1]
        typed = text is not None and self._typed(name, text, {Type.TEXT})
        listed = self._sought(sought)
        if listed is None or text is None or not typed:
            return None
        source, values = listed
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) < len(values) or not all(texts):
            self.fault(sought, f"{name}() looks for texts that are not empty")
            return None
        span = self.source.span(node)
        return Call(type=Type.BOOLEAN, span=span, function=name, arguments=(text,), values=texts, source=source)

    def _sought(self, node: ast.expr) -> tuple[str | None, tuple[Decimal | str, ...]] | None:
        """A list as after 'in', or a single text."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return (None, (node.value,)) if self._text(node, node.value) is not None else None
        return self._values(node)

    def _matches(self, name: str, node: ast.Call) -> Node | None:
        arguments = self._arguments(name, node, 2)
        if arguments is None or not self._typed(name, arguments[0], {Type.TEXT}):
            return None
        pattern = arguments[1].value if isinstance(arguments[1], Literal) else None
        if not isinstance(pattern, str):
            self.fault(arguments[1].span, "matches() takes its pattern as a text constant")
            return None
        refused = _refused_pattern(pattern)
        if refused:
            hint = (
                "" if not _NOT_RE2.search(pattern) else "regular expressions are RE2: no lookahead, no back references"
            )
            self.fault(arguments[1].span, f"not a pattern that RE2 accepts: {_cut(refused)}", hint)
            return None
        return Call(type=Type.BOOLEAN, span=self.source.span(node), function=name, arguments=tuple(arguments))

    def _is_round(self, name: str, node: ast.Call) -> Node | None:
        arguments = self._arguments(name, node, 2)
        if arguments is None or not self._typed(name, arguments[0], _NUMERIC):
            return None
        unit = arguments[1]
        if not isinstance(unit, Literal) or not isinstance(unit.value, Decimal) or unit.value <= 0:
            self.fault(unit.span, "is_round() takes a number above 0", "for example is_round(amount, 100)")
            return None
        whole = (arguments[0], self._like(unit, arguments[0]))
        return Call(type=Type.BOOLEAN, span=self.source.span(node), function=name, arguments=whole)

    def _lookup(self, name: str, node: ast.Call) -> Node | None:
        if len(node.args) != 2:
            self._miscounted(name, node, 2)
            return None
        table, key = node.args[0], self.build(node.args[1])
        typed = key is not None and self._typed(name, key, {Type.TEXT})
        if not isinstance(table, ast.Name) or table.id not in self.scope.tables:
            hint = alike(table.id, self.scope.tables) if isinstance(table, ast.Name) else ""
            piece = _cut(self.source.piece(table))
            self.fault(table, f"unknown table '{piece}'", hint or "declare it under tables:")
            return None
        if key is None or not typed:
            return None
        span = self.source.span(node)
        return Call(type=Type.NUMBER, span=span, function=name, arguments=(key,), table=table.id)

    # -- windows ---------------------------------------------------------------------------------------------------

    def _window(self, name: str, node: ast.Call) -> Node | None:
        if self.scope.context == "where":
            self.fault(node, f"{name}(...) cannot stand inside where=", "only fields, current(x) and lists can")
            return None
        before = len(self.problems)
        given = self._keywords(name, node)
        value = self._window_value(name, node)
        by, of = self._key(name, node, given)
        last, this = self._length(given)
        window = Window(
            type=self._window_type(name, value),
            span=self.source.span(node),
            function=name,
            value=value,
            by=by,
            of=of,
            last_ms=last,
            this=this,
            where=self._where(given.get("where")),
            prior=self._switch(given.get("prior"), "prior"),
            min_samples=self._min_samples(name, given.get("min_samples")),
            first=self._switch(given.get("first"), "first"),
        )
        return window if len(self.problems) == before else None

    def _keywords(self, name: str, node: ast.Call) -> dict[str, ast.expr]:
        given: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            argument = str(keyword.arg)
            start = self.source.span(keyword)[0]
            span = (start, min(start + len(argument), self.source.span(keyword.value)[0]))  # a ligature has two letters
            if argument not in _WINDOW_ARGUMENTS[name]:
                hint = alike(argument, _WINDOW_ARGUMENTS[name])
                if argument == "prior" and name in NEVER_CURRENT:
                    hint = f"leave it out: {name} never counts the transaction itself"
                self.fault(span, f"{name}() has no argument '{_cut(argument)}'", hint)
            else:
                given[argument] = keyword.value
        return given

    def _window_value(self, name: str, node: ast.Call) -> str | None:
        if name in WITHOUT_VALUE:
            if node.args:
                hint = f"write {name}(by={_cut(self.source.piece(node.args[0]))})"
                self.fault(node.args[0], f"{name}() as a window looks at no field", hint)
            return None
        if len(node.args) != 1:
            self.fault(node, f"{name}() looks at one field", f"for example {name}(amount, by=account)")
            return None
        value = node.args[0]
        if not isinstance(value, ast.Name):
            self.fault(value, f"{name}() looks at a field, not at an expression", "give where= what to filter by")
            return None
        kind = self._kind(value)
        return value.id if kind and self._window_takes(name, value, kind) else None

    def _kind(self, node: ast.Name) -> Kind | None:
        name = node.id
        if self.source.piece(node) == name and name in self.scope.kinds:
            return self.scope.kinds[name]
        if name in self.scope.features or name in self.scope.broken:
            self.fault(node, f"'{name}' is a named feature, and a window looks at fields")
        elif name in self.scope.lists or name in self.scope.tables or name in SPECIALS:
            self.fault(node, f"'{name}' is no field")
        else:
            self.fault(node, f"unknown field '{_cut(self.source.piece(node))}'", alike(name, self.scope.kinds))
        return None

    def _window_takes(self, name: str, node: ast.Name, kind: Kind) -> bool:
        if name in _SUMMED:
            if kind == "number" and node.id not in self.scope.decimals:
                hint = f"declare decimals: {node.id}: {{type: number, decimals: 2}}"
                self.fault(node, f"{name}() is exact, and '{node.id}' does not say how many decimals it has", hint)
                return False
            allowed = {"money", "number"}
        else:
            allowed = {"number", "money", "time"} if name in ("min", "max") else {"text", "number", "money"}
        if kind in allowed:
            return True
        self.fault(node, f"{name}() takes {' or '.join(sorted(allowed))}, and '{node.id}' is {_a(Type(kind))}")
        return False

    def _window_type(self, name: str, value: str | None) -> Type:
        if name in ("sum", "min", "max", "previous"):
            return Type(self.scope.kinds.get(value or "", "number"))
        if name == "is_new":
            return Type.BOOLEAN
        return Type.DURATION if name in ("since_last", "since_first") else Type.NUMBER

    def _key(self, name: str, node: ast.Call, given: dict[str, ast.expr]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if "by" not in given:
            if not any(keyword.arg == "by" for keyword in node.keywords):
                self.fault(node, "a window with no key", f"say whose history: {name}(..., by=account)")
            return (), ()
        by = self._key_fields(given["by"], "by", amount=True)
        of = self._key_fields(given["of"], "of", amount=False) if "of" in given else ()
        if by and of and len(by) != len(of):
            self.fault(given["of"], f"of= names {len(of)} fields and by= names {len(by)}", "name as many")
        return by, of

    def _key_fields(self, node: ast.expr, argument: str, amount: bool) -> tuple[str, ...]:
        names: list[str] = []
        for element in node.elts if isinstance(node, ast.Tuple | ast.List) else [node]:
            if not isinstance(element, ast.Name):
                text = element.value if isinstance(element, ast.Constant) and isinstance(element.value, str) else ""
                hint = f"write {argument}={text}" if text in self.scope.kinds else f"for example {argument}=account"
                self.fault(element, f"{argument}= takes names of fields", hint)
                continue
            kind = self._kind(element)
            if kind and kind != "text" and not (amount and element.id == "amount"):
                self.fault(element, f"{argument}= takes text fields, and '{element.id}' is {_a(Type(kind))}")
            elif kind and element.id in names:
                self.fault(element, f"'{element.id}' stands twice in {argument}=")
            elif kind:
                names.append(element.id)
        if isinstance(node, ast.Tuple | ast.List) and not node.elts:
            self.fault(node, f"{argument}= names no field", f"for example {argument}=account")
        return tuple(names)

    def _length(self, given: dict[str, ast.expr]) -> tuple[int | None, str | None]:
        last, this = given.get("last"), given.get("this")
        if last is not None and this is not None:
            self.fault(this, "a window has last= or this=, not both")
        return self._last(last) if last else None, self._this(this) if this else None

    def _last(self, node: ast.expr) -> int | None:
        length = span_ms(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
        if length is None:
            self.fault(node, "last= takes a length of time", 'for example "90s", "5m", "24h", "30d", "2w"')
            return None
        if length > LONGEST_MS:
            self.fault(node, "a window looks back ten years at most")
            return None
        return length

    def _this(self, node: ast.expr) -> str | None:
        value = node.value if isinstance(node, ast.Constant) else None
        if value not in ("day", "week", "month"):
            hint = alike(str(value), ("day", "week", "month")) or 'for example this="month"'
            self.fault(node, 'this= takes "day", "week" or "month"', hint)
            return None
        return str(value)

    def _where(self, node: ast.expr | None) -> Node | None:
        if node is None:
            return None
        outer, self.scope = self.scope, self.scope.within("where")
        try:
            return self.condition(node)
        finally:
            self.scope = outer

    def _switch(self, node: ast.expr | None, argument: str) -> bool:
        if node is None:
            return False
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return node.value
        self.fault(node, f"{argument}= takes True or False")
        return False

    def _min_samples(self, name: str, node: ast.expr | None) -> int | None:
        if node is None:
            return MIN_SAMPLES if "min_samples" in _WINDOW_ARGUMENTS[name] else None
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= 10_000:
            return value
        self.fault(node, "min_samples= takes a whole number from 2 to 10000")
        return None


def _refused_pattern(pattern: str) -> str:
    """RE2's complaint about a pattern (too large is one), or nothing."""
    try:
        words.expression(pattern)
    except re2.error as error:
        reason: object = error.args[0] if error.args else "no pattern"
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else f"{reason!s}"
    return ""


def _decimal(text: str | Decimal) -> Decimal | None:
    """The number that an entry of a named list is, if it is a plain one."""
    return Decimal(text) if isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", text) else None


def _unknown_function(written: str, name: str) -> tuple[str, str]:
    if name in NOT_YET:
        return f"{name}() is not there yet", ""
    names = FUNCTIONS.keys() | WINDOWS.keys() | {"current"}
    return f"unknown function '{_cut(written)}'", alike(name, names)


def _misplaced(name: str) -> tuple[str, str]:
    places = {"probability": "anywhere but inside where=", "points": "only in score:"}
    return f"'{name}' cannot stand here", f"it stands {places.get(name, 'only in alert:')}"


def _mismatch(left: Node, right: Node, span: tuple[int, int]) -> tuple[tuple[int, int], str, str]:
    """Where, what and what to do, for two sides that cannot be compared."""
    message = f"{_a(left.type)} cannot be compared with {_a(right.type)}"
    for literal, other in ((right, left), (left, right)):
        if not isinstance(literal, Literal):
            continue
        value = literal.value
        if other.type is Type.DURATION and literal.type is Type.NUMBER:
            return literal.span, message, f"write days({value}), hours({value}) or minutes({value})"
        if other.type is Type.TEXT and literal.type is Type.NUMBER:
            return literal.span, message, f'write "{value}" in quotes'
        if other.type in _NUMERIC and isinstance(value, str) and _decimal(value) is not None:
            return literal.span, message, f"write {value} without quotes"
        if other.type in _NUMERIC and isinstance(value, str):
            return literal.span, message, "write a number without quotes, or compare a text field"
        if other.type is Type.BOOLEAN and literal.type is not Type.BOOLEAN:
            return literal.span, message, f"write {_cut(unparse(other))} or not {_cut(unparse(other))} alone"
        if other.type is Type.TIME:
            return literal.span, message, "compare how long ago it is: since(x) < days(7)"
    if left.type is right.type is Type.BOOLEAN:
        return span, "conditions are compared by == and != only", ""
    if Type.DURATION in (left.type, right.type):
        return span, message, "a length of time is compared with one, as since_last(by=account) < hours(2)"
    return span, message, ""


def _result(sign: str, left: Node, right: Node) -> Type | str:
    """The type of `left sign right`, or why there is none."""
    types = {left.type, right.type}
    if types <= _NUMERIC:
        if sign == "*" and types == {Type.MONEY}:
            return "money cannot be multiplied by money"
        return Type.MONEY if sign in "+-" and types == {Type.MONEY} else Type.NUMBER
    if types == {Type.DURATION} and sign in "+-/":
        return Type.NUMBER if sign == "/" else Type.DURATION
    if types == {Type.DURATION, Type.NUMBER} and (sign == "*" or (sign == "/" and left.type is Type.DURATION)):
        return Type.DURATION
    if types == {Type.TIME} and sign == "-":
        return Type.DURATION
    return f"'{sign}' does not go with {_a(left.type)} and {_a(right.type)}"


def _arithmetic_hint(left: Node, right: Node) -> str:
    if Type.TIME in (left.type, right.type):
        return "for how long ago, write since(x)"
    if Type.DURATION in (left.type, right.type):
        return "write durations as days(7), hours(2), minutes(5)"
    text = next((side for side in (left, right) if side.type is Type.TEXT), None)
    if isinstance(text, Literal):
        return "write a number without quotes"
    if text is not None:
        name = _cut(unparse(text))
        return f"text has no value to reckon with: declare a number under attributes:, or use lookup(table, {name})"
    return ""


# -- a whole ruleset ---------------------------------------------------------------------------------------------------


@dataclass
class Trees:
    """Every expression of a ruleset as a tree: `rules` in the ruleset's order."""

    rules: tuple[Node, ...]
    features: dict[str, Node]
    score: Node
    alert: Node


def scope_of(ruleset: Ruleset) -> Scope:
    """The names that a ruleset's expressions may use, before its features are known."""
    kinds = {**FIELDS, **{spec.name: spec.kind for spec in ruleset.fields}}
    return Scope(
        kinds=kinds,
        decimals={spec.name: spec.decimals for spec in ruleset.fields if spec.decimals is not None},
        lists=ruleset.lists,
        tables=ruleset.tables,
        currency_decimals=DECIMALS.get(ruleset.currency, 2),
    )


def trees(ruleset: Ruleset) -> Trees:
    """Every expression of the ruleset, parsed.

    Raises RulesetError with all problems of all expressions.
    """
    found, problems = analyse(ruleset)
    if found is None:
        raise RulesetError(problems)
    return found


def analyse(ruleset: Ruleset) -> tuple[Trees | None, list[Problem]]:
    """Every expression of the ruleset, parsed, or None and all problems, each saying `where` it is."""
    problems: list[Problem] = []
    sizes: dict[str, tuple[int, int]] = {}

    def tree(text: str, scope: Scope, wants: Type | None, where: str, line: int = 0) -> Node | None:
        node, found = parse(text, scope, wants)
        if node is not None:
            sizes[where] = _grown(node, sizes)
            if sizes[where][0] > MAX_GROWN or sizes[where][1] > MAX_FEATURE_DEPTH:
                found = [Problem(message="this grows too large through the features it uses", text=text, end=len(text))]
        problems.extend(_placed(problem, where, line) for problem in found)
        return None if found else node

    plain = scope_of(ruleset)
    order, circles = _feature_order(ruleset.features)
    problems.extend(circles)
    features: dict[str, Node] = {}
    known = frozenset(ruleset.features)
    for name in order:
        scope = replace(plain, features=features, broken=known, context="feature")
        node = tree(ruleset.features[name], scope, None, f"feature {name}")
        if node is not None:
            features[name] = node
    scope = replace(plain, features=features, broken=known)
    rules = [tree(rule.when, scope, Type.BOOLEAN, f"rule {rule.id}", rule.line) for rule in ruleset.rules]
    score = tree(ruleset.score, scope.within("score"), Type.NUMBER, "score")
    alert = tree(ruleset.alert, scope.within("alert"), Type.BOOLEAN, "alert")
    whole = tuple(node for node in rules if node is not None)
    if problems or score is None or alert is None:
        return None, problems
    written = {name: features[name] for name in ruleset.features}
    return Trees(rules=whole, features=written, score=score, alert=alert), []


def _grown(root: Node, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """How many nodes a tree has, its features written out, and how deep features stand in features."""
    size, depth = 0, 0
    waiting = [root]
    while waiting:
        node = waiting.pop()
        size += 1
        if isinstance(node, Feature):
            inner = sizes[f"feature {node.name}"]
            size, depth = size + inner[0], max(depth, inner[1] + 1)
        else:
            waiting.extend(node.children())
    return size, depth


def _placed(problem: Problem, where: str, line: int) -> Problem:
    return Problem(
        message=problem.message,
        line=line,
        where=where,
        text=problem.text,
        start=problem.start,
        end=problem.end,
        suggestion=problem.suggestion,
    )


def _feature_order(features: Mapping[str, str]) -> tuple[list[str], list[Problem]]:
    """The features, each after those it uses; and one problem for every circle, whose features are left out."""
    uses = {name: _names_in(text) & features.keys() for name, text in features.items()}
    done: dict[str, None] = {}
    waiting = list(features)
    while waiting:
        ready = [name for name in waiting if uses[name] <= done.keys()]
        if not ready:
            break
        done.update(dict.fromkeys(ready))
        waiting = [name for name in waiting if name not in done]
    problems = []
    for circle in _circles({name: uses[name] for name in waiting}):
        path = " -> ".join([*circle, circle[0]])
        problems.append(Problem(message=f"features use each other in a circle: {path}", where=f"feature {circle[0]}"))
    return list(done), problems


def _names_in(text: str) -> set[str]:
    _, tree = syntax.read(text)
    if isinstance(tree, Problem):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _circles(uses: Mapping[str, set[str]]) -> list[list[str]]:
    """Each circle among these names once, beginning with its first name in order of writing."""
    circles: list[list[str]] = []
    seen: set[str] = set()
    for first in uses:
        path: list[str] = []
        name = first
        while name in uses and name not in seen:
            seen.add(name)
            path.append(name)
            name = next((used for used in sorted(uses[name]) if used in uses), "")
        if name in path:
            circles.append(path[path.index(name) :])
    return circles
