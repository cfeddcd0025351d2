"""Which of the configured providers offer a model, in the operator's order of preference. No I/O, no state."""

from bot.catalogue import DEFAULT, Catalogue, Model
from bot.errors import UsageError


class Router:
    """The providers in use. Each look-up of a model takes the names people use, short forms and wire ids."""

    def __init__(self, catalogue: Catalogue, order: tuple[str, ...]) -> None:
        self.catalogue = catalogue
        self.order = order

    def models(self) -> tuple[Model, ...]:
        """Each model once, as the first provider that has it offers it; the default first."""
        found: dict[str, Model] = {}
        for provider in self.order:
            for model in self.catalogue.models(provider):
                found.setdefault(model.name, model)
        return tuple(found.values())

    def offers(self, name: str) -> tuple[Model, ...]:
        """The model as each provider offers it, the preferred provider first; never empty.

        Raises `UsageError` that names the nearest model and what there is.
        """
        wanted = self._name(name)
        offers = (self.offer(provider, wanted) for provider in self.order)
        return tuple(model for model in offers if model)

    def offer(self, provider: str, name: str) -> Model | None:
        """The model as this provider offers it, if it is in use and does."""
        if provider not in self.order:
            return None
        return next((model for model in self.catalogue.models(provider) if model.name == name), None)

    def default(self, wanted: str = "") -> Model:
        """The wanted model where it is offered, else the usual one, else the first there is."""
        for name in filter(None, (wanted, DEFAULT)):
            try:
                return self.offers(name)[0]
            except UsageError:
                continue
        return self.models()[0]

    def _name(self, name: str) -> str:
        """The name people use for what they wrote."""
        for provider in self.order:
            found = self.catalogue.find(provider, name)
            if found:
                return found.name
        raise self.catalogue.unknown(name, tuple(model.name for model in self.models()))
