"""Whether a classifier fits what it is used with."""

from collections.abc import Sequence

from leukoscope.errors import InputError


def require_classes(who: str, known: Sequence[str], wanted: Sequence[str]) -> None:
    """Make sure that a classifier knows the classes that the parameters name, in their order.

    Args:
        who: The classifier, for the message.
        known: Its classes.
        wanted: Those of the parameters.

    Raises:
        InputError: It knows others.
    """
    if list(known) != list(wanted):
        raise InputError(
            f"{who} knows the classes {', '.join(known)}, and the parameters say {', '.join(wanted)}. Set class_names "
            f"as the model has them, train again, or choose another model."
        )


def require_evaluation(backbone: str, is_of_the_model: bool) -> None:
    """Make sure that what an evaluation left behind is of the model that is there now.

    Args:
        backbone: Which one.
        is_of_the_model: Whether it is.

    Raises:
        InputError: It is another model's.
    """
    if not is_of_the_model:
        raise InputError(
            f"{backbone} was trained again after it had been evaluated: its calibration and features are another "
            f"model's. Run `kedro run --pipeline evaluation --namespaces {backbone}`."
        )
