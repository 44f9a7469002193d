"""Interprets small Python programs that a model wrote, without giving them to Python.

The code is parsed into Python's syntax tree and evaluated here, for what a school problem needs: numbers, lists, loops,
functions and some of `math`. There is no attribute, import or built-in beyond the tables of `library.py`, and every
step costs by its size, so nothing can hang or fill the memory. Decimals are exact.

Own code, because asteval hands programs Python's own objects and forbids attributes by a list, which was broken before,
and simpleeval knows expressions only.
"""

from __future__ import annotations

import ast
import operator
from collections import ChainMap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.search.program.library import BUILT_INS, MATH, MATHS
from runtime.search.program.values import MAX_ITEMS, BuiltIn, Fault, Meter, kind, shown

MAX_CHARACTERS = 3000
MAX_DEPTH = 20
"""Calls within calls."""

Scope = ChainMap[str, Any]


def interpret(code: str) -> Any:
    """What solution() returns: a Fraction, bool, str, None, or a list or tuple of such. Raises Fault, naming the line.
    Any code ends soon and touches nothing. Safe to call from any thread."""
    if len(code) > MAX_CHARACTERS:
        raise Fault(f"it has more than {MAX_CHARACTERS} characters")
    machine = _Machine()
    try:
        return machine.run(ast.parse(code))
    except SyntaxError as error:
        raise Fault(f"line {error.lineno}: {error.msg}") from error
    except (RecursionError, MemoryError) as error:
        raise Fault(f"line {machine.line}: it is nested too deeply") from error
    except (Fault, ArithmeticError, LookupError, ValueError) as error:
        raise Fault(f"line {machine.line}: {error}") from error


class _Return(Fault):
    def __init__(self, value: Any) -> None:
        super().__init__("return outside a function")
        self.value = value


class _Break(Fault):
    pass


class _Continue(Fault):
    pass


@dataclass(frozen=True)
class _Function:
    """A function of the program, and the names that it sees."""

    node: ast.FunctionDef
    scope: Scope


