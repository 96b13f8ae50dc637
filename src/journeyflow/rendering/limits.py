"""What filling in a text may cost: a meter that every piece of work of a template pays into.

python-liquid's own limits look at one loop, one buffer or one variable at a time; a template that doubles a text forty
times, or compares two long lists ten thousand times, passes them all. Here everything that takes time pays before or
right after it is done: each node and expression (:class:`_Toll`), each value that is looked up, each character that is
written, and each filter by the size of what it takes and gives. One step is about a microsecond of work, so that a
text ends in well under a second whatever its author wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from io import StringIO
from typing import Any, Final, TextIO

from liquid import BoundTemplate, RenderContext, Token
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions.primitive import Literal, RangeLiteral
from liquid.exceptions import FilterArgumentError, LiquidError, ResourceLimitError
from liquid.expression import Expression
from liquid.undefined import UNDEFINED
from liquid.utils import ReadOnlyChainMap

OUTPUT_BYTES_MAX: Final = 1_000_000
ITERATIONS_MAX: Final = 10_000
STEPS_MAX: Final = 150_000
NUMBER_BITS_MAX: Final = 256

# A character is a cell and an element sixteen; sixteen cells are a step.
_CELLS_PER_ELEMENT: Final = 16
_CELL_BITS: Final = 4

# Any: a filter takes and gives whatever a template has at hand
Filter = Callable[..., Any]
Surcharge = Callable[..., int]


class Meter:
    """What one filling in has left to spend."""

    __slots__ = ("iterations", "steps")

    def __init__(self) -> None:
        self.steps = STEPS_MAX
        self.iterations = ITERATIONS_MAX

    def spend(self, steps: int) -> None:
        """Pay for work.

        :raises ResourceLimitError: when nothing is left.
        """
        self.steps -= steps
        if self.steps < 0:
            raise ResourceLimitError("the template does too much work", token=None)

    def spend_cells(self, cells: int) -> None:
        """Pay for work on that many characters, see :func:`weigh`."""
        self.spend(1 + (cells >> _CELL_BITS))

    def spend_iterations(self, count: int) -> None:
        """Pay for the iterations of a loop; all loops of a text share one account.

        :raises ResourceLimitError: when nothing is left.
        """
        self.iterations -= count
        if self.iterations < 0:
            raise ResourceLimitError(f"the template's loops run more than {ITERATIONS_MAX:,} times", token=None)

    def weigh(self, value: object) -> int:
        """The size of a value in cells, all that it holds included; counting stops where the meter would anyway."""
        if isinstance(value, str):
            return len(value)
        if not isinstance(value, dict | list | tuple):
            return _CELLS_PER_ELEMENT + (len(value) * _CELLS_PER_ELEMENT if isinstance(value, range) else 0)
        room = (self.steps + 1) << _CELL_BITS
        cells, open_values = 0, [value]
        while open_values and cells <= room:
            current = open_values.pop()
            for item in _contents(current):
                if isinstance(item, str):
                    cells += len(item)
                elif isinstance(item, dict | list | tuple):
                    open_values.append(item)
                cells += _CELLS_PER_ELEMENT
        return cells


# Any: what a container of a template holds
def _contents(value: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
    return [*value.keys(), *value.values()] if isinstance(value, dict) else value


class MeteredBuffer(StringIO):
    """Collects output; what is written is paid for, and ends at :data:`OUTPUT_BYTES_MAX`."""

    def __init__(self, meter: Meter, size: int = 0) -> None:
        super().__init__()
        self._meter = meter
        self.size = size

    def write(self, text: str, /) -> int:
        """Add the text.

        :raises ResourceLimitError: when there is too much of it.
        """
        length = len(text)
        self.size += length if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self.size > OUTPUT_BYTES_MAX:
            raise ResourceLimitError(f"the text grows over {OUTPUT_BYTES_MAX:,} bytes", token=None)
        self._meter.spend(1 + (length >> _CELL_BITS))
        return super().write(text)


class MeteredContext(RenderContext):
    """The values of one filling in, which pays for what it looks up. It has no ``now`` of its own, and no ``today``."""

    def __init__(
        self,
        template: BoundTemplate,
        values: Mapping[str, object],
        surveys: Mapping[str, object],
        meter: Meter | None = None,
    ) -> None:
        super().__init__(template, globals=values)
        self.meter = Meter() if meter is None else meter
        self.surveys = surveys
        self._values = values
        # python-liquid puts a clock behind the values; a text is filled in with nothing but what it is given
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)

    def inside(self, given: Mapping[str, object]) -> MeteredContext:
        """A scope that sees the values and what it is given, nothing else, and pays from the same account."""
        inside = MeteredContext(self.template, ReadOnlyChainMap(given, self._values), self.surveys, self.meter)
        inside._values = self._values  # what one partial is given, those that it shows do not see
        return inside

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        """Look a value up and pay for its size, because whoever asks goes through it."""
        value = super().get(path, token=token, default=default)
        meter = self.meter
        meter.spend(1 + ((len(value) if type(value) is str else meter.weigh(value)) >> _CELL_BITS))
        return value

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Pay for a loop that is about to begin."""
        self.meter.spend_iterations(length)

    def get_buffer(self, buf: TextIO | None = None) -> MeteredBuffer:
        """A buffer inside another one, as ``capture`` needs it."""
        return MeteredBuffer(self.meter, buf.size if isinstance(buf, MeteredBuffer) else 0)


