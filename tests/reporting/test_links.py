from leukoscope.reporting.links import link_models, list_links

ALL = ("comparison.html", "literature.html", "study.html", "vgg16/report.html", "vgg16/external.html")


def test_links_are_relative_and_only_to_pages_that_are_there():
    assert list_links("vgg16/report.html", ALL, own="vgg16") == [
        ("../comparison.html", "Models compared"),
        ("../literature.html", "Published figures"),
        ("../study.html", "Study"),
        ("external.html", "Images of another source"),
    ]
    assert list_links("comparison.html", ALL) == [("literature.html", "Published figures"), ("study.html", "Study")]
    assert list_links("vgg16/report.html", ()) == []


def test_pages_of_readers_and_of_a_model_at_work_are_among_them():
    there = [*ALL, "agreement.html", "monitoring.html"]
    assert list_links("comparison.html", there)[-2:] == [
        ("agreement.html", "Readers"),
        ("monitoring.html", "Monitoring"),
    ]
    assert ("comparison.html", "Models compared") in list_links("monitoring.html", there)


def test_the_audit_is_a_section_of_the_comparison_if_both_are_there():
    audit = ("../comparison.html#audit", "Audit")
    assert audit in list_links("vgg16/report.html", ALL, is_audited=True)
    assert audit not in list_links("vgg16/report.html", ["study.html"], is_audited=True)


def test_models_are_linked_to_that_have_a_page():
    titles = {"vgg16": "VGG16", "vgg19": "VGG19"}
    assert link_models("literature.html", ALL, titles) == {"vgg16": ("vgg16/report.html", "VGG16")}