class _Machine(Meter):
    """Evaluates one program."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.depth = 1, 0

    def run(self, tree: ast.Module) -> Any:
        scope: Scope = ChainMap({}, dict(BUILT_INS))
        for node in tree.body:
            # Anything else at the top level only shows or tests the function.
            if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.Assign | ast.AnnAssign):
                self.statement(node, scope)
        return self.call(_name("solution", scope), [], {})

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for node in body:
            self.statement(node, scope)

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        self.line = node.lineno
        self.spend(1)
        match node:
            case ast.Assign(targets, value):
                result = self.value(value, scope)
                for target in targets:
                    self.assign(target, result, scope)
            case ast.AnnAssign(target, _, ast.expr() as value):
                self.assign(target, self.value(value, scope), scope)
            case ast.AugAssign(target, sign, value):
                self.assign(target, self.binary(sign, self.value(target, scope), self.value(value, scope)), scope)
            case ast.Return(value):
                raise _Return(self.value(value, scope) if value else None)
            case ast.If(test, body, orelse):
                self.block(body if self.value(test, scope) else orelse, scope)
            case ast.For(target, iterable, body, orelse):
                self.loop(self.turns(target, iterable, scope), body, orelse, scope)
            case ast.While(test, body, orelse):
                self.loop(iter(lambda: bool(self.value(test, scope)), False), body, orelse, scope)
            case ast.FunctionDef(name=name, decorator_list=[]):
                scope[name] = _Function(node, scope)
            case ast.Import(names):
                for found in names:
                    scope[found.asname or found.name] = _module(found.name)
            case ast.ImportFrom(module, names):
                for found in names:
                    scope[found.asname or found.name] = _member(_module(module), found.name)
            case ast.Break():
                raise _Break("break outside a loop")
            case ast.Continue():
                raise _Continue("continue outside a loop")
            case ast.Expr(value):
                self.value(value, scope)
            case ast.Pass():
                pass
            case _:
                raise Fault(f"{type(node).__name__} is not allowed")

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        match target:
            case ast.Name(name):
                scope[name] = value
            case ast.Tuple(targets) | ast.List(targets):
                items = self.items(value)
                if len(items) != len(targets):
                    raise Fault("the names and the values are not equally many")
                for part, item in zip(targets, items, strict=True):
                    self.assign(part, item, scope)
            case ast.Subscript(listed, index) if isinstance(items := self.value(listed, scope), list):
                items[self.whole(self.value(index, scope))] = value
            case _:
                raise Fault(f"{type(target).__name__} cannot be given a value")

    def turns(self, target: ast.expr, iterable: ast.expr, scope: Scope) -> Iterator[Any]:
        """Assign each item to the target in turn. A range may exceed the allowed work, as a loop may end early."""
        values = self.value(iterable, scope)
        for item in values if isinstance(values, range) else self.items(values):
            self.assign(target, self.number(item) if isinstance(item, int) else item, scope)
            yield item

    def loop(self, turns: Iterator[Any], body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], scope: Scope) -> None:
        for _ in turns:
            self.spend(1)
            try:
                self.block(body, scope)
            except _Continue:
                continue
            except _Break:
                return
        self.block(orelse, scope)

    def value(self, node: ast.expr, scope: Scope) -> Any:
        self.spend(1)
        match node:
            case ast.Constant(bool() | str() | None as value):
                return value
            case ast.Constant(value):
                return self.number(value)
            case ast.Name(name):
                return _name(name, scope)
            case ast.BinOp(left, sign, right):
                return self.binary(sign, self.value(left, scope), self.value(right, scope))
            case ast.UnaryOp(ast.Not(), operand):
                return not self.value(operand, scope)
            case ast.UnaryOp(ast.USub(), operand):
                return self.number(-self.number(self.value(operand, scope)))
            case ast.UnaryOp(ast.UAdd(), operand):
                return self.number(self.value(operand, scope))
            case ast.BoolOp(sign, operands):
                result: Any = None
                for operand in operands:
                    result = self.value(operand, scope)
                    if bool(result) == isinstance(sign, ast.Or):
                        break
                return result
            case ast.Compare(left, signs, rights):
                return self.compare(self.value(left, scope), signs, rights, scope)
            case ast.IfExp(test, body, orelse):
                return self.value(body if self.value(test, scope) else orelse, scope)
            case ast.List(parts) | ast.Tuple(parts):
                made = [self.value(part, scope) for part in parts]
                return made if isinstance(node, ast.List) else tuple(made)
            case ast.ListComp(element, loops) | ast.GeneratorExp(element, loops):
                return list(self.comprehension(element, loops, scope.new_child()))
            case ast.Subscript(listed, index):
                return self.part(self.value(listed, scope), index, scope)
            case ast.Call(function, arguments, keywords):
                given = {str(keyword.arg): self.value(keyword.value, scope) for keyword in keywords}
                values = [self.value(argument, scope) for argument in arguments]
                return self.call(self.value(function, scope), values, given)
            case ast.Attribute(owner, name):
                return _member(self.value(owner, scope), name)
            case ast.JoinedStr(parts):
                return self.text("".join(shown(self.value(part, scope)) for part in parts))
            case ast.FormattedValue(value):  # how it is to be rounded is left out
                return self.value(value, scope)
        raise Fault(f"{type(node).__name__} is not allowed")

    def binary(self, sign: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(left, str) and isinstance(right, str) and isinstance(sign, ast.Add):
            return self.text(left + right)
        if isinstance(left, list) and isinstance(sign, ast.Add):
            return self.items([*self.items(left), *self.items(right)])
        if isinstance(left, list) and isinstance(sign, ast.Mult):
            return self.items(self.items(left) * self.whole(right, MAX_ITEMS // max(len(left), 1)))
        left, right = self.number(left), self.number(right)
        if isinstance(sign, ast.Pow):
            return self.power(left, right)
        if type(sign) not in BINARY:
            raise Fault(f"{type(sign).__name__} is not allowed")
        if not right and isinstance(sign, ast.Div | ast.FloorDiv | ast.Mod):
            raise Fault("division by zero")
        return self.number(BINARY[type(sign)](left, right))

    def compare(self, left: Any, signs: Sequence[ast.cmpop], rights: Sequence[ast.expr], scope: Scope) -> bool:
        for sign, node in zip(signs, rights, strict=True):
            right = self.value(node, scope)
            match sign:
                case ast.Eq() | ast.Is():
                    holds = self.same(left, right)
                case ast.NotEq() | ast.IsNot():
                    holds = not self.same(left, right)
                case ast.In() | ast.NotIn():
                    found = any(self.same(left, item) for item in self.items(right))
                    holds = found == isinstance(sign, ast.In)
                case _:
                    holds = ORDER[type(sign)](self.number(left), self.number(right))
            if not holds:
                return False
            left = right
        return True

    def part(self, listed: Any, index: ast.expr, scope: Scope) -> Any:
        items = self.items(listed)
        if isinstance(index, ast.Slice):
            ends = (self.value(end, scope) if end else None for end in (index.lower, index.upper, index.step))
            return items[slice(*(None if end is None else self.whole(end) for end in ends))]
        return items[self.whole(self.value(index, scope))]

    def comprehension(self, element: ast.expr, loops: Sequence[ast.comprehension], scope: Scope) -> Iterator[Any]:
        if not loops:
            yield self.value(element, scope)
            return
        for _ in self.turns(loops[0].target, loops[0].iter, scope):
            if all(self.value(test, scope) for test in loops[0].ifs):
                yield from self.comprehension(element, loops[1:], scope)

    def call(self, function: Any, values: Sequence[Any], named: dict[str, Any]) -> Any:
        if isinstance(function, BuiltIn):
            try:
                return function.work(self, *values, **named)
            except TypeError as error:
                raise Fault("a function is called with arguments that it does not take") from error
        if not isinstance(function, _Function):
            raise Fault(f"{kind(function)} is called")
        if self.depth == MAX_DEPTH:
            raise Fault("too many calls within calls")
        self.depth += 1
        try:
            self.block(function.node.body, function.scope.new_child(self.bound(function, values, named)))
        except _Return as returned:
            return returned.value
        finally:
            self.depth -= 1
        return None

    def bound(self, function: _Function, values: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
        """The values of a function's parameters."""
        declared = function.node.args
        names = [argument.arg for argument in declared.args]
        if declared.vararg or declared.kwarg or declared.kwonlyargs or declared.posonlyargs:
            raise Fault("only plain parameters are allowed")
        defaults = names[len(names) - len(declared.defaults) :]
        given = dict(zip(names, values, strict=False)) | named
        for name, default in zip(defaults, declared.defaults, strict=True):
            if name not in given:
                given[name] = self.value(default, function.scope)
        if given.keys() != set(names) or len(values) > len(names):
            raise Fault(f"{function.node.name}() is called with arguments that it does not take")
        return given


def _name(name: str, scope: Scope) -> Any:
    if name not in scope:
        raise Fault(f"{name} is not known")
    return scope[name]


def _module(name: str | None) -> object:
    if name != "math":
        raise Fault(f"the import of {name} is not allowed")
    return MATH


def _member(owner: Any, name: str) -> Any:
    if owner is not MATH or name not in MATHS:
        raise Fault(f".{name} is not allowed")
    return MATHS[name]


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