class MeteredTemplate(BoundTemplate):
    """A template whose nodes pay."""

    def make_partial_namespace(self, partial: bool, render_args: Mapping[str, object]) -> Mapping[str, object]:
        """Nothing besides the values: python-liquid would add a variable called ``partial``."""
        return render_args

    def fill(self, values: Mapping[str, object], surveys: Mapping[str, object]) -> str:
        """The text.

        :param surveys: what ``{% survey %}`` shows, by id.
        :raises Exception: LiquidError, and what python-liquid lets through.
        """
        context = MeteredContext(self, values, surveys)
        buffer = MeteredBuffer(context.meter)
        self.render_with_context(context, buffer)
        return buffer.getvalue()


def set_limits(template: MeteredTemplate) -> None:
    """Put a toll at the head of every block, and a bound on every range."""
    static = RenderContext(template)
    _toll_block(template.nodes, static)


def _toll_block(nodes: list[Node], static: RenderContext) -> None:
    steps = 0
    for node in nodes:
        steps += _weight(node, static)
    if nodes:
        nodes.insert(0, _Toll(nodes[0].token, steps))


def _weight(node: Node, static: RenderContext) -> int:
    """What a node costs without the blocks inside it, which get their own tolls."""
    steps = 1
    for expression in node.expressions():
        steps += _expression_weight(expression)
    for child in node.children(static):
        if isinstance(child, BlockNode):
            _toll_block(child.nodes, static)
        else:
            steps += _weight(child, static)
    return steps


def _expression_weight(expression: Expression) -> int:
    steps = 1
    if isinstance(expression, Literal) and isinstance(expression.value, str):
        steps += len(expression.value) >> _CELL_BITS
    if isinstance(expression, RangeLiteral):
        expression.stop = _BoundedStop(expression.start, expression.stop)
    return steps + sum(_expression_weight(child) for child in expression.children())


class _Toll(Node):
    """Pays for the block that it stands at the head of."""

    __slots__ = ("steps",)

    def __init__(self, token: Token, steps: int) -> None:
        super().__init__(token)
        self.steps = steps

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        meter_of(context).spend(self.steps)
        return 0


class _BoundedStop(Expression):
    """The end of a range, refused where the range is too long: ``(1..1000000000) | join`` would make it a list."""

    __slots__ = ("start", "stop")

    def __init__(self, start: Expression, stop: Expression) -> None:
        super().__init__(stop.token)
        self.start = start
        self.stop = stop

    def evaluate(self, context: RenderContext) -> object:
        stop = self.stop.evaluate(context)
        if _integer(stop) - _integer(self.start.evaluate(context)) >= ITERATIONS_MAX:
            raise ResourceLimitError(f"a range has more than {ITERATIONS_MAX:,} members", token=self.token)
        return stop

    def children(self) -> list[Expression]:
        return [self.stop]


def _integer(value: object) -> int:
    """As python-liquid reads the ends of a range: what is no number is 0."""
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]  # what int() can't read is the point here
    except (TypeError, ValueError, OverflowError):
        return 0


def meter_of(context: RenderContext) -> Meter:
    """The meter of a filling in."""
    assert isinstance(context, MeteredContext)
    return context.meter


def metered(name: str, function: Filter, *, factor: int = 1, surcharge: Surcharge | None = None) -> Filter:
    """A filter that pays for what it takes and gives, and whose every failure says which filter it was.

    :param factor: how many times dearer a character is here than in a plain copy.
    :param surcharge: steps to pay before the filter runs, for what grows faster than its input.
    """
    wants_context = getattr(function, "with_context", False)
    wants_environment = getattr(function, "with_environment", False)

    @wraps(function)
    def paying(value: object, *args: object, context: MeteredContext, **options: object) -> object:
        meter = context.meter
        cells = meter.weigh(value) + sum(map(meter.weigh, args)) + sum(map(meter.weigh, options.values()))
        meter.spend_cells(cells * factor)
        if wants_context:
            options["context"] = context
        if wants_environment:
            options["environment"] = context.env
        try:
            if surcharge is not None:
                meter.spend(surcharge(cells, value, *args))
            result = function(value, *args, **options)
        except ResourceLimitError:
            raise
        except LiquidError as error:
            raise FilterArgumentError(f"{name}: {str(error.message).removeprefix(f'{name}: ')}", token=None) from error
        except Exception as error:
            raise FilterArgumentError(f"{name}: {str(error) or type(error).__name__}", token=None) from error
        return _priced(name, meter, result)

    # python-liquid's way of asking for the context; the environment is passed on above
    paying.with_context, paying.with_environment = True, False  # type: ignore[attr-defined]  # functions take any
    return paying


def _priced(name: str, meter: Meter, result: object) -> object:
    if isinstance(result, int) and result.bit_length() > NUMBER_BITS_MAX:
        raise FilterArgumentError(f"{name}: the number grows too large", token=None)
    meter.spend_cells(meter.weigh(result))
    return result
