"""The mutants of a source file: each is one small change, as a replacement of a span of bytes."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

# Help texts, which no program reads (error messages and output are mutated), and `slots`, which saves memory.
LEFT_OUT = {"help", "summary", "description", "metavar", "epilog", "doc", "slots"}
TYPE_ONLY_CALLS = {"TypeVar", "ParamSpec", "NewType"}
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip


class Mutant(NamedTuple):
    """Bytes `start` to `end` of `file` become `after`. `lines` are those of the statement it stands in.

    `function` says whether it stands inside the body of a function, so that a loaded module can be changed in place.
    """

    file: str
    line: int
    start: int
    end: int
    before: str
    after: str
    kind: str
    lines: tuple[int, int]
    function: bool

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


class Finder(ast.NodeVisitor):
    """Collects the mutants of one file."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file, self.source = file, source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.mutants: list[Mutant] = []
        self.lines = (1, 1)
        self.depth = 0

    def found(self, node: ast.expr | ast.stmt | ast.pattern, kind: str, after: str) -> None:
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        before = self.source[start:end].decode()
        if before != after:
            self.mutants.append(
                Mutant(self.file, node.lineno, start, end, before, after, kind, self.lines, self.depth > 0)
            )

    def changed(self, node: ast.expr, kind: str, change: Callable[[ast.expr], None]) -> None:
        """The mutant in which `change` was made to a copy of `node`."""
        other = copy.deepcopy(node)
        change(other)
        self.found(node, kind, f"({ast.unparse(ast.fix_missing_locations(other))})")

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            before = self.lines
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
            self.lines = (node.lineno, max(node.lineno, last))
            super().visit(node)
            self.lines = before
        else:
            super().visit(node)

    # What is not mutated.

    def visit_Import(self, node: ast.Import) -> None: ...

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None: ...

    def visit_Assert(self, node: ast.Assert) -> None: ...

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value and not ast.unparse(node.annotation).endswith("TypeAlias"):
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id in ("__all__", "__slots__") for target in node.targets):
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any(ast.unparse(base).startswith("Protocol") for base in node.bases):
            for part in (*node.decorator_list, *node.body):
                self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
            return
        for default in (*node.decorator_list, *node.args.defaults, *(each for each in node.args.kw_defaults if each)):
            self.visit(default)
        # A module's `__getattr__` has run by then, and what it found stands in the module: as good as at import.
        inside = node.name != "__getattr__"
        self.depth += inside
        for statement in node.body:
            self.visit(statement)
        self.depth -= inside

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        self.condition(node.test)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if ast.unparse(node.value) != "Literal":
            self.generic_visit(node)

    # What is.

    def condition(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
            self.found(test, "condition", f"(not {ast.unparse(test)})")

    def visit_While(self, node: ast.While) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.condition(test)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call):
            self.found(node, "call removed", "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.found(node, "raise removed", "pass")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value and not isinstance(node.value, ast.Constant):
            self.found(node.value, "return", "None")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self.found(node, "loop", "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self.found(node, "loop", "break")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if isinstance(node.type, ast.Tuple):
            for left_out in range(len(node.type.elts)):
                kept = [ast.unparse(each) for place, each in enumerate(node.type.elts) if place != left_out]
                self.found(node.type, "except", f"({', '.join(kept)},)")
        for statement in node.body:
            self.visit(statement)

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]()
            self.changed(node, "comparison", lambda new, p=place, o=other: new.ops.__setitem__(p, o))  # type: ignore[misc] # lambdas have no annotations
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self.changed(node, "boolean", lambda new: setattr(new, "op", other))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC:
            self.changed(node, "arithmetic", lambda new: setattr(new, "op", ARITHMETIC[type(node.op)]()))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.op) in ARITHMETIC:
            other = ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
            self.found(node, "arithmetic", ast.unparse(ast.fix_missing_locations(other)))
        self.visit(node.value)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self.found(node, "unary", f"({ast.unparse(node.operand)})")
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        lower, upper, step = (ast.unparse(each) if each else "" for each in (node.lower, node.upper, node.step))
        tail = f":{step}" if step else ""
        if lower:
            self.found(node, "slice", f":{upper}{tail}")
        if upper:
            self.found(node, "slice", f"{lower}:{tail}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in TYPE_ONLY_CALLS:
            return
        for place, keyword in enumerate(node.keywords):
            if keyword.arg and keyword.arg not in LEFT_OUT:
                self.changed(node, "argument", lambda new, p=place: new.keywords.pop(p))  # type: ignore[misc] # as above
        if len(node.args) > 1 and name != "cast":
            self.changed(node, "argument", lambda new: new.args.pop())  # type: ignore[attr-defined] # it is a call
        self.visit(node.func)
        for argument in node.args[1:] if name == "cast" else node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg not in LEFT_OUT:
                self.visit(keyword.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self.found(node, "constant", str(not value))
        elif isinstance(value, int | float):
            self.found(node, "constant", repr(value + 1))
        elif isinstance(value, str | bytes):
            self.text(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.text(node)  # Python 3.11 does not say where its parts stand

    def text(self, node: ast.Constant | ast.JoinedStr) -> None:
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        written = self.source[start:end].decode()
        self.found(node, "text", re.sub(r"\A(\w*)('''|\"\"\"|'|\")", r"\1\2XX", written, count=1))


def mutants(file: str, source: bytes) -> Iterator[Mutant]:
    """Every mutant of `source`, in the order of the file."""
    finder = Finder(file, source)
    finder.visit(ast.parse(source))
    yield from sorted(finder.mutants, key=lambda mutant: (mutant.start, mutant.kind, mutant.after))
