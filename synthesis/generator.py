"""The generator: networks from latent codes to one distribution per column.

A row is drawn in steps: one of all latent codes, uniformly; then the label from the softmax that
the network gives for that code; then every other column independently from its own softmax. So the
generator is a mixture of products; its moments are exact matrix products without any sampling, and
conditions on columns can be sampled exactly.

It has several *members*, networks that share nothing but the base of their logits, each with latent
codes of its own. Their mixture strays less from the truth than any of them (bagging, Breiman 1996).
Sites that are unlike each other have members of their own, in *groups*: then the generator is the
mixture of one generator for every group, weighted by how many rows each group has.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synthesis.architecture import GeneratorSettings, Shares, SiteGroup
from synthesis.columns import Column, GivenColumn, PlainColumn
from synthesis.drawing import Codes, MixtureTables

LEAST_SHARE = 1e-6
"""Share of a code that the generator starts from where the sketch says none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """Every distribution of a generator, as tensors with their graph.

    Attributes:
        distributions: one per column.
        label_index: which of them is the label; always a plain one.
        weights: of each part, relative to an equal one, ``(parts,)``.
    """

    distributions: tuple[Column, ...]
    label_index: int
    weights: Tensor

    @property
    def columns(self) -> list[Tensor]:
        """Per column the probabilities of its codes.

        ``(parts, codes)``, or ``(classes, parts, codes)`` where they differ between classes.
        """
        return [each.probabilities for each in self.distributions]

    @property
    def label(self) -> Tensor:
        """Probabilities of the classes, ``(parts, classes)``."""
        return self.distributions[self.label_index].probabilities

    @property
    def features(self) -> list[Column]:
        """The columns but the label."""
        return [each for at, each in enumerate(self.distributions) if at != self.label_index]


