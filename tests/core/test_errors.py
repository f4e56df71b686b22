import pytest

from leukoscope.core.errors import InputError


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("There is no 'Pre  B '. Give another.", "There is no 'Pre  B '. Give another."),
        ("no image\n  'a.png'\r\nthere\u2028.", "no image 'a.png' there ."),
        ("no \x1b[31m\0\udcff", "no \\x1b[31m\\x00\\udcff"),
        ("Früh 早", "Früh 早"),
    ],
)
def test_a_message_is_one_line_that_no_terminal_acts_on(message, shown):
    assert str(InputError(message)) == InputError(message).format_message() == shown
