"""Which of the configured providers can serve a request, and who else could where none of them does. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.catalogue import Model
from bot.catalogue.router import Router
from bot.errors import UsageError
from bot.i18n import text
from bot.request import ImageRequest, Mode

MOST_NAMED = 3

Build = Callable[[Model], ImageRequest]
Check = Callable[[Model, ImageRequest], None]
Allows = Callable[[str], bool]
"""Whether somebody may use a model, by its name."""


def choose(offers: tuple[Model, ...], build: Build, check: Check) -> tuple[ImageRequest, tuple[Model, ...]]:
    """The request as the first offer that can serve it gets it, and all that can serve just that, in their order.

    build, check: raise `UsageError` for what an offer cannot serve; if that is every one, the reason of the first that
    has such a thing at all: it is no help that another provider has no layers where only their size is wrong.
    """
    reasons: list[tuple[bool, UsageError]] = []
    for position, offer in enumerate(offers):
        has_it = False
        try:
            request = build(offer)
            has_it = _has_it(offer, request)
            check(offer, request)
        except UsageError as reason:
            reasons.append((has_it, reason))
            continue
        kept = (offer, *(each for each in offers[position + 1 :] if _passes(check, each, request)))
        return replace(request, providers=tuple(each.provider for each in kept)), kept
    _, told = max(reasons, key=lambda reason: reason[0])
    raise told


def every_offer(router: Router) -> tuple[Model, ...]:
    """Every model as every provider in use offers it."""
    return tuple(offer for model in router.models() for offer in router.offers(model.name))


def with_nearest(
    router: Router, reason: UsageError, builds: Sequence[Build], check: Check, allows: Allows
) -> UsageError:
    """The reason, and which models would serve the same. Where none does, the next of `builds` leaves the size open."""
    offers = [offer for offer in every_offer(router) if allows(offer.name)]
    for build in builds:
        near = [offer for offer in offers if _can(offer, build, check)]
        if near:
            names = [each.name if build is builds[0] else f"{each.name} ({each.default_tier})" for each in near]
            named = tuple(dict.fromkeys(names))[:MOST_NAMED]
            return UsageError(text("{reason} It would work with {models}.", reason=reason.text, models=named))
    return reason


def _has_it(offer: Model, request: ImageRequest) -> bool:
    """Whether it does in some form what providers of one model differ in."""
    return (
        (request.mode is not Mode.LAYERS or offer.layers > 0)
        and (request.mode is not Mode.SERIES or offer.series)
        and (not request.background or bool(offer.backgrounds))
        and (not request.search or offer.search)
    )


def _can(offer: Model, build: Build, check: Check) -> bool:
    try:
        return _passes(check, offer, build(offer))
    except UsageError:
        return False


def _passes(check: Check, offer: Model, request: ImageRequest) -> bool:
    try:
        check(offer, request)
    except UsageError:
        return False
    return True