class MemberLinear(nn.Module):
    """A linear layer for every member, each with weights of its own."""

    def __init__(self, members: int, inputs: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound, generator=rng)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``(members, batch, outputs)`` for ``(members, batch, inputs)``."""
        return torch.baddbmm(self.bias, inputs, self.weight)


class Generator(nn.Module):
    """A mixture of products of categorical columns, with networks behind the parts.

    Args:
        settings: the architecture.
        rng: draws the initial weights and latent codes; public randomness.
    """

    def __init__(self, settings: GeneratorSettings, *, rng: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        members, hidden = settings.num_members, settings.hidden
        self.anchors = nn.Parameter(
            torch.randn(members, settings.num_anchors, settings.latent_dim, generator=rng)
        )
        self.network = nn.Sequential(
            MemberLinear(members, settings.latent_dim, hidden, rng),
            nn.ReLU(),
            MemberLinear(members, hidden, hidden, rng),
            nn.ReLU(),
            MemberLinear(members, hidden, settings.num_outputs, rng),
        )
        self.base = nn.Parameter(torch.zeros(len(settings.groups) * sum(settings.base_sizes)))
        for index, form in enumerate(settings.forms):
            spread = form.make_spread()
            held = None if spread is None else torch.from_numpy(spread)
            self.register_buffer(f"spread_{index}", held, persistent=False)

    def forward(self) -> list[Tensor]:
        """Return the logits of every column without its base, ``(parts, codes)`` each."""
        outputs = self.network(self.anchors).flatten(0, 1)
        columns = outputs.split([form.num_outputs for form in self.settings.forms], dim=1)
        spreads = [getattr(self, f"spread_{index}") for index in range(len(columns))]
        return [
            column if spread is None else column @ spread
            for column, spread in zip(columns, spreads, strict=True)
        ]

    def _bases(self) -> list[Tensor]:
        """Return the base of every column, ``(groups, classes or 1, codes)``."""
        groups = len(self.settings.groups)
        base = self.base.clone()  # a mixture stays what it is when the generator learns on
        several = base.view(groups, -1).split(self.settings.base_sizes, dim=1)
        forms = self.settings.forms
        return [base.unflatten(1, (-1, f.size)) for base, f in zip(several, forms, strict=True)]

    def mixture(self) -> Mixture:
        """Return the distributions of all columns for all parts."""
        columns = zip(self.settings.forms, self(), self._bases(), strict=True)
        return Mixture(
            distributions=tuple(
                GivenColumn(logits=logits, base=base)
                if form.is_given_label
                else PlainColumn.of(logits, base[:, 0])
                for form, logits, base in columns
            ),
            label_index=self.settings.label_index,
            weights=self._part_weights(),
        )

    def _part_weights(self) -> Tensor:
        return torch.from_numpy(self.settings.part_weights).to(self.base)

    @classmethod
    @torch.no_grad()
    def join(cls, generators: Sequence[Generator], groups: Sequence[SiteGroup]) -> Self:
        """Return the mixture of generators, each of which becomes a group.

        Args:
            generators: alike in everything but their weights, and each of one group.
            groups: what each is of, with shares that add to 1.
        """
        first = generators[0].settings
        members = first.num_members * len(generators)
        settings = replace(first, num_members=members, groups=tuple(groups))
        joined = cls(settings, rng=torch.Generator())
        for name, parameter in joined.named_parameters():
            parameter.copy_(torch.cat([each.get_parameter(name) for each in generators]))
        return joined

    @torch.no_grad()
    def split(self) -> list[Self]:
        """Return a generator of every group, such as ``join`` makes one of."""
        groups, settings = len(self.settings.groups), self.settings.of_each_group()
        found = [type(self)(settings, rng=torch.Generator()) for _ in range(groups)]
        for name, parameter in self.named_parameters():
            for each, own in zip(found, parameter.chunk(groups), strict=True):
                each.get_parameter(name).copy_(own)
        return found

    def regrouped(self, groups: Sequence[SiteGroup]) -> Self:
        """Return the same networks under groups with other shares or names."""
        other = copy.copy(self)
        other.settings = replace(self.settings, groups=tuple(groups))
        return other

    @torch.no_grad()
    def start_at(self, shares: Sequence[Shares]) -> None:
        """Set the base so that columns are as shared out as told, and independent.

        The last layer says nothing yet but for its random start.

        Args:
            shares: per column, in order, shares of its codes given the class, ``(classes, codes)``;
                of the label its own, ``(1, classes)``.

        Raises:
            ValueError: if there are several groups, which start apart from each other.
        """
        self._check_one_group("is joined from those of each")
        classes = np.asarray(shares[self.settings.label_index])[0]
        bases = []
        for form, told in zip(self.settings.forms, shares, strict=True):
            overall = told[0] if len(told) == 1 else classes @ told
            wanted = overall[None]
            if form.is_given_label:
                wanted = form.share_out(told, overall)
            bases.append(np.log(np.maximum(wanted, LEAST_SHARE)).ravel())
        self.base.copy_(torch.from_numpy(np.concatenate(bases)))
        last = self.network[-1]
        assert isinstance(last, MemberLinear)
        last.bias.zero_()

    def draw_hard_rows(self, num_rows: int, rng: torch.Generator) -> Tensor:
        """Return one-hot rows with straight-through gradients, ``(num_rows, sum(sizes))``.

        Gumbel-softmax (Jang et al. 2017) with the hard value forward and the soft gradient back:
        a discriminator that sees soft rows learns to tell softness from data.

        Raises:
            ValueError: if there are several groups; rounds train what ``split`` gives.
        """
        self._check_one_group("is trained one group at a time")
        at, parts = self.settings.label_index, self.settings.num_parts
        picked = torch.randint(parts, (num_rows,), generator=rng)
        logits, bases = [column[picked] for column in self()], [base[0] for base in self._bases()]
        label = _draw_hard(logits[at] + bases[at], rng)
        rows = []
        for index, (column, base) in enumerate(zip(logits, bases, strict=True)):
            if index == at:
                rows.append(label)
            else:
                rows.append(_draw_hard(column + (base if len(base) == 1 else label @ base), rng))
        return torch.cat(rows, dim=1)

    def _check_one_group(self, rule: str) -> None:
        if len(self.settings.groups) > 1:
            raise ValueError(f"a generator of several groups {rule}.")

    @torch.no_grad()
    def make_tables(
        self, shares: Mapping[int, NDArray[np.float64] | NDArray[np.bool_]] | None = None
    ) -> MixtureTables:
        """Return the tables that rows are drawn from, under the condition that ``shares`` tell.

        Args:
            shares: per column position, the probability that a value with a code meets the
                condition, ``(codes,)`` in [0, 1].

        Raises:
            ValueError: if the condition has (almost) no probability under the generator.
        """
        columns = [column.double().numpy() for column in self.mixture().columns]
        return MixtureTables.of(
            columns, self.settings.label_index, shares or {}, weights=self.settings.part_weights
        )

    def sample_codes(
        self,
        num_rows: int,
        rng: np.random.Generator,
        *,
        allowed: Mapping[int, NDArray[np.bool_]] | None = None,
    ) -> Codes:
        """Draw rows as codes, exactly under the condition that columns stay in ``allowed``.

        Args:
            num_rows: rows to draw, >= 0.
            rng: where the draws come from.
            allowed: per column position, which codes may occur.

        Returns:
            Shape ``(num_rows, n_columns)``; see ``MixtureTables.draw``.

        Raises:
            ValueError: if the condition has (almost) no probability under the generator.
        """
        return self.make_tables(allowed).draw(num_rows, rng)


def _draw_hard(logits: Tensor, rng: torch.Generator) -> Tensor:
    uniform = torch.rand(logits.shape, generator=rng).clamp(1e-20, 1.0)
    soft = functional.softmax(logits - torch.log(-torch.log(uniform) + 1e-20), dim=1)
    hard = functional.one_hot(soft.argmax(1), logits.shape[1]).to(soft.dtype)
    return hard + soft - soft.detach()
