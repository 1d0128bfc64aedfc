"""Mutants of C sources, all of them in one build: each place asks at run time whether its mutant is the one that was chosen.

    text, mutants = rewrite(path, text, tree, first)

`tree` is clang's syntax tree as JSON (-ast-dump=json), whose places are offsets into the text. What comes out of a macro is left alone.

    negate     a condition: of if, while, for, ?:, an operand of && and ||
    compare    < for <=, > for >=, and the reverse; == for != where it is no condition
    drop       a call that stands alone
    skip       a call that may fail, as if it had gone well
    return     0 for what was returned, an error for 0, NULL for a pointer, the opposite of a truth
    constant   0 for 1 and 1 for 0, true for false and false for true

Messages are not mutated, nor what frees memory or writes the log: that is the business of sanitizers and eyes.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator

Node = dict[str, Any]

BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
OPPOSITE = {"==": "!=", "!=": "=="}
LEFT_ALONE = re.compile(r"^(free|free_reads|release|o2_log\w*|o2_\w+_(free|release)|o2_\w+_freep|__\w+)$")
SWAPPED = {"0": "1", "1": "0", "true": "false", "false": "true"}
NUMBERS = re.compile(r"^(int|unsigned int|size_t|int64_t|long|unsigned long)$")
ERROR = "-O2_EINTERNAL"

RUNTIME = """
#include <stdio.h>
#include <sys/mman.h>

int o2_mutant;
unsigned char *o2_mutant_reached;

