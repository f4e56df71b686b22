"""Where a report covers the items of reporting guidelines, and which are left for its authors to write.

CLAIM: Tejani et al. 2024, Checklist for Artificial Intelligence in Medical Imaging, 2024 update, Radiology: Artificial
Intelligence 6(4), e240300. TRIPOD+AI: Collins et al. 2024, BMJ 385, e078378. STARD-AI: Sounderajah et al. 2025, Nature
Medicine 31, 3283-3289; its numbers and topics were taken from a transcript of its Table 2, not from the journal itself.
Topics are summarised in our own words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NOT_STATED = "not stated"


class Item(NamedTuple):
    """An item of a guideline.

    Attributes:
        number: Number in the guideline.
        topic: What the item asks for.
        section: Anchor of the section that covers it; empty if no computed report can.
        shows: Text that the section must contain to cover the item.
        note: What remains to be said, or why it cannot be covered here.
        fact: The data sheet field that the item asks for, if any.
    """

    number: str
    topic: str
    section: str = ""
    shows: str = ""
    note: str = ""
    fact: str = ""


class Row(NamedTuple):
    """An item on a page: ``section`` is empty if the page does not cover it, ``missing`` if it could."""

    number: str
    topic: str
    section: str
    missing: bool
    note: str


def locate(
    items: Sequence[Item], sections: Mapping[str, str], known: Mapping[str, Any], by_table: bool = False
) -> list[Row]:
    """Find where a page covers the items of a guideline.

    Args:
        items: Items of the guideline.
        sections: Text of the page's sections, by anchor.
        known: The data sheet; fields that are ``None`` are not stated.
        by_table: Whether images are grouped by the user's table of patients or slides.
    """
    rows = []
    for item in items:
        is_there = bool(item.section) and item.shows.lower() in sections.get(item.section, "").lower()
        unknown = NOT_STATED if item.fact and not known.get(item.fact) else ""
        own = _CLUSTERS_OF_TABLE if by_table and item.note == _CLUSTERS else item.note
        note = "; ".join(part for part in (unknown, own) if part)
        section = item.section if is_there else ""
        rows.append(Row(item.number, item.topic, section, bool(item.section) and not is_there, note))
    return rows


_YOURS = "for the authors to write"
_SUBGROUPS = "not assessed: no figure is broken down by age, sex or site"
_CLUSTERS = "not assessed: no figure is broken down by site or patient"
_CLUSTERS_OF_TABLE = "intervals are by the groups of the user's table; no figure is broken down by site"

CLAIM = (
    Item("1, 2", "title and structured abstract", note=_YOURS),
    Item("3", "background, intended use, role of the AI", "use", "for research", "the background: " + _YOURS),
    Item("4", "aims, objectives, hypotheses", note=_YOURS),
    Item("5", "prospective or retrospective", "data", "collection", fact="collection"),
    Item("6", "goal of the study", note=_YOURS),
    Item("7", "data sources", "data", "source", fact="source"),
    Item("8", "inclusion and exclusion", "missing", "eligibility", "of files: in the flow of images", "eligibility"),
    Item("9", "preprocessing", "training", "preprocess"),
    Item("10", "selection of data subsets", "flow", "accepted"),
    Item("11", "de-identification", "data", "deidentification", fact="deidentification"),
    Item("12", "missing data", "flow", "quarantined", "files that cannot be used are quarantined, none is imputed"),
    Item("13", "image acquisition", "data", "acquisition", fact="acquisition"),
    Item("14", "definition of the reference standard", "data", "reference standard", fact="reference_standard"),
    Item("15", "rationale of the reference standard", note=_YOURS),
    Item("16", "source of the reference standard, qualification of readers", "missing", "readers", fact="readers"),
    Item("17", "annotation of the test set", "data", "reference standard", "as for all images", "reference_standard"),
    Item("18", "variability between and within raters", "missing", "readers", fact="readers"),
    Item("19, 20", "assignment to partitions, and its level", "flow", "never divided between splits"),
    Item("21", "intended sample size", "data", "sample size", fact="sample_size"),
    Item("22", "the model", "training", "softmax"),
    Item("23", "software", "provenance", "keras"),
    Item("24", "initialisation of the weights", "training", "initial weights"),
    Item("25", "training", "training", "optimizer"),
    Item("26", "choice of the final model", "training", "final weights"),
    Item("27", "ensembling", "training", "ensemble"),
    Item("28", "metrics", "performance", "balanced accuracy"),
    Item("29", "significance and uncertainty", "performance", "interval", "paired tests: in the comparison"),
    Item("30", "robustness", "robustness", "accuracy over all changes"),
    Item("31", "explainability", note="no maps of what the network looked at; the pipeline `explain` draws them"),
    Item("32", "evaluation on internal data", "performance", "on the test images"),
    Item("33", "testing on external data", "performance", "on the external images", "by the pipeline `external`"),
    Item("34", "registration of a clinical trial", note=_YOURS),
    Item("35", "numbers included and excluded", "flow", "files were found", "of images"),
    Item("36", "demographic and clinical characteristics", "missing", "age, sex", fact="demographics"),
    Item("37, 38", "performance, its uncertainty, diagnostic estimates", "performance", "screening sensitivity"),
    Item("39", "failure analysis", "failures", "misclassified"),
    Item("40", "limitations", "use", "limits", "further ones: " + _YOURS),
    Item("41", "implications for practice", "use", "not for diagnosis"),
    Item("42", "protocol or further technical details", "training", "learning rate", "a protocol: " + _YOURS),
    Item("43", "availability of software, model and data", note=_YOURS + "; what was used: under provenance"),
    Item("44", "funding", note=_YOURS),
)

TRIPOD_AI = (
    Item("1, 2", "title, abstract", note=_YOURS),
    Item("3a", "health-care context", note=_YOURS),
    Item("3b", "target population, intended use and users", "use", "for research", "the population: " + _YOURS),
    Item("3c", "health inequalities", note=_YOURS),
    Item("4", "objectives", note=_YOURS),
    Item("5a", "sources of the data", "data", "source", fact="source"),
    Item("5b", "dates of the data", "data", "dates", fact="dates"),
    Item("6a", "setting", "missing", "sites", fact="sites"),
    Item("6b", "eligibility", "missing", "eligibility", fact="eligibility"),
    Item("6c", "treatments", "missing", "treatment", fact="course"),
    Item("7", "data preparation", "training", "preprocess"),
    Item("8a", "outcome", "data", "reference standard", fact="reference_standard"),
    Item("8b", "assessors of the outcome", "missing", "readers", fact="readers"),
    Item("8c", "blinding", "data", "blinding", fact="blinding"),
    Item("9a-c", "predictors, their choice and measurement", "training", "resize", "the pixels of one field"),
    Item("10", "sample size and its justification", "data", "sample size", fact="sample_size"),
    Item("11", "missing data", "flow", "quarantined"),
    Item("12a", "use of the data for development and evaluation", "flow", "never divided between splits"),
    Item("12b", "how predictors were handled", "training", "preprocess"),
    Item("12c", "type and building of the model", "training", "optimizer"),
    Item("12d", "heterogeneity between clusters", note=_CLUSTERS),
    Item("12e", "measures of performance", "performance", "balanced accuracy"),
    Item("12f", "updating of the model", note="none"),
    Item("12g", "how predictions are calculated", "trust", "temperature"),
    Item("13", "class imbalance", "training", "class balance"),
    Item("14", "fairness", "missing", "fairness", _SUBGROUPS),
    Item("15", "output of the model", "trust", "opinion"),
    Item("16", "differences between training and evaluation", "flow", "never divided between splits"),
    Item("17", "ethical approval", "data", "ethics", "of your own study: " + _YOURS, "ethics"),
    Item("18a-f", "funding, interests, protocol, registration, data, code", note=_YOURS),
    Item("19", "patients and public", note=_YOURS),
    Item("20a", "flow of participants", "flow", "files were found", "of images"),
    Item("20b, c", "characteristics, in development and evaluation", "missing", "age, sex", fact="demographics"),
    Item("21", "participants and outcomes in each analysis", "data", "train validation test", "images by class"),
    Item("22", "specification of the model", "training", "06_models"),
    Item("23a", "performance with intervals, in subgroups", "performance", "interval", "subgroups: classes only"),
    Item("23b", "heterogeneity between clusters", note=_CLUSTERS),
    Item("24", "results of updating the model", note="none"),
    Item("25", "interpretation", note=_YOURS),
    Item("26", "limitations", "use", "limits", "further ones: " + _YOURS),
    Item("27a", "handling of poor or unavailable input", "trust", "abstains", "the classifier abstains"),
    Item("27b", "interaction and expertise of users", "use", "qualified"),
    Item("27c", "further research", note=_YOURS),
)

STARD_AI = (
    Item("1, 2", "title and structured abstract", note=_YOURS),
    Item("3", "background, intended use, place in the workflow", "use", "for research", "the background: " + _YOURS),
    Item("4", "objectives and hypotheses", note=_YOURS),
    Item("5", "prospective or retrospective", "data", "collection", fact="collection"),
    Item("6", "ethical approval", "data", "ethics", "of your own study: " + _YOURS, "ethics"),
    Item("7", "eligibility of participants and data", "missing", "eligibility", "of files: in the flow", "eligibility"),
    Item("8", "how participants were identified", "missing", "eligibility", fact="eligibility"),
    Item("9", "setting, location and dates", "missing", "sites", "dates: in the data sheet", "sites"),
    Item("10", "consecutive, random or convenience series", "data", "collection", fact="collection"),
    Item("11", "source of the data, routine or collected for the study", "data", "source", fact="source"),
    Item("12", "who annotated, and how", "missing", "readers", fact="readers"),
    Item("13", "devices and software of capture", "data", "acquisition", fact="acquisition"),
    Item("14", "preprocessing; acquisition", "training", "preprocess", "acquisition: data sheet", "acquisition"),
    Item("15a", "index test", "training", "softmax", "the classifier"),
    Item("15b", "its development, with sample sizes", "training", "images an epoch"),
    Item("15c", "cut-offs and result categories of the index test", "trust", "opinion"),
    Item("15d", "its users and their expertise", "use", "qualified"),
    Item("16a", "reference standard", "data", "reference standard", fact="reference_standard"),
    Item("16b, c", "its rationale, cut-offs and result categories", note=_YOURS),
    Item("17a", "what was known when the index test was read", "training", "the pixels alone"),
    Item("17b", "what was known when the reference standard was read", "data", "blinding", fact="blinding"),
    Item("18", "methods of estimating and comparing accuracy", "performance", "interval", "tests: in the comparison"),
    Item("19", "indeterminate results", "trust", "abstains"),
    Item("20", "missing data", "flow", "quarantined"),
    Item("21", "variability in accuracy", "robustness", "accuracy over all changes", "by changes of the images"),
    Item("22", "intended sample size", "data", "sample size", fact="sample_size"),
    Item("23", "analysis of errors, bias and fairness", "failures", "misclassified", "bias and fairness " + _SUBGROUPS),
    Item("24", "flow diagram", "flow", "files were found", "of images"),
    Item("25", "characteristics of training, validation and test sets", "missing", "age, sex", fact="demographics"),
    Item("26a", "severity of disease", "data", "train validation test", "images by class, no other severity"),
    Item("26b", "alternative diagnoses", note=_YOURS),
    Item("27", "interval and interventions between the two tests", "missing", "treatment", fact="course"),
    Item("28", "whether the data represent the intended population", "missing", "prevalence", fact="prevalence"),
    Item("29", "how external data differ from the others", note=_YOURS + "; `external` has pages of its own"),
    Item("30", "cross-tabulation", "performance", "true and predicted class"),
    Item("31", "estimates of accuracy and their precision", "performance", "screening sensitivity"),
    Item("32", "adverse events", note=_YOURS),
    Item("33", "limitations", "use", "limits", "further ones: " + _YOURS),
    Item("34", "implications for practice, intended use", "use", "not for diagnosis"),
    Item("35", "ethics of use, fairness", "missing", "fairness", "ethics of use: " + _YOURS),
    Item("36-39", "registration, protocol, funding, commercial interests", note=_YOURS),
    Item("40a", "availability of data and code", note=_YOURS),
    Item("40b", "whether outputs are stored and can be audited", "provenance", "predictions of each image"),
)

GUIDELINES = {"CLAIM 2024": CLAIM, "TRIPOD+AI": TRIPOD_AI, "STARD-AI": STARD_AI}
