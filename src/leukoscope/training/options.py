"""Model entries: what is said of a model that is to be trained."""

from typing import Literal

from pydantic import Field, field_validator

from leukoscope.core.options import Options
from leukoscope.models import architecture
from leukoscope.training.recipe import Recipe, RecipeDifferences, ResolvedRecipe, resolve_recipe


class Published(Options):
    """Figures of the published study, to stand beside ours."""

    train_accuracy: float | None = Field(default=None, ge=0, le=1)
    test_accuracy: float | None = Field(default=None, ge=0, le=1)
    seconds_per_epoch: float | None = Field(default=None, gt=0)

    def as_report(self) -> dict[str, float | None]:
        """Give each figure a name that marks it as the report's: ``report_test_accuracy`` and so on."""
        return {f"report_{name}": value for name, value in self.model_dump().items()}


class NetworkOptions(Options):
    """An entry of the kind ``network``: one architecture, trained by the shared recipe with these differences.

    Attributes:
        name: Its own, that of its pipeline and namespace.
        kind: What sort of model it is.
        architecture: A registered one.
        attention: What is added after each of its blocks: ``eca`` or ``se``.
        label: Its name in figures and tables; by default the architecture's, or the entry's own name where the two
            differ.
        training: Differences from the shared recipe.
        published: What a study says that it reached.
    """

    name: str
    kind: Literal["network"]
    architecture: str
    attention: Literal["eca", "se"] | None = None
    label: str | None = None
    training: RecipeDifferences = RecipeDifferences()  # type: ignore[valid-type]
    published: Published = Published()

    @field_validator("architecture")
    @classmethod
    def _require_architecture(cls, name: str) -> str:
        architecture.require(name)
        return name

    @property
    def network(self) -> str:
        """What is built: the architecture, with the attention that is added to it, like ``vgg16-eca``."""
        return architecture.name_with_attention(self.architecture, self.attention)

    @property
    def title(self) -> str:
        """Its name in figures and tables."""
        if self.label:
            return self.label
        return architecture.get(self.architecture).title if self.name == self.network else self.name

    def resolve(self, shared: Recipe) -> ResolvedRecipe:
        """Give the recipe in force.

        Args:
            shared: The recipe of all models.

        Raises:
            InputError: It does not fit the architecture.
        """
        return resolve_recipe(self.architecture, shared, self.training, self.name)