__attribute__((constructor)) static void o2_mutant_choose(void)
{
	const char *chosen = getenv("O2_MUTANT");

	o2_mutant = chosen ? (int)strtol(chosen, NULL, 10) : -1;
	o2_mutant_reached = mmap(NULL, O2_MUTANTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

__attribute__((destructor)) static void o2_mutant_tell(void)
{
	const char *path = getenv("O2_MUTANT_REACHED");
	FILE *out = path ? fopen(path, "w") : NULL;

	if (out) {
		fwrite(o2_mutant_reached, 1, O2_MUTANTS, out);
		fclose(out);
	}
}
"""

# Every file gets this in front.
HEADER = """
extern int o2_mutant;
extern unsigned char *o2_mutant_reached;

static inline int o2_is_mutant(int number)
{
	o2_mutant_reached[number] = 1;
	return o2_mutant == number;
}
"""


@dataclass
class Mutant:
    number: int
    file: str
    line: int
    kind: str
    change: str  # in words: what stands there, and what instead
    function: str

    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Edit:
    """Text put around a piece; mid takes the place of what is between two offsets in it."""

    start: int
    end: int
    before: str
    after: str
    mid: tuple[int, int, str] | None = None


@dataclass
class Rewriter:
    file: str
    text: str
    first: int
    mutants: list[Mutant] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    function: str = ""
    returns: str = ""

    # --- places ---

    def begin_of(self, node: Node) -> int | None:
        begin = node.get("range", {}).get("begin", {})
        if "expansionLoc" in begin:
            return None if "isMacroArgExpansion" in begin["expansionLoc"] else begin["expansionLoc"].get("offset")
        return begin.get("offset")

    def end_of(self, node: Node) -> int | None:
        end = node.get("range", {}).get("end", {})
        if "expansionLoc" not in end:
            return end["offset"] + end["tokLen"] if "offset" in end else None
        place = end["expansionLoc"]
        if "isMacroArgExpansion" in place or "offset" not in place:
            return None
        at: int = place["offset"] + place["tokLen"]
        return self.closing(at) if self.text[at:at + 1] == "(" else at

    def closing(self, at: int) -> int:
        depth = 0
        for here in range(at, len(self.text)):
            depth += {"(": 1, ")": -1}.get(self.text[here], 0)
            if depth == 0:
                return here + 1
        raise ValueError(f"{self.file}: a parenthesis is not closed")

    def place_of(self, node: Node) -> tuple[int, int] | None:
        """Of what stands in the text itself: not of the inside of a macro, nor of one that is a whole expression."""
        begin, end = self.begin_of(node), self.end_of(node)
        if begin is None or end is None or end <= begin:
            return None
        both = (node["range"]["begin"], node["range"]["end"])
        if all("expansionLoc" in one for one in both) and both[0]["expansionLoc"].get("offset") == both[1]["expansionLoc"].get("offset"):
            return None
        return begin, end

    # --- mutants ---

    def add(self, at: int, kind: str, was: str, becomes: str) -> int:
        number = self.first + len(self.mutants)
        shown = " ".join(was.split())
        change = f"{shown[:90]} -> {becomes}"
        self.mutants.append(Mutant(number, self.file, self.text.count("\n", 0, at) + 1, kind, change, self.function))
        return number

    def negate(self, node: Node, kind: str = "negate") -> None:
        place = self.place_of(node)
        if place is None:
            return
        was = self.text[slice(*place)]
        number = self.add(place[0], kind, was, f"!({' '.join(was.split())[:40]})")
        self.edits.append(Edit(*place, "((!(", f")) == o2_is_mutant({number}))"))

    def replace(self, node: Node, kind: str, value: str) -> None:
        place = self.place_of(node)
        if place is None:
            return
        was = self.text[slice(*place)]
        number = self.add(place[0], kind, was, value)
        self.edits.append(Edit(*place, f"(o2_is_mutant({number}) ? {value} : (", "))"))

    def drop(self, node: Node) -> None:
        place = self.place_of(node)
        if place is None:
            return
        number = self.add(place[0], "drop", self.text[slice(*place)], "nothing")
        self.edits.append(Edit(*place, f"(o2_is_mutant({number}) ? (void)0 : (void)(", "))"))

    def compare(self, node: Node, other: str) -> None:
        left, right = node["inner"]
        place, left_end, right_begin = self.place_of(node), self.end_of(left), self.begin_of(right)
        if place is None or left_end is None or right_begin is None:
            return
        was, operator = self.text[slice(*place)], node["opcode"]
        number = self.add(place[0], "compare", was, f"'{other}' for '{operator}'")
        self.edits.append(Edit(*place, "({ __auto_type l_ = (",
                               f"); o2_is_mutant({number}) ? l_ {other} r_ : l_ {operator} r_; }})",
                               (left_end, right_begin, "); __auto_type r_ = (")))

    # --- what is found ---

    def visit_condition(self, node: Node) -> None:
        inner = bare(node)
        if inner["kind"] == "BinaryOperator" and inner["opcode"] in ("&&", "||") and self.place_of(node) is not None:
            self.negate(node)
            return  # its operands are conditions of their own
        self.negate(node)

    def is_fallible(self, node: Node) -> bool:
        callee = bare(node["inner"][0])
        declared = str(callee.get("referencedDecl", {}).get("type", {}).get("qualType", ""))
        return declared.startswith("int (") and declared.endswith("struct o2_err *)")

    def visit_call(self, node: Node, alone: bool) -> None:
        name = bare(node["inner"][0]).get("referencedDecl", {}).get("name", "")
        if LEFT_ALONE.match(name):
            return
        if alone:
            self.drop(node)
        elif self.is_fallible(node) and name not in ("o2_fail", "o2_prefix"):
            self.replace(node, "skip", "0")

    def visit_return(self, node: Node) -> None:
        value = node["inner"][0]
        text = self.text_of(value)
        if self.returns in ("bool", "_Bool"):
            if text not in ("true", "false") and not is_condition(bare(value)):
                self.negate(value, "return")
        elif self.returns.endswith("*"):
            if text != "NULL":
                self.replace(value, "return", "NULL")
        elif NUMBERS.match(self.returns):
            if text != "0":
                if not is_fallible_call(self, bare(value)):
                    self.replace(value, "return", "0")
            elif self.returns == "int":
                self.replace(value, "return", ERROR)

    def text_of(self, node: Node) -> str:
        begin, end = self.begin_of(node), self.end_of(node)
        return self.text[begin:end] if begin is not None and end is not None else ""

    def visit_literal(self, node: Node) -> None:
        begin = self.begin_of(node)
        end = self.end_of(node)
        if begin is None or end is None:
            return
        text = self.text[begin:end]
        if text not in SWAPPED:
            return
        number = self.add(begin, "constant", self.line_at(begin), f"{SWAPPED[text]} for {text}")
        self.edits.append(Edit(begin, end, f"(o2_is_mutant({number}) ? {SWAPPED[text]} : (", "))"))

    def line_at(self, offset: int) -> str:
        begin = self.text.rfind("\n", 0, offset) + 1
        return self.text[begin:self.text.find("\n", offset)].strip()

    def visit(self, node: Node, parent: Node) -> None:
        kind = node.get("kind", "")
        if kind == "VarDecl" and node.get("storageClass") == "static":
            return
        for child in conditions(node):
            self.visit_condition(child)
        if kind == "BinaryOperator" and node["opcode"] in BOUNDARY:
            self.compare(node, BOUNDARY[node["opcode"]])
        elif kind == "BinaryOperator" and node["opcode"] in OPPOSITE and not is_conditional(parent, node):
            self.compare(node, OPPOSITE[node["opcode"]])
        elif kind == "CallExpr":
            self.visit_call(node, stands_alone(parent, node))
        elif kind == "ReturnStmt" and node.get("inner"):
            self.visit_return(node)
        elif kind == "IntegerLiteral" and not is_spared(parent, node, self):
            self.visit_literal(node)
        for child in node.get("inner", []):
            if child.get("kind") not in (None, "CleanupAttr", "ConstantExpr"):
                self.visit(child, shown_parent(parent, node))

    # --- the text again ---

    def render(self) -> str:
        pieces: list[tuple[tuple[int, int, int, int], str]] = []
        skipped: list[tuple[int, int]] = []
        for order, edit in enumerate(self.edits):
            pieces.append(((edit.start, 2, -edit.end, order), edit.before))
            pieces.append(((edit.end, 0, -edit.start, -order), edit.after))
            if edit.mid:
                pieces.append(((edit.mid[0], 1, 0, order), edit.mid[2]))
                skipped.append(edit.mid[:2])
        pieces.sort(key=lambda piece: piece[0])
        out, at = [], 0
        gaps = dict(skipped)
        for (offset, *_), text in pieces:
            if offset > at:
                out.append(self.text[at:offset])
                at = offset
            out.append(text)
            if offset in gaps and text.startswith("); __auto_type r_"):
                at = gaps[offset]
        return "".join(out) + self.text[at:]


def bare(node: Node) -> Node:
    while node.get("kind") in ("ImplicitCastExpr", "ParenExpr") and node.get("inner"):
        node = node["inner"][0]
    return node


def is_condition(node: Node) -> bool:
    return node["kind"] == "BinaryOperator" and node["opcode"] in ("&&", "||")


def is_fallible_call(rewriter: Rewriter, node: Node) -> bool:
    return node["kind"] == "CallExpr" and rewriter.is_fallible(node) and \
        bare(node["inner"][0]).get("referencedDecl", {}).get("name") not in ("o2_fail", "o2_prefix")


def conditions(node: Node) -> list[Node]:
    """The children of a node that decide."""
    inner = node.get("inner", [])
    kind = node.get("kind")
    if kind in ("IfStmt", "WhileStmt", "ConditionalOperator"):
        return inner[:1]
    if kind == "DoStmt":
        return inner[1:]
    if kind == "ForStmt":
        return [inner[2]] if inner[2].get("kind") else []
    if kind == "BinaryOperator" and node["opcode"] in ("&&", "||"):
        return list(inner)
    return []


def shown_parent(parent: Node, node: Node) -> Node:
    """Casts and parentheses don't count."""
    return parent if node.get("kind") in ("ImplicitCastExpr", "ParenExpr") else node


def is_conditional(parent: Node, node: Node) -> bool:
    return any(bare(child) is node for child in conditions(parent))


def stands_alone(parent: Node, node: Node) -> bool:
    kind, inner = parent.get("kind"), parent.get("inner", [])
    if not any(child is node for child in inner):
        return False
    if kind == "CompoundStmt":
        return True
    if kind == "IfStmt":
        return inner[0] is not node
    return kind in ("WhileStmt", "ForStmt") and inner[-1] is node


def is_spared(parent: Node, node: Node, rewriter: Rewriter) -> bool:
    """0 of '{ 0 }', of '< 0' and '>= 0' (the same as moving the boundary), of 'return 0', and what has to be constant."""
    kind = parent.get("kind")
    if kind in ("InitListExpr", "CaseStmt", "ArraySubscriptExpr") and kind != "ArraySubscriptExpr":
        return kind == "CaseStmt" or rewriter.text_of(parent).replace(" ", "") == "{0}"
    if kind == "BinaryOperator" and parent["opcode"] in ("<", ">=") and bare(parent["inner"][1]) is node:
        return node.get("value") == "0"
    if kind == "ReturnStmt":
        return rewriter.returns not in ("bool", "_Bool")
    return False


def body_of(function: Node) -> Node | None:
    return next((child for child in function.get("inner", []) if child.get("kind") == "CompoundStmt"), None)


def functions(tree: Node, text: str) -> Iterator[tuple[Node, Node]]:
    """Those of the file itself, with their bodies: at their place in the text stands their name."""
    for node in tree["inner"]:
        place, body = node.get("loc", {}).get("offset"), body_of(node)
        if node.get("kind") == "FunctionDecl" and place is not None and body and text.startswith(node["name"], place):
            yield node, body


def rewrite(path: str, text: str, tree: Node, first: int) -> tuple[str, list[Mutant]]:
    rewriter = Rewriter(path, text, first)
    for function, body in functions(tree, text):
        rewriter.function = function["name"]
        rewriter.returns = function["type"]["qualType"].split("(")[0].strip()
        rewriter.visit(body, function)
    return rewriter.render(), rewriter.mutants
