"""What can be said of a Liquid text before it is filled in: what it reads, whether it can fail, what it gets wrong."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Final

from liquid import BoundTemplate, RenderContext
from liquid.ast import BlockNode, ConditionalBlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import Filter, FilteredExpression, LoopExpression, Path
from liquid.builtin.expressions.arguments import KeywordArgument
from liquid.builtin.expressions.logical import (
    BooleanExpression,
    EqExpression,
    GeExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    IntegerLiteral,
    Literal,
    Nil,
    RangeLiteral,
    StringLiteral,
)
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode, _AnyExpression
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.doc_tag import DocNode
from liquid.builtin.tags.echo_tag import EchoNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import FilterArgumentError, UnknownFilterError
from liquid.expression import Expression
from liquid.static_analysis import Segments

from journeyflow.rendering.filters import CAN_FAIL_BY_ARGUMENT, CANNOT_FAIL, is_pattern
from journeyflow.rendering.part_tags import PartNode, RenderedNode
from journeyflow.rendering.survey_tag import SurveyNode
from journeyflow.rendering.tokens import line_of

ReadPath = tuple[str, ...]

VALUE_ROOTS: Final = frozenset({"contact", "event", "journey", "now", "run", "trigger", "vars"})
"""The names that a text is given; a text that assigns one of them may still have read it before."""

SAFE_ITERATIONS_MAX: Final = 1_000
"""Loops whose literal bounds stay below this can't come near the limits."""

# What a filter looks up by itself when its arguments do not say.
_READ_BY_FILTER: Final = {"date": (("now",), ("timezone",)), "money": (("currency",), ("locale",))}
_ANY_PROPERTY: Final = frozenset({"first", "last", "size"})


def reads_of(template: BoundTemplate) -> tuple[ReadPath, ...]:
    """The paths of the values that the text reads, as far as they stand there literally, without those inside others.

    ``contact.items[0].name`` reads ``("contact", "items")``, and so does ``contact.items.size``.
    """
    found = template.analyze(include_partials=False)
    paths = {
        _static_part(variable.segments)
        for root, variables in found.variables.items()
        if root in found.globals or (root in VALUE_ROOTS and root in found.locals)
        for variable in variables
    }
    for name in found.filters:
        paths.update(_READ_BY_FILTER.get(name, ()))
    paths.discard(())
    return shortest(paths)


def shortest(paths: set[ReadPath]) -> tuple[ReadPath, ...]:
    """The paths in order, without those that lie inside another one."""
    return tuple(sorted(path for path in paths if not any(path[:length] in paths for length in range(1, len(path)))))


def _static_part(segments: Segments) -> ReadPath:
    part: list[str] = []
    for segment in segments:
        if not isinstance(segment, str) or (len(part) > 1 and segment in _ANY_PROPERTY):
            break
        part.append(segment)
    return tuple(part)


# --- whether it can fail ---------------------------------------------------------------------------------------------

_SAFE_NODES: Final = (
    AssignNode,
    BlockNode,
    CaptureNode,
    CaseNode,
    CommentNode,
    ConditionalBlockNode,
    ContentNode,
    DocNode,
    EchoNode,
    IfNode,
    LiquidNode,
    MultiExpressionBlockNode,
    OutputNode,
    SurveyNode,
    UnlessNode,
)
_SAFE_EXPRESSIONS: Final = (
    Blank,
    BooleanExpression,
    Empty,
    EqExpression,
    FilteredExpression,
    GeExpression,
    LeExpression,
    Literal,
    LogicalAndExpression,
    LogicalOrExpression,
    NeExpression,
    Nil,
    Path,
    _AnyExpression,  # what `when` lists
)
"""Not in the list: ``<`` and ``>`` (refuse a text beside a number), ``contains`` (refuses a number), ranges."""


def dates_of(template: BoundTemplate) -> tuple[ReadPath, ...] | None:
    """What filling the text in can fail at, the sheer size of values left aside: ``()`` where it can't fail.

    The paths of values that have to be dates, where nothing else can fail: most mails with a coupon show its last day,
    and looking at that is cheaper than filling in. ``None`` for everything else that is not known to be safe: loops
    without a small literal bound, filters that are not in :data:`~journeyflow.rendering.filters.CANNOT_FAIL`,
    comparisons that refuse values of different kinds.
    """
    static = RenderContext(template)
    dates: list[ReadPath] = []
    try:
        iterations = sum(_iterations(node, static, 1, dates) for node in template.nodes)
    except _MayFail:
        return None
    own_names = template.analyze(include_partials=False).locals if dates else ()
    if iterations > (0 if dates else SAFE_ITERATIONS_MAX) or any(path[0] in own_names for path in dates):
        return None
    return tuple(dates)


class _MayFail(Exception):
    """Something was found that is not known to be safe."""


def _iterations(node: Node, static: RenderContext, around: int, dates: list[ReadPath]) -> int:
    """How often the node's loops run at most, when the node itself is run ``around`` times; notes what are dates."""
    total = 0
    if isinstance(node, PartNode):
        return _iterations_of_part(node, static, around, dates)
    if isinstance(node, ForNode):
        around *= _loop_bound(node.expression)
        total = around
    elif isinstance(node, BreakNode | ContinueNode):
        if around == 1:  # outside of any loop
            raise _MayFail
    elif isinstance(node, _SAFE_NODES):
        for expression in node.expressions():
            _require_safe(expression, dates)
    else:
        raise _MayFail
    return total + sum(_iterations(child, static, around, dates) for child in node.children(static))


