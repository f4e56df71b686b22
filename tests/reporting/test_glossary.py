import re

import pytest

from leukoscope.reporting.glossary import TERMS, explain


def words(marked: str) -> str:
    return re.sub(r"<[^>]+>", "", marked)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("macro F1", ["macro-f1"]),
        ("screening sensitivity", ["sensitivity"]),
        ("calibrated expected calibration error", ["calibration"]),
        (
            "Accuracy 0.5 (interval 0 to 1): not shown, stain colour alone",
            ["accuracy", "interval", "shown", "baseline"],
        ),
        ("Youden's index & <b>", []),
        ("Cohen's kappa", ["kappa"]),
        ("unshown accuracy_low", []),
    ],
)
def test_each_term_of_a_text_leads_once_to_its_meaning(text, names):
    marked = str(explain(text))
    assert re.findall(r'href="#term-([\w-]+)"', marked) == names
    assert words(marked) == text.replace("&", "&amp;").replace("<b>", "&lt;b&gt;").replace("'", "&#39;")
    assert all(TERMS[name].meaning in marked for name in names)


def test_no_two_terms_share_a_word():
    called = [word.lower() for term in TERMS.values() for word in (term.title, *term.words)]
    assert len(called) == len(set(called))
