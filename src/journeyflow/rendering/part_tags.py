"""The tags ``render`` and ``include`` as blocks around what they show, with the scopes that they have in Liquid.

What ``render`` shows sees the values that every text sees and its own arguments, and keeps what it assigns to itself;
what ``include`` shows shares everything with the text around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from liquid import BoundTemplate, Environment, RenderContext
from liquid.ast import BlockNode, Node, Partial
from liquid.builtin.expressions import Identifier, StringLiteral
from liquid.builtin.tags.for_tag import ForLoop
from liquid.builtin.tags.include_tag import IncludeNode, IncludeTag
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.render_tag import RenderNode, RenderTag
from liquid.exceptions import LiquidInterrupt, LiquidSyntaxError
from liquid.expression import Expression
from liquid.parser import get_parser
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_TAG

from journeyflow.rendering.limits import MeteredContext

# --- as an author writes them ----------------------------------------------------------------------------------------


class _WrittenRender(RenderNode):
    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        return ()


class _WrittenInclude(IncludeNode):
    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        return ()


class _WrittenRenderTag(RenderTag):
    node_class = _WrittenRender


class _WrittenIncludeTag(IncludeTag):
    node_class = _WrittenInclude


def add_written_tags(environment: Environment) -> None:
    """Let the environment read texts whose partials have not been put in."""
    environment.add_tag(_WrittenRenderTag)
    environment.add_tag(_WrittenIncludeTag)


def check_part_tags(template: BoundTemplate) -> None:
    """See that partials are named by tags of their own, where they can be put in.

    :raises LiquidSyntaxError: where one stands among the lines of ``{% liquid %}``.
    """
    static = RenderContext(template)
    for node in template.nodes:
        _check_part_tags(node, static, in_lines=False)


def _check_part_tags(node: Node, static: RenderContext, *, in_lines: bool) -> None:
    if in_lines and isinstance(node, _WrittenRender | _WrittenInclude):
        raise LiquidSyntaxError(
            f"{node.tag} can't stand inside {{% liquid %}}; give it a tag of its own", token=node.token
        )
    for child in node.children(static):
        _check_part_tags(child, static, in_lines=in_lines or isinstance(node, LiquidNode))


# --- with what they show ---------------------------------------------------------------------------------------------


class PartNode(Node):
    """What a partial shows, in its place."""

    __slots__ = ("block", "inner")

    def __init__(self, inner: RenderNode | IncludeNode, block: BlockNode) -> None:
        super().__init__(inner.token)
        self.inner = inner
        self.block = block
        self.blank = False

    @property
    def loops(self) -> bool:
        """Whether it may be shown once for each element of a list."""
        return self.inner.var is not None and (isinstance(self.inner, IncludeNode) or self.inner.loop)

    @property
    def names(self) -> set[str]:
        """The names that it is given besides the values."""
        bound = {str(argument.name) for argument in self.inner.args}
        return bound if self.inner.var is None else {*bound, self._variable}

    @property
    def _variable(self) -> str:
        if self.inner.alias is not None:
            return str(self.inner.alias)
        assert isinstance(self.inner.name, StringLiteral)
        return str(self.inner.name.value)

    def _arguments(self, context: RenderContext) -> dict[str, object]:
        return {str(argument.name): argument.value.evaluate(context) for argument in self.inner.args}

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        return (self.block,)

    def expressions(self) -> Iterable[Expression]:
        return self.inner.expressions()


class RenderedNode(PartNode):
    """``render``: a scope of its own."""

    inner: RenderNode

    def partial_scope(self) -> Partial | None:
        return self.inner.partial_scope()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        assert isinstance(context, MeteredContext)
        given = self._arguments(context)
        inside = context.inside(given)
        if self.inner.var is None:
            self._show(inside, buffer)
            return 1
        value = self.inner.var.evaluate(context)
        if self.inner.loop and isinstance(value, list | tuple):
            inside.raise_for_loop_limit(len(value))
            parent = context.env.undefined("parentloop", token=self.token)
            loop = ForLoop(name=self._variable, it=iter(value), length=len(value), parentloop=parent)
            given["forloop"] = loop
            for item in loop:
                given[self._variable] = item
                self._show(inside, buffer)
        else:
            given[self._variable] = value
            self._show(inside, buffer)
        return 1

    def _show(self, inside: MeteredContext, buffer: TextIO) -> None:
        try:
            self.block.render(inside, buffer)
        except LiquidInterrupt as error:
            raise LiquidSyntaxError(f"unexpected {error} outside of a loop of the partial", token=self.token) from None


class IncludedNode(PartNode):
    """``include``: the scope around it."""

    inner: IncludeNode

    def block_scope(self) -> Iterable[Identifier]:
        return [Identifier(name, token=self.token) for name in sorted(self.names)]

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        given = self._arguments(context)
        with context.extend(given):
            if self.inner.var is None:
                self.block.render(context, buffer)
                return 1
            value = self.inner.var.evaluate(context)
            items: Iterable[object] = (value,)
            if isinstance(value, list | tuple):
                context.raise_for_loop_limit(len(value))
                items = value
            for item in items:
                given[self._variable] = item
                self.block.render(context, buffer)
        return 1


class _BlockTag(Tag):
    block = True
    written: type[RenderTag | IncludeTag]
    shown: type[PartNode]

    def parse(self, stream: TokenStream) -> Node:
        inner = self.written(self.env).parse(stream)
        next(stream)  # the tag's arguments, which the one without a block leaves to its caller
        block = get_parser(self.env).parse_block(stream, frozenset({self.end}))
        stream.expect(TOKEN_TAG, value=self.end)
        assert isinstance(inner, RenderNode | IncludeNode)
        return self.shown(inner, block)


class _RenderBlockTag(_BlockTag):
    name, end = "render", "endrender"
    written, shown = RenderTag, RenderedNode


class _IncludeBlockTag(_BlockTag):
    name, end = "include", "endinclude"
    written, shown = IncludeTag, IncludedNode


def add_part_tags(environment: Environment) -> None:
    """Let the environment read texts that partials have been put into."""
    environment.add_tag(_RenderBlockTag)
    environment.add_tag(_IncludeBlockTag)