def _iterations_of_part(node: PartNode, static: RenderContext, around: int, dates: list[ReadPath]) -> int:
    if node.loops:
        raise _MayFail
    for expression in node.expressions():
        _require_safe(expression, dates)
    before = len(dates)
    # What is rendered has no part in the loops around it: a break in it is outside of any.
    inside, times = (1, around) if isinstance(node, RenderedNode) else (around, 1)
    total = _iterations(node.block, static, inside, dates) * times
    if any(path[0] in node.names for path in dates[before:]):
        raise _MayFail
    return total


def _loop_bound(loop: LoopExpression) -> int:
    if isinstance(loop.offset, Path) or not isinstance(loop.iterable, Path | RangeLiteral):
        raise _MayFail
    if isinstance(loop.limit, IntegerLiteral):
        bound = loop.limit.value
    elif loop.limit is None and isinstance(loop.iterable, RangeLiteral):
        bound = _range_length(loop.iterable)
    else:
        raise _MayFail
    if isinstance(loop.iterable, RangeLiteral):
        _range_length(loop.iterable)
    return max(bound, 2)  # two: that ``around == 1`` means "outside of any loop"


def _range_length(found: RangeLiteral) -> int:
    if not isinstance(found.start, IntegerLiteral) or not isinstance(found.stop, IntegerLiteral):
        raise _MayFail
    length = found.stop.value - found.start.value + 1
    if length > SAFE_ITERATIONS_MAX:
        raise _MayFail
    return length


def _require_safe(expression: Expression, dates: list[ReadPath]) -> None:
    if not isinstance(expression, _SAFE_EXPRESSIONS):
        raise _MayFail
    if isinstance(expression, FilteredExpression):
        filters = list(expression.filters or ())
        if filters and filters[0].name == "date":
            dates.append(_dated(expression.left, filters.pop(0)))
        for used in filters:
            if used.name not in CANNOT_FAIL and not _safe_by_argument(used):
                raise _MayFail
    for child in expression.children():
        _require_safe(child, dates)


def _dated(shown: Expression, date: Filter) -> ReadPath:
    """The path of ``{{ vars.coupon.expires_at | date: "%d %B %Y" }}``; nothing less plain will do."""
    arguments = [argument.value for argument in date.args]
    patterns = [argument.value for argument in arguments if isinstance(argument, StringLiteral)]
    if len(patterns) < len(arguments) or not all(map(is_pattern, patterns[:1])) or not isinstance(shown, Path):
        raise _MayFail
    path = tuple(segment for segment in shown.path if isinstance(segment, str) and segment not in _ANY_PROPERTY)
    if len(path) < len(shown.path) or path[0] not in VALUE_ROOTS:
        raise _MayFail
    return path


def _safe_by_argument(used: Filter) -> bool:
    """Whether all arguments are literals, and those that count are integers: ``truncate: 20, "…"``."""
    values = [argument.value for argument in used.args]
    if used.name not in CAN_FAIL_BY_ARGUMENT or not all(isinstance(value, Literal) for value in values):
        return False
    counts = values if used.name == "slice" else values[:1]
    return all(isinstance(value, IntegerLiteral) for value in counts)


# --- what it shows ---------------------------------------------------------------------------------------------------


def surveys_of(template: BoundTemplate) -> dict[str, int]:
    """The ids of the surveys that the text shows, in order, each with the first line on which it does."""
    static = RenderContext(template)
    found: dict[str, int] = {}
    for node in template.nodes:
        for survey in _surveys_in(node, static):
            found.setdefault(survey.id, line_of(survey.token.source, survey.token.start_index))
    return found


def _surveys_in(node: Node, static: RenderContext) -> Iterator[SurveyNode]:
    if isinstance(node, SurveyNode):
        yield node
    for child in node.children(static):
        yield from _surveys_in(child, static)


# --- calls that can never work ---------------------------------------------------------------------------------------


def check_filters(template: BoundTemplate) -> None:
    """See that each filter exists and takes the arguments that it is given.

    :raises LiquidError: naming the first one that does not.
    """
    static = RenderContext(template)
    for node in template.nodes:
        for used in _filters_in(node, static):
            _check_filter(template, used)


def _check_filter(template: BoundTemplate, used: Filter) -> None:
    function = template.env.filters.get(used.name)
    if function is None:
        raise UnknownFilterError(f"unknown filter {used.name!r}", token=used.token)
    options = {argument.name: None for argument in used.args if isinstance(argument, KeywordArgument)}
    given = [None] * (len(used.args) - len(options))
    signature = inspect.signature(function)
    hidden = {name: None for name in ("context", "environment") if name in signature.parameters}
    try:
        signature.bind(None, *given, **options, **hidden)
    except TypeError as error:
        raise FilterArgumentError(f"filter {used.name!r}: {error}", token=used.token) from error


def _filters_in(node: Node, static: RenderContext) -> Iterator[Filter]:
    for expression in node.expressions():
        yield from _filters_of(expression)
    for child in node.children(static):
        yield from _filters_in(child, static)


def _filters_of(expression: Expression) -> Iterator[Filter]:
    if isinstance(expression, FilteredExpression):
        yield from expression.filters or ()
    for child in expression.children():
        yield from _filters_of(child)
