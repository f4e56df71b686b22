"""Where a report has what reporting guidelines ask for, and what is left for its authors to write.

CLAIM: Tejani et al. 2024, Checklist for Artificial Intelligence in Medical Imaging, 2024 update, Radiology: Artificial
Intelligence 6(4), e240300. TRIPOD+AI: Collins et al. 2024, BMJ 385, e078378. Topics are ours, in short.
"""

from typing import NamedTuple


class Item(NamedTuple):
    """An item of a guideline.

    Attributes:
        number: As in the guideline.
        topic: What it asks for.
        section: The anchor of the section that has it; empty where no report of a computation can.
        note: What is still to be said, or why it cannot be said here.
    """

    number: str
    topic: str
    section: str = ""
    note: str = ""


_YOURS = "for the authors to write"

CLAIM = (
    Item("1, 2", "title and structured abstract", "", _YOURS),
    Item("3", "background, intended use, role of the AI", "use", "the scientific background: " + _YOURS),
    Item("4", "aims, objectives, hypotheses", "", _YOURS),
    Item("5", "prospective or retrospective", "data", "as far as the source of the images says"),
    Item("6", "goal of the study", "use"),
    Item("7", "data sources", "data"),
    Item("8", "inclusion and exclusion", "flow", "of files; of patients the source says nothing"),
    Item("9", "preprocessing", "training"),
    Item("10", "selection of data subsets", "flow"),
    Item("11", "de-identification", "data", "as far as the source says"),
    Item("12", "missing data", "flow", "files that cannot be used are quarantined, none is imputed"),
    Item("13", "image acquisition", "data"),
    Item("14-16", "reference standard, its rationale and source", "data", "as far as the source says"),
    Item("17", "annotation of the test set", "data", "as of all images"),
    Item("18", "variability between and within raters", "missing", "not published with the images"),
    Item("19, 20", "assignment to partitions, level at which they are disjoint", "flow"),
    Item("21", "intended sample size", "", "whatever images there were"),
    Item("22", "the model", "training"),
    Item("23", "software", "provenance"),
    Item("24", "initialisation of the weights", "training"),
    Item("25, 26", "training, choice of the final model", "training"),
    Item("27", "ensembling", "", "none"),
    Item("28", "metrics", "performance"),
    Item("29", "significance and uncertainty", "performance", "intervals by groups; paired tests in the comparison"),
    Item("30", "robustness", "robustness"),
    Item("31", "explainability", "failures", "pictures of errors; no maps of what the network looked at"),
    Item("32", "evaluation on internal data", "performance"),
    Item("33", "testing on external data", "", "the pipeline `external` writes a report of its own"),
    Item("34", "registration of a clinical trial", "", "no trial"),
    Item("35", "numbers included and excluded", "flow", "of images; patients are not known"),
    Item("36", "demographic and clinical characteristics", "missing"),
    Item("37, 38", "performance, its uncertainty, diagnostic estimates", "performance"),
    Item("39", "failure analysis", "failures"),
    Item("40", "limitations", "use", "further ones: " + _YOURS),
    Item("41", "implications for practice", "use"),
    Item("42", "protocol or further technical details", "training", "the details; a protocol: " + _YOURS),
    Item("43", "availability of software, model and data", "provenance", "what was used; where it is had: " + _YOURS),
    Item("44", "funding", "", _YOURS),
)

TRIPOD_AI = (
    Item("1, 2", "title, abstract", "", _YOURS),
    Item("3a-c", "health-care context, target population, inequalities", "use", "the context: " + _YOURS),
    Item("4", "objectives", "", _YOURS),
    Item("5a, b", "sources and dates of the data", "data", "as far as the source says"),
    Item("6a-c", "setting, eligibility, treatments", "missing", "not published with the images"),
    Item("7", "data preparation", "training"),
    Item("8a-c", "outcome, its assessment, blinding", "data", "as far as the source says"),
    Item("9a-c", "predictors, their choice and measurement", "training", "the pixels of one field"),
    Item("10", "sample size and its justification", "", "whatever images there were; a justification: " + _YOURS),
    Item("11", "missing data", "flow"),
    Item("12a-c", "use of the data, predictors, type and building of the model", "training"),
    Item("12d", "heterogeneity between clusters", "audit", "of looks and the user's groups; sites are not known"),
    Item("12e", "measures of performance", "performance"),
    Item("12f, g", "updating, how predictions are calculated", "trust", "not updated; temperature and limits"),
    Item("13", "class imbalance", "training"),
    Item("14", "fairness", "missing", "age, sex and site are not known"),
    Item("15", "output of the model", "trust"),
    Item("16", "differences between training and evaluation", "flow"),
    Item("17", "ethical approval", "data", "of the images' authors; for a study of yours: " + _YOURS),
    Item("18a-f", "funding, interests, protocol, registration, data, code", "provenance", "the rest: " + _YOURS),
    Item("19", "patients and public", "", _YOURS),
    Item("20a", "flow of participants", "flow", "of images"),
    Item("20b, c", "characteristics, in development and evaluation", "missing"),
    Item("21", "participants and outcomes in each analysis", "flow"),
    Item("22", "specification of the model", "provenance", "the file model.keras"),
    Item("23a", "performance with intervals, in subgroups", "performance", "subgroups: classes only"),
    Item("23b", "heterogeneity between clusters", "audit"),
    Item("24", "updating of the model", "", "none"),
    Item("25", "interpretation", "audit", _YOURS),
    Item("26", "limitations", "use"),
    Item("27a", "handling of poor or unavailable input", "trust", "opinions are withheld"),
    Item("27b, c", "interaction and expertise of users, further research", "use"),
)
