import pytest
from mlflow.utils.validation import validate_param_and_metric_name

from leukoscope.core.class_names import require_benign, require_class_names, split_names
from leukoscope.core.options import plain_name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Benign", "benign"),
        ("Pre-B", "pre_b"),
        ("early Pre-B", "early_pre_b"),
        ("[Malignant] Pre-B", "malignant_pre_b"),
        ("CD10+ & CD19+ (50 %)", "cd10_cd19_50"),
        ("a,b'c\"d;e=f", "a_b_c_d_e_f"),
        ("$x$ _y_", "x_y"),
        ("Bénin", "benin"),
        ("Be\u0301nin", "benin"),
        ("Weiß", "weiss"),
        ("良性", "良性"),
        ("Злокачественный", "злокачественныи"),
        ("양성", "양성"),
        ("Ⅲ 期", "iii_期"),
    ],
)
def test_a_plain_name_has_letters_digits_and_underscores_that_mlflow_takes(name, plain):
    assert plain_name(name) == plain
    assert validate_param_and_metric_name(f"test_sensitivity_{plain}")
    assert plain_name(plain) == plain


@pytest.mark.parametrize(
    "names",
    [
        ["Benign", "[Malignant] Pre-B", "[Malignant] Pro-B", "[Malignant] early Pre-B"],
        ["良性", "恶性"],
        ["1", "0"],
        ["hem", "all"],
        ["100 %", "50 %"],
        ["a" * 100, "b"],
    ],
)
def test_usable_names_pass(names):
    require_class_names(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("Benign", "class_names is 'Benign'; it must be a list of two or more"),
        (None, "class_names is None"),
        (["Benign"], "two or more"),
        ([], "two or more"),
        ([1, 0], "class_names has 1, which YAML reads as a number, not as a name: put the folder's name in quotes"),
        (["Yes", False], "has False, which YAML reads as true or false"),
        (["Benign", None], "has None, which YAML reads as nothing"),
        (["Benign", 1.5], "has 1.5, which YAML reads as a number"),
        (["Benign", ["Malignant"]], "YAML reads as a list"),
        (["Benign", {"Malignant": "Pre"}], "YAML reads as a dict"),
        (["Benign", ""], "is empty"),
        (["Benign", " Pre"], "begins or ends with a space"),
        (["Benign", "Pre\nB"], "control character"),
        (["Benign", "Pre\x00"], "control character"),
        (["Benign", "a/b"], "has one of /"),
        (["Benign", "a\\b"], "has one of /"),
        (["Benign", "a|b"], "has one of /"),
        (["Benign", ".hidden"], "begins with a dot"),
        (["Benign", ".."], "begins with a dot"),
        (["Benign", "+ & %"], "has neither a letter nor a digit"),
        (["Benign", "a" * 101], "has 101 characters: 100 at most"),
        (["Benign", "total"], "stands for the sum over all classes"),
        (["Benign", "abstained"], "stands for no opinion"),
        (["Benign", "withheld"], "stands for no opinion in tables of an earlier version"),
        (["Benign", "none"], "stands for an empty prediction set"),
        (["Pre-B", "Pre B"], "'Pre-B' and 'Pre B', whose figures would both be named 'pre_b'"),
        (["Bénin", "benin"], "would both be named 'benin'"),
        (["Benign", "Benign"], "would both be named 'benign'"),
        (["Grade", "Grade low"], "'Grade' and 'Grade low': .* ends of the first's intervals"),
    ],
)
def test_names_that_would_fail_later_are_refused_in_one_line(names, message):
    with pytest.raises(ValueError, match=message) as error:
        require_class_names(names)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("benign", "message"),
    [
        (("Healthy",), "'Healthy', which is none of class_names: A, B, C. .* like evaluation.benign_class=A"),
        ((), "one or more of them must be benign"),
        (("A", "B", "C"), "one or more must not"),
    ],
)
def test_benign_classes_are_some_of_all(benign, message):
    with pytest.raises(ValueError, match=message):
        require_benign(benign, ["A", "B", "C"])
    require_benign(("A", "C"), ["A", "B", "C"])


def test_malignant_is_a_class_only_if_it_is_all_that_is_not_benign():
    require_benign(("Benign",), ["Benign", "Malignant"])
    require_benign(("Benign", "Normal"), ["Benign", "Malignant", "Normal"])
    with pytest.raises(ValueError, match="'malignant' beside other classes that are not benign: Malignant, Pre"):
        require_benign(("Benign",), ["Benign", "Malignant", "Pre"])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Benign|Malignant", ["Benign", "Malignant"]),
        ("Benign | [Malignant] Pre-B", ["Benign", "[Malignant] Pre-B"]),
        ("Benign", ["Benign"]),
        ("|Benign| ", ["Benign"]),
        ("", []),
        (["a|b", "c"], ["a|b", "c"]),
        (None, None),
    ],
)
def test_names_in_one_string_are_split_at_bars(value, names):
    assert split_names(value) == names
